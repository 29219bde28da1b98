"""The client of the real venue in virtual time: its desk, its hearing and its stream, driven by hand.

What a client knows dies with it: another life begins with nothing, as a new process does.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator
from dataclasses import dataclass
from typing import Any

from engine.adapters.venue_binance_reading import PayloadRefused
from engine.adapters.venue_binance_user import stream
from engine.adapters.venue_ccxt import Events, FuturesClient
from engine.adapters.venue_ccxt_errors import short
from engine.adapters.venue_ccxt_hearing import Hearing
from engine.adapters.venue_ccxt_keys import Keys
from engine.adapters.venue_ccxt_lanes import TurnMissed
from engine.adapters.venue_ccxt_stream import KEEP_KEY, NEW_KEY, StreamDead, UserStream
from engine.adapters.venue_ccxt_terms import CcxtTerms, seconds
from engine.adapters.venue_ccxt_told import Told
from engine.adapters.venue_ccxt_wire import WireTrouble, Withheld
from engine.adapters.venue_virtual_wire import Pause, VirtualClock, VirtualWire
from engine.model.codec import Data
from engine.model.events import VenueEvent
from engine.model.time import MINUTE, MS, SECOND
from engine.ports.venue import Tell

KEEP_EVERY = 20 * MINUTE
TICK = SECOND
"""How often the stream is held against what replies said, while it has something to tell."""
FIRST_PAUSE, LONGEST_PAUSE = 250 * MS, 30 * SECOND
CUT = "cut"
"""Comes instead of a message when the connection is gone."""


@dataclass(frozen=True, slots=True)
class NextMessage:
    """The next message of the stream; awaiting it gives None where none came `until` then (ns)."""

    until: int

    def __await__(self) -> Generator[NextMessage, Data, Data]:
        """Hand the wish out and come back with a message."""
        return (yield self)


@dataclass(slots=True, eq=False)
class Task:
    """One piece of work under way. `fallen` is what is told where it ends without an answer."""

    work: Coroutine[Any, Any, Events]
    fallen: Callable[[str], VenueEvent] | None
    name: str
    legs: int = 0
    """How many requests it has sent."""


class VirtualStream(UserStream):
    """The account's stream: the real one's reading, over messages that its driver hands in."""

    key = ""
    """The listen key it listens to; empty while it does not."""

    async def listen(self) -> Events:
        """Listen for ever; every end is told, and followed by a new key."""
        pause = FIRST_PAUSE
        while True:
            why = "it ended"
            began = self._clock.monotonic()
            try:
                await self._one_key()
            except WireTrouble as error:
                why = f"its key: {error.trouble.text}"
            except (StreamDead, TurnMissed, Withheld, PayloadRefused) as error:
                why = short(str(error))
            self.key = ""
            self._broke(why)
            if self._clock.monotonic() - began > MINUTE:
                pause = FIRST_PAUSE
            await Pause(self._clock.monotonic() + pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _one_key(self) -> None:
        answer = await self._wire.call(NEW_KEY, {}, self._errand)
        key = answer.get("listenKey") if isinstance(answer, dict) else None
        if not isinstance(key, str) or not key:
            raise StreamDead("the venue gave no listen key")
        self.key, self._alive = key, True
        kept = self._clock.monotonic()
        self._told.begin(kept)
        self._say(alive=True, why="connected with a new key")
        while True:
            busy = self._hearing.something_open()
            payload = await NextMessage(self._clock.monotonic() + TICK if busy else kept + KEEP_EVERY)
            now = self._clock.monotonic()
            if payload == CUT:
                raise StreamDead("the connection was cut")
            for part in () if payload is None else stream(payload, venue=self._wire.terms.venue):
                self._heard(part)
            for event in self._hearing.late(now):
                self._tell(event)
            why = self._told.dead(now) or self._told.silent(now, something_open=self._hearing.something_open())
            if why:
                raise StreamDead(why)
            if now - kept >= KEEP_EVERY:
                await self._wire.call(KEEP_KEY, {}, self._errand)
                kept = self._clock.monotonic()


class Client:
    """One life of a client."""

    def __init__(self, terms: CcxtTerms, keys: Keys, clock: VirtualClock, tell: Tell) -> None:
        self.wire = VirtualWire(terms, keys, clock)
        self.hearing = Hearing(terms.venue)
        told = Told(seconds(terms.silence_s), seconds(terms.told_within_s))
        self.desk = FuturesClient(self.wire, self.hearing, told, lambda order: "")
        self.stream = VirtualStream(self.wire, self.hearing, told, tell)
        self.listening: Task | None = None
        self.waits: NextMessage | None = None
        """What the stream waits for, while it waits for a message."""
        self.unread: list[Data] = []
        """Messages that came while it did not."""
