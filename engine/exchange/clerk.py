"""The exchange's paper work: which orders are alive, what each event does to the account, what we are told.

Answers about orders travel on one stream and cannot overtake each other; only a fault
breaks that order.
"""

from __future__ import annotations

from decimal import Decimal

from engine.exchange.accounts import Account, fee_of
from engine.exchange.agenda import Agenda, AnswerArrives, TriggeredArrives
from engine.exchange.faults import Fault, FaultKind
from engine.exchange.latency import travel
from engine.exchange.orders import Execution, Reason, Working
from engine.exchange.settings import ExchangeSettings
from engine.model.codec import Data, from_data, to_data
from engine.model.effects import PlaceOrder
from engine.model.events import (
    OrderAccepted,
    OrderCancelled,
    OrderFilled,
    OrderRejected,
    OrderTriggered,
    OrderUncertain,
    VenueEvent,
)
from engine.model.fills import Fill, Position
from engine.model.instruments import Instrument

_REPLIES = (OrderAccepted, OrderRejected)


class Clerk:
    """Books what happens to orders and sends the answers off. Instants in ns."""

    def __init__(self, settings: ExchangeSettings) -> None:
        self.settings = settings
        self.account = Account(settings.account, settings.balances, leverage=settings.leverage)
        self.agenda = Agenda()
        self.working: dict[str, Working] = {}
        """Every live order by client id, in order of arrival."""
        self._faults: dict[str, Fault] = {}
        self._told_at = 0
        self._orders = 0
        self._trades = 0

    def mark(self, client_id: str, fault: Fault, sent_at: int) -> None:
        """Let `fault` befall the answers about `client_id`, sent at `sent_at`."""
        self._faults[client_id] = fault
        if fault.kind in (FaultKind.LOST_ORDER, FaultKind.LOST_REPLY):
            due = sent_at + self.settings.uncertain_after
            uncertain = OrderUncertain(client_id=client_id, reason=fault.kind.value, venue_at=due)
            self.agenda.put(due, AnswerArrives(uncertain))

    def fault_of(self, client_id: str) -> Fault | None:
        """Return the fault that befalls `client_id`, if any."""
        return self._faults.get(client_id)

    def accept(self, order: PlaceOrder, sent_at: int, at: int) -> Working:
        """Take `order` in and say so."""
        self._orders += 1
        working = Working(
            order=order, venue_order_id=f"sim-{self._orders}", remaining=order.quantity or Decimal(0),
            sent_at=sent_at, number=self._orders,
        )
        self.working[order.client_id] = working
        self.tell(order.client_id, OrderAccepted(
            client_id=order.client_id, venue_order_id=working.venue_order_id, venue_at=at), at)
        return working

    def reject(self, order: PlaceOrder, reason: Reason, at: int) -> None:
        """Refuse `order` for good."""
        self.refuse(order.client_id, reason.code, reason.value, at)

    def refuse(self, client_id: str, code: str, reason: str, at: int) -> None:
        """Refuse with words that need not be the exchange's own (a fault's)."""
        self.tell(client_id, OrderRejected(client_id=client_id, code=code, reason=reason, venue_at=at), at)

    def end(self, working: Working, reason: Reason, at: int) -> None:
        """Take a live order out with what it still had open."""
        client_id = working.order.client_id
        del self.working[client_id]
        self.tell(client_id, OrderCancelled(
            client_id=client_id, remaining=working.remaining, reason=reason.value, venue_at=at), at)

    def trigger(self, working: Working, price: Decimal, at: int) -> None:
        """Mark a conditional order triggered and send its market order to the book."""
        client_id = working.order.client_id
        working.triggered = True
        # The market order is a new order: its time to fill counts from here.
        working.sent_at = at
        self.tell(client_id, OrderTriggered(client_id=client_id, trigger_price=price, venue_at=at), at)
        way = travel(self.settings.trigger_travel, seed=self.settings.seed, client_id=client_id, leg="trigger")
        self.agenda.put(at + way, TriggeredArrives(client_id))

    def fill(self, working: Working, instrument: Instrument, got: Execution, at: int) -> Position:
        """Book one execution and return the position it leaves."""
        order = working.order
        self._trades += 1
        working.remaining -= got.quantity
        fill = Fill(
            client_id=order.client_id, trade_id=f"sim-t{self._trades}", venue=order.venue, symbol=order.symbol,
            side=order.side, price=got.price, quantity=got.quantity,
            fee=fee_of(instrument, got.price, got.quantity, got.liquidity), liquidity=got.liquidity,
            reference_price=got.reference, intent=order.intent, venue_at=at, sent_at=working.sent_at,
        )
        position = self.account.apply(fill, instrument)
        if working.remaining == 0:
            del self.working[order.client_id]
        self.tell(order.client_id, OrderFilled(fill=fill, remaining=working.remaining), at)
        return position

    def report(self, asset: str, at: int) -> None:
        """Tell what the account now holds of `asset`."""
        self.tell("", self.account.report(asset, at), at)

    def tell(self, client_id: str, event: VenueEvent, at: int) -> None:
        """Send `event` off; it reaches us after its travel, behind all that was sent before."""
        way = travel(self.settings.answer_travel, seed=self.settings.seed, client_id=client_id, leg="answer")
        fault = self._faults.get(client_id)
        if fault is not None and fault.kind is FaultKind.LOST_REPLY and isinstance(event, _REPLIES):
            return
        if fault is not None and fault.delay:
            self.agenda.put(at + way + fault.delay, AnswerArrives(event))
            return
        self._told_at = max(self._told_at, at + way)
        self.agenda.put(self._told_at, AnswerArrives(event))

    def dump(self) -> Data:
        """Return the paper work as JSON data."""
        return {
            "account": self.account.dump(), "agenda": self.agenda.dump(),
            "working": [working.dump() for working in self.working.values()],
            "faults": {client_id: to_data(fault) for client_id, fault in sorted(self._faults.items())},
            "told_at": self._told_at, "orders": self._orders, "trades": self._trades,
        }

    def load(self, data: Data) -> None:
        """Become what `dump` saw."""
        self.account.load(data["account"])
        self.agenda.load(data["agenda"])
        held = [Working.load(item) for item in data["working"]]
        self.working = {working.order.client_id: working for working in held}
        self._faults = {client_id: from_data(Fault, item) for client_id, item in data["faults"].items()}
        self._told_at, self._orders, self._trades = data["told_at"], data["orders"], data["trades"]
