"""Recorded history on the disk: partitioned Parquet, read in order or by columns. Needs the extra `history`."""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from engine.adapters import history_parquet_format as form
from engine.adapters.history_parquet_format import RowData, RowFile, SeriesPart
from engine.adapters.history_parquet_write import Key, ParquetHistoryWriter
from engine.model.history import Mark, MarkKind, Record, Row
from engine.model.time import DAY
from engine.ports.history import HistoryError, SeriesColumn, SeriesName

__all__ = ["ParquetHistory", "ParquetHistoryWriter"]

_AT_ONCE = 10_000


class ParquetHistory:
    """The history at `root`, as it stood when this was made; HistoryError where it is damaged or none."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._connection = form.connection()
        with form.said_plainly(root):
            header = form.read_header(root)
            self._flushes = form.read_flushes(root)
            form.check_files(root, self._flushes)
        self.header = replace(
            # Rules were there from the beginning of the run on, whenever the first of them heard anything.
            header, first_at=min((header.first_at, *(one.first_at for one in self._flushes))),
            last_at=max((one.last_at for one in self._flushes), default=header.last_at),
            has_rearms=header.has_rearms or any(one.rearms for one in self._flushes),
        )
        self._days: dict[int, list[RowFile]] = {}
        self._parts: dict[Key, list[tuple[RowFile, SeriesPart]]] = {}
        for flush in self._flushes:
            for file in flush.files:
                self._days.setdefault(file.day, []).append(file)
                for part in file.series:
                    self._parts.setdefault((part.signal, part.labels), []).append((file, part))

    def records(self) -> Iterator[Record]:
        """Yield every record in order of happening; HistoryError where one cannot be read."""
        with form.said_plainly(self._root):
            for _, record in heapq.merge(self._numbered_rows(), self._numbered_marks(), key=_number):
                yield record

    def count(self, end: int | None) -> int:
        """Return how many records there are before `end` (ns), None for all."""
        found = before = 0
        for flush in self._flushes:
            if end is None or flush.last_at < end:
                found += flush.records - before
            elif flush.first_at < end:
                names = [*(file.name for file in flush.files), *([flush.marks[0]] if flush.marks else [])]
                with form.said_plainly(self._root):
                    found += sum(
                        self._connection.execute(
                            "select count(*) from read_parquet(?) where at_ns < ?", [str(self._root / name), end],
                        ).fetchone()[0] for name in names
                    )
            before = flush.records
        return found

    def days(self) -> tuple[int, ...]:
        """Return the beginnings (ns) of the UTC days in which there are rows, in order."""
        return tuple(sorted(self._days))

    def series(self) -> tuple[SeriesName, ...]:
        """Return every series there is, by signal and labels."""
        firsts = ((key, found[0][1]) for key, found in sorted(self._parts.items()))
        return tuple(SeriesName(*key, part.first_at, part.first_batch) for key, part in firsts)

    def column(self, signal: str, labels: tuple[str, ...], begin: int, end: int) -> SeriesColumn:
        """Return the rows of one series in [begin, end); empty arrays for a series that there is not."""
        import numpy as np

        found = [one for one in self._parts.get((signal, labels), ()) if begin < one[0].day + DAY and one[0].day < end]
        kind = found[0][1].kind if found else form.NUMBERS
        value = {form.NUMBERS: "number", form.WORDS: "word", form.SWITCHES: "switch"}[kind]
        names = [str(self._root / file.name) for file, _ in found]
        words: tuple[str, ...] = ()
        if not names:
            nothing = np.zeros(0, np.int64)
            return SeriesColumn(
                at=nothing, batch=nothing, value=np.zeros(0), status=np.zeros(0, np.uint8), event_at=nothing,
            )
        with form.said_plainly(self._root):
            table = self._connection.execute(
                f"select at_ns, batch, {value} as value, status, event_at from read_parquet(?) "
                "where signal = ? and labels = ? and at_ns >= ? and at_ns < ?",
                [names, signal, _text(labels), begin, end],
            ).fetchnumpy()
        if np.any(table["batch"][1:] < table["batch"][:-1]):
            raise HistoryError(f"{self._root}: the rows of {signal} are out of order", "move the history away")
        values = table["value"]
        if kind == form.WORDS:
            found_words, values = np.unique(values.astype(str), return_inverse=True)
            words = tuple(str(word) for word in found_words)
        return SeriesColumn(
            at=table["at_ns"], batch=table["batch"], value=values.astype(np.float64), status=table["status"],
            event_at=table["event_at"], words=words, switch=kind == form.SWITCHES,
        )

    def before(self, signal: str, labels: tuple[str, ...], at: int) -> tuple[Row | None, Row | None]:
        """Return (the last row, the last row with status 0) of one series before `at`, None for none."""
        last: Row | None = None
        for file, part in reversed(self._parts.get((signal, labels), ())):
            if part.first_at >= at:
                continue
            if part.last[0] < at:
                rows = [part.last] if part.good is None else [part.good, part.last]
            else:
                rows = self._rows_before(file, signal, labels, at)
            if not rows:
                continue
            last = last or _row(signal, labels, rows[-1])
            good = next((row for row in reversed(rows) if not row[3]), None)
            if good is not None:
                return last, _row(signal, labels, good)
        return last, None

    def _rows_before(self, file: RowFile, signal: str, labels: tuple[str, ...], at: int) -> list[RowData]:
        with form.said_plainly(self._root):
            found: list[Any] = self._connection.execute(
                "select at_ns, batch, number, word, switch, status, event_at "
                "from read_parquet(?) where signal = ? and labels = ? and at_ns < ? order by n",
                [str(self._root / file.name), signal, _text(labels), at],
            ).fetchall()
        return [
            (at, batch, number if number is not None else word if word is not None else switch, status, event_at)
            for at, batch, number, word, switch, status, event_at in found
        ]

    def marks(self) -> Iterator[Mark]:
        """Yield every mark in order."""
        with form.said_plainly(self._root):
            for _, mark in self._numbered_marks():
                yield mark

    def opener(self) -> Callable[[], ParquetHistory]:
        """Return what opens the same history again in another process: picklable."""
        return partial(ParquetHistory, self._root)

    def _numbered_rows(self) -> Iterator[tuple[int, Record]]:
        for _, files in sorted(self._days.items()):
            cursor = self._connection.cursor()
            cursor.execute(
                "select n, at_ns, batch, signal, labels, number, word, switch, status, event_at from read_parquet(?) "
                "order by n", [[str(self._root / file.name) for file in files]],
            )
            labels: dict[str, tuple[str, ...]] = {}
            while found := cursor.fetchmany(_AT_ONCE):
                for n, at, batch, signal, text, number, word, switch, status, event_at in found:
                    values = labels.get(text)
                    if values is None:
                        values = labels[text] = tuple(json.loads(text))
                    value = number if number is not None else word if word is not None else switch
                    yield n, Row(at, batch, signal, values, value, status, event_at)
            cursor.close()

    def _numbered_marks(self) -> Iterator[tuple[int, Mark]]:
        for flush in self._flushes:
            if flush.marks is None:
                continue
            cursor = self._connection.cursor()
            cursor.execute(
                "select n, at_ns, batch, kind, data from read_parquet(?) order by n",
                [str(self._root / flush.marks[0])],
            )
            while found := cursor.fetchmany(_AT_ONCE):
                for n, at, batch, kind, data in found:
                    yield n, Mark(at, batch, MarkKind(kind), json.loads(data))
            cursor.close()


def _number(item: tuple[int, Record]) -> int:
    return item[0]


def _text(labels: tuple[str, ...]) -> str:
    return json.dumps(list(labels), separators=(",", ":"))


def _row(signal: str, labels: tuple[str, ...], data: RowData) -> Row:
    return Row(data[0], data[1], signal, labels, *data[2:])
