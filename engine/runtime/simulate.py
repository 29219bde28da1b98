"""Many simulated runs, one a seed: what came of them, and which laws were broken.

Each seed is a whole world of its own and costs one process nothing but time, so they are
spread over processes; whatever the number of processes, a seed is the same run.
"""

from __future__ import annotations

import multiprocessing
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from engine.model.run_mode import DRY_RUN_FLAG
from engine.ruleset.suggest import fix_for
from engine.runtime.config import Config, load_config
from engine.runtime.configured import ConfigError
from engine.runtime.options import RunError
from engine.runtime.simulate_broken import BREAKS, SOUND, Break
from engine.runtime.simulate_laws import Violation
from engine.runtime.simulate_plan import plan_of
from engine.runtime.wiring_simulate import VENUES, market, world

LEAST_MINUTES = 15
"""A shorter story has no room for its trouble."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What to simulate. `fault` names a break of the engine, or is empty."""

    root: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    minutes: int = 60
    venue: str = "paper"
    fault: str = ""
    trace: bool = False
    """Whether every line of a run is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one seed. `digest` is the same for the same seed, whatever the machine. Durations in ns."""

    seed: int
    digest: str
    begins: int
    events: int
    orders: int
    fills: int
    crashes: int
    boundaries: int
    pages: int
    worst_unprotected: int
    worst_flat: int
    faults: Mapping[str, int]
    violations: tuple[Violation, ...]
    trace: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)
class Total:
    """What came of all of them."""

    seeds: int = 0
    minutes: int = 0
    events: int = 0
    orders: int = 0
    fills: int = 0
    crashes: int = 0
    boundaries: int = 0
    pages: int = 0
    worst_unprotected: int = 0
    worst_flat: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    violations: Counter[str] = field(default_factory=Counter)
    failed: list[int] = field(default_factory=list)

    def add(self, one: Outcome, minutes: int) -> None:
        """Take in the outcome of one seed."""
        self.seeds += 1
        self.minutes += minutes
        for name in ("events", "orders", "fills", "crashes", "boundaries", "pages"):
            setattr(self, name, getattr(self, name) + getattr(one, name))
        self.worst_unprotected = max(self.worst_unprotected, one.worst_unprotected)
        self.worst_flat = max(self.worst_flat, one.worst_flat)
        self.faults.update(one.faults)
        self.violations.update(found.oracle for found in one.violations)
        if one.violations:
            self.failed.append(one.seed)


MONEY = {DRY_RUN_FLAG: "false"}
"""A simulated session is one with money, whatever the environment says of a real one."""


def check(asked: Asked) -> Config:
    """Return the configuration that `asked` is simulated with; RunError or ConfigError says what is wrong with it."""
    if asked.fault and asked.fault not in BREAKS:
        fix = fix_for(asked.fault, BREAKS, otherwise=f"write one of {', '.join(BREAKS)}")
        raise RunError(f"there is no break {asked.fault!r}", fix)
    if asked.venue not in VENUES:
        raise RunError(f"there is no simulated venue {asked.venue!r}", f"write one of {', '.join(VENUES)}")
    if asked.minutes < LEAST_MINUTES:
        raise RunError(f"{asked.minutes} minutes are too few", f"simulate {LEAST_MINUTES} minutes or more")
    config = load_config(asked.root, {**asked.environment, **MONEY})
    if not config.usable:
        raise ConfigError(config.findings)
    return config


def simulate(asked: Asked, seeds: Iterable[int], jobs: int, tell: Callable[[Outcome], None]) -> Total:
    """Run every one of `seeds` in `jobs` processes, tell of each in the order of the seeds, and return the sum."""
    config = check(asked)
    total = Total()
    for outcome in _outcomes(asked, config, list(seeds), jobs):
        total.add(outcome, asked.minutes)
        tell(outcome)
    return total


def _outcomes(asked: Asked, config: Config, seeds: list[int], jobs: int) -> Iterator[Outcome]:
    if jobs <= 1 or len(seeds) <= 1:
        yield from (run_seed(asked, config, seed) for seed in seeds)
        return
    # Spawned, not forked: a process that begins clean behaves alike wherever it was begun from.
    context = multiprocessing.get_context("spawn")
    with context.Pool(min(jobs, len(seeds)), _begin, (asked,)) as pool:
        yield from pool.imap(_one, seeds, chunksize=4 if len(seeds) > 8 * jobs else 1)


_LOADED: list[tuple[Asked, Config]] = []
"""What this process simulates: read once."""


def _begin(asked: Asked) -> None:
    _LOADED[:] = [(asked, check(asked))]


def _one(seed: int) -> Outcome:
    asked, config = _LOADED[0]
    return run_seed(asked, config, seed)


def run_seed(asked: Asked, config: Config, seed: int) -> Outcome:
    """Run one seed and return what came of it."""
    tape, scene = market(seed, asked.minutes, asked.venue)
    plan = plan_of(seed, scene)
    fault: Break = BREAKS[asked.fault] if asked.fault else SOUND
    made = world(config, tape, plan, fault=fault, whole_trace=asked.trace, venue=asked.venue)
    ran = made.run()
    return Outcome(
        seed=seed, digest=ran.digest, begins=scene.begins, events=ran.events, orders=ran.seen.orders, fills=ran.fills,
        crashes=ran.lives - 1, boundaries=ran.boundaries, pages=ran.seen.pages,
        worst_unprotected=ran.seen.worst_unprotected, worst_flat=ran.seen.worst_flat, faults=ran.met,
        violations=tuple(ran.seen.violations), trace=ran.trace,
    )
