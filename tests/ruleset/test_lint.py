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


@pytest.mark.parametrize(
    ("wide", "narrow", "told"),
    [
        ("health_measured > 0", "health_measured > 1", True), ("health_measured > 1", "health_measured > 0", True),
        ("health_measured > 1", "health_measured > 1 and peg_usdt_usd < 0.9", True),
        ("health_measured > 1 or peg_usdt_usd < 0.9", "peg_usdt_usd < 0.8", True),
        ("health_measured > 1 or peg_usdt_usd < 0.9", "peg_usdt_usd < 0.8 or health_measured > 1.5", True),
        ("peg_usdt_usd > 0.9 and peg_usdt_usd < 1", "peg_usdt_usd > 0.8 and peg_usdt_usd < 1.1", True),
        ("health_measured > 1", "peg_usdt_usd < 0.9", False), ("health_measured > 1", "health_measured < 1", False),
        ("peg_usdt_usd > 0.9 and peg_usdt_usd < 1", "peg_usdt_usd > 0.95 and peg_usdt_usd < 1.1", False),
        ("pct(abs(peg_usdt_usd - 1)) >= DEPEG_THRESHOLD_PCT", "pct(abs(peg_usdt_usd - 1)) >= 2", False),
    ],
)
def test_a_rule_that_another_one_answers_for_is_told(wide: str, narrow: str, told: bool) -> None:
    text = file_of(*[rule(id=f"a{number}", expr=expr, ttl="5m") for number, expr in enumerate((wide, narrow))])

    assert ("lint-subsumed" in [one.code for one in load(text).findings]) is told


@pytest.mark.parametrize("key", [
    {"restrain": "{size_mult: 0.4}"}, {"ttl": "6m"}, {"for_": "1m"}, {"by": "[venue]"}, {"enforcement": "shadow"},
    {"on_unknown": "hold", "on_unknown_reason": "x"}, {"notify": "{to: digest, text: x}"}, {"latch": "boundary"},
])
def test_a_rule_that_does_anything_else_is_not_subsumed(key: dict[str, str]) -> None:
    expr = "feed_messages > {0} and health_measured > {0}" if "by" in key else "health_measured > {0}"
    wide = rule(id="a", expr=expr.format(0.5), ttl="5m", by=key.get("by"))
    narrow = rule(id="b", expr=expr.format(1), **{"ttl": "5m", **key})
    if "by" in key:
        narrow = rule(id="b", expr="health_measured > 1", ttl="5m")

    assert "lint-subsumed" not in [one.code for one in load(file_of(wide, narrow)).findings]


def test_a_thousand_rules_are_not_compared_each_with_each() -> None:
    """Of very many rules about one measure only neighbours are compared; a set made for it still ends."""
    text = file_of(*[rule(id=f"a{number:04}", expr=f"peg_usdt_usd < {0.0001 * (number + 1):.4f}", ttl="5m")
                     for number in range(1000)])
    files = {f"{number}.yaml": file_of(one).encode() for number, one in enumerate(text.split("  - ")[1:])}
    loaded = load({name: data.replace(b"rules:\n", b"rules:\n  - ", 1) for name, data in files.items()})

    assert loaded.rules is not None
    assert sum(one.code == "lint-subsumed" for one in loaded.findings) == 999


@pytest.mark.parametrize(
    ("expr", "told"),
    [
        ("feed_messages > 5", True), ("feed_messages >= 5 and feed_messages > 6", True),
        ("feed_messages > 5 or feed_messages > 9", True), ("feed_messages < 5", False),
        ("feed_messages > 5 and health_measured > 1", False), ("increase_over(feed_messages, '5m') > 5", False),
        ("feed_messages > 5 or health_measured > 1", False), ("age(feed_messages) > 5", False),
    ],
)
def test_a_counter_that_once_was_high_never_clears(expr: str, told: bool) -> None:
    assert ("lint-never-clears" in codes(expr=f'"{expr}"', by="[venue]")) is told


def test_a_page_needs_a_reason_to_wake_somebody() -> None:
    page = '{to: page, text: "x"}'

    assert codes(notify=page) == ["lint-page-without-need"]
    assert codes(kind="watch", restrain=None, notify=page) == ["lint-page-without-need"]
    assert codes(notify=page, action="{exit_risk: true}") == []
    assert codes(notify=page, restrain="{size_mult: 0.5, level: entries_paused}") == []
    assert codes(notify=page.replace("page", "alert")) == []


def test_a_gate_that_cannot_fail_or_cannot_pass_is_refused() -> None:
    def told(expr: str) -> list[tuple[str, Severity]]:
        found = findings(kind="maker_gate", expr=None, restrain=None, allow_expr=f'"{expr}"')
        return [(one.code, one.severity) for one in found]

    assert told("health_measured >= 0") == [("lint-gate-cannot-fail", Severity.ERROR)]
    assert told("health_measured < 0") == [("lint-gate-cannot-pass", Severity.ERROR)]
    assert told("health_measured > 1 and health_measured < 1") == [("lint-gate-cannot-pass", Severity.ERROR)]
    assert told("pct(peg_usdt_usd) < 0 - DEPEG_THRESHOLD_PCT") == [("lint-gate-cannot-pass", Severity.WARNING)]
    assert told("health_measured < 1") == []


def test_of_several_rules_one_must_be_in_force() -> None:
    def told(**more: str) -> list[str]:
        text = file_of(rule(id="a", **more), rule(id="b", ttl="5m", expr="health_measured > 1", **more))
        return [one.code for one in load(text).findings if one.severity is Severity.ERROR]

    assert told(enforcement="shadow") == told(enforcement='"off"') == told(enabled="false") == ["lint-none-in-force"]
    assert told(on_unknown="ignore", on_unknown_reason="x") == ["lint-none-in-force"]
    assert told() == told(enabled="DEPEG_GUARD_ENABLED") == []
    # One alone may be tried out.
    assert load(file_of(rule(enforcement="shadow"))).rules is not None


def test_a_count_that_asks_for_nothing_is_no_evidence() -> None:
    average = "avg_over(fill_ms, '1h', venue='x', liquidity='taker') > 5"
    count = "count_over(fill_ms, '1h', venue='x', liquidity='taker')"

    assert codes(expr=f'"{count} >= 20 and {average}"') == []
    for weak in (f"{count} < 20 and {average}", f"{count} >= 20 or {average}", f"{count} >= 0 and {average}"):
        assert "lint-evidence" in codes(expr=f'"{weak}"')


def test_averages_and_clearing_are_not_compared_for_equality() -> None:
    assert "lint-equality" in codes(expr='"count_over(fill_ms, \'1h\', venue=\'x\', liquidity=\'y\') >= 2 and '
                                         'avg_over(fill_ms, \'1h\', venue=\'x\', liquidity=\'y\') == 5"')
    assert "lint-equality" in codes(expr="peg_usdt_usd < 0.9", clear_expr="peg_usdt_usd == 1")
    assert codes(expr="count_over(announcements, '1h') == 3") == []


def test_for_is_measured_by_the_slowest_signal() -> None:
    both = "health_measured > 1 and peg_usdt_usd < 0.9"

    assert codes(expr=both, for_="30s", ttl="5m") == ["lint-for-short"]
    assert codes(expr=both, for_="2m", ttl="5m") == []
