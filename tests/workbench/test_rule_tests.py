"""Inline tests run through the engine's own evaluation, and one that proves nothing does not pass."""

from __future__ import annotations

import pytest

from engine.ruleset.spec import RuleSet
from engine.workbench.test import TestResult, failures, run_tests
from tests.ruleset.rules_text import file_of, rule
from tests.ruleset.test_load import DEPEG
from tests.ruleset.world import CATALOGUE, FLAGS, load


def rules(text: str) -> RuleSet:
    loaded = load(text)
    assert loaded.rules is not None, loaded.findings
    return loaded.rules


def run(test: str, **changes: str | None) -> TestResult:
    """Return the result of one test, written as a flow mapping, of one changed rule."""
    # A set in which nothing is enforced does not load, so another rule stands beside the one that is tested.
    beside = rule(id="cutback.z", expr="daily_loss_pct > 5", by="[account]")
    both = file_of(rule(tests=f"\n      - {test}", **changes), beside)
    (result,) = run_tests(rules(both), CATALOGUE, FLAGS)
    return result


def story(series: str, *expect: tuple[str, str], **more: str) -> str:
    """Return a test in one line; its step is 5 s unless `more` says otherwise."""
    keys = {"step": "5s", **more}
    wanted = ", ".join(f"{{at: {at}, {what}}}" for at, what in expect)
    told = "".join(f"{key}: {value}, " for key, value in keys.items())
    return f"{{name: a, {told}series: {series}, expect: [{wanted}]}}"


def test_the_design_s_own_story_passes() -> None:
    story = DEPEG.split("    tests:")[0] + """    tests:
      - name: a three-window break halts, a spike does not, a gap never clears
        step: 60s
        flags: {DEPEG_THRESHOLD_PCT: 0.5}
        series: {peg_usdt_usd: "1.0*3 0.98 1.0*3 0.98*4 _*3 1.0*5"}
        expect:
          - {at: 3m, state: pending}
          - {at: 4m, state: inactive, restrain: none, latched: false}
          - {at: 9m, state: pending, restrain: none}
          - {at: 10m, state: firing, restrain: {level: halted}}
          - {at: 13m, state: firing, why: unknown}
          - {at: 18m, state: inactive, latched: true, restrain: {level: halted}}
"""
    (result,) = run_tests(rules(story), CATALOGUE, FLAGS)

    assert result.passed, list(failures((result,)))


def test_what_is_not_as_expected_has_its_place_and_both_values() -> None:
    wanted = 'state: inactive, truth: "true", restrain: {size_mult: 0.4}, why: stale'
    result = run(story('{health_measured: "0 2"}', ("5s", wanted)))

    assert [(one.what, one.expected, one.actual) for one in result.mismatches] == [
        ("state", "inactive", "firing"), ("restrain", "size x0.4", "size x0.5"), ("why", "stale", "true, 2"),
    ]
    assert all(str(one.place).startswith("rules.yaml:10:") and one.at == 5_000_000_000 for one in result.mismatches)
    assert not result.passed and len(list(failures((result,)))) == 3


@pytest.mark.parametrize(("at", "truth"), [("0s", "true"), ("4.9s", "true"), ("5s", "false"), ("10s", "true")])
def test_samples_come_at_their_step_the_first_at_once(at: str, truth: str) -> None:
    assert run(story('{health_measured: "2 0 2"}', (at, f'truth: "{truth}"'))).passed


@pytest.mark.parametrize(
    ("gap", "later", "why"), [("stale", "15s", "stale"), ("nan", "15s", "invalid"), ("_*7", "45s", "stale")]
)
def test_a_gap_makes_doubt_and_doubt_restrains_after_its_grace(gap: str, later: str, why: str) -> None:
    """health_measured is stale 30 s after its last sample; the grace is 10 s more."""
    assert run(story(
        f'{{health_measured: "0*2 {gap} _*20"}}', (later, f"truth: unknown, why: {why}"),
        ("60s", "state: held, restrain: {size_mult: 0.5}"),
    )).passed


def test_timers_fire_between_samples() -> None:
    told = story("{health_measured: 2 2 2}", ("11s", "state: pending"), ("12s", "state: firing"), step="20s")

    assert run(told, for_="12s").passed


