"""The promise of recorded history: to give every record in order, and to keep what it is given."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from engine.model.history import HistoryHeader, Record


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
