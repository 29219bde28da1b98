"""A restraint as rules write it."""

from __future__ import annotations

from decimal import Decimal

from engine.model.restraints import NONE, Level, Restraint
from engine.ruleset.diagnostics import Finding
from engine.ruleset.nodes import Node


def read_restraint(node: Node | None, findings: list[Finding]) -> Restraint:
    """Return the restraint at `node`; what the schema refused is left out, and a size of zero or one is questioned."""
    if node is None or node.kind != "map":
        return NONE
    level, size, cap = node.get("level"), node.get("size_mult"), node.get("max_notional_usd")
    if size is not None and size.scalar == 1 and not isinstance(size.scalar, bool):
        findings.append(size.finding("rule-restrains-nothing", "a size_mult of 1 cuts nothing", "write less than 1"))
    return Restraint(
        level=_level(level),
        size_mult=float(size.scalar) if size is not None and isinstance(size.scalar, int | float) else 1.0,
        max_notional_usd=Decimal(cap.text) if cap is not None and cap.kind in ("int", "float") else None,
        mute=_words(node.get("mute")), deny=_words(node.get("deny")), deny_quotes=_words(node.get("deny_quotes")),
    )


def _level(node: Node | None) -> Level:
    known = {level.word: level for level in Level}
    return known.get(node.text, Level.NORMAL) if node is not None else Level.NORMAL


def _words(node: Node | None) -> frozenset[str]:
    return frozenset(item.text for item in node.items if item.kind == "str") if node is not None else frozenset()
