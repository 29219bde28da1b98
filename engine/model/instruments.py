"""What can be traded and how finely. Without it an order is refused."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from enum import StrEnum


class MarketKind(StrEnum):
    """Where an order for the instrument goes; only futures know reduce-only."""

    SPOT = "spot"
    PERPETUAL = "perpetual"


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """One tradable thing. `tick` is in quote currency, `step` in base, `min_notional` in quote."""

    venue: str
    symbol: str
    base: str
    quote: str
    kind: MarketKind
    tick: Decimal
    step: Decimal
    min_quantity: Decimal
    max_quantity: Decimal
    min_notional: Decimal
    contract_size: Decimal = Decimal(1)
    taker_fee_bps: Decimal = Decimal(5)
    maker_fee_bps: Decimal = Decimal(2)

    def floor_quantity(self, quantity: Decimal) -> Decimal:
        """Return `quantity` on the step, never more than asked: rounding up would add risk."""
        return (quantity / self.step).to_integral_value(ROUND_FLOOR) * self.step

    def price_down(self, price: Decimal) -> Decimal:
        """Return the nearest tick at or below `price`."""
        return (price / self.tick).to_integral_value(ROUND_FLOOR) * self.tick

    def price_up(self, price: Decimal) -> Decimal:
        """Return the nearest tick at or above `price`."""
        return (price / self.tick).to_integral_value(ROUND_CEILING) * self.tick
