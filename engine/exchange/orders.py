"""Orders as the exchange holds them, and the words it refuses and ends them with."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from engine.exchange.queue_model import QueuePlace
from engine.model.codec import Data, decimal_text, from_data, to_data
from engine.model.effects import PlaceOrder
from engine.model.fills import Liquidity
from engine.model.orders import CONDITIONAL_KINDS, OrderState
from engine.model.reports import OrderReport, Rejection

_ZERO = Decimal(0)


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
    EXPIRED = "expired"
    """The exchange took it out by itself."""
    POSITION_CLOSED = "position_closed"

    @property
    def code(self) -> str:
        """The reason as this exchange's own code."""
        return self.value.upper()

    @property
    def rejection(self) -> Rejection:
        """The reason in the words that hold for every venue."""
        return _REJECTIONS.get(self, Rejection.OTHER)

    @property
    def ending(self) -> OrderState:
        """What an order is that ended for this reason: taken back by its owner, or by the exchange."""
        return OrderState.CANCELLED if self is Reason.REQUESTED else OrderState.EXPIRED


_REJECTIONS = {
    Reason.TICK: Rejection.FILTER, Reason.STEP: Rejection.FILTER, Reason.MIN_QUANTITY: Rejection.FILTER,
    Reason.MAX_QUANTITY: Rejection.FILTER, Reason.MIN_NOTIONAL: Rejection.FILTER,
    Reason.PRICE_BAND: Rejection.PRICE_BAND, Reason.REDUCE_ONLY: Rejection.NOT_REDUCING,
    Reason.NO_POSITION: Rejection.NOT_REDUCING, Reason.POST_ONLY: Rejection.WOULD_TAKE,
    Reason.WOULD_TRIGGER: Rejection.WOULD_TRIGGER, Reason.TOO_MANY_ORDERS: Rejection.TOO_MANY,
    Reason.CLOSE_EXISTS: Rejection.CLOSE_EXISTS, Reason.INSUFFICIENT_MARGIN: Rejection.MARGIN,
    Reason.INSUFFICIENT_BALANCE: Rejection.MARGIN,
}


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
    on_mark: bool = False
    """Whether its trigger waits for the mark price instead of the contract price."""
    executed: Decimal = _ZERO
    cost: Decimal = _ZERO
    """Sum of price times quantity of what was executed."""
    child_id: str = ""
    """Venue id of the market order that it became when it triggered."""
    hidden_until: int = 0
    """Until when no question and no stream shows it (a fault), in ns."""
    updated_at: int = 0

    @property
    def conditional(self) -> bool:
        """Whether it is, or before its trigger was, in the conditional book."""
        return self.order.kind in CONDITIONAL_KINDS

    @property
    def reduces(self) -> bool:
        """Whether it may only bring the position nearer to flat."""
        return self.order.reduce_only or self.order.close_position

    def report(self, state: OrderState | None = None, reason: str = "") -> OrderReport:
        """Return what the exchange tells who asks for the order; `state` and `reason` where it has ended."""
        order = self.order
        live = OrderState.PARTLY_FILLED if self.executed else OrderState.OPEN
        return OrderReport(
            client_id=order.client_id, venue_order_id=self.venue_order_id, venue=order.venue, symbol=order.symbol,
            side=order.side, kind=order.kind, state=state or live, quantity=order.quantity, executed=self.executed,
            average_price=self.cost / self.executed if self.executed else _ZERO, limit_price=order.limit_price,
            trigger_price=order.trigger_price, reduce_only=order.reduce_only, close_position=order.close_position,
            conditional=self.conditional, child_id=self.child_id, reason=reason, updated_at=self.updated_at,
        )

    def dump(self) -> Data:
        """Return the order as JSON data."""
        place = self.place
        return {
            "order": to_data(self.order), "venue_order_id": self.venue_order_id,
            "remaining": decimal_text(self.remaining), "sent_at": self.sent_at, "number": self.number,
            "place": to_data(place), "limit": self.limit, "triggered": self.triggered, "on_mark": self.on_mark,
            "executed": decimal_text(self.executed), "cost": decimal_text(self.cost), "child_id": self.child_id,
            "hidden_until": self.hidden_until, "updated_at": self.updated_at,
        }

    @classmethod
    def load(cls, data: Data) -> Working:
        """Return the order that `dump` wrote."""
        place = data["place"]
        return cls(
            order=from_data(PlaceOrder, data["order"]), venue_order_id=data["venue_order_id"],
            remaining=Decimal(data["remaining"]), sent_at=data["sent_at"], number=data["number"],
            place=None if place is None else from_data(QueuePlace, place), limit=float(data["limit"]),
            triggered=data["triggered"], on_mark=data["on_mark"], executed=Decimal(data["executed"]),
            cost=Decimal(data["cost"]), child_id=data["child_id"], hidden_until=data["hidden_until"],
            updated_at=data["updated_at"],
        )
