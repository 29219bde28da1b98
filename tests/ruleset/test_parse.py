"""Specs: what is left out has its default, what a flag gives is worth what its name says, tests are read whole."""

from __future__ import annotations

from decimal import Decimal

import pytest

from engine.model.restraints import Level, Restraint
from engine.model.samples import Unit
from engine.model.time import HOUR, MINUTE, MS, SECOND
from engine.ruleset.durations import flag_worth
from engine.ruleset.spec import Action, Enforcement, Latching, Notice, OnUnknown, RuleKind, RuleSpec
from engine.ruleset.testcase import Gap, RuleTest
from tests.ruleset.rules_text import codes, file_of, findings, rule
from tests.ruleset.world import flag, load


def spec(**changes: str | None) -> RuleSpec:
    """Return the spec of one changed rule."""
    loaded = load(file_of(rule(**changes)))
    assert loaded.rules is not None, loaded.findings
    return loaded.rules.rules[0]


def test_what_is_left_out_has_its_default() -> None:
    """health_measured has a period of 5 s: a grace of two periods, a clear of one, a lease of three."""
    found = spec()

    assert (found.unknown_grace, found.min_clear, found.valid_for) == (10 * SECOND, 5 * SECOND, 15 * SECOND)
    assert (found.hold_for, found.cooldown, found.keep_firing_for, found.ttl) == (0, 0, 0, 0)
    assert found.enabled is True and found.enforcement is Enforcement.ENFORCE and found.on_unknown is OnUnknown.RESTRICT
    assert found.latch is Latching.NONE and found.clear_expr is None and not found.by and found.action is None
    assert str(found.place) == "rules.yaml:3:5" and str(found.expr.place) == "rules.yaml:7:11"


def test_the_slowest_signal_sets_the_grace_and_the_first_one_the_window() -> None:
    found = spec(
        expr="health_measured >= 2 or held(peg_usdt_usd < 0.99, '5m')", for_="3 windows", keep_firing_for="2 periods",
    )

    assert (found.unknown_grace, found.min_clear) == (2 * MINUTE, MINUTE)
    assert (found.hold_for, found.keep_firing_for) == (15 * SECOND, 10 * SECOND)


def test_everything_that_is_written_is_kept() -> None:
    found = spec(
        kind="guard", enabled="DEPEG_GUARD_ENABLED", enforcement="shadow", by="[account]", expr="daily_loss_pct >= 3",
        clear_expr="daily_loss_pct < 1", scope="all", for_="90s",
        keep_firing_for="1.5m", latch="boundary", cooldown="1h",
        on_unknown="cutback", on_unknown_reason="equity is slow", unknown_cutback="{max_notional_usd: 100.50}",
        unknown_grace="30s", min_clear="250ms", restrain="{level: reduce_only, mute: [SCALP, ENTRY], deny: [XYZUSDT],"
        " deny_quotes: [FDUSD], max_notional_usd: 1000}", action="{exit_risk: DEPEG_EXIT_RISK, trim_pct: 50}",
        notify='{to: page, text: "lost {daily_loss_pct:.2f} of {account}"}',
        formerly="[old.id]",
        tests="[]",
    )

    assert found.kind is RuleKind.GUARD and found.scope_all and found.by == ("account",)
    assert (found.hold_for, found.keep_firing_for, found.cooldown) == (90 * SECOND, 90 * SECOND, HOUR)
    assert found.unknown_cutback == Restraint(max_notional_usd=Decimal("100.50"))
    assert found.restrain == Restraint(
        level=Level.REDUCE_ONLY, max_notional_usd=Decimal(1000), mute=frozenset({"SCALP", "ENTRY"}),
        deny=frozenset({"XYZUSDT"}), deny_quotes=frozenset({"FDUSD"}),
    )
    assert found.action == Action(exit_risk="DEPEG_EXIT_RISK", trim_pct=50.0)
    assert isinstance(found.notify, Notice) and found.notify.to == "page"
    assert found.formerly == ("old.id",) and found.enforcement is Enforcement.SHADOW


def test_a_kill_is_manual_unless_it_says_boundary() -> None:
    assert spec(kind="kill", restrain="{level: halted}").latch is Latching.MANUAL
    assert spec(kind="kill", restrain="{level: halted}", latch="boundary").latch is Latching.BOUNDARY


@pytest.mark.parametrize(("written", "word"), [("true", "true"), ("false", "false"), ("dry_run", "dry_run"),
                                               ("DEPEG_EXIT_RISK", "DEPEG_EXIT_RISK"), (
                                                   "DEPEG_GUARD_ENABLED", "DEPEG_GUARD_ENABLED",
                                               )])
def test_exit_risk_is_a_word_or_a_flag(written: str, word: str) -> None:
    action = spec(action=f"{{exit_risk: {written}}}").action

    assert action is not None and action.exit_risk == word


