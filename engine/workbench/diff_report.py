"""What a comparison of two rule sets found, for any renderer. All times are ns; spans are [begin, end)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from engine.ruleset.loosening import Change
from engine.workbench.diff_coverage import Coverage
from engine.workbench.diff_episodes import Divergence, EpisodeChange
from engine.workbench.diff_orders import OrderDiff
from engine.workbench.diff_spans import ScopeDiff, Stretch, Way, total
from engine.workbench.diff_tests import TestChange
from engine.workbench.timeline import InstanceTimeline


class Verdict(StrEnum):
    """What this history shows of a rule. It never shows that a change has no effect elsewhere."""

    LOOSER = "looser"
    BOTH = "both"
    """Stricter at some instants, looser or incomparable at others."""
    STRICTER = "stricter"
    NOT_REPLAYABLE = "not replayable"
    NOT_EXERCISED = "not exercised"
    SAME = "same"


@dataclass(frozen=True, slots=True, kw_only=True)
class SideInfo:
    """One side. `digest` is what its files decide; `commit` is empty for a directory."""

    name: str
    commit: str
    digest: str
    rules: int
    conf_from: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """What was replayed. `exact` says that every step was made, not only those where a truth value changed."""

    name: str
    begin: int
    end: int
    records: int
    symbols: tuple[str, ...]
    rearm: str
    """In words: what re-armed latches."""
    exact: bool
    asked: str
    """The options that named it, as they are typed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceDiff:
    """One instance on both sides; a side that has no such instance is None."""

    instance: str
    base: InstanceTimeline | None
    head: InstanceTimeline | None
    stretches: tuple[Stretch, ...]
    episodes: tuple[EpisodeChange, ...]
    divergence: Divergence | None

    @property
    def differs(self) -> bool:
        """Return whether anything differs: a restraint, an episode or a state."""
        return bool(self.stretches or self.episodes or self.divergence)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleDiff:
    """One rule on both sides. `id` is the head's where it was renamed."""

    id: str
    summary: str
    became: str
    """added, removed, renamed, changed or unchanged."""
    verdict: Verdict
    why: str
    """Why the verdict is what it is."""
    place: str
    """Where it stands, in the head if there."""
    base_expr: str
    """The condition with the flags' values in it; empty where the side lacks the rule."""
    head_expr: str
    changes: tuple[Change, ...]
    instances: tuple[InstanceDiff, ...]
    tests: tuple[TestChange, ...]
    refused: tuple[int, int] = (0, 0)
    """Proposals that only the head's rule refuses, and that only the base's does."""

    def length(self, way: Way) -> int:
        """Return for how long its instances restrain that `way`, in ns, each counted alone."""
        return sum(total(one.stretches, way) for one in self.instances)


@dataclass(frozen=True, slots=True, kw_only=True)
class Orphan:
    """A latch that the base leaves open and that no rule of the head would own."""

    latch: str
    why: str
    clear_with: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledged:
    """Who answers for the loosening of this very pair."""

    by: str
    reason: str
    at: int
    """0 where it was given on the command line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything. `pair` is what an acknowledgement is bound to."""

    base: SideInfo
    head: SideInfo
    range: Range
    coverage: tuple[Coverage, ...]
    rules: tuple[RuleDiff, ...]
    policy: tuple[ScopeDiff, ...]
    policy_whole: bool
    """Whether every kind of order was compared."""
    orders: OrderDiff | None
    changes: tuple[Change, ...]
    """Those that no rule uses: of flags, of signals, and the denylist's."""
    orphans: tuple[Orphan, ...]
    pair: str
    loosenings: tuple[str, ...]
    """Why this needs an acknowledgement, a line each; empty where it does not."""
    acknowledged: Acknowledged | None
    notes: tuple[str, ...]
    paste: str = ""
    """The lines that acknowledge this pair, for acks.yaml."""

    @property
    def passed(self) -> bool:
        """Return whether the change may go ahead: nothing is loosened, or somebody answers for it."""
        return not self.loosenings or self.acknowledged is not None

    def policy_length(self, way: Way) -> int:
        """Return the longest time, over the kinds of orders, that the joined policy goes that `way` (ns)."""
        return max((total(one.stretches, way) for one in self.policy), default=0)
