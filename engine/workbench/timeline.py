"""What a rule set did, or would have done, over a stretch of time. All times are ns; spans are [begin, end)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.model.restraints import Restraint, Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """An instance changed its lifecycle state."""

    at: int
    before: str
    after: str
    why: str
    inputs: tuple[tuple[str, str], ...] = ()
    """What it read, as text; empty where the fast path did not keep it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grip:
    """A stretch in which an instance restrained. A latch's runs beside what the lifecycle beneath imposes."""

    begin: int
    end: int
    restraint: Restraint
    scope: Scope
    because: str
    """firing, held, latched or cooldown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeSpan:
    """From a known-true firing until it cleared (or the history ended: `open`)."""

    number: int
    begin: int
    end: int
    open: bool
    action: str
    """What it started, in words; empty for nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceTimeline:
    """One instance. `known` and `unknown` are how long (ns) its condition was known and not."""

    rule: str
    instance: str
    labels: tuple[str, ...]
    transitions: tuple[Transition, ...] = ()
    grips: tuple[Grip, ...] = ()
    episodes: tuple[EpisodeSpan, ...] = ()
    known: int = 0
    unknown: int = 0
    ever_true: bool = False
    ever_false: bool = False
    shadow: bool = False
    """It restrained nothing; its grips say what it would have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What the rules made of one recorded proposal, the `index`-th of the history."""

    index: int
    at: int
    symbol: str
    intent: str
    notional_usd: float
    allowed_usd: float
    refused_by: tuple[str, ...]
    """Rule ids; empty where it was let through, perhaps smaller."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """All instances by name, in the order of the names, and the proposals in order."""

    begin: int
    end: int
    instances: Mapping[str, InstanceTimeline]
    judgements: tuple[Judgement, ...] = ()
    not_replayable: Mapping[str, str] = field(default_factory=dict)
    """rule id -> why this history cannot say what it would have done."""
    open_latches: tuple[str, ...] = ()
    rows: int = 0
    """How many records were replayed."""
