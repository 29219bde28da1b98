"""A snapshot file: one moment, written down by a person, checked against the catalogue and the flags.

Nothing is guessed. What the file does not say is missing or has its default, and what it
says wrongly is a finding at its place; all of them at once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.model.flag_values import fit
from engine.model.flags import FlagSpec, FlagValue
from engine.model.samples import SignalKind, SignalSpec, Unit
from engine.model.time import SECOND, parse_instant
from engine.ruleset.diagnostics import Finding, has_errors, settle
from engine.ruleset.nodes import Node
from engine.ruleset.schema import check_schema, shipped_schema
from engine.ruleset.source import read_yaml
from engine.ruleset.suggest import fix_for
from engine.signals.catalogue import Catalogue

SCHEMA = "snapshot.schema.json"
ORDER_LABELS = ("account", "venue", "symbol", "intent")
ACCOUNT = "main"
_NOT_FINITE = {"NaN": math.nan, "nan": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
"""How programs write numbers that are none. As bare words they are invalid samples; in quotes they are text."""

Value = float | bool | str


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What the file says of one series: (received at in ns, value), oldest first; events may have none."""

    name: str
    labels: tuple[str, ...]
    samples: tuple[tuple[int, Value], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A checked snapshot file. `flags` are all flags with their defaults filled in."""

    at: int
    flags: Mapping[str, FlagValue]
    signals: tuple[Heard, ...]
    order: Mapping[str, float | str] | None
    """The order's own signals by name; None where the file has no order."""
    order_labels: Mapping[str, str]


@dataclass(slots=True)
class _Reading:
    catalogue: Catalogue
    specs: Mapping[str, FlagSpec]
    findings: list[Finding] = field(default_factory=list)
    at: int = 0

    def say(self, node: Node, code: str, message: str, fix: str) -> None:
        self.findings.append(node.finding(f"snapshot-{code}", message, fix))


def read_moment(
    text: bytes, file: str, catalogue: Catalogue, flags: Mapping[str, FlagSpec]
) -> tuple[Moment | None, tuple[Finding, ...]]:
    """Return the moment that `text` (JSON or YAML) holds and what is wrong with it; None where that forbids its use."""
    root, findings = read_yaml(text, file)
    if root is None:
        return None, settle(findings)
    check_schema(root, shipped_schema(SCHEMA), findings)
    reading = _Reading(catalogue, flags, findings)
    reading.at = _at(reading, root.get("at"))
    resolved = _flags(reading, root.get("flags"))
    signals = _signals(reading, root.get("signals"))
    order, labels = _order(reading, root.get("order"))
    if has_errors(findings):
        return None, settle(findings)
    moment = Moment(at=reading.at, flags=resolved, signals=signals, order=order, order_labels=labels)
    return moment, settle(findings)


def _at(reading: _Reading, node: Node | None) -> int:
    if node is None or node.kind != "str":
        return 0
    try:
        at = parse_instant(node.text)
    except (ValueError, OverflowError) as error:
        reading.say(node, "time", f"no instant: {error}", "write it as 2026-01-05T14:00:00Z")
        return 0
    if at <= 0:
        reading.say(node, "time", "it lies before 1970", "write an instant of this century")
    return at


def _flags(reading: _Reading, node: Node | None) -> dict[str, FlagValue]:
    values: dict[str, FlagValue] = {name: spec.default for name, spec in reading.specs.items()}
    for name, key, value in node.pairs() if node is not None else ():
        spec = reading.specs.get(name)
        if spec is None:
            reading.say(key, "flag", f"there is no flag {name}", fix_for(name, reading.specs, otherwise="remove it"))
            continue
        if value.scalar is None:
            continue
        try:
            values[name] = fit(spec, value.scalar)
        except ValueError as error:
            reading.say(value, "flag", str(error), f"leave it out for its default, {spec.default}")
    return values


def _signals(reading: _Reading, node: Node | None) -> tuple[Heard, ...]:
    found: list[Heard] = []
    first: dict[tuple[str, tuple[str, ...]], int] = {}
    for item in node.items if node is not None else []:
        heard = _signal(reading, item)
        if heard is None:
            continue
        line = first.setdefault((heard.name, heard.labels), item.line)
        if any((one.name, one.labels) == (heard.name, heard.labels) for one in found):
            what = f"{heard.name}{list(heard.labels)} stands here twice, first in line {line}"
            reading.say(item.key("name"), "twice", what, "keep one, and put earlier samples into its `series`")
            continue
        found.append(heard)
    return tuple(found)


def _signal(reading: _Reading, item: Node) -> Heard | None:
    name = item.get("name")
    if name is None or name.kind != "str":
        return None
    spec = reading.catalogue.get(name.text)
    if spec is None:
        names = [one for one, known in reading.catalogue.specs.items() if not known.order_scope]
        reading.say(name, "signal", f"there is no signal {name.text}", fix_for(name.text, names, otherwise="remove it"))
        return None
    if spec.order_scope:
        reading.say(name, "order-signal", f"{spec.name} belongs to an order", f"write it under `order:` as {spec.name}")
        return None
    labels = _labels(reading, item, spec)
    samples = _samples(reading, item, spec)
    if labels is None or samples is None:
        return None
    return Heard(name=spec.name, labels=labels, samples=samples)


def _labels(reading: _Reading, item: Node, spec: SignalSpec) -> tuple[str, ...] | None:
    node = item.get("labels")
    wanted = f"{{{', '.join(f'{label}: ...' for label in spec.labels)}}}" if spec.labels else "no labels"
    if node is not None and node.kind == "seq":
        if len(node.items) != len(spec.labels):
            reading.say(node, "label", f"{spec.name} has {len(spec.labels)} labels", f"write {wanted}")
            return None
        return tuple(value.text for value in node.items)
    given = {} if node is None else {name: value for name, _, value in node.pairs()}
    sound = True
    for name, key, _ in node.pairs() if node is not None else ():
        if name not in spec.labels:
            sound = False
            fix = fix_for(name, spec.labels, otherwise=f"write {wanted}")
            reading.say(key, "label", f"{spec.name} has no label {name}", fix)
    missing = [label for label in spec.labels if label not in given]
    if missing:
        at = item.key("name") if node is None else node
        reading.say(at, "label", f"the label {missing[0]} of {spec.name} is missing", f"write `labels: {wanted}`")
        return None
    return tuple(given[label].text for label in spec.labels) if sound else None


def _samples(reading: _Reading, item: Node, spec: SignalSpec) -> tuple[tuple[int, Value], ...] | None:
    """Return the samples, oldest first. Of two with one age the later written is the later one, `value` the last."""
    series = item.get("series")
    rows = list(series.items) if series is not None and series.kind == "seq" else []
    if item.get("value") is not None:
        rows.append(item)
    elif not rows and not (series is not None and spec.kind is SignalKind.EVENT):
        fix = "give it a value; leave the whole entry out to say that it is missing"
        reading.say(item.key("name"), "value", f"{spec.name} has no value", fix)
        return None
    samples = [_sample(reading, row, spec) for row in rows]
    known = [sample for sample in samples if sample is not None]
    return tuple(sorted(known, key=lambda one: one[0])) if len(known) == len(samples) else None


def _sample(reading: _Reading, row: Node, spec: SignalSpec) -> tuple[int, Value] | None:
    node, age = row.get("value"), row.get("age_s")
    if node is None or node.kind in ("map", "seq", "null", "broken"):
        return None
    value = _value(node, spec)
    if value is None:
        what = {Unit.BOOL: "true or false", Unit.ENUM: f"one of {', '.join(spec.values)}"}.get(spec.unit, "a number")
        fix = fix_for(node.text, spec.values) if spec.unit is Unit.ENUM else f"write {what}"
        reading.say(node, "value", f"{spec.name} is {what}, not {_shown(node)}", fix)
        return None
    seconds = age.scalar if age is not None else 0
    if isinstance(seconds, bool | str) or seconds is None or not 0 <= seconds <= 1e9:
        return None
    at = reading.at - round(seconds * SECOND)
    if at <= 0 < reading.at and age is not None:
        reading.say(age, "age", "so old a sample came before 1970", "write the seconds since it was received")
        return None
    return at, value


def _value(node: Node, spec: SignalSpec) -> Value | None:
    """Return the value of a sample as the snapshot takes it, or None where it is of another type."""
    plain = node.scalar
    if spec.unit is Unit.BOOL:
        return plain if isinstance(plain, bool) else None
    if spec.unit is Unit.ENUM:
        return plain if isinstance(plain, str) and plain in spec.values else None
    if isinstance(plain, str) and not node.style:
        return _NOT_FINITE.get(plain)
    if isinstance(plain, bool) or not isinstance(plain, int | float):
        return None
    try:
        return float(plain)
    except OverflowError:
        return math.inf


def _shown(node: Node) -> str:
    return f"the text {node.text!r}" if node.kind == "str" else node.text


def _order(reading: _Reading, node: Node | None) -> tuple[dict[str, float | str] | None, dict[str, str]]:
    """Return the order's signals and labels; the side and the intent are both at once."""
    if node is None:
        return None, {}
    known = {name for name, spec in reading.catalogue.specs.items() if spec.order_scope}
    order: dict[str, float | str] = {}
    labels = {"account": ACCOUNT}
    for name, key, value in node.pairs():
        if value.kind in ("map", "seq", "null", "broken", "bool"):
            continue
        full = name if name in known else f"order_{name}"
        if name in ORDER_LABELS:
            labels[name] = value.text
        if full in known:
            spec = reading.catalogue.specs[full]
            sample = _value(value, spec)
            if sample is None or isinstance(sample, bool):
                what = f"one of {', '.join(spec.values)}" if spec.values else "a number"
                reading.say(value, "order", f"{full} is {what}, not {_shown(value)}", f"write {what}")
            else:
                order[full] = sample
        elif name not in ORDER_LABELS:
            short = [one.removeprefix("order_") for one in known]
            fix = fix_for(name, [*ORDER_LABELS, *known, *short], otherwise="remove it")
            reading.say(key, "order", f"an order has no {name}", fix)
    if "order_intent" in order:
        labels.setdefault("intent", str(order["order_intent"]))
    return order, labels
