"""Lints say what is certain, and keep quiet where it is not."""

from __future__ import annotations

import pytest

from engine.ruleset.binding import World
from engine.ruleset.diagnostics import Severity
from engine.ruleset.lint_unused import Declared, unused
from tests.ruleset.rules_text import codes, file_of, findings, rule
from tests.ruleset.world import CATALOGUE, FLAGS, load

CLEAR = "peg_usdt_usd > 0.999"


@pytest.mark.parametrize(
    ("expr", "code"),
    [
        ("health_measured > 2", "lint-never-fires"), ("health_measured >= 2", ""), (
            "health_measured < 0", "lint-never-fires",
        ),
        ("health_measured >= 0", "lint-always-true"), ("not health_measured > 2", "lint-always-true"),
        ("health_measured > 1 and health_measured < 1", "lint-never-fires"), (
            "health_measured > 1 or health_measured <= 1", "lint-always-true",
        ),
        ("health_measured > 1 and not health_measured > 1", "lint-never-fires"), ("1 > 2", "lint-never-fires"),
        ("2 > 1", "lint-constant"), ("not is_trading and is_trading", "lint-never-fires"),
        ("venue_state == 'open' and venue_state != 'open'", ""),
        ("health_measured * 2 > 5", "lint-never-fires"), ("health_measured * 2 > 3", ""), (
            "2 < health_measured", "lint-never-fires",
        ),
        ("count_over(fill_ms, '5m') < 0", "lint-never-fires"), ("1 < health_measured < 2", ""), (
            "2 < health_measured < 3", "lint-never-fires",
        ),
        ("health_measured >= 2 or peg_usdt_usd > 11", "lint-threshold-range"),
        ("(health_measured if is_trading else 5) > 6", "lint-never-fires"), (
            "health_measured > peg_usdt_usd / 0.1", "",
        ),
        ("pct(peg_usdt_usd) > DEPEG_THRESHOLD_PCT", ""), ("DEPEG_THRESHOLD_PCT > 50", "lint-never-fires"),
        ("absent(health_measured) and not fresh(health_measured, '5s')", ""),
    ],
)
def test_conditions_that_cannot_hold_or_cannot_fail_are_told(expr: str, code: str) -> None:
    by = [label for label, word in (("symbol", "is_trading"), ("venue", "venue_state")) if word in expr]
    by += ["venue", "liquidity"] if "fill_ms" in expr else []
    found = codes(expr=f'"{expr}"', by=f"[{', '.join(by)}]" if by else None, keep_firing_for="1m")

    assert [one for one in found if one in (
        "lint-never-fires", "lint-always-true", "lint-constant", "lint-threshold-range",
    )] == (
        [code] if code else []
    )


def test_losing_protection_for_certain_is_an_error_and_a_default_only_a_warning() -> None:
    """A rule that cannot fire guards nothing; one that cannot fire at a flag's default may at another value."""
    assert [one.severity for one in findings(expr="health_measured > 2")] == [Severity.ERROR]
    at_default = findings(expr="pct(peg_usdt_usd) > DEPEG_THRESHOLD_PCT * 4000", keep_firing_for="5s")
    assert [one.severity for one in at_default] == [Severity.WARNING]
    assert [one.severity for one in findings(kind="watch", expr="health_measured > 2", restrain=None,
                                             notify="{to: digest, text: x}")] == [Severity.WARNING]
    gate = findings(kind="maker_gate", expr=None, restrain=None, allow_expr="health_measured >= 0")
    assert [(one.code, one.severity) for one in gate] == [("lint-gate-cannot-fail", Severity.ERROR)]


@pytest.mark.parametrize(
    ("clear", "code"),
    [
        ("peg_usdt_usd >= 0.995", ""), ("peg_usdt_usd > 0.98", "lint-clear-overlap"), (
            "peg_usdt_usd < 0.9", "lint-never-clears",
        ),
        ("peg_usdt_usd > 0.98 and health_measured < 1", ""), ("health_measured < 1", ""), (
            "peg_usdt_usd > 11", "lint-never-clears",
        ),
        ("abs(peg_usdt_usd - 1) < 0.001", ""), ("not peg_usdt_usd < 0.99", ""),
    ],
)
def test_a_clearing_that_cannot_come_or_comes_at_once_is_told(clear: str, code: str) -> None:
    assert codes(expr="peg_usdt_usd < 0.99", clear_expr=clear) == ([code] if code else [])


def test_for_shorter_than_two_periods_rests_on_one_sample() -> None:
    assert codes(expr="peg_usdt_usd < 0.99", clear_expr=CLEAR, for_="119s") == ["lint-for-short"]
    assert codes(expr="peg_usdt_usd < 0.99", clear_expr=CLEAR, for_="120s") == []
    assert codes(expr="avg_over(peg_usdt_usd, '1h') < 0.99", for_="10s") == []


def test_a_noisy_gauge_needs_a_gap_between_firing_and_clearing() -> None:
    assert codes(expr="peg_usdt_usd < 0.99") == ["lint-no-clear"]
    enough = {"clear_expr": CLEAR, "keep_firing_for": "1m", "ttl": "30m", "latch": "manual", "cooldown": "5m"}
    for key, value in enough.items():
        assert codes(expr="peg_usdt_usd < 0.99", **{key: value}) == []
    assert codes(expr="health_measured > 1") == []


def test_evidence_is_counted_first() -> None:
    average = "avg_over(fill_ms, '1h', venue='x', liquidity='taker') > 5"
    count = "count_over(fill_ms, '1h', venue='x', liquidity='{}') >= 20 and "

    assert codes(expr=f'"{average}"') == ["lint-evidence"]
    assert codes(expr=f'"{count.format("maker")}{average}"') == ["lint-evidence"]
    assert codes(expr=f'"{count.format("taker")}{average}"') == []


def test_guards_and_kills_have_tests() -> None:
    body = '\n      - {name: a, series: {health_measured: 2}, expect: [{at: 0s, truth: "true"}]}'

    for kind in ("guard", "kill"):
        assert codes(kind=kind, restrain="{level: halted}") == ["lint-no-tests"]
        assert codes(kind=kind, restrain="{level: halted}", tests=body) == []


def test_silence_that_latches_is_questioned() -> None:
    assert codes(expr="absent(health_measured)", latch="manual") == ["lint-latches-on-silence"]
    assert codes(expr="absent(health_measured)") == []


def test_the_same_question_twice_is_told_once() -> None:
    same = rule(id="b", expr='"health_measured>=2.0"')
    twice = file_of(rule(id="a"), same, rule(id="c", expr="health_measured > 1", ttl="5m"))

    assert [(one.code, one.line) for one in load(twice).findings] == [("lint-duplicate-expression", 13)]


def test_what_no_rule_reads_is_information() -> None:
    loaded = load(file_of(rule()))
    assert loaded.rules is not None
    found = unused(
        loaded.rules.rules, World(catalogue=CATALOGUE, flags=FLAGS),
        Declared(file="conf/flags.yaml", read_elsewhere=frozenset({"DAILY_LOSS_LIMIT_PCT"})),
        Declared(file="conf/signals.yaml"),
    )

    assert {one.severity for one in found} == {Severity.WARNING}
    # What the engine itself reads is used, and what is derived from the policy no rule may read.
    assert len(found) == len(FLAGS) - 1 + len(CATALOGUE.specs) - 2
