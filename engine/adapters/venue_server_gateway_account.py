"""What the venue tells its customer: orders of both books, positions, balances, trades, income, and its settings."""

from __future__ import annotations

from decimal import Decimal

from engine.adapters.venue_server_gateway_codes import Refused
from engine.adapters.venue_server_gateway_door import Request
from engine.adapters.venue_server_gateway_office import Office
from engine.adapters.venue_server_gateway_payloads import algo, income, money, number, regular, user_trade
from engine.adapters.venue_server_gateway_sheets import FIRST_ORDER, Sheet
from engine.model.codec import Data
from engine.model.fills import Position
from engine.model.time import MS

_MAINTENANCE = Decimal("0.005")
_ZERO = Decimal(0)
_MOST = 1000


def one(office: Office, sheet: Sheet) -> Data:
    """Return an order of either book."""
    return algo(sheet, office.child_of(sheet)) if sheet.conditional else regular(sheet)


def open_orders(office: Office, request: Request, at: int, *, conditional: bool) -> Data:
    """Return the living orders of one book (and symbol) that can be seen; one that triggers is in neither book."""
    symbol = request.get("symbol")
    if symbol and office.instrument(symbol) is None:
        raise Refused(-1121)
    return [
        one(office, sheet) for sheet in office.sheets.live(conditional=conditional)
        if symbol in ("", sheet.symbol) and at >= sheet.visible_from
        and sheet.status in ("NEW", "PARTIALLY_FILLED")
    ]


