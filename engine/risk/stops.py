"""Every position has its stop at the venue: proven, and repaired where it is not."""

from __future__ import annotations

from collections.abc import Sequence

from engine.model.codec import Data
from engine.model.events import Input
from engine.model.ledger import OrdersView
from engine.model.orders import Proposal
from engine.model.restraints import InForce
from engine.model.samples import Derived
from engine.model.view import View
from engine.model.wishes import Wish


class StopValidator:
    """Watches the stops of all positions of one account."""

    def begin(self, at: int, venues: Sequence[str]) -> None:
        """A run begins or goes on in a new process; `venues` take real orders."""

    def on_event(self, item: Input, view: View, orders: OrdersView) -> list[Derived]:
        """Take what a venue said; return samples. Called for every venue event."""
        return []

    def after_event(self, at: int, view: View, orders: OrdersView) -> list[Wish]:
        """Return what the last event makes necessary."""
        return []

    def next_due(self) -> int | None:
        """Return when something is due (ns), or None."""
        return None

    def on_timer(self, at: int, view: View, orders: OrdersView) -> list[Derived]:
        """Return the samples that are due."""
        return []

    def due(self, at: int, view: View, orders: OrdersView) -> list[Wish]:
        """Return what is due to be asked or repaired."""
        return []

    def holds(self) -> tuple[InForce, ...]:
        """Return what is restrained because stops cannot be had."""
        return ()

    def on_refused(self, at: int, proposal: Proposal, reason: str) -> None:
        """Policy refused a proposal."""

    def dump(self) -> Data:
        """Return everything as JSON data."""
        return {}

    def load(self, data: Data) -> None:
        """Become what `dump` wrote."""
