"""A server that answers as it is told and remembers every request, and ccxt pointed at it by configuration alone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from aiohttp import web
from ccxt.async_support.binanceusdm import binanceusdm

T = TypeVar("T")
Script = Callable[[web.Request], Awaitable[web.StreamResponse]]

KEY, SECRET = "contract-key", "contract-secret"
MARKET = {
    "symbol": "BTCUSDT", "pair": "BTCUSDT", "contractType": "PERPETUAL", "deliveryDate": 4133404800000,
    "onboardDate": 1569398400000, "status": "TRADING", "baseAsset": "BTC", "quoteAsset": "USDT", "marginAsset": "USDT",
    "pricePrecision": 2, "quantityPrecision": 3, "baseAssetPrecision": 8, "quotePrecision": 8,
    "underlyingType": "COIN", "triggerProtect": "0.0500", "liquidationFee": "0.012500", "marketTakeBound": "0.05",
    "orderTypes": [
        "LIMIT", "MARKET", "STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET",
    ],
    "timeInForce": ["GTC", "IOC", "FOK", "GTX", "GTD"],
    "filters": [
        {"filterType": "PRICE_FILTER", "minPrice": "556.80", "maxPrice": "4529764", "tickSize": "0.10"},
        {"filterType": "LOT_SIZE", "minQty": "0.001", "maxQty": "1000", "stepSize": "0.001"},
        {"filterType": "MARKET_LOT_SIZE", "minQty": "0.001", "maxQty": "120", "stepSize": "0.001"},
        {"filterType": "MAX_NUM_ORDERS", "limit": 200}, {"filterType": "MAX_NUM_ALGO_ORDERS", "limit": 10},
        {"filterType": "MIN_NOTIONAL", "notional": "5"},
        {"filterType": "PERCENT_PRICE", "multiplierUp": "1.0500", "multiplierDown": "0.9500", "multiplierDecimal": "4"},
    ],
}
SYMBOL = "BTC/USDT:USDT"
ORDER = {
    "orderId": 22542179, "symbol": "BTCUSDT", "status": "NEW", "clientOrderId": "rb-e1-1", "price": "60000.0",
    "avgPrice": "0.00", "origQty": "0.010", "executedQty": "0", "cumQuote": "0", "timeInForce": "GTC", "type": "LIMIT",
    "reduceOnly": False, "closePosition": False, "side": "BUY", "positionSide": "BOTH", "stopPrice": "0",
    "workingType": "CONTRACT_PRICE", "priceProtect": False, "origType": "LIMIT", "updateTime": 1566818724722,
}
ALGO = {
    "algoId": 2146760, "clientAlgoId": "rb-e1-2", "algoType": "CONDITIONAL", "orderType": "STOP_MARKET",
    "symbol": "BTCUSDT", "side": "SELL", "positionSide": "BOTH", "timeInForce": "GTC", "quantity": "0.000",
    "algoStatus": "NEW", "triggerPrice": "55000.0", "price": "0.0", "workingType": "MARK_PRICE", "closePosition": True,
    "priceProtect": False, "reduceOnly": False, "createTime": 1750485492076, "updateTime": 1750485492076,
    "triggerTime": 0, "goodTillDate": 0,
}
ANSWERS: dict[tuple[str, str], Any] = {
    ("GET", "/fapi/v1/exchangeInfo"): {"timezone": "UTC", "serverTime": 1, "rateLimits": [], "symbols": [MARKET]},
    ("GET", "/fapi/v1/time"): {"serverTime": 1},
    ("GET", "/fapi/v1/depth"): {"lastUpdateId": 160, "E": 1, "T": 1, "bids": [["1.0", "2"]], "asks": [["3.0", "4"]]},
    ("GET", "/fapi/v1/openOrders"): [ORDER], ("GET", "/fapi/v1/openAlgoOrders"): [ALGO],
    ("POST", "/fapi/v1/order"): ORDER, ("GET", "/fapi/v1/order"): ORDER,
    ("DELETE", "/fapi/v1/order"): {**ORDER, "status": "CANCELED"},
    ("POST", "/fapi/v1/algoOrder"): ALGO, ("GET", "/fapi/v1/algoOrder"): ALGO,
    ("DELETE", "/fapi/v1/algoOrder"): {"algoId": 2146760, "clientAlgoId": "rb-e1-2", "code": "200", "msg": "success"},
    ("DELETE", "/fapi/v1/allOpenOrders"): {"code": 200, "msg": "done"},
    ("DELETE", "/fapi/v1/algoOpenOrders"): {"code": 200, "msg": "done"},
    ("GET", "/fapi/v1/leverageBracket"): [], ("GET", "/fapi/v3/positionRisk"): [],
    ("GET", "/fapi/v3/account"): {"assets": [], "positions": []}, ("GET", "/fapi/v1/userTrades"): [],
    ("POST", "/fapi/v1/leverage"): {"leverage": 5, "maxNotionalValue": "1000000", "symbol": "BTCUSDT"},
    ("POST", "/fapi/v1/marginType"): {"code": 200, "msg": "success"},
    ("GET", "/fapi/v1/income"): [], ("POST", "/fapi/v1/listenKey"): {"listenKey": "k1"},
    ("PUT", "/fapi/v1/listenKey"): {"listenKey": "k1"},
}


@dataclass(frozen=True)
class Sent:
    """One request as it was on the wire."""

    method: str
    path: str
    query: str
    body: str
    headers: dict[str, str]

    @property
    def names(self) -> list[str]:
        """Return the names of all parameters, in the order sent."""
        return [name for name, _ in self.pairs]

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Return (name, value) of all parameters, in the order sent."""
        return parse_qsl(self.query or self.body, keep_blank_values=True)

    @property
    def said(self) -> dict[str, str]:
        """Return the parameters that are ours: without signature, time and window."""
        return {name: value for name, value in self.pairs if name not in ("signature", "timestamp", "recvWindow")}

    @property
    def line(self) -> str:
        """Return method and path."""
        return f"{self.method} {self.path}"


