"""Where one of our resting orders stands in its level's queue. Pessimistic by construction.

- We join behind all that is displayed at the price. Where the level is not displayed (quotes
  alone, away from the touch) it is taken for a multiple of the touch; when it is displayed
  for the first time, all of it counts as ahead, because nothing shows who came first.
- Trades at the price use up the queue ahead before they reach us.
- When the displayed size shrinks without a trade, somebody cancelled: we assume somebody
  *behind* us. So a smaller level moves us only where it no longer holds all those ahead.
  Counting a share of cancels as ahead would be kinder, and would fill orders on this tape that
  the real queue did not fill; a maker strategy that only pays with that share does not pay.
- A shrunk level and the trade that shrank it are two messages. What the first already moved
  us is not counted again when the second has no later stamp.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from engine.exchange.book import Book, exact

_ZERO = Decimal(0)


@dataclass(slots=True)
class QueuePlace:
    """`ahead` is the size that must trade before us, in base. It never grows once the level was displayed."""

    ahead: Decimal
    displayed: bool
    """Whether the level has been displayed since we joined, so that `ahead` is no longer a guess."""
    cut: Decimal = _ZERO
    """How much of the way a shrinking level moved us, not yet explained by trades."""
    cut_at: int = 0
    """The venue's stamp of the message that moved us (ns)."""

    def shows(self, size: float, venue_at: int) -> None:
        """Take in that the level displays `size` as of `venue_at`."""
        now = exact(size)
        if not self.displayed:
            self.displayed = True
            self.ahead = max(self.ahead, now)
        elif now < self.ahead:
            self.cut += self.ahead - now
            self.cut_at = venue_at
            self.ahead = now

    def trades(self, size: Decimal, venue_at: int) -> Decimal:
        """Take in a trade of `size` at the level; return how much of it got past those ahead."""
        if venue_at <= self.cut_at:
            known = min(size, self.cut)
            self.cut -= known
            size -= known
        used = min(size, self.ahead)
        self.ahead -= used
        return size - used

    def passed(self) -> None:
        """Take in that the market traded beyond the level: nobody is ahead any more."""
        self.displayed = True
        self.ahead = _ZERO


def join(book: Book, *, bids: bool, price: float, unseen: Decimal) -> QueuePlace:
    """Return the place of an order that joins `price` now; `unseen` is in touch sizes."""
    displayed = book.queue_at(bids=bids, price=price)
    if displayed is not None:
        return QueuePlace(ahead=exact(displayed), displayed=True)
    best = book.displayed(bids=bids)
    return QueuePlace(ahead=exact(best[1]) * unseen if best is not None else _ZERO, displayed=False)
