"""What the account is worth and what of it was lost today.

Equity is the start plus what was realised, less fees, plus open profit at the mid. A
position that nobody quotes has no value we know: then there is no sample at all, the
signals go stale and the rules that read them restrain. Nothing is guessed.
"""

from __future__ import annotations

from engine.model.codec import Data
from engine.model.events import Event, Input, OrderFilled
from engine.model.market import Quote
from engine.model.samples import Derived
from engine.model.time import SECOND
from engine.model.view import View

QUIETEST, FLAT = 5 * SECOND, 25 * SECOND
"""Samples are never further apart than this, with and without a position, or rules would take silence for doubt.

A flat account cannot lose, so it is told just often enough for its samples not to go stale.
"""
BUSIEST = 1 * SECOND
"""Quotes make no more samples than one in this time."""

Key = tuple[str, str]
"""(venue, symbol)."""


class Guardian:
    """The account's equity and its daily baseline. Money in quote currency, taken as USD."""

    def __init__(self) -> None:
        self._start: float | None = None
        self._baseline: float | None = None
        self._closed: dict[Key, float] = {}
        """Realised profit less fees of each symbol that was ever traded."""
        self._open: dict[Key, None] = {}
        self._symbols: frozenset[str] = frozenset()
        """Of the open positions, for the cheap look at each quote."""
        self._sampled_at = 0

    def interested(self, event: Event) -> bool:
        """Whether `event` can change the equity; cheap, because it is asked at every event."""
        if type(event) is Quote:
            return event.symbol in self._symbols or self._start is None
        return self._start is None or type(event) is OrderFilled

    def on_event(self, item: Input, view: View) -> list[Derived]:
        """Return samples for a fill at once, for a quote of an open position at most once a second."""
        event = item.event
        if type(event) is OrderFilled:
            self._count(event.fill.venue, event.fill.symbol, view)
        elif self._start is not None and item.at - self._sampled_at < BUSIEST:
            return []
        return self._sample(item.at, view)

    def on_timer(self, at: int, view: View) -> list[Derived]:
        """Return samples when the last are as old as they may get."""
        due = self.next_due()
        return self._sample(at, view) if due is not None and due <= at else []

    def next_due(self) -> int | None:
        """Return when samples are due though nothing happened (ns); None before the first event."""
        return None if self._start is None else self._sampled_at + (QUIETEST if self._open else FLAT)

    def on_boundary(self, at: int, view: View) -> None:
        """A local day begins: its baseline is the equity now, or the first that becomes known."""
        self._baseline = self._equity(view)

    def equity_usd(self, view: View) -> float | None:
        """Return the equity, or None while an open position has no price or nothing happened yet."""
        return self._equity(view)

    def daily_loss_pct(self, view: View) -> float | None:
        """Return the loss since the day began in percent of its baseline, negative when winning; None if unknown."""
        equity = self._equity(view)
        if equity is None or self._baseline is None or self._baseline <= 0:
            return None
        return (self._baseline - equity) / self._baseline * 100.0

    def _count(self, venue: str, symbol: str, view: View) -> None:
        position = view.position(venue, symbol)
        key = (venue, symbol)
        self._closed[key] = float(position.realized - position.fees)
        if position.quantity == 0:
            self._open.pop(key, None)
        else:
            self._open[key] = None
        self._symbols = frozenset(name for _, name in self._open)

    def _sample(self, at: int, view: View) -> list[Derived]:
        self._sampled_at = at
        self._follow_flag(view)
        equity, exposed = self._equity(view), self._exposed(view)
        if equity is None or exposed is None:
            return []
        if self._baseline is None:
            self._baseline = equity
        labels = (view.account,)
        samples = [
            Derived("equity_usd", labels, equity, at),
            Derived("daily_pnl_usd", labels, equity - self._baseline, at),
            Derived("open_position_usd", labels, exposed, at),
        ]
        if self._baseline > 0:
            samples.append(Derived("daily_loss_pct", labels, (self._baseline - equity) / self._baseline * 100.0, at))
        return samples

    def _follow_flag(self, view: View) -> None:
        start = float(view.flags["ACCOUNT_EQUITY_USD"])
        # Money put in or taken out is neither won nor lost: it moves the baseline with it.
        if self._start is not None and self._baseline is not None:
            self._baseline += start - self._start
        self._start = start

    def _equity(self, view: View) -> float | None:
        if self._start is None:
            return None
        total = self._start + sum(self._closed.values())
        for venue, symbol in self._open:
            mid = _mid(view, venue, symbol)
            if mid is None:
                return None
            position = view.position(venue, symbol)
            total += (mid - float(position.average_price)) * float(position.quantity)
        return total

    def _exposed(self, view: View) -> float | None:
        total = 0.0
        for venue, symbol in self._open:
            mid = _mid(view, venue, symbol)
            if mid is None:
                return None
            total += abs(float(view.position(venue, symbol).quantity)) * mid
        return total

    def dump(self) -> Data:
        """Return everything as JSON data; the order of the keys is part of it, because float sums depend on it."""
        return {
            "start": self._start, "baseline": self._baseline, "sampled_at": self._sampled_at,
            "closed": [[*key, value] for key, value in self._closed.items()],
            "open": [list(key) for key in self._open],
        }

    def load(self, data: Data) -> None:
        """Become what `dump` wrote."""
        self._start, self._baseline, self._sampled_at = data["start"], data["baseline"], data["sampled_at"]
        self._closed = {(venue, symbol): float(value) for venue, symbol, value in data["closed"]}
        self._open = dict.fromkeys((venue, symbol) for venue, symbol in data["open"])
        self._symbols = frozenset(name for _, name in self._open)


def _mid(view: View, venue: str, symbol: str) -> float | None:
    quote = view.quote(venue, symbol)
    return None if quote is None else (quote.bid + quote.ask) / 2.0
