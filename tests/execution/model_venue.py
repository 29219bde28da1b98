"""A venue in memory that loses, hides and repeats: the truth that a desk is held against.

It matches nothing. A market order fills at once, another when the test says so, and each
reply, event and answer is lost where the test wants it lost.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from engine.model.answers import (
    AccountReported,
    IncomeReported,
    OrderAbsent,
    OrderFound,
    QueryFailed,
    TradesReported,
)
from engine.model.effects import AskVenue, PlaceOrder
from engine.model.events import (
    CancelRejected,
    OrderAccepted,
    OrderCancelled,
    OrderFilled,
    OrderRejected,
    VenueEvent,
)
from engine.model.fills import Fill, Liquidity
from engine.model.orders import CONDITIONAL_KINDS, Intent, OrderKind, OrderState
from engine.model.reports import Income, OrderReport, PositionReport, Query, Rejection

PRICE = Decimal(2)


@dataclass
class Held:
    """One order at the venue."""

    order: PlaceOrder
    state: OrderState = OrderState.OPEN
    executed: Decimal = Decimal(0)
    hidden_until: int = 0

    @property
    def conditional(self) -> bool:
        return self.order.kind in CONDITIONAL_KINDS

    @property
    def left(self) -> Decimal:
        return (self.order.quantity or Decimal(0)) - self.executed

    def report(self) -> OrderReport:
        order = self.order
        return OrderReport(
            client_id=order.client_id, venue_order_id=f"v-{order.client_id}", venue=order.venue, symbol=order.symbol,
            side=order.side, kind=order.kind, state=self.state, quantity=order.quantity, executed=self.executed,
            average_price=PRICE, limit_price=order.limit_price, trigger_price=order.trigger_price,
            reduce_only=order.reduce_only, close_position=order.close_position, conditional=self.conditional,
        )


@dataclass
class ModelVenue:
    """Orders, trades and positions as they really are."""

    name: str = "paper"
    orders: dict[str, Held] = field(default_factory=dict)
    held: dict[str, Decimal] = field(default_factory=dict)
    trades: list[Fill] = field(default_factory=list)
    income: list[Income] = field(default_factory=list)
    hide_for: int = 0
    """New orders and trades are seen by no question for so long (ns)."""
    thin: Decimal | None = None
    """A market order for more than this is outside of the price band."""
    deny_cancels: bool = False
    banned_until: int = 0
    """Until then (ns) no order leaves: too many requests."""
    resting: bool = False
    """Market orders rest until `fill`, too."""

    def place(self, order: PlaceOrder, at: int) -> list[VenueEvent]:
        """Take an order; return what the venue says to that."""
        if at < self.banned_until:
            return [_rejected(order, "", Rejection.LIMITED, at)]
        if order.reduce_only and self.held.get(order.symbol, Decimal(0)) * order.side.sign >= 0:
            return [_rejected(order, "-2022", Rejection.NOT_REDUCING, at)]
        if self.thin is not None and order.kind is OrderKind.MARKET and (order.quantity or 0) > self.thin:
            return [_rejected(order, "-4131", Rejection.PRICE_BAND, at)]
        held = self.orders[order.client_id] = Held(order=order, hidden_until=at + self.hide_for)
        said: list[VenueEvent] = [OrderAccepted(
            client_id=order.client_id, venue_order_id=f"v-{order.client_id}", venue_at=at
        )]
        if order.kind is OrderKind.MARKET and not self.resting:
            said += self.fill(order.client_id, held.left, at)
        return said

    def fill(self, client_id: str, quantity: Decimal, at: int) -> list[VenueEvent]:
        """Execute up to `quantity` of an order that is open."""
        held = self.orders[client_id]
        symbol, side = held.order.symbol, held.order.side
        position = self.held.get(symbol, Decimal(0))
        if held.order.reduce_only or held.order.close_position:
            room = abs(position) if position * side.sign < 0 else Decimal(0)
            quantity = min(quantity, room) if held.order.quantity is not None else room
        if held.order.quantity is not None:
            quantity = min(quantity, held.left)
        if held.state.final or quantity <= 0:
            return []
        held.executed += quantity
        done = held.order.quantity is None or held.left <= 0
        held.state = OrderState.FILLED if done else OrderState.PARTLY_FILLED
        self.held[symbol] = position + quantity * side.sign
        fill = Fill(
            client_id=client_id, trade_id=f"t{len(self.trades) + 1}", venue=self.name, symbol=symbol, side=side,
            price=PRICE, quantity=quantity, fee=Decimal("0.01"), liquidity=Liquidity.TAKER,
            reference_price=Decimal(0), intent=Intent.ENTRY, venue_at=at, sent_at=0,
        )
        self.trades.append(fill)
        return [OrderFilled(fill=fill, remaining=Decimal(0) if done else held.left)]

    def cancel(self, client_id: str, at: int) -> list[VenueEvent]:
        """Take an order back, if there is one to take back."""
        held = self.orders.get(client_id)
        if held is None or held.state.final or held.hidden_until > at or self.deny_cancels:
            return [CancelRejected(client_id=client_id, reason="-2011", venue_at=at)]
        held.state = OrderState.CANCELLED
        return [OrderCancelled(client_id=client_id, remaining=held.left, reason="requested", venue_at=at)]

    def answer(self, ask: AskVenue, at: int) -> list[VenueEvent]:
        """Answer a question from what can be seen at `at`."""
        if ask.query is Query.ORDER:
            held = self.orders.get(ask.client_id)
            if held is None or held.hidden_until > at or held.conditional is not ask.conditional:
                return [OrderAbsent(
                    ask=ask.ask, client_id=ask.client_id, conditional=ask.conditional, venue_at=at
                )]
            return [OrderFound(ask=ask.ask, client_id=ask.client_id, report=held.report(), venue_at=at)]
        if ask.query is Query.ACCOUNT:
            return [self.account(ask.ask, at)]
        if ask.query is Query.TRADES:
            hidden = {name for name, held in self.orders.items() if held.hidden_until > at}
            told = [
                fill for fill in self.trades
                if fill.symbol == ask.symbol and fill.venue_at >= ask.since and fill.client_id not in hidden
            ]
            return [*(OrderFilled(fill=fill, remaining=None) for fill in told), TradesReported(
                ask=ask.ask, venue=self.name, symbol=ask.symbol, since=ask.since, count=len(told), venue_at=at)]
        entries = tuple(one for one in self.income if one.venue_at >= ask.since)
        return [IncomeReported(ask=ask.ask, venue=self.name, entries=entries, since=ask.since, venue_at=at)]

    def account(self, ask: int, at: int) -> AccountReported:
        """Return the whole account as it can be seen at `at`."""
        return AccountReported(
            ask=ask, venue=self.name, as_of=at, venue_at=at, balances=(),
            positions=tuple(
                PositionReport(venue=self.name, symbol=symbol, quantity=quantity, entry_price=PRICE)
                for symbol, quantity in sorted(self.held.items()) if quantity != 0
            ),
            orders=tuple(
                held.report() for held in self.orders.values() if not held.state.final and held.hidden_until <= at
            ),
        )


def failed(ask: AskVenue, at: int) -> QueryFailed:
    """Return that nobody answered."""
    return QueryFailed(
        ask=ask.ask, query=ask.query, venue=ask.venue, reason="503", venue_at=at, symbol=ask.symbol,
        client_id=ask.client_id,
    )


def _rejected(order: PlaceOrder, code: str, kind: Rejection, at: int) -> OrderRejected:
    return OrderRejected(client_id=order.client_id, code=code, reason="refused", venue_at=at, kind=kind)
