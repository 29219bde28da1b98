"""What stands between an engine and its simulated venue where the engine is to be broken."""

from __future__ import annotations

from typing import Any

from engine.model.events import VenueEvent
from engine.ports.venue import SimulatedVenue


class Between:
    """A venue that passes everything on to another: what breaks it overrides a method."""

    def __init__(self, inner: SimulatedVenue) -> None:
        self._inner = inner
        self._told: list[tuple[int, VenueEvent]] = []
        """What it makes up, and when that reaches the engine."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def next_due(self) -> int | None:
        """Return when something is told next."""
        due = self._inner.next_due()
        own = min((at for at, _ in self._told), default=None)
        return own if due is None else due if own is None else min(due, own)

    def pop_due(self, at: int) -> list[tuple[int, VenueEvent]]:
        """Let everything up to `at` happen; return what the venue tells, and what this one makes up."""
        own = [one for one in self._told if one[0] <= at]
        self._told = [one for one in self._told if one[0] > at]
        return [*own, *self._inner.pop_due(at)]
