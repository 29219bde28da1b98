"""The promise of recorded history: to give every record in order, and to keep what it is given."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

from engine.model.history import HistoryHeader, Mark, Record, Row

if TYPE_CHECKING:
    # Only whoever reads columns needs numpy when it runs; the names are enough to speak of them.
    import numpy as np
    import numpy.typing as npt


class HistoryError(Exception):
    """A history cannot be read or written: what, and a fix."""

    def __init__(self, what: str, fix: str) -> None:
        self.what, self.fix = what, fix
        super().__init__(what)


class History(Protocol):
    """Recorded history."""

    @property
    def header(self) -> HistoryHeader:
        """What it covers."""

    def records(self) -> Iterator[Record]:
        """Yield every record in order of happening; HistoryError where one cannot be read."""


class HistoryWriter(Protocol):
    """Where a running engine keeps its history."""

    def add(self, record: Record) -> None:
        """Keep `record`; it is safe only after `flush`."""

    def flush(self, seq: int) -> None:
        """Put all that was added on the disk, as what belongs to the checkpoint at input `seq`."""

    def forget_after(self, seq: int) -> None:
        """Drop what was flushed for inputs after `seq`: a resumed run records it again."""

    def close(self) -> None:
        """Flush what is left."""


class SeriesName(NamedTuple):
    """One signal with one set of labels, and where it was first spoken of."""

    signal: str
    labels: tuple[str, ...]
    first_at: int
    first_batch: int


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class SeriesColumn:
    """Rows of one series in order, as arrays of one length. Times in ns."""

    at: npt.NDArray[np.int64]
    batch: npt.NDArray[np.int64]
    value: npt.NDArray[np.float64]
    """Numbers; 0.0 and 1.0 for a switch; for a word its place in `words`."""
    status: npt.NDArray[np.uint8]
    event_at: npt.NDArray[np.int64]
    words: tuple[str, ...] = ()
    """What `value` counts, where the rows hold words: a column's own, in no order."""
    switch: bool = False
    """Whether the rows hold switches."""

    def __len__(self) -> int:
        return len(self.at)


class ColumnarHistory(History, Protocol):
    """Recorded history that can also be read a series and a stretch at a time."""

    def count(self, end: int | None) -> int:
        """Return how many records there are before `end` (ns), None for all."""

    def days(self) -> tuple[int, ...]:
        """Return the beginnings (ns) of the UTC days in which there are rows, in order."""

    def series(self) -> tuple[SeriesName, ...]:
        """Return every series there is, by signal and labels."""

    def column(self, signal: str, labels: tuple[str, ...], begin: int, end: int) -> SeriesColumn:
        """Return the rows of one series in [begin, end); empty arrays for a series that there is not."""

    def before(self, signal: str, labels: tuple[str, ...], at: int) -> tuple[Row | None, Row | None]:
        """Return (the last row, the last row with status 0) of one series before `at`, None for none."""

    def marks(self) -> Iterator[Mark]:
        """Yield every mark in order."""

    def opener(self) -> Callable[[], ColumnarHistory]:
        """Return what opens the same history again in another process: picklable."""
