"""What may befall the engine in a test, samples that come late, and the full list of state changes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.model.flag_values import fit
from engine.ruleset.spec import RuleSpec
from engine.ruleset.testcase import Deed, RuleTest, TestEvent
from engine.workbench.test import TestResult, failures, run_test, run_tests
from engine.workbench.test_play import Play
from tests.rules.timelines import rules, shipped
from tests.ruleset.rules_text import file_of, rule
from tests.ruleset.world import CATALOGUE, FLAGS, load


def run(test: str, **changes: str | None) -> TestResult:
    """Return the result of one test, written as a flow mapping without its name and step (5 s), of one changed rule."""
    loaded = load(file_of(rule(tests=f"\n      - {{name: a, step: 5s, {test}}}", **changes)))
    assert loaded.rules is not None, loaded.findings
    (result,) = run_tests(loaded.rules, CATALOGUE, FLAGS)
    return result


def passes(test: str, **changes: str | None) -> None:
    result = run(test, **changes)
    assert result.passed, list(failures((result,)))


def wrong(test: str, **changes: str | None) -> list[tuple[str, str, str]]:
    """Return (what, expected, actual) of everything that is not as the test says."""
    return [(one.what, one.expected, one.actual) for one in run(test, **changes).mismatches]


def held(samples: str, rest: str) -> str:
    return f'series: {{health_measured: "{samples}"}}, {rest}'


# -- transitions -------------------------------------------------------------------------------


def test_transitions_are_every_change_of_state_in_order() -> None:
    moves = "[0s held, 5s inactive, 10s pending, 20s firing, 25s inactive]"
    passes(held("0*2 2*3 0*2", f"transitions: {moves}"), for_="10s")


@pytest.mark.parametrize(("listed", "expected", "actual"), [
    ("[0s held, 5s inactive]", "no change", "10s firing of cutback.a"),
    ("[0s held, 5s inactive, 10s firing, 15s inactive]", "15s inactive", "no change any more"),
    ("[0s held, 5s inactive, 12s firing]", "12s firing", "10s firing of cutback.a"),
    ("[0s held, 5s pending, 10s firing]", "5s pending", "5s inactive of cutback.a"),
    ("[0s held, 5s inactive, {at: 10s, to: firing, why: stale}]", "stale", "true, 2"),
    ("[]", "no change", "0s held of cutback.a"),
])
def test_a_list_that_is_not_exactly_what_happened_fails(listed: str, expected: str, actual: str) -> None:
    assert ("transitions", expected, actual) in wrong(held("0*2 2*2", f"transitions: {listed}"))


def test_transitions_say_which_instance_moves() -> None:
    series = 'series: {"daily_loss_pct{account=a}": "1 4", "daily_loss_pct{account=b}": "4 1"}'
    moves = "[{at: 0s, to: firing, labels: {account: b}}, {at: 5s, to: firing, labels: {account: a}}, "
    rest: dict[str, str | None] = {"expr": "daily_loss_pct >= 3", "by": "[account]"}

    passes(f"{series}, transitions: {moves}{{at: 5s, to: inactive, labels: {{account: b}}}}]", **rest)
    assert run(f"{series}, transitions: [0s firing]", **rest).mismatches


def test_transitions_are_listed_to_the_last_sample_and_timer_between() -> None:
    """The sample at 0 goes stale at 30 s and the grace ends at 40 s, between samples that never come."""
    passes(held("0 _*9", "transitions: [0s held, 5s inactive, 40s held]"))


def test_an_entry_rule_has_no_transitions() -> None:
    entry: dict[str, str | None] = {"kind": "entry", "restrain": None, "expr": "order_notional_usd > 5000"}

    assert "no state" in run("series: {}, transitions: []", **entry).error


# -- late --------------------------------------------------------------------------------------


def test_a_late_sample_counts_from_when_it_came() -> None:
    passes(held("0 2@late(12s) _*4", "transitions: [0s held, 5s inactive, 17s firing]"))


def test_a_late_sample_is_old_news_after_one_that_came_before_it() -> None:
    """The receiver's order decides: what arrives last is the last sample, and its age begins when it came."""
    passes(held("0 2@late(8s) 0 _*2", "expect: [{at: 10s, state: inactive}, {at: 13s, state: firing}]"))


