"""A Binance-compatible venue on loopback: HTTP and WebSockets around the gateway, on the wall's clock.

Thin: what is answered the gateway decides, what is streamed the tape and the gateway say.
Only this machine can reach it.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Self

from aiohttp import web

from engine.adapters import venue_server_news as news
from engine.adapters.venue_server_gateway import Gateway, Reply
from engine.adapters.venue_server_gateway_door import Request
from engine.adapters.venue_server_gateway_faults import StreamFault, StreamRule, WireRule
from engine.adapters.venue_server_http import MOST_BODY, WireLog, request_of, response_of
from engine.adapters.venue_server_market import MarketFloor
from engine.adapters.venue_server_stream_hub import Hub, StreamTerms
from engine.adapters.venue_server_stream_socket import door_of
from engine.adapters.venue_server_stream_trouble import MarketTrouble
from engine.adapters.venue_server_streams import Market
from engine.adapters.venue_server_tape import Pace, TapePlayer, known_instruments
from engine.model.time import SECOND
from engine.ports.clock import Clock
from engine.ports.feed import Tape, TapeEvent

HOST = "127.0.0.1"
CLOSING_S = 0.5
"""How long requests that are under way at the end may take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """Where the venue is and what is played there."""

    port: int = 0
    """0 for any that is free."""
    tape: Tape | None = None
    pace: Pace = field(default_factory=Pace)
    wait: bool = False
    """Whether the tape begins when somebody first listens to a market stream."""
    streams: StreamTerms = field(default_factory=StreamTerms)
    market_faults: tuple[StreamRule, ...] = ()
    """What goes wrong with the streams of the market; instants of the wall's clock."""
    seed: str = "0"
    """What the probabilities of those are drawn from."""


