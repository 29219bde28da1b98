"""acks.yaml: who acknowledged which loosening, and why. No part of what decides.

An acknowledgement is bound to the pair of rulings before and after a change, so that one
edit more, or another base, needs another one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.model.time import format_second, parse_instant
from engine.ruleset.diagnostics import Finding, has_errors, settle
from engine.ruleset.nodes import Node
from engine.ruleset.ruling import pair_digest
from engine.ruleset.schema import check_schema, shipped_schema
from engine.ruleset.source import read_yaml

ACKS = "acks.yaml"
SCHEMA = "acks.schema.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ack:
    """One acknowledgement; `at` in ns."""

    pair: str
    by: str
    reason: str
    at: int

    def __str__(self) -> str:
        return f"acknowledged by {self.by} at {format_second(self.at)}: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Acks:
    """The acknowledgements of a file, by their pairs."""

    by_pair: Mapping[str, Ack] = field(default_factory=dict)


def read_acks(data: bytes, name: str) -> tuple[Acks, tuple[Finding, ...]]:
    """Return what the file `name` acknowledges and what is wrong with it. A file with a mistake acknowledges nothing.

    No bytes at all, a file that is not there, acknowledge nothing and are no mistake.
    """
    if not data:
        return Acks(), ()
    root, findings = read_yaml(data, name)
    if root is None:
        return Acks(), settle(findings)
    check_schema(root, shipped_schema(SCHEMA), findings)
    entries = root.get("acks")
    found: dict[str, Ack] = {}
    for node in entries.items if entries is not None else ():
        ack = _ack(node, findings)
        if ack is not None and found.setdefault(ack.pair, ack) is not ack:
            findings.append(node.finding("acks-twice", f"{ack.pair} is acknowledged twice", "keep one of the two"))
    if has_errors(findings):
        return Acks(), settle(findings)
    return Acks(by_pair=found), settle(findings)


def _ack(node: Node, findings: list[Finding]) -> Ack | None:
    at = node.get("at")
    if node.kind != "map" or at is None or at.kind != "str":
        return None
    try:
        when = parse_instant(at.text)
    except ValueError as error:
        findings.append(at.finding("acks-instant", str(error), "write it as 2026-01-05T14:00:00Z"))
        return None
    texts = {key: value.text for key, _, value in node.pairs() if key in ("pair", "by", "reason")}
    return Ack(at=when, **texts) if len(texts) == 3 else None


def acknowledged(acks: Acks, base: str, head: str) -> Ack | None:
    """Return who acknowledged the change from ruling `base` to `head` (digests), or None."""
    return acks.by_pair.get(pair_digest(base, head))


def entry(pair: str, by: str, reason: str, at: int) -> str:
    """Return the lines of YAML that acknowledge `pair`, to be pasted under `acks:`."""
    said = {"pair": pair, "by": by, "reason": reason, "at": format_second(at)}
    # Quoted as JSON does, so that no word of a person and no date is taken for something else.
    lines = [f"{key}: {json.dumps(value, ensure_ascii=False)}\n" for key, value in said.items()]
    return "  - " + "    ".join(lines)
