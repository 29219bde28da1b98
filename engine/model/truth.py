"""Three-valued truth: what a condition is when some of what it reads is not known."""

from __future__ import annotations

from enum import IntEnum


class Truth(IntEnum):
    """Strong Kleene. The order FALSE < UNKNOWN < TRUE makes `and` the min and `or` the max."""

    FALSE = 0
    UNKNOWN = 1
    TRUE = 2

    def __invert__(self) -> Truth:
        """Kleene's not: unknown stays unknown."""
        return Truth(2 - self)
