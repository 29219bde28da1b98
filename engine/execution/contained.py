"""What orders executed unseen and was counted with a position that was taken over, before its fills came."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from engine.model.codec import Data, decimal_text, plain
from engine.model.fills import Fill


class Contained:
    """Base quantities by client id; fills that come after all use them up."""

    def __init__(self) -> None:
        self._credits: dict[str, Decimal] = {}

    def add(self, client_id: str, quantity: Decimal) -> None:
        """`quantity` of the order is counted as filled."""
        self._credits[client_id] = plain(self._credits.get(client_id, Decimal(0)) + quantity)

    def less(self, fill: Fill) -> Fill:
        """Return `fill` less what was counted of its order already."""
        credit = self._credits.pop(fill.client_id, Decimal(0))
        if credit > fill.quantity:
            self._credits[fill.client_id] = plain(credit - fill.quantity)
        return replace(fill, quantity=max(fill.quantity - credit, Decimal(0)))

    def dump(self) -> Data:
        """Return everything as JSON data."""
        return {name: decimal_text(credit) for name, credit in sorted(self._credits.items())}

    def load(self, data: Data) -> None:
        """Become what `dump` wrote."""
        self._credits = {name: Decimal(credit) for name, credit in data.items()}
