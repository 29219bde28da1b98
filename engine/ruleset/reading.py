"""What expressions read."""

from __future__ import annotations

from engine.model.samples import InputRef
from engine.ruleset.spec import Expression, RuleSpec


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


def flags_of(spec: RuleSpec) -> tuple[str, ...]:
    """Return every flag that a rule depends on, each once."""
    found = [*spec.expr.flags, *(spec.clear_expr.flags if spec.clear_expr is not None else ())]
    found += [value for value in (spec.enabled, spec.hold_for, spec.cooldown) if isinstance(value, str)]
    if spec.action is not None and spec.action.exit_risk.isupper():
        found.append(spec.action.exit_risk)
    return tuple(dict.fromkeys(found))
