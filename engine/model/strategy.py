"""What a strategy is: it reads the market and proposes. It never places an order and never sees a venue.

A strategy is part of the deterministic core: no clock, no randomness, no I/O. What it
remembers must come back from `dump` and `load`, byte for byte.
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
    """One strategy of a run. All instants are ns; wishes are done in their order, each reviewed before the next."""

    @property
    def name(self) -> str:
        """The proposer of all its orders; lower case, unique in a run."""

    def interested(self, event: Event) -> bool:
        """Whether `event`, which is no order event, may change something; cheap: asked at every event."""

    def on_event(self, item: Input, view: StrategyView, orders: OrdersView) -> Sequence[Wish]:
        """Return the wishes that `item` leads to; order events come without being asked for."""

    def on_timer(self, at: int, view: StrategyView, orders: OrdersView) -> Sequence[Wish]:
        """Return what is wanted at `at`; called at every wake-up of the core, so it asks itself whether it is due."""

    def on_refused(self, at: int, proposal: Proposal, reason: str) -> None:
        """Take in that policy refused `proposal` of this strategy."""

    def next_due(self) -> int | None:
        """Return when it wants to be looked at though nothing happened, or None; cheap: asked at every event."""

    def dump(self) -> Data:
        """Return everything it remembers as JSON data."""

    def load(self, data: Data) -> None:
        """Become what `dump` wrote."""


Maker = Callable[[Data], Strategy]
"""Makes a strategy from its section of `conf/strategies.yaml`, {} where it has none; ValueError where it is wrong."""
