"""The loop on the real clock: what came is taken in the order it came, commands and venue events first.

Before every market event the urgent lane is empty, so a halt holds for the very next
decision. A timer that is due fires at its own instant, inside the step of whatever comes
first, or by itself when nothing comes.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from engine.core.step import step
from engine.model.events import Input
from engine.model.market import MarketEvent
from engine.model.time import MS, SECOND
from engine.ports.clock import Clock
from engine.ports.venue import SimulatedVenue
from engine.runtime.queue import TwoLaneQueue
from engine.runtime.taking import Deciding, Taker

BURST = 256
"""Events between two looks at the outside world."""
LONGEST_BURST = 2 * MS
LONGEST_WAIT = 100 * MS
"""The outside world is looked at this often even if nothing comes: the HALT file, signals."""


@dataclass(kw_only=True)
class LiveParts(Deciding):
    """All that the live loop drives. `breathe` looks at the outside world; False ends the run."""

    queue: TwoLaneQueue
    clock: Clock
    heard: asyncio.Event
    breathe: Callable[[int], bool]
    checkpoint: Callable[[], None]
    checkpoint_every: int
    """Market events between two checkpoints."""
    checkpoint_after: int = 60 * SECOND
    """Time between two checkpoints at most."""
    paper: SimulatedVenue | None = None
    """Where orders go in a dry run: it lives on the same market."""


class LiveLoop(Taker):
    """Runs until `breathe` says stop."""

    def __init__(self, parts: LiveParts) -> None:
        super().__init__(parts)
        self._parts = parts
        self.taken = 0
        self._kept_at = parts.clock.now()
        self._kept = 0

    async def run(self) -> None:
        """Take what comes until the run is to end."""
        parts = self._parts
        while parts.breathe(self.at):
            busy = self._burst()
            self._maybe_checkpoint()
            if busy:
                await asyncio.sleep(0)
            else:
                await self._idle()

    def drain(self) -> bool:
        """Take what waits in the urgent lane; whether there was anything."""
        taken = False
        while (event := self._parts.queue.next_urgent()) is not None:
            self.take_urgent(self._parts.clock.now(), event)
            taken = True
        return taken

    def _burst(self) -> bool:
        """Take a burst of events; False when nothing is left to take."""
        ends = self._parts.clock.monotonic() + LONGEST_BURST
        for _ in range(BURST):
            if not self.take_next():
                return False
            if self._parts.clock.monotonic() >= ends:
                # Orders on the wire and whoever wants to halt must not wait for the rest of the market.
                break
        return True

    def take_next(self) -> bool:
        """Take the one thing that comes next; False when there is nothing yet."""
        parts, now = self._parts, self._parts.clock.now()
        event = parts.queue.next_urgent()
        if event is not None:
            self.take_urgent(now, event)
            return True
        if parts.paper is not None and self._paper_answers(parts.paper, now):
            return True
        due = parts.state.wake_at
        if due is not None and due <= now:
            self._wake(now)
            return True
        waiting = parts.queue.take(received_at=now)
        if waiting is None:
            return False
        self._take_market(max(now, self.at), cast(MarketEvent, waiting))
        return True

    def _paper_answers(self, paper: SimulatedVenue, now: int) -> bool:
        due = paper.next_due()
        if due is None or due > now:
            return False
        for _, event in paper.pop_due(due):
            self.take_urgent(now, event)
        return True

    def _take_market(self, at: int, event: MarketEvent) -> None:
        parts = self._parts
        self.at = at
        self.seq += 1
        if parts.paper is not None:
            parts.paper.on_market(event, at)
        if parts.keep is not None:
            parts.keep(self.seq, at, event)
        made = step(parts.state, Input(self.seq, at, event))
        if made.effects:
            self._after(made, at)
        self.taken += 1

    async def _idle(self) -> None:
        """Wait until something comes, a timer is due, or it is time to look around."""
        parts = self._parts
        parts.heard.clear()
        if len(parts.queue):
            return
        now = parts.clock.now()
        ends = [now + LONGEST_WAIT, parts.state.wake_at, parts.paper.next_due() if parts.paper is not None else None]
        wait = min(end for end in ends if end is not None) - now
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(wait, 0) / SECOND):
                await parts.heard.wait()

    def _maybe_checkpoint(self) -> None:
        parts, now = self._parts, self._parts.clock.now()
        if self.taken - self._kept < parts.checkpoint_every and now - self._kept_at < parts.checkpoint_after:
            return
        if parts.queue.waits_urgent():
            # What waits there is in no other part of the state.
            return
        self.checkpointed(now)
        parts.checkpoint()

    def checkpointed(self, now: int) -> None:
        """Count anew from a checkpoint written at `now`."""
        self._kept, self._kept_at = self.taken, now
