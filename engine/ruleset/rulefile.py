"""One rule file, read by itself: all that can be said of it without looking at any other file.

What comes out depends on the bytes, the catalogue, the flags and the runbook's headings, and
on nothing else, so that it can be kept for as long as those stay the same.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.model.codec import Data
from engine.ruleset.binding import World
from engine.ruleset.deciding import deciding
from engine.ruleset.diagnostics import Finding, has_errors
from engine.ruleset.lint import lint_rule
from engine.ruleset.lint_same import Question
from engine.ruleset.parse import Parsed, parse_file
from engine.ruleset.schema import check_schema, shipped_schema
from engine.ruleset.silences import Hush, hushes
from engine.ruleset.source import read_yaml

SCHEMA = "rules.schema.json"


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
    asked = []
    for one in parsed:
        question = lint_rule(one, world, findings)
        if question is not None:
            asked.append((one, question))
    said = () if has_errors(findings) else tuple(deciding(one.node) for one in parsed)
    return RuleFile(
        name=name, parsed=tuple(parsed), findings=tuple(findings), asked=tuple(asked), said=said,
        hushes=hushes([one.node for one in parsed]),
    )
