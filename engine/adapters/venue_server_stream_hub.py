"""Everybody who listens: WebSockets, what each asked for, and who gets which message.

Speaks what `ccxt.pro` and plain clients of Binance speak: streams in the address or by
SUBSCRIBE, the combined envelope, listen keys, pings of both sides, an end after 24 hours.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from aiohttp import WSCloseCode, WSMsgType, web

from engine.adapters.venue_server_stream_socket import MOST_WAITING, Door, Socket
from engine.adapters.venue_server_stream_trouble import MarketTrouble
from engine.adapters.venue_server_streams import Market, category, is_market_data
from engine.model.codec import Data
from engine.model.time import DAY, MINUTE, SECOND
from engine.ports.clock import Clock

MOST_REQUEST_BYTES = 1 << 20
NO_KEY = b"This listenKey does not exist."
_DONE: Data = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamTerms:
    """How connections are kept. Durations in ns."""

    life: int = DAY
    """After which a connection is closed, whatever goes over it."""
    ping_every: int = 3 * MINUTE
    pong_patience: int = 10 * MINUTE
    """How long a client may answer no ping."""
    most_waiting: int = MOST_WAITING
    """Messages that may wait for a client that does not read."""
    most_streams: int = 1024
    """Streams of one connection."""


class Hub:
    """All open connections. `knows_key` says whether a listen key is alive; `joined` hears of every subscription."""

    def __init__(
        self, clock: Clock, terms: StreamTerms, *, knows_key: Callable[[str], bool], joined: Callable[[], None]
    ) -> None:
        self._clock, self._terms = clock, terms
        self._knows_key, self._joined = knows_key, joined
        self._listeners: dict[tuple[Market, str], dict[Socket, None]] = {}
        self._sockets: dict[Socket, None] = {}
        self.trouble: MarketTrouble | None = None
        """What goes wrong with market streams."""
        self.opened = 0
        """Connections so far."""
        self.refused_keys = 0
        self.cut_slow = 0
        """Connections that were cut because the client did not read."""
        self.said = 0
        """Messages handed to connections."""

    @property
    def sockets(self) -> tuple[Socket, ...]:
        """Every open connection, the oldest first."""
        return tuple(self._sockets)

    # What is sent.

    def wanted(self, market: Market, name: str) -> bool:
        """Whether anybody listens to the stream `name`."""
        return (market, name) in self._listeners

    def say(self, market: Market, name: str, data: Data) -> None:
        """Send a message of the stream `name` to all who listen to it, unless a fault has it otherwise."""
        if self.trouble is None:
            self._say(market, name, data)
            return
        for copy, delay in self.trouble.fate(market, name, data, self._clock.now()):
            if delay:
                asyncio.get_running_loop().call_later(delay / SECOND, self._say, market, name, copy)
            else:
                self._say(market, name, copy)

    def _say(self, market: Market, name: str, data: Data) -> None:
        listeners = self._listeners.get((market, name))
        if listeners:
            self._send(tuple(listeners), name, data)

    def say_user(self, key: str, data: Data) -> None:
        """Send an account event to every connection that is open on the listen key `key`."""
        self._send(tuple(each for each in self._sockets if each.door.key == key), key, data)

    def _send(self, sockets: Iterable[Socket], name: str, data: Data) -> None:
        plain = wrapped = ""
        for socket in sockets:
            if socket.combined:
                wrapped = wrapped or _json({"stream": name, "data": data})
                socket.push(wrapped)
            else:
                plain = plain or _json(data)
                socket.push(plain)
            self.said += 1

    def drop(self, *, key: str | None = None, market: Market | None = None) -> int:
        """Cut connections without a word: those on a listen key (empty for every key) or of a market; return how many.

        Neither means all.
        """
        chosen = [
            each for each in self._sockets
            if (key is None and market is None) or (key is not None and each.door.key and key in ("", each.door.key))
            or (market is not None and not each.door.key and each.door.market is market)
        ]
        for each in chosen:
            each.abort()
        return len(chosen)

    # What comes in.

    async def serve(self, request: web.Request, door: Door) -> web.WebSocketResponse:
        """Serve one connection until it ends."""
        ws = web.WebSocketResponse(autoping=False, compress=False, timeout=1.0, max_msg_size=MOST_REQUEST_BYTES)
        await ws.prepare(request)
        now = self._clock.monotonic()
        self.opened += 1
        if (door.key or door.category == "private") and not self._knows_key(door.key):
            self.refused_keys += 1
            await ws.close(code=WSCloseCode.POLICY_VIOLATION, message=NO_KEY)
            return ws
        socket = Socket(
            ws=ws, request=request, door=door, opened_at=now, heard_at=now, combined=door.combined,
            most_waiting=self._terms.most_waiting,
        )
        self._sockets[socket] = None
        self._listen(socket, door.names)
        writer = asyncio.create_task(socket.write())
        try:
            await self._read(socket)
        finally:
            self._forget(socket)
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)
        return ws

    async def _read(self, socket: Socket) -> None:
        async for message in socket.ws:
            socket.heard_at = self._clock.monotonic()
            if message.type is WSMsgType.PING:
                await socket.ws.pong(message.data)
            elif message.type is WSMsgType.TEXT:
                socket.push(_json(self._answer(socket, message.data)))
            elif message.type is WSMsgType.BINARY:
                socket.end(WSCloseCode.UNSUPPORTED_DATA)

    def _answer(self, socket: Socket, text: str) -> Data:
        try:
            asked = json.loads(text)
        except ValueError:
            return _wrong("Invalid JSON: it cannot be read", None)
        if not isinstance(asked, dict):
            return _wrong("Invalid request: an object is wanted", None)
        number, method, params = asked.get("id"), asked.get("method"), asked.get("params", [])
        if not isinstance(number, int | str | None) or not isinstance(params, list):
            return _wrong("Invalid request: id is a number or text, params is a list", None)
        if method == "LIST_SUBSCRIPTIONS":
            return {"result": list(socket.names), "id": number}
        if method in ("SET_PROPERTY", "GET_PROPERTY"):
            return self._property(socket, method, params, number)
        if method not in ("SUBSCRIBE", "UNSUBSCRIBE"):
            return _wrong(f"Invalid request: unknown method {str(method)[:40]}", number)
        names = [name for name in params if isinstance(name, str)]
        if len(names) < len(params):
            return _wrong("Invalid request: a stream is called by text", number)
        if method == "UNSUBSCRIBE":
            for name in names:
                self._unlisten(socket, name)
            return {"result": _DONE, "id": number}
        why = self._listen(socket, names)
        return _wrong(why, number) if why else {"result": _DONE, "id": number}

    def _property(self, socket: Socket, method: str, params: list[Any], number: Any) -> Data:
        if params[:1] != ["combined"]:
            return _wrong("Unknown property", number)
        if method == "SET_PROPERTY":
            if len(params) != 2 or not isinstance(params[1], bool):
                return _wrong("Invalid value: combined is true or false", number)
            socket.combined = params[1]
            return {"result": _DONE, "id": number}
        return {"result": socket.combined, "id": number}

    def _listen(self, socket: Socket, names: Iterable[str]) -> str:
        """Have `socket` hear these streams; return why not, then nothing was changed."""
        wanted = list(names)
        for name in wanted:
            if not is_market_data(name):
                return f"Invalid request: {name[:60]} is not the name of a stream"
            own = socket.door.category
            if own and category(name) != own:
                return f"Invalid request: {name[:60]} is served under /{category(name)}, not under /{own}"
        if len({*socket.names, *wanted}) > self._terms.most_streams:
            return f"Too many subscriptions: at most {self._terms.most_streams} streams a connection"
        for name in wanted:
            socket.names[name] = None
            self._listeners.setdefault((socket.door.market, name), {})[socket] = None
        if wanted:
            self._joined()
        return ""

    def _unlisten(self, socket: Socket, name: str) -> None:
        socket.names.pop(name, None)
        listeners = self._listeners.get((socket.door.market, name))
        if listeners is not None:
            listeners.pop(socket, None)
            if not listeners:
                del self._listeners[socket.door.market, name]

    def _forget(self, socket: Socket) -> None:
        for name in tuple(socket.names):
            self._unlisten(socket, name)
        self._sockets.pop(socket, None)
        self.cut_slow += socket.slow

    # What time does.

    async def keep(self) -> None:
        """Ping, end what is too old and cut who answers no ping, until cancelled."""
        every = min(self._terms.ping_every, self._terms.life, self._terms.pong_patience)
        pinged = self._clock.monotonic()
        while True:
            await asyncio.sleep(max(every / 4, SECOND / 100) / SECOND)
            now = self._clock.monotonic()
            ping = now - pinged >= self._terms.ping_every
            pinged = now if ping else pinged
            for socket in self.sockets:
                if now - socket.opened_at >= self._terms.life:
                    socket.end(WSCloseCode.GOING_AWAY)
                elif now - socket.heard_at >= self._terms.pong_patience:
                    socket.abort()
                elif ping:
                    socket.ping()

    async def close(self) -> None:
        """End every connection in order."""
        for socket in self.sockets:
            socket.end(WSCloseCode.GOING_AWAY)
        await asyncio.sleep(0)


def _json(data: Data) -> str:
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False)


def _wrong(why: str, number: Any) -> Data:
    return {"error": {"code": 2, "msg": why}, "id": number}
