"""Inline tests of rules: samples over time in a short notation, and what must come of them.

`1.0*3 0.98 _*2 stale nan`: v*n is n samples of v, `_` is no sample, `stale` is a signal gone
stale (of an event: its producer down), `nan` a sample that is no number. Sample i comes at
i x step, the first at 0.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from engine.model.flag_values import fit
from engine.model.flags import FlagValue
from engine.model.restraints import Restraint
from engine.model.samples import SignalSpec, Unit
from engine.model.time import MINUTE, parse_duration
from engine.ruleset.binding import World
from engine.ruleset.diagnostics import Finding
from engine.ruleset.nodes import Node
from engine.ruleset.restraint import read_restraint
from engine.ruleset.spec import Place
from engine.ruleset.suggest import fix_for

MOST_SAMPLES = 10_000
_KEY = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?:\{([^{}]*)\})?", re.ASCII)
_LABEL = re.compile(r"\s*([a-z]+)\s*=\s*[\"']?([A-Za-z0-9_.:/-]{1,64})[\"']?\s*", re.ASCII)
_TOKEN = re.compile(r"\S+")


class Gap(StrEnum):
    """A sample that is none."""

    NOTHING = "_"
    STALE = "stale"
    NAN = "nan"


TestSample = float | bool | str | Gap


@dataclass(frozen=True, slots=True, kw_only=True)
class TestSeries:
    """The samples of one signal with these labels (name -> value); labels left out are the test's or the rule's."""

    __test__ = False
    signal: str
    labels: tuple[tuple[str, str], ...]
    samples: tuple[TestSample, ...]
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What must be so at `at` (ns after the first sample). None, or an empty tuple, where nothing is said."""

    at: int
    place: Place
    labels: tuple[tuple[str, str], ...] = ()
    state: str | None = None
    truth: str | None = None
    restrain: Restraint | None = None
    restrain_fields: tuple[str, ...] = ()
    """Which fields of `restrain` were written; with none of them nothing may be restrained."""
    why: tuple[str, ...] = ()
    latched: bool | None = None
    granted: bool | None = None
    refused: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleTest:
    """One inline test. `step` in ns; `order` are order-scope signals of an entry rule's test."""

    name: str
    place: Place
    step: int
    flags: tuple[tuple[str, FlagValue], ...]
    labels: tuple[tuple[str, str], ...]
    series: tuple[TestSeries, ...]
    expect: tuple[Expectation, ...]
    order: tuple[tuple[str, float | str], ...] | None = None


def read_test(node: Node, world: World, reads: Mapping[str, SignalSpec], findings: list[Finding]) -> RuleTest:
    """Return the test at `node`; `reads` are the signals that its rule reads. What is wrong goes to `findings`."""
    step_node, series_node, expect_node = node.get("step"), node.get("series"), node.get("expect")
    name = node.get("name")
    series = [
        found for key, key_node, value in (series_node.pairs() if series_node is not None else ())
        if (found := _series(key, key_node, value, reads, findings)) is not None
    ]
    return RuleTest(
        name=name.text if name is not None else "", place=(name or node).place,
        step=read_offset(step_node, MINUTE), flags=_flags(node.get("flags"), world, findings),
        labels=_texts(node.get("labels")), series=tuple(series),
        expect=tuple(_expectation(one, findings) for one in (expect_node.items if expect_node is not None else ())),
        order=_order(node.get("order"), reads, world, findings),
    )


def read_offset(node: Node | None, default: int) -> int:
    """Return a time of a test in ns; the schema has said what is wrong with it."""
    if node is None or node.kind != "str":
        return default
    try:
        return parse_duration(node.text) or default
    except ValueError:
        return default


def _texts(node: Node | None) -> tuple[tuple[str, str], ...]:
    return tuple((key, value.text) for key, _, value in node.pairs()) if node is not None else ()


def _flags(node: Node | None, world: World, findings: list[Finding]) -> tuple[tuple[str, FlagValue], ...]:
    found: list[tuple[str, FlagValue]] = []
    for name, key, value in node.pairs() if node is not None else ():
        spec = world.flags.get(name)
        if spec is None:
            findings.append(key.finding("test-unknown-flag", f"there is no flag {name}", fix_for(name, world.flags)))
        elif isinstance(value.scalar, bool | int | float | str):
            try:
                found.append((name, fit(spec, value.scalar)))
            except ValueError as error:
                findings.append(value.finding("test-flag", str(error), "write a value that the flag may have"))
    return tuple(found)


