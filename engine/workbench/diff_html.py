"""A comparison as one HTML page that needs nothing else: no script, no font, no address outside itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from html import escape
from typing import TypeVar

from engine.ruleset.loosening import Change
from engine.ruleset.words import printable
from engine.workbench import diff_words as words
from engine.workbench.diff_lanes import Window, lanes
from engine.workbench.diff_report import InstanceDiff, Report, RuleDiff, Verdict
from engine.workbench.diff_spans import Stretch, Way, scope_words, total
from engine.workbench.diff_style import STYLE

MOST_ROWS = 500
MOST_CHARTS = 80
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_LEGEND = (
    ("entries_paused", "entries paused"), ("reduce_only", "reduce only"), ("halted", "halted"),
    ("other", "smaller, muted or denied"), ("halted held", "held in doubt"), ("halted latched", "latched"),
    ("halted cooldown", "cooldown"), ("halted shadow", "in shadow: not in force"), ("episode", "episode"),
)
Item = TypeVar("Item")


def report_html(report: Report) -> str:
    """Return `report` as a page. Everything that came from a file is text in it and nothing else."""
    whole = Window(begin=report.range.begin, end=report.range.end)
    told = [rule for rule in report.rules if words.is_told(rule)]
    charts = _Charts(whole)
    parts = [
        _head(report), _coverage(report), _verdict(report), _overview(report), _legend() if told else "",
        *(_rule(rule, charts) for rule in told), _policy(report), _orders(report), _others(report),
        _orphans(report), _notes(report),
    ]
    title = f"Rules: {report.base.name} to {report.head.name}"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{text(title)}</title><style>{STYLE}</style></head>\n<body>\n<main>\n"
        + "\n".join(part for part in parts if part) + "\n</main>\n</body></html>\n"
    )


def text(value: str) -> str:
    """Return `value` as text of the page, also within an attribute; nothing invisible is left in it."""
    return escape(printable(value), quote=True)


class _Charts:
    """Draws lanes until the page has enough of them."""

    def __init__(self, whole: Window) -> None:
        self._whole, self._left = whole, MOST_CHARTS

    def draw(self, one: InstanceDiff) -> str:
        self._left -= 1
        if self._left < 0:
            return '<p class="soft">Not drawn: the page has enough timelines. The JSON has every span.</p>'
        return lanes(one, self._whole)


def _head(report: Report) -> str:
    facts = [
        ("History", words.range_words(report)), ("Re-arms", report.range.rearm),
        ("Base", words.side_words(report.base)), ("Head", words.side_words(report.head)),
        ("Restrained", "; ".join(
            f"{way.value} {words.length(sum(rule.length(way) for rule in report.rules))}" for way in Way
        ) + f", over all rules; {words.policy_words(report)}"),
    ]
    rows = "".join(f"<dt>{name}</dt><dd>{text(value)}</dd>" for name, value in facts)
    word = "passed" if report.passed else "failed"
    return (
        f"<h1>Rules: <code>{text(report.base.name)}</code> to <code>{text(report.head.name)}</code> "
        f'<span class="tag {"stricter" if report.passed else "looser"}">{word}</span></h1>\n<dl>{rows}</dl>'
    )


def _verdict(report: Report) -> str:
    kind = "fails" if not report.passed else "answered" if report.loosenings else ""
    listed = _list(report.loosenings, text) if report.loosenings else ""
    told = "".join(f"<p>{text(line)}</p>" for line in words.answered(report))
    if not report.passed:
        told = (
            f"<p>It needs an acknowledgement of exactly this pair, <code>{report.pair}</code>. Paste into "
            "<code>acks.yaml</code>, with who answers for it and why, and commit it with the change:</p>"
            f"<pre>{escape(report.paste)}</pre><p>or type:</p><pre>{text(words.to_type(report))}</pre>"
            "<p>Any further change makes another pair.</p>"
        )
    said = f"<p><strong>The change {text(words.headline(report))}.</strong></p>"
    return f'<div class="verdict {kind}">{said}{listed}{told}</div>'


def _coverage(report: Report) -> str:
    rows = [
        (
            f"<code>{text(one.signal)}</code>",
            f'<span class="bar{" low" if one.known < 0.5 else ""}"><i style="width:{one.known * 100:.1f}%"></i></span>'
            f"{text(words.coverage_words(one))}",
        )
        for one in report.coverage
    ]
    whole = sum(one.known >= 1 for one in report.coverage)
    what = f"Coverage: {len(rows)} signals are read, {whole} were known all the time"
    opened = " open" if len(rows) <= 8 else ""
    return f"<details{opened}><summary>{what}</summary>{_table(('signal', 'known'), rows)}</details>"


def _overview(report: Report) -> str:
    told = [rule for rule in report.rules if words.is_told(rule)]
    quiet = [rule for rule in report.rules if rule not in told]
    rows = [
        (
            f'<a href="#{_anchor(rule)}"><code>{text(rule.id)}</code></a>', rule.became, _tag(rule.verdict),
            words.minutes_words(rule) or "-",
            words.episode_counts(change for one in rule.instances for change in one.episodes) or "-", text(rule.why),
        )
        for rule in told
    ]
    parts = [_table(("rule", "", "verdict", "restrained", "episodes", "why"), rows)] if rows else []
    if quiet:
        what = words.quiet_words(quiet)
        others = [(f"<code>{text(rule.id)}</code>", _tag(rule.verdict), text(rule.why)) for rule in quiet]
        parts.append(f"<details><summary>{what}</summary>{_table(('rule', 'verdict', 'why'), others)}</details>")
    return "<h2>Rules</h2>\n" + "\n".join(parts)


def _anchor(rule: RuleDiff) -> str:
    return "rule-" + text(rule.id)


def _tag(verdict: Verdict) -> str:
    return f'<span class="tag {verdict.value.split()[0]}">{verdict.value}</span>'


def _legend() -> str:
    kinds = "".join(f'<span><span class="lane"><i class="{kind}"></i></span>{what}</span>' for kind, what in _LEGEND)
    ways = "".join(
        f'<span><span class="lane change"><i class="{way.value}"></i></span>{way.value} in the head</span>'
        for way in Way
    )
    return f'<div class="legend" aria-hidden="true">{kinds}{ways}</div>'


def _rule(rule: RuleDiff, charts: _Charts) -> str:
    parts = [
        f'<section class="rule" id="{_anchor(rule)}"><h2><code>{text(rule.id)}</code> {_tag(rule.verdict)}</h2>',
        f'<p>{text(rule.summary)} <span class="soft">({text(rule.place)}, {rule.became})</span><br>'
        f"{text(rule.why)}</p>",
    ]
    if rule.base_expr != rule.head_expr:
        sides = (("base", rule.base_expr), ("head", rule.head_expr))
        parts.append("<dl>" + "".join(
            f"<dt>{side}</dt><dd>{f'<code>{text(expr)}</code>' if expr else 'not there'}</dd>" for side, expr in sides
        ) + "</dl>")
    parts.append(_changes(rule.changes))
    first = words.parted(rule)
    if first is not None:
        parts.append(f"<h3>First divergence (<code>{text(first[0].instance)}</code>)</h3>")
        parts.append(_list(words.divergence_words(first[1]), text))
    for one in rule.instances:
        if one.stretches or one.episodes:
            parts.append(f"<h3><code>{text(one.instance)}</code></h3>{charts.draw(one)}")
    parts.append(_spans("No longer guarded as before", words.lost(rule)))
    parts.append(_spans("Guarded more than before", words.gained(rule)))
    parts.append(_episodes(rule))
    parts += [
        f"<h3>Test {test.became}: {text(test.name)} <span class='soft'>{text(str(test.place))}</span></h3>"
        f"<pre>{''.join(_line(line) for line in test.lines)}</pre>"
        for test in rule.tests
    ]
    return "\n".join(part for part in parts if part) + "</section>"


def _line(line: str) -> str:
    kind = {"+": "add", "-": "del"}.get(line[:1], "")
    return f'<span class="{kind}">{text(line)}</span>\n' if kind else f"{text(line)}\n"


def _spans(title: str, spans: Sequence[tuple[InstanceDiff, Stretch]]) -> str:
    if not spans:
        return ""
    rows = [
        (
            f"<code>{text(one.instance)}</code>", words.instant(span.begin), words.instant(span.end),
            words.length(span.length), f'<span class="{span.way.value}">{text(words.restrained(span))}</span>',
        )
        for one, span in spans[:MOST_ROWS]
    ]
    table = _table(("instance", "from", "until", "length", "restrained"), rows)
    left = f"<p>and {len(spans) - MOST_ROWS} more; the JSON has all</p>" if len(spans) > MOST_ROWS else ""
    opened = " open" if len(spans) <= 20 else ""
    count = f"{len(spans)} span{'s' * (len(spans) > 1)}"
    return f"<details{opened}><summary>{title}: {count}</summary>{table}{left}</details>"


def _episodes(rule: RuleDiff) -> str:
    found = [(one, change) for one in rule.instances for change in one.episodes]
    if not found:
        return ""
    rows = [(f"<code>{text(one.instance)}</code>", text(words.episode_words(change))) for one, change in found]
    counts = words.episode_counts(change for _, change in found)
    table = _table(("instance", "episode"), rows[:MOST_ROWS])
    return f"<details><summary>Episodes: {counts}</summary>{table}</details>"


def _changes(changes: Iterable[Change]) -> str:
    rows = [
        (
            f"<code>{text(one.what)}</code>", f"<code>{text(one.before or '-')}</code>",
            f"<code>{text(one.after or '-')}</code>",
            f'<span class="{one.direction.value}">{one.direction.value}</span>', text(one.why),
        )
        for one in changes
    ]
    return _table(("what", "base", "head", "", "why"), rows) if rows else ""


def _policy(report: Report) -> str:
    if not report.policy:
        return ""
    rows = [
        (
            text(scope_words(one.scope)),
            *(words.length(total(one.stretches, way)) for way in (Way.LOOSER, Way.INCOMPARABLE, Way.STRICTER)),
        )
        for one in report.policy[:MOST_ROWS]
    ]
    table = _table(("orders", "looser", "incomparable", "stricter"), rows)
    return f"<h2>The joined policy, by the orders it is about</h2>{table}"


def _orders(report: Report) -> str:
    if report.orders is None:
        return ""
    cases = (*report.orders.let_through_examples, *report.orders.blocked_examples)
    told = _list(words.orders_words(report.orders), text)
    examples = _list(cases, lambda one: text(words.case_words(one))) if cases else ""
    return f"<h2>Orders of this history</h2>{told}{examples}"


def _others(report: Report) -> str:
    return f"<h2>Changes that no rule uses</h2>{_changes(report.changes)}" if report.changes else ""


def _orphans(report: Report) -> str:
    if not report.orphans:
        return ""
    rows = [(f"<code>{text(one.latch)}</code>", text(one.why), f"<code>{text(one.clear_with)}</code>")
            for one in report.orphans]
    return f"<h2>Latches this would orphan</h2>{_table(('latch', 'why', 'ends with'), rows)}"


def _notes(report: Report) -> str:
    return "<h2>Read with care</h2>" + _list(report.notes, text)


def _list(items: Sequence[Item], told: Callable[[Item], str]) -> str:
    return "<ul>" + "".join(f"<li>{told(item)}</li>" for item in items) + "</ul>"


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{title}</th>' for title in titles)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
