"""The last seconds of a live run: what was on its way ends, and what it bought still gets its stop.

An entry that left a moment before the end may fill a moment after it. Nobody would place its stop
until the next start, which may be tomorrow.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from engine.execution.desk import Execution
from engine.execution.plan import cancel_of
from engine.ports.venue import Venue

PATIENCE = 2_500_000_000
"""How long (ns) it may take; what is not settled by then is looked into by the next start."""
_LOOK_S = 0.01


class Taking(Protocol):
    """A loop that takes what comes next when it is told to."""

    def take_next(self) -> bool:
        """Take the one thing that comes next; False when there is nothing yet."""


def unsettled(execution: Execution) -> bool:
    """Whether an order may still open something, or a position stands without a stop that the venue holds."""
    if any(not record.reduces for record in execution.all_live()):
        return True
    held = (one for one in execution.positions() if one.quantity)
    return any(execution.stop_of(one.venue, one.symbol) is None for one in held)


def taken_back(execution: Execution, venue: Venue, at: int) -> None:
    """Ask `venue` for every order back that may still open something: nobody will guard what it opens."""
    for record in execution.all_live():
        if not record.reduces and not record.state.final:
            venue.cancel(cancel_of(record, at=at, why="the engine broke"), at)


async def settled(loop: Taking, execution: Execution, now: Callable[[], int], patience: int = PATIENCE) -> None:
    """Go on until nothing is unsettled, for at most `patience` ns of the monotonic clock `now`."""
    ends = now() + patience
    while unsettled(execution) and now() < ends:
        await asyncio.sleep(0 if loop.take_next() else _LOOK_S)
