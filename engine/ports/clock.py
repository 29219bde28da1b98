"""What time it is. Adapters stamp `received_at` with it; the loop alone stamps `at`."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """Two readings in ns. The wall clock may jump, also backwards; the monotonic one never does."""

    def now(self) -> int:
        """Return ns since the Unix epoch, UTC."""

    def monotonic(self) -> int:
        """Return ns since some fixed moment: for waiting and timeouts, never for stamps."""
