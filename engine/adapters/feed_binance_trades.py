"""Which public trades were heard, by their numbers: each once, late ones too, and what was missed is said.

A venue numbers the trades of a symbol without holes. Two lines that overlap may be a moment
apart: a number that is left out is waited for before it counts as lost.
"""

from __future__ import annotations

RESET_MS = 1_000
"""A number that went back while the venue's time went on by more is a new count, not an old trade."""
MOST_MISSING = 10_000
"""Numbers that are waited for, a symbol; of a longer hole the older ones are lost at once."""


class Missing:
    """The numbers of one symbol. `last` is the highest heard, `waited` what was left out, with when (ns)."""

    __slots__ = ("at_ms", "last", "lost", "waited")

    def __init__(self, number: int, at_ms: int) -> None:
        self.last, self.at_ms = number, at_ms
        self.waited: dict[int, int] = {}
        self.lost = 0
        """Lost and not yet told."""


class TradeIds:
    """The numbers of every symbol."""

    def __init__(self) -> None:
        self._symbols: dict[str, Missing] = {}
        self._holes: set[str] = set()

    def take(self, symbol: str, number: int, at_ms: int, now: int) -> bool:
        """Whether the trade is new: not heard before, whether or not later ones were. `now` in ns."""
        known = self._symbols.get(symbol)
        if known is None:
            self._symbols[symbol] = Missing(number, at_ms)
            return True
        if number > known.last:
            if number > known.last + 1:
                self._left_out(symbol, known, number, now)
            known.last, known.at_ms = number, at_ms
            return True
        if known.waited.pop(number, None) is not None:
            return True
        if number < known.last and at_ms > known.at_ms + RESET_MS:
            known.lost += len(known.waited)
            known.waited.clear()
            known.last, known.at_ms = number, at_ms
            return True
        return False

    def _left_out(self, symbol: str, known: Missing, number: int, now: int) -> None:
        first = max(known.last + 1, number - MOST_MISSING)
        known.lost += first - known.last - 1
        known.waited.update(dict.fromkeys(range(first, number), now))
        while len(known.waited) > MOST_MISSING:
            del known.waited[next(iter(known.waited))]
            known.lost += 1
        self._holes.add(symbol)

    def lost(self, now: int, patience: int) -> list[tuple[str, int]]:
        """Return (symbol, how many) for what was waited for in vain longer than `patience` (ns); each once."""
        found = []
        for symbol in sorted(self._holes):
            known = self._symbols[symbol]
            for number in [number for number, since in known.waited.items() if now - since >= patience]:
                del known.waited[number]
                known.lost += 1
            if known.lost:
                found.append((symbol, known.lost))
                known.lost = 0
            if not known.waited:
                self._holes.discard(symbol)
        return found
