"""Orders, trades and the account in Binance's fields: what REST answers and what the private stream says.

Numbers are texts, instants are ms, exactly as the venue spells them; the same sheet makes the
same bytes. Nothing is decided here.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from engine.adapters.venue_server_gateway_sheets import FIRST_ORDER, IncomeRow, Sheet, TradeRow
from engine.model.codec import Data, decimal_text
from engine.model.time import MS

_CENTS = Decimal("0.01")
_FINE = Decimal("0.00000001")


def number(value: Decimal) -> str:
    """Return `value` as text without an exponent."""
    return decimal_text(value)


def money(value: Decimal) -> str:
    """Return an amount with eight decimals."""
    return format(value.quantize(_FINE), "f")


def average(value: Decimal) -> str:
    """Return an average price with up to five decimals beyond the usual two."""
    return format(value.quantize(Decimal("0.00001")), "f") if value else "0.00"


def regular(sheet: Sheet) -> Data:
    """Return an order of the regular book, as POST, GET and DELETE of an order answer it."""
    cost = number(sheet.cost)
    return {
        "orderId": sheet.order_id, "symbol": sheet.symbol, "status": sheet.status, "clientOrderId": sheet.client_id,
        "price": number(sheet.price), "avgPrice": average(sheet.average),
        "origQty": number(sheet.quantity or Decimal(0)),
        "executedQty": number(sheet.executed), "cumQty": number(sheet.executed), "cumQuote": cost,
        "timeInForce": sheet.tif, "type": sheet.kind, "reduceOnly": sheet.reduce_only,
        "closePosition": sheet.close_position, "side": sheet.side, "positionSide": "BOTH", "stopPrice": "0",
        "workingType": "CONTRACT_PRICE", "priceProtect": False, "origType": sheet.original or sheet.kind,
        "priceMatch": "NONE", "selfTradePreventionMode": "EXPIRE_MAKER", "goodTillDate": 0,
        "time": sheet.created // MS, "updateTime": sheet.updated // MS,
    }


def algo(sheet: Sheet, child: Sheet | None) -> Data:
    """Return a conditional order; `child` is the market order that it became."""
    return {
        "algoId": sheet.order_id, "clientAlgoId": sheet.client_id, "algoType": "CONDITIONAL", "orderType": sheet.kind,
        "symbol": sheet.symbol, "side": sheet.side, "positionSide": "BOTH", "timeInForce": sheet.tif,
        "quantity": number(sheet.quantity or Decimal(0)), "algoStatus": sheet.status,
        "actualOrderId": "" if child is None else str(child.order_id),
        "actualPrice": average(child.average) if child is not None else "0.00000",
        "actualQty": number(child.executed) if child is not None else "0",
        "actualType": "MARKET" if child is not None else "",
        "triggerPrice": number(sheet.trigger), "price": "0.00", "icebergQuantity": None, "tpTriggerPrice": "0.000",
        "tpPrice": "0.000", "slTriggerPrice": "0.000", "slPrice": "0.000", "tpOrderType": "",
        "selfTradePreventionMode": "EXPIRE_MAKER", "workingType": sheet.working_type, "priceMatch": "NONE",
        "closePosition": sheet.close_position, "priceProtect": False, "reduceOnly": sheet.reduce_only,
        "createTime": sheet.created // MS, "updateTime": sheet.updated // MS,
        "triggerTime": sheet.triggered // MS, "goodTillDate": 0,
    }


def user_trade(row: TradeRow) -> Data:
    """Return one execution as the list of our trades tells it: with the order's id and without its client id."""
    return {
        "symbol": row.symbol, "id": row.trade_id, "orderId": FIRST_ORDER + row.order, "side": row.side,
        "price": number(row.price), "qty": number(row.quantity), "realizedPnl": money(row.realized),
        "marginAsset": row.asset, "quoteQty": number(row.price * row.quantity), "commission": money(row.fee),
        "commissionAsset": row.asset, "time": row.at // MS, "positionSide": "BOTH", "buyer": row.side == "BUY",
        "maker": row.maker,
    }


