"""What one seed does to the engine: which faults, crashes and operator's actions, and when.

Everything is drawn from the seed by name, so that one kind of trouble can be changed without
changing another, and a seed that failed fails again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random

from engine.exchange.faults import Chance, Fault, FaultKind, FaultPlan, QueryFault, Silence
from engine.model.events import (
    Command,
    FlattenCommand,
    HaltCommand,
    RearmCommand,
    ReconcileCommand,
    ResumeCommand,
    SetFlagCommand,
)
from engine.model.flags import FlagValue
from engine.model.reports import Query
from engine.model.time import MINUTE, MS, SECOND
from engine.runtime.simulate_hands import ACTOR, acts, first_acts

_DELAYS = {
    FaultKind.LOST_REPLY: (0, 8 * SECOND), FaultKind.INVISIBLE: (1 * SECOND, 12 * SECOND),
    FaultKind.LAGGING: (500 * MS, 10 * SECOND), FaultKind.DELAY: (100 * MS, 6 * SECOND),
    FaultKind.REORDERED: (100 * MS, 3 * SECOND), FaultKind.DUPLICATE: (0, 20 * SECOND),
}
"""From and to which delay a fault of a kind is drawn. Shorter than the grace after which absence is proven."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Crash:
    """The process dies at the `nth` boundary of a `kind` behind `armed_at` (ns), and is started `down` ns later."""

    armed_at: int
    nth: int
    kind: str = ""
    """commit, perform, input; empty for any."""
    down: int = 10 * SECOND
    power_cut: bool = False
    """What was committed, but not durably, is gone too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What the oracles hold the engine to. Durations in ns, of which outages are no part."""

    cap_usd: float
    """The most one symbol may ever cost: position at its entry price and all that may still fill."""
    unprotected: int = 60 * SECOND
    """The longest a position may be without a stop at the venue."""
    flat_within: int = 120 * SECOND
    """How soon everything is flat after flatten, or somebody was paged."""
    naked: int = 120 * SECOND
    """The longest a hedge may be held that nothing is left for."""
    flags: Mapping[str, FlagValue] = field(default_factory=dict)
    """What flags are while the operator says nothing else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All trouble of one seed. `actions` are (at, command), in order."""

    seed: int
    begins: int
    calm_from: int
    """From here on nothing goes wrong any more (ns)."""
    faults: FaultPlan
    crashes: tuple[Crash, ...] = ()
    actions: tuple[tuple[int, Command], ...] = ()
    hot: tuple[int, ...] = ()
    """Behind which instants something happens (ns)."""
    venue: str = "paper"


@dataclass(slots=True)
class Met:
    """Which faults came to pass, and whether they are over."""

    counts: Counter[str] = field(default_factory=Counter)
    over: bool = False


