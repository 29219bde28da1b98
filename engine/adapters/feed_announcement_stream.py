"""Binance's own push of what it publishes: one signed websocket, which needs the API key of a production account.

As Binance documents it (developers.binance.com, Announcements): the address carries a random word, the receive window,
the time and the topic, sorted by name and signed with HMAC-SHA256; the key is a header. Data comes as
{type: DATA, topic, data: "<JSON of catalogId, publishDate (ms), title, body, disclaimer>"}, without the number that
the page gives an article. A line is pinged every 30 s and lives at most a day. It has not been tried against the
real venue; it is an addition, and life is counted by the poll alone.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from engine.adapters.feed_outside import UNREADABLE, Outside, read_json
from engine.model.time import HOUR, MINUTE, MS, SECOND

TOPIC = "com_announcement_en"
LARGEST = 1 << 22
"""Bytes of a message: bodies are long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamSettings:
    """Where it is pushed, and who listens. Durations in ns."""

    key: str = field(repr=False)
    secret: str = field(repr=False)
    url: str = "wss://api.binance.com/sapi/wss"
    receive_window: int = 30 * SECOND
    ping: int = 25 * SECOND
    rotate_after: int = 23 * HOUR
    first_pause: int = 2 * SECOND
    longest_pause: int = 10 * MINUTE
    """Between two attempts: an address that knocks too often is banned, and with it the orders."""

    def __post_init__(self) -> None:
        """ValueError where something cannot be."""
        if not self.url.startswith(("ws://", "wss://")) or not self.key or not self.secret:
            raise ValueError("url begins with wss:// or ws://, and a key and its secret are needed")
        if not 0 < self.receive_window <= MINUTE or min(self.ping, self.first_pause) <= 0:
            raise ValueError("receive_window is at most a minute, and durations are positive")


class Pushed(NamedTuple):
    """One article as it was pushed."""

    catalogue: int
    title: str
    published_ms: int
    body: str


def signed_url(settings: StreamSettings, now: int, word: str) -> str:
    """Return the address to connect to at `now` (ns); `word` is any random text of at most 32 letters and digits."""
    asked = f"random={word}&recvWindow={settings.receive_window // MS}&timestamp={now // MS}&topic={TOPIC}"
    signature = hmac.new(settings.secret.encode(), asked.encode(), hashlib.sha256).hexdigest()
    return f"{settings.url}?{asked}&signature={signature}"


def pushed_of(raw: bytes | str) -> Pushed | None:
    """Return the article in a message, or None where it is an answer to us; raises one of UNREADABLE."""
    data: Any = read_json(raw)
    if data["type"] != "DATA" or data["topic"] != TOPIC:
        return None
    told = read_json(data["data"])
    catalogue, title, published = told["catalogId"], told["title"], told["publishDate"]
    if type(catalogue) is not int or type(published) is not int or published <= 0:
        raise ValueError("catalogId and publishDate are whole numbers")
    if not isinstance(title, str) or not title.strip():
        raise ValueError("no title")
    body = told.get("body")
    return Pushed(catalogue, title, published, body if isinstance(body, str) else "")


class AnnouncementStream:
    """One line that is to be open always. `tell` takes each article; `counts` is the feed's own."""

    def __init__(
        self, settings: StreamSettings, outside: Outside, tell: Callable[[Pushed], None], counts: Counter[str]
    ) -> None:
        self._settings, self._outside, self._tell, self._counts = settings, outside, tell, counts

    async def run(self) -> None:
        """Listen until cancelled; what ends a line is counted, and the next one is opened ever later."""
        failures = 0
        while True:
            spoke = await self._listen()
            failures = 1 if spoke else failures + 1
            longest_s = self._settings.longest_pause / SECOND
            least_s = self._settings.first_pause / SECOND
            await self._outside.sleep(max(least_s, self._outside.backoff_s(failures, longest_s)))

    async def _listen(self) -> bool:
        """Hold one line until it ends; return whether it was ever open."""
        from websockets.asyncio.client import connect
        from websockets.exceptions import ConnectionClosed, InvalidHandshake

        settings = self._settings
        word = f"{int(self._outside.draw() * 16**12):012x}{self._outside.clock.now():x}"[:32]
        url = signed_url(settings, self._outside.clock.now(), word)
        try:
            connection = await connect(
                url, additional_headers={"X-MBX-APIKEY": settings.key}, proxy=None, compression=None,
                ping_interval=settings.ping / SECOND, close_timeout=1.0, max_size=LARGEST,
            )
        except (OSError, EOFError, InvalidHandshake) as error:
            # Not the error's own words: they may hold the address, which is signed.
            self._counts[f"stream: cannot connect ({type(error).__name__})"] += 1
            return False
        self._counts["stream opened"] += 1
        try:
            async with asyncio.timeout(settings.rotate_after / SECOND):
                while True:
                    self._hear(await connection.recv(decode=False))
        except (TimeoutError, ConnectionClosed):
            self._counts["stream ended"] += 1
            return True
        finally:
            await connection.close()

    def _hear(self, raw: bytes) -> None:
        try:
            pushed = pushed_of(raw)
        except UNREADABLE:
            self._counts["stream: a message that cannot be read"] += 1
            return
        if pushed is not None:
            self._tell(pushed)
