"""What a replay found, rule by rule, as data for whoever renders it. Instants are ISO text, durations seconds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from engine.model.codec import to_data
from engine.model.history import HistoryHeader
from engine.model.time import SECOND, format_instant
from engine.ports.history import History
from engine.ruleset.reading import signals_of
from engine.ruleset.ruling import Ruling
from engine.ruleset.spec import RuleSpec
from engine.ruleset.words import restraint_words
from engine.workbench.diff_coverage import Coverage, CoverageCount
from engine.workbench.replay import ReplayOptions, exercise
from engine.workbench.timeline import Grip, InstanceTimeline, Judgement, Timeline

HELD = "held"


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """A replay with what it was made of."""

    ruling: Ruling
    header: HistoryHeader
    options: ReplayOptions
    timeline: Timeline
    coverage: tuple[Coverage, ...]
    symbols: tuple[str, ...]
    chosen: str = ""
    """Where rules were left out, out of how many these are: ` of 10`."""


def covered(ruling: Ruling, history: History, timeline: Timeline) -> tuple[tuple[Coverage, ...], tuple[str, ...]]:
    """Return how much of the history the signals that rules of `ruling` read were known in, and which symbols it has.

    HistoryError where the history cannot be read.
    """
    names = {name for rule in ruling.rules.rules for name in signals_of(rule.expr, rule.clear_expr)}
    specs = ruling.catalogue.specs
    count = CoverageCount(specs, specs, timeline.begin)
    for record in history.records():
        if record.at >= timeline.end:
            break
        count.add(record)
    coverage = tuple(one for one in count.covered(timeline.end) if one.signal in names)
    return coverage, tuple(sorted(count.symbols))


def replay_data(found: Replayed) -> dict[str, Any]:
    """Return all that a replay found as JSON data; equal replays give equal data."""
    timeline = found.timeline
    by_rule: dict[str, list[InstanceTimeline]] = {}
    for one in timeline.instances.values():
        by_rule.setdefault(one.rule, []).append(one)
    standings = exercise(found.ruling, timeline)
    return {
        "history": {
            "name": found.header.name, "begin": format_instant(timeline.begin), "end": format_instant(timeline.end),
            "seconds": _seconds(timeline.end - timeline.begin), "records": timeline.rows,
            "symbols": sorted(found.options.symbols) or list(found.symbols), "rearm": found.options.rearm,
        },
        "rules_digest": found.ruling.rules.digest,
        "coverage": [asdict(one) for one in found.coverage],
        "rules": [
            _rule(spec, standings[spec.id].value, by_rule.get(spec.id, []), timeline)
            for spec in sorted(found.ruling.rules.rules, key=lambda one: one.id)
        ],
        "orders": _orders(timeline.judgements),
        "open_latches": list(timeline.open_latches),
    }


def _rule(spec: RuleSpec, standing: str, lives: Sequence[InstanceTimeline], timeline: Timeline) -> dict[str, Any]:
    grips = [grip for one in lives for grip in one.grips]
    return {
        "rule": spec.id, "kind": spec.kind.value, "summary": spec.summary, "source": f"{spec.place.file}:"
        f"{spec.place.line}", "enforcement": spec.enforcement.value, "standing": standing,
        "why_not": timeline.not_replayable.get(spec.id, ""), **_lengths(grips),
        "instances": [_instance(one) for one in lives],
    }


def _instance(one: InstanceTimeline) -> dict[str, Any]:
    return {
        "instance": one.instance, "labels": list(one.labels), "shadow": one.shadow, **_lengths(one.grips),
        "known_s": _seconds(one.known), "unknown_s": _seconds(one.unknown),
        "ever_true": one.ever_true, "ever_false": one.ever_false,
        "episodes": [
            {
                "number": span.number, **_span(span.begin, span.end), "open": span.open, "action": span.action,
            }
            for span in one.episodes
        ],
        "restraints": [
            {
                **_span(grip.begin, grip.end), "because": grip.because, "restrains": restraint_words(grip.restraint),
                "restraint": to_data(grip.restraint), "scope": to_data(grip.scope),
            }
            for grip in one.grips
        ],
        "transitions": [
            {
                "at": format_instant(move.at), "before": move.before, "after": move.after, "why": move.why,
                "inputs": dict(move.inputs),
            }
            for move in one.transitions
        ],
    }


def _lengths(grips: Iterable[Grip]) -> dict[str, float]:
    """Return for how long anything restrained, and for how long of that nothing but doubt did."""
    held = list(grips)
    whole = covered_length((grip.begin, grip.end) for grip in held)
    sure = covered_length((grip.begin, grip.end) for grip in held if grip.because != HELD)
    return {"restrained_s": _seconds(whole), "held_s": _seconds(whole - sure)}


def covered_length(spans: Iterable[tuple[int, int]]) -> int:
    """Return how much (ns) the spans [begin, end) cover together."""
    length, until = 0, -1
    for begin, end in sorted(spans):
        if end > until:
            length += end - max(begin, until)
            until = end
    return length


def _orders(judgements: Sequence[Judgement]) -> dict[str, Any]:
    refused = [one for one in judgements if one.refused_by]
    by_rule = Counter(rule for one in refused for rule in one.refused_by)
    return {
        "asked": len(judgements), "refused": len(refused),
        "cut": sum(not one.refused_by and one.allowed_usd < one.notional_usd for one in judgements),
        "asked_usd": round(sum(one.notional_usd for one in judgements), 2),
        "allowed_usd": round(sum(one.allowed_usd for one in judgements), 2),
        "refused_by": dict(sorted(by_rule.items())),
        "judgements": [
            {
                "index": one.index, "at": format_instant(one.at), "symbol": one.symbol, "intent": one.intent,
                "notional_usd": one.notional_usd, "allowed_usd": one.allowed_usd, "refused_by": list(one.refused_by),
            }
            for one in judgements
        ],
    }


def _span(begin: int, end: int) -> dict[str, Any]:
    return {"begin": format_instant(begin), "end": format_instant(end), "seconds": _seconds(end - begin)}


def _seconds(ns: int) -> float:
    return ns / SECOND
