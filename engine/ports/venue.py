"""A place that takes orders: what the engine may ask of it, and how it answers.

Commands return nothing. What became of an order arrives later as an event, through the
same door as the market, so that no caller can mistake "sent" for "accepted". All
instants are ns.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from engine.model.codec import Data
from engine.model.effects import CancelOrder, PlaceOrder
from engine.model.events import InstrumentDefined, VenueEvent
from engine.model.fills import Position
from engine.model.instruments import Instrument
from engine.model.market import MarketEvent
from engine.model.orders import OrderKind, Side


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueOrder:
    """An order as the venue believes it open. `remaining` in base; None means the whole position."""

    client_id: str
    venue_order_id: str
    venue: str
    symbol: str
    side: Side
    kind: OrderKind
    remaining: Decimal | None
    limit_price: Decimal | None
    trigger_price: Decimal | None
    reduce_only: bool
    conditional: bool
    """It waits in the conditional book, where a regular cancel or list does not see it."""


class Venue(Protocol):
    """The promise that every venue keeps, simulated or real."""

    def place(self, order: PlaceOrder, at: int) -> None:
        """Send `order` once, at `at`. A client id is never sent twice: venues forget them."""

    def cancel(self, order: CancelOrder, at: int) -> None:
        """Ask for an order back, at `at`. It may fill before the wish arrives."""


class SimulatedVenue(Venue, Protocol):
    """A venue in virtual time: it lives on the tape's market and answers when its driver says so.

    The driver calls `pop_due` at every `next_due` instant before it shows a market event of
    that instant or later, so that an order meets the book of the moment it arrives.
    """

    def define(self, instrument: Instrument) -> None:
        """Make `instrument` tradable, or change its filters."""

    def on_market(self, event: MarketEvent | InstrumentDefined, at: int) -> None:
        """Show what happened in the market at `at`."""

    def next_due(self) -> int | None:
        """Return when something next happens here: an order arrives, or an answer reaches us."""

    def pop_due(self, at: int) -> list[tuple[int, VenueEvent]]:
        """Let everything up to `at` happen; return (when it reached us, event), in order."""

    def open_orders(self) -> tuple[VenueOrder, ...]:
        """Return what the venue believes is open: the truth after a crash."""

    def positions(self) -> tuple[Position, ...]:
        """Return every position that is not flat."""

    def dump(self) -> Data:
        """Return the whole state as canonical JSON data."""

    def load(self, data: Data) -> None:
        """Become what `dump` saw; what follows is byte-equal to the uncut venue's."""