@dataclass(frozen=True, slots=True)
class CountedFaults(FaultPlan):
    """Faults that are counted when they strike and can be ended."""

    met: Met = field(default_factory=Met)

    def of(self, client_id: str, number: int) -> Fault | None:
        """Return what happens to an order; None once all is over."""
        found = None if self.met.over else FaultPlan.of(self, client_id, number)
        if found is not None:
            self.met.counts[found.kind.value] += 1
        return found

    def of_question(self, query: Query, number: int) -> QueryFault | None:
        """Return what happens to a question; None once all is over."""
        found = None if self.met.over else FaultPlan.of_question(self, query, number)
        if found is not None:
            self.met.counts["failed_query"] += 1
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Where trouble may come: from `begins` on, none from `calm_from` on, most of it behind the `hot` instants (ns)."""

    begins: int
    calm_from: int
    hot: tuple[int, ...] = ()
    venue: str = "paper"
    symbols: tuple[str, ...] = ("NOVAUSDT",)
    """What is traded there."""

    def instant(self, draw: Random, room: int) -> int:
        """Draw an instant at least `room` ns before all is calm; two of three soon behind something that happens."""
        latest = self.calm_from - room
        if self.hot and draw.random() < 0.67:
            return min(draw.choice(self.hot) + draw.randrange(0, 5 * MINUTE), latest)
        return draw.randrange(self.begins, latest)


def plan_of(seed: int, scene: Scene) -> Plan:
    """Return the trouble of `seed` in `scene`."""
    return Plan(
        seed=seed, begins=scene.begins, calm_from=scene.calm_from, faults=_faults(seed, scene),
        crashes=_crashes(seed, scene), actions=_actions(seed, scene), hot=scene.hot, venue=scene.venue,
    )


def _faults(seed: int, scene: Scene) -> CountedFaults:
    draw = Random(f"{seed}|faults")
    most = draw.choice((0.0, 0.05, 0.1, 0.2, 0.35))
    if not most:
        return CountedFaults(seed=str(seed))
    chances = []
    # What one venue does to itself is scripted, not drawn: a drawn one would turn every seed into another story.
    for kind in (one for one in FaultKind if one is not FaultKind.VANISHED):
        shortest, longest = _DELAYS.get(kind, (0, 0))
        probability, delay = draw.uniform(0.0, most), draw.randint(shortest, longest)
        if draw.random() < 0.6:
            chances.append(Chance(kind=kind, probability=probability, delay=delay))
    queries = []
    if draw.random() < 0.5:
        queries.append(QueryFault(probability=draw.uniform(0.01, 0.3), delay=draw.randint(0, 5 * SECOND)))
    if draw.random() < 0.1:
        queries.append(QueryFault(query=Query.PROBE, probability=0.5, unable=True))
    silences = []
    for _ in range(draw.choice((0, 0, 1, 2))):
        start = scene.instant(draw, 3 * MINUTE)
        end = start + draw.randrange(5 * SECOND, 150 * SECOND)
        silences.append(Silence(start=start, end=end, venue=scene.venue))
    return CountedFaults(
        chances=tuple(chances), queries=tuple(queries), silences=tuple(silences), seed=str(seed),
    )


def _crashes(seed: int, scene: Scene) -> tuple[Crash, ...]:
    draw = Random(f"{seed}|crashes")
    crashes = []
    for at in sorted(scene.instant(draw, 2 * MINUTE) for _ in range(draw.choice((0, 1, 2, 3, 5)))):
        kind = draw.choice(("commit", "perform", "perform", "input", "input", ""))
        # The n-th deed behind an instant is in the middle of what is done about orders, whenever that may be.
        crashes.append(Crash(
            armed_at=at, kind=kind, nth=draw.randint(1, 12), power_cut=draw.random() < 0.3,
            down=int(draw.choice((1, 5, 20, 20, 60, 180)) * draw.uniform(0.5, 1.5) * SECOND),
        ))
    return tuple(crashes)


def _actions(seed: int, scene: Scene) -> tuple[tuple[int, Command], ...]:
    draw = Random(f"{seed}|actions")
    minutes = draw.choice((2, 4, 8, 15, 45))
    actions: list[tuple[int, Command]] = [(scene.begins + SECOND, _flag("EVENT_BREAKOUT_TIME_STOP_MINUTES", minutes))]
    if draw.random() < 0.4:
        half = _flag("EVENT_BREAKOUT_HALF_SIZE_MINUTES", draw.choice((0, 1, 2)))
        actions.append((scene.begins + SECOND, half))
    for _ in range(draw.choice((0, 1, 2, 3, 5))):
        actions += _action(draw, scene.instant(draw, MINUTE))
    actions += first_acts(seed, scene.begins + SECOND)
    over = Random(f"{seed}|overrides at")
    instants = sorted(scene.instant(over, MINUTE) for _ in range(over.choice((0, 0, 1, 2, 4, 7))))
    actions += acts(seed, scene.symbols, instants)
    return tuple(sorted((one for one in actions if one[0] < scene.calm_from), key=lambda one: one[0]))


def _action(draw: Random, at: int) -> list[tuple[int, Command]]:
    kind = draw.choice(("halt", "flatten", "flatten", "flag", "reconcile", "rearm"))
    later = at + draw.randrange(20 * SECOND, 6 * MINUTE)
    if kind == "halt":
        source = draw.choice(("socket", "file"))
        halt = HaltCommand(actor=ACTOR, reason="drawn", source=source)
        return [(at, halt), (later, ResumeCommand(actor=ACTOR))]
    if kind == "flatten":
        resumed = later + 3 * MINUTE
        return [(at, FlattenCommand(actor=ACTOR, reason="drawn")), (resumed, ResumeCommand(actor=ACTOR))]
    if kind == "flag":
        name, values = draw.choice((
            ("EVENT_BREAKOUT_TRIGGER_BPS", (50, 80, 120)), ("EVENT_BREAKOUT_TIME_STOP_MINUTES", (1, 3, 10)),
            ("EVENT_BREAKOUT_SL_PCT", (1, 2, 4)), ("EVENT_BREAKOUT_TRAIL_START_PCT", (0.5, 1)),
        ))
        return [(at, _flag(name, draw.choice(values)))]
    if kind == "rearm":
        return [(at, RearmCommand(actor=ACTOR, latch="--cleared"))]
    return [(at, ReconcileCommand(actor=ACTOR))]


def _flag(name: str, value: float) -> SetFlagCommand:
    return SetFlagCommand(actor=ACTOR, name=name, value=value, reason="drawn", ttl=0)
