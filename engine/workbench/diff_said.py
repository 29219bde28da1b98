"""What a rule says, spelled one way, so that two sides can be compared whatever their layout."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import fields, replace

from engine.model.codec import Data, to_data
from engine.model.flags import FlagValue
from engine.ruleset.reading import flags_beside
from engine.ruleset.ruling import Ruling
from engine.ruleset.spec import Expression, RuleSpec
from engine.ruleset.words import printable
from engine.workbench.diff_coverage import signals_read

_DECIDES_NOTHING = frozenset({"place", "tests", "summary", "runbook", "formerly", "notify", "on_unknown_reason"})
_DOUBT = frozenset({"on_unknown", "unknown_grace", "unknown_cutback", "min_clear"})
_WORD = re.compile(r"\b[A-Z][A-Z0-9_]+\b")


def said(rule: RuleSpec, ruling: Ruling) -> dict[str, Data]:
    """Return what decides about `rule` under its ruling: its fields, and the flags and signals it uses.

    Two equal answers mean that the rule does the same over any history.
    """
    found: dict[str, Data] = {}
    for field in fields(rule):
        value = getattr(rule, field.name)
        if field.name not in _DECIDES_NOTHING:
            found[field.name] = _spelled(value) if isinstance(value, Expression) else to_data(value)
    return {**found, **uses(rule, ruling)}


def uses(rule: RuleSpec, ruling: Ruling) -> dict[str, Data]:
    """Return what decides about `rule` and stands elsewhere: `flag NAME` -> value, `signal NAME` -> its specification.

    A flag is used wherever its name stands, in a condition or in place of a value.
    """
    values = ruling.flag_values()
    flags = {flag for flag in flags_beside(rule) if flag in values}
    for field in fields(rule):
        part = getattr(rule, field.name)
        if isinstance(part, Expression):
            flags |= flags_of(part)
    found: dict[str, Data] = {f"flag {name}": values.get(name) for name in sorted(flags)}
    for name in sorted(signals_read([rule])):
        spec = ruling.catalogue.specs.get(name)
        found[f"signal {name}"] = None if spec is None else to_data(replace(spec, line=0, summary=""))
    return found


def only_doubt(base: Mapping[str, Data], head: Mapping[str, Data]) -> bool:
    """Return whether two different answers of `said` differ in nothing but what doubt does."""
    return {key for key in {*base, *head} if base.get(key) != head.get(key)} <= _DOUBT


def flags_of(expression: Expression) -> set[str]:
    """Return every flag that `expression` names, in held conditions too."""
    found = set(expression.flags)
    for held in expression.held:
        found |= flags_of(held.condition)
    return found


def with_values(expression: Expression, values: Mapping[str, FlagValue]) -> str:
    """Return the text of `expression` on one line with each flag's value in its place, as a person reads it."""
    named = flags_of(expression)

    def value(match: re.Match[str]) -> str:
        found = values.get(match[0]) if match[0] in named else None
        if found is None:
            return match[0]
        return f"{found:g}" if isinstance(found, float) else str(found).lower()

    return _WORD.sub(value, printable(" ".join(expression.text.split())))


def _spelled(expression: Expression) -> Data:
    return {
        "tree": ast.unparse(expression.tree), "inputs": to_data(expression.inputs),
        "held": [[held.duration, _spelled(held.condition)] for held in expression.held],
    }
