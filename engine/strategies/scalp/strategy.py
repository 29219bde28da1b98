"""Which event concerns which symbol. At most one scalp a symbol; a quote costs the same however many there are."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from engine.model.answers import AccountReported, TradesReported
from engine.model.codec import Data, from_data, to_data
from engine.model.events import Event, Input, InstrumentDefined, OrderFilled
from engine.model.instruments import MarketKind
from engine.model.ledger import OrdersView
from engine.model.market import Quote
from engine.model.orders import Intent, Proposal
from engine.model.restraints import Level
from engine.model.sizing import quantity_for
from engine.model.strategy import Strategy
from engine.model.view import StrategyView
from engine.strategies import leaving
from engine.strategies.counting import Counters, Key, reason_of
from engine.strategies.scalp.terms import Terms
from engine.strategies.scalp.trading import STRATEGY, Scalped, entry_of, last_line, look_at, over
from engine.strategies.scalp.watching import Watch
from engine.strategies.trade import FIRST_RETRY, LONGEST_RETRY, Glance, Wish

TRADES, SKIPS = "scalp_trades_total", "scalp_skips_total"
REASONS = (
    "below_step", "denied", "late_chase", "level", "min_notional", "muted", "notional", "quote_denied", "rejected",
    "slippage", "spread", "taken", "unfilled",
)
"""Why dips are not traded, as far as it is known beforehand: those are told as 0 from the start."""
_KNOWN: tuple[Key, ...] = ((TRADES, ()), *((SKIPS, (reason,)) for reason in REASONS))
REFUSED_RETRY = FIRST_RETRY


class Scalp(Strategy):
    """The strategy. It proposes; whether anything is sent, and how, is not its to decide."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._watches = {symbol: Watch(symbol=symbol) for symbol in terms.symbols}
        self._watched: dict[str, Watch] = {}
        """Those whose quotes matter now: all while it is on, else those with something open."""
        self._on = False
        self._numbered = 0
        self._due: int | None = None
        self._counters = Counters(_KNOWN)

    @property
    def name(self) -> str:
        """The proposer of its orders."""
        return STRATEGY

    def begin(self, at: int, view: StrategyView) -> Sequence[Wish]:
        """Tell all counters."""
        self._switch(view)
        return self._counters.all(at)

    def interested(self, event: Event) -> bool:
        """Whether `event`, which is no order event, may change something; cheap: asked at every event."""
        if type(event) is Quote:
            return event.symbol in self._watched
        return type(event) is InstrumentDefined

    def on_event(self, item: Input, view: StrategyView, orders: OrdersView) -> Sequence[Wish]:
        """Return the wishes that `item` leads to, in the order they should be done."""
        event = item.event
        if type(event) is Quote:
            watch = self._watched.get(event.symbol)
            if watch is None or watch.venue != event.venue or not watch.take(event, item.at, self._terms):
                return ()
            if watch.trade is not None:
                return self._manage(watch, item.at, view, orders)
            return self._enter(watch, item.at, view, orders) if self._on else ()
        if isinstance(event, InstrumentDefined):
            found = self._watches.get(event.instrument.symbol)
            if found is not None and event.instrument.kind is MarketKind.PERPETUAL and not found.venue:
                found.venue = event.instrument.venue
            return ()
        wishes: list[Wish] = []
        for watch in self._concerned(event, orders):
            wishes += self._manage(watch, item.at, view, orders)
        return wishes

    def _concerned(self, event: Event, orders: OrdersView) -> list[Watch]:
        """Return the watches with something open that an order event, or a report of an account, is about."""
        if isinstance(event, AccountReported | TradesReported):
            open_ones = [watch for watch in self._watches.values() if watch.trade is not None]
            return [watch for watch in open_ones if watch.venue == event.venue]
        if isinstance(event, OrderFilled):
            symbol = event.fill.symbol
        else:
            record = orders.order(getattr(event, "client_id", ""))
            symbol = "" if record is None else record.symbol
        watch = self._watches.get(symbol)
        return [] if watch is None or watch.trade is None else [watch]

    def _enter(self, watch: Watch, at: int, view: StrategyView, orders: OrdersView) -> list[Wish]:
        """Propose a scalp, unless something speaks against it that need not be asked of policy."""
        now = _glance(watch, at, view, orders)
        position = view.position(watch.venue, watch.symbol)
        trade = Scalped(
            strategy=STRATEGY, number=self._numbered + 1, venue=watch.venue, symbol=watch.symbol,
            realized_before=position.realized, fees_before=position.fees, checked_at=at,
        )
        if now.instrument is None or now.quote is None:
            return []
        if view.level(watch.venue, watch.symbol, Intent.SCALP.value) is not Level.NORMAL:
            return self._put_off(watch, at, "level")
        if now.somebody_else(trade) or now.held != 0:
            return self._put_off(watch, at, "taken")
        size = Decimal(str(view.flags["SCALP_SIZE_USD"]))
        quantity = quantity_for(size, Decimal(str(now.quote.ask)), now.instrument)
        if quantity <= 0:
            return self._put_off(watch, at, "min_notional")
        self._numbered += 1
        watch.trade = trade
        return [entry_of(trade, now, quantity)]

    def _put_off(self, watch: Watch, at: int, reason: str) -> list[Wish]:
        """Count why a dip is not traded, and leave the symbol alone for a while: longer each time in a row."""
        watch.not_before = at + min(FIRST_RETRY * 2 ** min(watch.tries, 6), LONGEST_RETRY)
        watch.tries += 1
        return [self._counters.add(at, SKIPS, reason)]

    def on_flags(self, at: int, view: StrategyView, orders: OrdersView) -> Sequence[Wish]:
        """Take over what the flags say now: switched off, what still buys is taken back at once."""
        self._switch(view)
        open_ones = [watch for watch in self._watches.values() if watch.trade is not None]
        return [wish for watch in open_ones for wish in self._manage(watch, at, view, orders)]

    def _switch(self, view: StrategyView) -> None:
        on = bool(view.flags["SCALP_ENABLED"])
        if on and not self._on:
            for watch in self._watches.values():
                watch.forget()
        self._on = on
        self._rewatch()

    def _rewatch(self) -> None:
        self._watched = self._watches if self._on else {
            symbol: watch for symbol, watch in self._watches.items() if watch.trade is not None
        }

    def on_timer(self, at: int, view: StrategyView, orders: OrdersView) -> Sequence[Wish]:
        """Look at every scalp that has something due by `at`."""
        if self._due is None or at < self._due:
            return ()
        wishes: list[Wish] = []
        for watch in self._watches.values():
            if watch.trade is not None and (self._next_instant(watch.trade) or at + 1) <= at:
                wishes += self._manage(watch, at, view, orders)
        self._reckon()
        return wishes

    def on_refused(self, at: int, proposal: Proposal, reason: str) -> Sequence[Wish]:
        """Policy refused `proposal`: an entry is over with that, what reduces is tried again."""
        watch = self._watches.get(proposal.symbol)
        trade = None if watch is None else watch.trade
        if watch is None or trade is None or not proposal.purpose.startswith(trade.base + "/"):
            return ()
        if proposal.purpose == trade.purpose:
            watch.trade = None
            self._rewatch()
            return self._put_off(watch, at, reason_of(reason))
        if proposal.intent is Intent.EXIT:
            leaving.put_off(trade, at)
        else:
            trade.retry["stop"] = max(trade.retry.get("stop", 0), at + REFUSED_RETRY)
        self._reckon()
        return ()

    def next_due(self) -> int | None:
        """Return when a scalp wants to be looked at though nothing happened (ns), or None."""
        return self._due

    def _manage(self, watch: Watch, at: int, view: StrategyView, orders: OrdersView) -> list[Wish]:
        trade = watch.trade
        assert trade is not None
        now = _glance(watch, at, view, orders)
        trade.checked_at = at
        flat = not trade.entered_at
        wishes = look_at(trade, now, watch.fair, self._terms, enabled=self._on)
        if flat and trade.entered_at:
            watch.tries = 0
            wishes.append(self._counters.add(at, TRADES))
        if over(trade, now) and not any(isinstance(wish, Proposal) for wish in wishes):
            watch.trade = None
            if trade.entered_at:
                wishes.append(last_line(trade, now))
                watch.not_before = at + self._terms.pause
            else:
                wishes += self._put_off(watch, at, trade.refused or "unfilled")
            self._rewatch()
        self._reckon()
        return wishes

    def _next_instant(self, trade: Scalped) -> int | None:
        instants = list(trade.retry.values())
        if trade.entered_at:
            instants.append(trade.entered_at + self._terms.hold)
        return min((instant for instant in instants if instant > trade.checked_at), default=None)

    def _reckon(self) -> None:
        # Only those with something open: few, and never more than symbols.
        trades = [watch.trade for watch in self._watched.values() if watch.trade is not None]
        instants = [instant for trade in trades if (instant := self._next_instant(trade)) is not None]
        self._due = min(instants, default=None)

    def dump(self) -> Data:
        """Return everything as JSON data."""
        return {
            "watches": [to_data(watch) for watch in self._watches.values()], "on": self._on,
            "numbered": self._numbered, "due": self._due, "counters": self._counters.dump(),
        }

    def load(self, data: Data) -> None:
        """Become what `dump` wrote. A symbol that is no longer listed stays for as long as something is open on it."""
        kept: list[Watch] = [from_data(Watch, item) for item in data["watches"]]
        for watch in kept:
            if watch.symbol in self._watches or watch.trade is not None:
                self._watches[watch.symbol] = watch
        self._on = data["on"]
        self._numbered, self._due = data["numbered"], data["due"]
        self._counters.load(data["counters"])
        self._rewatch()


def _glance(watch: Watch, at: int, view: StrategyView, orders: OrdersView) -> Glance:
    position = view.position(watch.venue, watch.symbol)
    return Glance(
        at=at, view=view, orders=orders, quote=view.quote(watch.venue, watch.symbol),
        instrument=view.instrument(watch.venue, watch.symbol), held=position.quantity, average=position.average_price,
    )


__all__ = ["Scalp"]