def test_late_and_broken_is_broken() -> None:
    passes(held("0 nan@late(5s) _*2", "expect: [{at: 5s, truth: \"false\"}, {at: 10s, truth: unknown, why: invalid}]"))


# -- events ------------------------------------------------------------------------------------


@pytest.mark.parametrize("do", ["reload", "restart"])
def test_states_timers_and_latches_go_on(do: str) -> None:
    events = ", ".join(f"{{at: {at}s, do: {do}}}" for at in (5, 10, 15, 20, 30))
    passes(
        held("0*2 2*3 0*3", f"events: [{events}], transitions: [0s held, 5s inactive, 10s pending, 20s firing,"
             " 25s inactive], expect: [{at: 30s, latched: true, restrain: {size_mult: 0.5}}]"),
        for_="10s", latch="manual",
    )


def test_a_window_survives_a_restart() -> None:
    expr = "count_over(fill_ms, '1m', liquidity='taker') >= 3"
    series = 'series: {"fill_ms{liquidity=taker}": "5*3 _*12"}'
    passes(
        f"{series}, events: [{{at: 5s, do: restart}}, {{at: 30s, do: reload}}],"
        " transitions: [10s firing, 60s inactive]",
        expr=expr, by="[venue]",
    )


def test_while_the_engine_is_down_samples_are_lost_and_timers_come_late_but_at_their_instant() -> None:
    """The 2 at 10 s to 20 s is never seen; the sample of 5 s is stale at 35 s as if nothing had been."""
    down = "events: [{at: 6s, do: restart, for: 19s}]"
    passes(held("0*2 2*3 _*4", f"{down}, transitions: [0s held, 5s inactive], expect: [{{at: 35s, why: stale}}]"))
    passes(held("0*2 2*4", f"{down}, transitions: [0s held, 5s inactive, 25s firing]"))


def test_a_timer_that_fell_due_while_the_engine_was_down_moves_the_rule_as_of_then() -> None:
    passes(
        held("0 2 _*8", "events: [{at: 6s, do: restart, for: 30s}],"
             " transitions: [0s held, 5s inactive, 5s pending, 15s firing]"), for_="10s",
    )


def test_a_rearm_ends_the_latch_once_the_condition_is_over_and_says_why_not_before() -> None:
    latched: dict[str, str | None] = {"latch": "manual", "cooldown": "10s"}
    passes(
        held("2 0*6", "events: [{at: 0s, do: rearm, refused: true, why: still true}, {at: 10s, do: rearm}],"
             " transitions: [0s held, 0s firing, 5s inactive, 10s cooldown, 20s inactive],"
             " expect: [{at: 5s, latched: true}, {at: 10s, latched: false, restrain: {size_mult: 0.5}}]"), **latched,
    )


def test_a_rearm_that_is_not_as_claimed_fails_with_its_place() -> None:
    latched: dict[str, str | None] = {"latch": "manual"}
    refused = run(held("2*3", "events: [{at: 5s, do: rearm}], expect: [{at: 5s, latched: true}]"), **latched)
    claimed = "events: [{at: 5s, do: rearm, refused: true}], expect: [{at: 5s, latched: false}]"
    done = wrong(held("2 0*3", claimed), **latched)

    assert [(one.what, one.expected) for one in refused.mismatches] == [("rearm", "done")]
    assert "still true" in refused.mismatches[0].actual and refused.mismatches[0].place.line == 10
    assert [one[:2] for one in done] == [("rearm", "refused")]


def test_a_boundary_ends_boundary_latches_only() -> None:
    def test(latched: str) -> str:
        return held("2 0*3", f"events: [{{at: 10s, do: boundary}}], expect: [{{at: 10s, latched: {latched}}}]")

    passes(test("false"), latch="boundary")
    passes(test("true"), latch="manual")


