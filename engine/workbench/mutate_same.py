"""Proofs that a mutant decides the same as its rule on everything that can happen.

Nothing is listed by hand: a proof holds for the rule at hand or it is not given, and then
the mutant counts as survived. There are two:

- *values*: the conditions compare plain values with fixed numbers (not with flags) or words; at
  each limit, beside it, between two of them, at the ends of the signal's range and in doubt, in
  every combination, both have the same truth. Between those points nothing can change.
- *doubt*: all that the rule reads is known for good once it was known (ages, absent, fresh), so that
  a grace, or `hold` for `restrict`, has nothing to act on: before the first answer both hold at once.
"""

from __future__ import annotations

import ast
import itertools
import math
from dataclasses import replace

from engine.model.samples import InputRef, SignalSpec, Unit
from engine.ruleset import kleene
from engine.ruleset.codegen import fold
from engine.ruleset.kleene import Unknown, Value
from engine.ruleset.program import Condition, lay_out
from engine.ruleset.reading import inputs_of
from engine.ruleset.spec import Expression, OnUnknown, RuleSpec
from engine.ruleset.trace import Evaluator
from engine.signals.catalogue import Catalogue

MOST_COMBINATIONS = 20_000
"""Combinations of values that are tried."""
_NOTHING = ast.Constant(value=True)
_ALWAYS_KNOWN = frozenset({"age", "absent", "fresh"})


def same(rule: RuleSpec, mutant: RuleSpec, catalogue: Catalogue) -> str:
    """Return why `mutant` decides the same as `rule` whatever happens, or an empty string."""
    if _but_conditions(rule) == _but_conditions(mutant):
        return _same_conditions(rule, mutant, catalogue)
    if rule.expr.tree is mutant.expr.tree or _text(rule.expr) == _text(mutant.expr):
        return _same_doubt(rule, mutant)
    return ""


def _but_conditions(spec: RuleSpec) -> RuleSpec:
    """Return the rule with what it asks, where it stands and how it is tested left out."""
    blank = Expression(text="", place=spec.place, tree=_NOTHING, inputs=())
    return replace(
        spec, expr=blank, clear_expr=None if spec.clear_expr is None else blank, tests=(), on_unknown_reason="",
    )


def _text(expression: Expression) -> str:
    return ast.unparse(expression.tree)


def _same_conditions(rule: RuleSpec, mutant: RuleSpec, catalogue: Catalogue) -> str:
    """Compare what two rules ask, on inputs that stand for every one there can be."""
    ours, theirs = lay_out(rule), lay_out(mutant)
    if ours.refs != theirs.refs or ours.flags or theirs.flags or len(ours.held) != len(theirs.held):
        return ""
    if any(one.duration != other.duration for one, other in zip(ours.held, theirs.held, strict=True)):
        return ""
    pairs = list(zip(ours.conditions(), theirs.conditions(), strict=True))
    choices: list[list[Value]] = []
    for place, ref in enumerate(ours.refs):
        limits = _limits([one for pair in pairs for one in pair], place)
        values = None if limits is None else _values(ref, catalogue.specs[ref.signal], limits)
        if not values:
            return ""
        choices.append([*values, Unknown(("stale",))])
    if math.prod(len(one) for one in choices) > MOST_COMBINATIONS:
        return ""
    held: list[list[Value]] = [[True, False, Unknown(("stale",))] for _ in ours.held]
    if not all(_agree(one, other, choices, held) for one, other in pairs):
        return ""
    named = ", ".join(dict.fromkeys(ref.signal for ref in ours.refs))
    return f"within the range that the catalogue gives {named}, no value and no doubt makes a difference"


def _agree(one: Condition, other: Condition, choices: list[list[Value]], held: list[list[Value]]) -> bool:
    first, second = Evaluator(one, {}), Evaluator(other, {})
    for inputs in itertools.product(*choices):
        for holds in itertools.product(*held):
            left, right = first.value(inputs, holds), second.value(inputs, holds)
            if kleene.truth_of(left) is not kleene.truth_of(right):
                return False
    return True


def _limits(conditions: list[Condition], place: int) -> list[float] | None:
    """Return the numbers that the input at `place` is compared with; None where it is used in any other way."""
    found: list[float] = []
    for condition in conditions:
        names = {name for name, where in condition.inputs.items() if where == place}
        uses = sum(isinstance(node, ast.Name) and node.id in names for node in ast.walk(condition.expression.tree))
        for node in ast.walk(condition.expression.tree):
            if not isinstance(node, ast.Compare):
                continue
            sides = [node.left, *node.comparators]
            for side, other in ((sides[0], sides[1]), (sides[1], sides[0])):
                if isinstance(side, ast.Name) and side.id in names and kleene.fixed(other, frozenset()):
                    bound = fold(other, {})
                    uses -= 1
                    if isinstance(bound, float):
                        found.append(bound)
        if uses:
            return None
    return found


def _values(ref: InputRef, spec: SignalSpec, limits: list[float]) -> list[Value]:
    """Return values that stand for all that an input can have while it is known, given what it is compared with.

    Between two limits, and their slack of one part in 10^9, nothing changes: one value of each
    stretch, and each of its ends, is enough.
    """
    if ref.reads in ("absent", "fresh") or ref.reads == "value" and spec.unit is Unit.BOOL:
        return [True, False]
    if ref.reads != "value":
        return []
    if spec.unit is Unit.ENUM:
        return list(spec.values)
    edges = {spec.low, spec.high}
    for limit in limits:
        slack = kleene.slack(limit)
        for edge in (limit - slack, limit, limit + slack):
            edges |= {math.nextafter(edge, -math.inf), edge, math.nextafter(edge, math.inf)}
    inside = sorted(edge for edge in edges if spec.low <= edge <= spec.high)
    between = [low + (high - low) / 2 for low, high in itertools.pairwise(inside)]
    return [*inside, *between]


def _same_doubt(rule: RuleSpec, mutant: RuleSpec) -> str:
    """Show that two rules which differ only in what lasting doubt does never meet lasting doubt."""
    differ = {rule.on_unknown, mutant.on_unknown}
    if differ - {OnUnknown.RESTRICT, OnUnknown.HOLD}:
        return ""
    level = replace(_but_conditions(rule), on_unknown=OnUnknown.RESTRICT, unknown_grace=0)
    if level != replace(_but_conditions(mutant), on_unknown=OnUnknown.RESTRICT, unknown_grace=0):
        return ""
    if rule.clear_expr is not None and mutant.clear_expr is not None and _text(rule.clear_expr) != _text(
        mutant.clear_expr
    ):
        return ""
    if rule.by and not _one_source(rule):
        return ""
    conditions = [one for one in (rule.expr, rule.clear_expr) if one is not None]
    for condition in conditions:
        if condition.held or any(isinstance(node, ast.BinOp) for node in ast.walk(condition.tree)):
            return ""
    refs = inputs_of(*conditions)
    if not refs or any(ref.reads not in _ALWAYS_KNOWN for ref in refs):
        return ""
    names = ", ".join(dict.fromkeys(f"{ref.reads}({ref.signal})" for ref in refs))
    return f"{names} is never in doubt again once known, so no grace ever runs; before that, doubt holds at once"


def _one_source(rule: RuleSpec) -> bool:
    """Whether one signal alone makes the instances and is all that is read, so that all inputs are known together."""
    return len({(ref.signal, ref.labels) for ref in inputs_of(rule.expr, rule.clear_expr)}) == 1

