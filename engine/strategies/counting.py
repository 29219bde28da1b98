"""Counters of a strategy: told from the start of a run, so that a rule over them is known before anything happened."""

from __future__ import annotations

from collections.abc import Iterable

from engine.model.codec import Data
from engine.model.samples import Derived

Key = tuple[str, tuple[str, ...]]
"""(signal, its labels)."""


class Counters:
    """How often each thing has happened."""

    def __init__(self, known: Iterable[Key]) -> None:
        """`known` are told from the start, as 0; others from the first time they happen."""
        self._counts: dict[Key, int] = dict.fromkeys(known, 0)

    def add(self, at: int, name: str, *labels: str) -> Derived:
        """Count one more; return the sample."""
        key = (name, labels)
        self._counts[key] = self._counts.get(key, 0) + 1
        return Derived(name, labels, float(self._counts[key]), at)

    def all(self, at: int) -> list[Derived]:
        """Return a sample of each."""
        return [Derived(name, labels, float(count), at) for (name, labels), count in self._counts.items()]

    def dump(self) -> Data:
        """Return all counts, in their order."""
        return [[name, list(labels), count] for (name, labels), count in self._counts.items()]

    def load(self, data: Data) -> None:
        """Become what `dump` wrote; what is known only here stays, at 0."""
        loaded = {(name, tuple(labels)): count for name, labels, count in data}
        self._counts = loaded | {key: 0 for key in self._counts if key not in loaded}


def reason_of(refusal: str) -> str:
    """Return how a refusal is called among the skips: a rule of entries without the word that all of them share."""
    return refusal.removeprefix("entry.")
