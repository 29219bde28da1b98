"""Whether a condition rests on enough: counted events, no luck with equality, more than one sample, a gap to clear."""

from __future__ import annotations

import ast

from engine.model.flags import FlagKind
from engine.model.samples import InputRef, SignalKind, Unit
from engine.model.time import format_duration
from engine.ruleset.linting import Linted
from engine.ruleset.reading import inputs_of
from engine.ruleset.regions import Box, Region
from engine.ruleset.spec import RESTRAINING, Expression, Latching

_EVIDENCE = ("avg_over", "min_over", "max_over", "quantile_over")
_COUNTED = (Unit.COUNT, Unit.ENUM, Unit.BOOL)


def lint_evidence(rule: Linted, holds: Region | None) -> None:
    """Say what rests on too little; `holds` is where the condition holds, None where that is too much to know."""
    _lint_count(rule, holds)
    _lint_equality(rule, rule.spec.expr, rule.key)
    if rule.spec.clear_expr is not None:
        _lint_equality(rule, rule.spec.clear_expr, "clear_expr")
    _lint_times(rule)
    _lint_noise(rule)


def _lint_count(rule: Linted, holds: Region | None) -> None:
    inputs = inputs_of(rule.spec.expr)
    for ref in inputs:
        if ref.reads not in _EVIDENCE or rule.world.catalogue.specs[ref.signal].kind is not SignalKind.EVENT:
            continue
        counts = {
            repr(one) for one in inputs
            if one.reads == "count_over" and (one.signal, one.labels) == (ref.signal, ref.labels)
        }
        if counts and (holds is None or all(_counted(box, repr(ref), counts) for box in holds)):
            continue
        labels = "".join(f', {name}="{value}"' for name, value in ref.labels)
        rule.say(
            rule.key, "lint-evidence", f"{ref.reads}({ref.signal}) of one sample would be enough",
            f'begin with count_over({ref.signal}, "{format_duration(ref.window)}"{labels}) >= N and',
        )
        return


def _counted(box: Box, evidence: str, counts: set[str]) -> bool:
    """Whether a way to hold that rests on `evidence` also asks for a least count."""
    if not any(evidence in measure for measure in box):
        return True
    return any(count in measure and span.low > 0 for count in counts for measure, span in box.items())


def _lint_equality(rule: Linted, expression: Expression, key: str) -> None:
    for node in ast.walk(expression.tree):
        if not isinstance(node, ast.Compare) or not isinstance(node.ops[0], ast.Eq | ast.NotEq):
            continue
        if any(_measured(rule, side, expression) for side in (node.left, node.comparators[0])):
            rule.say(
                key, "lint-equality", "a measured number is hardly ever equal to a limit",
                "compare with < <= > or >=", part=node,
            )


def _measured(rule: Linted, node: ast.expr, expression: Expression) -> bool:
    """Whether `node` reads a number that is measured and not counted."""
    for name in (one.id for one in ast.walk(node) if isinstance(one, ast.Name)):
        ref: InputRef | None = expression.inputs[int(name[1:])] if name[:1] == "i" and name[1:].isdigit() else None
        if ref is None or ref.reads in ("count_over", "absent", "fresh"):
            continue
        spec = rule.world.catalogue.specs[ref.signal]
        averaged = ref.reads in ("avg_over", "quantile_over", "rate_over", "age")
        if averaged or spec.kind in (SignalKind.GAUGE, SignalKind.EVENT) and spec.unit not in _COUNTED:
            return True
    return False


def _lint_times(rule: Linted) -> None:
    spec, specs = rule.spec, rule.world.catalogue.specs
    sampled = [specs[ref.signal] for ref in inputs_of(spec.expr) if ref.reads == "value"]
    slowest = max(sampled, key=lambda signal: signal.period, default=None)
    wait = spec.hold_for
    if isinstance(wait, str):
        flag = rule.world.flags.get(wait)
        wait = round(float(flag.default) * spec.hold_for_unit) if flag is not None and flag.kind is FlagKind.NUMBER \
            else 0
    if slowest is not None and 0 < wait < 2 * slowest.period:
        rule.say(
            "for", "lint-for-short",
            f"{format_duration(wait)} is less than two periods of {slowest.name} ({format_duration(slowest.period)}):"
            " one sample may be all there is",
            f"write at least {format_duration(2 * slowest.period)}, or leave `for` out",
        )


def _lint_noise(rule: Linted) -> None:
    spec = rule.spec
    if spec.kind not in RESTRAINING or spec.latch is not Latching.NONE:
        return
    if spec.clear_expr is not None or spec.keep_firing_for or spec.cooldown or spec.ttl:
        return
    for ref in inputs_of(spec.expr):
        signal = rule.world.catalogue.specs[ref.signal]
        if ref.reads == "value" and signal.kind is SignalKind.GAUGE and signal.unit not in _COUNTED:
            rule.say(
                rule.key, "lint-no-clear",
                f"{ref.signal} is noisy, and the rule clears at the very limit at which it fires",
                "add `clear_expr` with a limit further off, or `keep_firing_for`",
            )
            return
