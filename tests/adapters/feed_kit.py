"""What the tests of the live feeds share: a venue on loopback that says what it is told to, and time that obeys."""

from __future__ import annotations

import asyncio
import heapq
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from aiohttp import WSMsgType, web

from engine.adapters.feed_outside import Outside
from engine.model.market import MarketEvent
from engine.model.time import SECOND

START = 1_790_000_000 * SECOND
PATIENCE_S = 20.0
"""How long a test waits, on the wall, for what must happen."""


class ObedientTime:
    """A clock that stands still, and sleepers who wake when it is moved."""

    def __init__(self) -> None:
        self.at, self._sleepers, self._order = START, list[tuple[int, int, asyncio.Future[None]]](), count()
        self.slept: list[float] = []

    def now(self) -> int:
        return self.at

    def monotonic(self) -> int:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        woken = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.at + max(0, int(seconds * SECOND)), next(self._order), woken))
        await woken

    async def advance(self, seconds: float) -> None:
        """Move on; whoever sleeps wakes at their instant, in order, and has time to act."""
        end = self.at + int(seconds * SECOND)
        await breathe()
        while self._sleepers and self._sleepers[0][0] <= end:
            due, _, woken = heapq.heappop(self._sleepers)
            if not woken.done():
                self.at = max(self.at, due)
                woken.set_result(None)
                await breathe()
        self.at = end
        await breathe()


async def breathe() -> None:
    """Let everybody act who can act without the network."""
    for _ in range(8):
        await asyncio.sleep(0)


async def until(happens: Callable[[], object], what: str = "") -> None:
    """Wait on the wall until `happens()`; fails when that does not come."""
    loop = asyncio.get_running_loop()
    end = loop.time() + PATIENCE_S
    while not happens():
        assert loop.time() < end, f"never happened: {what or happens}"
        await asyncio.sleep(0.002)


@dataclass(eq=False)
class Heard:
    """One connection to the loopback venue."""

    path: str
    socket: web.WebSocketResponse
    streams: list[str] = field(default_factory=list)
    requests: int = 0


Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Loopback:
    """A venue of public streams. It grants what is asked for unless `grant` is off."""

    def __init__(self) -> None:
        self.lines: list[Heard] = []
        self.opened = 0
        self.grant, self.refuse = True, ""
        self.answers: dict[str, Answer] = {}
        self.asked: list[web.Request] = []
        self.port = 0

    @property
    def base(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    def subscribed(self) -> set[str]:
        return {stream for line in self.lines for stream in line.streams}

    async def say(self, stream: str, data: object) -> int:
        """Send `data` (JSON, or a text as it is) to every line that asked for `stream`; return how many."""
        text = data if isinstance(data, str) else json.dumps(data)
        found = [line for line in self.lines if stream in line.streams]
        for line in found:
            await line.socket.send_str(text)
        return len(found)

    async def cut(self, path: str = "") -> None:
        """Drop every line, or those of one address, without a word."""
        chosen = [line for line in self.lines if path in ("", line.path)]
        for line in chosen:
            transport = line.socket._req.transport if line.socket._req is not None else None
            if transport is not None:
                transport.abort()
        await until(lambda: not set(chosen) & set(self.lines), "the lines are cut")

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._line(request)
        self.asked.append(request)
        answer = self.answers.get(request.path)
        return web.Response(status=404, text="no such page") if answer is None else await answer(request)

    async def _line(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        line = Heard(request.path, socket)
        self.lines.append(line)
        self.opened += 1
        try:
            async for message in socket:
                if message.type is not WSMsgType.TEXT:
                    continue
                asked: Any = json.loads(message.data)
                line.requests += 1
                if self.refuse:
                    await socket.send_json({"error": {"code": 2, "msg": self.refuse}, "id": asked["id"]})
                elif self.grant:
                    line.streams += asked["params"]
                    await socket.send_json({"result": None, "id": asked["id"]})
        finally:
            self.lines.remove(line)
        return socket


def answers(*replies: object, status: int = 200, headers: dict[str, str] | None = None) -> Answer:
    """Return an answer that says each of `replies` once and then the last for ever; texts are sent as they are."""
    left = list(replies)

    async def answer(request: web.Request) -> web.StreamResponse:
        reply = left.pop(0) if len(left) > 1 else left[0]
        text = reply if isinstance(reply, str) else json.dumps(reply)
        return web.Response(status=status, text=text, headers=headers)

    return answer


@asynccontextmanager
async def loopback() -> AsyncIterator[Loopback]:
    """Serve on a port of the system's choice."""
    venue = Loopback()
    application = web.Application()
    application.router.add_route("*", "/{any:.*}", venue.handle)
    runner = web.AppRunner(application, shutdown_timeout=0.2)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    venue.port = runner.addresses[0][1]
    try:
        yield venue
    finally:
        for line in tuple(venue.lines):
            await line.socket.close()
        await runner.cleanup()


@asynccontextmanager
async def running(run: Coroutine[Any, Any, None]) -> AsyncIterator[asyncio.Task[None]]:
    """Run a feed beside the test and cancel it at the end; what it raised is raised."""
    task = asyncio.create_task(run)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait({task}, timeout=PATIENCE_S)
    assert task.done(), "cancellation must end it"
    if not task.cancelled():
        task.result()


class Ear:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.events: list[MarketEvent] = []

    def __call__(self, event: MarketEvent) -> None:
        self.events.append(event)

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.events if type(event) is kind]


def outside(time: ObedientTime, ear: Ear, draw: float = 0.0) -> Outside:
    return Outside(clock=time, tell=ear, sleep=time.sleep, draw=lambda: draw)
