"""The list of everything a rule may read. A name that is not here does not exist."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from difflib import get_close_matches
from types import MappingProxyType

from engine.model.codec import canonical, to_data
from engine.model.samples import LABELS, LARGEST, SignalKind, SignalSpec, Unit

FINEST = 1e-12
"""The finest resolution: finer than this the sum of a window no longer fits what a float can tell apart."""
COARSEST = 1e6


class Catalogue:
    """All signals of a run by name, in the order of their names. Immutable; `digest` says which one it is."""

    def __init__(self, specs: Iterable[SignalSpec]) -> None:
        """Take `specs`; ValueError names the first that cannot be."""
        by_name: dict[str, SignalSpec] = {}
        for spec in sorted(specs, key=lambda one: one.name):
            found = problem(spec)
            if found:
                raise ValueError(f"signal {spec.name!r}: {found}")
            if spec.name in by_name:
                raise ValueError(f"signal {spec.name!r} stands in the catalogue twice")
            by_name[spec.name] = spec
        self.specs: Mapping[str, SignalSpec] = MappingProxyType(by_name)
        self.digest = hashlib.sha256(
            canonical([to_data(replace(spec, line=0)) for spec in by_name.values()])
        ).hexdigest()

    def get(self, name: str) -> SignalSpec | None:
        """Return the signal called `name`, or None."""
        return self.specs.get(name)

    def nearest(self, name: str) -> tuple[str, ...]:
        """Return at most three names that `name` may have meant, best first."""
        return tuple(get_close_matches(name, self.specs, n=3, cutoff=0.6))

    def producers(self) -> frozenset[str]:
        """Return every producer that a signal names."""
        return frozenset(spec.producer for spec in self.specs.values() if spec.producer)


def problem(spec: SignalSpec) -> str:
    """Return why `spec` cannot be a signal, or an empty string."""
    return _bad_labels(spec) or _bad_values(spec) or _bad_times(spec)


def _bad_labels(spec: SignalSpec) -> str:
    for label in spec.labels:
        if label not in LABELS:
            near = get_close_matches(label, LABELS, n=1)
            return f"{label!r} is no label" + (f"; did you mean {near[0]!r}?" if near else "")
    if len(set(spec.labels)) != len(spec.labels):
        return "a label stands there twice"
    if spec.order_scope and spec.labels:
        return "a signal of the order has no labels: the order is its only one"
    return ""


def _bad_values(spec: SignalSpec) -> str:
    if (spec.unit is Unit.ENUM) != bool(spec.values):
        return "an enum, and nothing else, lists its values"
    if len(set(spec.values)) != len(spec.values):
        return "a value stands there twice"
    if spec.kind is SignalKind.COUNTER and spec.unit in (Unit.ENUM, Unit.BOOL):
        return f"a counter counts; it cannot be {spec.unit}"
    if not -LARGEST <= spec.low < spec.high <= LARGEST:
        return f"the range must lie within {-LARGEST:g} .. {LARGEST:g}, its low end first"
    if not FINEST <= spec.resolution <= COARSEST:
        return f"the resolution must be from {FINEST:g} to {COARSEST:g}"
    ratio = max(spec.resolution, 1 / spec.resolution)
    if abs(ratio - round(ratio)) > 1e-6 * ratio:
        return "the resolution, or one divided by it, must be a whole number, so that sums are integers"
    return ""


def _bad_times(spec: SignalSpec) -> str:
    if spec.period < 0 or spec.max_age < 0:
        return "a duration cannot be negative"
    if spec.kind in (SignalKind.GAUGE, SignalKind.STATE) and not spec.order_scope and spec.max_age <= 0:
        return f"a {spec.kind} goes stale by age, so it needs a max_age"
    if spec.kind is SignalKind.COUNTER and spec.max_age:
        return "a counter is never stale by age; watch it with age(...) or increase_over(...)"
    if spec.max_age and spec.max_age < spec.period:
        return "max_age is shorter than the period, so the signal would be stale between two good samples"
    return ""
