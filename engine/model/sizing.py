"""From money to a quantity that the venue takes, never more than was asked for."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from engine.model.instruments import Instrument


@dataclass(frozen=True, slots=True, kw_only=True)
class Sized:
    """What an entry may be worth (quote currency), and why it is not the usual size: empty where it is."""

    notional: Decimal
    why: str = ""


def quantity_for(notional: Decimal, price: Decimal, instrument: Instrument) -> Decimal:
    """Return the base quantity that `notional` (quote currency) buys at `price`, floored to the step.

    0 when it would be below the venue's minimum; at most the venue's maximum. The policy's
    cutbacks come later, in review: they are not this function's business.
    """
    if notional <= 0 or price <= 0:
        return Decimal(0)
    quantity = instrument.floor_quantity(min(notional / (price * instrument.contract_size), instrument.max_quantity))
    worth = quantity * price * instrument.contract_size
    return quantity if quantity >= instrument.min_quantity and worth >= instrument.min_notional else Decimal(0)
