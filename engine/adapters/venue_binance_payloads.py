"""Binance's REST answers as our nouns: orders of both books, positions, balances, trades, income, instruments.

Pure. Everything refuses with `PayloadRefused` and never raises anything else. What Binance
calls FINISHED is not called filled here: what was executed decides. A whole-position order
has no quantity, whatever number stands in its place.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from engine.adapters.venue_binance_reading import PayloadRefused, Reader, rows
from engine.model.codec import Data
from engine.model.instruments import Instrument, MarketKind
from engine.model.orders import OrderKind, OrderState, Side
from engine.model.reports import BalanceReport, Income, IncomeKind, OrderReport, PositionReport

ZERO = Decimal(0)
KINDS = {
    "MARKET": OrderKind.MARKET,
    "LIMIT": OrderKind.LIMIT,
    "LIMIT_MAKER": OrderKind.LIMIT,
    "LIQUIDATION": OrderKind.MARKET,
    "STOP_MARKET": OrderKind.STOP_MARKET,
    "TRAILING_STOP_MARKET": OrderKind.STOP_MARKET,
    "STOP_LOSS": OrderKind.STOP_MARKET,
    "TAKE_PROFIT_MARKET": OrderKind.TAKE_PROFIT_MARKET,
    # Limit orders that wait for a price: calling one a market stop would call a position guarded that is not.
    "STOP": OrderKind.LIMIT,
    "TAKE_PROFIT": OrderKind.LIMIT,
    "STOP_LOSS_LIMIT": OrderKind.LIMIT,
    "TAKE_PROFIT_LIMIT": OrderKind.LIMIT,
}
STATES = {
    "NEW": OrderState.OPEN,
    "PENDING_NEW": OrderState.OPEN,
    "PENDING_CANCEL": OrderState.OPEN,
    "NEW_INSURANCE": OrderState.OPEN,
    "NEW_ADL": OrderState.OPEN,
    "PARTIALLY_FILLED": OrderState.PARTLY_FILLED,
    "FILLED": OrderState.FILLED,
    "CANCELED": OrderState.CANCELLED,
    "REJECTED": OrderState.REJECTED,
    "EXPIRED": OrderState.EXPIRED,
    "EXPIRED_IN_MATCH": OrderState.EXPIRED,
}
_ALGO_OPEN = frozenset({"NEW", "TRIGGERING", "TRIGGERED"})
_INCOME = {
    "FUNDING_FEE": IncomeKind.FUNDING,
    "COMMISSION": IncomeKind.FEE,
    "TRANSFER": IncomeKind.TRANSFER,
    "INTERNAL_TRANSFER": IncomeKind.TRANSFER,
    "REALIZED_PNL": IncomeKind.REALIZED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TradePart:
    """One execution as the venue tells it. Fee in units of `fee_asset`, positive when paid; instants in ns.

    `client_id` is the venue's word and may be a child order's; `remaining` is None where it is not told.
    """

    symbol: str
    trade_id: str
    order_id: str
    side: Side
    price: Decimal
    quantity: Decimal
    fee: Decimal
    fee_asset: str
    maker: bool
    venue_at: int
    client_id: str = ""
    remaining: Decimal | None = None


def side_of(reader: Reader, name: str) -> Side:
    """Return the side in field `name`."""
    word = reader.text(name)
    if word not in ("BUY", "SELL"):
        raise reader.refuse(name, f"{word!r} is neither BUY nor SELL")
    return Side.BUY if word == "BUY" else Side.SELL


def kind_of(reader: Reader, *names: str) -> OrderKind:
    """Return the order kind from the first of `names` that is there."""
    name = next((name for name in names if reader.has(name)), names[0])
    kind = KINDS.get(reader.text(name))
    if kind is None:
        raise reader.refuse(name, f"{reader.text(name)!r} is no order type that is known here")
    return kind


def state_of(reader: Reader, name: str) -> OrderState:
    """Return the state of a regular order from field `name`."""
    state = STATES.get(reader.text(name))
    if state is None:
        raise reader.refuse(name, f"{reader.text(name)!r} is no order status that is known here")
    return state


def order_report(data: Data, *, venue: str, conditional: bool) -> OrderReport:
    """Return one order of the regular or of the conditional book."""
    reader = Reader(data, "algoOrder" if conditional else "order")
    return _algo_report(reader, venue) if conditional else _regular_report(reader, venue)


def order_reports(data: Data, *, venue: str, conditional: bool) -> tuple[OrderReport, ...]:
    """Return every order of a list; one that cannot be read refuses the whole list."""
    read = _algo_report if conditional else _regular_report
    return tuple(read(row, venue) for row in rows(data, "openAlgoOrders" if conditional else "openOrders"))


def _regular_report(reader: Reader, venue: str) -> OrderReport:
    closes = reader.yes("closePosition", False)
    return OrderReport(
        client_id=reader.text("clientOrderId", ""), venue_order_id=reader.id("orderId"), venue=venue,
        symbol=reader.name("symbol"), side=side_of(reader, "side"), kind=kind_of(reader, "type", "origType"),
        state=state_of(reader, "status"), quantity=None if closes else reader.at_least_zero("origQty"),
        executed=reader.at_least_zero("executedQty"), average_price=_average(reader),
        limit_price=reader.unless_zero("price"), trigger_price=reader.unless_zero("stopPrice"),
        reduce_only=reader.yes("reduceOnly", False), close_position=closes,
        updated_at=reader.instant("updateTime", reader.instant("time", reader.instant("transactTime", 0))),
    )


def _algo_report(reader: Reader, venue: str) -> OrderReport:
    closes = reader.yes("closePosition", False)
    quantity = None if closes else reader.at_least_zero("quantity")
    status = reader.text("algoStatus")
    executed = reader.at_least_zero("actualQty", ZERO)
    child = reader.id("actualOrderId", "")
    if status == "FINISHED" and not reader.has("actualQty") and not child:
        raise reader.refuse("actualQty", "a finished order without what it executed and without a child tells nothing")
    return OrderReport(
        client_id=reader.text("clientAlgoId", ""), venue_order_id=reader.id("algoId"), venue=venue,
        symbol=reader.name("symbol"), side=side_of(reader, "side"), kind=kind_of(reader, "orderType", "type"),
        state=algo_state(reader, "algoStatus", quantity, executed if reader.has("actualQty") else None),
        quantity=quantity, executed=executed,
        average_price=reader.at_least_zero("actualPrice", ZERO), limit_price=reader.unless_zero("price"),
        trigger_price=reader.unless_zero("triggerPrice"), reduce_only=reader.yes("reduceOnly", False),
        close_position=closes, conditional=True, child_id="" if child == "0" else child,
        reason=reader.text("rejectReason", ""),
        updated_at=reader.instant("updateTime", reader.instant("createTime", 0)),
    )


def algo_state(reader: Reader, name: str, quantity: Decimal | None, executed: Decimal | None) -> OrderState:
    """Return the state of a conditional order. Where `executed` is not told (None), a finished one counts as open.

    Its child tells the truth then; an order is never called filled or gone without evidence.
    """
    status = reader.text(name)
    if status in _ALGO_OPEN:
        return OrderState.PARTLY_FILLED if executed else OrderState.OPEN
    if status == "FINISHED":
        if executed is None:
            return OrderState.OPEN
        whole = executed > 0 and (quantity is None or executed >= quantity)
        return OrderState.FILLED if whole else OrderState.CANCELLED
    state = STATES.get(status)
    if state is None:
        raise reader.refuse(name, f"{status!r} is no conditional order's status that is known here")
    return state


def _average(reader: Reader) -> Decimal:
    average = reader.at_least_zero("avgPrice", ZERO)
    executed = reader.at_least_zero("executedQty", ZERO)
    if average == 0 and executed > 0:
        # Spot tells what was paid, and no average.
        cost = reader.at_least_zero("cummulativeQuoteQty", reader.at_least_zero("cumQuote", ZERO))
        average = cost / executed
    return average


def position_report(data: Data, *, venue: str) -> PositionReport | None:
    """Return one row of positionRisk, None if it is flat; a leg of hedge mode that is not flat is refused."""
    return _position(Reader(data, "positionRisk"), venue)


def position_reports(data: Data, *, venue: str) -> tuple[PositionReport, ...]:
    """Return every position of positionRisk that is not flat."""
    reports = (_position(row, venue) for row in rows(data, "positionRisk"))
    return tuple(report for report in reports if report is not None)


def _position(reader: Reader, venue: str) -> PositionReport | None:
    quantity = reader.number("positionAmt")
    symbol = reader.name("symbol")
    if quantity == 0:
        return None
    if reader.text("positionSide", "BOTH") != "BOTH":
        raise reader.refuse("positionSide", "a leg of hedge mode; the engine knows one net position a symbol")
    return PositionReport(
        venue=venue, symbol=symbol, quantity=quantity, entry_price=reader.at_least_zero("entryPrice"),
        mark_price=reader.at_least_zero("markPrice", ZERO),
        liquidation_price=max(reader.number("liquidationPrice", ZERO), ZERO),
        leverage=reader.at_least_zero("leverage", ZERO), updated_at=reader.instant("updateTime", 0),
    )


def balance_report(data: Data) -> BalanceReport:
    """Return one asset of a futures account, of a futures balance or of a spot account."""
    reader = Reader(data, "balance")
    if reader.has("free"):
        free = reader.number("free")
        return BalanceReport(asset=reader.name("asset"), free=free, total=free + reader.number("locked"))
    total = reader.number("walletBalance" if reader.has("walletBalance") else "balance")
    return BalanceReport(asset=reader.name("asset"), free=reader.number("availableBalance"), total=total)


def balances(data: Data) -> tuple[BalanceReport, ...]:
    """Return what an account holds: every asset of which it has any."""
    reader = Reader(data, "account")
    held = reader.field("assets" if reader.has("assets") else "balances")
    if not isinstance(held, list):
        raise reader.refuse("assets", "no list")
    reports = tuple(balance_report(row) for row in held)
    return tuple(report for report in reports if report.total or report.free)


def income(data: Data, *, venue: str) -> Income:
    """Return one movement of the balance."""
    reader = Reader(data, "income")
    kind = _INCOME.get(reader.text("incomeType"), IncomeKind.OTHER)
    transfer = reader.id("tranId")
    trade_id = reader.id("tradeId", "")
    if trade_id:
        # One transfer id serves several rows of one trade: a fee and a realised profit, or two executions.
        transfer = f"{transfer}/{trade_id}"
    return Income(
        venue=venue, kind=kind, transfer_id=transfer, asset=reader.name("asset"), amount=reader.number("income"),
        symbol=reader.text("symbol", ""), venue_at=reader.instant("time"),
    )


def incomes(data: Data, *, venue: str) -> tuple[Income, ...]:
    """Return every movement of a list, in its order."""
    if not isinstance(data, list):
        raise PayloadRefused("income", "no list")
    return tuple(income(row, venue=venue) for row in data)


def trade(data: Data) -> TradePart:
    """Return one row of userTrades (futures) or myTrades (spot)."""
    reader = Reader(data, "trade")
    buys = side_of(reader, "side") is Side.BUY if reader.has("side") else reader.yes("isBuyer")
    return TradePart(
        symbol=reader.name("symbol"), trade_id=reader.id("id"), order_id=reader.id("orderId"),
        side=Side.BUY if buys else Side.SELL,
        price=reader.positive("price"), quantity=reader.positive("qty"), fee=reader.number("commission"),
        fee_asset=reader.text("commissionAsset", ""), venue_at=reader.instant("time"),
        maker=reader.yes("maker") if reader.has("maker") else reader.yes("isMaker"),
    )


def trades(data: Data) -> tuple[TradePart, ...]:
    """Return every row of a list of trades, in its order."""
    if not isinstance(data, list):
        raise PayloadRefused("trades", "no list")
    return tuple(trade(row) for row in data)


def instruments(data: Data, *, venue: str) -> tuple[Instrument, ...]:
    """Return every perpetual (or spot pair) of exchangeInfo that trades now; rows that cannot be read are left out."""
    found = []
    for row in Reader(data, "exchangeInfo").rows("symbols"):
        try:
            one = _instrument(row, venue)
        except PayloadRefused:
            continue
        if one is not None:
            found.append(one)
    return tuple(found)


def instrument(data: Data, *, venue: str) -> Instrument | None:
    """Return one row of exchangeInfo; None for what is no perpetual or does not trade."""
    return _instrument(Reader(data, "symbol"), venue)


def _instrument(reader: Reader, venue: str) -> Instrument | None:
    contract = reader.text("contractType", "")
    if contract not in ("", "PERPETUAL", "TRADIFI_PERPETUAL") or reader.text("status", "TRADING") != "TRADING":
        return None
    filters = {row.text("filterType"): row for row in reader.rows("filters")}
    price, lot = filters.get("PRICE_FILTER"), filters.get("LOT_SIZE")
    if price is None or lot is None:
        raise reader.refuse("filters", "PRICE_FILTER or LOT_SIZE missing")
    largest = lot.positive("maxQty")
    market = filters.get("MARKET_LOT_SIZE")
    if market is not None:
        # One maximum for both kinds: the smaller, since an exit at market must fit too.
        market_largest = market.at_least_zero("maxQty")
        largest = min(largest, market_largest) if market_largest else largest
    return Instrument(
        venue=venue, symbol=reader.name("symbol"), base=reader.name("baseAsset"), quote=reader.name("quoteAsset"),
        kind=MarketKind.PERPETUAL if contract else MarketKind.SPOT, tick=price.positive("tickSize"),
        step=lot.positive("stepSize"), min_quantity=lot.at_least_zero("minQty"), max_quantity=largest,
        min_notional=_least_notional(filters),
    )


def _least_notional(filters: dict[str, Reader]) -> Decimal:
    for name in ("MIN_NOTIONAL", "NOTIONAL"):
        if name in filters:
            row = filters[name]
            return row.at_least_zero("notional" if row.has("notional") else "minNotional")
    return ZERO
