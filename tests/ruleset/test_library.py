"""The rules as a library: what is fed decides, time alone decides the rest, and mistakes are told all at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.model.effects import LatchCleared, LatchSet, Notify, RuleMoved
from engine.model.restraints import NONE, Level
from engine.ruleset import Rules, RulesError

SIGNALS = """
version: 1
signals:
  - {name: error_ratio, kind: gauge, unit: ratio, summary: failures, range: {low: 0, high: 1}, period: 10s,
     max_age: 30s, labels: [venue], producer: feed.metrics}
  - {name: depth, kind: gauge, unit: count, summary: jobs waiting, range: {low: 0}, period: 10s, max_age: 30s,
     producer: feed.metrics}
  - {name: batch, kind: gauge, unit: count, summary: jobs of this batch, range: {low: 0}, scope: order,
     producer: policy.review}
  - {name: crash, kind: event, unit: count, summary: one for each crash, range: {low: 0}, producer: feed.crashes}
"""
FLAGS = """
version: 1
flags:
  - {name: ERROR_LIMIT_PCT, kind: number, unit: pct, default: 2, range: {low: 0, high: 100}, summary: most failures}
  - {name: BATCH_LIMIT, kind: number, unit: count, default: 100, range: {low: 1}, summary: largest batch}
"""
RULES = """
version: 1
rules:
  - id: breaker.errors
    kind: guard
    by: [venue]
    summary: too many requests fail
    runbook: RUNBOOK.md#errors
    expr: pct(error_ratio) >= ERROR_LIMIT_PCT
    for: 20s
    keep_firing_for: 10s
    unknown_grace: 10s
    restrain: {level: halted}
  - id: kill.crashes
    kind: kill
    summary: it crashes
    runbook: RUNBOOK.md#crashes
    expr: count_over(crash, "5m") >= 2
    restrain: {level: reduce_only}
    notify: {to: page, text: "it crashes"}
  - id: entry.batch
    kind: entry
    summary: the batch is too large
    runbook: RUNBOOK.md#batch
    expr: batch > BATCH_LIMIT
