"""How much of a position is beyond what it is to be, and what of that nobody could sell."""

from __future__ import annotations

from decimal import Decimal

from engine.model.fills import Position
from engine.model.instruments import Instrument, MarketKind


def excess_of(quantity: Decimal, target: Decimal) -> Decimal:
    """Return how much of the position is beyond the target, in base; a target on the other side is flat."""
    same_side = quantity * target > 0
    return max(abs(quantity) - (abs(target) if same_side else Decimal(0)), Decimal(0))


def is_dust(excess: Decimal, position: Position, instrument: Instrument) -> bool:
    """Whether `excess` of `position` is too little for an order."""
    quantity = instrument.floor_quantity(excess)
    if quantity < max(instrument.min_quantity, instrument.step):
        return True
    # Futures take any reduce-only order above the step; spot does not.
    worth = quantity * position.average_price * instrument.contract_size
    return instrument.kind is MarketKind.SPOT and worth < instrument.min_notional
