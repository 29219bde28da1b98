"""One websocket to a venue's public streams, and the slot in which one is always open.

A line subscribes, hears, and ends with a reason. It is alive while content comes: pongs
and acknowledgements prove nothing. A slot opens a new line where one ended, each time
later; before the venue cuts a line for its age the slot opens the next, lets both speak
for a while, and closes the old one, so that nothing is missed. Whoever hears drops what
both said.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.adapters.feed_outside import Outside, before, stopped
from engine.model.time import DAY, HOUR, SECOND

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

BATCH = 50
"""Streams in one SUBSCRIBE: a message stays far below what a venue takes."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A venue's answer to a SUBSCRIBE; `refused` is empty where it agreed."""

    number: int
    refused: str = ""


Heard = Reply | bool
"""What a message was: an answer, or whether it had content."""
Hear = Callable[[bytes, int], Heard]
"""Takes a message and when it was received (ns)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LineLimits:
    """How a line is used. Durations in ns."""

    streams: int = 200
    """On one line; Binance allows 1024, ccxt uses 200."""
    messages_per_s: float = 5.0
    """To the venue, which cuts a line at 10."""
    silent_after: int = 30 * SECOND
    """A line without content for so long is opened anew."""
    answer_within: int = 10 * SECOND
    """For the handshake, and for the answer to a SUBSCRIBE."""
    rotate_after: int = 23 * HOUR
    """Binance cuts a line at 24 h."""
    overlap: int = 5 * SECOND
    """How long the old line still speaks beside the new one."""

    def __post_init__(self) -> None:
        """ValueError where a limit makes no sense."""
        if not (self.streams >= 1 and 0 < self.messages_per_s <= 10):
            raise ValueError("a line has at least one stream and sends at most 10 messages a second")
        if min(self.silent_after, self.answer_within, self.overlap) <= 0 or not 0 < self.rotate_after < DAY:
            raise ValueError("limits of a line are positive, and it is rotated before 24 h")


class Line:
    """One connection. `streams` is the slot's own list, which grows."""

    def __init__(self, url: str, streams: list[str], limits: LineLimits, outside: Outside, hear: Hear) -> None:
        self._url, self._streams, self._limits, self._outside, self._hear = url, streams, limits, outside, hear
        self._more = asyncio.Event()
        self._unanswered: dict[int, int] = {}
        self._sent = 0
        self._content_at = 0
        self.ready = asyncio.Event()
        """Everything that was asked for has been granted."""
        self.spoke = False
        """Whether it ever brought content."""
        self.task = asyncio.create_task(self._run(), name=f"line {url}")

    def wake(self) -> None:
        """Ask for what was added to the streams."""
        self._more.set()

    async def _run(self) -> str:
        """Return why the line ended. Raises only what is our own mistake."""
        from websockets.asyncio.client import connect
        from websockets.exceptions import InvalidHandshake

        within = self._limits.answer_within / SECOND
        try:
            connection = await connect(
                self._url, compression=None, proxy=None, open_timeout=within, close_timeout=1.0, max_size=1 << 23,
                max_queue=256,
            )
        except (OSError, EOFError, InvalidHandshake) as error:
            return f"cannot connect: {error or type(error).__name__}"
        self._content_at = self._outside.clock.monotonic()
        tasks = [
            asyncio.create_task(part) for part in (self._read(connection), self._ask(connection), self._watch())
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            return [task.result() for task in done].pop()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await connection.close()

    async def _read(self, connection: ClientConnection) -> str:
        from websockets.exceptions import ConnectionClosed

        clock, hear = self._outside.clock, self._hear
        while True:
            try:
                raw = await connection.recv(decode=False)
            except ConnectionClosed as error:
                return f"closed by the venue or the network: {error}"
            heard = hear(raw, clock.now())
            if heard is True:
                self._content_at, self.spoke = clock.monotonic(), True
            elif isinstance(heard, Reply):
                if heard.refused:
                    return f"SUBSCRIBE was refused: {heard.refused}"
                self._unanswered.pop(heard.number, None)
                self._look_ready()

    def _look_ready(self) -> None:
        if self._sent == len(self._streams) and not self._unanswered:
            self.ready.set()

    async def _ask(self, connection: ClientConnection) -> str:
        from websockets.exceptions import ConnectionClosed

        number = 0
        while True:
            self._more.clear()
            while self._sent < len(self._streams):
                batch = self._streams[self._sent:self._sent + BATCH]
                number += 1
                self._unanswered[number] = self._outside.clock.monotonic()
                self._sent += len(batch)
                try:
                    await connection.send(json.dumps({"method": "SUBSCRIBE", "params": batch, "id": number}))
                except ConnectionClosed as error:
                    return f"closed while asking for streams: {error}"
                await self._outside.sleep(1.0 / self._limits.messages_per_s)
            await self._more.wait()

    async def _watch(self) -> str:
        """Return when the line is as good as dead, however well it pongs."""
        limits = self._limits
        while True:
            now = self._outside.clock.monotonic()
            quiet = now - self._content_at
            if quiet >= limits.silent_after:
                return f"no message with content for {quiet / SECOND:.0f} s"
            if self._unanswered and now - min(self._unanswered.values()) >= limits.answer_within:
                return "no answer to SUBSCRIBE"
            await self._outside.sleep(min(limits.silent_after - quiet, limits.answer_within) / SECOND + 0.001)


class Slot:
    """A place for one line that is to be open always. `on_state` hears of every opening and ending, with the reason."""

    def __init__(
        self, url: str, limits: LineLimits, outside: Outside, hear: Hear,
        on_state: Callable[[Slot, bool, str], None],
    ) -> None:
        self.url, self.streams = url, list[str]()
        self._limits, self._outside, self._hear, self._on_state = limits, outside, hear, on_state
        self._lines: list[Line] = []

    @property
    def room(self) -> int:
        """How many streams may still be added."""
        return self._limits.streams - len(self.streams)

    def add(self, streams: Iterable[str]) -> None:
        """Hear these too, from now on."""
        self.streams += streams
        for line in self._lines:
            line.wake()

    async def run(self) -> None:
        """Keep a line open until cancelled."""
        failures = 0
        while True:
            spoke, why = await self._stay()
            self._on_state(self, False, why)
            failures = 1 if spoke else failures + 1
            await self._outside.sleep(self._outside.backoff_s(failures))

    async def _stay(self) -> tuple[bool, str]:
        """Hold one line after the other until one ends before its time: (whether it had spoken, why)."""
        try:
            line = self._open()
            if not await before(line.ready.wait(), line.task):
                return line.spoke, line.task.result()
            self._on_state(self, True, "")
            while await before(self._outside.sleep(self._age_s()), line.task):
                line = await self._succeeded(line)
            return line.spoke, line.task.result()
        finally:
            for each in tuple(self._lines):
                await self._shut(each)

    def _age_s(self) -> float:
        # Slots that were opened together are not rotated together.
        return self._limits.rotate_after / SECOND * (1.0 - 0.04 * self._outside.draw())

    async def _succeeded(self, old: Line) -> Line:
        """Return the line that goes on after `old`, which is closed; or `old` where no other could be opened."""
        failures = 0
        while True:
            line = self._open()
            if await before(line.ready.wait(), line.task):
                if old.task.done():
                    # Nobody spoke for a moment: whoever keeps books must know.
                    self._on_state(self, False, old.task.result())
                    self._on_state(self, True, "")
                else:
                    await before(self._outside.sleep(self._limits.overlap / SECOND), old.task)
                await self._shut(old)
                return line
            await self._shut(line)
            failures += 1
            if not await before(self._outside.sleep(self._outside.backoff_s(failures)), old.task):
                return old

    def _open(self) -> Line:
        line = Line(self.url, self.streams, self._limits, self._outside, self._hear)
        self._lines.append(line)
        return line

    async def _shut(self, line: Line) -> None:
        self._lines.remove(line)
        await stopped(line.task)