def test_flags_are_the_test_s_own_or_their_defaults() -> None:
    rule_of = {"expr": "pct(abs(peg_usdt_usd - 1)) >= DEPEG_THRESHOLD_PCT", "keep_firing_for": "5m"}

    assert run(story("{peg_usdt_usd: 0.99}", ("0s", 'truth: "true"')), **rule_of).passed
    looser = story("{peg_usdt_usd: 0.99}", ("0s", 'truth: "false"'), flags="{DEPEG_THRESHOLD_PCT: 2}")
    assert run(looser, **rule_of).passed


def test_labels_are_the_series_own_the_rule_s_the_test_s_or_test() -> None:
    counted = {"by": "[venue]", "expr": "count_over(fill_ms, '1h', liquidity='taker') >= 2", "ttl": "1h"}

    assert run(story('{fill_ms: "5 5"}', ("5s", 'truth: "true"')), **counted).passed
    assert run(story('{fill_ms: "5 5"}', ("5s", 'truth: "true"'), labels="{venue: paper}"), **counted).passed
    assert run(story(
        '{"fill_ms{venue=a}": "5 5", "fill_ms{venue=b}": "5"}', ("5s", 'labels: {venue: a}, truth: "true"'),
        ("5s", 'labels: {venue: b}, truth: "false"'),
    ), **counted).passed
    gone = run(story('{"fill_ms{venue=a}": "5"}', ("0s", "labels: {venue: b}, state: held")), **counted)
    assert not gone.passed and gone.mismatches[0].what == "instance"


def test_a_signal_read_with_two_labels_must_say_which() -> None:
    count = "count_over(fill_ms, '1h', liquidity='{}', venue='x')"
    expr = f"{count.format('taker')} > {count.format('maker')}"
    vague = run(story("{fill_ms: 5}", ("0s", 'truth: "true"')), expr=expr)
    clear = run(story('{"fill_ms{liquidity=taker}": 5}', ("0s", 'truth: "true"')), expr=expr)

    assert "write which" in vague.error and not vague.passed
    assert clear.passed, (clear.error, clear.mismatches)


def test_a_test_of_a_rule_that_was_never_evaluated_does_not_pass() -> None:
    empty = run(story("{}", ("5s", "latched: false")), by="[venue]", expr="age(feed_messages) > 5")
    off = run(story("{health_measured: 0}", ("0s", "restrain: none")), enabled="false")
    flag_off = run(
        story("{health_measured: 0}", ("0s", "restrain: none"), flags="{DEPEG_GUARD_ENABLED: false}"),
        enabled="DEPEG_GUARD_ENABLED",
    )

    assert not empty.passed and "never evaluated" in empty.error
    assert "never evaluated" in off.error and "DEPEG_GUARD_ENABLED: true" in flag_off.error


def test_a_shadow_rule_is_tested_as_if_enforced() -> None:
    told = story("{health_measured: 2}", ("0s", "restrain: {size_mult: 0.5}"))

    assert run(told, enforcement="shadow").passed


def test_an_id_that_no_rule_has_is_an_error() -> None:
    results = run_tests(rules(DEPEG), CATALOGUE, FLAGS, only=["guard.depeg.usd"])

    assert [(one.passed, one.error) for one in results] == [
        (False, "there is no rule guard.depeg.usd; did you mean guard.depeg.usdt?"),
    ]
    assert len(run_tests(rules(DEPEG), CATALOGUE, FLAGS, only=["guard.depeg.usdt"])) == 1


def test_an_entry_rule_judges_the_test_s_order() -> None:
    entry = {
        "kind": "entry", "restrain": None, "expr": "order_notional_usd > 5000 or spread_bps > ENTRY_MAX_SPREAD_BPS",
    }

    def judged(notional: int, spread: str, wanted: str) -> TestResult:
        order = f"{{order_notional_usd: {notional}}}"
        return run(story(f'{{spread_bps: "{spread}"}}', ("0s", wanted), order=order, labels="{symbol: X}"), **entry)

    assert judged(100, "5", 'truth: "false", refused: false').passed
    assert judged(6000, "5", 'truth: "true", refused: true').passed
    assert judged(100, "_", "truth: unknown, refused: true, why: missing").passed
    assert [one.what for one in judged(100, "60", "refused: false").mismatches] == ["refused"]


def test_a_maker_gate_grants_while_known_true() -> None:
    gate = {"kind": "maker_gate", "expr": None, "restrain": None, "allow_expr": "health_measured < 1"}
    told = story(
        '{health_measured: "0 _*9 2"}', ("0s", "granted: true"), ("45s", "granted: false"), ("50s", "granted: false"),
    )

    assert run(told, **gate).passed
