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
