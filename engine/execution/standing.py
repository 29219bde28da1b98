"""How sure execution is of itself, as the signals that rules and dashboards read."""

from __future__ import annotations

from collections.abc import Mapping

from engine.model.codec import Data
from engine.model.samples import Derived
from engine.model.time import SECOND

REFRESH = 15 * SECOND
"""Samples are never further apart than this, or rules would take silence for doubt."""


class Standing:
    """Orders of unknown fate, questions without an answer and incidents, by venue."""

    def __init__(self) -> None:
        self._told: dict[str, int] = {}
        """Venue -> orders of unknown fate as last told."""
        self._told_at = 0
        self._new = False
        """Something is to be told that was not told yet."""
        self._failures: dict[str, int] = {}
        self._incidents: dict[str, int] = {}

    def know(self, venue: str) -> None:
        """There is such a venue: nothing is wrong there until something is."""
        if venue not in self._failures:
            self._failures[venue] = self._incidents[venue] = 0
            self._told[venue] = -1
            self._new = True

    def count_failure(self, venue: str) -> None:
        """A question to `venue` got no answer."""
        self.know(venue)
        self._failures[venue] += 1
        self._new = True

    def count_incident(self, venue: str) -> None:
        """An order at `venue` appeared after it had been given up."""
        self.know(venue)
        self._incidents[venue] += 1
        self._new = True

    def compare(self, unknown: Mapping[str, int]) -> None:
        """Look whether the orders of unknown fate are others than was told."""
        for venue in unknown:
            self.know(venue)
        self._new = self._new or any(unknown.get(venue, 0) != told for venue, told in self._told.items())

    def samples(self, at: int, unknown: Mapping[str, int]) -> list[Derived]:
        """Return what is to be told now: everything where anything is new or old, else nothing."""
        due = self.next_due()
        if due is None or due > at:
            return []
        self._told_at, self._new = at, False
        made: list[Derived] = []
        for venue in sorted(self._told):
            count = self._told[venue] = unknown.get(venue, 0)
            made += [
                Derived("orders_unknown", (venue,), float(count), at),
                Derived("venue_questions_failed", (venue,), float(self._failures[venue]), at),
                Derived("order_incidents", (venue,), float(self._incidents[venue]), at),
            ]
        return made

    def next_due(self) -> int | None:
        """Return when samples are due (ns); None while no venue is known."""
        if not self._told:
            return None
        return 0 if self._new else self._told_at + REFRESH

    def dump(self) -> Data:
        """Return everything as JSON data."""
        return {
            "told": dict(sorted(self._told.items())), "told_at": self._told_at, "new": self._new,
            "failures": dict(sorted(self._failures.items())), "incidents": dict(sorted(self._incidents.items())),
        }

    def load(self, data: Data) -> None:
        """Become what `dump` wrote."""
        self._told, self._told_at, self._new = dict(data["told"]), data["told_at"], data["new"]
        self._failures, self._incidents = dict(data["failures"]), dict(data["incidents"])
