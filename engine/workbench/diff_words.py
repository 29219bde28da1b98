"""A comparison in words: what every renderer says alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from shlex import quote

from engine.model.restraints import Restraint
from engine.model.time import DAY, MS, SECOND, format_duration, format_instant, format_second
from engine.ruleset.loosening import Direction
from engine.ruleset.words import inputs_text, printable, restraint_words
from engine.workbench.diff_coverage import Coverage
from engine.workbench.diff_episodes import Divergence, EpisodeChange
from engine.workbench.diff_orders import OrderCase, OrderDiff
from engine.workbench.diff_report import InstanceDiff, Report, RuleDiff, SideInfo, Verdict
from engine.workbench.diff_spans import Stretch, Way

NOTHING = "nothing"


def headline(report: Report) -> str:
    """Return the verdict on the whole change: what it does, without a subject or a full stop."""
    if not report.loosenings:
        changed = any(rule.became != "unchanged" for rule in report.rules) or report.changes
        return "restrains nowhere less" if changed else "changes no rule, flag or signal"
    does = "loosens" if _proven(report) else "may loosen"
    if report.acknowledged is not None:
        return f"{does}, acknowledged by {printable(report.acknowledged.by)}"
    return f"{does}, and nobody has acknowledged it"


def _proven(report: Report) -> bool:
    """Whether something is looser, not only incomparable."""
    changes = [*report.changes, *(change for rule in report.rules for change in rule.changes)]
    did = any(rule.length(Way.LOOSER) or rule.refused[1] for rule in report.rules) or report.policy_length(Way.LOOSER)
    return bool(did) or any(change.direction is Direction.LOOSER for change in changes)


def side_words(side: SideInfo) -> str:
    """Return which side: its name, commit and digest."""
    commit = f", commit {side.commit[:12]}" if side.commit else ", as it lies on the disk"
    conf = ", signals and flags from here" if side.conf_from else ""
    return f"{printable(side.name)}{commit}{conf}, {side.rules} rules, digest {side.digest[:12]}"


def range_words(report: Report) -> str:
    """Return what was replayed, in one line."""
    known = report.range
    symbols = ", ".join(known.symbols[:8]) or "none"
    if len(known.symbols) > 8:
        symbols += f" and {len(known.symbols) - 8} more"
    how = "step by step" if known.exact else "where a truth value changed"
    return (
        f"{printable(known.name)}: {_second(known.begin)} to {_second(known.end)}, "
        f"{format_duration(known.end - known.begin)}, {known.records:,} records, replayed {how}; "
        f"symbols: {printable(symbols)}"
    )


def _second(ns: int) -> str:
    return format_second(ns).replace("T", " ").removesuffix("Z")


def coverage_words(one: Coverage) -> str:
    """Return how much of the history a signal was known in."""
    if not one.series:
        return "never heard"
    known = share(one.known)
    if one.series == 1:
        return known
    worst = f", least {share(one.worst)} ({printable(','.join(one.worst_labels))})" if one.worst < one.known else ""
    return f"{known} over {one.series} series{worst}"


def share(part: float) -> str:
    """Return a share as a percentage that is 100 only for all of it, and 0 only for none."""
    if part <= 0 or part >= 1:
        return "100 %" if part >= 1 else "0 %"
    return f"{min(99.99, max(0.01, part * 100)):.2f} %"


def instant(ns: int) -> str:
    """Return `ns` for reading: date and time in UTC, to the millisecond only where it is none of a second."""
    return format_instant(ns - ns % MS).replace("T", " ").removesuffix("Z")


def span_words(begin: int, end: int) -> str:
    """Return a span for reading; the second date only where it is another day."""
    last = instant(end)
    if begin // DAY == end // DAY:
        last = last[11:]
    return f"{instant(begin)} to {last} ({length(end - begin)})"


def length(ns: int) -> str:
    """Return a length in minutes as people count what was guarded: `92 min`, `1 min 20 s`, `45 s`."""
    if 0 < ns < SECOND:
        return format_duration(ns)
    minutes, seconds = divmod(ns // SECOND, 60)
    parts = [f"{minutes:,} min"] if minutes else []
    return " ".join([*parts, f"{seconds} s"]) if seconds else parts[0] if parts else "0 min"


def restrained(span: Stretch) -> str:
    """Return what a stretch changes: `level halted (firing, latched) -> nothing`."""
    return f"{_imposed(span.base, span.base_because)} -> {_imposed(span.head, span.head_because)}"


def _imposed(restraint: Restraint, because: Sequence[str]) -> str:
    return f"{restraint_words(restraint)} ({', '.join(because)})" if because else NOTHING


def policy_words(report: Report) -> str:
    """Return for how long the joined policy is looser, and why that is less than the rules alone say."""
    joined = report.policy_length(Way.LOOSER)
    alone = max((rule.length(Way.LOOSER) for rule in report.rules), default=0)
    told = f"the joined policy looser for at most {length(joined)}"
    return f"{told}, because other rules restrained the same minutes" if joined < alone else told


def is_told(rule: RuleDiff) -> bool:
    """Return whether a rule is shown by itself: it was changed, or it did otherwise."""
    did = rule.verdict in (Verdict.LOOSER, Verdict.BOTH, Verdict.STRICTER)
    return rule.became != "unchanged" or did or bool(rule.tests)


def quiet_words(rules: Sequence[RuleDiff]) -> str:
    """Return what there is to say of the rules that are not shown by themselves."""
    counts = Counter(rule.verdict for rule in rules)
    parts = [f"{len(rules)} rules are not changed"]
    if counts[Verdict.NOT_EXERCISED]:
        parts.append(f"{counts[Verdict.NOT_EXERCISED]} of them not exercised by this history")
    if counts[Verdict.NOT_REPLAYABLE]:
        parts.append(f"{counts[Verdict.NOT_REPLAYABLE]} not replayable over it")
    return ", ".join(parts)


def minutes_words(rule: RuleDiff) -> str:
    """Return for how long a rule restrains less, otherwise and more; empty where it restrains alike."""
    parts = [
        f"{way.value} {length(rule.length(way))}"
        for way in (Way.LOOSER, Way.INCOMPARABLE, Way.STRICTER) if rule.length(way)
    ]
    return ", ".join(parts)


def episode_counts(changes: Iterable[EpisodeChange]) -> str:
    """Return how many episodes came, went and moved: `1 added, 2 removed`; empty for none."""
    counts = Counter(change.became.value for change in changes)
    return ", ".join(f"{counts[word]} {word}" for word in ("added", "removed", "moved") if counts[word])


def episode_words(change: EpisodeChange) -> str:
    """Return one episode's change in words."""
    sides = [
        f"{name} {span_words(side.begin, side.end)}{', still open' if side.open else ''}"
        + (f", {printable(side.action)}" if side.action else "")
        for name, side in (("base", change.base), ("head", change.head)) if side is not None
    ]
    return f"{change.became.value}: {'; '.join(sides)}"