@pytest.mark.parametrize(
    ("name", "unit", "worth"),
    [
        ("A_MIN", Unit.NONE, MINUTE), ("A_MINUTES", Unit.COUNT, MINUTE), ("A_SEC", Unit.S, SECOND), (
            "A_SECONDS", Unit.NONE, SECOND,
        ),
        ("A_HOURS", Unit.NONE, HOUR), ("A_MS", Unit.MS, MS), ("A", Unit.S, SECOND), (
            "A", Unit.MS, MS,
        ), ("A", Unit.COUNT, 7),
        ("A", Unit.PCT, None), ("A", Unit.NONE, None), ("A_MINIMUM", Unit.NONE, None),
    ],
)
def test_what_one_of_a_flag_is_worth_follows_from_its_name_then_its_unit(
    name: str, unit: Unit, worth: int | None,
) -> None:
    assert flag_worth(flag(name, 3, unit), 7) == worth
    assert flag_worth(flag(name, True), 7) is None


def test_a_flag_is_kept_as_a_name_with_its_worth() -> None:
    found = spec(expr="peg_usdt_usd < 0.99", clear_expr="peg_usdt_usd > 0.995", for_="DEPEG_CONFIRM_WINDOWS",
                 cooldown="DEPEG_ACTION_COOLDOWN_MIN")

    assert (found.hold_for, found.hold_for_unit) == ("DEPEG_CONFIRM_WINDOWS", MINUTE)
    assert (found.cooldown, found.cooldown_unit) == ("DEPEG_ACTION_COOLDOWN_MIN", MINUTE)


def test_a_flag_gives_neither_the_end_of_doubt_nor_a_lease() -> None:
    for key in ("min_clear",):
        assert codes(**{key: "DEPEG_ACTION_COOLDOWN_MIN"}) == ["schema-pattern"]


def test_windows_of_a_signal_without_a_period_are_no_duration() -> None:
    assert codes(expr="announcements > 3", for_="2 windows") == ["rule-duration"]
    assert codes(expr="announcements > 3", for_="DEPEG_CONFIRM_WINDOWS") == ["rule-duration"]
    assert codes(expr="announcements > 3", for_="DEPEG_ACTION_COOLDOWN_MIN") == []


def test_a_ttl_never_ends_a_level() -> None:
    assert codes(ttl="30m") == []
    assert codes(ttl="30m", restrain="{size_mult: 0.5, level: entries_paused}") == ["rule-ttl"]


def test_a_label_nobody_reads_would_make_no_instance() -> None:
    assert codes(by="[venue]", expr="age(feed_messages) > 5") == []
    assert codes(by="[venue]", expr="age(feed_messages, venue='x') > 5") == ["rule-unused-label"]
    found = findings(by="[venue, symbol]", expr="age(feed_messages) > 5")
    assert [(one.code, one.column) for one in found] == [("rule-unused-label", 17)]


TEST = """
      - name: all of it
        step: 5s
        flags: {DEPEG_THRESHOLD_PCT: 0.7, DEPEG_GUARD_ENABLED: false}
        labels: {venue: paper}
        series:
          feed_messages{venue=other}: "1*3 _ stale nan _*2 2.5"
          feed_messages: 7
        expect:
          - {at: 0s, state: held, truth: unknown, why: [unknown, missing]}
          - {at: 1.5m, labels: {venue: other}, restrain: {size_mult: 0.5}, latched: false, why: stale}
          - {at: 10s, restrain: none}"""


def test_a_test_is_read_whole() -> None:
    test = spec(by="[venue]", expr="age(feed_messages) > 5", tests=TEST).tests[0]

    assert isinstance(test, RuleTest)
    assert (test.name, test.step) == ("all of it", 5 * SECOND)
    assert dict(test.flags) == {"DEPEG_THRESHOLD_PCT": 0.7, "DEPEG_GUARD_ENABLED": False}
    assert [(one.signal, one.labels) for one in test.series] == [
        ("feed_messages", (("venue", "other"),)), ("feed_messages", ()),
    ]
    assert test.series[0].samples == (1.0, 1.0, 1.0, Gap.NOTHING, Gap.STALE, Gap.NAN, Gap.NOTHING, Gap.NOTHING, 2.5)
    first, second, third = test.expect
    assert (first.at, first.state, first.truth, first.why) == (0, "held", "unknown", ("unknown", "missing"))
    assert (second.at, dict(second.labels), second.restrain_fields) == (90 * SECOND, {"venue": "other"}, ("size_mult",))
    assert second.restrain == Restraint(size_mult=0.5) and second.latched is False
    assert third.restrain == Restraint() and third.restrain_fields == ()


def test_words_and_switches_are_samples_too() -> None:
    series = '{venue_state: "open closed _", is_trading: "true*2 false"}'
    body = f"\n      - {{name: a, series: {series}, expect: [{{at: 0s, state: held}}]}}"
    test = spec(by="[venue, symbol]", expr="venue_state == 'open' or is_trading or spread_bps > 5", tests=body).tests[0]

    assert test.series[0].samples == ("open", "closed", Gap.NOTHING)
    assert test.series[1].samples == (True, True, False)


def test_series_that_cannot_be_are_told() -> None:
    def told(series: str, **more: str | None) -> list[str]:
        body = f"\n      - {{name: a, series: {series}, expect: [{{at: 0s, state: held}}]}}"
        return codes(tests=body, **more)

    assert told("{peg_usdt_usd: 1}") == ["test-unread-series"]
    assert told("{health_measured: open}") == ["test-sample"]
    assert told('{"health_measured{venue=x}": 1}') == ["test-series"]
    assert told(
        "{order_notional_usd: 1}", kind="entry", expr="order_notional_usd > 5", restrain=None,
    ) == ["test-series"]
