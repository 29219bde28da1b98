"""A running venue on loopback with a market that a test moves, and the clients that talk to it unmodified."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from typing import Any, TypeVar

import ccxt.pro
import websockets
from ccxt.async_support.binanceusdm import binanceusdm

from engine.adapters.clock_system import SystemClock
from engine.adapters.tape_market_model import GeneratedTape
from engine.adapters.venue_server import ServerOptions, VenueServer
from engine.adapters.venue_server_gateway import GatewayTerms, opened
from engine.adapters.venue_server_gateway_faults import StreamRule, WireFaults, WireRule
from engine.adapters.venue_server_stream_hub import StreamTerms
from engine.exchange.settings import ExchangeSettings, Span
from engine.model.instruments import Instrument, MarketKind
from engine.model.market import DepthDelta, DepthSnapshot, Levels, Quote, Trade
from engine.model.time import MS, SECOND
from engine.ports.clock import Clock
from engine.ports.feed import MARKET, TapeHeader

T = TypeVar("T")
KEY, SECRET = "the-key", "the-secret"
TERMS = GatewayTerms(api_key=KEY, secret=SECRET)
SYMBOL = "BTC/USDT:USDT"
BTC = Instrument(
    venue="binanceusdm", symbol="BTCUSDT", base="BTC", quote="USDT", kind=MarketKind.PERPETUAL, tick=Decimal("0.1"),
    step=Decimal("0.001"), min_quantity=Decimal("0.001"), max_quantity=Decimal(10_000), min_notional=Decimal(5),
)
NOON = 1_790_000_000 * SECOND // (60 * SECOND) * 60 * SECOND
PATIENCE_S = 30.0


class Venue:
    """The server and what moves its market."""

    def __init__(self, server: VenueServer) -> None:
        self.server = server
        self.trades = 0
        self.depth_id = 100

    @property
    def origin(self) -> str:
        return self.server.url.removeprefix("http://")

    def quote(self, bid: float = 100.0, ask: float = 100.2, size: float = 5.0) -> None:
        at = self.server.now()
        self.server.on_market(Quote("binanceusdm", "BTCUSDT", bid, size, ask, size, at, at), at)

    def trade(self, price: float, size: float, *, buys: bool) -> None:
        at = self.server.now()
        self.trades += 1
        self.server.on_market(Trade("binanceusdm", "BTCUSDT", price, size, buys, str(self.trades), at, at), at)

    def book(self, bids: Levels, asks: Levels) -> None:
        at = self.server.now()
        self.depth_id += 10
        self.server.on_market(DepthSnapshot("binanceusdm", "BTCUSDT", bids, asks, self.depth_id, at, at), at)

    def change(self, bids: Levels, asks: Levels) -> None:
        at, before = self.server.now(), self.depth_id
        self.depth_id += 10
        self.server.on_market(DepthDelta(
            "binanceusdm", "BTCUSDT", bids, asks, before + 1, self.depth_id, before, at, at), at)

    def client(self, *, streams: bool = False) -> Any:
        """Return ccxt as it is, pointed here by its addresses alone."""
        made = (ccxt.pro.binanceusdm if streams else binanceusdm)({
            "apiKey": KEY, "secret": SECRET, "enableRateLimit": False, "options": {"fetchCurrencies": False},
        })
        made.timeout_on_exit = 0
        for name, address in made.urls["api"].items():
            if isinstance(address, str):
                made.urls["api"][name] = f"{self.server.url}/{address.split('/', 3)[3]}"
        if streams:
            made.urls["api"]["ws"]["linear"] = f"ws://{self.origin}/ws"
        return made

    @asynccontextmanager
    async def listening(self, path: str, *names: str) -> AsyncIterator[Listener]:
        """Yield a plain websocket on `path` that has subscribed to `names`."""
        async with websockets.connect(f"ws://{self.origin}{path}", compression=None) as socket:
            listener = Listener(socket)
            if names:
                assert await listener.ask("SUBSCRIBE", list(names)) == {"result": None, "id": 1}
            yield listener

    async def key(self, client: Any) -> str:
        """Return a listen key."""
        return str((await client.fapiPrivatePostListenKey())["listenKey"])


class Listener:
    """A plain client of the streams."""

    def __init__(self, socket: websockets.ClientConnection) -> None:
        self.socket = socket
        self.asked = 0

    async def next(self) -> Any:
        """Return the next message."""
        return json.loads(await asyncio.wait_for(self.socket.recv(), PATIENCE_S))

    async def ask(self, method: str, params: list[Any]) -> Any:
        """Send a request and return its answer, passing over messages before it."""
        self.asked += 1
        await self.socket.send(json.dumps({"method": method, "params": params, "id": self.asked}))
        while True:
            message = await self.next()
            if message.get("id") == self.asked:
                return message

    async def until(self, wanted: Callable[[Any], object]) -> list[Any]:
        """Return all messages up to the first that is `wanted`."""
        heard = [await self.next()]
        while not wanted(heard[-1]):
            heard.append(await self.next())
        return heard

    async def quiet(self, seconds: float) -> bool:
        """Whether nothing is said for so long."""
        try:
            await asyncio.wait_for(self.socket.recv(), seconds)
        except TimeoutError:
            return True
        return False


@asynccontextmanager
async def venue(
    *requests: WireRule, streams: tuple[StreamRule, ...] = (), terms: GatewayTerms = TERMS,
    kept: StreamTerms | None = None, market: tuple[StreamRule, ...] = (), clock: Clock | None = None,
) -> AsyncIterator[Venue]:
    """Yield a running venue with one symbol, quoted at 100.0 to 100.2."""
    settings = ExchangeSettings(trigger_travel=Span(low=5 * MS, high=5 * MS))
    gateway = opened(settings, terms, WireFaults(requests=requests, streams=streams))
    options = ServerOptions(streams=kept or StreamTerms(), market_faults=market)
    async with VenueServer(gateway, clock or SystemClock(), options) as server:
        server.floor.define(BTC)
        made = Venue(server)
        made.quote()
        yield made


@asynccontextmanager
async def trading(*requests: WireRule, **more: Any) -> AsyncIterator[tuple[Venue, Any]]:
    """Yield a running venue and an unmodified ccxt that knows its markets."""
    async with venue(*requests, **more) as made:
        client = made.client()
        try:
            await client.load_markets()
            yield made, client
        finally:
            await client.close()


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run one test's coroutine, and give up on it after a while."""
    return asyncio.run(asyncio.wait_for(work, 90))


def told(events: tuple[Any, ...]) -> GeneratedTape:
    """Return a tape of `events` of the venue `old`, each at its `received_at`, with one instrument."""
    header = TapeHeader(
        name="t", source="a test", events=len(events), first_at=events[0].received_at,
        last_at=events[-1].received_at, venues=("old",), symbols=("BTCUSDT",), producers=frozenset({MARKET}),
        instruments=(replace(BTC, venue="old"),),
    )
    return GeneratedTape(header, lambda: iter([(event.received_at, 0, event) for event in events]))


def short(life: int) -> GatewayTerms:
    """Return terms under which listen keys live `life` ns."""
    return replace(TERMS, listen_key_life=life)


def soon(seconds: float) -> int:
    """Return the instant `seconds` from now (ns)."""
    return SystemClock().now() + int(seconds * SECOND)
