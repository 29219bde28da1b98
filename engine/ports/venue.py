"""A place that takes orders: what the engine may ask of it, and how it answers.

Commands return nothing. What became of an order arrives later as an event, through the
same door as the market, so that no caller can mistake "sent" for "accepted". All
instants are ns.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from engine.model.codec import Data
from engine.model.effects import AskVenue, CancelOrder, PlaceOrder
from engine.model.events import InstrumentDefined, VenueEvent
from engine.model.fills import Position
from engine.model.instruments import Instrument
from engine.model.market import MarketEvent
from engine.model.reports import OrderReport


class Venue(Protocol):
    """The promise that every venue keeps, simulated or real."""

    def place(self, order: PlaceOrder, at: int) -> None:
        """Send `order` once, at `at`. A client id is never sent twice: venues forget them."""

    def cancel(self, order: CancelOrder, at: int) -> None:
        """Ask for an order back, at `at`. It may fill before the wish arrives."""

    def ask(self, ask: AskVenue, at: int) -> None:
        """Ask how something stands, at `at`. The answer, or `QueryFailed`, arrives as an event with its number."""


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

    def open_orders(self) -> tuple[OrderReport, ...]:
        """Return what the venue believes is open: the truth after a crash."""

    def positions(self) -> tuple[Position, ...]:
        """Return every position that is not flat."""

    def dump(self) -> Data:
        """Return the whole state as canonical JSON data."""

    def load(self, data: Data) -> None:
        """Become what `dump` saw; what follows is byte-equal to the uncut venue's."""


class VenueRefused(Exception):
    """A venue that cannot be used: what is wrong and what to do. Never holds a key. Exit code 2."""

    def __init__(self, what: str, fix: str) -> None:
        self.what, self.fix = what, fix
        super().__init__(f"{what}\n    fix: {fix}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One line of a checklist: `verdict` is ok, warn or fail; `fix` is what to do about it."""

    name: str
    verdict: str
    what: str
    fix: str = ""


Tell = Callable[[VenueEvent], None]
"""Takes what a venue says, in the order it said it; never blocks and never fails."""
Gate = Callable[[PlaceOrder], str]
"""Says at the wire why an order may not leave any more; empty while it may."""


class LiveVenue(Venue, Protocol):
    """A venue over a network. `place`, `cancel` and `ask` return at once; the answers come through `Tell`.

    Made with its settings, a `Clock`, a `Tell` and a `Gate`. Every `place` and `cancel` ends
    in exactly one of accepted, rejected, withheld or uncertain; every `ask` in its answer or
    in `QueryFailed`.
    """

    @property
    def name(self) -> str:
        """The venue's name in every noun."""

    async def open(self) -> tuple[InstrumentDefined, ...]:
        """Connect, check clock, key and position mode, and return what can be traded; VenueRefused says why not."""

    async def run(self) -> None:
        """Keep the account's stream, its key and the clock's offset alive until cancelled."""

    async def preflight(self) -> tuple[Check, ...]:
        """Return the checklist of this venue. Never raises."""

    async def close(self, patience_s: float) -> None:
        """Let what is on the wire end for at most `patience_s`, then let go. Orders at the venue stay."""
