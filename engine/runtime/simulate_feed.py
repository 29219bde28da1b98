"""The market of a simulation as a live feed brings it: who connects anew is shown whole books first."""

from __future__ import annotations

from engine.exchange.exchange import SimulatedExchange
from engine.model.market import DepthSnapshot
from engine.ports.feed import Tape, TapeEvent
from engine.runtime.cursor import FeedCursor


class LiveFeed(FeedCursor):
    """A tape on which events can be put before the next one."""

    def __init__(self, tape: Tape) -> None:
        self._later: list[tuple[int | None, TapeEvent | None]] = []
        super().__init__(tape)

    def put_first(self, at: int, event: TapeEvent) -> None:
        """Let `event` come next, at `at` (ns), which is not behind the one that would."""
        self._later.append((self.at, self.event))
        self.at, self.event = at, event

    def advance(self) -> None:
        """Look at the event behind the one that was just taken."""
        if self._later:
            self.at, self.event = self._later.pop()
        else:
            super().advance()


def whole_book(exchange: SimulatedExchange, venue: str, symbol: str, at: int) -> DepthSnapshot | None:
    """Return the book as it stands at the venue, None where it has none."""
    desk = exchange.desk(venue, symbol)
    if desk is None or not desk.book.depth.synced:
        return None
    depth = desk.book.depth
    bids, asks = tuple(depth.ladder(bids=True)), tuple(depth.ladder(bids=False))
    return DepthSnapshot(venue, symbol, bids, asks, depth.last_id, at, at)
