"""Every path the gateway knows: who may ask, what it weighs, and who answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from engine.adapters import venue_server_gateway_account as account
from engine.adapters import venue_server_gateway_trading as trading
from engine.adapters.venue_server_gateway_codes import Refused
from engine.adapters.venue_server_gateway_door import Request
from engine.adapters.venue_server_gateway_keys import Listeners
from engine.adapters.venue_server_gateway_market import Market
from engine.adapters.venue_server_gateway_office import Office
from engine.adapters.venue_server_gateway_payloads import regular
from engine.model.codec import Data
from engine.model.time import MS


class House(Protocol):
    """What an answer can be made from."""

    office: Office
    market: Market
    listeners: Listeners


class Access(Enum):
    """Who may ask."""

    PUBLIC = "public"
    KEY = "key"
    """Whoever names the customer's key."""
    SIGNED = "signed"


Answers = Callable[[House, Request, int], Data]
Places = Callable[[House, Request, int, int | None], Data]
_DONE = {"code": 200, "msg": "The operation of cancel all open order is done."}


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One path and method. `places` answers instead of `answers` what a fault can make invisible."""

    access: Access
    weight: int = 1
    weight_all: int = 0
    """What it weighs without a symbol; 0 for the same."""
    order: bool = False
    """It counts as an order."""
    clock: bool = False
    """It tells the venue's clock."""
    answers: Answers
    places: Places | None = None

    def weight_of(self, request: Request) -> int:
        """Return what `request` weighs."""
        return self.weight_all if self.weight_all and not request.get("symbol") else self.weight


def _place(house: House, request: Request, at: int, hidden: int | None) -> Data:
    sheet = trading.place(house.office, request, at, hidden)
    return regular(sheet)


def _place_algo(house: House, request: Request, at: int, hidden: int | None) -> Data:
    return account.one(house.office, trading.place_algo(house.office, request, at, hidden))


def _query(house: House, request: Request, at: int) -> Data:
    conditional = request.path.endswith("algoOrder")
    return account.one(house.office, trading.found(house.office, request, at, conditional=conditional, code=-2013))


def _open_order(house: House, request: Request, at: int) -> Data:
    sheet = trading.found(house.office, request, at, conditional=False, code=-2013)
    if not sheet.live:
        raise Refused(-2013)
    return regular(sheet)


def _cancel(house: House, request: Request, at: int) -> Data:
    sheet = trading.found(house.office, request, at, conditional=False, code=-2011)
    return regular(trading.cancel(house.office, sheet, at))


def _cancel_algo(house: House, request: Request, at: int) -> Data:
    sheet = trading.found(house.office, request, at, conditional=True, code=-2011)
    trading.cancel(house.office, sheet, at)
    return {"algoId": sheet.order_id, "clientAlgoId": sheet.client_id, "code": "200", "msg": "success"}


def _cancel_all(house: House, request: Request, at: int) -> Data:
    trading.cancel_all(house.office, request.need("symbol"), at, conditional=request.path.endswith("algoOpenOrders"))
    return _DONE


def _open(house: House, request: Request, at: int) -> Data:
    conditional = request.path.endswith("openAlgoOrders")
    return account.open_orders(house.office, request, at, conditional=conditional)


