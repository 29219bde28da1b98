"""A desk and a router driven as the core drives them, with a venue that keeps its own truth."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from engine.execution.router import Router
from engine.model.codec import canonical
from engine.model.effects import CancelOrder, MakerShadowed, PlaceOrder, PlanMade
from engine.model.events import (
    CancelRejected,
    Event,
    Input,
    OrderAccepted,
    OrderCancelled,
    OrderFilled,
    OrderRejected,
    OrderUncertain,
)
from engine.model.fills import Fill, Liquidity
from engine.model.market import Quote, Trade
from engine.model.orders import Cancellation, Proposal
from engine.model.reports import Rejection
from engine.model.samples import Derived
from engine.model.terms import ExecutionTerms, Route
from engine.model.wishes import Wish
from engine.policy.review import Approved, Refused
from tests.execution.kit import XYZ, Desk

SYMBOL = XYZ.symbol


class Bench:
    """Events go in as the core takes them; `placed`, `cancelled`, `said` and `samples` are what came out."""

    def __init__(self, *routes: Route, shadows: bool = False) -> None:
        self.desk = Desk()
        self.terms = ExecutionTerms(routes=routes)
        self.router = Router(self.terms)
        self.granted_now = True
        self.desk.flags = {"SCALP_MAKER_SHADOW": shadows}
        self.placed: list[PlaceOrder] = []
        self.cancelled: list[CancelOrder] = []
        self.said: list[PlanMade] = []
        self.shadowed: list[MakerShadowed] = []
        self.refused: list[Refused] = []
        self.asked: list[Proposal] = []
        """What review was shown."""
        self.samples: list[Derived] = []
        self.refuses = False
        self.quote(1.99, 2.01)

    @property
    def at(self) -> int:
        return self.desk.at

    @property
    def last(self) -> PlaceOrder:
        """The order that was sent last."""
        return self.placed[-1]

    def granted(self, venue: str, symbol: str, intent: str) -> bool:
        return self.granted_now

    def want(self, proposal: Proposal) -> PlaceOrder | None:
        """Let a strategy propose; return the order that leaves."""
        before = len(self.placed)
        self.dispatch([proposal])
        return self.placed[-1] if len(self.placed) > before else None

    def dispatch(self, wishes: Iterable[Wish]) -> None:
        """As `core.orders.dispatch` does it."""
        desk = self.desk
        for wish in wishes:
            if isinstance(wish, Proposal):
                self._review(self.router.route(desk.at, wish, desk, self.granted))
            elif isinstance(wish, Cancellation):
                self.router.on_cancellation(wish)
                effects = desk.execution.plan(desk.at, (), (wish,), 1)
                self.cancelled += [effect for effect in effects if isinstance(effect, CancelOrder)]
            elif isinstance(wish, PlanMade):
                self.said.append(wish)
            elif isinstance(wish, MakerShadowed):
                self.shadowed.append(wish)

    def _review(self, proposal: Proposal) -> None:
        desk = self.desk
        self.asked.append(proposal)
        verdict = desk.reviewed(proposal)
        if isinstance(verdict, Approved) and not self.refuses:
            effects = desk.execution.plan(desk.at, (verdict,), (), 1)
            placed = next((effect for effect in effects if isinstance(effect, PlaceOrder)), None)
            self.router.on_placed(desk.at, verdict.proposal, placed)
            self.placed += [] if placed is None else [placed]
            return
        if isinstance(verdict, Refused):
            self.refused.append(verdict)
        self.dispatch(self.router.on_refused(desk.at, proposal, "refused"))

    def tell(self, event: Event) -> None:
        """Let a venue or market event arrive."""
        desk = self.desk
        item = Input(1, desk.at, event)
        market = isinstance(event, Quote | Trade)
        if market and not self.router.interested(event):
            return
        if not market:
            self.samples += desk.execution.on_event(item, desk)
        self.samples += self.router.on_event(item, desk, desk.execution)
        self.dispatch(self.router.after_event(desk.at, desk, desk.execution, self.granted))
        if not market:
            self.dispatch(desk.execution.after_event(desk.at, desk))

    def wait(self, duration: int) -> None:
        """Let `duration` ns pass; what is due of the router happens at its instant."""
        end = self.at + duration
        while (due := self.router.next_due()) is not None and due <= end:
            self.desk.at = max(self.at, due)
            self.samples += self.router.on_timer(self.at)
            self.dispatch(self.router.due(self.at, self.desk, self.desk.execution, self.granted))
        self.desk.at = end

    def quote(self, bid: float, ask: float, *, size: float = 5.0, ask_size: float = 5.0) -> None:
        """Show a touch now, stamped by the venue as of now."""
        shown = Quote("paper", SYMBOL, bid, size, ask, ask_size, self.at, self.at)
        self.desk.quotes["paper", SYMBOL] = shown
        self.tell(shown)

    def trade(self, price: float, size: float, *, buys: bool = False) -> None:
        """Let somebody trade."""
        self.tell(Trade("paper", SYMBOL, price, size, buys, "t", self.at, self.at))

    def accept(self, order: PlaceOrder | None = None) -> None:
        order = order or self.last
        self.tell(OrderAccepted(client_id=order.client_id, venue_order_id="v", venue_at=self.at))

    def reject(self, kind: Rejection, order: PlaceOrder | None = None) -> None:
        order = order or self.last
        self.tell(OrderRejected(client_id=order.client_id, code="X", reason="no", venue_at=self.at, kind=kind))

    def end(self, remaining: str, *, reason: str = "requested", order: PlaceOrder | None = None) -> None:
        order = order or self.last
        self.tell(OrderCancelled(
            client_id=order.client_id, remaining=Decimal(remaining), reason=reason, venue_at=self.at))

    def fill(self, quantity: str, left: str, *, order: PlaceOrder | None = None, price: str = "1.99") -> None:
        order = order or self.last
        self.desk.trades += 1
        self.tell(OrderFilled(
            fill=executed(order, Decimal(quantity), Decimal(price), f"own{self.desk.trades}", self.at),
            remaining=Decimal(left)))

    def cut(self) -> None:
        """Replace desk and router by what their dumps load; the dumps say the same again."""
        data = self.router.dump()
        text = canonical(data)
        self.router = Router(self.terms)
        self.router.load(data)
        assert canonical(self.router.dump()) == text
        self.desk.cut()


def executed(order: PlaceOrder, quantity: Decimal, price: Decimal, trade_id: str, at: int) -> Fill:
    """Return one execution of `order` as a real venue tells it: without what it cannot know."""
    return Fill(
        client_id=order.client_id, trade_id=trade_id, venue=order.venue, symbol=order.symbol, side=order.side,
        price=price, quantity=quantity, fee=Decimal(0), liquidity=Liquidity.MAKER, reference_price=Decimal(0),
        intent=order.intent, venue_at=at, sent_at=0,
    )


@dataclass(slots=True)
class Held:
    """One order as the venue has it."""

    order: PlaceOrder
    left: Decimal
    done: Decimal = Decimal(0)
    open: bool = True
    arrived: bool = False
    """Before that its request is still on the way, and may be lost."""


class Truth:
    """What is really at the venue, and the messages that are on their way to us, in any order."""

    def __init__(self) -> None:
        self.held: dict[str, Held] = {}
        self.requests: list[CancelOrder] = []
        self.mail: list[Event] = []
        self.trades = 0

    def at_most(self) -> Decimal:
        """All that was executed and all that still may be."""
        return sum((one.done + (one.left if one.open else Decimal(0)) for one in self.held.values()), Decimal(0))

    def send(self, order: PlaceOrder) -> None:
        assert order.quantity is not None and order.client_id not in self.held
        self.held[order.client_id] = Held(order, order.quantity)

    def arrive(self, which: int, at: int, fate: str) -> None:
        """Let a request that is on its way arrive: accepted, would_take, lost (never arrives) or silent (no answer)."""
        waiting = [one for one in self.held.values() if not one.arrived and one.open]
        if not waiting:
            return
        one = waiting[which % len(waiting)]
        one.arrived = True
        name = one.order.client_id
        if fate == "would_take" and one.order.post_only:
            one.open = False
            self.mail.append(OrderRejected(
                client_id=name, code="X", reason="no", venue_at=at, kind=Rejection.WOULD_TAKE))
        elif fate in ("lost", "silent"):
            # Only the venue knows which of the two it was. To us both are doubt.
            one.open = fate == "silent"
            self.mail.append(OrderUncertain(client_id=name, reason="timeout", venue_at=at))
        else:
            self.mail.append(OrderAccepted(client_id=name, venue_order_id="v", venue_at=at))
            if one.order.immediate:
                self._end(one, "ioc", at)

    def match(self, which: int, quantity: Decimal, at: int) -> None:
        """Execute some of an order."""
        working = [one for one in self.held.values() if one.arrived and one.open]
        if not working:
            return
        one = working[which % len(working)]
        quantity = min(quantity, one.left)
        one.left -= quantity
        one.done += quantity
        one.open = one.left > 0
        self.trades += 1
        fill = executed(one.order, quantity, Decimal("1.99"), f"v{self.trades}", at)
        self.mail.append(OrderFilled(fill=fill, remaining=one.left))

    def cancel(self, which: int, at: int, lost: bool) -> None:
        """Let a request to cancel arrive, or be lost."""
        if not self.requests:
            return
        request = self.requests.pop(which % len(self.requests))
        one = self.held[request.client_id]
        if lost:
            return
        if one.arrived and one.open:
            self._end(one, "requested", at)
        else:
            self.mail.append(CancelRejected(client_id=request.client_id, reason="unknown order", venue_at=at))

    def _end(self, one: Held, reason: str, at: int) -> None:
        one.open = False
        self.mail.append(OrderCancelled(
            client_id=one.order.client_id, remaining=one.left, reason=reason, venue_at=at))