def test_a_clock_that_goes_back_shortens_nothing() -> None:
    """Pending since 5 s for 10 s: the clock loses 7 s at 10 s, so the rule fires at 22 s."""
    passes(
        held("0 2*6", "events: [{at: 10s, do: clock_back, by: 7s}],"
             " transitions: [0s held, 5s inactive, 5s pending, 22s firing]"), for_="10s",
    )


@pytest.mark.parametrize(("signal", "expr", "series"), [
    ("health_measured", "health_measured >= 2", 'health_measured: "0*2 _*3 0*2"'),
    ("'fill_ms{liquidity=taker}'", "count_over(fill_ms, '1m', liquidity='taker', venue='test') >= 2",
     '"fill_ms{liquidity=taker}": "5 _*4 5 _"'),
])
def test_what_is_dropped_is_in_doubt_until_its_next_sample(signal: str, expr: str, series: str) -> None:
    result = run(
        f"series: {{{series}}}, events: [{{at: 10s, do: drop, signal: {signal}}}],"
        ' expect: [{at: 9s, truth: "false"}, {at: 10s, truth: unknown, why: missing}, {at: 20s, state: held}]',
        expr=expr, unknown_grace="5s",
    )
    assert result.passed, list(failures((result,)))


# -- other claims ------------------------------------------------------------------------------


def test_the_scope_of_what_is_in_force_is_compared_exactly() -> None:
    by: dict[str, str | None] = {"expr": "daily_loss_pct >= 3", "by": "[account]"}
    series = "series: {daily_loss_pct: 4}"

    passes(f"{series}, expect: [{{at: 0s, scope: {{account: test}}}}]", **by)
    passes(f"{series}, expect: [{{at: 0s, scope: all}}]", scope="all", **by)
    assert wrong(f"{series}, expect: [{{at: 0s, scope: all}}]", **by) == [("scope", "all", "account: test")]
    assert wrong("series: {daily_loss_pct: 1}, expect: [{at: 0s, scope: all}]", **by) == [("scope", "all", "nothing")]


def test_an_action_is_the_newest_episode_s_with_its_flag_resolved() -> None:
    acts: dict[str, str | None] = {"action": "{exit_risk: DEPEG_EXIT_RISK, trim_pct: 50}"}

    passes(held("2", "expect: [{at: 0s, action: {exit_risk: true}}, {at: 0s, action: {trim_pct: 50}}]"), **acts)
    passes(held("0", "expect: [{at: 0s, action: none}]"), **acts)
    assert wrong(held("2", "expect: [{at: 0s, action: none}]"), **acts) == [
        ("action", "none", "exit_risk: true, trim_pct: 50.0"),
    ]
    passes(
        held("2", "flags: {DEPEG_EXIT_RISK: \"false\"}, expect: [{at: 0s, action: none}]"),
        action="{exit_risk: DEPEG_EXIT_RISK}",
    )


def test_that_a_flag_switches_the_rule_off_can_be_claimed_and_must_be() -> None:
    off: dict[str, str | None] = {"enabled": "DEPEG_GUARD_ENABLED"}
    flags = "flags: {DEPEG_GUARD_ENABLED: false}"

    passes(held("2", f"{flags}, expect: [{{at: 0s, evaluated: false, restrain: none}}]"), **off)
    assert "never evaluated" in run(held("2", f"{flags}, expect: [{{at: 0s, restrain: none}}]"), **off).error
    assert wrong(held("2", "expect: [{at: 0s, evaluated: false}]"), **off) == [("evaluated", "false", "true")]


# -- restarts and reloads anywhere -------------------------------------------------------------


SHIPPED = [(spec, test) for spec in rules() for test in spec.tests]


