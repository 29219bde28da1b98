"""What is shown of a comparison: all of it in JSON, the most of it elsewhere, and never a word as markup."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.cli.rules_diff_text import report_lines
from engine.cli.text import PLAIN
from engine.model.restraints import NONE
from engine.workbench.diff_html import report_html
from engine.workbench.diff_json import report_data
from engine.workbench.diff_lanes import Window, ticks, windows
from engine.workbench.diff_markdown import LARGEST, MOST_SPANS, code, escaped, report_markdown
from engine.workbench.diff_report import Acknowledged, Report
from engine.workbench.diff_spans import Stretch, Way
from engine.workbench.diff_words import length, share, span_words
from tests.workbench.diff_world import HALTED, PEG, ROOT, judgement, lived, minutes, report, ruling, timeline

HOSTILE = (
    "</td><script>alert(1)</script> <img src=x onerror=alert(1)> [click](https://example.com) @everyone #1 "
    "`` ``` | **bold** _x_ <!-- &lt; :tada: www.example.com ![p](x) ]]> javascript:alert(1)"
)
VOID = {"meta", "br", "img", "link", "input", "hr"}


def hostile() -> Report:
    """Return a loosening in which every text that a file may hold is hostile."""
    quoted = HOSTILE.replace("'", "")
    rule = PEG.replace("the peg is gone", f"'{quoted}'").replace("name: fires", f"name: '{quoted}'")
    base = rule.replace("{at: 4m, state: firing}", "{at: 5m, state: firing, why: '</pre>```'}")
    return report(
        (ruling(base), timeline(lived("guard.peg", (10, 20)), judgements=(judgement(0, 0.0, "guard.peg"),))),
        (ruling(rule.replace(">= 0.5", ">= 0.8")), timeline(lived(), judgements=(judgement(0, 900.0),))),
    )


class Page(HTMLParser):
    """Collects what a browser would act upon."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.open: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def read(html: str) -> Page:
    page = Page()
    page.feed(html)
    page.close()
    assert page.open == []
    return page


def test_a_page_needs_nothing_and_runs_nothing() -> None:
    page = read(report_html(hostile()))

    assert not {"script", "img", "link", "iframe", "object", "form", "svg"} & set(page.tags)
    names = {name for name, _ in page.attributes}
    assert not {name for name in names if name.startswith("on")} and "src" not in names
    assert all(value and value.startswith("#") for name, value in page.attributes if name == "href")
    assert any(value and "default-src 'none'" in value for name, value in page.attributes if name == "content")
    assert any("<script>alert(1)</script>" in text for text in page.text), "it is shown, as text"


def test_a_page_draws_base_above_head_and_says_each_lane_in_words() -> None:
    found = hostile()
    page = read(report_html(found))
    labels = [value or "" for name, value in page.attributes if name == "aria-label"]

    assert [label.split(":")[0] for label in labels[:3]] == ["base", "change", "head"]
    assert "level halted (firing) 2026-03-02 18:10:00 to 18:20:00 (10 min)" in labels[0]
    assert "looser: level halted (firing) -> nothing" in labels[1]
    assert labels[2] == "head: nothing"
    assert "level halted (firing) -> nothing" in "".join(page.text), "and in a table, for who cannot see lanes"


def test_markdown_shows_hostile_words_and_obeys_none() -> None:
    told = report_markdown(hostile())

    outside = re.sub(r"(?ms)^(`{3,})[a-z]*\n.*?^\1$", "", told)
    spans = re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "", outside)
    assert not re.search(r"<(?!/?(?:details|summary|b|code)\b)", spans)
    assert "@everyone" not in spans and "](http" not in spans and "https://" not in spans and "**bold**" not in spans
    assert "#1 " not in spans and ":tada:" not in spans and "www.example" not in spans
    for _, rows in groupby(told.splitlines(), key=lambda line: line.startswith("|")):
        assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows if row.startswith("|")}) <= 1


@given(st.text(max_size=40))
def test_an_escaped_text_is_one_line_without_markup(text: str) -> None:
    found = escaped(text)

    assert "\n" not in found and not re.search(r"[`*<\[\]{}~|$^@\\]", found)
    assert not re.search(r"(?<![A-Za-z0-9;])_|_(?![A-Za-z0-9&])", found)


@given(st.text(max_size=40))
def test_a_code_span_ends_where_it_should(text: str) -> None:
    found = code(text)
    if not found:
        return

    fence = re.match(r"`+", found)
    assert fence is not None and found.endswith(fence[0])
    inside = found[len(fence[0]):-len(fence[0])]
    assert fence[0] not in re.findall(r"`+", inside)


