"""Rules that ask what another rule asks already: the very same question, or one that is answered with it.

Rules are compared only with those that could be meant: of one kind, with the same labels,
effect, times and doubt, and about measures of which this one reads all. So a thousand rules
cost about a thousand comparisons, and a set that was made to cost more costs a bounded few.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from engine.ruleset.diagnostics import Finding, Severity
from engine.ruleset.parse import Parsed
from engine.ruleset.regions import Box, Region
from engine.ruleset.spec import RuleKind, RuleSpec

MOST_COMPARED = 32
"""Rules about the very same measures that one rule is compared with; the nearest in the order of their ids."""
MOST_MEASURES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a rule asks, in a form that can be compared."""

    spelled: str
    """The condition in its one spelling."""
    manner: str
    """Everything but the condition that decides what the rule does."""
    holds: Region | None
    """Where the condition holds, None where that is too much to know."""


def question_of(spec: RuleSpec, holds: Region | None) -> Question:
    """Return what the rule `spec`, whose condition holds in the region `holds`, asks."""
    inputs = "|".join(repr(ref) for ref in spec.expr.inputs)
    held = "|".join(f"{one.condition.text}/{one.duration}" for one in spec.expr.held)
    clear = "" if spec.clear_expr is None else f"{ast.unparse(spec.clear_expr.tree)} {spec.clear_expr.inputs}"
    manner = (
        spec.kind, spec.by, spec.scope_all, spec.enforcement, spec.enabled, spec.restrain, spec.latch, spec.ttl,
        spec.ttl_unit, clear, spec.hold_for, spec.hold_for_unit, spec.keep_firing_for, spec.keep_firing_for_unit,
        spec.cooldown, spec.cooldown_unit, spec.on_unknown, spec.unknown_cutback, spec.action, spec.by_flag,
        "" if spec.notify is None else spec.notify.to, sorted(spec.expr.flags),
    )
    gate = spec.kind is RuleKind.MAKER_GATE
    return Question(
        spelled=f"{gate} {ast.unparse(spec.expr.tree)} {inputs} {held} {spec.by}", manner=repr(manner), holds=holds,
    )


def lint_same(asked: Sequence[tuple[Parsed, Question]], findings: list[Finding]) -> None:
    """Add a finding for each rule that asks what another one asks; `asked` is in the order of the ids."""
    first: dict[str, RuleSpec] = {}
    rest: list[tuple[Parsed, Question]] = []
    for one, question in asked:
        if one.spec is None:
            continue
        same = first.setdefault(question.spelled, one.spec)
        if same is one.spec:
            rest.append((one, question))
            continue
        if same.id == one.spec.id:
            continue
        _say(
            one, findings, "lint-duplicate-expression", f"{same.id} asks the same, in {same.place}",
            "let one rule do both, or silence this and say why there are two",
        )
    _lint_subsumed(rest, findings)


def _lint_subsumed(asked: Sequence[tuple[Parsed, Question]], findings: list[Finding]) -> None:
    groups: dict[tuple[str, frozenset[str]], list[tuple[Parsed, Question]]] = {}
    for one, question in asked:
        for measures in {frozenset(box) for box in question.holds or ()}:
            groups.setdefault((question.manner, measures), []).append((one, question))
    for one, question in asked:
        wider = next((other for other in _wider(one, question, groups)), None)
        if wider is not None and one.spec is not None:
            told = " with the flags' defaults" if one.spec.expr.flags else ""
            _say(
                one, findings, "lint-subsumed",
                f"{wider.id}, in {wider.place}, does the same and holds whenever this does{told}",
                "remove this one, or let it restrain more",
            )


def _wider(
    one: Parsed, question: Question, groups: dict[tuple[str, frozenset[str]], list[tuple[Parsed, Question]]]
) -> Iterator[RuleSpec]:
    """Yield rules of `groups` that hold whenever `one` does and differ from it."""
    if not question.holds:
        return
    measures = sorted(question.holds[0])
    if len(measures) > MOST_MEASURES:
        return
    for count in range(1, len(measures) + 1):
        for some in combinations(measures, count):
            group = groups.get((question.manner, frozenset(some)), ())
            for other, theirs in _near(one, group):
                # Of two that imply each other the later one is said to be too many.
                if other.spec is not None and _within(question.holds, theirs.holds) and (
                    other.rule_id < one.rule_id or not _within(theirs.holds, question.holds)
                ):
                    yield other.spec


def _near(one: Parsed, group: Sequence[tuple[Parsed, Question]]) -> Iterator[tuple[Parsed, Question]]:
    here = next((index for index, (other, _) in enumerate(group) if other is one), 0) if len(group) > MOST_COMPARED \
        else 0
    begin = max(0, here - MOST_COMPARED // 2)
    for other, question in group[begin:begin + MOST_COMPARED]:
        # Two rules with one id are one mistake, and it is told elsewhere.
        if other.rule_id != one.rule_id:
            yield other, question


def _within(narrow: Region | None, wide: Region | None) -> bool:
    """Whether every box of `narrow` lies in one box of `wide`: then `wide` holds wherever `narrow` does."""
    if not narrow or not wide:
        return False
    return all(any(_inside(box, outer) for outer in wide) for box in narrow)


def _inside(box: Box, outer: Box) -> bool:
    return all(measure in box and box[measure].meet(span) == box[measure] for measure, span in outer.items())


def _say(one: Parsed, findings: list[Finding], code: str, message: str, fix: str) -> None:
    at = one.node.get("allow_expr") or one.node.get("expr")
    if at is not None:
        findings.append(at.finding(code, message, fix, severity=Severity.WARNING))
