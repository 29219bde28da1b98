"""The list of everything a rule may read. A name that is not here does not exist."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from difflib import get_close_matches
from types import MappingProxyType

from engine.model.codec import Data, canonical, to_data
from engine.model.samples import LABELS, LARGEST, SignalKind, SignalSpec, Unit

IN_CORE = frozenset({
    "core.execution", "core.health", "core.mode", "core.operator", "core.policy", "core.risk", "core.strategy",
    "policy.join", "policy.review",
})
"""Producers that every run has: they live in this process."""
FINEST = 1e-12
"""The finest resolution: finer than this the sum of a window no longer fits what a float can tell apart."""
COARSEST = 1e6


class Catalogue:
    """All signals of a run by name, in the order of their names. Immutable; `digest` says which one it is."""

    def __init__(self, specs: Iterable[SignalSpec]) -> None:
        """Take `specs`; ValueError names the first that cannot be."""
        by_name: dict[str, SignalSpec] = {}
        for spec in sorted(specs, key=lambda one: one.name):
            for key, what in problems(spec):
                raise ValueError(f"signal {spec.name!r}, {key}: {what}")
            if spec.name in by_name:
                raise ValueError(f"signal {spec.name!r} stands in the catalogue twice")
            by_name[spec.name] = spec
        self.specs: Mapping[str, SignalSpec] = MappingProxyType(by_name)
        self.digest = hashlib.sha256(
            canonical([_deciding(spec) for spec in by_name.values()])
        ).hexdigest()

    def __reduce__(self) -> tuple[type[Catalogue], tuple[tuple[SignalSpec, ...]]]:
        return Catalogue, (tuple(self.specs.values()),)

    def get(self, name: str) -> SignalSpec | None:
        """Return the signal called `name`, or None."""
        return self.specs.get(name)

    def nearest(self, name: str) -> tuple[str, ...]:
        """Return at most three names that `name` may have meant, best first."""
        return tuple(get_close_matches(name, self.specs, n=3, cutoff=0.6))

    def producers(self) -> frozenset[str]:
        """Return every producer that a signal names."""
        return frozenset(spec.producer for spec in self.specs.values() if spec.producer)


def _deciding(spec: SignalSpec) -> Data:
    """Return what of `spec` can change a decision: not its line, not how history keeps it."""
    data: Data = to_data(replace(spec, line=0))
    del data["decimate"]
    return data


def unwired_signals(catalogue: Catalogue, producers: Iterable[str]) -> frozenset[str]:
    """Return the signals that neither the core nor `producers` produce."""
    there = IN_CORE.union(producers)
    return frozenset(name for name, spec in catalogue.specs.items() if spec.producer not in there)


def problems(spec: SignalSpec) -> tuple[tuple[str, str], ...]:
    """Return all that keeps `spec` from being a signal: (key of the file it is about, what is wrong)."""
    return (*_bad_labels(spec), *_bad_values(spec), *_bad_range(spec), *_bad_times(spec))


def _bad_labels(spec: SignalSpec) -> Iterator[tuple[str, str]]:
    for label in spec.labels:
        if label not in LABELS:
            near = get_close_matches(label, LABELS, n=1)
            yield "labels", f"{label!r} is no label" + (f"; did you mean {near[0]!r}?" if near else "")
    if len(set(spec.labels)) != len(spec.labels):
        yield "labels", "a label stands there twice"
    if spec.order_scope and spec.labels:
        yield "labels", "a signal of the order has no labels: its one order is all it is about"


def _bad_values(spec: SignalSpec) -> Iterator[tuple[str, str]]:
    if spec.unit is Unit.ENUM and not spec.values:
        yield "unit", "an enum needs the list of its values"
    if spec.unit is not Unit.ENUM and spec.values:
        yield "values", f"only an enum lists values; this is {spec.unit}"
    if len(set(spec.values)) != len(spec.values):
        yield "values", "a value stands there twice"
    if spec.kind is SignalKind.COUNTER and spec.unit in (Unit.ENUM, Unit.BOOL):
        yield "unit", f"a counter counts; it cannot be {spec.unit}"


def _bad_range(spec: SignalSpec) -> Iterator[tuple[str, str]]:
    if not -LARGEST <= spec.low < spec.high <= LARGEST:
        yield "range", f"the low end must be below the high end, both within {-LARGEST:g} .. {LARGEST:g}"
    elif spec.unit in (Unit.ENUM, Unit.BOOL) and (spec.low, spec.high) != (-LARGEST, LARGEST):
        yield "range", f"{spec.unit} is no number and has no range"
    if not FINEST <= spec.resolution <= COARSEST:
        yield "resolution", f"it must be from {FINEST:g} to {COARSEST:g}"
        return
    ratio = max(spec.resolution, 1 / spec.resolution)
    if abs(ratio - round(ratio)) > 1e-6 * ratio:
        yield "resolution", "it, or one divided by it, must be a whole number, so that sums are integers"


def _bad_times(spec: SignalSpec) -> Iterator[tuple[str, str]]:
    if spec.period < 0 or spec.max_age < 0:
        yield "period", "a duration cannot be negative"
    aging = spec.kind in (SignalKind.GAUGE, SignalKind.STATE) and not spec.order_scope
    if aging and spec.max_age <= 0:
        yield "max_age", f"a {spec.kind} goes stale by age, so it needs a max_age"
    if spec.kind is SignalKind.COUNTER and spec.max_age:
        yield "max_age", "a counter is never stale by age; rules watch it with age(...) or increase_over(...)"
    if spec.order_scope and (spec.max_age or spec.period):
        yield "max_age", "a signal of the order is as old as its order: it has no period and no max_age"
    if spec.max_age and spec.max_age <= spec.period:
        yield "max_age", "it is not longer than the period, so the signal would be stale between two good samples"
