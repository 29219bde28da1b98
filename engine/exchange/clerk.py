"""The exchange's paper work: which orders are alive, what each event does to the account, what we are told.

Answers about orders travel on one stream and cannot overtake each other; only a fault
breaks that order.
"""

from __future__ import annotations

from decimal import Decimal

from engine.exchange.accounts import Account, fee_of
from engine.exchange.agenda import Agenda, AnswerArrives, TriggeredArrives
from engine.exchange.faults import HIDING, UNHEARD, Fault, FaultKind, FaultPlan, Silence
from engine.exchange.latency import travel
from engine.exchange.orders import Execution, Reason, Working
from engine.exchange.records import Ended, Records, Traded
from engine.exchange.settings import ExchangeSettings
from engine.model.answers import AccountStream
from engine.model.codec import Data, from_data, to_data
from engine.model.effects import PlaceOrder
from engine.model.events import (
    CancelRejected,
    OrderAccepted,
    OrderCancelled,
    OrderFilled,
    OrderRejected,
    OrderTriggered,
    OrderUncertain,
    VenueEvent,
)
from engine.model.fills import Fill, Position
from engine.model.instruments import Instrument, MarketKind
from engine.model.orders import OrderState
from engine.model.reports import Income, IncomeKind, Rejection

_REPLIES = (OrderAccepted, OrderRejected)
_PUNCTUAL = frozenset({FaultKind.REORDERED, FaultKind.DUPLICATE, FaultKind.VANISHED})
"""The delay of these is not one of every answer."""


