"""`conf/flags.yaml` as flag specs and the values of its own layer."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from engine.model.flag_values import fit
from engine.model.flags import FlagKind, FlagSpec, FlagValue
from engine.model.samples import Unit
from engine.ruleset.diagnostics import Finding, has_errors
from engine.ruleset.nodes import Node
from engine.ruleset.schema import check_schema, shipped_schema
from engine.ruleset.silences import Hush, hushes, read_silences
from engine.ruleset.source import read_yaml, walk

SCHEMA = "flags.schema.json"
_UNITS = {FlagKind.BOOL: Unit.BOOL, FlagKind.WORD: Unit.ENUM}


@dataclass(slots=True, kw_only=True)
class FlagFile:
    """What a flag file says: the flags by name, the values it sets over their defaults, and what is wrong with it.

    A flag with a mistake is left out, so that whoever reads it is told of one cause and not of its echoes.
    """

    specs: dict[str, FlagSpec] = field(default_factory=dict)
    values: dict[str, FlagValue] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    hushes: tuple[Hush, ...] = ()
    """Lints that are silent for a flag."""


def read_flags(text: bytes, file: str) -> FlagFile:
    """Return the flags of a file with the bytes `text`, called `file` in findings. Never raises."""
    node, findings = read_yaml(text, file)
    if node is None:
        return FlagFile(findings=findings)
    read = load_flag_specs(node)
    return replace(read, findings=[*findings, *read.findings])


def load_flag_specs(node: Node) -> FlagFile:
    """Return the flags of a parsed file."""
    read = FlagFile()
    check_schema(node, shipped_schema(SCHEMA), read.findings)
    broken = frozenset(finding.line for finding in read.findings)
    flags = node.get("flags")
    seen: dict[str, int] = {}
    for item in flags.items if flags is not None else ():
        name = item.get("name")
        if name is None or name.kind != "str":
            continue
        if name.text in seen:
            read.findings.append(name.finding(
                "flag-duplicate", f"the flag {name.text} stands here twice, first in line {seen[name.text]}",
                "keep one of the two",
            ))
            continue
        seen[name.text] = name.line
        if not broken & _lines(item) and not any(one.kind == "broken" for one in walk(item)):
            _take(item, name.text, read)
        read_silences(item.get("lint"), read.findings)
    read.hushes = hushes(flags.items if flags is not None else ())
    return read


def _take(item: Node, name: str, read: FlagFile) -> None:
    found: list[Finding] = []
    spec = _spec(item, name, found)
    for word in ("default", "value"):
        value = item.get(word)
        if value is None or has_errors(found):
            continue
        try:
            fitting = fit(spec, _scalar(value))
        except ValueError as error:
            found.append(value.finding("flag-value", str(error), f"write a {word} that the flag itself allows"))
            continue
        if word == "value":
            read.values[name] = fitting
    read.findings += found
    if not has_errors(found):
        read.specs[name] = spec


def _spec(item: Node, name: str, found: list[Finding]) -> FlagSpec:
    data = item.plain()
    kind = FlagKind(data["kind"])
    bounds = data.get("range", {})
    low, high = bounds.get("low"), bounds.get("high")
    place = item.get("range") or item
    for only, word in ((FlagKind.NUMBER, "range"), (FlagKind.NUMBER, "unit"), (FlagKind.WORD, "words")):
        if word in data and kind is not only:
            found.append(item.key(word).finding(
                "flag-misplaced", f"a {kind.value} has no {word}", f"remove it, or write `kind: {only.value}`",
            ))
    if low is not None and high is not None and low > high:
        message = f"the range ends at {high:g} before it begins at {low:g}"
        found.append(place.finding("flag-range", message, "swap them"))
    if "tightens" in data and kind is FlagKind.WORD and not data.get("words"):
        found.append(item.key("tightens").finding(
            "flag-misplaced", "any word is allowed, so none protects more", "list `words`, or remove it",
        ))
    default = item.get("default")
    return FlagSpec(
        name=name, kind=kind, default=_scalar(default) if default is not None else "",
        unit=_UNITS.get(kind) or Unit(data.get("unit", "none")), summary=data["summary"],
        low=None if low is None else float(low), high=None if high is None else float(high),
        whole=bool(bounds.get("whole", False)), words=tuple(data.get("words", ())),
        tightens=data.get("tightens", ""), line=item.line,
        group=data.get("group", ""), planned=data.get("planned", ""),
    )


def _scalar(node: Node) -> FlagValue:
    value = node.scalar
    return float(value) if type(value) is int else value if value is not None else node.text


def _lines(item: Node) -> frozenset[int]:
    """Return the lines that a flag's keys and values begin on."""
    lines = {item.line}
    todo = [item]
    while todo:
        node = todo.pop()
        lines.add(node.line)
        for _, key, value in node.pairs():
            lines.add(key.line)
            todo.append(value)
        todo += node.items
    return frozenset(lines)