"""


def loaded(**more: object) -> Rules:
    return Rules.load(rules={"rules.yaml": RULES}, signals=SIGNALS, flags=FLAGS, **more)  # type: ignore[arg-type]


def moved(rules: Rules) -> list[tuple[int, str, str, str]]:
    return [
        (effect.at, effect.instance, effect.before, effect.after)
        for effect in rules.happened()
        if isinstance(effect, RuleMoved)
    ]


def test_what_is_fed_restrains_exactly_whom_it_is_about() -> None:
    rules = loaded()
    rules.alive("feed.crashes", 0)
    for second in range(0, 50, 10):
        for venue, ratio in (("eu", 0.05), ("us", 0.001)):
            rules.feed("error_ratio", ratio, second, venue=venue)

    # The kill is of events, whose first window is known once their producer lives.
    assert rules.restraint(venue="eu").level is Level.HALTED
    assert rules.restraint(venue="us") == NONE
    assert [item.instance for item in rules.restraints()] == ["breaker.errors[eu]"]
    # Of a venue nobody has heard anything: that is doubt, and doubt restrains.
    assert rules.restraint(venue="asia").level is Level.HALTED


def test_silence_is_doubt_at_its_own_instant() -> None:
    rules = loaded()
    rules.feed("error_ratio", 0.0, 0, venue="eu")
    rules.feed("error_ratio", 0.0, 10, venue="eu")
    rules.happened()
    rules.advance(1000)

    # Heard at 10 s, stale at 40 s, and the grace for doubt is 10 s.
    assert moved(rules) == [(50_000_000_000, "breaker.errors[eu]", "inactive", "held")]


SERIES = st.lists(st.tuples(st.integers(1, 40), st.sampled_from((0.0, 0.019, 0.02, 0.5, 2.0))), min_size=1, max_size=30)


@settings(max_examples=60)
@given(series=SERIES, steps=st.integers(2, 7))
def test_one_leap_in_time_is_many_small_ones(series: list[tuple[int, float]], steps: int) -> None:
    """Timers fire at their own instants, however seldom anybody asks; out of range (2.0) is doubt."""
    leaping, walking = loaded(), loaded()
    at = 0.0
    for gap, ratio in series:
        for step in range(1, steps):
            walking.advance(at + gap * step / steps)
        at += gap
        for rules in (leaping, walking):
            rules.feed("error_ratio", ratio, at, venue="eu")
            rules.alive("feed.crashes", at)
    for rules in (leaping, walking):
        rules.advance(at + 500)

    assert moved(leaping) == moved(walking)
    assert leaping.restraints() == walking.restraints()
    assert leaping.next_due() == walking.next_due()


def test_time_that_goes_back_shortens_nothing() -> None:
    rules = loaded()
    rules.alive("feed.crashes", 0)
    for second in (0, 10, 20):
        rules.feed("error_ratio", 0.05, second, venue="eu")
    rules.advance(5)
    rules.feed("error_ratio", 0.0, 5, venue="eu")

    # The good sample counts as of 20 s, so the rule goes on firing until 30 s.
    rules.advance(29.9)
    assert rules.restraint(venue="eu").level is Level.HALTED
    rules.advance(30)
    assert rules.restraint(venue="eu").level is Level.NORMAL


def test_a_latch_stays_until_somebody_ends_it() -> None:
    rules = loaded()
    rules.alive("feed.crashes", 0)
    rules.feed("crash", 1.0, 1)
    rules.feed("crash", 1.0, 2)
    latch = rules.latches()[0]
    assert rules.restraint().level is Level.REDUCE_ONLY
    assert rules.rearm("1", 3, actor="ops")[0] is False, "its condition is still true"

    # The producer lives on, and the crashes leave the window.
    for second in range(60, 420, 60):
        rules.alive("feed.crashes", second)
    assert rules.restraint().level is Level.REDUCE_ONLY
    assert rules.rearm(latch.name, 420, actor="ops") == (True, "re-armed 1 (kill.crashes/1)")
    assert rules.restraint() == NONE
    kinds = [type(effect) for effect in rules.happened() if isinstance(effect, LatchSet | LatchCleared | Notify)]
    assert kinds.count(LatchSet) == kinds.count(LatchCleared) == 1
    assert Notify in kinds


def test_an_order_is_refused_where_it_is_not_known_to_be_fine() -> None:
    rules = loaded()

    assert rules.refusals({"batch": 100.0}, 1) == ()
    assert [(one.rule, one.truth.name) for one in rules.refusals({"batch": 101.0}, 2)] == [("entry.batch", "TRUE")]
    assert [(one.rule, one.truth.name) for one in rules.refusals({}, 3)] == [("entry.batch", "UNKNOWN")]


def test_a_flag_is_hot_and_held_to_what_it_may_be() -> None:
    rules = loaded(values={"BATCH_LIMIT": 10.0})
    assert rules.refusals({"batch": 11.0}, 1)

    rules.set_flag("BATCH_LIMIT", 20.0, 2)
    assert not rules.refusals({"batch": 11.0}, 2)
    with pytest.raises(ValueError, match="BATCH_LIMIT"):
        rules.set_flag("BATCH_LIMIT", 0.0, 3)
    with pytest.raises(KeyError, match="BATCH"):
        rules.set_flag("BATCH", 3.0, 3)


def test_why_is_told_part_by_part() -> None:
    rules = loaded()
    rules.feed("error_ratio", 0.05, 0, venue="eu")
    found = rules.explain("breaker.errors")[0]

    assert (found["instance"], found["state"], found["truth"]) == ("breaker.errors[eu]", "pending", "true")
    assert [(part["text"], part["value"]) for part in found["trace"]][-1] == ("ERROR_LIMIT_PCT", 2.0)
    assert [(one["timer"], one["until"]) for one in found["timers"]] == [("for", 20_000_000_000)]
    assert {view.id: view.state for view in rules.states()}["breaker.errors"] == "pending"
    with pytest.raises(KeyError):
        rules.explain("breaker.error")


def test_a_lost_sample_is_doubt_until_the_next_one() -> None:
    rules = loaded()
    rules.alive("feed.crashes", 0)
    rules.feed("error_ratio", 0.0, 0, venue="eu")
    rules.lost("error_ratio", 5, venue="eu")
    rules.advance(15)
    assert rules.restraint(venue="eu").level is Level.HALTED

    rules.feed("error_ratio", 0.0, 20, venue="eu")
    rules.advance(40)
    assert rules.restraint(venue="eu").level is Level.NORMAL


def test_all_mistakes_of_all_texts_come_with_places_and_fixes() -> None:
    broken = RULES.replace("error_ratio) >=", "error_ration) >=").replace("kind: kill", "kind: kil")
    with pytest.raises(RulesError) as wrong:
        Rules.load(rules={"rules.yaml": broken}, signals=SIGNALS, flags=FLAGS)

    assert {found.file for found in wrong.value.findings} == {"rules.yaml"}
    assert len({found.line for found in wrong.value.findings}) >= 2
    assert "did you mean error_ratio?" in str(wrong.value)
    with pytest.raises(RulesError, match=r"signals\.yaml:"):
        Rules.load(rules={"rules.yaml": RULES}, signals=SIGNALS.replace("unit: ratio", "unit: ration"), flags=FLAGS)


@pytest.mark.parametrize(
    ("name", "labels", "said"),
    [
        ("error_ration", {}, "nearest: error_ratio"), ("error_ratio", {}, "has the labels"),
        ("depth", {"venue": "eu"}, "has the labels"),
    ],
)
def test_a_sample_of_nothing_is_an_error_of_the_program(name: str, labels: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        loaded().feed(name, 1.0, 0, **labels)


def test_bytes_and_text_are_the_same(tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(RULES, encoding="utf-8")
    from_bytes = Rules.load(rules={"rules.yaml": file.read_bytes()}, signals=SIGNALS.encode(), flags=FLAGS.encode())

    assert from_bytes.rules.digest == loaded().rules.digest
