"""A comparison as Markdown for a pull request.

Rule ids, summaries, reasons and labels come from files that anybody may propose, so
nothing of them is Markdown: not a link, not a mention, not a heading, not HTML.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from engine.ruleset.loosening import Change
from engine.ruleset.words import printable
from engine.workbench import diff_words as words
from engine.workbench.diff_report import InstanceDiff, Report, RuleDiff
from engine.workbench.diff_spans import Stretch, Way, scope_words, total

MOST_SPANS = 20
MOST_RULES = 40
MOST_LINES = 60
LARGEST = 60_000
"""Characters; a comment of a pull request may hold 65,536."""
_SPECIAL = re.compile(
    r"[\\`*{}\[\]<#|~&$^@]"  # what is markup anywhere
    r"|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])"  # within a word it is a letter
    r"|^[-+=>]|^\d{1,9}(?=[.)](?:\s|$))"  # what begins a list, a rule, a quotation or a heading
    r"|:(?=//)|:(?=[a-z+-][a-z0-9_+-]*:)|\b(?:www|WWW)(?=\.)"  # what becomes an address or a picture
)
_BREAKS = "@#:w"
_WIDTHLESS = "&#8203;"
Item = TypeVar("Item")


def report_markdown(report: Report) -> str:
    """Return `report` as Markdown of at most `LARGEST` characters; what is left out is counted."""
    parts = [_head(report), _coverage(report), _table(report), _acknowledge(report)]
    shown = [rule for rule in report.rules if words.is_told(rule)]
    details = ["\n".join(_rule(rule)) for rule in shown[:MOST_RULES]]
    tail = [_policy(report), _orders(report), _others(report), _orphans(report), _notes(report)]
    room = LARGEST - sum(len(part) + 2 for part in (*parts, *tail)) - 200
    kept: list[str] = []
    for text in details:
        room -= len(text) + 2
        if room < 0:
            break
        kept.append(text)
    left_out = len(shown) - len(kept)
    if left_out:
        kept.append(f"_{left_out} more rules are not shown here; `--format html` and `--format json` have all._")
    return ("\n\n".join(part for part in (*parts, *kept, *tail) if part)[:LARGEST]).rstrip() + "\n"


def escaped(text: str) -> str:
    """Return `text` so that Markdown shows it and does nothing else with it."""
    plain = " ".join(printable(text).split())
    return _SPECIAL.sub(_entity, plain)


def _entity(match: re.Match[str]) -> str:
    text = "".join(f"&#{ord(char)};" for char in match[0])
    # A mention, an issue's number and an address are found in what the Markdown became: only a break inside helps.
    return text + _WIDTHLESS if match[0][0].lower() in _BREAKS else text


def code(text: str) -> str:
    """Return `text` as a code span."""
    plain = " ".join(printable(text).split())
    if not plain:
        return ""
    runs = [len(run) for run in re.findall(r"`+", plain)]
    fence = "`" * (max(runs, default=0) + 1)
    pad = " " if plain.startswith("`") or plain.endswith("`") else ""
    return f"{fence}{pad}{plain}{pad}{fence}"


def _head(report: Report) -> str:
    mark = {True: "✅", False: "❌"}[report.passed]
    looser, other, stricter = (_sum(report, way) for way in (Way.LOOSER, Way.INCOMPARABLE, Way.STRICTER))
    return "\n".join([
        f"## {mark} Rules: {code(report.base.name)} to {code(report.head.name)}: {escaped(words.headline(report))}",
        "",
        f"- **History** {escaped(words.range_words(report))}",
        f"- **Re-arms** {escaped(report.range.rearm)}",
        f"- **Base** {escaped(words.side_words(report.base))}",
        f"- **Head** {escaped(words.side_words(report.head))}",
        f"- **Restrained less** {words.length(looser)}, **otherwise** {words.length(other)}, "
        f"**more** {words.length(stricter)}, over all rules; {words.policy_words(report)}",
    ])


def _sum(report: Report, way: Way) -> int:
    return sum(rule.length(way) for rule in report.rules)


def _coverage(report: Report) -> str:
    whole = sum(one.known >= 1 for one in report.coverage)
    rows = [(code(one.signal), escaped(words.coverage_words(one))) for one in report.coverage]
    what = f"<b>Coverage</b>: {len(rows)} signals are read, {whole} were known all the time"
    return _details(what, _rows(("signal", "known"), rows))


def _table(report: Report) -> str:
    told = [rule for rule in report.rules if words.is_told(rule)]
    rows = [
        (
            code(rule.id), rule.became, f"**{rule.verdict.value}**", words.minutes_words(rule) or "-",
            words.episode_counts(change for one in rule.instances for change in one.episodes) or "-",
            escaped(rule.why),
        )
        for rule in told[:MOST_RULES]
    ]
    parts = ["\n".join(_rows(("rule", "", "verdict", "restrained", "episodes", "why"), rows))] if rows else []
    if len(told) > MOST_RULES:
        parts.append(f"_and {len(told) - MOST_RULES} more rules_")
    unchanged = [rule for rule in report.rules if rule not in told]
    if unchanged:
        quiet = [(code(rule.id), rule.verdict.value, escaped(rule.why)) for rule in unchanged]
        parts.append(_details(words.quiet_words(unchanged), _rows(("rule", "verdict", "why"), quiet)))
    return "\n\n".join(parts)


def _acknowledge(report: Report) -> str:
    if not report.loosenings:
        return ""
    lines = [f"- {escaped(line)}" for line in _capped(report.loosenings, str)]
    head = ["**What is loosened**", "", *lines, ""]
    if report.acknowledged is not None:
        return "\n".join([*head, *(escaped(line) + "  " for line in words.answered(report))])
    return "\n".join([
        *head, f"**It needs an acknowledgement of exactly this pair, {code(report.pair)}.** Paste into `acks.yaml`,",
        "with who answers for it and why, and commit it with the change:", "",
        *_fenced(report.paste.splitlines(), "yaml"), "", "or type:", "", *_fenced([words.to_type(report)], "sh"), "",
        "Any further change makes another pair.",
    ])


def _rule(rule: RuleDiff) -> Iterator[str]:
    minutes = words.minutes_words(rule)
    less, more = words.lost(rule), words.gained(rule)
    title = f"{_html(rule.id)}: {rule.verdict.value}" + (f", {minutes}" if minutes else "")
    yield f"<details{' open' if less else ''}><summary>{title}</summary>"
    yield ""
    yield f"{escaped(rule.summary)} ({code(rule.place)}, {rule.became}): {escaped(rule.why)}."
    yield ""
    if rule.base_expr != rule.head_expr:
        yield from (f"- {side}: {code(text) or '_not there_'}" for side, text in
                    (("base", rule.base_expr), ("head", rule.head_expr)))
        yield ""
    if rule.changes:
        yield from _change_rows(rule.changes)
        yield ""
    first = words.parted(rule)
    if first is not None:
        yield f"**First divergence** ({code(first[0].instance)})"
        yield ""
        yield from (f"- {escaped(line)}" for line in words.divergence_words(first[1]))
        yield ""
    for title, spans in (("No longer guarded as before", less), ("Guarded more than before", more)):
        if spans:
            yield f"**{title}**: {len(spans)} span{'s' if len(spans) > 1 else ''}"
            yield ""
            yield from _capped(spans, lambda pair: _span(*pair))
            yield ""
    episodes = [(one, change) for one in rule.instances for change in one.episodes]
    if episodes:
        yield f"**Episodes**: {words.episode_counts(change for _, change in episodes)}"
        yield ""
        yield from _capped(episodes, lambda pair: f"- {code(pair[0].instance)} {escaped(words.episode_words(pair[1]))}")
        yield ""
    yield from _tests(rule)
    yield "</details>"


def _span(one: InstanceDiff, span: Stretch) -> str:
    other = " _(incomparable)_" if span.way is Way.INCOMPARABLE else ""
    when = escaped(words.span_words(span.begin, span.end))
    return f"- {code(one.instance)} {when}: {escaped(words.restrained(span))}{other}"


def _tests(rule: RuleDiff) -> Iterator[str]:
    for test in rule.tests:
        yield f"**Test {test.became}**: {escaped(test.name)} ({code(str(test.place))})"
        yield ""
        left = len(test.lines) - MOST_LINES
        yield from _fenced([*test.lines[:MOST_LINES], *([f"  ... {left} more lines"] if left > 0 else [])], "diff")
        yield ""


def _fenced(lines: Sequence[str], language: str) -> list[str]:
    """Return `lines` in a fence that is longer than any run of backticks within, so that none of them ends it."""
    longest = max((len(run) for line in lines for run in re.findall(r"`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    return [f"{fence}{language}", *(printable(line) for line in lines), fence]


def _change_rows(changes: Iterable[Change]) -> list[str]:
    return _rows(("what", "base", "head", "", "why"), [
        (code(one.what), code(one.before) or "-", code(one.after) or "-", one.direction.value, escaped(one.why))
        for one in changes
    ])


def _policy(report: Report) -> str:
    if not report.policy:
        return ""
    rows = [
        (
            escaped(scope_words(one.scope)),
            *(words.length(total(one.stretches, way)) for way in (Way.LOOSER, Way.INCOMPARABLE, Way.STRICTER)),
        )
        for one in report.policy[:MOST_SPANS]
    ]
    body = _rows(("orders", "looser", "incomparable", "stricter"), rows)
    if len(report.policy) > MOST_SPANS:
        body.append(f"\n_and {len(report.policy) - MOST_SPANS} more kinds of orders_")
    return _details("<b>The joined policy</b>, by the orders it is about", body)


def _orders(report: Report) -> str:
    if report.orders is None:
        return ""
    told = [f"- {escaped(line)}" for line in words.orders_words(report.orders)]
    cases = (*report.orders.let_through_examples, *report.orders.blocked_examples)
    told += [f"  - {escaped(words.case_words(one))}" for one in cases]
    return "\n".join(["**Orders of this history**", "", *told])


def _others(report: Report) -> str:
    if not report.changes:
        return ""
    return "\n".join(["**Changes that no rule uses**", "", *_change_rows(report.changes)])


def _orphans(report: Report) -> str:
    if not report.orphans:
        return ""
    rows = [f"- {code(one.latch)} {escaped(one.why)}: {code(one.clear_with)}" for one in report.orphans]
    return "\n".join(["**Latches this would orphan**", "", *rows])


def _notes(report: Report) -> str:
    return "\n".join(f"> {escaped(note)}  " for note in report.notes)


def _details(summary: str, body: Sequence[str]) -> str:
    return "\n".join([f"<details><summary>{summary}</summary>", "", *body, "", "</details>"])


def _rows(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(titles)} |", "|" + "---|" * len(titles), *map(_row, rows)]


def _row(cells: Sequence[str]) -> str:
    # A bar ends a cell even within a code span; elsewhere it was escaped already.
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _capped(items: Sequence[Item], told: Callable[[Item], str]) -> Iterator[str]:
    yield from (told(item) for item in items[:MOST_SPANS])
    if len(items) > MOST_SPANS:
        yield f"- _and {len(items) - MOST_SPANS} more; `--format json` has all_"


def _html(text: str) -> str:
    plain = " ".join(printable(text).split())
    return f"<code>{plain.replace('&', '&amp;').replace('<', '&lt;').replace('>', '&gt;')}</code>"
