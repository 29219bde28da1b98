"""One WebSocket of a client: what it listens to, and what waits to be sent to it.

Nobody waits for a slow client: what it has not read stands in a bounded queue, and when that
is full the connection is cut, as a real venue does.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from aiohttp import WSCloseCode, web

from engine.adapters.venue_server_streams import Market, is_market_data

SPOT_ROOT = "stream.spot"
"""ccxt tells spot from futures by `/stream` in an address; the futures' own combined path is just `/stream`."""
_CATEGORIES = ("public", "market", "private")
MOST_WAITING = 4096
"""Messages that may wait for one client."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """What the address of a WebSocket asks for."""

    market: Market = Market.LINEAR
    category: str = ""
    """public, market or private where the path says so; empty for the old paths, which serve all."""
    combined: bool = False
    """Whether each message is wrapped with the name of its stream."""
    names: tuple[str, ...] = ()
    """Streams named in the address itself."""
    key: str = ""
    """The listen key, where the address has one."""


def door_of(path: str, query: Mapping[str, str]) -> Door | None:
    """Return what the address of a WebSocket asks for; None where nothing is served under it."""
    words = [word for word in path.split("/") if word]
    if not words:
        return None
    market, part = Market.LINEAR, ""
    if words[0] == SPOT_ROOT:
        market, words = Market.SPOT, words[1:]
    elif words[0] in _CATEGORIES:
        part, words = words[0], words[1:]
    if not words or words[0] not in ("ws", "stream"):
        return None
    combined, rest = words[0] == "stream", words[1:]
    names = [name for name in query.get("streams", "").split("/") if name] if combined else []
    # ccxt numbers its connections behind the path: a word that names no stream and no key.
    names += [word for word in rest if is_market_data(word)]
    keys = [word for word in (*rest, *names) if not is_market_data(word) and not word.isdigit()]
    return Door(
        market=market, category=part, combined=combined, names=tuple(name for name in names if is_market_data(name)),
        key=query.get("listenKey", "") or next(iter(keys), ""),
    )


@dataclass(slots=True, eq=False)
class Socket:
    """An open connection. `opened_at` and `heard_at` are monotonic ns."""

    ws: web.WebSocketResponse
    request: web.Request
    door: Door
    opened_at: int
    heard_at: int
    combined: bool = False
    names: dict[str, None] = field(default_factory=dict)
    most_waiting: int = MOST_WAITING
    cut: bool = False
    """Whether it was cut, without a word."""
    slow: bool = False
    """Whether that was for not reading."""
    _waiting: asyncio.Queue[str | bytes | WSCloseCode] = field(default_factory=asyncio.Queue)

    @property
    def waiting(self) -> int:
        """Messages that were not handed to the network yet."""
        return self._waiting.qsize()

    def push(self, text: str) -> None:
        """Have `text` sent, after all that waits; a client with too much waiting is cut."""
        if self.cut:
            return
        if self._waiting.qsize() >= self.most_waiting:
            self.slow = True
            self.abort()
            return
        self._waiting.put_nowait(text)

    def ping(self) -> None:
        """Ask whether the client is there."""
        self._waiting.put_nowait(b"")

    def end(self, code: WSCloseCode) -> None:
        """Close in order, after all that waits."""
        self._waiting.put_nowait(code)

    def abort(self) -> None:
        """Cut the connection now, without a word."""
        self.cut = True
        transport = self.request.transport
        if transport is not None:
            transport.abort()

    async def write(self) -> None:
        """Send what waits until the connection ends."""
        with contextlib.suppress(ConnectionError):
            while not self.ws.closed:
                item = await self._waiting.get()
                if isinstance(item, str):
                    await self.ws.send_str(item)
                elif isinstance(item, bytes):
                    await self.ws.ping(item)
                else:
                    await self.ws.close(code=item)
