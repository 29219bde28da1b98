"""The notation of samples: `1.0*3 0.98 _*2 stale nan 0.98@late(5s)`.

`v*n` is n samples of v, `_` is no sample, `stale` is a signal gone stale (of an event: its
producer down), `nan` a sample that is no number. `v@late(5s)` is received 5 s after its
instant, with its event time at the instant. Sample i comes at i x step, the first at 0.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from engine.model.samples import SignalSpec, Unit
from engine.model.time import parse_duration
from engine.ruleset.diagnostics import Finding
from engine.ruleset.nodes import Node
from engine.ruleset.suggest import fix_for
from engine.ruleset.testcase_spec import Gap, Labels, Late, TestSample, TestSeries

MOST_SAMPLES = 10_000
_KEY = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?:\{([^{}]*)\})?", re.ASCII)
_LABEL = re.compile(r"\s*([a-z]+)\s*=\s*[\"']?([A-Za-z0-9_.:/-]{1,64})[\"']?\s*", re.ASCII)
_TOKEN = re.compile(r"\S+")
_LATE = re.compile(r"late\(([^()]*)\)", re.ASCII)
HOW_LATE = "write the value and how late it comes, such as 0.98@late(5s)"


def read_series(
    key: str, key_node: Node, value: Node, reads: Mapping[str, SignalSpec], findings: list[Finding]
) -> TestSeries | None:
    """Return the series written as `key: value`, or None after saying why there is none."""
    named = read_name(key, key_node, reads, findings)
    if named is None:
        return None
    spec, labels = named
    if spec.order_scope:
        findings.append(key_node.finding(
            "test-series", f"{spec.name} belongs to the order and has no samples", "give its value under `order:`",
        ))
        return None
    samples = _samples(value, spec, findings)
    return TestSeries(signal=spec.name, labels=labels, samples=samples, place=key_node.place)


def read_name(
    text: str, node: Node, reads: Mapping[str, SignalSpec], findings: list[Finding]
) -> tuple[SignalSpec, Labels] | None:
    """Return the signal and labels that `text` at `node` names, or None after saying why not."""
    match = _KEY.fullmatch(text)
    if match is None:
        findings.append(node.finding(
            "test-series", f"{text!r} names no signal", 'write signal or signal{label="value"}',
        ))
        return None
    spec = reads.get(match[1])
    if spec is None:
        findings.append(node.finding(
            "test-unread-series", f"the rule does not read {match[1]}", fix_for(match[1], reads, otherwise="remove it"),
        ))
        return None
    return spec, _labels(match[2] or "", spec, node, findings)


def _labels(text: str, spec: SignalSpec, key: Node, findings: list[Finding]) -> Labels:
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
        sample = read_sample(word, spec)
        if sample is None:
            findings.append(value.finding(
                "test-sample", f"`{word}` is no sample of {spec.name}", _instead(word, spec), offset=token.start(),
            ))
            continue
        samples.extend([sample] * (int(count) if star else 1))
        if len(samples) > MOST_SAMPLES:
            message = f"more than {MOST_SAMPLES} samples"
            findings.append(value.finding("test-sample", message, "use a longer step", offset=token.start()))
            break
    return tuple(samples[:MOST_SAMPLES])


def _instead(word: str, spec: SignalSpec) -> str:
    if "late" in word or "@" in word:
        return HOW_LATE
    what = f"one of {', '.join(spec.values)}" if spec.values else "a number"
    return f"write {what}, or _ stale nan"


def read_sample(word: str, spec: SignalSpec) -> TestSample | None:
    """Return the sample that `word` is for a signal, None where it is none."""
    word, at, how = word.partition("@")
    if at:
        match = _LATE.fullmatch(how)
        sample = read_sample(word, spec)
        if match is None or sample is None or isinstance(sample, Late) or sample in (Gap.NOTHING, Gap.STALE):
            return None
        try:
            by = parse_duration(match[1])
        except ValueError:
            return None
        return Late(sample, by) if by > 0 else None
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
