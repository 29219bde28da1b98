"""One symbol as the scalp sees it: the average of its microprice, and whether the price has dipped below it.

The microprice is where the touch leans: the mid, moved toward the side with less on offer.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.model.market import Quote
from engine.strategies.scalp.terms import Terms
from engine.strategies.scalp.trading import Scalped

_BPS = 10_000.0
_INF = float("inf")


@dataclass(slots=True, kw_only=True)
class Watch:
    """What is known of one symbol. Times in ns, prices in quote currency; 0 for never."""

    symbol: str
    venue: str = ""
    """Where its perpetual is traded; empty until that is known."""
    fair: float = 0.0
    """The average of the microprice."""
    since: int = 0
    """Since when it has been averaged without a gap."""
    last_at: int = 0
    not_before: int = 0
    """No entry before then."""
    tries: int = 0
    """Entries in a row that came to nothing."""
    trade: Scalped | None = None

    def take(self, quote: Quote, at: int, terms: Terms) -> bool:
        """Take `quote` into the average; return whether something is to be done. Called at every quote."""
        bid, ask = quote.bid, quote.ask
        if not 0.0 < bid <= ask < _INF:
            return False
        size = quote.bid_size + quote.ask_size
        mid = (bid + ask) * 0.5
        micro = (bid * quote.ask_size + ask * quote.bid_size) / size if 0.0 < size < _INF else mid
        passed = at - self.last_at
        if not self.since or passed > terms.average:
            # The first price, or the first after a silence: what was before says nothing of now.
            self.since, self.fair = at, micro
        else:
            self.fair += (micro - self.fair) * passed / (passed + terms.average)
        self.last_at = at
        if self.trade is not None:
            return self.trade.wants_out(bid, self.fair, terms)
        if at < self.not_before or at - self.since < terms.warm_up:
            return False
        return mid <= self.fair * (1.0 - terms.entry_bps / _BPS) and micro >= mid

    def forget(self) -> None:
        """Begin the average anew with the next quote."""
        self.since = 0
