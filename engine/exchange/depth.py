"""The levels of one book, kept only while every change since the last snapshot is known.

A missed delta makes each later one a guess. So the ids must continue: on futures a delta's
`previous_id` is the id before it; on spot its `first_id` is the next one. At a gap the depth
is given up until a snapshot seeds it anew, and the book falls back on quotes.

Deltas are only filed when they come and applied when somebody asks: a real feed sends
thousands of levels a second, and most of the time nobody of ours is there to care. While
somebody asks again and again (an order rests), the prices are kept sorted in place; sorting
ten thousand levels anew for each delta would cost a thousand times more.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterator

from engine.model.codec import Data, from_data, pack_levels, to_data, unpack_levels
from engine.model.market import DepthDelta, DepthSnapshot, Levels

FILE = 32
"""Deltas that may wait to be applied; at so many nobody has asked for long, and the sorting is given up.

A checkpoint pays for all that wait at once, and a delta may hold a thousand levels.
"""
EARLY = 64
"""Deltas kept before a snapshot: a snapshot by request is older than the stream when it comes."""



class Depth:
    """One book's levels, price -> size, size 0 where a level is gone."""

    __slots__ = ("_asks", "_bids", "_early", "_filed", "_keys", "_seeded", "at", "gaps", "last_id", "synced")

    def __init__(self) -> None:
        self._bids: dict[float, float] = {}
        self._asks: dict[float, float] = {}
        self._filed: list[DepthDelta] = []
        self._early: deque[DepthDelta] = deque(maxlen=EARLY)
        self._seeded = False
        self._keys: dict[bool, list[float]] = {}
        """Prices of live levels by side, best last, where most changes happen; asks are negated."""
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
        self._keys.clear()
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
            self._keys.clear()
            self._bids, self._asks = {}, {}
            self._early.append(event)
            return False
        self._filed.append(event)
        self._seeded = False
        self.last_id, self.at = event.last_id, event.venue_at
        if len(self._filed) >= FILE:
            self._keys.clear()
            self._apply()
        return True

    def _continues(self, event: DepthDelta) -> bool:
        # The first delta behind a snapshot straddles its id; from then on futures name their predecessor.
        if event.previous_id < 0 or self._seeded:
            return event.first_id <= self.last_id + 1 or event.previous_id == self.last_id
        return event.previous_id == self.last_id

    def _apply(self) -> None:
        for delta in self._filed:
            if self._keys:
                _merge(self._bids, self._keys[True], delta.bids, 1.0)
                _merge(self._asks, self._keys[False], delta.asks, -1.0)
            else:
                self._bids.update(delta.bids)
                self._asks.update(delta.asks)
        self._filed.clear()

    def _sorted(self, *, bids: bool) -> list[float]:
        self._apply()
        if not self._keys:
            self._sweep()
            self._keys = {True: sorted(self._bids), False: sorted(-price for price in self._asks)}
        return self._keys[bids]

    def _sweep(self) -> None:
        self._bids = {price: size for price, size in self._bids.items() if size > 0}
        self._asks = {price: size for price, size in self._asks.items() if size > 0}

    def size_at(self, *, bids: bool, price: float) -> float:
        """Return the size displayed at `price`, 0 where there is none."""
        self._apply()
        return (self._bids if bids else self._asks).get(price, 0.0)

    def best(self, *, bids: bool) -> tuple[float, float] | None:
        """Return (price, size) of the best level, None where the side is empty."""
        keys = self._sorted(bids=bids)
        if not keys:
            return None
        price = abs(keys[-1])
        return price, (self._bids if bids else self._asks)[price]

    def ladder(self, *, bids: bool) -> Iterator[tuple[float, float]]:
        """Yield (price, size) best first; to be used before the next event."""
        keys = self._sorted(bids=bids)
        levels = self._bids if bids else self._asks
        for key in reversed(keys):
            price = abs(key)
            yield price, levels[price]

    def crossed(self) -> bool:
        """Whether a bid stands at or above an ask: then something is missing, whatever the ids say."""
        bids, asks = self._sorted(bids=True), self._sorted(bids=False)
        return bool(bids and asks) and bids[-1] >= -asks[-1]

    def dump(self) -> Data:
        """Return the levels and where their ids stand, as JSON data."""
        self._apply()
        if not self._keys:
            # Nobody asks, so nobody else clears away what is gone.
            self._sweep()
        return {
            "bids": pack_levels(self._bids), "asks": pack_levels(self._asks),
            "early": [to_data(delta) for delta in self._early], "seeded": self._seeded, "synced": self.synced,
            "last_id": self.last_id, "at": self.at, "gaps": self.gaps,
        }

    def load(self, data: Data) -> None:
        """Become what `dump` saw."""
        self._bids, self._asks = unpack_levels(data["bids"]), unpack_levels(data["asks"])
        self._filed.clear()
        self._keys.clear()
        self._early = deque((from_data(DepthDelta, delta) for delta in data["early"]), maxlen=EARLY)
        self._seeded, self.synced, self.last_id = data["seeded"], data["synced"], data["last_id"]
        self.at, self.gaps = data["at"], data["gaps"]


def _merge(levels: dict[float, float], keys: list[float], changes: Levels, sign: float) -> None:
    for price, size in changes:
        known = levels.get(price, 0.0) > 0
        if size > 0:
            if not known:
                insort(keys, price * sign)
            levels[price] = size
        elif known:
            del keys[bisect_left(keys, price * sign)]
            del levels[price]