def with_events(test: RuleTest, instants: Iterator[int], deed: Deed) -> RuleTest:
    """Return the test with one more event at each instant, none while the engine is down."""
    downs = [(event.at, event.at + event.lasts) for event in test.events if event.lasts]
    more = [
        TestEvent(at=at, do=deed, place=test.place)
        for at in instants if not any(begin <= at < end for begin, end in downs)
    ]
    return replace(test, events=tuple(sorted((*test.events, *more), key=lambda event: event.at)))


def last_of(test: RuleTest) -> int:
    """Return the last instant that the test asks about."""
    samples = max((len(one.samples) - 1 for one in test.series), default=0) * test.step
    said = [*(one.at for one in test.expect), *(move.at for move in test.transitions or ())]
    return max([*said, samples if test.transitions is not None else 0])


def still_holds(spec: RuleSpec, test: RuleTest) -> None:
    loaded = shipped()
    assert loaded.rules is not None and loaded.catalogue is not None
    result = run_test(spec, test, loaded.rules, loaded.catalogue, loaded.flag_specs)
    assert result.passed, list(failures((result,)))


@pytest.mark.parametrize("deed", [Deed.RESTART, Deed.RELOAD])
@pytest.mark.parametrize(("spec", "test"), SHIPPED, ids=lambda one: one.id if isinstance(one, RuleSpec) else one.name)
def test_an_engine_that_restarts_or_reloads_at_every_step_decides_the_same(
    spec: RuleSpec, test: RuleTest, deed: Deed
) -> None:
    last = min(last_of(test), 100 * test.step)
    still_holds(spec, with_events(test, iter(range(0, last + 1, test.step)), deed))


@settings(max_examples=60)
@given(st.sampled_from(SHIPPED), st.sampled_from([Deed.RESTART, Deed.RELOAD]), st.data())
def test_one_restart_or_reload_anywhere_changes_nothing(
    story: tuple[RuleSpec, RuleTest], deed: Deed, data: st.DataObject
) -> None:
    spec, test = story
    at = data.draw(st.integers(0, max(last_of(test), 1)))
    still_holds(spec, with_events(test, iter([at]), deed))


# -- anything at all ---------------------------------------------------------------------------


@st.composite
def befallings(draw: st.DrawFn, spec: RuleSpec, test: RuleTest) -> tuple[TestEvent, ...]:
    """Draw events of every kind at any instants of `test`, one that nobody waits for included."""
    reads = list(dict.fromkeys(series.signal for series in test.series))
    found: list[TestEvent] = []
    for _ in range(draw(st.integers(1, 6))):
        deed = draw(st.sampled_from([one for one in Deed if one is not Deed.DROP or reads]))
        found.append(TestEvent(
            at=draw(st.integers(0, last_of(test) + test.step)), do=deed, place=test.place,
            lasts=draw(st.integers(0, 3 * test.step)) if deed is Deed.RESTART else 0,
            by=draw(st.integers(1, 400 * test.step)) if deed is Deed.CLOCK_BACK else 0,
            signal=draw(st.sampled_from(reads)) if deed is Deed.DROP else "",
            labels=next((one.labels for one in test.series), ()) if deed is Deed.DROP else (),
        ))
    return tuple(sorted(found, key=lambda event: event.at))


@settings(max_examples=60)
@given(st.sampled_from(SHIPPED), st.data())
def test_whatever_befalls_a_test_ends_and_its_moves_are_in_order_of_time(
    story: tuple[RuleSpec, RuleTest], data: st.DataObject
) -> None:
    spec, test = story
    loaded = shipped()
    assert loaded.rules is not None and loaded.catalogue is not None
    changed = replace(test, events=data.draw(befallings(spec, test)))
    values = {name: fit(flag, flag.default) for name, flag in loaded.flag_specs.items()} | dict(test.flags)
    play = Play(spec, changed, replace(loaded.rules, rules=(spec,)), loaded.catalogue, values)
    assert play.prepare() == ""
    for instant in play.instants():
        play.advance(instant)

    moments = [move.at for move in play.moved]
    assert moments == sorted(moments) and all(0 <= at <= max(play.instants(), default=0) for at in moments)