class VenueServer:
    """The venue. `async with` serves it; `ended` waits for its end, which only a fault brings before `stop`."""

    def __init__(self, gateway: Gateway, clock: Clock, options: ServerOptions) -> None:
        self.gateway = gateway
        self.log = WireLog()
        """What came over the wire, for tests and oracles."""
        self._clock, self._options = clock, options
        self._at = self._port = self._timer_due = 0
        self._started = asyncio.Event()
        """Set once the tape may begin."""
        self.hub = Hub(clock, options.streams, knows_key=self._knows_key, joined=self._started.set)
        self.floor = MarketFloor(gateway, self.hub, history=lambda: self.history)
        self._runner: web.AppRunner | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._broken: asyncio.Future[None] | None = None
        """What went wrong where nobody waits."""
        self._timer: asyncio.TimerHandle | None = None
        if not options.wait:
            self._started.set()
        self.player: TapePlayer | None = None
        if options.tape is not None:
            self.player = TapePlayer(options.tape, clock, self.on_market, options.pace)
            for instrument in known_instruments(options.tape):
                self.floor.define(instrument)

    @property
    def port(self) -> int:
        """The port that was taken; 0 before `start`."""
        return self._port

    @property
    def url(self) -> str:
        """The venue's address, without a path."""
        return f"http://{HOST}:{self._port}"

    def now(self) -> int:
        """Return the venue's time: the wall's, but never back (ns)."""
        self._at = max(self._at, self._clock.now())
        return self._at

    async def start(self) -> None:
        """Listen and play; OSError where the port is taken."""
        app = web.Application(client_max_size=MOST_BODY)
        app.router.add_route("*", "/{path:.*}", self._serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=CLOSING_S)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, HOST, self._options.port).start()
        except OSError:
            await self._runner.cleanup()
            raise
        self._port = int(self._runner.addresses[0][1])
        for rule in self._options.market_faults:
            self._market_fault(rule)
        works = [self.hub.keep(), self.floor.tell_marks(self.now)]
        if self.player is not None:
            works.append(self._play(self.player))
        self._broken = asyncio.get_running_loop().create_future()
        self._tasks = [asyncio.create_task(work) for work in works]

    async def stop(self) -> None:
        """Close every connection in order and let the port go."""
        for task in self._waited():
            task.cancel()
        await asyncio.gather(*self._waited(), return_exceptions=True)
        if self._timer is not None:
            self._timer.cancel()
        await self.hub.close()
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def symbols(self) -> tuple[str, ...]:
        """What is offered as futures now."""
        return self.floor.offered

    @property
    def rules(self) -> int:
        """How many rules of faults it began with or got."""
        faults = self.gateway.faults
        return len(faults.requests) + len(faults.streams) + len(self._options.market_faults)

    async def ended(self) -> None:
        """Wait until it breaks; raises what broke it, a TapeError for a tape that cannot be read on."""
        await asyncio.gather(*self._waited())

    def _waited(self) -> list[asyncio.Future[None]]:
        return [*self._tasks, *([self._broken] if self._broken is not None else [])]

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def add_fault(self, rule: WireRule | StreamRule, *, market: bool = False) -> None:
        """Have one more fault from now on: of requests, of the account's stream or, with `market`, of the market's.

        Instants in it are of the wall's clock.
        """
        if not market:
            self.gateway.add_fault(rule)
            self._rearm()
        elif isinstance(rule, StreamRule):
            self._market_fault(rule)
        else:
            raise ValueError("streams of the market meet faults of streams only")

    def _market_fault(self, rule: StreamRule) -> None:
        if rule.kind is StreamFault.DEAD_LISTEN_KEY:
            raise ValueError("the market is heard without a listen key")
        if rule.kind is StreamFault.DROP_CONNECTION:
            wait = max(0, rule.start - self._clock.now()) / SECOND
            asyncio.get_running_loop().call_later(wait, self._drop_market)
            return
        if self.hub.trouble is None:
            self.hub.trouble = MarketTrouble((), self._options.seed)
        self.hub.trouble.add(rule)

    def _drop_market(self) -> None:
        self.hub.drop(market=Market.LINEAR)

    # The market.

    @property
    def history(self) -> bool:
        """Whether what the tape tells now lies before the place from which it is played: nobody hears it."""
        return self.player is not None and self.player.skipping

    async def _play(self, player: TapePlayer) -> None:
        await self._started.wait()
        await player.play()

    def on_market(self, event: TapeEvent, at: int) -> None:
        """Take one event of the market that happens at `at` (ns), as the venue's own."""
        self._at = max(self._at, at)
        self.floor.on_market(event, self._at)
        self._rearm()

    # Time.

    def _rearm(self) -> None:
        """See that the gateway is asked again when something next happens there."""
        due = self.gateway.next_due()
        if self._timer is not None:
            if due is not None and self._timer_due <= due:
                return
            self._timer.cancel()
            self._timer = None
        if due is not None:
            self._timer_due = due
            wait = max(0, due - self._clock.now()) / SECOND
            self._timer = asyncio.get_running_loop().call_later(wait, self._due)

    def _due(self) -> None:
        self._timer = None
        try:
            self._advance()
        except Exception as error:
            # Nobody awaits a timer: without this the account's stream would fall silent and no one would know.
            if self._broken is not None and not self._broken.done():
                self._broken.set_exception(error)

    def _advance(self) -> None:
        """Let all that is due happen, and send what it says to the account's streams."""
        for message in self.gateway.advance(self.now()):
            if message.payload is None:
                self.hub.drop(key=message.key)
            else:
                self.hub.say_user(message.key, message.payload)
        self._rearm()

    def _knows_key(self, key: str) -> bool:
        return self.gateway.knows_key(key, self.now())

    # Requests.

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() == "websocket":
            door = door_of(request.path, request.query)
            return web.Response(status=404) if door is None else await self.hub.serve(request, door)
        asked = await request_of(request)
        reply = self.answer(asked)
        if reply.delay:
            await asyncio.sleep(reply.delay / SECOND)
        if reply.lost:
            return _hang_up(request)
        return response_of(reply)

    def answer(self, asked: Request) -> Reply:
        """Answer one request, and remember it."""
        at = self.now()
        if asked.path == news.PATH and asked.method == "GET":
            status, body = self.floor.news.page(dict(asked.params))
            reply = Reply(status=status, body=body)
        else:
            reply = self.floor.corrected(asked, self.gateway.handle(asked, at), at)
            self._advance()
        self.log.add(asked, reply, at)
        return reply


def _hang_up(request: web.Request) -> web.Response:
    """Cut the connection without a word; what is returned goes nowhere."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)
