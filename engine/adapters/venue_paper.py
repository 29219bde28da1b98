"""The paper venue: a simulated exchange behind the promise of `ports.venue`. Nothing leaves this machine."""

from __future__ import annotations

from decimal import Decimal

from engine.exchange.exchange import SimulatedExchange
from engine.exchange.faults import NO_FAULTS, FaultPlan
from engine.exchange.settings import ExchangeSettings
from engine.model.codec import Data
from engine.model.effects import AskVenue, CancelOrder, PlaceOrder
from engine.model.events import VenueEvent
from engine.model.fills import Position
from engine.model.instruments import Instrument
from engine.model.reports import OrderReport


class PaperVenue:
    """Trades any instrument of the tape, on the account of `settings`."""

    def __init__(self, settings: ExchangeSettings, faults: FaultPlan = NO_FAULTS) -> None:
        self._exchange = SimulatedExchange(settings, faults)
        # Once for each market event: bound here, so that the adapter costs no call of its own.
        self.on_market = self._exchange.on_market

    @property
    def exchange(self) -> SimulatedExchange:
        """What is really so at the venue, for who judges a run from outside."""
        return self._exchange

    def define(self, instrument: Instrument) -> None:
        """Make `instrument` tradable, or change its filters."""
        self._exchange.define(instrument)

    def place(self, order: PlaceOrder, at: int) -> None:
        """Send `order`, once."""
        self._exchange.submit(order, at)

    def cancel(self, order: CancelOrder, at: int) -> None:
        """Ask for an order back."""
        self._exchange.cancel(order, at)

    def ask(self, ask: AskVenue, at: int) -> None:
        """Ask how something stands."""
        self._exchange.ask(ask, at)

    def next_due(self) -> int | None:
        """Return when something next happens here (ns)."""
        return self._exchange.next_due()

    def pop_due(self, at: int) -> list[tuple[int, VenueEvent]]:
        """Let everything up to `at` happen; return (when it reached us, event), in order."""
        return self._exchange.pop_due(at)

    def open_orders(self) -> tuple[OrderReport, ...]:
        """Return what is open, conditional orders included."""
        return tuple(working.report() for working in self._exchange.open_orders())

    def positions(self) -> tuple[Position, ...]:
        """Return every position that is not flat."""
        return self._exchange.positions()

    def balance(self, asset: str) -> Decimal:
        """Return what the account holds of `asset`."""
        return self._exchange.balance(asset)

    def dump(self) -> Data:
        """Return the whole state as canonical JSON data."""
        return self._exchange.dump()

    def load(self, data: Data) -> None:
        """Become what `dump` saw."""
        self._exchange.load(data)
