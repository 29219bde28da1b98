"""Labels heard for the first time, and the samples that brought them.

A rule with `by:` gets an instance because of new labels, so its windows are bound after
the first samples came. Those samples are kept until everybody had the chance to bind.
"""

from __future__ import annotations

from engine.model.codec import Data
from engine.signals.series import Heard, Series
from engine.signals.slots import Slots

Labels = tuple[str, ...]


class Firsts:
    """Which labels each signal was heard with, in the order they were heard."""

    def __init__(self, slots: Slots) -> None:
        self._slots = slots
        self._seen: dict[str, dict[Labels, None]] = {}
        self.untold: list[tuple[str, Labels]] = []
        """What the next `take` returns."""
        self._young: list[Series] = []

    def keep(self, series: Series, heard: Heard) -> None:
        """Keep a sample of labels that nobody could bind before; nothing once they had the chance."""
        if series.early is None:
            return
        series.early.append(heard)
        _, name, labels = self._slots.keys[series.slot][:3]
        seen = self._seen.setdefault(name, {})
        if labels not in seen:
            seen[labels] = None
            self.untold.append((name, labels))
            self._young.append(series)

    def take(self) -> list[tuple[str, Labels]]:
        """Return (signal, labels) heard for the first time since the last call."""
        found, self.untold = self.untold, []
        return found

    def of(self, name: str) -> tuple[Labels, ...]:
        """Return all labels heard of a signal."""
        return tuple(self._seen.get(name, ()))

    def grown(self) -> None:
        """Everybody had the chance to bind: forget the kept samples, and make plain what nothing follows."""
        for series in self._young:
            series.early = None
            if not series.needed():
                self._slots.follows[series.slot] = None
        self._young.clear()

    def dump(self) -> Data:
        """Return everything but the kept samples, which are the series' own, as JSON data."""
        return {
            "seen": [[name, [list(labels) for labels in seen]] for name, seen in self._seen.items()],
            "untold": [[name, list(labels)] for name, labels in self.untold],
            "young": [series.slot for series in self._young],
        }

    def load(self, data: Data) -> None:
        """Become what `dump` saw; the slots must be loaded already."""
        self._seen = {name: {tuple(labels): None for labels in seen} for name, seen in data["seen"]}
        self.untold = [(name, tuple(labels)) for name, labels in data["untold"]]
        self._young = [series for slot in data["young"] if (series := self._slots.series[slot]) is not None]