def test_json_has_every_span_where_markdown_counts_them() -> None:
    spells = [(2.0 * number, 2.0 * number + 1) for number in range(150)]
    found = report(
        (ruling(PEG), timeline(lived("guard.peg", *spells))),
        (ruling(PEG.replace(">= 0.5", ">= 0.8")), timeline(lived())),
    )

    data, told = json.loads(json.dumps(report_data(found))), report_markdown(found)

    assert len(data["rules"][0]["instances"][0]["less"]) == len(spells)
    assert "150 spans" in told and f"and {150 - MOST_SPANS} more" in told
    assert len(read(report_html(found)).tags) > 150


def test_markdown_fits_a_comment_however_much_changed() -> None:
    rules = [PEG.replace("guard.peg", f"guard.peg{number:03}") for number in range(100)]
    wider = [one.replace(">= 0.5", ">= 0.8") for one in rules]
    lives = [lived(f"guard.peg{number:03}", *((10.0 * n, 10.0 * n + 5) for n in range(30))) for number in range(100)]

    told = report_markdown(report((ruling(*rules), timeline(*lives)), (ruling(*wider), timeline())))

    assert len(told) <= LARGEST and "more rules" in told and "acks.yaml" in told


@pytest.mark.parametrize("answered", [False, True])
def test_every_form_says_who_answers_or_what_to_type(answered: bool) -> None:
    found = replace(hostile(), paste="  - pair: x\n")
    if answered:
        found = replace(found, acknowledged=Acknowledged(by="ada", reason="the desk is shut", at=minutes(0)))
    forms = [
        report_markdown(found), "".join(read(report_html(found)).text), "\n".join(report_lines(found, PLAIN)),
        json.dumps(report_data(found)),
    ]

    for form in forms:
        assert found.pair in form
        assert ("ada" in form and "the desk is shut" in form) == answered
    assert all((f"--allow-loosening {found.pair}" in form) != answered for form in forms[:3])


def test_a_cluster_far_smaller_than_the_history_is_shown_again_at_its_own_scale() -> None:
    whole = Window(begin=minutes(0), end=minutes(100_000))
    spans = [stretch(100, 110), stretch(112, 120), stretch(90_000, 90_001)]

    found = windows(spans, whole)

    assert found[0].begin < minutes(100) and found[0].end > minutes(120)
    assert len(found) == 2 and windows([stretch(0, 90_000)], whole) == []


def stretch(begin: float, end: float) -> Stretch:
    return Stretch(begin=minutes(begin), end=minutes(end), base=HALTED, head=NONE, way=Way.LOOSER)


@given(st.integers(1, 10**7))
def test_an_axis_has_few_marks_and_all_within(span_minutes: int) -> None:
    window = Window(begin=minutes(3), end=minutes(3 + span_minutes))

    marks = ticks(window)

    assert len(marks) <= 60 and all(window.begin <= at < window.end for at, _ in marks)


@pytest.mark.parametrize(
    ("ns", "says"),
    [(0, "0 min"), (45_000_000_000, "45 s"), (92 * 60_000_000_000, "92 min"), (61_000_000_000, "1 min 1 s")],
)
def test_lengths_are_minutes_as_people_count_them(ns: int, says: str) -> None:
    assert length(ns) == says


def test_a_share_is_whole_only_when_it_is() -> None:
    assert [share(part) for part in (0.0, 1e-9, 0.5, 0.9999999, 1.0)] == [
        "0 %", "0.01 %", "50.00 %", "99.99 %", "100 %",
    ]
    assert span_words(minutes(0), minutes(1)) == "2026-03-02 18:00:00 to 18:01:00 (1 min)"


def test_the_page_of_the_shape_names_every_key_there_is() -> None:
    told = re.sub(r"(?ms)^```.*?^```$", "", (ROOT / "docs/review.md").read_text())
    named = set(re.findall(r"\w+", " ".join(re.findall(r"`([^`]+)`", told))))

    def keys(value: object) -> set[str]:
        if isinstance(value, dict):
            # What was read is keyed by the signals' own names.
            return set(value) | {key for name, item in value.items() if name != "inputs" for key in keys(item)}
        return {key for item in value for key in keys(item)} if isinstance(value, list) else set()

    missing = keys(report_data(hostile())) - named
    # The parts of an order's case are told by their names alone.
    assert missing <= {"at", "symbol", "intent", "asked_usd", "allowed_usd", "refused_by"}
