"""The venue of the live bench: the product's own, on loopback, its rate limits lifted, and stories on many symbols.

A story is a listing as `event_breakout` trades it: a price, an announcement, the price above the
trigger (the engine enters, and places its stop and its ladder), the price through the stop.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from engine.adapters.clock_system import SystemClock
from engine.adapters.venue_server import ServerOptions, VenueServer
from engine.adapters.venue_server_gateway import Gateway, GatewayTerms, Reply, Request, opened
from engine.exchange.settings import ExchangeSettings
from engine.model.instruments import Instrument, MarketKind
from engine.model.market import Announcement, OraclePrice, Quote
from engine.runtime.wiring_server import KEY, SECRET
from tests.conftest import ROOT

VENUE, STEADY = "binanceusdm", "BTCUSDT"
ORDER, ALGO = "/fapi/v1/order", "/fapi/v1/algoOrder"
FLAT, NEAR, UP, DOWN = 2.0, 2.0185, 2.021, 1.95
"""The trigger is 2.02. `NEAR` lets the book follow: it is told after the quote, and an entry asks its price."""
LIFTED = 99_999_999
"""Requests and orders in each of the venue's spans: no limit that this machine reaches."""
FLAGS = {
    "ENGINE_DRY_RUN": "false", "WARMUP_SEC": "0", "EVENT_BREAKOUT_HALF_SIZE_MINUTES": "0",
    "EVENT_BREAKOUT_SIZE_USD": "200", "TAKER_SLIPPAGE_LIMIT_BPS": "10000", "AUTO_MUTE_SCALP_THRESHOLD": "10000",
    "DAILY_LOSS_LIMIT_PCT": "100",
}
"""A day of losing stories in a minute would rightly end trading."""


@dataclass(frozen=True, slots=True)
class Post:
    """An order as the venue got it. Instants in ns of the wall's clock."""

    arrived: int
    done: int
    """When the venue had decided about it."""
    client_id: str
    symbol: str
    stop: bool
    entry: bool
    status: int


class BenchVenue(VenueServer):
    """The venue with a list of the orders it got."""

    def __init__(self, symbols: Iterable[str]) -> None:
        terms = GatewayTerms(
            api_key=KEY, secret=SECRET, weight_limit=LIFTED, order_limit_10s=LIFTED, order_limit_1m=LIFTED
        )
        gateway: Gateway = opened(
            ExchangeSettings(balances=(("USDT", Decimal(10_000_000)),), max_conditional=2_000), terms
        )
        super().__init__(gateway, SystemClock(), ServerOptions())
        self.posts: list[Post] = []
        self.on_entry: Callable[[Post], None] = lambda post: None
        """Called once an entry was decided about, before its reply leaves."""
        self.again = 0
        """How often a trigger had to be told again."""
        self.guests: list[asyncio.subprocess.Process] = []
        """Engines that were started to trade here."""
        self.stopped: dict[str, asyncio.Event] = {}
        """By symbol: set once a stop was taken."""
        for symbol in symbols:
            self.floor.define(_instrument(symbol))

    def answer(self, asked: Request) -> Reply:
        """Answer as the venue does, and remember orders."""
        if asked.method != "POST" or asked.path not in (ORDER, ALGO):
            return super().answer(asked)
        arrived = time.time_ns()
        reply = super().answer(asked)
        stop = asked.path == ALGO
        post = Post(
            arrived=arrived, done=time.time_ns(), client_id=asked.get("clientAlgoId" if stop else "newClientOrderId"),
            symbol=asked.get("symbol"), stop=stop, entry=not stop and asked.get("side") == "BUY", status=reply.status,
        )
        self.posts.append(post)
        if stop and post.status == 200 and post.symbol in self.stopped:
            self.stopped[post.symbol].set()
        if post.entry and post.status == 200:
            self.on_entry(post)
        return reply

    # The market.

    def quote(self, symbol: str, mid: float) -> None:
        """Have `symbol` quoted around `mid`, two ticks to each side."""
        at = self.now()
        bid, ask = round(mid - 0.0002, 4), round(mid + 0.0002, 4)
        self.on_market(Quote(VENUE, symbol, bid, 500_000.0, ask, 500_000.0, at, at), at)

    def announce(self, symbols: tuple[str, ...]) -> None:
        """Publish one listing of all `symbols`, each with a price from before it."""
        for symbol in symbols:
            self.quote(symbol, FLAT)
            self.stopped[symbol] = asyncio.Event()
        at = self.now()
        self.on_market(Announcement("binance", f"listing-{at}", "listing", "", symbols, at, at), at)

    async def steady(self) -> None:
        """Keep a market alive that nobody trades, until cancelled."""
        turn = 0
        while True:
            self.quote(STEADY, FLAT + turn % 2 * 0.0001)
            if turn % 10 == 0:
                at = self.now()
                self.on_market(OraclePrice("bench", "USDT", "USD", 1.0, str(turn), at, at), at)
            turn += 1
            await asyncio.sleep(0.1)

    def flat(self, symbol: str) -> bool:
        """Whether nothing of `symbol` is held or open."""
        exchange = self.gateway.office.exchange
        held = exchange.position(VENUE, symbol).quantity
        return held == 0 and all(one.order.symbol != symbol for one in exchange.open_orders())


def _instrument(symbol: str) -> Instrument:
    return Instrument(
        venue=VENUE, symbol=symbol, base=symbol.removesuffix("USDT"), quote="USDT", kind=MarketKind.PERPETUAL,
        tick=Decimal("0.0001"), step=Decimal("0.1"), min_quantity=Decimal("0.1"), max_quantity=Decimal(1_000_000),
        min_notional=Decimal(5),
    )


def environment(server: VenueServer) -> dict[str, str]:
    """Return what an engine is started with to trade at `server`."""
    return {
        **os.environ, **FLAGS, "ENGINE_VENUE_URL": server.url, "BINANCE_API_KEY": KEY, "BINANCE_API_SECRET": SECRET,
        "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(ROOT),
    }


async def until(done: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait until `done`; AssertionError with `what` did not come in time."""
    ends = time.monotonic() + seconds
    while not done():
        if time.monotonic() > ends:
            raise AssertionError(f"{what}: not within {seconds:g} s")
        await asyncio.sleep(0.01)


def memory_kb(pid: int, name: str) -> int:
    """Return `VmRSS` or `VmHWM` of a process in KiB."""
    text = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith(f"{name}:"))


__all__ = ["DOWN", "FLAT", "NEAR", "STEADY", "UP", "BenchVenue", "Post", "environment", "memory_kb", "until"]