def _series(
    key: str, key_node: Node, value: Node, reads: Mapping[str, SignalSpec], findings: list[Finding]
) -> TestSeries | None:
    match = _KEY.fullmatch(key)
    if match is None:
        findings.append(key_node.finding(
            "test-series", f"{key!r} names no signal", 'write signal or signal{label="value"}',
        ))
        return None
    spec = reads.get(match[1])
    if spec is None:
        findings.append(key_node.finding(
            "test-unread-series", f"the rule does not read {match[1]}", fix_for(match[1], reads, otherwise="remove it"),
        ))
        return None
    if spec.order_scope:
        findings.append(key_node.finding(
            "test-series", f"{spec.name} belongs to the order and has no samples", "give its value under `order:`",
        ))
        return None
    labels = _labels(match[2] or "", spec, key_node, findings)
    samples = _samples(value, spec, findings)
    return TestSeries(signal=spec.name, labels=labels, samples=samples, place=key_node.place)


def _labels(text: str, spec: SignalSpec, key: Node, findings: list[Finding]) -> tuple[tuple[str, str], ...]:
    found: list[tuple[str, str]] = []
    for part in text.split(",") if text.strip() else ():
        match = _LABEL.fullmatch(part)
        if match is None or match[1] not in spec.labels:
            labels = ", ".join(spec.labels) or "no labels"
            findings.append(
                key.finding("test-series", f"`{part.strip()}` is no label of {spec.name}", f"it has {labels}"),
            )
        else:
            found.append((match[1], match[2]))
    return tuple(found)


def _samples(value: Node, spec: SignalSpec, findings: list[Finding]) -> tuple[TestSample, ...]:
    samples: list[TestSample] = []
    for token in _TOKEN.finditer(value.text):
        word, star, count = token[0].partition("*")
        if star and not (count.isascii() and count.isdigit() and 1 <= len(count) <= 5 and int(count)):
            findings.append(value.finding(
                "test-sample", f"`{token[0]}` does not say how many", f"write {word}*3 for three samples",
                offset=token.start(),
            ))
            continue
        sample = _sample(word, spec)
        if sample is None:
            what = f"one of {', '.join(spec.values)}" if spec.values else "a number"
            findings.append(value.finding(
                "test-sample", f"`{word}` is no sample of {spec.name}", f"write {what}, or _ stale nan",
                offset=token.start(),
            ))
            continue
        samples.extend([sample] * (int(count) if star else 1))
        if len(samples) > MOST_SAMPLES:
            message = f"more than {MOST_SAMPLES} samples"
            findings.append(value.finding("test-sample", message, "use a longer step", offset=token.start()))
            break
    return tuple(samples[:MOST_SAMPLES])


def _sample(word: str, spec: SignalSpec) -> TestSample | None:
    if word in (Gap.NOTHING, Gap.STALE, Gap.NAN):
        return Gap(word)
    if spec.unit is Unit.ENUM:
        return word if word in spec.values else None
    if spec.unit is Unit.BOOL:
        return {"true": True, "false": False}.get(word)
    try:
        number = float(word)
    except ValueError:
        return None
    return number + 0.0 if math.isfinite(number) and "_" not in word else None


def _order(
    node: Node | None, reads: Mapping[str, SignalSpec], world: World, findings: list[Finding]
) -> tuple[tuple[str, float | str], ...] | None:
    if node is None or node.kind != "map":
        return None
    found: list[tuple[str, float | str]] = []
    for name, key, value in node.pairs():
        spec = world.catalogue.get(name)
        if spec is None or not spec.order_scope:
            known = [one for one, its in world.catalogue.specs.items() if its.order_scope]
            findings.append(key.finding("test-order", f"{name} is no signal of an order", fix_for(name, known)))
        elif name not in reads:
            findings.append(key.finding("test-unread-series", f"the rule does not read {name}", "remove it"))
        else:
            sample = _sample(value.text, spec)
            if isinstance(sample, Gap | bool) or sample is None:
                findings.append(
                    value.finding("test-sample", f"`{value.text}` is no value of {name}", "write a value it may have"),
                )
            else:
                found.append((name, sample))
    return tuple(found)


def _expectation(node: Node, findings: list[Finding]) -> Expectation:
    restrain, why = node.get("restrain"), node.get("why")
    fields: tuple[str, ...] = ()
    wanted: Restraint | None = None
    if restrain is not None:
        wanted = read_restraint(restrain, findings)
        fields = tuple(restrain.entries)
    words: tuple[str, ...] = ()
    if why is not None:
        words = tuple(item.text for item in why.items) if why.kind == "seq" else (why.text,)
    state, truth = node.get("state"), node.get("truth")
    return Expectation(
        at=_at(node.get("at")), place=node.place, labels=_texts(node.get("labels")),
        state=state.text if state is not None else None, truth=truth.text.lower() if truth is not None else None,
        restrain=wanted, restrain_fields=fields, why=words, latched=_flag(node.get("latched")),
        granted=_flag(node.get("granted")), refused=_flag(node.get("refused")),
    )


def _at(node: Node | None) -> int:
    if node is None or node.kind != "str":
        return 0
    try:
        return parse_duration(node.text)
    except ValueError:
        return 0


def _flag(node: Node | None) -> bool | None:
    return node.scalar if node is not None and isinstance(node.scalar, bool) else None
