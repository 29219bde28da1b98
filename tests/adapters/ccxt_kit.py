"""A small venue that records what it was sent and answers what a test says, for the client alone.

It checks nothing and trades nothing: where behaviour of an exchange matters, tests use the real
loopback venue. Here each reply is the test's own, down to the byte where a body is cut.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from aiohttp import WSMsgType, web

from engine.adapters.clock_system import SystemClock
from engine.adapters.venue_ccxt import CcxtVenue
from engine.adapters.venue_ccxt_keys import Keys
from engine.adapters.venue_ccxt_terms import CcxtTerms
from engine.model.effects import AskVenue, CancelOrder, PlaceOrder
from engine.model.events import VenueEvent
from engine.model.orders import Intent, OrderKind, Side
from engine.model.reports import Query
from engine.ports.clock import Clock
from engine.ports.venue import Gate

API_KEY, SECRET = "apikeyapikey0123456789", "secretsecret9876543210"
D = Decimal


@dataclass(frozen=True)
class Answer:
    """One scripted reply: a body as it is, or a connection closed without one."""

    status: int = 200
    body: object = field(default_factory=dict)
    headers: tuple[tuple[str, str], ...] = ()
    text: str | None = None
    drop: bool = False
    cut: int = 0
    hang_s: float = 0.0


def error(code: int, text: str = "said", status: int = 400) -> Answer:
    return Answer(status=status, body={"code": code, "msg": text})


@dataclass(frozen=True)
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    params: dict[str, str]


def symbol(name: str = "BTCUSDT", tick: str = "0.1", step: str = "0.001") -> dict[str, Any]:
    return {
        "symbol": name, "pair": name, "contractType": "PERPETUAL", "status": "TRADING", "baseAsset": name[:-4],
        "quoteAsset": "USDT", "marginAsset": "USDT", "filters": [
            {"filterType": "PRICE_FILTER", "tickSize": tick, "minPrice": tick, "maxPrice": "1000000"},
            {"filterType": "LOT_SIZE", "minQty": step, "maxQty": "1000", "stepSize": step},
            {"filterType": "MIN_NOTIONAL", "notional": "5"}],
    }


PATIENCE_S = 30.0
"""How long a test waits for what must come; a good run waits for none of it."""


class RecordingVenue:
    """The venue. `script` says what the next request of a method and path gets; without, it gets a sane answer."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.scripts: dict[tuple[str, str], list[Answer]] = defaultdict(list)
        self.always: dict[tuple[str, str], Answer] = {}
        self.sockets: list[web.WebSocketResponse] = []
        self.keys = 0
        self.clock_ahead_ms = 0
        self.number = 1000
        self.port = 0
        self.orders: dict[str, dict[str, Any]] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def script(self, method: str, path: str, *answers: Answer) -> None:
        self.scripts[method, path].extend(answers)

    def sent(self, method: str, path: str) -> list[Asked]:
        return [one for one in self.asked if (one.method, one.path) == (method, path)]

    async def until_asked(self, method: str, path: str, within_s: float = PATIENCE_S) -> None:
        """Wait until such a request is here."""
        async with asyncio.timeout(within_s):
            while not self.sent(method, path):
                await asyncio.sleep(0.005)

    async def say(self, payload: object) -> None:
        for socket in self.sockets:
            if not socket.closed:
                await socket.send_str(json.dumps(payload))

    async def serve(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/private/ws":
            return await self._stream(request)
        params = dict(request.query)
        if request.method in ("POST", "PUT"):
            params |= {name: str(value) for name, value in (await request.post()).items()}
        self.asked.append(Asked(request.method, request.path, params))
        key = (request.method, request.path)
        queue = self.scripts[key]
        answer = queue.pop(0) if queue else self.always.get(key)
        if answer is None:
            answer = self._sane(request.method, request.path, params)
        return await self._reply(request, answer)

    async def _reply(self, request: web.Request, answer: Answer) -> web.StreamResponse:
        if answer.hang_s:
            await asyncio.sleep(answer.hang_s)
        if answer.drop:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        text = json.dumps(answer.body) if answer.text is None else answer.text
        if answer.cut:
            text = text[: -answer.cut]
        kind = "application/json" if not text.startswith("<") else "text/html"
        return web.Response(status=answer.status, text=text, content_type=kind, headers=dict(answer.headers))

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.asked.append(Asked("WS", request.path, dict(request.query)))
        self.sockets.append(socket)
        async for message in socket:
            if message.type is WSMsgType.ERROR:
                break
        return socket

    def _sane(self, method: str, path: str, params: dict[str, str]) -> Answer:
        now = SystemClock().now() // 10**6 + self.clock_ahead_ms
        sane: dict[tuple[str, str], Callable[[], object]] = {
            ("GET", "/fapi/v1/time"): lambda: {"serverTime": now},
            ("GET", "/fapi/v1/exchangeInfo"): lambda: {
                "rateLimits": [], "symbols": [symbol(), symbol("ETHUSDT", "0.01", "0.01")]},
            ("GET", "/fapi/v3/account"): lambda: {"assets": [
                {"asset": "USDT", "walletBalance": "1000", "availableBalance": "900"}]},
            ("GET", "/fapi/v3/positionRisk"): list,
            ("GET", "/fapi/v1/openOrders"): list,
            ("GET", "/fapi/v1/openAlgoOrders"): lambda: [
                row for row in self.orders.values() if row.get("algoStatus") == "NEW"],
            ("GET", "/fapi/v1/allAlgoOrders"): list,
            ("GET", "/fapi/v1/userTrades"): list,
            ("GET", "/fapi/v1/income"): list,
            ("GET", "/fapi/v1/premiumIndex"): lambda: {"symbol": params.get("symbol"), "markPrice": "60000.00"},
            ("GET", "/fapi/v1/positionSide/dual"): lambda: {"dualSidePosition": False},
            ("GET", "/fapi/v1/accountConfig"): lambda: {"canTrade": True},
            ("GET", "/fapi/v1/symbolConfig"): lambda: [{"symbol": params.get("symbol"), "leverage": 5}],
            ("POST", "/fapi/v1/leverage"): lambda: {"leverage": int(params["leverage"])},
            ("POST", "/fapi/v1/listenKey"): self._key,
            ("PUT", "/fapi/v1/listenKey"): dict,
            ("POST", "/fapi/v1/order"): lambda: self.regular(params, now),
            ("POST", "/fapi/v1/algoOrder"): lambda: self.algo(params, now),
            ("DELETE", "/fapi/v1/algoOrder"): lambda: self._algo_gone(params),
        }
        found = sane.get((method, path))
        return error(-5000, f"{method} {path} is not here", 404) if found is None else Answer(body=found())

    def _key(self) -> object:
        self.keys += 1
        return {"listenKey": f"key{self.keys}"}

    def _algo_gone(self, params: dict[str, str]) -> object:
        self.orders.pop(params["clientAlgoId"], None)
        return {"clientAlgoId": params["clientAlgoId"], "code": "200", "msg": "success"}

    def regular(self, params: dict[str, str], now: int = 1_700_000_000_000, **more: object) -> dict[str, Any]:
        self.number += 1
        return {
            "orderId": self.number, "symbol": params["symbol"], "status": "NEW", "type": params["type"],
            "clientOrderId": params["newClientOrderId"], "price": params.get("price", "0"), "avgPrice": "0",
            "origQty": params["quantity"], "executedQty": "0", "side": params["side"], "updateTime": now,
            "reduceOnly": params.get("reduceOnly") == "true", "closePosition": False, "stopPrice": "0", **more,
        }

    def algo(self, params: dict[str, str], now: int = 1_700_000_000_000, **more: object) -> dict[str, Any]:
        self.number += 1
        row = {
            "algoId": self.number, "clientAlgoId": params["clientAlgoId"], "orderType": params["type"],
            "symbol": params["symbol"], "side": params["side"], "quantity": params.get("quantity", "0"),
            "algoStatus": "NEW", "triggerPrice": params["triggerPrice"], "price": "0", "actualOrderId": "",
            "closePosition": params.get("closePosition") == "true", "reduceOnly": params.get("reduceOnly") == "true",
            "createTime": now, "updateTime": now, **more,
        }
        self.orders[params["clientAlgoId"]] = row
        return row


def yes(order: PlaceOrder) -> str:
    return ""


@asynccontextmanager
async def recording() -> AsyncIterator[RecordingVenue]:
    venue = RecordingVenue()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", venue.serve)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.05)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    venue.port = runner.addresses[0][1]
    try:
        yield venue
    finally:
        for socket in venue.sockets:
            await socket.close()
        await runner.cleanup()


class Told(list[VenueEvent]):
    """What the venue said, with a way to wait for more of it."""

    async def until(self, wanted: Callable[[], bool], within_s: float = PATIENCE_S) -> None:
        async with asyncio.timeout(within_s):
            while not wanted():
                await asyncio.sleep(0.005)

    async def first(self, number: int) -> list[VenueEvent]:
        await self.until(lambda: len(self) >= number)
        return list(self)


@asynccontextmanager
async def client(
    server: RecordingVenue, /, *, gate: Gate = yes, clock: Clock | None = None, opened: bool = True, **more: Any
) -> AsyncIterator[tuple[CcxtVenue, Told]]:
    told = Told()
    settings: dict[str, Any] = {"listen": False, "timeout_ms": 400, "symbols": ("BTCUSDT",)} | more
    terms = CcxtTerms(endpoint=server.url, **settings)
    adapter = CcxtVenue(terms, Keys(API_KEY, SECRET), clock or SystemClock(), told.append, gate)
    try:
        if opened:
            await adapter.open()
        yield adapter, told
    finally:
        await adapter.close(1.0)


def order(client_id: str = "rb-e-1", **more: Any) -> PlaceOrder:
    fields: dict[str, Any] = {
        "at": 1, "client_id": client_id, "account": "main", "venue": "binanceusdm", "symbol": "BTCUSDT",
        "side": Side.BUY, "kind": OrderKind.MARKET, "intent": Intent.ENTRY, "quantity": D("0.01"),
        "limit_price": None, "trigger_price": None, "reference_price": D(60000), "reduce_only": False,
        "close_position": False, "post_only": False, "purpose": "test", "policy_version": 1,
    }
    return PlaceOrder(**(fields | more))


def stop(client_id: str = "rb-e-2", **more: Any) -> PlaceOrder:
    return order(client_id, **({
        "side": Side.SELL, "kind": OrderKind.STOP_MARKET, "intent": Intent.STOP, "quantity": None,
        "trigger_price": D(59000), "close_position": True} | more))


def cancel(client_id: str = "rb-e-1", *, conditional: bool = False) -> CancelOrder:
    return CancelOrder(
        at=1, client_id=client_id, venue="binanceusdm", symbol="BTCUSDT", conditional=conditional, why=""
    )


def ask(query: Query, **more: Any) -> AskVenue:
    fields: dict[str, Any] = {"at": 1, "ask": 7, "query": query, "venue": "binanceusdm", "symbol": "BTCUSDT"}
    return AskVenue(**(fields | more))
