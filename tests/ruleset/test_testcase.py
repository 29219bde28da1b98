"""How tests are read: late samples, events and transitions, and every mistake in them with its place and fix."""

from __future__ import annotations

import pytest

from engine.model.time import MINUTE, SECOND
from engine.ruleset.spec import Action
from engine.ruleset.testcase import Deed, Gap, Late, RuleTest
from tests.ruleset.rules_text import file_of, rule
from tests.ruleset.world import load


def one(test: str, **changes: str | None) -> RuleTest:
    """Return one test, written as a flow mapping without its name."""
    loaded = load(file_of(rule(tests=f"\n      - {{name: a, step: 5s, {test}}}", **changes)))
    assert loaded.rules is not None, loaded.findings
    (found,) = loaded.rules.rules[0].tests
    assert isinstance(found, RuleTest)
    return found


def told(test: str, **changes: str | None) -> list[tuple[str, str]]:
    """Return (code, fix) of every error of one test."""
    loaded = load(file_of(rule(tests=f"\n      - {{name: a, step: 5s, {test}}}", **changes)))
    return [(found.code, found.fix) for found in loaded.findings if found.severity == "error"]


EXPECT = "expect: [{at: 5s, state: inactive}]"
SERIES = "series: {health_measured: 0}"


def test_late_samples_stand_among_the_others() -> None:
    found = one('series: {health_measured: "1 2@late(5s)*2 nan@late(1.5s) _ stale"}, ' + EXPECT)

    assert found.series[0].samples == (
        1.0, Late(2.0, 5 * SECOND), Late(2.0, 5 * SECOND), Late(Gap.NAN, 1_500_000_000), Gap.NOTHING, Gap.STALE,
    )


@pytest.mark.parametrize("word", [
    "late(5s)", "2@late", "2@late()", "2@late(5)", "2@late(0s)", "_@late(5s)", "stale@late(5s)", "2@late(-5s)",
    "2@late(5s)@late(5s)", "2@5s",
])
def test_what_is_not_late_as_it_must_be_written_is_refused_with_the_way_to_write_it(word: str) -> None:
    found = told(f'series: {{health_measured: "1 {word}"}}, {EXPECT}')

    assert found == [("test-sample", "write the value and how late it comes, such as 0.98@late(5s)")]


def test_events_are_read_in_order_of_time() -> None:
    found = one(
        f"{SERIES}, events: [{{at: 1m, do: restart, for: 2m}}, {{at: 30s, do: reload}},"
        " {at: 5m, do: clock_back, by: 3s},"
        " {at: 6m, do: drop, signal: health_measured}, {at: 7m, do: rearm, refused: true, why: unknown},"
        f" {{at: 8m, do: boundary}}], {EXPECT}"
    )

    assert [(event.at, event.do) for event in found.events] == [
        (30 * SECOND, Deed.RELOAD), (MINUTE, Deed.RESTART), (5 * MINUTE, Deed.CLOCK_BACK), (6 * MINUTE, Deed.DROP),
        (7 * MINUTE, Deed.REARM), (8 * MINUTE, Deed.BOUNDARY),
    ]
    restart, back, drop, rearm = (found.events[index] for index in (1, 2, 3, 4))
    assert (restart.lasts, back.by, drop.signal) == (2 * MINUTE, 3 * SECOND, "health_measured")
    assert rearm.refused and rearm.why == ("unknown",)


