"""The levels of one book, kept only while every change since the last snapshot is known.

A missed delta makes each later one a guess. So the ids must continue: on futures a delta's
`previous_id` is the id before it; on spot its `first_id` is the next one. At a gap the depth
is given up until a snapshot seeds it anew, and the book falls back on quotes.

Deltas are only filed when they come and applied when somebody asks: a real feed sends
thousands of levels a second, and most of the time nobody of ours is there to care.
"""

from __future__ import annotations

from collections import deque

from engine.model.codec import Data, from_data, to_data
from engine.model.market import DepthDelta, DepthSnapshot

FILE = 256
"""Deltas that may wait to be applied; more are applied at once, to bound the memory."""
EARLY = 64
"""Deltas kept before a snapshot: a snapshot by request is older than the stream when it comes."""

Ladder = list[tuple[float, float]]


class Depth:
    """One book's levels, price -> size, size 0 where a level is gone."""

    __slots__ = ("_asks", "_bids", "_early", "_filed", "_seeded", "_sorted", "at", "gaps", "last_id", "synced")

    def __init__(self) -> None:
        self._bids: dict[float, float] = {}
        self._asks: dict[float, float] = {}
        self._filed: list[DepthDelta] = []
        self._early: deque[DepthDelta] = deque(maxlen=EARLY)
        self._seeded = False
        self._sorted: dict[bool, Ladder] = {}
        self.synced = False
        self.last_id = -1
        self.at = 0
        """The venue's stamp of the newest message that is in (ns)."""
        self.gaps = 0

    def on_snapshot(self, event: DepthSnapshot) -> bool:
        """Start anew from `event`; False when it is older than what is known."""
        if self.synced and event.last_id < self.last_id:
            return False
        self._bids, self._asks = dict(event.bids), dict(event.asks)
        self._filed.clear()
        self._sorted.clear()
        self.synced = self._seeded = True
        self.last_id, self.at = event.last_id, event.venue_at
        early, self._early = self._early, deque(maxlen=EARLY)
        for delta in early:
            self.on_delta(delta)
        return True

    def on_delta(self, event: DepthDelta) -> bool:
        """File `event`; False when it changes nothing because it is old, early or shows a gap."""
        if not self.synced:
            self._early.append(event)
            return False
        if event.last_id <= self.last_id:
            return False
        if not self._continues(event):
            self.gaps += 1
            self.synced = False
            self._filed.clear()
            self._sorted.clear()
            self._bids, self._asks = {}, {}
            self._early.append(event)
            return False
        self._filed.append(event)
        if self._sorted:
            self._sorted.clear()
        self._seeded = False
        self.last_id, self.at = event.last_id, event.venue_at
        if len(self._filed) >= FILE:
            self._apply()
        return True

    def _continues(self, event: DepthDelta) -> bool:
        # The first delta behind a snapshot straddles its id; from then on futures name their predecessor.
        if event.previous_id < 0 or self._seeded:
            return event.first_id <= self.last_id + 1 or event.previous_id == self.last_id
        return event.previous_id == self.last_id

    def _apply(self) -> None:
        for delta in self._filed:
            self._bids.update(delta.bids)
            self._asks.update(delta.asks)
        self._filed.clear()

    def size_at(self, *, bids: bool, price: float) -> float:
        """Return the size displayed at `price`, 0 where there is none."""
        self._apply()
        return (self._bids if bids else self._asks).get(price, 0.0)

    def ladder(self, *, bids: bool) -> Ladder:
        """Return (price, size) best first. Sorted only when asked for, and kept until the next change."""
        found = self._sorted.get(bids)
        if found is None:
            self._apply()
            levels = {price: size for price, size in (self._bids if bids else self._asks).items() if size > 0}
            if bids:
                self._bids = levels
            else:
                self._asks = levels
            found = self._sorted[bids] = sorted(levels.items(), reverse=bids)
        return found

    def crossed(self) -> bool:
        """Whether a bid stands at or above an ask: then something is missing, whatever the ids say."""
        bids, asks = self.ladder(bids=True), self.ladder(bids=False)
        return bool(bids and asks) and bids[0][0] >= asks[0][0]

    def dump(self) -> Data:
        """Return the levels and where their ids stand, as JSON data."""
        return {
            "bids": [list(level) for level in self.ladder(bids=True)],
            "asks": [list(level) for level in self.ladder(bids=False)],
            "early": [to_data(delta) for delta in self._early], "seeded": self._seeded, "synced": self.synced,
            "last_id": self.last_id, "at": self.at, "gaps": self.gaps,
        }

    def load(self, data: Data) -> None:
        """Become what `dump` saw."""
        self._bids = {float(price): float(size) for price, size in data["bids"]}
        self._asks = {float(price): float(size) for price, size in data["asks"]}
        self._filed.clear()
        self._sorted.clear()
        self._early = deque((from_data(DepthDelta, delta) for delta in data["early"]), maxlen=EARLY)
        self._seeded, self.synced, self.last_id = data["seeded"], data["synced"], data["last_id"]
        self.at, self.gaps = data["at"], data["gaps"]
