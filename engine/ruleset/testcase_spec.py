"""Inline tests of rules as the engine holds them: samples over time, what befalls the engine, what must come of it.

Times are ns after the first sample. A part that says nothing is None or an empty tuple.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from engine.model.flags import FlagValue
from engine.model.restraints import Restraint
from engine.ruleset.spec import Action, Place

Labels = tuple[tuple[str, str], ...]
"""(name, value) of each label that is written."""


class Gap(StrEnum):
    """A sample that is none."""

    NOTHING = "_"
    STALE = "stale"
    NAN = "nan"


@dataclass(frozen=True, slots=True)
class Late:
    """A sample that is received `by` ns after its instant; its event time is the instant."""

    sample: float | bool | str | Gap
    by: int


TestSample = float | bool | str | Gap | Late


@dataclass(frozen=True, slots=True, kw_only=True)
class TestSeries:
    """The samples of one signal with these labels; labels left out are the test's or the rule's."""

    __test__ = False
    signal: str
    labels: Labels
    samples: tuple[TestSample, ...]
    place: Place


class Deed(StrEnum):
    """What may befall the engine in the middle of a test."""

    RELOAD = "reload"
    """The same rules take over on the live snapshot, as a reload does."""
    RESTART = "restart"
    """Snapshot and rules are written out and read back; for a while before that, nothing runs and samples are lost."""
    REARM = "rearm"
    BOUNDARY = "boundary"
    """A new local day begins."""
    CLOCK_BACK = "clock_back"
    DROP = "drop"
    """A sample is known to be lost (of an event: its producer goes down), until the next one comes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TestEvent:
    """One deed at `at`, after the samples of that instant. `lasts` (restart) and `by` (clock_back) in ns."""

    __test__ = False
    at: int
    do: Deed
    place: Place
    lasts: int = 0
    by: int = 0
    signal: str = ""
    labels: Labels = ()
    refused: bool = False
    why: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedMove:
    """One item of `transitions`: the instance with `labels` (the test's own where none are written) becomes `to`."""

    at: int
    to: str
    place: Place
    labels: Labels = ()
    why: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What must be so at `at`, after all samples, timers and events of that instant."""

    at: int
    place: Place
    labels: Labels = ()
    state: str | None = None
    truth: str | None = None
    restrain: Restraint | None = None
    restrain_fields: tuple[str, ...] = ()
    """Which fields of `restrain` were written; with none of them nothing may be restrained."""
    why: tuple[str, ...] = ()
    latched: bool | None = None
    granted: bool | None = None
    refused: bool | None = None
    evaluated: bool | None = None
    scope: Labels | None = None
    """What the restraint in force covers; an empty tuple is everything."""
    action: Action | None = None
    """What the newest episode started; an empty action is none at all."""

    def claims(self) -> bool:
        """Whether anything is expected at all."""
        said = (
            self.state, self.truth, self.restrain, self.latched, self.granted, self.refused, self.evaluated,
            self.scope, self.action,
        )
        return bool(self.why) or any(one is not None for one in said)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleTest:
    """One inline test. `step` in ns; `order` are order-scope signals of an entry rule's test.

    `transitions` is the full list of state changes from the first sample to the last, or None
    where the test does not list them.
    """

    name: str
    place: Place
    step: int
    flags: tuple[tuple[str, FlagValue], ...]
    labels: Labels
    series: tuple[TestSeries, ...]
    expect: tuple[Expectation, ...]
    order: tuple[tuple[str, float | str], ...] | None = None
    events: tuple[TestEvent, ...] = ()
    transitions: tuple[WantedMove, ...] | None = None
