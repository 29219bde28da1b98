"""Where a run stands on its tape: the next event, seen before it is taken."""

from __future__ import annotations

from engine.ports.feed import Tape, TapeEvent


class FeedCursor:
    """One reading of a tape. `at` is when the next event arrives, None when there is none."""

    __slots__ = ("_events", "_tape", "at", "event", "position")

    def __init__(self, tape: Tape, *, from_index: int = 0) -> None:
        self._tape = tape
        self._events = tape.events(from_index)
        self.position = from_index
        """The index to resume from so that the next event is the one not yet taken."""
        self.at: int | None = None
        self.event: TapeEvent | None = None
        self.advance()

    def advance(self) -> None:
        """Look at the event behind the one that was just taken."""
        index = self._tape.index
        if index > self.position:
            self.position = index
        found = next(self._events, None)
        if found is None:
            self.at = self.event = None
        else:
            self.at, self.event = found
