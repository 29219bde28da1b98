"""What is allowed and probably not meant: each rule by itself, then all of a set together.

`lints.py` lists every lint there is. One is a warning, unless it is certain to lose protection.
"""

from __future__ import annotations

from collections.abc import Sequence

from engine.ruleset.binding import World
from engine.ruleset.diagnostics import Finding, Severity
from engine.ruleset.lint_care import lint_care
from engine.ruleset.lint_evidence import lint_evidence
from engine.ruleset.lint_limits import lint_limits
from engine.ruleset.lint_same import Question, lint_same, question_of
from engine.ruleset.linting import Linted
from engine.ruleset.parse import Parsed
from engine.ruleset.spec import RESTRAINING, Enforcement, OnUnknown, RuleKind


def lint_rule(parsed: Parsed, world: World, findings: list[Finding]) -> Question | None:
    """Add the lints of one rule; return what it asks, or None where it could not be read."""
    spec = parsed.spec
    if spec is None:
        return None
    rule = Linted(spec=spec, node=parsed.node, world=world, findings=findings)
    holds = lint_limits(rule)
    lint_evidence(rule, holds)
    lint_care(rule)
    return question_of(spec, holds)


def lint_set(asked: Sequence[tuple[Parsed, Question]], findings: list[Finding]) -> None:
    """Add the lints of all rules that could be read, together with what each asks."""
    ordered = sorted(asked, key=lambda one: one[0].rule_id)
    lint_same(ordered, findings)
    _lint_in_force([one for one, _ in ordered], findings)


def _lint_in_force(parsed: Sequence[Parsed], findings: list[Finding]) -> None:
    """Refuse a set that was made to restrain and restrains nothing."""
    guarding = [
        one for one in parsed
        if one.spec is not None and (one.spec.kind in RESTRAINING or one.spec.kind is RuleKind.ENTRY)
    ]
    # One rule alone may be tried out in shadow; of several, one must guard.
    if len(guarding) < 2:
        return
    first = guarding[0].node
    specs = [one.spec for one in guarding if one.spec is not None]
    if all(spec.enforcement is not Enforcement.ENFORCE or spec.enabled is False for spec in specs):
        findings.append(first.key("enforcement" if "enforcement" in first.entries else "enabled").finding(
            "lint-none-in-force", "no rule that restrains or refuses is in force",
            "enforce one, or remove what is no longer used", severity=Severity.ERROR,
        ))
    elif all(spec.on_unknown is OnUnknown.IGNORE for spec in specs):
        findings.append(first.key("on_unknown").finding(
            "lint-none-in-force", "every rule of the set ignores doubt, so silence ends all protection",
            "write `on_unknown: restrict` in the rules that guard the account", severity=Severity.ERROR,
        ))
