"""One order of ours as the request that Binance wants, or the reason why it may not leave.

Pure. Prices are rounded to the safe side: a limit never worse than asked, a trigger never later.
A quantity is never rounded: what is not on the step was not reviewed as such and is refused here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from engine.adapters.venue_ccxt_rate import Cost, SendLane
from engine.adapters.venue_ccxt_wire import Endpoint
from engine.model.codec import decimal_text
from engine.model.effects import PlaceOrder
from engine.model.instruments import Instrument
from engine.model.orders import CONDITIONAL_KINDS, ENTRY_INTENTS, Intent, OrderKind, Side
from engine.model.reports import Rejection

_ID = re.compile(r"[.A-Z:/a-z0-9_-]{1,36}")
PLACE = Endpoint(method="fapiPrivatePostOrder", cost=Cost(weight=1, orders=1))
PLACE_CONDITIONAL = Endpoint(method="fapiPrivatePostAlgoOrder", cost=Cost(weight=1, orders=1))
CANCEL = Endpoint(method="fapiPrivateDeleteOrder")
CANCEL_CONDITIONAL = Endpoint(method="fapiPrivateDeleteAlgoOrder")
_WORDS = {
    OrderKind.MARKET: "MARKET", OrderKind.LIMIT: "LIMIT", OrderKind.STOP_MARKET: "STOP_MARKET",
    OrderKind.TAKE_PROFIT_MARKET: "TAKE_PROFIT_MARKET",
}
_ZERO = Decimal(0)


class NotSendable(Exception):
    """An order that would be refused or misunderstood: `what` is wrong with it. Nothing was sent."""

    def __init__(self, what: str, kind: Rejection = Rejection.NOT_SENT) -> None:
        self.what, self.kind = what, kind
        super().__init__(what)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRequest:
    """Where an order goes and with which words."""

    endpoint: Endpoint
    params: dict[str, str]
    conditional: bool


def lane_of(order: PlaceOrder) -> SendLane:
    """Return the lane of an order: what protects goes before what adds risk."""
    return SendLane.ENTRY if order.intent in ENTRY_INTENTS or order.intent is Intent.HEDGE else SendLane.SAFETY


def order_request(order: PlaceOrder, instrument: Instrument | None, working_type: str) -> OrderRequest:
    """Return the request for `order`; NotSendable says why there is none."""
    if instrument is None:
        raise NotSendable(f"{order.symbol} is no instrument of this venue's settings")
    if _ID.fullmatch(order.client_id) is None:
        raise NotSendable(f"client id {order.client_id!r} is not 1 to 36 letters, digits, . : / _ or -")
    params = {"symbol": order.symbol, "side": order.side.value.upper(), "type": _WORDS[order.kind]}
    if order.kind in CONDITIONAL_KINDS:
        params |= _conditional(order, instrument, working_type)
        return OrderRequest(endpoint=PLACE_CONDITIONAL, params=params, conditional=True)
    if order.close_position:
        raise NotSendable("only a conditional order may be on the whole position")
    params |= {"newClientOrderId": order.client_id, "newOrderRespType": "RESULT",
               "quantity": quantity_text(order, instrument)}
    if order.kind is OrderKind.LIMIT:
        if order.limit_price is None:
            raise NotSendable("a limit order without a limit price")
        if order.post_only and order.immediate:
            raise NotSendable("an order cannot be both post-only and immediate")
        params["price"] = limit_text(order.limit_price, order.side, instrument)
        params["timeInForce"] = "GTX" if order.post_only else "IOC" if order.immediate else "GTC"
    elif order.post_only:
        raise NotSendable("a market order cannot be post-only")
    if order.reduce_only:
        params["reduceOnly"] = "true"
    return OrderRequest(endpoint=PLACE, params=params, conditional=False)


def _conditional(order: PlaceOrder, instrument: Instrument, working_type: str) -> dict[str, str]:
    if order.trigger_price is None:
        raise NotSendable("a conditional order without a trigger price")
    params = {
        "algoType": "CONDITIONAL", "clientAlgoId": order.client_id, "workingType": working_type,
        "triggerPrice": trigger_text(order.trigger_price, order.side, order.kind, instrument),
    }
    if order.close_position:
        # The venue wants neither quantity nor reduceOnly beside it: the whole position is both.
        params["closePosition"] = "true"
        return params
    params["quantity"] = quantity_text(order, instrument)
    if order.reduce_only:
        params["reduceOnly"] = "true"
    return params


def quantity_text(order: PlaceOrder, instrument: Instrument) -> str:
    """Return the quantity as it was reviewed; NotSendable where it is not on the step or out of bounds."""
    quantity = order.quantity
    if quantity is None or not quantity.is_finite() or quantity <= 0:
        raise NotSendable(f"quantity {quantity} is no amount above zero")
    if quantity % instrument.step != 0:
        raise NotSendable(f"quantity {quantity} is not on the step {instrument.step}")
    if quantity < instrument.min_quantity or quantity > instrument.max_quantity:
        raise NotSendable(f"quantity {quantity} is not in {instrument.min_quantity} to {instrument.max_quantity}")
    return decimal_text(quantity)


def limit_text(price: Decimal, side: Side, instrument: Instrument) -> str:
    """Return a limit on the tick: a buy never pays more than asked, a sell never takes less."""
    return _price_text(price, instrument, up=side is Side.SELL)


def trigger_text(price: Decimal, side: Side, kind: OrderKind, instrument: Instrument) -> str:
    """Return a trigger on the tick, on the side that is reached first: protection comes early, not late."""
    falls_to = (side is Side.SELL) == (kind is OrderKind.STOP_MARKET)
    return _price_text(price, instrument, up=falls_to)


def _price_text(price: Decimal, instrument: Instrument, *, up: bool) -> str:
    if not price.is_finite() or price <= 0 or price.adjusted() > 20:
        raise NotSendable(f"price {price} is none")
    rounded = instrument.price_up(price) if up else instrument.price_down(price)
    if rounded <= _ZERO:
        raise NotSendable(f"price {price} is below one tick ({instrument.tick})")
    return decimal_text(rounded)
