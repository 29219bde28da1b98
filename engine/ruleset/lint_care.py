"""What a rule asks of people: a reason for doing less, and no waking without need."""

from __future__ import annotations

from engine.model.restraints import Level
from engine.ruleset.diagnostics import Severity
from engine.ruleset.linting import Linted
from engine.ruleset.spec import OnUnknown, RuleKind


def lint_care(rule: Linted) -> None:
    """Say where a rule takes less care than it should."""
    spec = rule.spec
    if spec.on_unknown is not OnUnknown.RESTRICT:
        rule.say(
            "on_unknown", "lint-on-unknown",
            f"in doubt this rule does less than restrain ({spec.on_unknown.value})",
            "write restrict unless the reason still holds",
        )
    if spec.notify is not None and spec.notify.to == "page" and spec.action is None and not _stops(rule):
        at = rule.node.get("notify")
        to = at.get("to") if at is not None else None
        if to is not None:
            rule.findings.append(to.finding(
                "lint-page-without-need",
                f"a {spec.kind.value} that neither stops trading nor acts can wait until somebody is awake",
                "write `to: alert` or `to: digest`", severity=Severity.WARNING,
            ))


def _stops(rule: Linted) -> bool:
    return rule.spec.kind in (RuleKind.KILL, RuleKind.GUARD) or rule.spec.restrain.level > Level.NORMAL
