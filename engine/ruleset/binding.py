"""What an expression is bound against, and what it turned out to read."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from engine.model.flags import FlagSpec
from engine.model.samples import InputRef, SignalSpec
from engine.ruleset.allowlist import offset_of
from engine.ruleset.diagnostics import Finding, Severity
from engine.ruleset.nodes import Node
from engine.ruleset.spec import HeldRef, RuleKind
from engine.ruleset.suggest import fix_for, nearest
from engine.signals.catalogue import Catalogue

ORDER_LABELS = ("account", "venue", "symbol", "intent")
"""What an order itself binds, in entry rules."""


class Role(StrEnum):
    """Which question an expression answers: the key it stands under."""

    EXPR = "expr"
    CLEAR = "clear_expr"
    ALLOW = "allow_expr"


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What rules may speak of. `anchors` are the headings of the runbook, None where there is none to check."""

    catalogue: Catalogue
    flags: Mapping[str, FlagSpec]
    anchors: frozenset[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Whose expression it is: what may be read and which labels are bound."""

    kind: RuleKind
    role: Role
    by: tuple[str, ...] = ()

    @property
    def bound(self) -> tuple[str, ...]:
        """The labels whose values are known where the expression is evaluated."""
        return ORDER_LABELS if self.kind is RuleKind.ENTRY else self.by


@dataclass(slots=True, kw_only=True)
class Bound:
    """What binding has found so far. Inputs, held conditions and flags in the order of their first use."""

    node: Node
    world: World
    setting: Setting
    findings: list[Finding]
    inputs: list[InputRef] = field(default_factory=list)
    held: list[HeldRef] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The expression as it was written."""
        return self.node.text

    def say(
        self, at: ast.expr | ast.keyword, code: str, message: str, fix: str, *, severity: Severity = Severity.ERROR
    ) -> None:
        """Add a finding at a part of the expression."""
        offset = offset_of(self.text, at)
        self.findings.append(self.node.finding(code, message, fix, severity=severity, offset=offset))

    def read(self, at: ast.expr, ref: InputRef) -> ast.expr:
        """Return the name under which the tree reads `ref`."""
        if ref not in self.inputs:
            self.inputs.append(ref)
        return ast.copy_location(ast.Name(id=f"i{self.inputs.index(ref)}", ctx=ast.Load()), at)

    def hold(self, at: ast.expr, ref: HeldRef) -> ast.expr:
        """Return the name of a held condition."""
        self.held.append(ref)
        return ast.copy_location(ast.Name(id=f"h{len(self.held) - 1}", ctx=ast.Load()), at)

    def flag(self, at: ast.Name) -> FlagSpec | None:
        """Return the flag that `at` names, or None after saying that there is none."""
        spec = self.world.flags.get(at.id)
        if spec is None:
            flags = self.world.flags
            self.say(
                at, "expr-unknown-flag", f"there is no flag {at.id}",
                fix_for(at.id, [*flags, *self.world.catalogue.specs], otherwise="declare it in conf/flags.yaml"),
            )
        elif at.id not in self.flags:
            self.flags.append(at.id)
        return spec

    def signal(self, at: ast.Name) -> SignalSpec | None:
        """Return the signal that `at` names and this rule may read, or None after saying why not."""
        catalogue = self.world.catalogue
        spec = catalogue.get(at.id)
        if spec is None:
            near = nearest(at.id, catalogue.specs)
            flag = nearest(at.id, self.world.flags)
            meant = near or flag
            self.say(
                at, "expr-unknown-signal", f"there is no signal {at.id} in the catalogue",
                f"did you mean {meant}?" if meant else "add it to conf/signals.yaml, or read one that is there",
            )
            return None
        if spec.derived_from_policy:
            self.say(
                at, "expr-policy-signal", f"{at.id} is made from what the rules decide, so no rule may read it",
                "read what was measured, such as health_measured",
            )
            return None
        if spec.order_scope and self.setting.kind is not RuleKind.ENTRY:
            self.say(
                at, "expr-order-signal", f"{at.id} belongs to an order, and only entry rules see one",
                "make the rule `kind: entry`, or read a signal of the market or the account",
            )
            return None
        return spec
