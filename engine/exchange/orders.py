"""Orders as the exchange holds them, and the words it refuses and ends them with."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from engine.exchange.queue_model import QueuePlace
from engine.model.codec import Data, decimal_text, from_data, to_data
from engine.model.effects import PlaceOrder
from engine.model.fills import Liquidity
from engine.model.orders import CONDITIONAL_KINDS


class Reason(StrEnum):
    """Why an order was refused or ended, in words that adapters translate into a venue's own codes."""

    UNKNOWN_INSTRUMENT = "unknown_instrument"
    BAD_ORDER = "bad_order"
    """A price or quantity that this kind of order needs is missing, or two of its fields exclude each other."""
    DUPLICATE_CLIENT_ID = "duplicate_client_id"
    TICK = "tick"
    STEP = "step"
    MIN_QUANTITY = "min_quantity"
    MAX_QUANTITY = "max_quantity"
    MIN_NOTIONAL = "min_notional"
    PRICE_BAND = "price_band"
    NO_MARKET = "no_market"
    REDUCE_ONLY = "reduce_only"
    """It would open or increase a position; most often the position is already gone."""
    NO_POSITION = "no_position"
    POST_ONLY = "post_only"
    WOULD_TRIGGER = "would_trigger"
    TOO_MANY_ORDERS = "too_many_orders"
    CLOSE_EXISTS = "close_exists"
    INSUFFICIENT_MARGIN = "insufficient_margin"
    INSUFFICIENT_BALANCE = "insufficient_balance"
    UNKNOWN_ORDER = "unknown_order"
    REQUESTED = "requested"
    IOC = "ioc"
    POSITION_CLOSED = "position_closed"

    @property
    def code(self) -> str:
        """The reason as this exchange's own code."""
        return self.value.upper()


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """What one order got: `quantity` in base at `price`; slippage is measured from `reference`."""

    price: Decimal
    quantity: Decimal
    liquidity: Liquidity
    reference: Decimal


@dataclass(slots=True)
class Working:
    """One live order. `remaining` in base; 0 for a conditional order on the whole position."""

    order: PlaceOrder
    venue_order_id: str
    remaining: Decimal
    sent_at: int
    number: int
    """In order of arrival: time priority among our own."""
    place: QueuePlace | None = None
    """Its place in the queue, while it rests in the book."""
    limit: float = 0.0
    """The limit price as the market writes prices."""
    triggered: bool = False

    @property
    def conditional(self) -> bool:
        """Whether it is, or before its trigger was, in the conditional book."""
        return self.order.kind in CONDITIONAL_KINDS

    @property
    def reduces(self) -> bool:
        """Whether it may only bring the position nearer to flat."""
        return self.order.reduce_only or self.order.close_position

    def dump(self) -> Data:
        """Return the order as JSON data."""
        place = self.place
        return {
            "order": to_data(self.order), "venue_order_id": self.venue_order_id,
            "remaining": decimal_text(self.remaining), "sent_at": self.sent_at, "number": self.number,
            "place": to_data(place), "limit": self.limit, "triggered": self.triggered,
        }

    @classmethod
    def load(cls, data: Data) -> Working:
        """Return the order that `dump` wrote."""
        place = data["place"]
        return cls(
            order=from_data(PlaceOrder, data["order"]), venue_order_id=data["venue_order_id"],
            remaining=Decimal(data["remaining"]), sent_at=data["sent_at"], number=data["number"],
            place=None if place is None else from_data(QueuePlace, place), limit=float(data["limit"]),
            triggered=data["triggered"],
        )
