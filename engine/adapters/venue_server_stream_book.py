"""The book of one symbol as the depth streams tell it, with ids that hold together.

The ids are ours: a tape may have gaps, and a book that a client builds from the snapshot and
the changes must be the same one all the time. Where a tape holds no depth, its quotes are a
book of one level.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.model.market import DepthDelta, DepthSnapshot, Levels, Quote

STEP = 3
"""How much the id rises from one message to the next: real ids skip too, and clients must not count on one."""
FIRST_ID = 1_000_000

Side = dict[float, float]
"""Price -> size of the live levels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What changed in one message: a size of 0 removes a level. Ids as Binance names them: U, u and pu."""

    bids: Levels
    asks: Levels
    first_id: int
    last_id: int
    previous_id: int


class StreamBook:
    """Levels and ids of one symbol."""

    __slots__ = ("_asks", "_bids", "_has_depth", "depth_id", "last_id", "previous_id")

    def __init__(self) -> None:
        self._bids: Side = {}
        self._asks: Side = {}
        self._has_depth = False
        self.last_id = FIRST_ID
        """The id of the newest message; quotes take ids too."""
        self.depth_id = FIRST_ID
        """The id of the newest message that changed a level: what a snapshot carries."""
        self.previous_id = FIRST_ID
        """The id of the one before that."""

    def next_id(self) -> int:
        """Return the id of a message that changes no level."""
        self.last_id += 1
        return self.last_id

    def on_snapshot(self, event: DepthSnapshot) -> Change | None:
        """Become `event`; return what that changes, None where nothing."""
        self._has_depth = True
        return self._become(event.bids, event.asks)

    def on_delta(self, event: DepthDelta) -> Change | None:
        """Apply `event`; return what that changes, None where nothing."""
        if self._has_depth:
            return self._apply(event.bids, event.asks)
        self._has_depth = True  # what quotes had made of it goes
        bids, asks = (tuple(level for level in side if level[1] > 0) for side in (event.bids, event.asks))
        return self._become(bids, asks)

    def on_quote(self, event: Quote) -> Change | None:
        """Become the one level of `event`, unless the tape holds depth; return what that changes."""
        if self._has_depth:
            return None
        return self._become(((event.bid, event.bid_size),), ((event.ask, event.ask_size),))

    def _become(self, bids: Levels, asks: Levels) -> Change | None:
        gone_bids = tuple((price, 0.0) for price in self._bids.keys() - {price for price, _ in bids})
        gone_asks = tuple((price, 0.0) for price in self._asks.keys() - {price for price, _ in asks})
        return self._apply((*gone_bids, *bids), (*gone_asks, *asks))

    def _apply(self, bids: Levels, asks: Levels) -> Change | None:
        new_bids = tuple((price, size) for price, size in bids if self._bids.get(price, 0.0) != size)
        new_asks = tuple((price, size) for price, size in asks if self._asks.get(price, 0.0) != size)
        if not new_bids and not new_asks:
            return None
        for side, levels in ((self._bids, new_bids), (self._asks, new_asks)):
            for price, size in levels:
                if size > 0:
                    side[price] = size
                else:
                    side.pop(price, None)
        first, self.previous_id = self.last_id + 1, self.depth_id
        self.last_id = self.depth_id = self.last_id + STEP
        return Change(
            bids=new_bids, asks=new_asks, first_id=first, last_id=self.depth_id, previous_id=self.previous_id
        )

    def top(self, limit: int) -> tuple[Levels, Levels]:
        """Return (bids, asks), best first, `limit` of each at most."""
        bids = sorted(self._bids.items(), reverse=True)[:limit]
        return tuple(bids), tuple(sorted(self._asks.items())[:limit])
