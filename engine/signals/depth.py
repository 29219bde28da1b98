"""A light copy of each order book, for those who ask how deep the market is.

Updates are dictionary updates and a check of their ids; sorting waits until somebody asks.
A gap in the ids makes the copy invalid until the next whole book. Deltas that come before
their book are kept, because a venue's whole book is older than the deltas that overtook it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from math import inf, isfinite

from engine.model.codec import Data, from_data, pack_levels, to_data, unpack_levels
from engine.model.market import DepthDelta, DepthSnapshot, Levels

WAITING = 64
"""How many deltas are kept for a whole book to come: more than a venue sends while one is fetched."""
SWEEP = 4096
"""Below so many prices the removed ones are never swept out; above, whenever the book may be half of them."""


class DepthCopy:
    """One book. `last_id` is the venue's id of the last change in it; -1 while the copy is invalid."""

    __slots__ = ("_asks", "_bids", "_continued", "_sorted", "_sweep_at", "_waiting", "last_id")

    def __init__(self) -> None:
        self._bids: dict[float, float] = {}
        self._asks: dict[float, float] = {}
        self._sorted: tuple[Levels, Levels] | None = None
        self._waiting: deque[DepthDelta] = deque(maxlen=WAITING)
        self._continued = False
        """Whether a delta was applied since the whole book: from then on ids must join exactly."""
        self._sweep_at = SWEEP
        self.last_id = -1

    def on_snapshot(self, event: DepthSnapshot) -> None:
        """Begin anew from a whole book, and apply the deltas that were waiting for it."""
        self._bids, self._asks = dict(event.bids), dict(event.asks)
        self.last_id, self._continued, self._sorted = event.last_id, False, None
        waiting = list(self._waiting)
        self._waiting.clear()
        for delta in waiting:
            self.on_delta(delta)

    def on_delta(self, event: DepthDelta) -> None:
        """Apply a delta that continues the book; one that leaves a gap makes the copy invalid."""
        if self.last_id < 0:
            self._waiting.append(event)
            return
        if event.last_id <= self.last_id:
            return
        if not self._joins(event):
            self.invalidate()
            self._waiting.append(event)
            return
        self._bids.update(event.bids)
        self._asks.update(event.asks)
        self.last_id, self._continued, self._sorted = event.last_id, True, None
        if len(self._bids) + len(self._asks) > self._sweep_at:
            self._sweep()
            self._sweep_at = max(SWEEP, 2 * (len(self._bids) + len(self._asks)))

    def _joins(self, event: DepthDelta) -> bool:
        if self._continued and event.previous_id >= 0:
            return event.previous_id == self.last_id
        return event.first_id <= self.last_id + 1 or event.previous_id == self.last_id

    def invalidate(self) -> None:
        """Believe nothing of it until the next whole book."""
        self._bids, self._asks = {}, {}
        self.last_id, self._continued, self._sorted = -1, False, None

    def levels(self) -> tuple[Levels, Levels] | None:
        """Return (bids, asks), best first, or None while the copy is invalid."""
        if self.last_id < 0:
            return None
        if self._sorted is None:
            self._sweep()
            self._sorted = (
                tuple(sorted(self._bids.items(), reverse=True)),
                tuple(sorted(self._asks.items())),
            )
        return self._sorted

    def _sweep(self) -> None:
        # What is no price or no size fails the comparison too, so a broken level never shows.
        self._bids = {price: size for price, size in self._bids.items() if 0.0 < price < inf and 0.0 < size < inf}
        self._asks = {price: size for price, size in self._asks.items() if 0.0 < price < inf and 0.0 < size < inf}

    def dump(self) -> Data:
        """Return the book as JSON data."""
        if not (_whole(self._bids) and _whole(self._asks)):
            self._sweep()
        return {
            "bids": pack_levels(self._bids), "asks": pack_levels(self._asks),
            "last_id": self.last_id, "continued": self._continued,
            "waiting": [to_data(_sound(delta)) for delta in self._waiting],
        }

    def load(self, data: Data) -> None:
        """Become what `dump` saw."""
        self._bids, self._asks = unpack_levels(data["bids"]), unpack_levels(data["asks"])
        self.last_id, self._continued, self._sorted = data["last_id"], data["continued"], None
        self._waiting = deque((from_data(DepthDelta, delta) for delta in data["waiting"]), maxlen=WAITING)


def _whole(levels: dict[float, float]) -> bool:
    """Whether every price and size is finite and no price is below zero, told without looking at each in turn."""
    return isfinite(sum(levels) + sum(levels.values())) and min(levels, default=1.0) > 0.0


def _sound(delta: DepthDelta) -> DepthDelta:
    """Return `delta` without levels that are not finite: they could never show, and JSON has no word for them."""
    bids, asks = (
        tuple((price, size) for price, size in side if 0.0 < price < inf and 0.0 <= size < inf)
        for side in (delta.bids, delta.asks)
    )
    return replace(delta, bids=bids, asks=asks)
