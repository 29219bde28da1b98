"""`held(condition, "5m")`: the clock of one condition inside an expression.

It asks whether the condition has been true for the whole duration. A known false starts
it anew. Doubt does not, but only time that is known true completes it: when the run has
lasted long enough, and part of it is doubt, the answer is unknown. So is every answer
before the condition was known for the first time.
"""

from __future__ import annotations

from engine.model.codec import Data
from engine.ruleset.kleene import Unknown, Value


class HeldClock:
    """State of one held condition of one instance. Times in ns."""

    __slots__ = ("_answered", "_banked", "_run_since", "_true_since", "value")

    def __init__(self) -> None:
        self._answered = False
        self._run_since: int | None = None
        """Since when the condition was not known false."""
        self._true_since: int | None = None
        """Since when it has been known true without a break."""
        self._banked = 0
        """Known-true time of the run before `_true_since`."""
        self.value: Value = Unknown(())

    def step(self, condition: Value, duration: int, at: int) -> Value:
        """Take in what the condition is at `at` and return whether it has held for `duration`."""
        self._count(condition, at)
        self.value = self._judge(condition, duration, at)
        return self.value

    def _count(self, condition: Value, at: int) -> None:
        if condition is False:
            self._answered, self._run_since, self._true_since, self._banked = True, None, None, 0
            return
        if condition is True:
            self._answered = True
            if self._true_since is None:
                self._true_since = at
        elif self._true_since is not None:
            self._banked += at - self._true_since
            self._true_since = None
        if self._answered and self._run_since is None:
            self._run_since = at

    def _judge(self, condition: Value, duration: int, at: int) -> Value:
        if not self._answered:
            return condition
        if self._run_since is None or at - self._run_since < duration:
            return False
        if isinstance(condition, Unknown):
            return condition
        known = self._banked + (at - self._true_since if self._true_since is not None else 0)
        return True if known >= duration else Unknown(("partly_unknown",))

    def due(self, duration: int, at: int) -> int | None:
        """Return the first instant after `at` at which time alone changes the answer, or None."""
        if self._run_since is None:
            return None
        whole = self._run_since + duration
        if whole > at:
            return whole
        if self._true_since is None:
            return None
        known = self._true_since + duration - self._banked
        return known if known > at else None

    def dump(self) -> Data:
        """Return everything as JSON data."""
        value = list(self.value.reasons) if isinstance(self.value, Unknown) else self.value
        return [self._answered, self._run_since, self._true_since, self._banked, value]

    def load(self, data: Data) -> None:
        """Become what `dump` wrote."""
        self._answered, self._run_since, self._true_since, self._banked, value = data
        self.value = Unknown(tuple(value)) if isinstance(value, list) else value