class Recording:
    """The server. `script` answers instead of the table while it is set."""

    def __init__(self) -> None:
        self.sent: list[Sent] = []
        self.script: Script | None = None
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def open(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"

    async def close(self) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        path, _, query = request.raw_path.partition("?")
        self.sent.append(Sent(request.method, path, query, await request.text(), dict(request.headers)))
        if self.script is not None:
            return await self.script(request)
        return web.json_response(ANSWERS[request.method, path])


def pointed(exchange: Any, url: str) -> Any:
    """Return `exchange` with every REST address on `url`, each with the path it had: what the docs tell users to do."""
    for name, address in exchange.urls["api"].items():
        if isinstance(address, str):
            exchange.urls["api"][name] = url + "/" + address.split("/", 3)[3]
    return exchange


class Contract:
    """A recording server and a client of it; `call` runs one coroutine of the client."""

    def __init__(self, runner: asyncio.Runner) -> None:
        self._runner = runner
        self.server = Recording()
        self.client: Any = None

    async def open(self) -> None:
        await self.server.open()
        self.client = pointed(binanceusdm({
            "apiKey": KEY, "secret": SECRET, "enableRateLimit": False, "options": {"fetchCurrencies": False},
        }), self.server.url)
        await self.client.load_markets()
        self.loaded = list(self.server.sent)

    async def close(self) -> None:
        await self.client.close()
        await self.server.close()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` on the event loop of the client."""
        return self._runner.run(work)

    def call(self, name: str, *args: Any, **more: Any) -> tuple[Any, list[Sent]]:
        """Return what the client's method returned, and every request it made."""
        self.server.sent.clear()
        result = self._runner.run(getattr(self.client, name)(*args, **more))
        return result, list(self.server.sent)

    def fails(self, script: Script, name: str, *args: Any, **more: Any) -> tuple[Any, list[Sent]]:
        """Return what the client's method returned or raised while `script` answers, and every request it made."""
        self.server.sent.clear()
        self.server.script = script
        try:
            result = self._runner.run(getattr(self.client, name)(*args, **more))
        except Exception as error:
            result = error
        finally:
            self.server.script = None
        return result, list(self.server.sent)


def answering(status: int, body: Any, content_type: str = "application/json") -> Script:
    """Return a script that always gives this answer."""
    async def script(request: web.Request) -> web.StreamResponse:
        text = body if isinstance(body, str) else json.dumps(body)
        return web.Response(status=status, text=text, content_type=content_type)

    return script
