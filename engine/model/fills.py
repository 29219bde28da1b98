"""Fills and positions: what really happened to our orders and what it left us with."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from engine.model.orders import Intent, Side


class Liquidity(StrEnum):
    """Which side of the trade we were."""

    MAKER = "maker"
    TAKER = "taker"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """One execution of one of our orders.

    `reference_price` is what slippage is measured from: for a taker the opposite touch's
    mid when the venue received the order, for a maker the limit price itself. A real venue
    does not tell it: then it is 0, as `sent_at` is, and what we know of the order stands in.
    """

    client_id: str
    trade_id: str
    venue: str
    symbol: str
    side: Side
    price: Decimal
    quantity: Decimal
    fee: Decimal
    """In quote currency, positive when paid."""
    liquidity: Liquidity
    reference_price: Decimal
    intent: Intent
    venue_at: int
    sent_at: int
    """When the order left us, for fill_ms."""

    def slippage_bps(self) -> float:
        """Return how much worse than the reference the price was, in bps; negative is better, 0 without a reference."""
        if self.reference_price <= 0:
            return 0.0
        edge = (self.price - self.reference_price) * self.side.sign
        return float(edge / self.reference_price) * 10_000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """A net position of one (account, venue, symbol): signed base quantity and its average entry."""

    account: str
    venue: str
    symbol: str
    quantity: Decimal = Decimal(0)
    average_price: Decimal = Decimal(0)
    realized: Decimal = Decimal(0)
    """Realised profit in quote currency since the account started, fees not included."""
    fees: Decimal = Decimal(0)
    opened_at: int = 0

    def after(self, fill: Fill) -> Position:
        """Return the position that `fill` leaves behind."""
        signed = fill.quantity * fill.side.sign
        quantity = self.quantity + signed
        realized, average, opened_at = self.realized, self.average_price, self.opened_at
        adds = self.quantity == 0 or (self.quantity > 0) == (signed > 0)
        if adds:
            cost = self.average_price * abs(self.quantity) + fill.price * fill.quantity
            average = cost / abs(quantity)
            opened_at = fill.venue_at if self.quantity == 0 else opened_at
        else:
            closed = min(abs(signed), abs(self.quantity))
            realized += (fill.price - self.average_price) * closed * (1 if self.quantity > 0 else -1)
            if quantity == 0:
                average, opened_at = Decimal(0), 0
            elif (quantity > 0) != (self.quantity > 0):
                average, opened_at = fill.price, fill.venue_at
        return Position(
            account=self.account, venue=self.venue, symbol=self.symbol, quantity=quantity,
            average_price=average, realized=realized, fees=self.fees + fill.fee, opened_at=opened_at,
        )