@pytest.mark.parametrize(("event", "code", "fix"), [
    ("{at: 5s, do: explode}", "schema-choice", "did you mean reload?"),
    ("{do: reload}", "schema-missing-key", "add `at:`"),
    ("{at: 5s}", "schema-missing-key", "add `do:`"),
    ("{at: 5s, do: reload, when: 5s}", "schema-unknown-key", "there are"),
    ("{at: 5s, do: reload, for: 2m}", "test-event", "remove it"),
    ("{at: 5s, do: restart, by: 2m}", "test-event", "remove it"),
    ("{at: 5s, do: boundary, refused: true}", "test-event", "remove it"),
    ("{at: 5s, do: clock_back}", "test-event", "add by: 30s"),
    ("{at: 5s, do: clock_back, by: 0s}", "test-event", "write by: 30s"),
    ("{at: 5s, do: clock_back, by: soon}", "schema-pattern", "write a number"),
    ("{at: 5s, do: drop}", "test-event", "add signal:"),
    ("{at: 5s, do: drop, signal: helth_measured}", "test-unread-series", "did you mean health_measured?"),
    ("{at: 5s, do: drop, signal: 'health_measured{venue=x}'}", "test-series", "it has no labels"),
])
def test_a_mistake_in_an_event_has_a_code_and_a_fix(event: str, code: str, fix: str) -> None:
    found = told(f"{SERIES}, events: [{event}], {EXPECT}")

    assert [one[0] for one in found] == [code]
    assert fix in found[0][1] or code in ("schema-choice", "schema-unknown-key")


def test_an_order_s_signal_cannot_be_dropped() -> None:
    entry: dict[str, str | None] = {"kind": "entry", "restrain": None, "expr": "order_notional_usd > 5000"}
    events = "events: [{at: 5s, do: drop, signal: order_notional_usd}]"
    found = told(f"series: {{}}, {events}, expect: [{{at: 5s, refused: true}}]", **entry)

    assert [code for code, _ in found] == ["test-event"]


def test_nothing_can_be_expected_while_the_engine_is_down() -> None:
    events = "events: [{at: 10s, do: restart, for: 20s}]"

    def at(when: str) -> list[tuple[str, str]]:
        return told(f"{SERIES}, {events}, expect: [{{at: {when}, state: inactive}}]")

    assert at("10s") == at("30s") == []
    assert [code for code, _ in at("20s")] == ["test-event"]


def test_transitions_are_read_short_and_long() -> None:
    found = one(f"{SERIES}, transitions: [0s held, {{at: 1.5s, to: inactive, why: stale}}, 2h firing]")

    assert found.transitions is not None and found.expect == ()
    assert [(move.at, move.to) for move in found.transitions] == [
        (0, "held"), (1_500_000_000, "inactive"), (120 * MINUTE, "firing"),
    ]


@pytest.mark.parametrize(("moves", "codes"), [
    ("[4m]", ["schema-pattern"]), ("[4m fired]", ["schema-pattern"]), ("[5m30s held]", ["schema-pattern"]),
    ("[5]", ["schema-type"]), ("[{at: 5s}]", ["schema-missing-key"]), ("[{at: 5s, to: gone}]", ["schema-choice"]),
    ("[5s held, 4s firing]", ["test-transitions"]), ("5s held", ["schema-type"]),
])
def test_a_mistake_in_transitions_has_a_code(moves: str, codes: list[str]) -> None:
    assert [code for code, _ in told(f"{SERIES}, transitions: {moves}")] == codes


def test_a_test_without_any_expectation_is_an_error() -> None:
    assert told(SERIES) == [("test-no-expectation", "add `expect:` or `transitions:`")]
    said = told(f"{SERIES}, expect: [{{at: 5s, labels: {{venue: x}}}}]")
    assert [code for code, _ in said] == ["test-no-expectation"]
    assert told(f"{SERIES}, transitions: []") == []


def test_what_is_claimed_of_scope_action_and_evaluation_is_read() -> None:
    claim = "{at: 5s, evaluated: true, scope: {venue: x}, action: {exit_risk: dry_run, trim_pct: 5}}"
    (found,) = one(f"{SERIES}, expect: [{claim}]").expect

    assert found.evaluated is True and found.scope == (("venue", "x"),)
    assert found.action == Action(exit_risk="dry_run", trim_pct=5.0)
    (all_of_it,) = one(f"{SERIES}, expect: [{{at: 5s, scope: all, action: none}}]").expect
    assert all_of_it.scope == () and all_of_it.action == Action()


@pytest.mark.parametrize("claim", ["scope: some", "scope: {}", "action: all", "action: {exit: true}", "evaluated: 5"])
def test_a_claim_that_is_none_is_refused(claim: str) -> None:
    assert told(f"{SERIES}, expect: [{{at: 5s, {claim}}}]")[0][0].startswith("schema-")
