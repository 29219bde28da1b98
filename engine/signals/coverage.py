"""For how much of a sliding span a signal was known.

Exact in ns and without sampling: the spells of being known are kept, and the instant at
which the answer next turns over is computed, not looked for.
"""

from __future__ import annotations

from collections import deque

from engine.model.codec import Data


class Coverage:
    """Known time within (at - span, at]. `at` never goes back."""

    __slots__ = ("_ended", "_since", "_spells", "span")

    def __init__(self, span: int) -> None:
        self.span = span
        self._spells: deque[tuple[int, int]] = deque()
        """Finished spells [start, end), oldest first, none of them empty or touching the next."""
        self._ended = 0
        """Sum of their lengths."""
        self._since: int | None = None
        """When the spell that still lasts began."""

    def turn(self, known: bool, at: int) -> None:
        """Note that from `at` on the signal is `known`, or is not."""
        if known and self._since is None:
            self._since = at
            if self._spells and self._spells[-1][1] == at:
                start, end = self._spells.pop()
                self._ended -= end - start
                self._since = start
        elif not known and self._since is not None:
            if at > self._since:
                self._spells.append((self._since, at))
                self._ended += at - self._since
            self._since = None

    def covered(self, at: int) -> int:
        """Return the known ns of the span that ends at `at`."""
        cut = at - self.span
        spells = self._spells
        while spells and spells[0][1] <= cut:
            start, end = spells.popleft()
            self._ended -= end - start
        known = self._ended
        if spells and spells[0][0] < cut:
            known -= cut - spells[0][0]
        if self._since is not None and at > self._since:
            known += at - max(self._since, cut)
        return known

    def turns_over(self, at: int, need: int) -> int | None:
        """Return the first instant after `at` when `covered >= need` changes if nothing else does, or None."""
        known = self.covered(at)
        if self._since is None:
            return self._falls_short(at, known, need) if known >= need else None
        return self._suffices(at, known, need, self._since) if known < need else None

    def _falls_short(self, at: int, known: int, need: int) -> int | None:
        """Nothing is added: walk the spells that leave until less than `need` is left."""
        surplus = known - need + 1
        cut = at - self.span
        for start, end in self._spells:
            start = max(start, cut)
            if end - start >= surplus:
                return start + surplus + self.span
            surplus -= end - start
        return None

    def _suffices(self, at: int, known: int, need: int, since: int) -> int:
        """Known time is added all along: it grows while a gap leaves and stands still while a spell does."""
        missing = need - known
        cut = at - self.span
        for start, end in (*self._spells, (since, since)):
            gap = max(0, start - cut)
            if gap >= missing:
                return cut + missing + self.span
            missing -= gap
            cut = max(cut, end)
        return max(since, cut) + self.span

    def dump(self) -> Data:
        """Return the spells as JSON data."""
        return {"spells": [list(spell) for spell in self._spells], "since": self._since}

    def load(self, data: Data) -> None:
        """Become what `dump` saw."""
        self._spells = deque((start, end) for start, end in data["spells"])
        self._ended = sum(end - start for start, end in self._spells)
        self._since = data["since"]
