"""Writes recorded history: one Parquet file a flush and day, and one of the marks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.adapters import history_parquet_format as form
from engine.adapters.history_parquet_format import Flush, RowData, RowFile, SeriesPart
from engine.model.history import HistoryHeader, Mark, MarkKind, Record, Row
from engine.ports.history import HistoryError, SeriesColumn

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

STRETCH = 20_480
"""Rows of one row group: what is read at least for one series."""
Key = tuple[str, tuple[str, ...]]
"""(signal, labels)."""
Table = tuple[dict[str, Any], SeriesPart]
"""Arrays by name, and what is said of them."""


class ParquetHistoryWriter:
    """Appends to the history at `root`, or begins it as `header` says; HistoryError where that cannot be."""

    def __init__(self, root: Path, header: HistoryHeader) -> None:
        self._root = root
        self._connection = form.connection()
        with form.said_plainly(root):
            root.mkdir(parents=True, exist_ok=True)
            if (root / form.HEADER).exists():
                _check_alike(root, form.read_header(root), header)
            elif any(root.iterdir()):
                raise HistoryError(f"{root} is not empty and holds no history", "name an empty directory")
            else:
                form.write_header(root, header)
            self._flushes = form.read_flushes(root)
            form.sweep(root, self._flushes)
        self._added: list[Record] = []
        self._columns: list[tuple[Key, SeriesColumn, npt.NDArray[np.int64]]] = []

    def add(self, record: Record) -> None:
        """Keep `record`; it is safe only after `flush`."""
        self._added.append(record)

    def add_column(self, key: Key, column: SeriesColumn, numbers: npt.NDArray[np.int64]) -> None:
        """Keep rows of the series `key` = (signal, labels), all of one day; `numbers` are their places in the history.

        The caller sees to it that numbers are used once and rise with time, from the count of
        records so far, and flushes before it adds single records.
        """
        self._columns.append((key, column, numbers))

    def flush(self, seq: int) -> None:
        """Put all that was added on the disk, as what belongs to the checkpoint at input `seq`."""
        if not self._added and not self._columns:
            return
        part = sum(1 for flush in self._flushes if flush.seq == seq)
        stem = f"{seq:012d}-{part:03d}"
        first = self._flushes[-1].records if self._flushes else 0
        with form.said_plainly(self._root):
            marks, days = self._tables(first)
            files = tuple(self._write_rows(day, found, stem) for day, found in sorted(days.items()))
            ends = [record.at for record in (self._added[0], self._added[-1])] if self._added else []
            ends += [int(column.at[place]) for _, column, _ in self._columns for place in (0, -1)]
            flush = Flush(
                seq=seq, part=part, records=first + len(self._added) + sum(len(one[1]) for one in self._columns),
                first_at=min(ends), last_at=max(ends), files=files,
                marks=self._write_marks(marks, stem) if marks else None,
                rearms=any(mark.kind is MarkKind.REARM for _, mark in marks),
            )
            form.write_flush(self._root, flush)
        self._flushes.append(flush)
        self._added, self._columns = [], []

    def _tables(self, first: int) -> tuple[list[tuple[int, Mark]], dict[int, dict[Key, Table]]]:
        """Return the numbered marks, and the arrays of every series by day; `first` numbers the first single record."""
        rows: dict[int, dict[Key, list[tuple[int, Row]]]] = {}
        marks: list[tuple[int, Mark]] = []
        for number, record in enumerate(self._added, start=first):
            if isinstance(record, Row):
                of_day = rows.setdefault(form.day_of(record.at), {})
                of_day.setdefault((record.signal, record.labels), []).append((number, record))
            else:
                marks.append((number, record))
        days = {day: {key: _table(key, found) for key, found in of_day.items()} for day, of_day in rows.items()}
        for key, column, numbers in self._columns:
            days.setdefault(form.day_of(int(column.at[0])), {})[key] = (
                _table_of(column, numbers), _part_of(key, column),
            )
        return marks, days

    def forget_after(self, seq: int) -> None:
        """Drop what was flushed for inputs after `seq`, and what was not flushed: a resumed run records it again."""
        self._added, self._columns = [], []
        with form.said_plainly(self._root):
            while self._flushes and self._flushes[-1].seq > seq:
                form.remove(self._root, self._flushes.pop())

    def close(self) -> None:
        """Flush what is left, for the last input that anything was flushed for."""
        self.flush(self._flushes[-1].seq if self._flushes else 0)
        self._connection.close()

    def _write_rows(self, day: int, series: Mapping[Key, Table], stem: str) -> RowFile:
        name = f"{form.day_folder(day)}/rows-{stem}.parquet"
        ordered = sorted(series)
        parts = []
        for place, key in enumerate(ordered):
            signal, labels = key
            self._connection.register(f"part{place}", series[key][0])
            text = json.dumps(list(labels), separators=(",", ":"))
            parts.append(
                f"select n, at_ns, batch, {_quoted(signal)} as signal, {_quoted(text)} as labels, number::double as "
                f"number, word::varchar as word, switch::boolean as switch, status, event_at from part{place}"
            )
        size = self._copy(" union all ".join(parts), name)
        for place in range(len(ordered)):
            self._connection.unregister(f"part{place}")
        described = tuple(series[key][1] for key in ordered)
        return RowFile(name=name, size=size, day=day, rows=sum(one.rows for one in described), series=described)

    def _write_marks(self, marks: list[tuple[int, Mark]], stem: str) -> tuple[str, int]:
        np: Any = form.needed("numpy")
        name = f"marks/marks-{stem}.parquet"
        self._connection.register("marks", {
            "n": np.array([number for number, _ in marks], np.int64),
            "at_ns": np.array([mark.at for _, mark in marks], np.int64),
            "batch": np.array([mark.batch for _, mark in marks], np.int64),
            "kind": np.array([mark.kind.value for _, mark in marks], object),
            "data": np.array([json.dumps(mark.data) for _, mark in marks], object),
        })
        size = self._copy("select * from marks", name)
        self._connection.unregister("marks")
        return name, size

    def _copy(self, query: str, name: str) -> int:
        """Write what `query` gives into the file `name`, whole or not at all; return its bytes."""
        path = self._root / name
        path.parent.mkdir(exist_ok=True)
        unfinished = path.with_name(path.name + form.UNFINISHED)
        self._connection.execute(
            f"copy ({query}) to {_quoted(str(unfinished))} (format parquet, compression zstd, row_group_size {STRETCH})"
        )
        form.settle(unfinished, path)
        return path.stat().st_size


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _check_alike(root: Path, before: HistoryHeader, now: HistoryHeader) -> None:
    """A history is of one catalogue: what a signal means must not change within it."""
    if before.catalogue_digest != now.catalogue_digest or before.complete != now.complete:
        raise HistoryError(
            f"{root} was recorded with other signals", "record into another directory, or move this one away",
        )


def _kind(value: float | str | bool) -> str:
    if isinstance(value, str):
        return form.WORDS
    return form.SWITCHES if isinstance(value, bool) else form.NUMBERS


def _data(row: Row) -> RowData:
    return (row.at, row.batch, row.value, row.status, row.event_at)


def _table(key: Key, found: list[tuple[int, Row]]) -> Table:
    """Return the arrays of rows of one series and day, and their description."""
    np: Any = form.needed("numpy")
    rows = [row for _, row in found]
    kinds = {_kind(row.value) for row in rows}
    if len(kinds) > 1:
        raise HistoryError(f"{key[0]} was given {' and '.join(sorted(kinds))}", "one signal holds one kind of value")
    kind = kinds.pop()
    nothing = [None] * len(rows)
    values = [row.value for row in rows]
    table = {
        "n": np.array([number for number, _ in found], np.int64), "at_ns": np.array([row.at for row in rows], np.int64),
        "batch": np.array([row.batch for row in rows], np.int64),
        "number": np.array(values, np.float64) if kind == form.NUMBERS else np.array(nothing, object),
        "word": np.array(values if kind == form.WORDS else nothing, object),
        "switch": np.array(values, bool) if kind == form.SWITCHES else np.array(nothing, object),
        "status": np.array([row.status for row in rows], np.uint8),
        "event_at": np.array([row.event_at for row in rows], np.int64),
    }
    good = next((row for row in reversed(rows) if not row.status), None)
    part = SeriesPart(
        signal=key[0], labels=key[1], kind=kind, rows=len(rows), first_at=rows[0].at, first_batch=rows[0].batch,
        last=_data(rows[-1]), good=None if good is None else _data(good),
    )
    return table, part


def _table_of(column: SeriesColumn, numbers: npt.NDArray[np.int64]) -> dict[str, Any]:
    np: Any = form.needed("numpy")
    nothing = np.array([None] * len(column), object)
    words = np.array(column.words, object)
    plain = not column.words and not column.switch
    return {
        "n": numbers, "at_ns": column.at, "batch": column.batch, "number": column.value if plain else nothing,
        "word": words[column.value.astype(np.int64)] if column.words else nothing,
        "switch": column.value != 0.0 if column.switch else nothing,
        "status": column.status, "event_at": column.event_at,
    }


def _part_of(key: Key, column: SeriesColumn) -> SeriesPart:
    import numpy as np

    def row(place: int) -> RowData:
        number = float(column.value[place])
        value = column.words[int(number)] if column.words else bool(number) if column.switch else number
        return (
            int(column.at[place]), int(column.batch[place]), value, int(column.status[place]),
            int(column.event_at[place]),
        )

    good = np.flatnonzero(column.status == 0)
    return SeriesPart(
        signal=key[0], labels=key[1], kind=form.WORDS if column.words else form.SWITCHES if column.switch else
        form.NUMBERS, rows=len(column), first_at=int(column.at[0]), first_batch=int(column.batch[0]),
        last=row(-1), good=row(int(good[-1])) if len(good) else None,
    )
