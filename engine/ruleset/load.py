"""All rule files of a run to one rule set, or to everything that is wrong with them.

Reading files is the caller's business: what comes in is their bytes, what goes out is
the set or None, and findings. Nothing here raises for anything a file may hold.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.model.codec import Data, canonical
from engine.model.flags import FlagSpec
from engine.ruleset.binding import World
from engine.ruleset.diagnostics import Finding, has_errors, settle
from engine.ruleset.lint import lint
from engine.ruleset.nodes import Node
from engine.ruleset.parse import Parsed, parse_file
from engine.ruleset.schema import check_schema, shipped_schema
from engine.ruleset.source import read_yaml
from engine.ruleset.spec import RuleSet
from engine.signals.catalogue import Catalogue

SCHEMA = "rules.schema.json"
_EXPRESSIONS = ("expr", "clear_expr", "allow_expr")
_NOT_DECIDING = ("tests",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What became of rule files: `rules` is None when any finding is an error."""

    rules: RuleSet | None
    findings: tuple[Finding, ...]


def load_rules(
    files: Mapping[str, bytes], catalogue: Catalogue, flags: Mapping[str, FlagSpec], *,
    anchors: frozenset[str] | None = None, schema: Mapping[str, Any] | None = None,
) -> Loaded:
    """Return the rules of `files` (name -> bytes), whatever their order.

    `anchors` are the headings of the runbook (`usdt-wobbly`), None where they cannot be
    checked; `schema` is another than the shipped one. Never raises for bad content.
    """
    world = World(catalogue=catalogue, flags=flags, anchors=anchors)
    wanted = shipped_schema(SCHEMA) if schema is None else schema
    findings: list[Finding] = []
    parsed: list[Parsed] = []
    for file in sorted(files):
        root, found = read_yaml(files[file], file)
        findings.extend(found)
        if root is not None:
            check_schema(root, wanted, findings)
            parsed.extend(parse_file(root, world, findings))
    _check_ids(parsed, findings)
    specs = sorted((one.spec for one in parsed if one.spec is not None), key=lambda spec: spec.id)
    lint(parsed, world, findings)
    settled = settle(findings)
    if has_errors(settled):
        return Loaded(rules=None, findings=settled)
    digest = hashlib.sha256(canonical(sorted((_deciding(one) for one in parsed), key=lambda rule: str(rule["id"]))))
    rules = RuleSet(rules=tuple(specs), digest=digest.hexdigest(), files=tuple(sorted(files)))
    return Loaded(rules=rules, findings=settled)


def _check_ids(parsed: list[Parsed], findings: list[Finding]) -> None:
    """An id is taken for good: by one rule, and by none that was called so before."""
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


def _check_former(parsed: list[Parsed], taken: Mapping[str, Node], findings: list[Finding]) -> None:
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


def _deciding(one: Parsed) -> dict[str, Data]:
    """Return what a rule says, spelled one way: neither layout nor file nor tests, which decide nothing."""
    said = one.node.plain()
    data: dict[str, Data] = {key: _numbers(value) for key, value in said.items() if key not in _NOT_DECIDING}
    for key in _EXPRESSIONS:
        if isinstance(data.get(key), str):
            data[key] = _respelled(str(data[key]))
    return data


def _respelled(text: str) -> str:
    """Return an expression that was accepted in its one spelling: layout and quotes gone, numbers as floats."""
    tree = ast.parse(f"({text}\n)", mode="eval").body
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, int):
            node.value = float(node.value)
    return ast.unparse(tree)


def _numbers(value: Data) -> Data:
    """Return `value` with every number as a float: 1 and 1.0 say the same."""
    if isinstance(value, dict):
        return {key: _numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_numbers(item) for item in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


