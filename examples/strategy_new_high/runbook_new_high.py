"""Buys a new high of the last window, keeps a stop at the venue, sells when its time is over."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from engine.model.codec import Data, from_data, to_data
from engine.model.events import Event, Input, InstrumentDefined
from engine.model.ledger import OrdersView
from engine.model.market import Quote
from engine.model.orders import Intent, OrderKind, Proposal, Side
from engine.model.restraints import Level
from engine.model.sizing import quantity_for
from engine.model.strategy import Strategy
from engine.model.time import SECOND, parse_duration
from engine.model.view import StrategyView
from engine.model.wishes import Wish
from engine.strategies import leaving
from engine.strategies.depth import expected_slippage_bps
from engine.strategies.stopping import keep_whole
from engine.strategies.trade import Glance, Trade, mid_of

NAME = "new_high"
BUCKET = 10 * SECOND
"""The highest mid of so long is one number: a window is a few dozen of them, however many quotes it has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Its parameters; durations in ns."""

    symbols: tuple[str, ...]
    window: int
    hold: int
    stop_pct: Decimal
    size_usd: Decimal


class NewHigh(Strategy):
    """The strategy. One position at a time, on any of its symbols."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._venues: dict[str, str] = {}
        self._highs: dict[str, deque[tuple[int, float]]] = {symbol: deque() for symbol in terms.symbols}
        """By symbol (begin of a bucket, its highest mid), the oldest first."""
        self._trade: Trade | None = None
        self._numbered = 0
        self._not_before = 0

    @property
    def name(self) -> str:
        """The proposer of its orders, and its name in conf/strategies.yaml."""
        return NAME

    def interested(self, event: Event) -> bool:
        """Quotes of its symbols, and where they are traded."""
        if type(event) is Quote:
            return event.symbol in self._highs
        return type(event) is InstrumentDefined

    def on_event(self, item: Input, view: StrategyView, orders: OrdersView) -> Sequence[Wish]:
        """Take a quote, an instrument, or something about an order."""
        event = item.event
        if type(event) is Quote:
            new_high = self._is_new_high(event, item.at)
            if self._trade is None and new_high and item.at >= self._not_before:
                return self._enter(event, item.at, view, orders)
            return ()
        if isinstance(event, InstrumentDefined):
            if event.instrument.symbol in self._highs:
                self._venues.setdefault(event.instrument.symbol, event.instrument.venue)
            return ()
        return self._follow(item.at, view, orders)

    def on_timer(self, at: int, view: StrategyView, orders: OrdersView) -> Sequence[Wish]:
        """Look again if something is due."""
        due = self.next_due()
        return self._follow(at, view, orders) if due is not None and due <= at else ()

    def next_due(self) -> int | None:
        """When the time of the position is over, or what failed is tried again."""
        if self._trade is None:
            return None
        instants = [*self._trade.retry.values()]
        if self._trade.entered_at:
            instants.append(self._trade.entered_at + self._terms.hold)
        return min((instant for instant in instants if instant > self._trade.checked_at), default=None)

    def on_refused(self, at: int, proposal: Proposal, reason: str) -> Sequence[Wish]:
        """Wait a minute before the next try, a second where something is held."""
        self._not_before = at + 60 * SECOND
        if proposal.intent is Intent.ENTRY:
            self._trade = None
        elif self._trade is not None:
            self._trade.retry["exit" if proposal.intent is Intent.EXIT else "stop"] = at + SECOND
        return ()

    def _is_new_high(self, quote: Quote, at: int) -> bool:
        highs, mid = self._highs[quote.symbol], (quote.bid + quote.ask) / 2.0
        while highs and highs[0][0] + self._terms.window < at:
            highs.popleft()
        whole = bool(highs) and at - highs[0][0] >= self._terms.window - 2 * BUCKET
        passed = whole and all(mid > high for _, high in highs)
        if highs and at < highs[-1][0] + BUCKET:
            highs[-1] = (highs[-1][0], max(highs[-1][1], mid))
        else:
            highs.append((at, mid))
        return passed

    def _enter(self, quote: Quote, at: int, view: StrategyView, orders: OrdersView) -> Sequence[Wish]:
        venue, symbol = quote.venue, quote.symbol
        instrument, position = view.instrument(venue, symbol), view.position(venue, symbol)
        trade = Trade(
            strategy=NAME, number=self._numbered + 1, venue=venue, symbol=symbol, checked_at=at,
            realized_before=position.realized, fees_before=position.fees,
        )
        now = _glance(trade, at, view, orders)
        if self._venues.get(symbol) != venue or instrument is None or now.somebody_else(trade):
            return ()
        if view.level(venue, symbol, Intent.ENTRY.value) is not Level.NORMAL:
            return ()
        quantity = quantity_for(self._terms.size_usd, Decimal(str(quote.ask)), instrument)
        if quantity <= 0:
            return ()
        self._numbered, self._trade = trade.number, trade
        mid = (quote.bid + quote.ask) / 2.0
        facts = [("order_late_chase_bps", (quote.ask - mid) / mid * 10_000.0)]
        slippage = expected_slippage_bps(view.depth(venue, symbol)[1], float(quantity), mid)
        if slippage is not None:
            facts.append(("order_expected_slippage_bps", slippage))
        return [Proposal(
            proposer=NAME, purpose=f"{trade.base}/entry", intent=Intent.ENTRY, venue=venue, symbol=symbol,
            side=Side.BUY, kind=OrderKind.MARKET, quantity=quantity, reference_price=mid_of(quote),
            facts=tuple(facts), account=view.account,
        )]

    def _follow(self, at: int, view: StrategyView, orders: OrdersView) -> Sequence[Wish]:
        """Bring the trade up to date: the stop at once, the way out when its time is over, the end when it is flat."""
        trade = self._trade
        if trade is None:
            return ()
        trade.checked_at = at
        now = _glance(trade, at, view, orders)
        entry = orders.progress(NAME, f"{trade.base}/entry")
        wishes: list[Wish] = []
        if entry.filled > 0 and not trade.entered_at:
            trade.entered_at = at
            wishes.append(trade.story(at, "entered", f"bought {entry.filled} at {float(entry.average_price):.8g}"))
        if trade.entered_at and now.sellable() > 0:
            wishes += leaving.time_stop(trade, now, self._terms.hold)
            wishes += keep_whole(trade, now, lambda: self._stop(trade, now))
        if trade.leaving or (trade.entered_at and now.sellable() <= 0):
            wishes += leaving.leave(trade, now)
        if entry.ended and leaving.nothing_left(trade, now) and not any(isinstance(one, Proposal) for one in wishes):
            self._trade = None
            if trade.entered_at:
                wishes.append(trade.story(at, "closed", leaving.closed_text(trade, now, trade.leaving or "stop loss")))
        return wishes

    def _stop(self, trade: Trade, now: Glance) -> Decimal:
        assert now.instrument is not None
        wanted = now.instrument.price_down(now.average * (1 - self._terms.stop_pct / 100))
        return max(wanted, trade.best_stop)

    def dump(self) -> Data:
        """Return everything as JSON data."""
        return {
            "venues": self._venues, "highs": {symbol: list(map(list, highs)) for symbol, highs in self._highs.items()},
            "trade": None if self._trade is None else to_data(self._trade), "numbered": self._numbered,
            "not_before": self._not_before,
        }

    def load(self, data: Data) -> None:
        """Become what `dump` wrote."""
        self._venues = dict(data["venues"])
        for symbol, highs in data["highs"].items():
            if symbol in self._highs:
                self._highs[symbol] = deque((at, high) for at, high in highs)
        self._trade = None if data["trade"] is None else from_data(Trade, data["trade"])
        self._numbered, self._not_before = data["numbered"], data["not_before"]


def _glance(trade: Trade, at: int, view: StrategyView, orders: OrdersView) -> Glance:
    position = view.position(trade.venue, trade.symbol)
    return Glance(
        at=at, view=view, orders=orders, quote=view.quote(trade.venue, trade.symbol),
        instrument=view.instrument(trade.venue, trade.symbol), held=position.quantity, average=position.average_price,
    )


def make(section: dict[str, Any]) -> NewHigh:
    """Return the strategy of its section of conf/strategies.yaml; ValueError where that is wrong."""
    known = {"symbols", "window", "hold", "stop_pct", "size_usd"}
    if set(section) - known:
        raise ValueError(f"there is no parameter {min(set(section) - known)}; there are {', '.join(sorted(known))}")
    return NewHigh(Terms(
        symbols=tuple(section.get("symbols", ())), window=parse_duration(section.get("window", "15m")),
        hold=parse_duration(section.get("hold", "10m")), stop_pct=Decimal(str(section.get("stop_pct", 2))),
        size_usd=Decimal(str(section.get("size_usd", 100))),
    ))
