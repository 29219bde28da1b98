"""What every live feed takes from outside: the time, an ear, a way to wait, and chance.

All four are arguments, so that a test can make hours pass and chance repeat itself. What
counts as the network's fault, and so as a reason to try again, is named here once:
anything else that is raised is a mistake of ours and ends the feed.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from engine.ports.clock import Clock
from engine.ports.live_feed import TellMarket

_loads: Callable[[bytes | str], Any]
try:
    import orjson
except ImportError:
    _loads = json.loads
else:
    _loads = orjson.loads

UNREADABLE = (ValueError, KeyError, TypeError, IndexError, AttributeError, ArithmeticError, RecursionError)
"""What reading a payload of the wrong shape raises. Only code that reads a payload may catch it."""
FIRST_DELAY_S, LONGEST_DELAY_S = 0.5, 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """The world of one feed. `sleep` takes seconds; `draw` returns a number in [0, 1)."""

    clock: Clock
    tell: TellMarket
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    draw: Callable[[], float] = random.random

    def backoff_s(self, failures: int, longest_s: float = LONGEST_DELAY_S) -> float:
        """Return how long to wait after so many failures in a row: doubling, and never two feeds at once."""
        return min(longest_s, FIRST_DELAY_S * 2.0 ** min(max(failures - 1, 0), 16)) * (0.5 + 0.5 * self.draw())


def read_json(raw: bytes | str) -> Any:
    """Return the JSON in `raw`; ValueError or RecursionError where there is none."""
    return _loads(raw)


async def before(happens: Awaitable[object], task: asyncio.Task[str]) -> bool:
    """Wait for `happens` while `task` runs; False if the task ended first. Never takes the task's result."""
    waiting = asyncio.ensure_future(happens)
    try:
        await asyncio.wait({waiting, task}, return_when=asyncio.FIRST_COMPLETED)
        if waiting.done():
            waiting.result()
        return not task.done()
    finally:
        waiting.cancel()


async def stopped(task: asyncio.Task[str]) -> None:
    """End `task` and wait until it has let go of what it held. What it raised meanwhile is raised here."""
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled() and (error := task.exception()) is not None:
        raise error
