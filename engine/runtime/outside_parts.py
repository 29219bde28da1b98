"""The parts of a live run that speak with the outside: each is begun again when it breaks, until the run ends.

What is wrong is said once and again only when it is something else: a venue that is down for
an hour is one line and not three hundred. What is wrong now stands in the status.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from engine.model.codec import Data
from engine.ports.venue import VenueRefused

FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 15.0
"""Between two tries to begin a part again."""
STANDS_S = 30.0
"""A part that has run for so long stands: what was wrong with it is over."""


class OutsideParts:
    """Keeps parts running. `now` gives instants (ns) for people."""

    def __init__(
        self, warn: Callable[[str], None], now: Callable[[], int],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._warn, self._now, self._sleep = warn, now, sleep
        self._troubles: dict[str, tuple[str, int, int]] = {}
        """Part -> (what is wrong, since when, how often it was begun in vain)."""
        self.over = False
        """The run ends: nothing is begun any more."""

    async def keep(self, name: str, part: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run `part` until the run ends: one that breaks is told and begun again, because the others still guard."""
        wait = FIRST_WAIT_S
        while not self.over:
            stands = asyncio.get_running_loop().call_later(STANDS_S, self.fine, name)
            try:
                await part()
            except VenueRefused as refused:
                self._tell(name, f"{refused.what}; fix: {refused.fix}")
            except Exception as broken:
                # A fault of ours in one part must not take the guards of the others away; it is told, loudly.
                self._tell(name, f"it broke and is begun again: {type(broken).__name__} {broken}")
            finally:
                stands.cancel()
            if name not in self._troubles:
                wait = FIRST_WAIT_S
            await self._sleep(wait)
            wait = min(wait * 2, LONGEST_WAIT_S)

    def fine(self, name: str) -> None:
        """Nothing is wrong with part `name` any more; told where something was."""
        before = self._troubles.pop(name, None)
        if before is not None:
            self._warn(f"{name}: is fine again, after {before[2]} tries")

    def troubles(self) -> list[Data]:
        """Return what is wrong now: the part, what, since when (ns) and how often it was begun in vain."""
        return [
            {"part": name, "what": what, "since": since, "tries": tries}
            for name, (what, since, tries) in sorted(self._troubles.items())
        ]

    def _tell(self, name: str, what: str) -> None:
        before = self._troubles.get(name)
        if before is None or before[0] != what:
            self._warn(f"{name}: {what}")
        since, tries = (self._now(), 1) if before is None else (before[1], before[2] + 1)
        self._troubles[name] = (what, since, tries)
