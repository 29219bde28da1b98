"""The simulated exchange's counter: orders in, answers out, the market past it.

The driver calls `pop_due` at every `next_due` instant before it shows market events of that
instant or later: then an order meets the book of the moment it arrives, and nothing of
what came after.
"""

from __future__ import annotations

from decimal import Decimal

from engine.exchange import inquiry
from engine.exchange.accounts import Account
from engine.exchange.agenda import (
    AnswerArrives,
    AskArrives,
    CancelArrives,
    Entry,
    FundingDue,
    OrderArrives,
    OrderVanishes,
    TriggeredArrives,
)
from engine.exchange.clerk import Clerk
from engine.exchange.desk import Desk
from engine.exchange.faults import NO_FAULTS, Fault, FaultKind, FaultPlan
from engine.exchange.latency import travel
from engine.exchange.orders import Reason, Working
from engine.exchange.settings import ExchangeSettings
from engine.model.codec import Data
from engine.model.effects import AskVenue, CancelOrder, PlaceOrder
from engine.model.events import CancelRejected, InstrumentDefined, VenueEvent
from engine.model.fills import Fill, Position
from engine.model.instruments import Instrument
from engine.model.market import DepthDelta, DepthSnapshot, FundingRate, MarketEvent, Quote, Trade
from engine.model.reports import Income, OrderReport, Query

VERSION = 3


