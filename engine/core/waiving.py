"""Which rule an operator means to waive, and whether it may be."""

from __future__ import annotations

from engine.core.state import State
from engine.model.overrides import ALL, Term, Waiver
from engine.policy.overrides import is_protected
from engine.ruleset.latches import instance_name
from engine.ruleset.spec import RuleKind, RuleSpec
from engine.ruleset.suggest import fix_for

_NOT_LIFTED = {
    RuleKind.MAKER_GATE: "a maker gate grants and forbids nothing, so there is nothing to lift",
    RuleKind.WATCH: "a watch rule only tells, so there is nothing to lift",
}


def find_waived(state: State, asked: str, term: Term) -> Waiver | str:
    """Return the waiver of `asked` (RULE, RULE/INSTANCE or an instance's name), or why there can be none."""
    rule, labels = split(asked)
    spec = next((one for one in state.ruling.rules.rules if rule == one.id or rule in one.formerly), None)
    if spec is not None:
        rule = spec.id
    if is_protected(rule):
        what = "stops, and orders whose fate is unknown, are guarded whatever anybody waives"
        return f"{rule} cannot be waived: {what}; `engine status` says what ends it"
    latches = [one for one in state.book.latches() if one.rule == rule]
    if spec is None and not latches:
        known = {*(one.id for one in state.ruling.rules.rules), *(one.rule for one in state.book.latches())}
        if rule.startswith("operator:") or rule in ("floor", "denylist"):
            return f"{rule} is no rule; `engine status` says what ends it"
        return f"there is no rule {rule}: {fix_for(rule, known)}"
    if spec is not None and spec.kind in _NOT_LIFTED:
        return f"{rule}: {_NOT_LIFTED[spec.kind]}"
    if labels is None:
        return Waiver(rule=rule, instance="", kill=_is_kill(spec), term=term)
    wrong = _wrong_labels(spec, rule, labels)
    return wrong or Waiver(rule=rule, instance=instance_name(rule, labels), kill=_is_kill(spec), term=term)


def find_waivers(state: State, asked: str) -> list[Waiver]:
    """Return the waivers in force that `asked` names: one, or with `--all` every one."""
    waivers = state.overrides.waivers
    if asked == ALL:
        return [one for _, one in sorted(waivers.items())]
    rule, labels = split(asked)
    spec = next((one for one in state.ruling.rules.rules if rule in one.formerly), None)
    rule = rule if spec is None else spec.id
    found = waivers.get(rule if labels is None else instance_name(rule, labels))
    return [] if found is None else [found]


def unwaiving(name: str) -> str:
    """Return the command that ends the waiver `name`, without brackets: a shell would take them for a pattern."""
    rule, labels = split(name)
    return f"engine unwaive {rule}" + ("" if labels is None else f"/{','.join(labels)}")


def split(asked: str) -> tuple[str, tuple[str, ...] | None]:
    """Return the rule that `asked` names and the labels of its instance, None for all of it."""
    asked = asked.strip()
    rule, bracket, rest = asked.partition("[")
    if bracket and rest.endswith("]") and "/" not in rule:
        return rule, tuple(rest[:-1].split(","))
    rule, slash, rest = asked.partition("/")
    return rule, tuple(rest.split(",")) if slash else None


def _is_kill(spec: RuleSpec | None) -> bool:
    # What a rule was that is gone nobody knows: it is taken for the worst.
    return spec is None or spec.kind is RuleKind.KILL


def _wrong_labels(spec: RuleSpec | None, rule: str, labels: tuple[str, ...]) -> str:
    by = () if spec is None else spec.by
    if spec is None or (len(labels) == len(by) and all(labels)):
        return ""
    if not by:
        return f"{rule} has no instances: waive {rule}"
    return f"an instance of {rule} is told by {','.join(by)}: waive {rule}/{','.join(name.upper() for name in by)}"