def income(row: IncomeRow) -> Data:
    """Return one movement of the balance."""
    return {
        "symbol": row.symbol, "incomeType": row.kind, "income": money(row.amount), "asset": row.asset,
        "info": row.kind, "time": row.at // MS, "tranId": 9_000_000_000 + row.number,
        "tradeId": str(row.trade_id) if row.trade_id else "",
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What an order update says beside the order itself: why (`execution`), and the trade if it is one."""

    execution: str
    at: int
    trade: TradeRow | None = None


def order_update(sheet: Sheet, told: Told) -> Data:
    """Return ORDER_TRADE_UPDATE."""
    at, trade = told.at // MS, told.trade
    return {
        "e": "ORDER_TRADE_UPDATE", "T": at, "E": at, "o": {
            "s": sheet.symbol, "c": sheet.client_id, "S": sheet.side, "o": sheet.kind, "f": sheet.tif,
            "q": number(sheet.quantity or Decimal(0)), "p": number(sheet.price), "ap": number(sheet.average),
            "sp": number(sheet.trigger), "x": told.execution, "X": sheet.status, "i": sheet.order_id,
            "l": "0" if trade is None else number(trade.quantity), "z": number(sheet.executed),
            "L": "0" if trade is None else number(trade.price), "N": "USDT" if trade is None else trade.asset,
            "n": "0" if trade is None else money(trade.fee), "T": at,
            "t": 0 if trade is None else trade.trade_id, "b": "0", "a": "0",
            "m": trade is not None and trade.maker, "R": sheet.reduce_only, "wt": sheet.working_type,
            "ot": sheet.original or sheet.kind, "ps": "BOTH", "cp": sheet.close_position, "AP": "0", "cr": "0",
            "pP": False, "si": 0, "ss": 0, "rp": "0" if trade is None else money(trade.realized),
            "V": "EXPIRE_MAKER", "pm": "NONE", "gtd": 0,
        },
    }


def algo_update(sheet: Sheet, child: Sheet | None, at: int) -> Data:
    """Return ALGO_UPDATE; what was executed is told once there is a child."""
    order: dict[str, Data] = {
        "caid": sheet.client_id, "aid": sheet.order_id, "at": "CONDITIONAL", "o": sheet.kind, "s": sheet.symbol,
        "S": sheet.side, "ps": "BOTH", "f": sheet.tif, "q": number(sheet.quantity or Decimal(0)), "X": sheet.status,
        "ai": "" if child is None else str(child.order_id),
    }
    if child is not None:
        order |= {"ap": number(child.average), "aq": number(child.executed), "act": "MARKET"}
    order |= {
        "tp": number(sheet.trigger), "p": "0", "V": "EXPIRE_MAKER", "wt": sheet.working_type, "pm": "NONE",
        "cp": sheet.close_position, "pP": False, "R": sheet.reduce_only, "tt": sheet.triggered // MS, "gtd": 0,
    }
    if sheet.why:
        order["rm"] = sheet.why
    return {"e": "ALGO_UPDATE", "T": at // MS, "E": at // MS, "o": order}


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One position as an account update tells it."""

    symbol: str
    quantity: Decimal
    entry: Decimal
    unrealized: Decimal


def account_update(reason: str, balance: tuple[str, Decimal, Decimal], held: tuple[Held, ...], at: int) -> Data:
    """Return ACCOUNT_UPDATE; `balance` is (asset, wallet balance, change without profit and fees)."""
    asset, wallet, change = balance
    return {
        "e": "ACCOUNT_UPDATE", "T": at // MS, "E": at // MS, "a": {
            "m": reason,
            "B": [{"a": asset, "wb": money(wallet), "cw": money(wallet), "bc": money(change)}],
            "P": [
                {
                    "s": item.symbol, "pa": number(item.quantity), "ep": number(item.entry.quantize(_FINE)),
                    "bep": number(item.entry.quantize(_FINE)), "cr": "0", "up": money(item.unrealized), "mt": "cross",
                    "iw": "0.00000000", "ps": "BOTH",
                }
                for item in held
            ],
        },
    }
