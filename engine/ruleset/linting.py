"""What a lint of one rule is given, and how it says what it finds."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from engine.ruleset.allowlist import offset_of
from engine.ruleset.binding import World
from engine.ruleset.diagnostics import Finding, Severity
from engine.ruleset.nodes import Node
from engine.ruleset.spec import RuleKind, RuleSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Linted:
    """A rule that could be read, the node it was read from, and where findings go."""

    spec: RuleSpec
    node: Node
    world: World
    findings: list[Finding]

    @property
    def key(self) -> str:
        """The key of the rule's condition."""
        return "allow_expr" if self.spec.kind is RuleKind.MAKER_GATE else "expr"

    def say(self, key: str, *words: str, part: ast.expr | None = None, severity: Severity = Severity.WARNING) -> None:
        """Add a finding at the value of `key`, else at the rule's id; `words` are its code, message and fix."""
        code, message, fix = words
        at = self.node.get(key)
        if at is None:
            self.findings.append(self.node.key("id").finding(code, message, fix, severity=severity))
            return
        offset = offset_of(at.text, part) if part is not None else None
        self.findings.append(at.finding(code, message, fix, severity=severity, offset=offset))
