"""When a stop or a take-profit triggers: on the contract price (see `Book.contract_price`) or on the mark.

A sell stop and a buy take-profit wait for the price to fall to their trigger, a buy stop and
a sell take-profit for it to rise. One that would trigger at once is refused, not executed:
it was meant for another market. Triggered is not filled: what follows is a market order
with its own way to the book.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from engine.exchange.orders import Reason, Working
from engine.model.effects import PlaceOrder
from engine.model.orders import OrderKind, Side


def triggers(order: PlaceOrder, price: Decimal) -> bool:
    """Whether the conditional `order` triggers at `price`, contract or mark as it was placed."""
    if order.trigger_price is None:
        return False
    waits_for_fall = (order.kind is OrderKind.STOP_MARKET) is (order.side is Side.SELL)
    return price <= order.trigger_price if waits_for_fall else price >= order.trigger_price


def refusal(order: PlaceOrder, price: Decimal, held: Iterable[Working], *, one_close_per_side: bool) -> Reason | None:
    """Return why the conditional `order` cannot join those `held` on its symbol, or None."""
    if triggers(order, price):
        return Reason.WOULD_TRIGGER
    if one_close_per_side and order.close_position:
        for other in held:
            same = other.order.kind is order.kind and other.order.side is order.side
            if same and other.order.close_position:
                return Reason.CLOSE_EXISTS
    return None