class Clerk:
    """Books what happens to orders and sends the answers off. Instants in ns."""

    def __init__(self, settings: ExchangeSettings, plan: FaultPlan) -> None:
        self.settings = settings
        self.plan = plan
        self.account = Account(settings.account, settings.balances, leverage=settings.leverage)
        self.agenda = Agenda()
        self.working: dict[str, Working] = {}
        """Every live order by client id, in order of arrival."""
        self.records = Records(settings.remembered)
        self._faults: dict[str, Fault] = {}
        self._hidden: dict[str, int] = {}
        """Until when (ns) the stream says nothing of an order, by client id."""
        self._told_at = 0
        self._orders = 0
        self._trades = 0
        self._movements = 0
        for silence in plan.silences:
            self._notice(silence)

    def _notice(self, silence: Silence) -> None:
        """Let the end of the stream be noticed, as whoever listens to it would."""
        noticed = silence.start + silence.noticed_after
        if not silence.venue or noticed >= silence.end:
            return
        for due, alive, reason in ((noticed, False, "silent"), (silence.end, True, "speaks again")):
            said = AccountStream(venue=silence.venue, alive=alive, reason=reason, venue_at=due)
            self.agenda.put(due, AnswerArrives(said))

    def mark(self, client_id: str, fault: Fault, sent_at: int) -> None:
        """Let `fault` befall the answers about `client_id`, sent at `sent_at`."""
        self._faults[client_id] = fault
        if fault.kind in UNHEARD:
            self._give_up(client_id, fault, sent_at)

    def cancel_sent(self, client_id: str, sent_at: int) -> None:
        """Take note that a wish to cancel `client_id` was sent at `sent_at`: its reply may be the one that is lost."""
        fault = self._faults.get(client_id)
        if fault is not None and fault.kind is FaultKind.LOST_CANCEL:
            self._give_up(client_id, fault, sent_at)

    def _give_up(self, client_id: str, fault: Fault, sent_at: int) -> None:
        due = sent_at + self.settings.uncertain_after
        uncertain = OrderUncertain(client_id=client_id, reason=fault.kind.value, venue_at=due)
        self.agenda.put(due, AnswerArrives(uncertain))

    def hidden(self, client_id: str, at: int) -> bool:
        """Whether at `at` nobody who asks for the order `client_id` is shown it."""
        return self._hidden.get(client_id, 0) > at

    def fault_of(self, client_id: str) -> Fault | None:
        """Return the fault that befalls `client_id`, if any."""
        return self._faults.get(client_id)

    def accept(self, order: PlaceOrder, sent_at: int, at: int) -> Working:
        """Take `order` in and say so."""
        self._orders += 1
        fault = self._faults.get(order.client_id)
        hidden_until = at + fault.delay if fault is not None and fault.kind in HIDING else 0
        if hidden_until:
            self._hidden[order.client_id] = hidden_until
        working = Working(
            order=order, venue_order_id=f"sim-{self._orders}", remaining=order.quantity or Decimal(0),
            sent_at=sent_at, number=self._orders, hidden_until=hidden_until, updated_at=at,
        )
        self.working[order.client_id] = working
        self.tell(order.client_id, OrderAccepted(
            client_id=order.client_id, venue_order_id=working.venue_order_id, venue_at=at), at)
        return working

    def reject(self, order: PlaceOrder, reason: Reason, at: int) -> None:
        """Refuse `order` for good."""
        said = OrderRejected(
            client_id=order.client_id, code=reason.code, reason=reason.value, venue_at=at, kind=reason.rejection)
        self.tell(order.client_id, said, at)

    def refuse(self, client_id: str, code: str, reason: str, at: int) -> None:
        """Refuse with words that need not be the exchange's own (a fault's)."""
        known = next((item for item in Reason if item.value == reason), None)
        kind = Rejection.OTHER if known is None else known.rejection
        said = OrderRejected(client_id=client_id, code=code, reason=reason, venue_at=at, kind=kind)
        self.tell(client_id, said, at)

    def end(self, working: Working, reason: Reason, at: int) -> None:
        """Take a live order out with what it still had open."""
        client_id = working.order.client_id
        working.updated_at = at
        self._over(working, reason.ending, reason.value)
        self.tell(client_id, OrderCancelled(
            client_id=client_id, remaining=working.remaining, reason=reason.value, venue_at=at), at)

    def trigger(self, working: Working, price: Decimal, at: int) -> None:
        """Mark a conditional order triggered and send its market order to the book."""
        client_id = working.order.client_id
        working.triggered = True
        working.updated_at = at
        # The market order is a new order: its time to fill counts from here.
        working.sent_at = at
        self.tell(client_id, OrderTriggered(client_id=client_id, trigger_price=price, venue_at=at), at)
        way = travel(self.settings.trigger_travel, seed=self.settings.seed, client_id=client_id, leg="trigger")
        self.agenda.put(at + way, TriggeredArrives(client_id))

    def become_market(self, working: Working) -> None:
        """Give the market order that a triggered conditional order has become an id of its own."""
        self._orders += 1
        working.child_id = f"sim-{self._orders}"

    def _over(self, working: Working, state: OrderState, reason: str) -> None:
        del self.working[working.order.client_id]
        self.records.orders.add(Ended(working.report(state, reason), working.hidden_until))

    def fill(self, working: Working, instrument: Instrument, got: Execution, at: int) -> Position:
        """Book one execution and return the position it leaves."""
        order = working.order
        self._trades += 1
        working.remaining -= got.quantity
        working.executed += got.quantity
        working.cost += got.price * got.quantity
        working.updated_at = at
        fill = Fill(
            client_id=order.client_id, trade_id=f"{self.settings.trade_prefix}{self._trades}",
            venue=order.venue, symbol=order.symbol, side=order.side, price=got.price, quantity=got.quantity,
            fee=fee_of(instrument, got.price, got.quantity, got.liquidity), liquidity=got.liquidity,
            reference_price=got.reference, intent=order.intent, venue_at=at, sent_at=working.sent_at,
        )
        position = self.account.apply(fill, instrument)
        self.records.trades.add(Traded(fill, working.hidden_until))
        if instrument.kind is MarketKind.PERPETUAL:
            self.moved(IncomeKind.FEE, instrument, -fill.fee, at, fill.trade_id)
        if working.remaining == 0:
            self._over(working, OrderState.FILLED, "")
        self.tell(order.client_id, OrderFilled(fill=fill, remaining=working.remaining), at)
        return position

    def moved(self, kind: IncomeKind, instrument: Instrument, amount: Decimal, at: int, transfer_id: str = "") -> None:
        """Write down a movement of the quote balance, received where positive; it has been booked already."""
        self._movements += 1
        self.records.income.add(Income(
            venue=instrument.venue, kind=kind, transfer_id=transfer_id or f"sim-i{self._movements}",
            asset=instrument.quote, amount=amount, symbol=instrument.symbol, venue_at=at,
        ))

    def report(self, asset: str, at: int) -> None:
        """Tell what the account now holds of `asset`."""
        self.tell("", self.account.report(asset, at), at)

    def tell(self, client_id: str, event: VenueEvent, at: int) -> None:
        """Send `event` off; it reaches us after its travel, behind all that was sent before."""
        way = travel(self.settings.answer_travel, seed=self.settings.seed, client_id=client_id, leg="answer")
        fault, due = self._faults.get(client_id), at + way
        if self.plan.silences and not _is_reply(event) and self.plan.silent(due):
            return
        if fault is None:
            self._told_at = max(self._told_at, due)
            self.agenda.put(self._told_at, AnswerArrives(event))
        elif not _lost(fault, event):
            self._tell_with(client_id, fault, event, due)

    def _tell_with(self, client_id: str, fault: Fault, event: VenueEvent, due: int) -> None:
        """Send `event` off, to arrive at `due` but for what `fault` makes of it."""
        if fault.kind in HIDING:
            # What is kept back comes in order, but behind what was told of other orders meanwhile.
            hidden = 0 if isinstance(event, _REPLIES) else self._hidden.get(client_id, 0)
            self.agenda.put(max(due, hidden), AnswerArrives(event))
            return
        late = fault.kind is FaultKind.REORDERED and isinstance(event, _REPLIES)
        if late or (fault.delay and fault.kind not in _PUNCTUAL):
            self.agenda.put(due + fault.delay, AnswerArrives(event))
            return
        self._told_at = max(self._told_at, due)
        self.agenda.put(self._told_at, AnswerArrives(event))
        if fault.kind is FaultKind.DUPLICATE:
            self.agenda.put(self._told_at + fault.delay, AnswerArrives(event))

    def dump(self) -> Data:
        """Return the paper work as JSON data."""
        return {
            "account": self.account.dump(), "agenda": self.agenda.dump(),
            "working": [working.dump() for working in self.working.values()],
            "faults": {client_id: to_data(fault) for client_id, fault in sorted(self._faults.items())},
            "told_at": self._told_at, "orders": self._orders, "trades": self._trades,
            "hidden": dict(sorted(self._hidden.items())), "movements": self._movements,
            "records": self.records.dump(),
        }

    def load(self, data: Data) -> None:
        """Become what `dump` saw."""
        self.account.load(data["account"])
        self.agenda.load(data["agenda"])
        held = [Working.load(item) for item in data["working"]]
        self.working = {working.order.client_id: working for working in held}
        self._faults = {client_id: from_data(Fault, item) for client_id, item in data["faults"].items()}
        self._told_at, self._orders, self._trades = data["told_at"], data["orders"], data["trades"]
        self._hidden, self._movements = dict(data["hidden"]), data["movements"]
        self.records.load(data["records"])


def _is_reply(event: VenueEvent) -> bool:
    """Whether `event` answers a request of its own, and does not come on the stream."""
    requested = isinstance(event, OrderCancelled) and event.reason == Reason.REQUESTED.value
    return requested or isinstance(event, (*_REPLIES, CancelRejected))


def _lost(fault: Fault, event: VenueEvent) -> bool:
    if fault.kind is FaultKind.LOST_CANCEL:
        return _is_reply(event) and not isinstance(event, _REPLIES)
    return fault.kind in UNHEARD and isinstance(event, _REPLIES)
