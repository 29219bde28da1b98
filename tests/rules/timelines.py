"""Timelines of what a rule reads: drawn around its thresholds, and hurt in one stretch.

Nothing here asks the engine what it makes of a sample: since when one is degraded is
worked out from the catalogue alone.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from functools import cache

from hypothesis import strategies as st

from engine.model.flag_values import fit
from engine.model.flags import FlagValue
from engine.model.samples import SignalKind, SignalSpec, Unit
from engine.model.time import HOUR, MINUTE, SECOND
from engine.ruleset.reading import inputs_of
from engine.ruleset.spec import Expression, RuleSpec
from engine.ruleset.testcase import Gap, Late
from engine.runtime.config import Config, load_config
from engine.signals.catalogue import Catalogue
from tests.conftest import ROOT

LABELS: Mapping[str, tuple[str, ...]] = {
    "account": ("main",), "venue": ("paper", "other"), "symbol": ("NOVAUSDT",), "intent": ("ENTRY", "SCALP"),
    "liquidity": ("taker", "maker"),
}
LONGEST = 60


class Loss(Enum):
    """How a sample was lost: a drop that was noticed, a broken payload, silence (of an event: its producer down)."""

    MISSING = "missing"
    INVALID = "invalid"
    SILENT = "silent"


Said = float | bool | str
"""What a sample may say: a number, a switch, a word."""
Sample = Said | Loss | None
"""None: nothing was due."""
Series = tuple[str, tuple[str, ...]]
"""A signal and its label values."""


@cache
def shipped() -> Config:
    """Return the configuration of this repository, without anything from the environment."""
    found = load_config(ROOT, {})
    assert found.usable, found.findings
    return found


def rules() -> tuple[RuleSpec, ...]:
    """Return every shipped rule."""
    loaded = shipped().rules
    assert loaded is not None
    return loaded.rules


def catalogue() -> Catalogue:
    """Return the shipped signals."""
    loaded = shipped().catalogue
    assert loaded is not None
    return loaded


def flags_with(chosen: tuple[tuple[str, FlagValue], ...]) -> dict[str, FlagValue]:
    """Return the defaults of all flags, but for those in `chosen`."""
    return {**{name: fit(spec, spec.default) for name, spec in shipped().flag_specs.items()}, **dict(chosen)}


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """Sample i of a series comes at i x step. `flags` are those that are not on their defaults."""

    step: int
    samples: Mapping[Series, tuple[Sample, ...]]
    flags: tuple[tuple[str, FlagValue], ...] = ()

    def length(self) -> int:
        """Return how many samples the longest series has."""
        return max(len(samples) for samples in self.samples.values())

    def due(self, place: int) -> list[tuple[Series, Sample]]:
        """Return what comes at sample `place`.

        One producer may tell several series: it is down when one of them is silent, so silences
        come last; and what is lost as it comes back is lost before anybody looks.
        """
        found = [(series, samples[place]) for series, samples in self.samples.items() if place < len(samples)]
        return sorted(found, key=lambda one: (one[1] is Loss.SILENT, not isinstance(one[1], Loss), one[0]))


@dataclass(frozen=True, kw_only=True)
class Wound:
    """The stretch [begin, end) of one series that is lost, in these ways by turns."""

    series: Series
    begin: int
    end: int
    losses: tuple[Loss, ...]

    def inflict(self, timeline: Timeline) -> Timeline:
        """Return `timeline` with the stretch lost."""
        samples = list(timeline.samples[self.series])
        samples += [None] * (self.end - len(samples))
        for place in range(self.begin, self.end):
            loss = self.losses[place % len(self.losses)]
            # What never came cannot break on its way; silence lasts, whether or not something was due.
            if loss is Loss.SILENT or samples[place] is not None:
                samples[place] = loss
        return replace(timeline, samples={**timeline.samples, self.series: tuple(samples)})


def degraded(timeline: Timeline, series: Series, window: int) -> list[tuple[int, int]]:
    """Return the spells [from, to) in ns in which `series` cannot be believed.

    `window` is the longest it is read over: a lost event spoils it until it leaves.
    """
    signal, step = catalogue().specs[series[0]], timeline.step
    samples = timeline.samples[series]
    if signal.kind is SignalKind.EVENT:
        return _merged(
            (place * step, place * step + (step if sample is Loss.SILENT else window))
            for place, sample in enumerate(samples) if isinstance(sample, Loss)
        )
    ages = signal.kind is not SignalKind.COUNTER
    spells: list[tuple[int, int]] = []
    since: int | None = 0
    stale_at = math.inf
    for place, sample in enumerate(samples):
        at = place * step
        if since is None and stale_at <= at:
            since = int(stale_at)
        if isinstance(sample, Loss) and (sample is not Loss.SILENT or not ages):
            since = at if since is None else since
        elif sample is not None and not isinstance(sample, Loss):
            if since is not None:
                spells.append((since, at))
            since, stale_at = None, at + signal.max_age if ages else math.inf
    end = len(samples) * step
    if since is None and stale_at <= end:
        since = int(stale_at)
    return _merged([*spells, (since, end)] if since is not None else spells)


def _merged(spells: Iterator[tuple[int, int]] | list[tuple[int, int]]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for begin, end in spells:
        if found and begin <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        elif begin < end:
            found.append((begin, end))
    return found


# -- drawing -----------------------------------------------------------------------------------


def series_of(spec: RuleSpec) -> tuple[Series, ...]:
    """Return every series that `spec` reads, with each value that our world has for a label it leaves open."""
    found: dict[Series, None] = {}
    for ref in inputs_of(spec.expr, spec.clear_expr):
        signal = catalogue().specs[ref.signal]
        combined: list[tuple[str, ...]] = [()]
        for label in signal.labels:
            values = (dict(ref.labels)[label],) if label in dict(ref.labels) else LABELS[label]
            combined = [(*labels, value) for labels in combined for value in values]
        if not signal.order_scope:
            found.update(((ref.signal, labels), None) for labels in combined)
    return tuple(found)


def values_for(spec: RuleSpec, signal: SignalSpec, flags: Mapping[str, FlagValue]) -> tuple[Said, ...]:
    """Return values of `signal` on, beside and far from every threshold of `spec`, those of its own tests included.

    A switch has both its values and a word all of its own, those that `spec` asks for once more.
    """
    if signal.unit is Unit.BOOL:
        return (False, True)
    if signal.unit is Unit.ENUM:
        return (*signal.values, *(word for word in signal.values if word in _words(spec.expr)))
    found: dict[float, None] = {0.0: None, 1.0: None}
    for expression in (spec.expr, *([spec.clear_expr] if spec.clear_expr is not None else [])):
        for number in _numbers(expression, flags):
            for limit in (number, number / 2, 1 + number / 100, 1 - number / 100, 1 + number / 200, 1 - number / 200):
                beside = (limit * (1 - 1e-6), limit * (1 + 1e-6), math.nextafter(limit, math.inf))
                found.update((value, None) for value in (limit, *beside, limit * 2, limit * 3))
    for test in spec.tests:
        for series in test.series:
            if series.signal == signal.name:
                found.update((one, None) for one in series.samples if isinstance(one, float))
        found.update((float(value), None) for name, value in test.order or () if name == signal.name)
    return tuple(value for value in found if signal.low <= value <= signal.high)


def _words(expression: Expression) -> set[str]:
    """Return the words that an expression compares with."""
    constants = (node.value for node in ast.walk(expression.tree) if isinstance(node, ast.Constant))
    return {value for value in constants if isinstance(value, str)}


def _numbers(expression: Expression, flags: Mapping[str, FlagValue]) -> Iterator[float]:
    """Yield what an expression compares with: its constants and its flags."""
    for node in ast.walk(expression.tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
            yield float(node.value)
    for name in expression.flags:
        value = flags[name]
        if not isinstance(value, str):
            yield float(value)
    for held in expression.held:
        yield from _numbers(held.condition, flags)


def _said(signal: SignalSpec, value: Said) -> Said:
    """Return `value`, of a test, as a producer of `signal` tells it."""
    return value if signal.unit in (Unit.BOOL, Unit.ENUM) else float(value)


@st.composite
def timelines(draw: st.DrawFn, spec: RuleSpec) -> Timeline:
    """Draw a timeline for `spec`: runs of values and silences, or the series of one of its own tests."""
    test = draw(st.sampled_from((None, *spec.tests)))
    chosen = () if test is None else test.flags
    samples: dict[Series, tuple[Sample, ...]] = {}
    period = 0
    for name, labels in series_of(spec):
        signal = catalogue().specs[name]
        period = max(period, signal.period)
        own = [] if test is None else [one for one in test.series if one.signal == name]
        drawn: list[Sample]
        if own and draw(st.sampled_from((True, False))):
            drawn = [None if isinstance(one, Gap | Late) else _said(signal, one) for one in own[0].samples]
        else:
            pool = st.sampled_from(values_for(spec, signal, flags_with(chosen)))
            run = st.tuples(st.one_of(pool, pool, pool, pool, pool, st.none()), st.integers(1, 20))
            runs = draw(st.lists(run, min_size=2, max_size=6))
            drawn = [value for value, count in runs for _ in range(count)]
        if signal.kind is SignalKind.COUNTER:
            drawn = [None if sample is None else float(place) for place, sample in enumerate(drawn)]
        samples[name, labels] = tuple(drawn[:LONGEST])
    natural = [period, 2 * period, period // 2] if period else [10 * SECOND, MINUTE, 20 * MINUTE, HOUR]
    if isinstance(spec.hold_for, int) and period and spec.hold_for > LONGEST // 2 * period:
        # Slow enough that a run of samples lasts as long as the condition has to.
        natural = [spec.hold_for // 8, spec.hold_for // 15]
    if any(ref.reads == "age" for ref in inputs_of(spec.expr, spec.clear_expr)):
        # An age moves each second: hours of it would show nothing that a minute does not.
        natural = [SECOND, 5 * SECOND, 10 * SECOND]
    step = draw(st.sampled_from(natural if test is None else [test.step, *natural[:2]]))
    return Timeline(step=step, samples=samples, flags=chosen)


@st.composite
def injuries(draw: st.DrawFn, spec: RuleSpec) -> tuple[Timeline, Wound]:
    """Draw a timeline for `spec` and a stretch of it to lose."""
    timeline = draw(timelines(spec))
    series = draw(st.sampled_from(sorted(timeline.samples)))
    begin = draw(st.integers(0, len(timeline.samples[series]) - 1))
    losses = draw(st.lists(st.sampled_from(list(Loss)), min_size=1, max_size=3))
    return timeline, Wound(
        series=series, begin=begin, end=begin + draw(st.integers(1, LONGEST // 2)), losses=tuple(losses)
    )
