"""A clock that stands still until it is moved: tapes, simulation, tests."""

from __future__ import annotations


class VirtualClock:
    """Time as the tape tells it, in ns. Both readings are the same, and neither ever goes back."""

    def __init__(self, at: int = 0) -> None:
        self._at = at

    def now(self) -> int:
        """Return the instant it was last moved to."""
        return self._at

    def monotonic(self) -> int:
        """Return the same instant: in virtual time waiting takes exactly what was waited for."""
        return self._at

    def advance_to(self, at: int) -> None:
        """Move to `at`; an earlier instant leaves the clock where it is."""
        self._at = max(self._at, at)
