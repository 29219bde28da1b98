"""Conditions that cannot hold or cannot fail, and clearing that cannot come: found from the ranges of what is read."""

from __future__ import annotations

import ast

from engine.model.samples import SignalKind
from engine.ruleset.diagnostics import Severity
from engine.ruleset.linting import Linted
from engine.ruleset.regions import Region, Space, both
from engine.ruleset.spec import RESTRAINING, Expression, RuleKind


def lint_limits(rule: Linted) -> Region | None:
    """Say what is certain about the limits of `rule`; return where its condition holds, None where that is too much."""
    spec, world = rule.spec, rule.world
    space = Space(spec.expr, world.catalogue, world.flags)
    holds, fails = space.region(spec.expr.tree), space.region(spec.expr.tree, holds=False)
    if holds == ():
        _never(rule)
    elif fails == ():
        _always(rule)
    else:
        _lint_parts(rule, spec.expr, rule.key, space)
        _lint_return(rule, holds, fails)
    if spec.clear_expr is not None:
        clear_space = Space(spec.clear_expr, world.catalogue, world.flags)
        _lint_parts(rule, spec.clear_expr, "clear_expr", clear_space)
        _lint_clear(rule, holds, fails, clear_space.region(spec.clear_expr.tree))
    return holds


def _never(rule: Linted) -> None:
    spec = rule.spec
    defaults = " with the flags' defaults" if spec.expr.flags else ""
    if spec.kind is RuleKind.MAKER_GATE:
        rule.say(
            rule.key, "lint-gate-cannot-pass", f"this can never hold{defaults}, so the rule never grants",
            "compare with a limit that the evidence can reach",
            severity=Severity.WARNING if spec.expr.flags else Severity.ERROR,
        )
        return
    protects = spec.kind in RESTRAINING or spec.kind is RuleKind.ENTRY
    does = "tells anything" if spec.kind is RuleKind.WATCH else "fires"
    rule.say(
        rule.key, "lint-never-fires", f"this can never hold{defaults}, so the rule never {does}",
        "compare with a limit that the signal can pass",
        severity=Severity.ERROR if protects and not spec.expr.flags else Severity.WARNING,
    )


def _always(rule: Linted) -> None:
    spec = rule.spec
    if spec.kind is RuleKind.MAKER_GATE:
        rule.say(
            rule.key, "lint-gate-cannot-fail", "this always holds, so it always grants",
            "compare with a limit that the evidence can miss",
            severity=Severity.WARNING if spec.expr.flags else Severity.ERROR,
        )
        return
    code = "lint-always-true" if spec.expr.inputs or spec.expr.held else "lint-constant"
    rule.say(
        rule.key, code, "this always holds", "compare with a limit that can be on either side of the signal",
    )


def _lint_parts(rule: Linted, expression: Expression, key: str, space: Space) -> None:
    """Find single comparisons in a larger condition that are decided whatever is measured."""
    if not isinstance(expression.tree, ast.BoolOp | ast.UnaryOp):
        return
    for part in ast.walk(expression.tree):
        if isinstance(part, ast.Compare):
            never, always = space.region(part) == (), space.region(part, holds=False) == ()
            if never or always:
                rule.say(
                    key, "lint-threshold-range",
                    f"this part {'never' if never else 'always'} holds: the limit is outside what can be measured",
                    "compare with a limit inside the range of the catalogue", part=part,
                )


def _lint_return(rule: Linted, holds: Region | None, fails: Region | None) -> None:
    """Find conditions that cannot become false again, because a counter never falls back."""
    spec = rule.spec
    if holds is None or fails is None or spec.clear_expr is not None or spec.kind is RuleKind.ENTRY:
        return
    counters = {
        repr(ref) for ref in spec.expr.inputs
        if ref.reads == "value" and rule.world.catalogue.specs[ref.signal].kind is SignalKind.COUNTER
    }
    if counters and all(
        any(name in after and name in before and after[name].high <= before[name].low for name in counters)
        for before in holds for after in fails
    ):
        rule.say(
            rule.key, "lint-never-clears", "a counter only rises, so once this holds it holds for good",
            'ask for its growth: increase_over(counter, "5m")',
        )


def _lint_clear(rule: Linted, holds: Region | None, fails: Region | None, clears: Region | None) -> None:
    if holds is None or fails is None or clears is None:
        return
    if not both(fails, clears):
        rule.say(
            "clear_expr", "lint-never-clears", "this never holds while `expr` does not, so the rule never clears",
            "let it hold on the far side of the limit of `expr`",
        )
    elif any(box.keys() == left.keys() for left in holds for right in clears for box in both((left,), (right,))
             if left.keys() == right.keys()):
        rule.say(
            "clear_expr", "lint-clear-overlap", "`expr` and `clear_expr` can hold at once; then `expr` wins",
            "leave a gap between the two limits",
        )
