"""A comparison of rules for the terminal: coverage and verdict first, then rule by rule."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from engine.cli.text import Paint, columns
from engine.ruleset.loosening import Change
from engine.ruleset.words import printable
from engine.workbench import diff_words as words
from engine.workbench.diff_report import InstanceDiff, Report, RuleDiff, Verdict
from engine.workbench.diff_spans import Stretch, Way, scope_words, total

MOST_SPANS = 20
_SHORT = 60
_COLOURS = {
    Verdict.LOOSER: "red", Verdict.BOTH: "red", Verdict.STRICTER: "green", Verdict.NOT_REPLAYABLE: "yellow",
    Verdict.NOT_EXERCISED: "yellow", Verdict.SAME: "dim",
}


def report_lines(report: Report, paint: Paint) -> Iterator[str]:
    """Yield `report` line by line."""
    yield from columns([
        ("history", words.range_words(report)), ("re-arms", report.range.rearm),
        ("base", words.side_words(report.base)), ("head", words.side_words(report.head)),
    ], indent="")
    yield "coverage"
    yield from columns((one.signal, words.coverage_words(one)) for one in report.coverage)
    told = [rule for rule in report.rules if words.is_told(rule)]
    for rule in told:
        yield ""
        yield from _rule(rule, paint)
    yield ""
    yield from _quiet([rule for rule in report.rules if rule not in told])
    yield from _rest(report)
    yield ""
    yield from _verdict(report, paint)


def _rule(rule: RuleDiff, paint: Paint) -> Iterator[str]:
    yield f"{paint(rule.id, 'bold')}  {paint(rule.verdict.value, _COLOURS[rule.verdict])}  {rule.why}"
    yield f"  {printable(rule.summary)} ({rule.place}, {rule.became})"
    if rule.base_expr != rule.head_expr:
        yield from columns([("base", rule.base_expr or "not there"), ("head", rule.head_expr or "not there")])
    yield from _changes(rule.changes)
    first = words.parted(rule)
    if first is not None:
        at, *sides = words.divergence_words(first[1])
        yield f"  first divergence ({first[0].instance}) {at}"
        yield from (f"    {line}" for line in sides)
    for title, spans, colour in (
        ("no longer guarded as before", words.lost(rule), "red"),
        ("guarded more than before", words.gained(rule), "green"),
    ):
        if spans:
            yield f"  {paint(title, colour)}"
            yield from _spans(spans)
    episodes = [(one, change) for one in rule.instances for change in one.episodes]
    if episodes:
        yield f"  episodes: {words.episode_counts(change for _, change in episodes)}"
        yield from _capped([f"    {one.instance} {words.episode_words(change)}" for one, change in episodes])
    for test in rule.tests:
        yield f"  test {test.became}: {test.name} ({test.place})"
        yield from (f"    {paint(printable(line), _of_line(line))}" for line in test.lines)


def _of_line(line: str) -> str:
    return {"+": "green", "-": "red"}.get(line[:1], "dim")


def _spans(spans: Sequence[tuple[InstanceDiff, Stretch]]) -> Iterator[str]:
    rows = [
        (one.instance, words.span_words(span.begin, span.end), words.restrained(span), _odd(span))
        for one, span in spans
    ]
    yield from _capped(columns(rows, indent="    "))


def _odd(span: Stretch) -> str:
    return "incomparable" if span.way is Way.INCOMPARABLE else ""


def _capped(lines: Sequence[str]) -> Iterator[str]:
    yield from lines[:MOST_SPANS]
    if len(lines) > MOST_SPANS:
        yield f"    and {len(lines) - MOST_SPANS} more; --format json has all"


def _changes(changes: Iterable[Change]) -> Iterator[str]:
    for one in changes:
        before, after = printable(one.before) or "nothing", printable(one.after) or "nothing"
        yield f"  {one.direction.value}  {printable(one.what)}: {printable(one.why)}"
        if len(before) + len(after) <= _SHORT:
            yield f"    {before} -> {after}"
        else:
            yield from (f"    - {before}", f"    + {after}")


def _quiet(rules: Sequence[RuleDiff]) -> Iterator[str]:
    if not rules:
        return
    yield words.quiet_words(rules)
    yield from columns((rule.id, rule.verdict.value, rule.why) for rule in rules if rule.verdict is not Verdict.SAME)


def _rest(report: Report) -> Iterator[str]:
    if report.changes:
        yield "changes that no rule uses"
        yield from _changes(report.changes)
    if report.policy:
        yield "the joined policy"
        ways = (Way.LOOSER, Way.INCOMPARABLE, Way.STRICTER)
        yield from _capped(columns(
            (scope_words(one.scope), *(f"{way.value} {words.length(total(one.stretches, way))}" for way in ways))
            for one in report.policy
        ))
    if report.orders is not None:
        yield "orders of this history"
        cases = (*report.orders.let_through_examples, *report.orders.blocked_examples)
        yield from (f"  {line}" for line in words.orders_words(report.orders))
        yield from (f"    {words.case_words(case)}" for case in cases)
    if report.orphans:
        yield "latches this would orphan"
        yield from (f"  {one.latch}: {one.why}: {one.clear_with}" for one in report.orphans)
    yield from (f"note: {note}" for note in report.notes)


def _verdict(report: Report, paint: Paint) -> Iterator[str]:
    yield paint(f"The change {words.headline(report)}.", "bold", "green" if report.passed else "red")
    yield from (f"  {printable(line)}" for line in report.loosenings)
    yield from words.answered(report)
    if not report.passed:
        yield f"To acknowledge exactly this pair, {report.pair}, paste into acks.yaml under `acks:`, and commit it too:"
        yield from report.paste.splitlines()
        yield "or type:"
        yield f"  {words.to_type(report)}"
