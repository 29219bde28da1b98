"""A tape played on the wall's clock: its first event is now, and it goes on N times as fast as it happened.

Clients sign with the time of day, so the venue's time is the time of day too, and the tape
is what is moved. Where a tape knows several venues, one of them is played.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from engine.model.events import InstrumentDefined
from engine.model.instruments import Instrument, MarketKind
from engine.model.market import (
    Announcement,
    Bar,
    DepthDelta,
    DepthSnapshot,
    FeedDropped,
    FeedState,
    FundingRate,
    Heartbeat,
    OraclePrice,
    Quote,
    Trade,
)
from engine.model.time import SECOND
from engine.ports.clock import Clock
from engine.ports.feed import Tape, TapeEvent, TapeHeader

VENUE = "binanceusdm"
"""What the venue calls itself in every noun, whatever the tape calls it."""
RESEND_EVERY = SECOND
"""How often the last quotes are told again once a tape is over."""
BREATHE_EVERY = 64
"""Events that may be told in a row, when the tape is behind, before anybody else gets a turn."""

Show = Callable[[TapeEvent, int], None]
"""Takes one event of the tape, and when it happens: ns of the wall's clock."""


def played_venue(header: TapeHeader) -> str:
    """Return which venue of a tape is played: the first that has a perpetual, else the first of all."""
    perpetual = {each.venue for each in header.instruments if each.kind is MarketKind.PERPETUAL}
    return next((venue for venue in header.venues if venue in perpetual), next(iter(header.venues), ""))


def served(instrument: Instrument) -> Instrument:
    """Return `instrument` under the name of the venue that serves it."""
    return replace(instrument, venue=VENUE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """How the instants of one telling of a tape become instants of the wall."""

    first_at: int
    """The tape's first instant (ns)."""
    start: int
    """Where it falls on the wall's clock (ns)."""
    speed: float
    """How many times as fast as it happened."""
    venue: str
    """Whose events are told; they are told as the served venue's."""
    ids: int = 0
    """Added to the ids of books, so that they rise from one telling of a tape to the next."""

    def instant(self, at: int) -> int:
        """Return when `at` of the tape is, in ns of the wall's clock."""
        return self.start + int((at - self.first_at) / self.speed)

    def event(self, event: TapeEvent) -> TapeEvent | None:
        """Return `event` as it happens now; None where it is another venue's."""
        if isinstance(event, OraclePrice | Announcement):
            return replace(event, venue_at=self.instant(event.venue_at), received_at=self.instant(event.received_at))
        if isinstance(event, Heartbeat):
            return replace(event, received_at=self.instant(event.received_at))
        if isinstance(event, InstrumentDefined):
            if event.instrument.venue != self.venue:
                return None
            return InstrumentDefined(instrument=served(event.instrument), venue_at=self.instant(event.venue_at))
        if event.venue != self.venue:
            return None
        if isinstance(event, FeedState | FeedDropped):
            return replace(event, venue=VENUE, received_at=self.instant(event.received_at))
        return self._market(event)

    def _market(
        self, event: Quote | Trade | DepthDelta | DepthSnapshot | Bar | FundingRate
    ) -> TapeEvent:
        venue_at, received_at = self.instant(event.venue_at), self.instant(event.received_at)
        if isinstance(event, Quote):  # three of four events: written out, because `replace` costs twice as much
            return Quote(
                VENUE, event.symbol, event.bid, event.bid_size, event.ask, event.ask_size, venue_at, received_at
            )
        if isinstance(event, DepthSnapshot):
            return replace(
                event, venue=VENUE, last_id=event.last_id + self.ids, venue_at=venue_at, received_at=received_at
            )
        if isinstance(event, DepthDelta):
            previous = event.previous_id + self.ids if event.previous_id >= 0 else event.previous_id
            return replace(
                event, venue=VENUE, first_id=event.first_id + self.ids, last_id=event.last_id + self.ids,
                previous_id=previous, venue_at=venue_at, received_at=received_at,
            )
        if isinstance(event, FundingRate) and event.next_at:
            event = replace(event, next_at=self.instant(event.next_at))
        return replace(event, venue=VENUE, venue_at=venue_at, received_at=received_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How a tape is told."""

    speed: float = 1.0
    """How many times as fast as it happened."""
    skip: int = 0
    """How much of its beginning is told at once, as if it had been heard before (ns of the tape)."""
    loop: bool = False
    """Whether it begins again after its end."""


class TapePlayer:
    """Tells a tape as it goes; after its end it begins anew, or tells the last quotes again: nobody hears silence."""

    def __init__(self, tape: Tape, clock: Clock, show: Show, pace: Pace) -> None:
        """`show` takes each event at its instant."""
        self._tape, self._clock, self._show, self._pace = tape, clock, show, pace
        self._venue = played_venue(tape.header)
        self._quotes: dict[str, Quote] = {}
        self._oracles: dict[tuple[str, str], OraclePrice] = {}
        self._last_id = 0
        self.shown = 0
        """Events told so far."""
        self.elsewhere = 0
        """Events of other venues, which were left out."""
        self.tellings = 0
        """How often the tape began."""
        self.skipping = False
        """Whether what is told now lies before the place from which the tape is played."""
        self.over = False
        """Whether the tape has been told to its end, at least once."""

    async def play(self) -> None:
        """Tell the tape from now on, until cancelled."""
        await self._tell()
        while self._pace.loop:
            await asyncio.sleep(RESEND_EVERY / SECOND)
            await self._tell()
        while True:
            await asyncio.sleep(RESEND_EVERY / SECOND)
            self._again()

    async def _tell(self) -> None:
        self.tellings += 1
        speed, skip = self._pace.speed, self._pace.skip
        shift: Shift | None = None
        for number, (at, event) in enumerate(self._tape.events()):
            if shift is None:
                start = self._clock.now() - int(skip / speed)
                shift = Shift(first_at=at, start=start, speed=speed, venue=self._venue, ids=self._last_id)
            due = shift.instant(at)
            self.skipping = at < shift.first_at + skip
            late = self._clock.now() - due
            if late < 0 or number % BREATHE_EVERY == 0:
                await asyncio.sleep(max(0, -late) / SECOND)
            moved = shift.event(event)
            if moved is None:
                self.elsewhere += 1
            else:
                self._tell_one(moved, due)
        self.over = True

    def _tell_one(self, event: TapeEvent, at: int) -> None:
        if isinstance(event, Quote):
            self._quotes[event.symbol] = event
        elif isinstance(event, OraclePrice):
            self._oracles[event.asset, event.quote] = event
        elif isinstance(event, DepthSnapshot | DepthDelta):
            self._last_id = max(self._last_id, event.last_id)
        self.shown += 1
        self._show(event, at)

    def _again(self) -> None:
        """Tell the last quotes and oracle prices once more, as of now."""
        now = self._clock.now()
        for quote in self._quotes.values():
            self._show(replace(quote, venue_at=now, received_at=now), now)
        for price in self._oracles.values():
            self._show(replace(price, venue_at=now, received_at=now), now)


def known_instruments(tape: Tape) -> Iterator[Instrument]:
    """Yield what a client may trade from the start, under the served venue's name."""
    venue = played_venue(tape.header)
    return (served(each) for each in tape.header.instruments if each.venue == venue)
