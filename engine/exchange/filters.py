"""What the exchange refuses on sight: by the instrument's filters, the position and the price band.

Only the order and the state at its arrival count; nothing is rounded into shape, because
a venue does not do that either. Exact: all in Decimal.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from engine.exchange.orders import Reason
from engine.model.effects import PlaceOrder
from engine.model.instruments import Instrument, MarketKind
from engine.model.orders import CONDITIONAL_KINDS, OrderKind, Side

_BPS = Decimal(10_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What an order meets on arrival: signed position in base, mid in quote (None without a market)."""

    position: Decimal
    mid: Decimal | None
    price_band_bps: Decimal


def refusal(order: PlaceOrder, instrument: Instrument, standing: Standing) -> Reason | None:
    """Return why `order` cannot be taken, or None; the first reason in the order a venue checks them."""
    return (
        _shape(order, instrument)
        or _prices(order, instrument)
        or _quantity(order, instrument)
        or _position(order, standing)
        or _market(order, instrument, standing)
    )


def _shape(order: PlaceOrder, instrument: Instrument) -> Reason | None:
    limit, conditional = order.kind is OrderKind.LIMIT, order.kind in CONDITIONAL_KINDS
    whole = order.quantity is None
    wrong = (
        limit is not (order.limit_price is not None)
        or conditional is not (order.trigger_price is not None)
        or whole is not order.close_position
        or (whole and limit)
        or (order.post_only and not limit)
        or (order.immediate and (order.post_only or conditional))
        or (not whole and order.quantity is not None and order.quantity <= 0)
        # Spot has no position that could be reduced, only balances.
        or (instrument.kind is MarketKind.SPOT and (order.reduce_only or order.close_position))
    )
    return Reason.BAD_ORDER if wrong else None


def _prices(order: PlaceOrder, instrument: Instrument) -> Reason | None:
    for price in (order.limit_price, order.trigger_price):
        if price is not None and (price <= 0 or price % instrument.tick != 0):
            return Reason.TICK
    return None


def _quantity(order: PlaceOrder, instrument: Instrument) -> Reason | None:
    quantity = order.quantity
    if quantity is None:
        return None
    if quantity % instrument.step != 0:
        return Reason.STEP
    if quantity < instrument.min_quantity:
        return Reason.MIN_QUANTITY
    return Reason.MAX_QUANTITY if quantity > instrument.max_quantity else None


def _position(order: PlaceOrder, standing: Standing) -> Reason | None:
    if order.close_position and standing.position == 0:
        return Reason.NO_POSITION
    if order.kind in CONDITIONAL_KINDS and not order.close_position:
        # A reduce-only conditional order is judged when it triggers, not before.
        return None
    if (order.reduce_only or order.close_position) and standing.position * order.side.sign >= 0:
        return Reason.REDUCE_ONLY
    return None


def _market(order: PlaceOrder, instrument: Instrument, standing: Standing) -> Reason | None:
    if standing.mid is None:
        return Reason.NO_MARKET
    band = standing.mid * standing.price_band_bps / _BPS
    if order.limit_price is not None:
        beyond = (order.limit_price - standing.mid) * order.side.sign
        if beyond > band:
            return Reason.PRICE_BAND
    exempt = order.reduce_only or order.close_position or order.quantity is None
    if not exempt and order.quantity is not None:
        price = order.limit_price or order.trigger_price or standing.mid
        if price * order.quantity * instrument.contract_size < instrument.min_notional:
            return Reason.MIN_NOTIONAL
    return None


def band_limit(side: Side, mid: Decimal, band_bps: Decimal) -> Decimal:
    """Return the worst price at which an order of `side` may fill, in quote currency."""
    return mid + mid * band_bps / _BPS * side.sign
