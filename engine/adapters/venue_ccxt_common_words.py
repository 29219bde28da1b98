"""ccxt's common structures as our nouns. What is missing or no number refuses with its place."""

from __future__ import annotations

from decimal import Decimal

from engine.adapters.venue_binance_payloads import TradePart
from engine.adapters.venue_binance_reading import PayloadRefused, Reader
from engine.model.codec import Data
from engine.model.instruments import Instrument, MarketKind
from engine.model.orders import OrderKind, OrderState, Side
from engine.model.reports import BalanceReport, OrderReport

_STATES = {
    "open": OrderState.OPEN, "closed": OrderState.FILLED, "canceled": OrderState.CANCELLED,
    "expired": OrderState.EXPIRED, "rejected": OrderState.REJECTED, "canceling": OrderState.OPEN,
}
_ZERO = Decimal(0)
_UNBOUNDED = Decimal(10) ** 12


def instruments_of(data: Data, venue: str) -> tuple[dict[str, Instrument], dict[str, str]]:
    """Return the active spot pairs of load_markets by our symbol, and ccxt's name of each."""
    found: dict[str, Instrument] = {}
    names: dict[str, str] = {}
    for name, row in data.items() if isinstance(data, dict) else ():
        try:
            market = Reader(row, f"markets.{name}")
            if not market.yes("spot", False) or not market.yes("active", True):
                continue
            one = _instrument(market, venue)
        except PayloadRefused:
            continue
        found[one.symbol], names[one.symbol] = one, name
    return found, names


def _instrument(market: Reader, venue: str) -> Instrument:
    limits, precision = market.inner("limits"), market.inner("precision")
    amount = limits.inner("amount")
    cost = limits.inner("cost") if limits.has("cost") else None
    base, quote = market.name("base"), market.name("quote")
    return Instrument(
        venue=venue, symbol=f"{base}{quote}", base=base, quote=quote, kind=MarketKind.SPOT,
        tick=precision.positive("price"), step=precision.positive("amount"),
        min_quantity=amount.at_least_zero("min", _ZERO), max_quantity=amount.number("max", _UNBOUNDED),
        min_notional=cost.at_least_zero("min", _ZERO) if cost is not None else _ZERO,
    )


def order_of(data: Data, venue: str, symbol: str) -> OrderReport:
    """Return ccxt's order; PayloadRefused where its id, side, state or amounts are missing."""
    order = Reader(data, "order")
    state = _STATES.get(order.text("status"))
    if state is None:
        raise order.refuse("status", "no status that is known here")
    executed = order.at_least_zero("filled")
    if state is OrderState.OPEN and executed:
        state = OrderState.PARTLY_FILLED
    return OrderReport(
        client_id=order.text("clientOrderId", ""), venue_order_id=order.id("id"), venue=venue, symbol=symbol,
        side=_side(order), kind=OrderKind.LIMIT if order.text("type") == "limit" else OrderKind.MARKET, state=state,
        quantity=order.at_least_zero("amount"), executed=executed, average_price=order.at_least_zero("average", _ZERO),
        limit_price=order.unless_zero("price"), updated_at=order.instant("timestamp", 0),
    )


def trade_of(data: Data, symbol: str) -> TradePart:
    """Return ccxt's trade; PayloadRefused where its id, price, amount or maker flag is missing."""
    trade = Reader(data, "trade")
    fee = trade.inner("fee") if trade.has("fee") else None
    paid = fee is not None and fee.has("cost")
    return TradePart(
        symbol=symbol, trade_id=trade.id("id"), order_id=trade.id("order"), side=_side(trade),
        price=trade.positive("price"), quantity=trade.positive("amount"),
        fee=fee.number("cost") if fee is not None and paid else _ZERO,
        fee_asset=fee.text("currency", "") if fee is not None else "", maker=trade.text("takerOrMaker") == "maker",
        venue_at=trade.instant("timestamp"),
    )


def balances_of(data: Data) -> tuple[BalanceReport, ...]:
    """Return what ccxt's balance holds, every asset of which there is any."""
    reader = Reader(data, "balance")
    free, total = reader.inner("free"), reader.field("total")
    if not isinstance(total, dict):
        raise reader.refuse("total", "no object")
    held = Reader(total, "balance.total")
    return tuple(
        BalanceReport(asset=asset, free=free.number(asset, _ZERO), total=held.number(asset))
        for asset in sorted(total) if total[asset]
    )


def _side(reader: Reader) -> Side:
    word = reader.text("side")
    if word not in ("buy", "sell"):
        raise reader.refuse("side", "neither buy nor sell")
    return Side(word)
