"""A comparison as JSON data: all of it, nothing capped. docs/review.md holds the shape."""

from __future__ import annotations

from collections.abc import Iterable

from engine.model.codec import Data
from engine.model.time import SECOND, format_instant
from engine.ruleset.loosening import Change
from engine.ruleset.words import restraint_words
from engine.workbench.diff_episodes import Divergence, EpisodeChange
from engine.workbench.diff_orders import OrderCase, OrderDiff
from engine.workbench.diff_report import InstanceDiff, Report, RuleDiff, SideInfo
from engine.workbench.diff_spans import ScopeDiff, Stretch, Way, scope_words, total
from engine.workbench.diff_tests import TestChange
from engine.workbench.timeline import EpisodeSpan, Judgement

VERSION = 1


def report_data(report: Report) -> Data:
    """Return `report` as JSON data. Instants are ISO 8601 in UTC, lengths are seconds, amounts are USD."""
    acknowledged = report.acknowledged
    return {
        "version": VERSION,
        "verdict": verdict_word(report),
        "passed": report.passed,
        "pair": report.pair,
        "acknowledged": None if acknowledged is None else {
            "by": acknowledged.by, "reason": acknowledged.reason,
            "at": format_instant(acknowledged.at) if acknowledged.at else None,
        },
        "loosenings": list(report.loosenings), "paste": report.paste or None,
        "base": _side(report.base), "head": _side(report.head),
        "history": {
            "name": report.range.name, "begin": format_instant(report.range.begin),
            "end": format_instant(report.range.end), "length_s": _seconds(report.range.end - report.range.begin),
            "records": report.range.records, "symbols": list(report.range.symbols), "rearm": report.range.rearm,
            "exact": report.range.exact, "asked": report.range.asked,
        },
        "coverage": [
            {
                "signal": one.signal, "series": one.series, "known": round(one.known, 6), "worst": round(one.worst, 6),
                "worst_labels": list(one.worst_labels),
            }
            for one in report.coverage
        ],
        "rules": [_rule(rule) for rule in report.rules],
        "policy": {"whole": report.policy_whole, "scopes": [_scope(one) for one in report.policy]},
        "orders": None if report.orders is None else _orders(report.orders),
        "changes": _changes(report.changes),
        "orphans": [{"latch": one.latch, "why": one.why, "clear_with": one.clear_with} for one in report.orphans],
        "notes": list(report.notes),
    }


def verdict_word(report: Report) -> str:
    """Return the verdict on the whole change in a word or three."""
    if report.loosenings:
        return "acknowledged loosening" if report.passed else "loosening"
    changed = any(one.became != "unchanged" for one in report.rules) or report.changes
    return "no loosening" if changed else "no change"


def _side(side: SideInfo) -> Data:
    return {
        "name": side.name, "commit": side.commit or None, "digest": side.digest, "rules": side.rules,
        "conf_from": side.conf_from or None,
    }


def _rule(rule: RuleDiff) -> Data:
    return {
        "id": rule.id, "summary": rule.summary, "place": rule.place, "became": rule.became,
        "verdict": rule.verdict.value, "why": rule.why, "base_expr": rule.base_expr or None,
        "head_expr": rule.head_expr or None,
        "looser_s": _seconds(rule.length(Way.LOOSER)), "stricter_s": _seconds(rule.length(Way.STRICTER)),
        "incomparable_s": _seconds(rule.length(Way.INCOMPARABLE)),
        "changes": _changes(rule.changes), "tests": [_test(one) for one in rule.tests],
        "orders_refused_more": rule.refused[0], "orders_refused_less": rule.refused[1],
        "instances": [_instance(one) for one in rule.instances],
    }


def _instance(one: InstanceDiff) -> Data:
    sides = [side for side in (one.base, one.head) if side is not None]
    labels = sides[0].labels if sides else ()
    return {
        "instance": one.instance, "labels": list(labels),
        "base": None if one.base is None else _exercise(one.base.known, one.base.unknown, len(one.base.episodes)),
        "head": None if one.head is None else _exercise(one.head.known, one.head.unknown, len(one.head.episodes)),
        "less": [_stretch(span) for span in one.stretches if span.way is not Way.STRICTER],
        "more": [_stretch(span) for span in one.stretches if span.way is Way.STRICTER],
        "episodes": [_episode(change) for change in one.episodes],
        "first_divergence": None if one.divergence is None else _divergence(one.divergence),
    }


def _exercise(known: int, unknown: int, episodes: int) -> Data:
    return {"known_s": _seconds(known), "unknown_s": _seconds(unknown), "episodes": episodes}


def _stretch(span: Stretch) -> Data:
    return {
        "begin": format_instant(span.begin), "end": format_instant(span.end), "length_s": _seconds(span.length),
        "way": span.way.value, "base": restraint_words(span.base) or "nothing",
        "head": restraint_words(span.head) or "nothing",
        "base_because": list(span.base_because), "head_because": list(span.head_because),
    }


def _episode(change: EpisodeChange) -> Data:
    return {"became": change.became.value, "base": _span(change.base), "head": _span(change.head)}


def _span(span: EpisodeSpan | None) -> Data:
    if span is None:
        return None
    return {
        "number": span.number, "begin": format_instant(span.begin), "end": format_instant(span.end),
        "open": span.open, "action": span.action or None,
    }


def _divergence(one: Divergence) -> Data:
    return {
        "at": format_instant(one.at), "base_state": one.base_state, "head_state": one.head_state,
        "base_why": one.base_why or None, "head_why": one.head_why or None, "inputs": dict(one.inputs),
    }


def _test(one: TestChange) -> Data:
    return {"name": one.name, "became": one.became, "place": str(one.place), "lines": list(one.lines)}


def _scope(one: ScopeDiff) -> Data:
    return {
        "scope": scope_words(one.scope), "looser_s": _seconds(total(one.stretches, Way.LOOSER)),
        "stricter_s": _seconds(total(one.stretches, Way.STRICTER)),
        "incomparable_s": _seconds(total(one.stretches, Way.INCOMPARABLE)),
        "spans": [_stretch(span) for span in one.stretches],
    }


def _orders(orders: OrderDiff) -> Data:
    return {
        "proposals": orders.proposals, "notional_usd": round(orders.notional_usd, 2),
        "blocked": orders.blocked, "blocked_usd": round(orders.blocked_usd, 2),
        "let_through": orders.let_through, "let_through_usd": round(orders.let_through_usd, 2),
        "blocked_examples": [_case(one) for one in orders.blocked_examples],
        "let_through_examples": [_case(one) for one in orders.let_through_examples],
    }


def _case(case: OrderCase) -> Data:
    one = case.base
    return {
        "at": format_instant(one.at), "symbol": one.symbol, "intent": one.intent,
        "asked_usd": round(one.notional_usd, 2), "base": _judged(one), "head": _judged(case.head),
    }


def _judged(one: Judgement) -> Data:
    return {"allowed_usd": round(one.allowed_usd, 2), "refused_by": list(one.refused_by)}


def _changes(changes: Iterable[Change]) -> list[Data]:
    return [
        {
            "rule": one.rule or None, "what": one.what, "before": one.before, "after": one.after,
            "direction": one.direction.value, "why": one.why,
            "place": None if one.place is None else str(one.place),
        }
        for one in changes
    ]


def _seconds(ns: int) -> float:
    return round(ns / SECOND, 3)
