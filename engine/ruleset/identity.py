"""Ids across files: one is taken for good, by one rule, and by none that was called so before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from engine.ruleset.diagnostics import Finding
from engine.ruleset.nodes import Node
from engine.ruleset.parse import Parsed


def check_ids(parsed: Sequence[Parsed], findings: list[Finding]) -> None:
    """Add a finding for each id that is used twice, in whatever case, and for each old name that is not free."""
    taken: dict[str, Node] = {}
    for one in sorted(parsed, key=lambda rule: rule.node.place):
        at = one.node.get("id")
        if at is None or not one.rule_id:
            continue
        folded = one.rule_id.lower()
        first = taken.setdefault(folded, at)
        if first is not at:
            findings.append(at.finding(
                "rule-duplicate-id", f"the id {one.rule_id} is taken, in {first.place}",
                "give one of the two another id",
            ))
    _check_former(parsed, taken, findings)


def _check_former(parsed: Sequence[Parsed], taken: Mapping[str, Node], findings: list[Finding]) -> None:
    former: dict[str, Node] = {}
    for one in parsed:
        formerly = one.node.get("formerly")
        for item in formerly.items if formerly is not None else ():
            if item.text.lower() in taken:
                findings.append(item.finding(
                    "rule-duplicate-id", f"{item.text} is still the id of a rule, in {taken[item.text.lower()].place}",
                    "remove it here, or rename that rule",
                ))
            elif former.setdefault(item.text.lower(), item) is not item:
                findings.append(item.finding(
                    "rule-duplicate-id", f"two rules were formerly {item.text}",
                    "keep it with the one that takes its latches",
                ))
