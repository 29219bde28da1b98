"""Recorded history in memory, by columns too: of a tape, of a test, of anything that yields records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

from engine.model.history import HistoryHeader, Mark, Record, Row
from engine.model.time import DAY
from engine.ports.history import SeriesColumn, SeriesName
from engine.workbench.fast_arrays import numpy

Key = tuple[str, tuple[str, ...]]


class MemoryHistory:
    """`records` in order, under `header`."""

    def __init__(self, header: HistoryHeader, records: Iterable[Record]) -> None:
        self.header = header
        self._records = tuple(records)
        self._rows: dict[Key, list[Row]] = {}
        for record in self._records:
            if isinstance(record, Row):
                self._rows.setdefault((record.signal, record.labels), []).append(record)
        self._columns: dict[Key, SeriesColumn] = {}

    def records(self) -> Iterator[Record]:
        """Yield every record in order of happening."""
        yield from self._records

    def count(self, end: int | None) -> int:
        """Return how many records there are before `end` (ns), None for all."""
        return sum(1 for record in self._records if end is None or record.at < end)

    def days(self) -> tuple[int, ...]:
        """Return the beginnings (ns) of the UTC days in which there are rows, in order."""
        return tuple(sorted({row.at - row.at % DAY for rows in self._rows.values() for row in rows}))

    def series(self) -> tuple[SeriesName, ...]:
        """Return every series there is, by signal and labels."""
        return tuple(SeriesName(*key, rows[0].at, rows[0].batch) for key, rows in sorted(self._rows.items()))

    def column(self, signal: str, labels: tuple[str, ...], begin: int, end: int) -> SeriesColumn:
        """Return the rows of one series in [begin, end); empty arrays for a series that there is not."""
        np = numpy()
        key = (signal, labels)
        whole = self._columns.get(key)
        if whole is None:
            whole = self._columns[key] = column_of(self._rows.get(key, ()))
        first, last = np.searchsorted(whole.at, [begin, end])
        return SeriesColumn(
            at=whole.at[first:last], batch=whole.batch[first:last], value=whole.value[first:last],
            status=whole.status[first:last], event_at=whole.event_at[first:last], words=whole.words,
            switch=whole.switch,
        )

    def before(self, signal: str, labels: tuple[str, ...], at: int) -> tuple[Row | None, Row | None]:
        """Return (the last row, the last row with status 0) of one series before `at`, None for none."""
        earlier = [row for row in self._rows.get((signal, labels), ()) if row.at < at]
        good = next((row for row in reversed(earlier) if not row.status), None)
        return (earlier[-1] if earlier else None), good

    def marks(self) -> Iterator[Mark]:
        """Yield every mark in order."""
        return (record for record in self._records if isinstance(record, Mark))

    def opener(self) -> Callable[[], MemoryHistory]:
        """Return what makes the same history again in another process: picklable."""
        return partial(MemoryHistory, self.header, self._records)


def column_of(rows: Sequence[Row]) -> SeriesColumn:
    """Return rows of one series as arrays; ValueError where words, switches and numbers are mixed."""
    np = numpy()
    kinds = {"words" if isinstance(row.value, str) else "switches" if isinstance(row.value, bool) else "numbers"
             for row in rows}
    if len(kinds) > 1:
        raise ValueError(f"{rows[0].signal} holds {' and '.join(sorted(kinds))}")
    words: dict[str, float] = {}
    values = [
        words.setdefault(row.value, float(len(words))) if isinstance(row.value, str) else float(row.value)
        for row in rows
    ]
    return SeriesColumn(
        at=np.array([row.at for row in rows], np.int64), batch=np.array([row.batch for row in rows], np.int64),
        value=np.array(values, np.float64), status=np.array([row.status for row in rows], np.uint8),
        event_at=np.array([row.event_at for row in rows], np.int64), words=tuple(words), switch=kinds == {"switches"},
    )
