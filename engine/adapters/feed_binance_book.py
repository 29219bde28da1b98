"""Whether the diffs of a futures book join, by their ids alone.

Each diff names the id it was made on (`pu`). One that was made on an id we have not seen is
a gap: it is told, so that everybody stops believing the book, and a whole book is asked
for. Levels are absolute, so a diff that reaches back over what was told may be applied to
it: it is told as beginning where we are. That is what the lines of a venue need, which cut
their diffs at different instants.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import NamedTuple

from engine.model.market import DepthDelta, DepthSnapshot
from engine.model.time import SECOND

RESET = 5 * SECOND
"""A diff with an old id that is later than the book by so much (venue's time) is of a new count of ids."""
WAITING = 64
"""How many diffs a reader of ours keeps for a whole book to come (see `engine.signals.depth`)."""


class Ids(NamedTuple):
    """The ids of one diff."""

    previous: int
    first: int
    last: int


class BookIds:
    """One symbol's book. `last` is the id up to which it was told whole; -1 while it is not."""

    def __init__(self) -> None:
        self.last = -1
        self._at = 0
        """The venue's instant (ns) of what was told last."""
        self._waiting: deque[Ids] = deque(maxlen=WAITING)

    @property
    def whole(self) -> bool:
        """Whether who heard all that was told has a book to believe."""
        return self.last >= 0

    def on_delta(self, event: DepthDelta) -> DepthDelta | None:
        """Return what to tell: the diff, the diff cut to where we are, or None where all of it was told."""
        late = event.last_id <= self.last
        if late and event.venue_at <= self._at + RESET:
            return None
        if late or self.last < 0 or event.previous_id > self.last:
            if self.last >= 0:
                self.broke()
            self._waiting.append(Ids(event.previous_id, event.first_id, event.last_id))
            return event
        told, self.last, self._at = self.last, event.last_id, event.venue_at
        return event if event.previous_id == told else replace(event, previous_id=told, first_id=told + 1)

    def broke(self) -> None:
        """Something was missed: what comes now waits for a whole book."""
        self.last = -1
        self._waiting.clear()

    def on_snapshot(self, event: DepthSnapshot) -> bool:
        """Whether the whole book joins what was told, and so is to be told. If not, a newer one is needed."""
        if self.last >= 0:
            if event.last_id < self.last and event.venue_at <= self._at + RESET:
                return False
            self.last, self._at = event.last_id, event.venue_at
            return True
        last, begun = event.last_id, False
        for ids in self._waiting:
            if ids.last <= last:
                continue
            if ids.previous != last and (begun or ids.first > last + 1):
                return False
            last, begun = ids.last, True
        self.last, self._at = last, event.venue_at
        self._waiting.clear()
        return True
