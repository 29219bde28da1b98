"""Where ccxt.pro 4.5.90 connects for each stream, what it asks there, and what it makes of the answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import ccxt
import pytest
from aiohttp import WSMsgType, web
from ccxt.pro.binanceusdm import binanceusdm

from tests.contract.recording import ANSWERS, KEY, SECRET, SYMBOL, pointed

TICK = {"e": "bookTicker", "u": 1, "E": 1, "T": 1, "s": "BTCUSDT", "b": "1.0", "B": "2", "a": "3.0", "A": "4"}
ALGO_NEW = {"e": "ALGO_UPDATE", "T": 1, "E": 1, "o": {
    "caid": "rb-e1-2", "aid": 7, "at": "CONDITIONAL", "o": "STOP_MARKET", "s": "BTCUSDT", "S": "SELL", "ps": "BOTH",
    "f": "GTC", "q": "0.01", "X": "NEW", "ai": "", "ap": "0", "aq": "0", "act": "0", "tp": "55000", "p": "0",
    "V": "NONE", "wt": "MARK_PRICE", "pm": "NONE", "cp": True, "pP": False, "R": False, "tt": 0, "gtd": 0, "rm": "",
}}


class Streams:
    """A server of WebSockets that remembers addresses and requests, and says what a test tells it to."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, Any]] = []
        self.paths: list[str] = []
        self.rest: list[str] = []
        self.first: dict[str, list[Any]] = {}
        """By beginning of the path: what is said there, at once on the private one, else once somebody asked."""
        self.said: list[str] = []
        """Where each message of `first` went."""
        self.closing: int | None = None

    async def serve(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() != "websocket":
            self.rest.append(f"{request.method} {request.path}")
            return web.json_response(ANSWERS[request.method, request.path])
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.paths.append(request.raw_path)
        if self.closing is not None:
            await socket.close(code=self.closing)
            return socket
        if request.path.startswith("/private"):
            await self._say(socket, "/private")
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                asked = json.loads(message.data)
                self.requests.append((request.path, asked))
                await socket.send_json({"result": None, "id": asked["id"]})
                await self._say(socket, "/" + request.path.split("/")[1])
        return socket

    async def _say(self, socket: web.WebSocketResponse, path: str) -> None:
        for message in self.first.get(path, ()):
            await socket.send_json(message)
            self.said.append(path)


class Side:
    """The server, an unmodified ccxt.pro that points at it, and the event loop of both."""

    def __init__(self, runner: asyncio.Runner) -> None:
        self.runner, self.server = runner, Streams()

    async def open(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self.server.serve)
        self.web = web.AppRunner(app, access_log=None)
        await self.web.setup()
        await web.TCPSite(self.web, "127.0.0.1", 0).start()
        self.origin = "127.0.0.1:" + str(self.web.addresses[0][1])
        self.clients: list[Any] = []

    def client(self) -> Any:
        made = pointed(binanceusdm({
            "apiKey": KEY, "secret": SECRET, "enableRateLimit": False, "options": {"fetchCurrencies": False},
        }), "http://" + self.origin)
        made.urls["api"]["ws"]["linear"] = f"ws://{self.origin}/ws"
        made.timeout_on_exit = 0
        self.clients.append(made)
        return made

    async def close(self) -> None:
        for client in self.clients:
            await client.close()
        await self.web.cleanup()


@pytest.fixture
def side() -> Iterator[Side]:
    with asyncio.Runner() as runner:
        made = Side(runner)
        runner.run(made.open())
        try:
            yield made
        finally:
            runner.run(made.close())


TRADE = {"e": "aggTrade", "E": 1, "s": "BTCUSDT", "a": 5, "p": "1.0", "q": "2", "f": 1, "l": 1, "T": 1, "m": True}
MARK = {
    "e": "markPriceUpdate", "E": 1, "s": "BTCUSDT", "p": "1.5", "i": "1.5", "P": "1.5", "r": "0.0001", "T": 28800000,
}
CANDLE = {"e": "kline", "E": 1, "s": "BTCUSDT", "k": {
    "t": 0, "T": 59999, "s": "BTCUSDT", "i": "1m", "f": 1, "L": 1, "o": "1", "c": "1", "h": "1", "l": "1", "v": "1",
    "n": 1, "x": False, "q": "1", "V": "1", "Q": "1", "B": "0",
}}
Watch = Callable[[Any], Awaitable[Any]]
WATCHES: list[tuple[str, Watch, str, list[str], Any]] = [
    ("watch_bids_asks", lambda one: one.watch_bids_asks([SYMBOL]), "/public/ws/0", ["btcusdt@bookTicker"], TICK),
    ("watch_trades", lambda one: one.watch_trades(SYMBOL, params={"name": "aggTrade"}), "/market/ws/0",
     ["btcusdt@aggTrade"], TRADE),
    ("watch_mark_price", lambda one: one.watch_mark_price(SYMBOL), "/market/ws/0", ["btcusdt@markPrice@1s"], MARK),
    ("watch_ohlcv", lambda one: one.watch_ohlcv(SYMBOL, "1m"), "/market/ws/0", ["btcusdt@kline_1m"], CANDLE),
]


@pytest.mark.parametrize(
    ("watch", "path", "names", "message"), [row[1:] for row in WATCHES], ids=[row[0] for row in WATCHES]
)
def test_where_each_stream_is_asked_for(side: Side, watch: Watch, path: str, names: list[str], message: Any) -> None:
    side.server.first = {"/public": [message], "/market": [message]}

    async def watched() -> Any:
        return await asyncio.wait_for(watch(side.client()), 30)

    assert side.runner.run(watched())
    assert side.server.requests == [(path, {"method": "SUBSCRIBE", "params": names, "id": 1})]


def test_a_book_is_a_stream_of_changes_and_one_snapshot(side: Side) -> None:
    side.server.first = {"/public": [{
        "e": "depthUpdate", "E": 2, "T": 2, "s": "BTCUSDT", "U": 161, "u": 165, "pu": 160, "b": [["1.5", "1"]], "a": [],
    }]}

    async def watched() -> Any:
        client = side.client()
        book = await asyncio.wait_for(client.watch_order_book(SYMBOL), 30)
        return [list(level) for level in book["bids"]]

    assert side.runner.run(watched())[0] in ([1.0, 2.0], [1.5, 1.0])
    assert side.server.requests[0][1]["params"] == ["btcusdt@depth@100ms"]
    assert side.server.paths == ["/public/ws/0"] and "GET /fapi/v1/depth" in side.server.rest


def test_the_account_is_heard_on_a_listen_key_of_its_own(side: Side) -> None:
    side.server.first = {"/private": [ALGO_NEW]}

    async def watched() -> Any:
        return await asyncio.wait_for(side.client().watch_orders(), 30)

    (order,) = side.runner.run(watched())
    assert side.server.paths == ["/private/ws?listenKey=k1"] and side.server.requests == []
    assert side.server.rest.count("POST /fapi/v1/listenKey") == 1
    assert (order["id"], order["clientOrderId"], order["status"]) == ("7", "rb-e1-2", "open")


@pytest.mark.parametrize("word", ["TRIGGERED", "FINISHED"])
def test_a_conditional_order_that_triggered_is_called_filled_though_nothing_was(side: Side, word: str) -> None:
    """`aq`, what was executed, is 0; ccxt makes the fill of a closed order up from its amount: read `info`."""
    side.server.first = {"/private": [{**ALGO_NEW, "o": {**ALGO_NEW["o"], "X": word}}]}  # type: ignore[dict-item]

    async def watched() -> Any:
        return await asyncio.wait_for(side.client().watch_orders(), 30)

    (order,) = side.runner.run(watched())
    assert (order["status"], order["filled"], order["info"]["aq"]) == ("closed", 0.01, "0")


def test_an_expired_key_is_not_noticed(side: Side) -> None:
    """`listenKeyExpired` has no handler: watch_orders stays silent, so the engine listens for itself."""
    side.server.first = {"/private": [{"e": "listenKeyExpired", "E": 1, "listenKey": "k1"}]}

    async def watched() -> str:
        watching = asyncio.ensure_future(side.client().watch_orders())
        async with asyncio.timeout(30):
            while not side.server.said:
                await asyncio.sleep(0.005)
        done, _ = await asyncio.wait([watching], timeout=0.3)
        watching.cancel()
        return "told" if done else "silent"

    assert side.runner.run(watched()) == "silent"
    assert side.server.rest.count("POST /fapi/v1/listenKey") == 1


def test_a_dead_key_is_tried_again_and_again(side: Side) -> None:
    """The key is cached: without clearing it no call asks for a new one."""
    side.server.closing = 1008

    async def watched() -> list[str]:
        client, raised = side.client(), []
        for _ in range(3):
            try:
                await asyncio.wait_for(client.watch_orders(), 30)
            except ccxt.BaseError as error:
                raised.append(type(error).__name__)
        client.options["linear"] = {"listenKey": None, "lastAuthenticatedTime": 0}
        try:
            await asyncio.wait_for(client.watch_orders(), 30)
        except ccxt.BaseError as error:
            raised.append(type(error).__name__)
        return raised

    assert side.runner.run(watched()) == ["NetworkError"] * 4
    assert side.server.rest.count("POST /fapi/v1/listenKey") == 2, "the second only after the cached key was cleared"


def test_whether_a_stream_is_spot_is_read_off_the_address(side: Side) -> None:
    """So a loopback address of the spot streams must have /stream in it, and one of futures must not."""
    async def asked() -> tuple[bool, bool]:
        client = side.client()
        spot, linear = client.client("ws://127.0.0.1:1/stream.spot/ws/0"), client.client("ws://127.0.0.1:1/public/ws/0")
        return client.is_spot_url(spot), client.is_spot_url(linear)

    assert side.runner.run(asked()) == (True, False)
