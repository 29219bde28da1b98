"""A restraint as rules write it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from engine.model.restraints import NONE, Level, Restraint
from engine.ruleset.binding import World
from engine.ruleset.diagnostics import Finding
from engine.ruleset.nodes import Node
from engine.ruleset.numbers import decimal_of, read_number
from engine.ruleset.spec import ByFlag


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


def read_limits(node: Node | None, part: str, world: World, findings: list[Finding]) -> tuple[Restraint, ByFlag]:
    """Return the restraint at `node` and the flags that give its numbers; their defaults stand for them."""
    restraint, named = read_restraint(node, findings), []
    for key in ("size_mult", "max_notional_usd"):
        written = node.get(key) if node is not None and node.kind == "map" else None
        number, flag = read_number(written, key, world, findings)
        if number is None or not flag:
            continue
        named.append((f"{part}.{key}", flag))
        size = key == "size_mult"
        restraint = replace(restraint, **({"size_mult": number} if size else {"max_notional_usd": decimal_of(number)}))
    return restraint, tuple(named)


def _level(node: Node | None) -> Level:
    known = {level.word: level for level in Level}
    return known.get(node.text, Level.NORMAL) if node is not None else Level.NORMAL


def _words(node: Node | None) -> frozenset[str]:
    return frozenset(item.text for item in node.items if item.kind == "str") if node is not None else frozenset()
