"""What expressions read."""

from __future__ import annotations

from collections.abc import Iterable

from engine.model.samples import InputRef
from engine.ruleset.spec import Expression, RuleKind, RuleSpec


def inputs_of(*expressions: Expression | None) -> tuple[InputRef, ...]:
    """Return every input, held conditions included, each once, in the order of reading."""
    found: list[InputRef] = []
    for expression in expressions:
        if expression is not None:
            found.extend(expression.inputs)
            found.extend(inputs_of(*(held.condition for held in expression.held)))
    return tuple(dict.fromkeys(found))


def signals_of(*expressions: Expression | None) -> tuple[str, ...]:
    """Return every signal that is read, each once, in the order of reading."""
    return tuple(dict.fromkeys(ref.signal for ref in inputs_of(*expressions)))


def timed_signals(rules: Iterable[RuleSpec]) -> frozenset[str]:
    """Return the signals of which `rules` read more than changes: windows, ages, freshness, the lease of a grant."""
    found: set[str] = set()
    for spec in rules:
        leased = spec.kind is RuleKind.MAKER_GATE
        for ref in inputs_of(spec.expr, spec.clear_expr):
            if leased or ref.reads not in ("value", "absent"):
                found.add(ref.signal)
    return frozenset(found)


def flags_of(spec: RuleSpec) -> tuple[str, ...]:
    """Return every flag that a rule depends on, each once."""
    found = [*spec.expr.flags, *(spec.clear_expr.flags if spec.clear_expr is not None else ())]
    return tuple(dict.fromkeys([*found, *flags_beside(spec)]))


def flags_beside(spec: RuleSpec) -> tuple[str, ...]:
    """Return the flags that a rule names outside its conditions: for its switch, times, numbers and actions."""
    times = (spec.hold_for, spec.keep_firing_for, spec.cooldown, spec.unknown_grace, spec.ttl)
    found = [value for value in (spec.enabled, *times) if isinstance(value, str)]
    if spec.action is not None and spec.action.exit_risk.isupper():
        found.append(spec.action.exit_risk)
    return tuple(dict.fromkeys([*found, *(flag for _, flag in spec.by_flag)]))
