"""How an approved wish is executed: as a taker, as a taker with a cap, or as a maker who follows the touch."""

from __future__ import annotations

from collections.abc import Callable

from engine.model.codec import Data
from engine.model.events import Event, Input
from engine.model.ledger import OrdersView
from engine.model.orders import Proposal
from engine.model.samples import Derived
from engine.model.terms import ExecutionTerms
from engine.model.view import View
from engine.model.wishes import Wish

Granted = Callable[[str, str, str], bool]
"""Whether makers are allowed for (venue, symbol, intent) now."""


class Router:
    """Chooses the style of each proposal and works those that rest."""

    def __init__(self, terms: ExecutionTerms) -> None:
        self._terms = terms

    def route(self, at: int, proposal: Proposal, view: View, granted: Granted) -> Proposal:
        """Return `proposal` as it is to be executed. Policy reviews what comes out."""
        return proposal

    def interested(self, event: Event) -> bool:
        """Whether a market event matters; cheap, because it is asked at every event."""
        return False

    def on_event(self, item: Input, view: View, orders: OrdersView) -> list[Derived]:
        """Take a venue event, or a market event that matters; return samples."""
        return []

    def after_event(self, at: int, view: View, orders: OrdersView) -> list[Wish]:
        """Return what the last event makes necessary."""
        return []

    def next_due(self) -> int | None:
        """Return when something is due (ns), or None."""
        return None

    def due(self, at: int, view: View, orders: OrdersView) -> list[Wish]:
        """Return what is due: an order that follows, one whose time is over."""
        return []

    def on_refused(self, at: int, proposal: Proposal, reason: str) -> None:
        """Policy refused a proposal."""

    def dump(self) -> Data:
        """Return everything as JSON data."""
        return {}

    def load(self, data: Data) -> None:
        """Become what `dump` wrote."""
