"""The laws a simulation is held to, by name, and what is told of one that was broken."""

from __future__ import annotations

from dataclasses import dataclass, field

EXPOSURE, HALTED, UNPROTECTED, FILLS, FLAT, BOOKS, IDS, REPLAY = (
    "exposure", "halted", "unprotected", "fills", "flat", "books", "ids", "replay",
)
FORBIDDEN, WAIVED, LAPSED, OFF, TRIMMED, HEDGED, NAKED = (
    "forbidden", "waived", "lapsed", "off", "trimmed", "hedged", "naked",
)
ORACLES = (
    EXPOSURE, HALTED, UNPROTECTED, FILLS, FLAT, BOOKS, IDS, REPLAY,
    FORBIDDEN, WAIVED, LAPSED, OFF, TRIMMED, HEDGED, NAKED,
)
"""The laws, by name; each is told at most twice a run."""
INTERNAL = "internal"
"""No law, but an error that nobody expected: it ends the run and not the runs behind it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """A law that was broken: when (virtual ns), in words, and what came before."""

    oracle: str
    at: int
    what: str
    lines: tuple[str, ...] = ()


@dataclass(slots=True)
class Seen:
    """What a run met, for its summary. Durations in ns."""

    orders: int = 0
    cancels: int = 0
    asks: int = 0
    pages: int = 0
    worst_unprotected: int = 0
    worst_flat: int = 0
    worst_naked: int = 0
    """How long a hedge stood against nothing."""
    violations: list[Violation] = field(default_factory=list)

    def told(self) -> tuple[object, ...]:
        """Return all of it but the lines, of which a trace may hold more or fewer."""
        broken = tuple((one.oracle, one.at, one.what) for one in self.violations)
        worst = (self.worst_unprotected, self.worst_flat, self.worst_naked)
        return (self.orders, self.cancels, self.asks, self.pages, *worst, broken)