def trades(office: Office, request: Request, at: int) -> Data:
    """Return our trades of a symbol, oldest first: from an instant, from an id on, or of one order."""
    symbol, order = request.need("symbol"), whole_number(request, "orderId")
    since, until, first = (whole_number(request, name) for name in ("startTime", "endTime", "fromId"))
    found = [
        row for row in office.sheets.trades
        if row.symbol == symbol and at >= row.visible_from
        and (since is None or row.at // MS >= since) and (until is None or row.at // MS <= until)
        and (first is None or row.trade_id >= first)
        and (order is None or FIRST_ORDER + row.order == order)
    ]
    limit = limit_of(request, 500)
    # Without a beginning the newest are told, with one the oldest.
    chosen = found[:limit] if since is not None or first is not None else found[-limit:]
    return [user_trade(row) for row in chosen]


def incomes(office: Office, request: Request, at: int) -> Data:
    """Return movements of the balance, oldest first."""
    symbol, kind = request.get("symbol"), request.get("incomeType")
    since, until = whole_number(request, "startTime"), whole_number(request, "endTime")
    hidden = {row.trade_id for row in office.sheets.trades if at < row.visible_from}
    found = [
        row for row in office.sheets.incomes
        if symbol in ("", row.symbol) and kind in ("", row.kind) and row.trade_id not in hidden
        and (since is None or row.at // MS >= since) and (until is None or row.at // MS <= until)
    ]
    limit = limit_of(request, 100)
    chosen = found[:limit] if since is not None else found[-limit:]
    return [income(row) for row in chosen]


def whole_number(request: Request, name: str) -> int | None:
    """Return a whole number that may be left out; refused where it is none."""
    text = request.get(name)
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 20:
        raise Refused(-1102, name)
    return int(text)


def limit_of(request: Request, otherwise: int) -> int:
    """Return how many rows are wanted at most."""
    limit = whole_number(request, "limit")
    return otherwise if limit is None else max(1, min(limit, _MOST))


def position_risk(office: Office, request: Request, *, whole: bool) -> Data:
    """Return positions: every symbol's (`whole`, the second version) or those not flat (the third)."""
    symbol = request.get("symbol")
    if symbol and office.instrument(symbol) is None:
        raise Refused(-1121)
    told = []
    for desk in office.exchange.desks():
        offered = desk.venue == office.terms.venue and office.instrument(desk.symbol) is not None
        held = office.position(desk.symbol)
        if offered and symbol in ("", desk.symbol) and (whole or symbol or held.quantity):
            told.append(_risk(office, held, whole=whole))
    return told


def _risk(office: Office, held: Position, *, whole: bool) -> Data:
    mark, leverage = office.mark(held.symbol), office.exchange.account.leverage(office.terms.venue, held.symbol)
    notional = held.quantity * mark
    data = {
        "symbol": held.symbol, "positionSide": "BOTH", "positionAmt": number(held.quantity),
        "entryPrice": money(held.average_price), "breakEvenPrice": money(held.average_price), "markPrice": money(mark),
        "unRealizedProfit": money(_unrealized(office, held)), "liquidationPrice": money(_liquidation(office, held)),
        "isolatedMargin": "0", "notional": money(notional), "marginAsset": "USDT", "isolatedWallet": "0",
        "initialMargin": money(abs(notional) / leverage), "maintMargin": money(abs(notional) * _MAINTENANCE),
        "positionInitialMargin": money(abs(notional) / leverage), "openOrderInitialMargin": "0", "adl": 2,
        "bidNotional": "0", "askNotional": "0", "updateTime": held.opened_at // MS,
    }
    if whole:
        data |= {"leverage": number(leverage), "maxNotionalValue": "100000000", "marginType": "cross",
                 "isAutoAddMargin": "false", "isolated": False}
    return data


def _unrealized(office: Office, held: Position) -> Decimal:
    return (office.mark(held.symbol) - held.average_price) * held.quantity


def _liquidation(office: Office, held: Position) -> Decimal:
    """Return where the whole balance would be gone if this were the only position; 0 for nowhere."""
    if not held.quantity:
        return _ZERO
    size, sign = abs(held.quantity), 1 if held.quantity > 0 else -1
    wallet = office.exchange.balance("USDT")
    return max(_ZERO, (held.average_price - sign * wallet / size) / (1 - sign * _MAINTENANCE))


def account(office: Office, at: int, *, whole: bool) -> Data:
    """Return the account at `at` (ns); `whole` is the second version, with every position and its leverage."""
    held = [position for position in office.positions() if position.quantity or whole]
    profit = sum((_unrealized(office, position) for position in held), _ZERO)
    wallet, free = office.exchange.balance("USDT"), office.exchange.account.free("USDT")
    bound = wallet - free
    totals = {
        "totalInitialMargin": bound, "totalMaintMargin": _ZERO, "totalWalletBalance": wallet,
        "totalUnrealizedProfit": profit, "totalMarginBalance": wallet + profit, "totalPositionInitialMargin": bound,
        "totalOpenOrderInitialMargin": _ZERO, "totalCrossWalletBalance": wallet, "totalCrossUnPnl": profit,
        "availableBalance": free + min(profit, _ZERO), "maxWithdrawAmount": free + min(profit, _ZERO),
    }
    head: dict[str, Data] = {"canTrade": True, "canDeposit": True, "canWithdraw": True} if whole else {}
    return {
        **head, "feeTier": 0, "multiAssetsMargin": False, "tradeGroupId": -1, "updateTime": 0,
        **{name: money(amount) for name, amount in totals.items()},
        "assets": [_asset(office, name, profit, at) for name in sorted(office.exchange.account.balances)],
        "positions": [_of_account(office, position, whole=whole) for position in held],
    }


def _asset(office: Office, name: str, profit: Decimal, at: int) -> Data:
    wallet, free = office.exchange.balance(name), office.exchange.account.free(name)
    gained = profit if name == "USDT" else _ZERO
    return {
        "asset": name, "walletBalance": money(wallet), "unrealizedProfit": money(gained),
        "marginBalance": money(wallet + gained), "maintMargin": "0.00000000", "initialMargin": money(wallet - free),
        "positionInitialMargin": money(wallet - free), "openOrderInitialMargin": "0.00000000",
        "crossWalletBalance": money(wallet), "crossUnPnl": money(gained),
        "availableBalance": money(free + min(gained, _ZERO)), "maxWithdrawAmount": money(free + min(gained, _ZERO)),
        # ccxt passes over an asset that was never updated.
        "marginAvailable": True, "updateTime": at // MS,
    }


def _of_account(office: Office, held: Position, *, whole: bool) -> Data:
    leverage = office.exchange.account.leverage(office.terms.venue, held.symbol)
    notional = held.quantity * office.mark(held.symbol)
    data = {
        "symbol": held.symbol, "positionSide": "BOTH", "positionAmt": number(held.quantity),
        "unrealizedProfit": money(_unrealized(office, held)), "isolatedMargin": "0", "notional": money(notional),
        "isolatedWallet": "0", "initialMargin": money(abs(notional) / leverage),
        "maintMargin": money(abs(notional) * _MAINTENANCE), "updateTime": held.opened_at // MS,
    }
    if whole:
        data |= {"leverage": number(leverage), "entryPrice": money(held.average_price), "isolated": False,
                 "maxNotional": "100000000"}
    return data


def balances(office: Office) -> Data:
    """Return each asset of the futures wallet."""
    return [
        {
            "accountAlias": "SgsR", "asset": name, "balance": money(office.exchange.balance(name)),
            "crossWalletBalance": money(office.exchange.balance(name)), "crossUnPnl": "0.00000000",
            "availableBalance": money(office.exchange.account.free(name)),
            "maxWithdrawAmount": money(office.exchange.account.free(name)), "marginAvailable": True, "updateTime": 0,
        }
        for name in sorted(office.exchange.account.balances)
    ]


def brackets(office: Office, request: Request) -> Data:
    """Return the one bracket of leverage that every symbol has."""
    symbol = request.get("symbol")
    return [
        {
            "symbol": desk.symbol, "notionalCoef": 1.0, "brackets": [{
                "bracket": 1, "initialLeverage": 125, "notionalCap": 100000000, "notionalFloor": 0,
                "maintMarginRatio": float(_MAINTENANCE), "cum": 0.0,
            }],
        }
        for desk in office.exchange.desks()
        if desk.venue == office.terms.venue and desk.instrument is not None and symbol in ("", desk.symbol)
    ]


def set_leverage(office: Office, request: Request) -> Data:
    """Give a symbol its leverage."""
    symbol, leverage = request.need("symbol"), whole_number(request, "leverage")
    if office.instrument(symbol) is None:
        raise Refused(-1121)
    if leverage is None or not 1 <= leverage <= 125:
        raise Refused(-4028, request.get("leverage"))
    office.exchange.account.set_leverage(office.terms.venue, symbol, Decimal(leverage))
    return {"symbol": symbol, "leverage": leverage, "maxNotionalValue": "100000000"}


def set_margin_type(office: Office, request: Request) -> Data:
    """Refuse: every symbol is crossed, and stays so."""
    if office.instrument(request.need("symbol")) is None:
        raise Refused(-1121)
    if request.need("marginType") == "CROSSED":
        raise Refused(-4046)
    raise Refused(-4168, text="Unable to adjust to isolated-margin mode under the Multi-Assets mode.")


def restrictions(office: Office) -> Data:
    """Return what the key may do."""
    terms = office.terms
    return {
        "ipRestrict": terms.ip_bound, "createTime": 1698645219000, "enableReading": True,
        "enableWithdrawals": terms.may_withdraw, "enableInternalTransfer": False, "enableMargin": False,
        "enableFutures": terms.may_trade, "permitsUniversalTransfer": False, "enableVanillaOptions": False,
        "enableFixApiTrade": False, "enableFixReadOnly": False, "enableSpotAndMarginTrading": False,
        "enablePortfolioMarginTrading": False,
    }