class SimulatedExchange:
    """One account on any number of instruments of any number of venues. All instants in ns."""

    def __init__(self, settings: ExchangeSettings, faults: FaultPlan = NO_FAULTS) -> None:
        self._settings = settings
        self._faults = faults
        self._clerk = Clerk(settings, faults)
        self._desks: dict[tuple[str, str], Desk] = {}
        self._sent = 0
        self._asked = 0

    def define(self, instrument: Instrument) -> None:
        """Make `instrument` tradable, or change its filters."""
        self._desk(instrument.venue, instrument.symbol).instrument = instrument

    def _desk(self, venue: str, symbol: str) -> Desk:
        desk = self._desks.get((venue, symbol))
        if desk is None:
            desk = self._desks[venue, symbol] = Desk(self._clerk, venue, symbol)
        return desk

    def on_market(self, event: MarketEvent | InstrumentDefined, at: int) -> None:
        """Take in what happened in the market at `at`; makers fill and stops trigger on it."""
        kind = type(event)
        if kind is Quote:
            assert isinstance(event, Quote)
            desk = self._desks.get((event.venue, event.symbol)) or self._desk(event.venue, event.symbol)
            desk.book.on_quote(event)
            if desk.live:
                desk.on_quote(event, at)
        elif kind is Trade:
            assert isinstance(event, Trade)
            desk = self._desk(event.venue, event.symbol)
            # A broken print must not trigger a stop. Written so that NaN fails too.
            if event.price > 0 and event.size > 0:
                desk.book.on_trade(event)
                if desk.live:
                    desk.on_trade(event, at)
        elif isinstance(event, DepthDelta | DepthSnapshot):
            self._desk(event.venue, event.symbol).on_depth(event, at)
        elif isinstance(event, FundingRate):
            self._desk(event.venue, event.symbol).on_funding(event, at)
        elif isinstance(event, InstrumentDefined):
            self.define(event.instrument)

    def submit(self, order: PlaceOrder, at: int, *, on_mark: bool = False) -> None:
        """Send `order` at `at`; a conditional one triggers `on_mark` or on the contract price.

        Everything about it is decided when it arrives.
        """
        self._sent += 1
        fault = self._faults.of(order.client_id, self._sent) or self._faults.during(order, at)
        if fault is not None:
            self._clerk.mark(order.client_id, fault, at)
            if fault.kind is FaultKind.LOST_ORDER:
                return
        self._clerk.agenda.put(at + self._way(order.client_id, "order"), OrderArrives(order, at, on_mark))

    def cancel(self, order: CancelOrder, at: int) -> None:
        """Send a wish to cancel at `at`."""
        self._clerk.cancel_sent(order.client_id, at)
        self._clerk.agenda.put(at + self._way(order.client_id, "cancel"), CancelArrives(order))

    def ask(self, ask: AskVenue, at: int) -> None:
        """Send a question at `at`; its answer is what holds when it arrives."""
        self._asked += 1
        fault = self._faults.of_question(ask.query, self._asked) or self._faults.question_during(at)
        there = at + self._way(f"ask-{ask.ask}", "order")
        if fault is None:
            self._clerk.agenda.put(there, AskArrives(ask, at))
        elif fault.unable and ask.query is Query.PROBE:
            answer: VenueEvent = inquiry.probed(self._clerk, ask, there, why=fault.reason)
            self._answer(ask, answer, there + fault.delay)
        else:
            self._answer(ask, inquiry.failed(ask, fault.reason, there + fault.delay), there + fault.delay)

    def _answer(self, ask: AskVenue, event: VenueEvent, at: int) -> None:
        settings = self._settings
        way = travel(settings.answer_travel, seed=settings.seed, client_id=f"ask-{ask.ask}", leg="answer")
        self._clerk.agenda.put(at + way, AnswerArrives(event))

    def _way(self, client_id: str, leg: str) -> int:
        settings = self._settings
        return travel(settings.order_travel, seed=settings.seed, client_id=client_id, leg=leg)

    def next_due(self) -> int | None:
        """Return the instant at which something next happens here, None when nothing is under way."""
        return self._clerk.agenda.next_due()

    def pop_due(self, at: int) -> list[tuple[int, VenueEvent]]:
        """Let everything up to `at` happen, in order; return (when it reached us, event)."""
        told: list[tuple[int, VenueEvent]] = []
        agenda = self._clerk.agenda
        while (due := agenda.next_due()) is not None and due <= at:
            due, entry = agenda.take()
            if isinstance(entry, AnswerArrives):
                told.append((due, entry.event))
            else:
                self._happen(entry, due)
        return told

    def _happen(self, entry: Entry, at: int) -> None:
        if isinstance(entry, OrderArrives):
            self._arrive(entry, at)
        elif isinstance(entry, CancelArrives):
            self._cancel(entry.order, at)
        elif isinstance(entry, AskArrives):
            ask = entry.ask
            marks = self.marks(ask.venue) if ask.query is Query.ACCOUNT else {}
            tradable = ask.query is Query.PROBE and self._tradable(ask.venue, ask.symbol)
            for event in inquiry.answers(self._clerk, entry, at, tradable=tradable, marks=marks):
                self._answer(ask, event, at)
        elif isinstance(entry, FundingDue):
            self._desk(entry.venue, entry.symbol).pay_funding(at)
        elif isinstance(entry, OrderVanishes):
            gone = self._clerk.working.get(entry.client_id)
            if gone is not None and not gone.triggered:
                self._desk(gone.order.venue, gone.order.symbol).cancel(gone, at, Reason.EXPIRED)
        elif isinstance(entry, TriggeredArrives):
            working = self._clerk.working.get(entry.client_id)
            if working is not None:
                self._desk(working.order.venue, working.order.symbol).execute(working, at)

    def _arrive(self, entry: OrderArrives, at: int) -> None:
        order = entry.order
        fault: Fault | None = self._clerk.fault_of(order.client_id)
        if fault is not None and fault.kind is FaultKind.REJECT:
            self._clerk.refuse(order.client_id, "FAULT", fault.reason, at)
            return
        # An instrument nobody defined has no desk, and a refusal must not make one.
        desk = self._desks.get((order.venue, order.symbol))
        if desk is None:
            self._clerk.reject(order, Reason.UNKNOWN_INSTRUMENT, at)
        else:
            desk.arrive(entry, at)
            if fault is not None and fault.kind is FaultKind.VANISHED:
                self._clerk.agenda.put(max(at, entry.sent_at + fault.delay), OrderVanishes(order.client_id))

    def _cancel(self, wish: CancelOrder, at: int) -> None:
        working = self._clerk.working.get(wish.client_id)
        # The regular and the conditional book do not see each other's orders; a triggered order is in neither.
        known = working is not None and not working.triggered and not self._clerk.hidden(wish.client_id, at)
        if working is None or not known or working.conditional is not wish.conditional:
            self._clerk.tell(wish.client_id, CancelRejected(
                client_id=wish.client_id, reason=Reason.UNKNOWN_ORDER.value, venue_at=at), at)
        else:
            self._desk(working.order.venue, working.order.symbol).cancel(working, at)

    def open_orders(self) -> tuple[Working, ...]:
        """Return every live order, in order of arrival."""
        return tuple(self._clerk.working.values())

    def reports(self, at: int, venue: str | None = None) -> tuple[OrderReport, ...]:
        """Return every open order of both books (and of one `venue`) that a list shows at `at`."""
        return inquiry.open_reports(self._clerk, venue, at)

    def trades(self) -> tuple[Fill, ...]:
        """Return our executions that are still remembered, oldest first, hidden ones too: the truth, for who judges."""
        return tuple(item.fill for item in self._clerk.records.trades)

    def income(self, venue: str) -> tuple[Income, ...]:
        """Return the movements of the balance that are still remembered, oldest first."""
        return tuple(entry for entry in self._clerk.records.income if entry.venue == venue)

    def mark(self, venue: str, symbol: str) -> Decimal | None:
        """Return the mark price in quote currency, None without a market."""
        desk = self._desks.get((venue, symbol))
        return None if desk is None else desk.mark()

    def marks(self, venue: str) -> dict[str, Decimal]:
        """Return the mark price of every symbol of `venue` that has a position."""
        held = [position.symbol for position in self.positions() if position.venue == venue]
        return {symbol: mark for symbol in held if (mark := self.mark(venue, symbol)) is not None}

    def desk(self, venue: str, symbol: str) -> Desk | None:
        """Return the desk of one instrument, to read its book; None for one nobody ever heard of."""
        return self._desks.get((venue, symbol))

    def desks(self) -> tuple[Desk, ...]:
        """Return every desk, by venue and symbol."""
        return tuple(desk for _, desk in sorted(self._desks.items()))

    @property
    def settings(self) -> ExchangeSettings:
        """The terms it trades on."""
        return self._settings

    @property
    def account(self) -> Account:
        """The account, to read and to give a symbol its leverage."""
        return self._clerk.account

    def _tradable(self, venue: str, symbol: str) -> bool:
        desk = self._desks.get((venue, symbol))
        return desk is not None and desk.instrument is not None and desk.mark() is not None

    def positions(self) -> tuple[Position, ...]:
        """Return every position that is not flat, by venue and symbol."""
        return tuple(position for position in self._clerk.account.positions() if position.quantity)

    def position(self, venue: str, symbol: str) -> Position:
        """Return one position, with what it realised so far; flat if there never was one."""
        return self._clerk.account.position(venue, symbol)

    def balance(self, asset: str) -> Decimal:
        """Return what the account holds of `asset`, in its units."""
        return self._clerk.account.balances.get(asset, Decimal(0))

    def dump(self) -> Data:
        """Return the whole state as canonical JSON data. Settings and faults are the maker's to keep."""
        return {
            "version": VERSION, "sent": self._sent, "asked": self._asked, "clerk": self._clerk.dump(),
            "desks": [desk.dump() for _, desk in sorted(self._desks.items())],
        }

    def load(self, data: Data) -> None:
        """Become what `dump` saw; what follows is byte-equal to the uncut run's. ValueError on another version."""
        if data.get("version") != VERSION:
            raise ValueError(f"exchange state of version {data.get('version')!r}, this is {VERSION}")
        self._sent, self._asked = data["sent"], data["asked"]
        self._clerk.load(data["clerk"])
        self._desks = {}
        for item in data["desks"]:
            self._desk(item["venue"], item["symbol"]).load(item, self._clerk.working.values())
