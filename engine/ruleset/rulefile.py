"""One rule file, read by itself: all that can be said of it without looking at any other file.

What comes out depends on the bytes, the catalogue, the flags and the runbook's headings, and
on nothing else, so that it can be kept for as long as those stay the same.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from engine.model.codec import Data
from engine.ruleset.binding import World
from engine.ruleset.deciding import deciding
from engine.ruleset.diagnostics import Finding, has_errors
from engine.ruleset.lint import lint_rule
from engine.ruleset.lint_same import Question
from engine.ruleset.nodes import Node
from engine.ruleset.parse import Parsed, parse_file
from engine.ruleset.schema import check_schema, shipped_schema
from engine.ruleset.silences import Hush, hushes
from engine.ruleset.source import read_yaml

SCHEMA = "rules.schema.json"
_ACROSS = ("id", "formerly", "expr", "allow_expr", "enforcement", "enabled", "on_unknown")


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleFile:
    """What one file holds. `said` is what its rules decide; empty where an error makes that unknown.

    `asked` are the rules that could be read, with what each asks.
    """

    name: str
    parsed: tuple[Parsed, ...] = ()
    findings: tuple[Finding, ...] = ()
    asked: tuple[tuple[Parsed, Question], ...] = ()
    hushes: tuple[Hush, ...] = ()
    said: tuple[dict[str, Data], ...] = ()


def read_rule_file(name: str, text: bytes, world: World) -> RuleFile:
    """Return what `text`, called `name` in findings, holds. Never raises for bad content."""
    root, findings = read_yaml(text, name)
    if root is None:
        return RuleFile(name=name, findings=tuple(findings))
    check_schema(root, shipped_schema(SCHEMA), findings)
    parsed = parse_file(root, world, findings)
    asked = [(one, lint_rule(one, world, findings)) for one in parsed]
    said = () if has_errors(findings) else tuple(deciding(one.node) for one in parsed)
    kept = [(replace(one, node=_pruned(one.node)), question) for one, question in asked]
    return RuleFile(
        name=name, parsed=tuple(one for one, _ in kept), findings=tuple(findings), said=said,
        asked=tuple((one, question) for one, question in kept if question is not None),
        hushes=hushes([one.node for one in parsed]),
    )


def _pruned(node: Node) -> Node:
    """Return a rule's node with only those keys that checks across files look at: the rest may be forgotten."""
    return replace(node, entries={key: node.entries[key] for key in _ACROSS if key in node.entries})