def _all_orders(house: House, request: Request, at: int) -> Data:
    symbol = request.need("symbol")
    since, until = account.whole_number(request, "startTime"), account.whole_number(request, "endTime")
    found = [
        sheet for sheet in house.office.sheets.every(symbol, at, conditional=request.path.endswith("allAlgoOrders"))
        if (since is None or sheet.created // MS >= since) and (until is None or sheet.created // MS <= until)
    ]
    limit = account.limit_of(request, 500)
    return [account.one(house.office, sheet) for sheet in (found[:limit] if since is not None else found[-limit:])]


def _positions(house: House, request: Request, at: int) -> Data:
    return account.position_risk(house.office, request, whole="/v2/" in request.path)


def _listen(house: House, request: Request, at: int) -> Data:
    if request.method == "POST":
        return {"listenKey": house.listeners.open(at)}
    if request.method == "PUT":
        return {"listenKey": house.listeners.keep(at, request.get("listenKey"))}
    house.listeners.close()
    return {}


def _dual(house: House, request: Request, at: int) -> Data:
    if request.method == "GET":
        return {"dualSidePosition": False}
    if request.need("dualSidePosition").lower() == "false":
        raise Refused(-4059)
    raise Refused(-4067)


def _signed(answers: Answers, weight: int = 1, weight_all: int = 0) -> Route:
    return Route(access=Access.SIGNED, weight=weight, weight_all=weight_all, answers=answers)


def _public(answers: Answers, weight: int = 1, weight_all: int = 0) -> Route:
    return Route(access=Access.PUBLIC, weight=weight, weight_all=weight_all, answers=answers)


def _placing(places: Places) -> Route:
    """Return the route of a new order, which weighs nothing and counts as an order."""
    return Route(access=Access.SIGNED, weight=0, order=True, answers=_query, places=places)


def _time(house: House, request: Request, at: int) -> Data:
    return {"serverTime": at // MS}


_CLOCK = Route(access=Access.PUBLIC, clock=True, answers=_time)
_KEYED = Route(access=Access.KEY, answers=_listen)
ROUTES: dict[tuple[str, str], Route] = {
    ("GET", "/fapi/v1/ping"): _public(lambda house, request, at: {}),
    ("GET", "/fapi/v1/time"): _CLOCK,
    ("GET", "/fapi/v1/exchangeInfo"): _public(lambda house, request, at: house.market.exchange_info(at)),
    ("GET", "/fapi/v1/depth"): _public(lambda house, request, at: house.market.depth(request, at), 5),
    ("GET", "/fapi/v1/trades"): _public(lambda house, request, at: house.market.trades(request), 5),
    ("GET", "/fapi/v1/premiumIndex"): _public(lambda house, request, at: house.market.premium(request, at), 1, 10),
    ("GET", "/fapi/v1/fundingRate"): _public(lambda house, request, at: house.market.funding_rates(request)),
    ("GET", "/fapi/v1/ticker/bookTicker"): _public(lambda house, request, at: house.market.tickers(request, at), 2, 5),
    ("GET", "/fapi/v1/ticker/24hr"): _public(lambda house, request, at: house.market.days(request, at), 1, 40),
    ("GET", "/fapi/v1/ticker/price"): _public(lambda house, request, at: house.market.prices(request, at), 1, 2),
    ("GET", "/fapi/v2/ticker/price"): _public(lambda house, request, at: house.market.prices(request, at), 1, 2),
    ("GET", "/api/v3/ping"): _public(lambda house, request, at: {}),
    ("GET", "/api/v3/time"): _CLOCK,
    ("GET", "/api/v3/exchangeInfo"): _public(lambda house, request, at: house.market.spot_info(at), 20),
    ("GET", "/api/v3/depth"): _public(lambda house, request, at: house.market.depth(request, at), 5),
    ("GET", "/api/v3/ticker/bookTicker"): _public(lambda house, request, at: house.market.tickers(request, at), 2, 4),
    ("GET", "/api/v3/ticker/price"): _public(lambda house, request, at: house.market.prices(request, at), 2, 4),
    ("POST", "/fapi/v1/order"): _placing(_place),
    ("GET", "/fapi/v1/order"): _signed(_query),
    ("DELETE", "/fapi/v1/order"): _signed(_cancel),
    ("GET", "/fapi/v1/openOrder"): _signed(_open_order),
    ("GET", "/fapi/v1/openOrders"): _signed(_open, 1, 40),
    ("DELETE", "/fapi/v1/allOpenOrders"): _signed(_cancel_all),
    ("GET", "/fapi/v1/allOrders"): _signed(_all_orders, 5),
    ("POST", "/fapi/v1/algoOrder"): _placing(_place_algo),
    ("GET", "/fapi/v1/algoOrder"): _signed(_query),
    ("DELETE", "/fapi/v1/algoOrder"): _signed(_cancel_algo),
    ("GET", "/fapi/v1/openAlgoOrders"): _signed(_open, 1, 40),
    ("DELETE", "/fapi/v1/algoOpenOrders"): _signed(_cancel_all),
    ("GET", "/fapi/v1/allAlgoOrders"): _signed(_all_orders, 5),
    ("GET", "/fapi/v2/positionRisk"): _signed(_positions, 5),
    ("GET", "/fapi/v3/positionRisk"): _signed(_positions, 5),
    ("GET", "/fapi/v2/account"): _signed(lambda house, request, at: account.account(house.office, at, whole=True), 5),
    ("GET", "/fapi/v3/account"): _signed(lambda house, request, at: account.account(house.office, at, whole=False), 5),
    ("GET", "/fapi/v2/balance"): _signed(lambda house, request, at: account.balances(house.office), 5),
    ("GET", "/fapi/v3/balance"): _signed(lambda house, request, at: account.balances(house.office), 5),
    ("GET", "/fapi/v1/leverageBracket"): _signed(lambda house, r, at: account.brackets(house.office, r)),
    ("POST", "/fapi/v1/leverage"): _signed(lambda house, request, at: account.set_leverage(house.office, request)),
    ("POST", "/fapi/v1/marginType"): _signed(lambda house, r, at: account.set_margin_type(house.office, r)),
    ("GET", "/fapi/v1/positionSide/dual"): _signed(_dual, 30),
    ("POST", "/fapi/v1/positionSide/dual"): _signed(_dual),
    ("GET", "/fapi/v1/userTrades"): _signed(lambda house, request, at: account.trades(house.office, request, at), 5),
    ("GET", "/fapi/v1/income"): _signed(lambda house, request, at: account.incomes(house.office, request, at), 30),
    ("GET", "/fapi/v1/multiAssetsMargin"): _signed(lambda house, request, at: {"multiAssetsMargin": False}, 30),
    ("GET", "/sapi/v1/account/apiRestrictions"): _signed(lambda house, r, at: account.restrictions(house.office)),
    ("POST", "/fapi/v1/listenKey"): _KEYED,
    ("PUT", "/fapi/v1/listenKey"): _KEYED,
    ("DELETE", "/fapi/v1/listenKey"): _KEYED,
}
