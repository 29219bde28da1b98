"""`conf/signals.yaml` into a catalogue: all mistakes at once, each at its place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from engine.model.samples import LABELS, LARGEST, SignalKind, SignalSpec, Unit
from engine.model.time import parse_duration
from engine.ruleset.allowlist import RESERVED
from engine.ruleset.calls import FUNCTIONS
from engine.ruleset.diagnostics import Finding, has_errors, settle
from engine.ruleset.nodes import Node
from engine.ruleset.schema import check_schema, shipped_schema
from engine.ruleset.silences import Hush, hushes, read_silences
from engine.ruleset.source import read_yaml
from engine.signals.catalogue import Catalogue, problems

SCHEMA = "signals.schema.json"
_FIXES = {
    "labels": f"write each of {', '.join(LABELS)} once at most, and none with `scope: order`",
    "values": "list each word once, and only with `unit: enum`",
    "unit": "write `values: [...]`, or another unit",
    "range": "write `range: {low: 0, high: 100}`, or only the end that is needed",
    "resolution": "write a power of ten, such as 0.000001, or remove it",
    "period": "write a number and ms, s, m, h or d",
    "max_age": "write `max_age:` a few periods long; on counters and with `scope: order`, remove it",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueFile:
    """What a catalogue's file holds: the catalogue, None where an error forbids its use, and what is wrong with it."""

    catalogue: Catalogue | None
    findings: tuple[Finding, ...]
    hushes: tuple[Hush, ...] = ()
    """Lints that are silent for a signal."""


def read_catalogue(text: bytes, file: str) -> tuple[Catalogue | None, tuple[Finding, ...]]:
    """Return the catalogue that `text` holds and what is wrong with it; None where an error forbids its use."""
    read = read_catalogue_file(text, file)
    return read.catalogue, read.findings


def read_catalogue_file(text: bytes, file: str) -> CatalogueFile:
    """Return everything that `text`, called `file` in findings, holds. Never raises."""
    root, findings = read_yaml(text, file)
    if root is None:
        return CatalogueFile(catalogue=None, findings=settle(findings))
    check_schema(root, shipped_schema(SCHEMA), findings)
    specs = _specs(root, findings)
    signals = root.get("signals")
    items = signals.items if signals is not None else []
    for node in items:
        read_silences(node.get("lint"), findings)
    catalogue = None if has_errors(findings) else Catalogue(specs)
    return CatalogueFile(catalogue=catalogue, findings=settle(findings), hushes=hushes(items))


def _specs(root: Node, findings: list[Finding]) -> list[SignalSpec]:
    """Return every signal that can be read, and add what the schema cannot say to `findings`."""
    signals = root.get("signals")
    specs: list[SignalSpec] = []
    first: dict[str, Node] = {}
    for node in signals.items if signals is not None else []:
        name = node.get("name")
        if name is not None and name.kind == "str":
            known = first.setdefault(name.text, name)
            if known is not name:
                what = f"{name.text} stands here twice, first in line {known.line}"
                findings.append(name.finding("signal-duplicate", what, "keep one of the two"))
            if name.text in FUNCTIONS or name.text in RESERVED:
                what = f"{name.text} is a word of the rule language, so no rule could read a signal of that name"
                findings.append(name.finding("signal-name", what, "give it another name"))
        try:
            spec = _spec(node, findings)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            if not has_errors(findings):
                what = f"this is no signal: {error}"
                findings.append(node.finding("signal-unreadable", what, "compare it with the other signals"))
            continue
        specs.append(spec)
        for key, what in problems(spec):
            at = node.key(key if key in node.entries else "name")
            findings.append(at.finding(f"signal-{key.replace('_', '-')}", what, _FIXES[key]))
    return specs


def _spec(node: Node, findings: list[Finding]) -> SignalSpec:
    """Return the signal of one entry; raises where the schema has already said what is wrong with it."""
    if node.kind != "map":
        raise TypeError("a mapping is wanted")
    data: dict[str, Any] = node.plain()
    bounds = data.get("range", {})
    if not isinstance(bounds, dict):
        raise TypeError("range is a mapping")
    return SignalSpec(
        name=_text(data["name"]), kind=SignalKind(data["kind"]), unit=Unit(data["unit"]),
        summary=_text(data["summary"]), labels=tuple(_text(label) for label in data.get("labels", ())),
        low=float(bounds.get("low", -LARGEST)), high=float(bounds.get("high", LARGEST)),
        values=tuple(_text(value) for value in data.get("values", ())), period=_duration(node, "period", findings),
        max_age=_duration(node, "max_age", findings), producer=_text(data["producer"]),
        resolution=float(data.get("resolution", 1e-9)), order_scope=data.get("scope") == "order",
        derived_from_policy=bool(data.get("derived_from_policy", False)), line=node.line,
        decimate=_duration(node, "decimate", findings),
    )


def _duration(node: Node, key: str, findings: list[Finding]) -> int:
    """Return a duration in ns, 0 where there is none; one that is too long is a finding of its own."""
    found = node.get(key)
    if found is None:
        return 0
    try:
        return parse_duration(_text(found.plain()))
    except ValueError as error:
        if not any((one.line, one.column) == (found.line, found.col) for one in findings):
            findings.append(found.finding("signal-duration", str(error), _FIXES["period"]))
        raise


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not text")
    return value
