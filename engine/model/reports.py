"""What a venue answers when it is asked: orders, positions, trades, income, as it believes them.

A report is evidence, not an event of its own: it says how things stood at the venue when the
question was sent. What is missing from a list proves nothing; what is asked for by its id
and not found proves something about that book at that instant, and about nothing else.
All instants are ns, quantities in base, prices and money in quote currency unless said.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from engine.model.orders import OrderKind, OrderState, Side


class Query(StrEnum):
    """What a venue can be asked."""

    ORDER = "order"
    """One order by its client id, in one book."""
    ACCOUNT = "account"
    """Every position, every open order of both books, every balance, in one answer."""
    TRADES = "trades"
    """Our own trades of one symbol since an instant."""
    INCOME = "income"
    """Funding, fees and transfers since an instant."""
    PROBE = "probe"
    """Whether a stop can be had: place one far away, find it, take it back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderReport:
    """One order as the venue knows it. `state` is OPEN, PARTLY_FILLED, FILLED, CANCELLED, REJECTED or EXPIRED."""

    client_id: str
    """Empty for one that somebody placed without an id."""
    venue_order_id: str
    venue: str
    symbol: str
    side: Side
    kind: OrderKind
    state: OrderState
    quantity: Decimal | None
    """None closes the whole position."""
    executed: Decimal = Decimal(0)
    average_price: Decimal = Decimal(0)
    limit_price: Decimal | None = None
    trigger_price: Decimal | None = None
    reduce_only: bool = False
    close_position: bool = False
    conditional: bool = False
    """It is, or was until it triggered, in the conditional book."""
    child_id: str = ""
    """Venue id of the market order that a triggered conditional order became; empty before."""
    reason: str = ""
    """Why the venue ended it, in its words."""
    updated_at: int = 0

    @property
    def remaining(self) -> Decimal | None:
        """What is not executed, None for one on the whole position."""
        return None if self.quantity is None else max(self.quantity - self.executed, Decimal(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionReport:
    """A position that is not flat, as the venue believes it: signed base quantity."""

    venue: str
    symbol: str
    quantity: Decimal
    entry_price: Decimal
    mark_price: Decimal = Decimal(0)
    liquidation_price: Decimal = Decimal(0)
    leverage: Decimal = Decimal(0)
    updated_at: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceReport:
    """What the account holds of one asset, in its units."""

    asset: str
    free: Decimal
    total: Decimal


class IncomeKind(StrEnum):
    """What moved the balance beside trading."""

    FUNDING = "funding"
    FEE = "fee"
    TRANSFER = "transfer"
    REALIZED = "realized"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Income:
    """One movement of the balance, exactly once by (`venue`, `kind`, `transfer_id`). Positive is received."""

    venue: str
    kind: IncomeKind
    transfer_id: str
    """The venue's own id of the movement."""
    asset: str
    amount: Decimal
    symbol: str = ""
    venue_at: int = 0


class Rejection(StrEnum):
    """Why an order was refused, in words that hold for every venue; its own code stands beside it."""

    OTHER = "other"
    WOULD_TRIGGER = "would_trigger"
    """A stop through which the price already is: whoever wanted it must sell now."""
    WOULD_TAKE = "would_take"
    """A post-only order that would have been a taker: evidence for a maker gate, no fault."""
    NOT_REDUCING = "not_reducing"
    """Reduce-only, and nothing left to reduce: read the position again."""
    CLOSE_EXISTS = "close_exists"
    """There is a stop on the whole position already: find it."""
    FILTER = "filter"
    MARGIN = "margin"
    PRICE_BAND = "price_band"
    TOO_MANY = "too_many"
    """The venue takes no more orders of the sort."""
    LIMITED = "limited"
    """Too many requests: nothing at all may be sent until the venue says so."""
    CLOCK = "clock"
    """The request came from too far in the past or the future."""
    PERMISSION = "permission"
    """The key may not do this."""
    CAPABILITY = "capability"
    """The venue does not take such an order here any more."""
    NOT_SENT = "not_sent"
    """It never left this machine."""
