"""The loop: which event is next, and when. The only endless loop of the engine.

In virtual time the order is (at, lane, source, source sequence): commands before the
venue before the feed. A wake-up of the core comes before any event of a later instant, so
an order decided by a timer reaches the simulated exchange when the timer was due and not
when the next quote happened to come.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from engine.core.step import step
from engine.model.events import Command, Input
from engine.ports.feed import Spoken
from engine.ports.venue import SimulatedVenue
from engine.runtime.cursor import FeedCursor
from engine.runtime.queue import TwoLaneQueue
from engine.runtime.taking import Deciding, Taker

NEVER = 1 << 62
BURST = 512
"""Events between two looks at the outside world: sockets, signals, the HALT file."""


@dataclass(kw_only=True)
class Parts(Deciding):
    """All that the loop drives. `breathe` looks at the outside world; False ends the run."""

    cursor: FeedCursor
    venue: SimulatedVenue
    queue: TwoLaneQueue
    breathe: Callable[[int], bool]
    checkpoint: Callable[[], None]
    checkpoint_every: int
    taken: int = 0
    """Market events that were taken before this loop."""
    burst: int = BURST
    breathe_from: int = NEVER
    """From this input on the world is looked at behind each: where what was done again may end."""
    lag: Callable[[int], float] = lambda at: 0.0
    """How long to wait (wall seconds) before going on from the market time `at`."""
    spoken: tuple[Spoken, ...] = ()
    """What the operator of the tape's story types; what is not behind the state's instant was taken already."""


class Loop(Taker):
    """Runs a tape in virtual time until it ends or is told to stop."""

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        self._parts = parts
        self.taken = parts.taken
        self._checkpoint_due = False
        # A command comes before all else of its instant, so that what the state's instant has passed was taken.
        self._spoken = deque(one for one in parts.spoken if one.at > self.at)
        self.replay: dict[int, tuple[int, Command]] = {}
        """Journalled commands of a resumed run, by the seq they had."""

    async def run(self) -> None:
        """Take events until the feed is dry and nothing is under way, or `breathe` says stop."""
        parts = self._parts
        while True:
            if not parts.breathe(self.at):
                return
            if not self._burst():
                return
            await asyncio.sleep(self._pause + parts.lag(self.at))
            self._pause = 0.0

    def _burst(self) -> bool:
        """Take a burst of events; False when there is nothing left to take."""
        parts = self._parts
        for _ in range(parts.burst):
            if not self.take_next():
                return False
            if self._pause or self.seq >= parts.breathe_from:
                return True
        return True

    def take_next(self) -> bool:
        """Take the one thing that comes next, with what waits in the urgent lane before it; False when nothing does."""
        parts = self._parts
        if self.replay and self.seq + 1 in self.replay:
            self._replay_next()
            return True
        if len(parts.queue):
            for event in parts.queue.urgent():
                self.take_urgent(self.at, event)
        if self._checkpoint_due:
            # Only here is the urgent lane empty: what waits there is in no other part of the state.
            self._checkpoint_due = False
            parts.checkpoint()
        return self._advance()

    def _replay_next(self) -> None:
        """Take the journalled command that comes next, behind every wake-up that came before it."""
        at, command = self.replay[self.seq + 1]
        woken = self._parts.state.wake_at
        if woken is not None and woken <= at:
            # Woken inside the command's step its orders would leave at the command's instant, not at their own.
            self._wake(woken)
        else:
            del self.replay[self.seq + 1]
            self.take_urgent(at, command)

    def _advance(self) -> bool:
        """Take the one next thing: a wake-up, an answer of the venue, or a market event."""
        parts = self._parts
        feed_at = parts.cursor.at
        due = parts.venue.next_due()
        soonest = feed_at if due is None or (feed_at is not None and feed_at < due) else due
        woken, spoken_at = parts.state.wake_at, self.spoken_at
        if spoken_at is not None and (soonest is None or spoken_at <= soonest):
            soonest = spoken_at
        if woken is not None and (soonest is None or woken < soonest):
            if soonest is None:
                return False
            self._wake(woken)
        elif spoken_at is not None and spoken_at == soonest:
            self.take_urgent(spoken_at, self._spoken.popleft().command)
        elif due is not None and due == soonest:
            for reaches_at, event in parts.venue.pop_due(due):
                self.take_urgent(reaches_at, event)
        elif soonest is not None:
            self._take_market(soonest)
        else:
            return False
        return True

    @property
    def spoken_at(self) -> int | None:
        """When the operator of the story types next (ns), or None."""
        return self._spoken[0].at if self._spoken else None

    def _take_market(self, at: int) -> None:
        parts = self._parts
        event = parts.cursor.event
        assert event is not None
        parts.cursor.advance()
        self.at = at = at if at > self.at else self.at
        parts.venue.on_market(event, at)
        self.seq += 1
        if parts.keep is not None:
            parts.keep(self.seq, at, event)
        made = step(parts.state, Input(self.seq, at, event))
        if made.effects:
            self._after(made, at)
        self.taken += 1
        self._checkpoint_due = self.taken % parts.checkpoint_every == 0
