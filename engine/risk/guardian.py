"""What the account is worth and what of it was lost today.

On paper the equity is the start plus what was realised, less fees and funding, plus open profit
at the mid. On a real venue it begins with what the venue says lies there (`guardian_cash`). A
position that nobody quotes has no value we know: then there is no sample at all, the
signals go stale and the rules that read them restrain. Nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from engine.model.answers import AccountReported, IncomeReported
from engine.model.codec import Data, decimal_text
from engine.model.events import Event, Input, OrderFilled
from engine.model.fills import Fill, Position
from engine.model.instruments import MarketKind
from engine.model.market import FundingRate, Quote
from engine.model.samples import Derived
from engine.model.time import HOUR, MINUTE, SECOND, format_duration
from engine.model.view import View
from engine.risk.guardian_cash import Cash

QUIETEST, FLAT = 5 * SECOND, 25 * SECOND
"""Samples are never further apart than this, with and without a position, or rules would take silence for doubt.

A flat account cannot lose, so it is told just often enough for its samples not to go stale.
"""
BUSIEST = 1 * SECOND
"""Quotes make no more samples than one in this time."""
OLD = MINUTE
"""A price of the boundary that is older than this is told with the baseline it made."""

Key = tuple[str, str]
"""(venue, symbol)."""
_TOLD = (OrderFilled, AccountReported, IncomeReported)
_UNPRICED = "what the account was worth when the day began is not known: its loss is counted from when that is"


class Guardian:
    """The account's equity and its daily baseline. Money in quote currency, taken as USD."""

    def __init__(self) -> None:
        self._start: float | None = None
        """What a paper account began with; on a real venue only whether anything happened yet (0)."""
        self._cash: dict[str, Cash] = {}
        """Where real orders go, sorted; empty on paper."""
        self._baseline: float | None = None
        self._baseline_at = 0
        self._baseline_why = ""
        """What is worth knowing of it; empty where it is the equity at the boundary, at fresh prices."""
        self._day_at = 0
        """When the trading day began (ns)."""
        self._marks: dict[Key, float] = {}
        """The prices of the open positions that are in the baseline."""
        self._closed: dict[Key, float] = {}
        """Realised profit less fees of each symbol that was ever traded."""
        self._funding = 0.0
        """Received on paper, negative where it was paid."""
        self._open: dict[Key, Decimal] = {}
        """The open positions, in signed base."""
        self._symbols: frozenset[str] = frozenset()
        """Of the open positions, for the cheap look at each quote."""
        self._sampled_at = 0

    def begin(self, day_at: int, venues: Sequence[str]) -> None:
        """A run begins, or goes on in a new process. The day it is in began at `day_at`; `venues` take real orders."""
        self._cash = {venue: self._cash.get(venue) or Cash(venue) for venue in sorted(venues)}
        self._day_at = self._day_at or day_at

    def interested(self, event: Event) -> bool:
        """Whether `event` can change the equity; cheap, because it is asked at every event."""
        if type(event) is Quote:
            return event.symbol in self._symbols or self._start is None
        if type(event) is FundingRate:
            return event.paid and event.symbol in self._symbols or self._start is None
        return self._start is None or type(event) in _TOLD

    def on_event(self, item: Input, view: View) -> list[Derived]:
        """Return samples for what changes the account at once, for a quote of an open position once a second."""
        event, made = item.event, list[Derived]()
        if type(event) is OrderFilled:
            made = self._count(event.fill, item.at, view)
        elif type(event) is AccountReported:
            self._on_account(event, item.at, view)
        elif type(event) is IncomeReported:
            self._on_income(event)
        elif type(event) is FundingRate and event.paid:
            self._on_funding(event, view)
        elif self._start is not None and item.at - self._sampled_at < BUSIEST:
            return []
        return [*made, *self._sample(item.at, view)]

    def on_timer(self, at: int, view: View) -> list[Derived]:
        """Return samples when the last are as old as they may get."""
        due = self.next_due()
        return self._sample(at, view) if due is not None and due <= at else []

    def next_due(self) -> int | None:
        """Return when samples are due though nothing happened (ns); None before the first event."""
        return None if self._start is None else self._sampled_at + (QUIETEST if self._open else FLAT)

    def on_boundary(self, at: int, view: View) -> list[Derived]:
        """A local day begins: its baseline is the equity now, or the first that becomes known. Returns samples."""
        self._baseline, self._day_at, self._baseline_why = None, at, _UNPRICED
        return [] if self._start is None else self._sample(at, view)

    # What people are told.

    def equity_usd(self, view: View) -> float | None:
        """Return the equity, or None while an open position has no price or nothing happened yet."""
        return self._equity(view)

    def daily_loss_pct(self, view: View) -> float | None:
        """Return the loss since the day began in percent of its baseline, negative when winning; None if unknown."""
        equity = self._equity(view)
        if equity is None or self._baseline is None or self._baseline <= 0:
            return None
        return (self._baseline - equity) / self._baseline * 100.0

    def baseline_note(self) -> str:
        """Return what is worth knowing of the day's baseline, in a sentence; empty where nothing is."""
        return self._baseline_why

    def report(self, view: View) -> Data:
        """Return equity, baseline and loss in USD (None while unknown), where the baseline is from, what is not in."""
        equity, baseline = self._equity(view), self._baseline
        loss = None if equity is None or baseline is None else round(baseline - equity, 2)
        return {
            "equity_usd": None if equity is None else round(equity, 2), "loss_usd": loss,
            "baseline_usd": None if baseline is None else round(baseline, 2), "baseline_at": self._baseline_at,
            "baseline_note": self._baseline_why, "day_began_at": self._day_at,
            "from": "the account" if self._cash else "ACCOUNT_EQUITY_USD",
            "not_counted": sorted({asset for cash in self._cash.values() for asset in cash.uncounted}),
        }

    # What happened.

    def _count(self, fill: Fill, at: int, view: View) -> list[Derived]:
        key = (fill.venue, fill.symbol)
        position = view.position(*key)
        if position.quantity == self._open.get(key, 0):
            # It was told before, or is in a position that was taken over: nothing was done by it now.
            return []
        closed = float(position.realized - position.fees)
        earned, self._closed[key] = closed - self._closed.get(key, 0.0), closed
        self._follow(view)
        if fill.venue in self._cash:
            paid = -float(fill.price * fill.quantity * fill.side.sign + fill.fee)
            self._cash[fill.venue].on_fill(paid if _is_spot(view, key) else earned, fill.venue_at, at)
        if self._baseline is not None and 0 < fill.venue_at < self._baseline_at:
            self._move_baseline(fill, view)
        return [Derived("account_fill_usd", (view.account,), float(fill.price * fill.quantity), at)]

    def _move_baseline(self, fill: Fill, view: View) -> None:
        """A fill from before the baseline, heard of behind it, was in it at the price of then."""
        key = (fill.venue, fill.symbol)
        mark = self._marks.get(key, _mid(view, *key) or float(fill.price))
        assert self._baseline is not None
        signed = float(fill.quantity * fill.side.sign)
        self._baseline += signed * (mark - float(fill.price)) - float(fill.fee)

    def _on_account(self, event: AccountReported, at: int, view: View) -> None:
        cash = self._cash.get(event.venue)
        self._follow(view)
        if cash is not None:
            cash.on_account(event, at)

    def _on_income(self, event: IncomeReported) -> None:
        cash = self._cash.get(event.venue)
        if cash is not None:
            moves = cash.on_income(event, self._baseline_at)
            if self._baseline is not None:
                self._baseline += moves

    def _on_funding(self, event: FundingRate, view: View) -> None:
        """Count on paper what a position paid or received; a real account says itself what it was."""
        key = (event.venue, event.symbol)
        mid = _mid(view, *key)
        position = view.position(*key)
        # Written so that NaN fails too.
        sound = abs(event.rate) < 1
        if sound and event.venue not in self._cash and mid is not None and position.opened_at <= event.venue_at:
            self._funding -= float(position.quantity) * mid * event.rate

    def _follow(self, view: View) -> None:
        """Know what is open: also what was taken over from the venue without a fill."""
        self._open = {(one.venue, one.symbol): one.quantity for one in view.positions()}
        self._symbols = frozenset(symbol for _, symbol in self._open)

    # What it is worth.

    def _sample(self, at: int, view: View) -> list[Derived]:
        self._sampled_at = at
        self._follow_flag(view)
        equity, exposed = self._equity(view), self._exposed(view)
        if equity is None or exposed is None:
            return []
        if self._baseline is None:
            self._take_baseline(equity, at, view)
        assert self._baseline is not None
        lost, labels = self._baseline - equity, (view.account,)
        samples = [
            Derived("equity_usd", labels, equity, at),
            Derived("daily_pnl_usd", labels, -lost, at),
            Derived("daily_loss_usd", labels, lost, at),
            Derived("open_position_usd", labels, exposed, at),
            # Never without the loss it is compared beside: a new day's age is no news of yesterday's loss.
            Derived("session_age_h", labels, max(0, at - self._day_at) / HOUR, at),
        ]
        if self._baseline > 0:
            samples.append(Derived("daily_loss_pct", labels, lost / self._baseline * 100.0, at))
        return samples

    def _take_baseline(self, equity: float, at: int, view: View) -> None:
        self._baseline, self._baseline_at = equity, at
        self._marks = {key: mid for key in self._open if (mid := _mid(view, *key)) is not None}
        for cash in self._cash.values():
            cash.at_baseline = cash.as_of
        oldest = min((quote.received_at for key in self._open if (quote := view.quote(*key))), default=at)
        late = at - self._day_at
        self._baseline_why = ""
        if late > OLD:
            self._baseline_why = (
                f"the day's loss is counted from {equity:.2f} USD, first known {_about(late)} after the day began"
            )
        elif at - oldest > OLD:
            self._baseline_why = (
                f"the day's loss is counted from {equity:.2f} USD at prices from {_about(at - oldest)} before the day: "
                f"nobody was there to hear newer ones"
            )

    def _follow_flag(self, view: View) -> None:
        start = 0.0 if self._cash else float(view.flags["ACCOUNT_EQUITY_USD"])
        # Money put in or taken out is neither won nor lost: it moves the baseline with it.
        if self._start is not None and self._baseline is not None:
            self._baseline += start - self._start
        self._start = start

    def _equity(self, view: View) -> float | None:
        if self._start is None:
            return None
        total = self._start
        for cash in self._cash.values():
            if cash.amount is None:
                return None
            total += cash.amount
        if not self._cash:
            total += sum(self._closed.values()) + self._funding
        for key in self._open:
            value = self._worth(view, key)
            if value is None:
                return None
            total += value
        return total

    def _worth(self, view: View, key: Key) -> float | None:
        """Return what an open position adds to the cash: its open profit, or on a real spot venue all of it."""
        mid = _mid(view, *key)
        if mid is None:
            return None
        position: Position = view.position(*key)
        whole = key[0] in self._cash and _is_spot(view, key)
        return (mid - (0.0 if whole else float(position.average_price))) * float(position.quantity)

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
            "baseline_at": self._baseline_at, "baseline_why": self._baseline_why, "day_at": self._day_at,
            "marks": [[*key, mark] for key, mark in self._marks.items()],
            "cash": [cash.dump() for cash in self._cash.values()],
            "closed": [[*key, value] for key, value in self._closed.items()], "funding": self._funding,
            "open": [[*key, decimal_text(quantity)] for key, quantity in self._open.items()],
        }

    def load(self, data: Data) -> None:
        """Become what `dump` wrote."""
        self._start, self._baseline, self._sampled_at = data["start"], data["baseline"], data["sampled_at"]
        self._baseline_at, self._baseline_why = data["baseline_at"], data["baseline_why"]
        self._day_at = data["day_at"]
        self._marks = {(venue, symbol): float(mark) for venue, symbol, mark in data["marks"]}
        self._cash = {cash.venue: cash for cash in map(Cash.load, data["cash"])}
        self._closed = {(venue, symbol): float(value) for venue, symbol, value in data["closed"]}
        self._funding = float(data["funding"])
        self._open = {(venue, symbol): Decimal(text) for venue, symbol, text in data["open"]}
        self._symbols = frozenset(name for _, name in self._open)


def _mid(view: View, venue: str, symbol: str) -> float | None:
    quote = view.quote(venue, symbol)
    return None if quote is None else (quote.bid + quote.ask) / 2.0


def _is_spot(view: View, key: Key) -> bool:
    instrument = view.instrument(*key)
    return instrument is not None and instrument.kind is MarketKind.SPOT


def _about(length: int) -> str:
    """Return a length (ns) for people, to the second."""
    return format_duration(length // SECOND * SECOND)
