"""The computer's own clocks."""

from __future__ import annotations

import time


class SystemClock:
    """Wall and monotonic time of this machine, in ns."""

    def now(self) -> int:
        """Return ns since the Unix epoch, UTC."""
        return time.time_ns()

    def monotonic(self) -> int:
        """Return ns since some moment before this process."""
        return time.monotonic_ns()


class SteadyClock(SystemClock):
    """The wall clock as far as it goes forward. Where it stands or goes back, this goes on by the monotonic one.

    A loop on it keeps its timers whatever somebody sets the clock to: a stop that must be
    checked in ten seconds is checked in ten seconds.
    """

    def __init__(self) -> None:
        self._wall = time.time_ns()
        self._since = time.monotonic_ns()

    def now(self) -> int:
        """Return ns since the Unix epoch, UTC; it never goes back, and never stands still for long."""
        monotonic = time.monotonic_ns()
        self._wall = max(self._wall + monotonic - self._since, time.time_ns())
        self._since = monotonic
        return self._wall
