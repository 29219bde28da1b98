"""A replay for the terminal: what was replayed first, then rule by rule what would have happened."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from engine.cli.text import Paint, columns
from engine.model.time import format_duration
from engine.ruleset.spec import Enforcement, RuleSpec
from engine.ruleset.words import printable, restraint_words
from engine.workbench import diff_words as words
from engine.workbench.replay import Exercise, exercise
from engine.workbench.replay_report import HELD, Replayed, covered_length
from engine.workbench.timeline import InstanceTimeline

MOST_LINES = 20
"""Of episodes or stretches of one instance; json has them all."""
_REARMS = {
    "recorded": "as they were recorded", "on-clear": "on-clear: as soon as `engine rearm` would accept it",
    "never": "never: a latch holds to the end",
}
_COLOURS = {"firing": "red", "latched": "red", HELD: "yellow", "cooldown": "blue"}


def replay_lines(found: Replayed, paint: Paint) -> Iterator[str]:
    """Yield `found` line by line."""
    timeline = found.timeline
    standings = exercise(found.ruling, timeline)
    rules = sorted(found.ruling.rules.rules, key=lambda one: one.id)
    lives: dict[str, list[InstanceTimeline]] = {spec.id: [] for spec in rules}
    for one in timeline.instances.values():
        lives[one.rule].append(one)
    yield from _head(found)
    told = [spec for spec in rules if any(one.grips or one.transitions for one in lives[spec.id])]
    for spec in told:
        yield ""
        yield from _rule(spec, lives[spec.id], found, paint, standings[spec.id])
    yield from _orders(found, paint)
    yield from _rest(found, [spec for spec in rules if spec not in told], standings, paint)


def _head(found: Replayed) -> Iterator[str]:
    timeline, options = found.timeline, found.options
    symbols = sorted(options.symbols) or list(found.symbols)
    rows = [
        ("history", f"{printable(found.header.name)}, {words.instant(timeline.begin)} to {words.instant(timeline.end)} "
         f"({format_duration(timeline.end - timeline.begin)}), {timeline.rows:,} records"),
        ("symbols", printable(", ".join(symbols)) or "none"),
        ("rules", f"{len(found.ruling.rules.rules)}{found.chosen}, digest {found.ruling.rules.digest[:12]}"),
        ("re-arms", _REARMS[options.rearm]),
    ]
    yield from columns(rows, indent="")
    yield "coverage"
    yield from columns((one.signal, words.coverage_words(one)) for one in found.coverage)


def _rule(
    spec: RuleSpec, lives: Sequence[InstanceTimeline], found: Replayed, paint: Paint, standing: Exercise
) -> Iterator[str]:
    grips = [grip for one in lives for grip in one.grips]
    shadow = spec.enforcement is Enforcement.SHADOW
    whole = covered_length((grip.begin, grip.end) for grip in grips)
    sure = covered_length((grip.begin, grip.end) for grip in grips if grip.because != HELD)
    length = found.timeline.end - found.timeline.begin
    said = "would have restrained" if shadow else "restrained"
    if grips:
        said += f" {words.length(whole)} of {format_duration(length)} ({words.share(whole / length)})"
        said += f", {words.length(whole - sure)} of it for doubt alone" if whole > sure else ""
    else:
        said = "moved, and restrained nothing"
    silent = "" if standing is Exercise.EXERCISED else f"  {paint(standing.value, 'yellow')}"
    yield f"{paint(spec.id, 'bold')}  {said}{silent}"
    yield f"  {printable(spec.summary)} ({spec.place.file}:{spec.place.line}{', shadow' if shadow else ''})"
    for one in lives:
        if one.grips or one.transitions:
            yield from _instance(one, found.timeline.end, paint)


def _instance(one: InstanceTimeline, end: int, paint: Paint) -> Iterator[str]:
    if one.labels:
        yield f"  {one.instance}"
    rows = [
        (span.begin, paint(f"episode {span.number}", "cyan"), words.span_words(span.begin, span.end),
         ", ".join(word for word in (span.action, "still open" if span.open else "") if word))
        for span in one.episodes
    ]
    rows += [
        (grip.begin, paint(grip.because, _COLOURS[grip.because]), words.span_words(grip.begin, grip.end),
         restraint_words(grip.restraint) + (", to the end" if grip.end == end else ""))
        for grip in one.grips
    ]
    rows.sort(key=lambda row: row[0])
    yield from _capped(columns([row[1:] for row in rows], indent="    "))
    if not one.episodes and not one.grips:
        moves = [(words.instant(move.at), f"{move.before} > {move.after}", move.why) for move in one.transitions]
        yield from _capped(columns(moves, indent="    "))


def _capped(lines: Iterable[str]) -> Iterator[str]:
    known = list(lines)
    yield from known[:MOST_LINES]
    if len(known) > MOST_LINES:
        yield f"    and {len(known) - MOST_LINES} more: --format json has them all"


def _orders(found: Replayed, paint: Paint) -> Iterator[str]:
    judgements = found.timeline.judgements
    if not judgements:
        return
    refused = [one for one in judgements if one.refused_by]
    cut = sum(not one.refused_by and one.allowed_usd < one.notional_usd for one in judgements)
    asked, allowed = (sum(getattr(one, name) for one in judgements) for name in ("notional_usd", "allowed_usd"))
    yield ""
    alone = " by these rules alone" if found.chosen else ""
    yield f"{paint('orders', 'bold')}  {len(judgements)} asked for, {len(refused)} refused{alone}, {cut} made smaller"
    rows = [("asked", f"{asked:,.0f} USD", ""), ("let through", f"{allowed:,.0f} USD", "")]
    for rule in sorted({name for one in refused for name in one.refused_by}):
        against = [one for one in refused if rule in one.refused_by]
        rows.append((f"refused by {rule}", f"{sum(one.notional_usd for one in against):,.0f} USD", f"{len(against)}"))
    yield from columns(rows, right=frozenset({1, 2}))


def _rest(
    found: Replayed, quiet: Sequence[RuleSpec], standings: dict[str, Exercise], paint: Paint
) -> Iterator[str]:
    timeline = found.timeline
    rows: list[tuple[str, str]] = []
    for standing in (Exercise.EXERCISED, Exercise.NOT_EXERCISED, Exercise.NEVER_EVALUATED):
        named = [spec.id for spec in quiet if standings[spec.id] is standing]
        if named:
            word = "asked at each order" if standing is Exercise.EXERCISED else standing.value
            rows.append((word, ", ".join(named)))
    if rows or timeline.not_replayable or timeline.open_latches:
        yield ""
    yield from columns(rows, indent="")
    if any(standings[spec.id] is Exercise.NOT_EXERCISED for spec in quiet):
        yield "  (a condition that was never known true: this history says nothing of what it does)"
    for rule, why in timeline.not_replayable.items():
        yield f"{paint('not replayable', 'yellow')}  {rule}: {why}"
    if timeline.open_latches:
        yield f"open at the end  {', '.join(timeline.open_latches)}"


