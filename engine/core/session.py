"""Since when this process speaks, and whose money it speaks of: told to the rules as signals.

Told at the start, every minute, and at the very instant at which the warm-up is over, so
that a rule over the uptime ends when it should and not up to a minute later.
"""

from __future__ import annotations

from collections.abc import Mapping

from engine.model.codec import Data
from engine.model.events import RunMode
from engine.model.flags import FlagValue
from engine.model.run_mode import dry_run_on
from engine.model.samples import Derived
from engine.model.time import MINUTE, SECOND

EVERY = MINUTE
"""The period of both signals in the catalogue."""


class Session:
    """The uptime and the run mode of one process; a `Start` begins it anew. `due` is ns, None before the first."""

    def __init__(self) -> None:
        self.due: int | None = None
        self.stopped_at: int | None = None
        """Since when (ns) ENGINE_DRY_RUN has been on in a run that is on money; None while nothing is held by it."""
        self._began_at = 0
        self._told_at = 0

    def begin(self, at: int, mode: RunMode, flags: Mapping[str, FlagValue]) -> list[Derived]:
        """Return the first samples of a process that starts at `at` (ns) in `mode`."""
        self._began_at = at
        self._hold(at, mode, flags)
        return self._tell(at, mode, flags)

    def on_timer(self, at: int, mode: RunMode, flags: Mapping[str, FlagValue]) -> list[Derived]:
        """Return samples when they are due."""
        return self._tell(at, mode, flags) if self.due is not None and self.due <= at else []

    def on_flags(self, at: int, mode: RunMode, flags: Mapping[str, FlagValue]) -> None:
        """Take that the end of the warm-up may have moved, and that the run may be held at what it has."""
        if self.due is not None:
            self._arm(flags)
            self._hold(at, mode, flags)

    def _tell(self, at: int, mode: RunMode, flags: Mapping[str, FlagValue]) -> list[Derived]:
        self._told_at = at
        self._arm(flags)
        # Whole nanoseconds divided once: at the end of the warm-up this is the flag's own number again.
        uptime = (at - self._began_at) / SECOND
        return [Derived("run_mode", (), mode.value, at), Derived("uptime_s", (), uptime, at)]

    def _hold(self, at: int, mode: RunMode, flags: Mapping[str, FlagValue]) -> None:
        if mode is RunMode.DRY_RUN or not dry_run_on(flags):
            self.stopped_at = None
        elif self.stopped_at is None:
            self.stopped_at = at

    def _arm(self, flags: Mapping[str, FlagValue]) -> None:
        warm = self._began_at + warm_up(flags)
        self.due = self._told_at + EVERY
        if self._told_at < warm < self.due:
            self.due = warm

    def dump(self) -> Data:
        """Return everything as JSON data."""
        return {
            "due": self.due, "stopped_at": self.stopped_at, "began_at": self._began_at, "told_at": self._told_at,
        }

    def load(self, data: Data) -> None:
        """Become what `dump` wrote."""
        self.due, self.stopped_at = data["due"], data["stopped_at"]
        self._began_at, self._told_at = data["began_at"], data["told_at"]


def warm_up(flags: Mapping[str, FlagValue]) -> int:
    """Return how long no entry follows a start (ns)."""
    return round(float(flags.get("WARMUP_SEC", 0.0)) * SECOND)