def divergence_words(one: Divergence) -> list[str]:
    """Return the first divergence in lines: when, what was read, and what either side made of it."""
    lines = [f"{instant(one.at)}, reading {inputs_text(one.inputs)}" if one.inputs else instant(one.at)]
    for name, state, why in (("base", one.base_state, one.base_why), ("head", one.head_state, one.head_why)):
        moved = f"moved to {state}: {printable(why)}" if why else f"stayed {state}"
        lines.append(f"{name} {moved}" if state != "no such instance" else f"{name} has no such instance")
    return lines


def lost(rule: RuleDiff) -> list[tuple[InstanceDiff, Stretch]]:
    """Return every stretch in which an instance of `rule` restrains less, or incomparably, in order of time."""
    found = [(one, span) for one in rule.instances for span in one.stretches if span.way is not Way.STRICTER]
    return sorted(found, key=lambda pair: (pair[1].begin, pair[0].instance))


def gained(rule: RuleDiff) -> list[tuple[InstanceDiff, Stretch]]:
    """Return every stretch in which an instance of `rule` restrains more, in order of time."""
    found = [(one, span) for one in rule.instances for span in one.stretches if span.way is Way.STRICTER]
    return sorted(found, key=lambda pair: (pair[1].begin, pair[0].instance))


def parted(rule: RuleDiff) -> tuple[InstanceDiff, Divergence] | None:
    """Return the first divergence of any instance of `rule`, and whose it is."""
    found = [(one, one.divergence) for one in rule.instances if one.divergence is not None]
    return min(found, key=lambda pair: pair[1].at, default=None)


def orders_words(orders: OrderDiff) -> list[str]:
    """Return what the recorded orders would have met, in lines."""
    return [
        f"{orders.proposals:,} recorded orders, {orders.notional_usd:,.0f} USD",
        f"blocked by the head: {orders.blocked_usd:,.0f} USD in {orders.blocked:,} orders",
        f"let through by the head: {orders.let_through_usd:,.0f} USD in {orders.let_through:,} orders",
    ]


def case_words(case: OrderCase) -> str:
    """Return one order that is judged otherwise."""
    one = case.base
    return (
        f"{instant(one.at)} {printable(one.symbol)} {printable(one.intent)}, asked {one.notional_usd:,.0f} USD: "
        f"base allows {_allowed(one.allowed_usd, one.refused_by)}, "
        f"head {_allowed(case.head.allowed_usd, case.head.refused_by)}"
    )


def _allowed(usd: float, refused_by: Sequence[str]) -> str:
    return f"{usd:,.0f} USD" + (f" (refused by {', '.join(refused_by)})" if refused_by else "")


def answered(report: Report) -> list[str]:
    """Return who answers for the loosening; empty where nobody does, or nothing is loosened."""
    known = report.acknowledged
    if known is None or not report.loosenings:
        return []
    when = f" at {instant(known.at)}" if known.at else " on the command line"
    why = f": {printable(known.reason)}" if known.reason else ""
    return [f"acknowledged by {printable(known.by)}{when}{why}", f"pair {report.pair}"]


def to_type(report: Report) -> str:
    """Return the command by which whoever answers for the loosening says so."""
    return (
        f"engine rules diff {quote(report.base.name)} {quote(report.head.name)} {report.range.asked} "
        f"--allow-loosening {report.pair}"
    )
