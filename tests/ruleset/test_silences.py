"""Lints that are silenced: for good or until a day, with a reason, and never more than was meant."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from engine.ruleset.binding import World
from engine.ruleset.catalogue_file import read_catalogue_file
from engine.ruleset.diagnostics import Severity
from engine.ruleset.flags_file import read_flags
from engine.ruleset.lint_unused import Declared, unused
from engine.ruleset.lints import LINTS, page
from engine.ruleset.load import load_rules
from tests.ruleset.rules_text import codes, file_of, findings, rule
from tests.ruleset.world import ANCHORS, CATALOGUE, FLAGS, load

NOISY = {"expr": "peg_usdt_usd < 0.9"}
DISABLED = "[{disable: lint-no-clear, reason: measured elsewhere}]"
SNOOZED = '[{snooze: lint-no-clear, until: "2026-12-31", reason: until the gap is known}]'


def on(day: date | None, **changes: str) -> list[str]:
    files = {"rules.yaml": file_of(rule(**changes)).encode()}
    return [one.code for one in load_rules(files, CATALOGUE, FLAGS, anchors=ANCHORS, today=day).findings]


def test_a_lint_is_silent_where_somebody_says_why() -> None:
    assert codes(**NOISY) == ["lint-no-clear"]
    assert codes(**NOISY, lint=DISABLED) == []


def test_a_snooze_ends_on_its_day_and_says_that_it_did() -> None:
    assert on(None, **NOISY, lint=SNOOZED) == []
    assert on(date(2026, 12, 30), **NOISY, lint=SNOOZED) == []
    assert on(date(2026, 12, 31), **NOISY, lint=SNOOZED) == ["lint-no-clear", "lint-silence-over"]
    assert on(date(2027, 5, 1), **NOISY, lint=DISABLED) == []


def test_a_silence_that_silences_nothing_is_told_so_that_it_hides_nothing_later() -> None:
    assert codes(lint=DISABLED) == ["lint-silence-idle"]
    assert on(date(2027, 1, 1), lint=SNOOZED) == ["lint-silence-over"]
    # Whether the runbook has a heading is not asked everywhere.
    assert codes(lint="[{disable: lint-runbook-anchor, reason: x}]") == []


def test_a_silence_reaches_its_own_rule_and_no_other() -> None:
    text = file_of(
        rule(id="a", **NOISY, restrain="{size_mult: 0.4}"), rule(id="b", **NOISY, lint=DISABLED, ttl="0s"),
        rule(id="c", **NOISY, restrain="{size_mult: 0.3}"),
    )
    lines = [one.line for one in load(text).findings if one.code == "lint-no-clear"]

    assert len(lines) == 2 and lines == [7, 21]


def test_rules_that_share_a_line_are_told_apart() -> None:
    one = "{{id: {0}, kind: cutback, summary: x, runbook: RUNBOOK.md#test, expr: peg_usdt_usd < 0.{1}, {2}" \
          "restrain: {{size_mult: 0.{1}}}}}"
    text = f"version: 1\nrules: [{one.format('a', 5, '')}, {one.format('b', 6, f'lint: {DISABLED}, ')}]\n"

    assert [(found.code, found.column < 130) for found in load(text).findings] == [("lint-no-clear", True)]


def test_an_error_is_never_silent() -> None:
    found = findings(expr="health_measured > 2", lint="[{disable: lint-never-fires, reason: I know}]")

    assert [(one.code, one.severity) for one in found] == [("lint-never-fires", Severity.ERROR)]


def test_lints_across_rules_are_silenced_at_the_one_that_is_told() -> None:
    lint = "[{disable: lint-subsumed, reason: it pages somebody else}]"
    wide, narrow = rule(id="a", expr="health_measured > 0"), rule(id="b", expr="health_measured > 1")

    assert [one.code for one in load(file_of(wide, narrow)).findings] == ["lint-subsumed"]
    assert not load(file_of(wide, rule(id="b", expr="health_measured > 1", lint=lint))).findings


def test_what_is_silenced_is_part_of_what_was_reviewed() -> None:
    """A silence is a loosening, and an acknowledgement is bound to digests."""
    plain, silent, other = (
        load(file_of(rule(**NOISY, **more))).rules
        for more in ({}, {"lint": DISABLED}, {"lint": DISABLED.replace("measured", "seen")})
    )

    assert plain is not None and silent is not None and other is not None
    assert len({plain.digest, silent.digest, other.digest}) == 3
    assert [(one.lint, one.reason, one.until) for one in silent.rules[0].silences] == [
        ("lint-no-clear", "measured elsewhere", ""),
    ]


FLAG_FILE = """version: 1
flags:
  - {name: A_SWITCH, kind: bool, default: true, summary: x}
  - {name: B_SWITCH, kind: bool, default: true, summary: x, lint: [{disable: lint-unused-flag, reason: scripts}]}
  - name: C_SWITCH
    kind: bool
    default: true
    summary: x
    lint: [{snooze: lint-unused-flag, until: "2026-12-31", reason: comes with the next rule}]
"""
SIGNAL_FILE = """version: 1
signals:
  - {name: a_count, kind: counter, unit: count, summary: x, producer: core.risk}
  - {name: b_count, kind: counter, unit: count, summary: x, producer: core.risk,
     lint: [{disable: lint-unused-signal, reason: people look at it}]}
"""


@pytest.mark.parametrize(("day", "more"), [(None, []), (date(2027, 1, 1), ["lint-silence-over", "lint-unused-flag"])])
def test_flags_and_signals_say_why_they_are_kept(day: date | None, more: list[str]) -> None:
    flags = read_flags(FLAG_FILE.encode(), "flags.yaml")
    signals = read_catalogue_file(SIGNAL_FILE.encode(), "signals.yaml")
    assert not flags.findings and not signals.findings and signals.catalogue is not None

    def told(elsewhere: frozenset[str]) -> list[str]:
        assert signals.catalogue is not None
        return sorted(one.code for one in unused(
            [], World(catalogue=signals.catalogue, flags=flags.specs),
            Declared(file="flags.yaml", hushes=flags.hushes, read_elsewhere=elsewhere),
            Declared(file="signals.yaml", hushes=signals.hushes), today=day,
        ))

    assert told(frozenset()) == sorted(["lint-unused-flag", "lint-unused-signal", *more])
    assert "lint-silence-idle" in told(frozenset({"A_SWITCH", "B_SWITCH"}))


def test_the_page_of_lints_is_what_the_lints_are() -> None:
    written = (Path(__file__).parents[2] / "docs" / "lints.md").read_text(encoding="utf-8")

    assert written == page(), "run python -m tests.ruleset.lints_page"
    assert all(f"| `{name}` |" in written for name in LINTS)
