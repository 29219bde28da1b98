"""Who may send now: requests wait by lane and arrival until the rate ledger lets them go.

What cannot go within its patience is told so at once and never sent: an entry whose price is
old, or a question whose answer nobody waits for any more, does not leave late.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from itertools import count

from engine.adapters.venue_ccxt_rate import Cost, RateLedger, SendLane
from engine.ports.clock import Clock

_SECOND = 1_000_000_000


class TurnMissed(Exception):
    """The rate limits let nothing of the sort go for `wait` ns; nothing was sent."""

    def __init__(self, wait: int) -> None:
        self.wait = wait
        super().__init__(f"not sent: the venue's rate limits let nothing go for {wait / _SECOND:.1f} s")


@dataclass(slots=True, order=True)
class _Waiting:
    lane: SendLane
    number: int
    cost: Cost = field(compare=False)
    deadline: int = field(compare=False)
    turn: asyncio.Future[None] = field(compare=False)


class Lanes:
    """The one queue in front of a venue."""

    def __init__(self, ledger: RateLedger, clock: Clock) -> None:
        self.ledger = ledger
        self._clock = clock
        self._waiting: list[_Waiting] = []
        self._numbers = count()
        self._timer: asyncio.TimerHandle | None = None

    async def turn(self, lane: SendLane, cost: Cost, patience: int) -> None:
        """Wait for the turn of one request, at most `patience` ns, and spend `cost`. Raises TurnMissed."""
        waiting = _Waiting(
            lane=lane, number=next(self._numbers), cost=cost, deadline=self._clock.monotonic() + patience,
            turn=asyncio.get_running_loop().create_future(),
        )
        self._waiting.append(waiting)
        self._let_go()
        await waiting.turn

    def freeze(self, pause: int) -> None:
        """Let nothing go for `pause` ns."""
        self.ledger.freeze(self._clock.monotonic() + pause)
        self._let_go()

    def end(self) -> None:
        """Drop the timer; what still waits is left to its task's cancellation."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _let_go(self) -> None:
        at = self._clock.monotonic()
        still: list[_Waiting] = []
        soonest = 0
        for waiting in sorted(self._waiting):
            if waiting.turn.done():
                continue
            wait = self.ledger.wait(waiting.cost, waiting.lane, at)
            if wait <= 0:
                self.ledger.spend(waiting.cost, at)
                waiting.turn.set_result(None)
            elif at + wait > waiting.deadline:
                waiting.turn.set_exception(TurnMissed(wait))
            else:
                still.append(waiting)
                soonest = min(soonest or wait, wait)
        self._waiting = still
        self.end()
        if still:
            self._timer = asyncio.get_running_loop().call_later(soonest / _SECOND, self._let_go)
