"""What a strategy is: it reads the market and proposes. It never places an order and never sees a venue.

A strategy is part of the deterministic core: no clock, no randomness, no I/O. What it
remembers must come back from `dump` and `load`, byte for byte. One that raises, in whatever it
is asked, is an internal fault: the engine halts, the strategy is asked no more, and its
positions keep their stops.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from engine.model.codec import Data
from engine.model.events import Event, Input
from engine.model.ledger import OrdersView
from engine.model.orders import Proposal
from engine.model.view import StrategyView
from engine.model.wishes import Wish


class Strategy(Protocol):
    """One strategy of a run. All instants are ns; wishes are done in their order, each reviewed before the next.

    A class that inherits from this one has what it does not write itself: nothing at the start,
    nothing at a flag, nothing by the clock.
    """

    @property
    def name(self) -> str:
        """The proposer of all its orders; lower case, unique in a run."""

    def begin(self, at: int, view: StrategyView) -> Sequence[Wish]:
        """Return what is to be told when a process begins to run it: its counters, so that they are known from here."""
        return ()

    def interested(self, event: Event) -> bool:
        """Whether `event`, which is no order event, may change something; cheap: asked at every event."""

    def on_event(self, item: Input, view: StrategyView, orders: OrdersView) -> Sequence[Wish]:
        """Return the wishes that `item` leads to; order events come without being asked for."""

    def on_flags(self, at: int, view: StrategyView, orders: OrdersView) -> Sequence[Wish]:
        """Return what follows from flags that have other values now: what is switched off ends here."""
        return ()

    def on_timer(self, at: int, view: StrategyView, orders: OrdersView) -> Sequence[Wish]:
        """Return what is wanted at `at`; called at every wake-up of the core, so it asks itself whether it is due."""
        return ()

    def on_refused(self, at: int, proposal: Proposal, reason: str) -> Sequence[Wish]:
        """Take in that policy refused `proposal` of this strategy; return what is to be told, no other proposal."""

    def next_due(self) -> int | None:
        """Return when it wants to be looked at though nothing happened, or None; cheap: asked at every event."""
        return None

    def dump(self) -> Data:
        """Return everything it remembers as JSON data."""

    def load(self, data: Data) -> None:
        """Become what `dump` wrote."""


Maker = Callable[[Data], Strategy]
"""Makes a strategy from its section of `conf/strategies.yaml`, {} where it has none; ValueError where it is wrong."""
