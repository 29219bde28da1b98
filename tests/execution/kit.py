"""A desk with a venue that says what the test tells it to say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from engine.execution.desk import Execution
from engine.model.codec import canonical
from engine.model.effects import CancelOrder, PlaceOrder, PlanMade
from engine.model.events import (
    CancelRejected,
    Input,
    OrderAccepted,
    OrderCancelled,
    OrderFilled,
    OrderRejected,
    OrderTriggered,
    OrderUncertain,
    OrderWithheld,
    VenueEvent,
)
from engine.model.fills import Fill, Liquidity, Position
from engine.model.flags import FlagValue
from engine.model.instruments import Instrument, MarketKind
from engine.model.ledger import OrderRecord
from engine.model.market import Levels, Quote
from engine.model.orders import Cancellation, Exposure, Intent, OrderKind, OrderState, Proposal, Side
from engine.model.restraints import Level
from engine.model.samples import Derived
from engine.policy.join import Policy
from engine.policy.review import Approved, Circumstances, Refused, review

T0 = 1_000_000_000_000
XYZ = Instrument(
    venue="paper", symbol="XYZUSDT", base="XYZ", quote="USDT", kind=MarketKind.PERPETUAL, tick=Decimal("0.01"),
    step=Decimal("0.1"), min_quantity=Decimal("0.1"), max_quantity=Decimal(1000), min_notional=Decimal(5),
)
ENTRY = Proposal(
    proposer="test", purpose="entry", intent=Intent.ENTRY, venue="paper", symbol="XYZUSDT", side=Side.BUY,
    kind=OrderKind.MARKET, quantity=Decimal(10), reference_price=Decimal(2),
)
EXIT = replace(ENTRY, purpose="exit", intent=Intent.EXIT, side=Side.SELL, reduce_only=True)
STOP = replace(
    EXIT, purpose="stop/1", intent=Intent.STOP, kind=OrderKind.STOP_MARKET, quantity=None, reduce_only=False,
    close_position=True, trigger_price=Decimal("1.5"),
)


class Desk:
    """An `Execution`, the `View` it gets, and everything that came out of it."""

    def __init__(self, epoch: str = "t1") -> None:
        self.execution = Execution()
        if epoch:
            self.execution.begin(epoch, 0, ())
        self.at = T0
        self.account = "main"
        self.flags: Mapping[str, FlagValue] = {}
        self.level_now = Level.NORMAL
        self.instruments = {("paper", "XYZUSDT"): XYZ}
        self.quotes = {("paper", "XYZUSDT"): Quote("paper", "XYZUSDT", 1.99, 1.0, 2.01, 1.0, T0, T0)}
        self.cancelled: list[str] = []
        self.story: list[PlanMade] = []
        self.trades = 0

    def quote(self, venue: str, symbol: str) -> Quote | None:
        return self.quotes.get((venue, symbol))

    def depth(self, venue: str, symbol: str) -> tuple[Levels, Levels]:
        return (), ()

    def instrument(self, venue: str, symbol: str) -> Instrument | None:
        return self.instruments.get((venue, symbol))

    def position(self, venue: str, symbol: str) -> Position:
        return self.execution.position(self.account, venue, symbol)

    def positions(self) -> tuple[Position, ...]:
        return tuple(one for one in self.execution.positions() if one.quantity != 0)

    def level(self, venue: str, symbol: str, intent: str) -> Level:
        return self.level_now

    def approved(self, proposal: Proposal) -> Approved:
        """Return `proposal` as review lets it through in a world without rules."""
        position = Decimal(1000) * -proposal.side.sign
        verdict = review(proposal, Circumstances(
            policy=Policy((), 1), instrument=XYZ, exposure=Exposure(position=position), unmet=lambda key: (),
            judge=lambda order, labels: (), maker_granted=lambda venue, symbol, intent: (True, ()),
        ))
        assert isinstance(verdict, Approved), verdict
        return verdict

    def reviewed(self, proposal: Proposal) -> Approved | Refused:
        """Return what review really says of `proposal` now."""
        return review(proposal, Circumstances(
            policy=Policy((), 1), instrument=self.instrument(proposal.venue, proposal.symbol),
            exposure=self.execution.exposure("main", proposal.venue, proposal.symbol), unmet=lambda key: (),
            judge=lambda order, labels: (), maker_granted=lambda venue, symbol, intent: (True, ()),
        ))

    def plan(self, proposal: Proposal) -> list[PlaceOrder | CancelOrder]:
        return self.execution.plan(self.at, (self.approved(proposal),), (), 1)

    def place(self, proposal: Proposal) -> PlaceOrder:
        """Plan `proposal` and return the order, which must leave."""
        (order,) = self.plan(proposal)
        assert isinstance(order, PlaceOrder)
        return order

    def wish_cancel(self, order: PlaceOrder) -> Cancellation:
        return Cancellation(
            proposer="test", client_id=order.client_id, venue=order.venue, symbol=order.symbol, why="test")

    def cancel(self, order: PlaceOrder) -> list[CancelOrder]:
        effects = self.execution.plan(self.at, (), (self.wish_cancel(order),), 1)
        return [effect for effect in effects if isinstance(effect, CancelOrder)]

    def tell(self, event: VenueEvent) -> list[Derived]:
        """Let `event` arrive and do what it makes necessary."""
        samples = self.execution.on_event(Input(1, self.at, event), self)
        for wish in self.execution.after_event(self.at, self):
            if isinstance(wish, Cancellation):
                effects = self.execution.plan(self.at, (), (wish,), 1)
                self.cancelled += [effect.client_id for effect in effects]
            elif isinstance(wish, PlanMade):
                self.story.append(wish)
        return samples

    def accept(self, order: PlaceOrder) -> None:
        self.event("accepted", order)

    def event(self, kind: str, order: PlaceOrder) -> None:
        """Let the event of that name arrive for `order`."""
        name, at = order.client_id, self.at
        made: dict[str, VenueEvent] = {
            "accepted": OrderAccepted(client_id=name, venue_order_id="v", venue_at=at),
            "rejected": OrderRejected(client_id=name, code="X", reason="no", venue_at=at),
            "cancelled": OrderCancelled(client_id=name, remaining=Decimal(2), reason="requested", venue_at=at),
            "expired": OrderCancelled(client_id=name, remaining=Decimal(2), reason="expired", venue_at=at),
            "cancel_rejected": CancelRejected(client_id=name, reason="unknown", venue_at=at),
            "triggered": OrderTriggered(client_id=name, trigger_price=Decimal(1), venue_at=at),
            "withheld": OrderWithheld(client_id=name, reason="stricter", venue_at=at),
            "uncertain": OrderUncertain(client_id=name, reason="timeout", venue_at=at),
        }
        self.tell(made[kind])

    def fill(
        self, order: PlaceOrder, quantity: str, *, left: str, trade: str = "", price: str = "2",
        side: Side | None = None, after: int = 0,
    ) -> list[Derived]:
        """Let an execution arrive; a fresh trade id unless one is given."""
        self.trades += 1
        fill = Fill(
            client_id=order.client_id, trade_id=trade or f"own{self.trades}", venue=order.venue, symbol=order.symbol,
            side=side or order.side, price=Decimal(price), quantity=Decimal(quantity), fee=Decimal("0.01"),
            liquidity=Liquidity.TAKER, reference_price=Decimal(2), intent=order.intent, venue_at=self.at + after,
            sent_at=self.at,
        )
        return self.tell(OrderFilled(fill=fill, remaining=Decimal(left)))

    def record(self, order: PlaceOrder) -> OrderRecord:
        record = self.execution.order(order.client_id)
        assert record is not None
        return record

    def state(self, order: PlaceOrder) -> OrderState:
        return self.record(order).state

    def held(self, symbol: str = "XYZUSDT") -> Decimal:
        return self.position("paper", symbol).quantity

    def exposure(self, symbol: str = "XYZUSDT") -> Exposure:
        return self.execution.exposure("main", "paper", symbol)

    def cut(self) -> None:
        """Replace the execution by what its dump loads."""
        data = self.execution.dump()
        text = canonical(data)
        self.execution = Execution()
        self.execution.load(data)
        assert canonical(self.execution.dump()) == text
