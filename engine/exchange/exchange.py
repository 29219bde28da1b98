"""The simulated exchange's counter: orders in, answers out, the market past it.

The driver calls `pop_due` at every `next_due` instant before it shows market events of that
instant or later: then an order meets the book of the moment it arrives, and nothing of
what came after.
"""

from __future__ import annotations

from decimal import Decimal

from engine.exchange.agenda import AnswerArrives, CancelArrives, Entry, OrderArrives, TriggeredArrives
from engine.exchange.clerk import Clerk
from engine.exchange.desk import Desk
from engine.exchange.faults import NO_FAULTS, Fault, FaultKind, FaultPlan
from engine.exchange.latency import travel
from engine.exchange.orders import Reason, Working
from engine.exchange.settings import ExchangeSettings
from engine.model.codec import Data
from engine.model.effects import CancelOrder, PlaceOrder
from engine.model.events import CancelRejected, InstrumentDefined, VenueEvent
from engine.model.fills import Position
from engine.model.instruments import Instrument
from engine.model.market import DepthDelta, DepthSnapshot, MarketEvent, Quote, Trade

VERSION = 2


class SimulatedExchange:
    """One account on any number of instruments of any number of venues. All instants in ns."""

    def __init__(self, settings: ExchangeSettings, faults: FaultPlan = NO_FAULTS) -> None:
        self._settings = settings
        self._faults = faults
        self._clerk = Clerk(settings)
        self._desks: dict[tuple[str, str], Desk] = {}
        self._sent = 0

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
        elif isinstance(event, InstrumentDefined):
            self.define(event.instrument)

    def submit(self, order: PlaceOrder, at: int) -> None:
        """Send `order` at `at`. Everything about it is decided when it arrives."""
        self._sent += 1
        fault = self._faults.of(order.client_id, self._sent)
        if fault is not None:
            self._clerk.mark(order.client_id, fault, at)
            if fault.kind is FaultKind.LOST_ORDER:
                return
        self._clerk.agenda.put(at + self._way(order.client_id, "order"), OrderArrives(order, at))

    def cancel(self, order: CancelOrder, at: int) -> None:
        """Send a wish to cancel at `at`."""
        self._clerk.agenda.put(at + self._way(order.client_id, "cancel"), CancelArrives(order))

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
            desk.arrive(order, entry.sent_at, at)

    def _cancel(self, wish: CancelOrder, at: int) -> None:
        working = self._clerk.working.get(wish.client_id)
        # The regular and the conditional book do not see each other's orders; a triggered order is in neither.
        if working is None or working.conditional is not wish.conditional or working.triggered:
            self._clerk.tell(wish.client_id, CancelRejected(
                client_id=wish.client_id, reason=Reason.UNKNOWN_ORDER.value, venue_at=at), at)
        else:
            self._desk(working.order.venue, working.order.symbol).cancel(working, at)

    def open_orders(self) -> tuple[Working, ...]:
        """Return every live order, in order of arrival."""
        return tuple(self._clerk.working.values())

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
            "version": VERSION, "sent": self._sent, "clerk": self._clerk.dump(),
            "desks": [desk.dump() for _, desk in sorted(self._desks.items())],
        }

    def load(self, data: Data) -> None:
        """Become what `dump` saw; what follows is byte-equal to the uncut run's. ValueError on another version."""
        if data.get("version") != VERSION:
            raise ValueError(f"exchange state of version {data.get('version')!r}, this is {VERSION}")
        self._sent = data["sent"]
        self._clerk.load(data["clerk"])
        self._desks = {}
        for item in data["desks"]:
            self._desk(item["venue"], item["symbol"]).load(item, self._clerk.working.values())
