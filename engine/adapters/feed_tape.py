"""A tape heard as if it were the market of now: for a live loop without a network.

Its first event is now and the others come when they are due, N times as fast as they
happened. `received_at` is the clock's, as with every feed; the venue's own stamps are moved
with the tape, so that a quote is as old as it was.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

from engine.adapters.feed_outside import Outside
from engine.model.events import InstrumentDefined
from engine.model.market import Announcement, FeedDropped, FeedState, Heartbeat, MarketEvent, OraclePrice, Quote
from engine.model.time import SECOND
from engine.ports.feed import Tape

BREATHE_EVERY = 64
"""Events that may be told in a row when the tape is behind, before anybody else gets a turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TapeFeedSettings:
    """How a tape is played. `venue` is the name its market is told under; empty keeps the tape's own."""

    speed: float = 1.0
    venue: str = ""

    def __post_init__(self) -> None:
        """ValueError for a speed at which nothing would ever be due, or all at once."""
        if not 0.0 < self.speed < float("inf"):
            raise ValueError(f"speed {self.speed}: write how many times as fast the tape goes, such as 1 or 60")


class TapeFeed:
    """See `engine.ports.live_feed.LiveFeed`. Instruments go to `define`, because no market event holds one."""

    def __init__(
        self, tape: Tape, settings: TapeFeedSettings, outside: Outside,
        define: Callable[[InstrumentDefined], None] | None = None,
    ) -> None:
        self._tape, self._settings, self._outside, self._define = tape, settings, outside, define
        self.over = asyncio.Event()
        """Set behind the last event: a feed itself is never over."""

    @property
    def name(self) -> str:
        """The feed's name, for people."""
        return f"tape {self._tape.header.name}"

    @property
    def producers(self) -> frozenset[str]:
        """It stands for those who speak on the tape."""
        return self._tape.header.producers

    async def run(self) -> None:
        """Tell the tape once, say that its venues have closed, and be silent until cancelled. Raises TapeError."""
        clock, speed = self._outside.clock, self._settings.speed
        begun, start, first, count = clock.monotonic(), 0, -1, 0
        open_venues: dict[str, None] = {}
        for at, event in self._tape.events():
            if first < 0:
                first, start = at, clock.now()
            # The monotonic clock, because a wall that jumps must not hold the tape up or hurry it.
            wait = begun + int((at - first) / speed) - clock.monotonic()
            count += 1
            if wait > 0:
                await self._outside.sleep(wait / SECOND)
            elif count % BREATHE_EVERY == 0:
                await asyncio.sleep(0)
            if isinstance(event, InstrumentDefined):
                if self._define is not None:
                    self._define(self._defined(event, start - first))
                continue
            told = self._moved(event, first, start)
            if isinstance(told, FeedState):
                open_venues.pop(told.venue, None)
                if told.connected:
                    open_venues[told.venue] = None
            elif isinstance(told, Quote):
                open_venues.setdefault(told.venue)
            self._outside.tell(told)
        for venue in open_venues:
            self._outside.tell(FeedState(venue, False, "the tape is over", clock.now()))
        self.over.set()
        await asyncio.Event().wait()

    def _defined(self, event: InstrumentDefined, shift: int) -> InstrumentDefined:
        venue = self._settings.venue or event.instrument.venue
        return InstrumentDefined(instrument=replace(event.instrument, venue=venue), venue_at=event.venue_at + shift)

    def _moved(self, event: MarketEvent, first: int, start: int) -> MarketEvent:
        """Return `event` as of now: received now, and made as long ago as the tape's speed says."""
        now, venue = self._outside.clock.now(), self._settings.venue
        if isinstance(event, Heartbeat):
            return Heartbeat(event.producer, now)
        if venue and not isinstance(event, OraclePrice | Announcement):
            event = replace(event, venue=venue)
        if isinstance(event, FeedState | FeedDropped):
            return replace(event, received_at=now)
        venue_at = min(now, start + int((event.venue_at - first) / self._settings.speed))
        return replace(event, venue_at=venue_at, received_at=now)
