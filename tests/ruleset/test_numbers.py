"""Numbers by flags: of the right unit and range, in force within the event that changes them, told wherever shown."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from engine.model.effects import Notify
from engine.model.flags import FlagSpec, FlagValue
from engine.model.restraints import Restraint
from engine.model.samples import Unit
from engine.model.time import MINUTE, SECOND
from engine.ruleset.changes import Direction
from engine.ruleset.load import load_rules
from engine.ruleset.loosening import compare
from engine.ruleset.numbers import under
from engine.ruleset.reading import flags_of
from engine.ruleset.ruling import Ruling
from engine.ruleset.spec import Action, RuleKind, RuleSpec
from engine.workbench.amounts import rule_amounts
from engine.workbench.diff_said import said
from engine.workbench.docs import reference
from engine.workbench.mutate import Verdict
from engine.workbench.mutate_run import mutate
from tests.ruleset.notation import World, seconds
from tests.ruleset.notation import rule as noted
from tests.ruleset.rules_text import codes, file_of, findings, rule
from tests.ruleset.world import ANCHORS, CATALOGUE, FLAGS, flag, load

NUMBERS: dict[str, FlagValue] = {name: spec.default for name, spec in FLAGS.items()}
CUT: dict[str, str | None] = {
    "restrain": "{size_mult: SIZE_SHARE, max_notional_usd: CAP_USD}", "ttl": "CUTBACK_TTL_MIN",
    "keep_firing_for": "CUTBACK_TTL_MIN", "unknown_grace": "WS_DISCONNECT_ALERT_SEC", "on_unknown": "cutback",
    "on_unknown_reason": "a test", "unknown_cutback": "{size_mult: SIZE_SHARE}",
}
ACTS: dict[str, str | None] = {
    "id": "guard.a", "kind": "guard", "restrain": "{level: entries_paused}",
    "action": "{trim_pct: TRIM_SHARE_PCT, hedge_ratio: HEDGE_SHARE}",
}


def spec(**changes: str | None) -> RuleSpec:
    loaded = load(file_of(rule(**changes)))
    assert loaded.rules is not None, loaded.findings
    return loaded.rules.rules[0]


def ruling(text: str) -> Ruling:
    loaded = load(text)
    assert loaded.rules is not None, loaded.findings
    return Ruling(
        catalogue=CATALOGUE, flag_specs=FLAGS, flag_file={}, flag_environment={}, rules=loaded.rules,
    )


def test_a_rule_keeps_the_default_and_the_name_of_the_flag() -> None:
    found = spec(**CUT)

    assert found.restrain == Restraint(size_mult=0.5, max_notional_usd=Decimal(1000))
    assert found.unknown_cutback == Restraint(size_mult=0.5)
    assert (found.ttl, found.ttl_unit) == ("CUTBACK_TTL_MIN", MINUTE)
    assert (found.keep_firing_for, found.keep_firing_for_unit) == ("CUTBACK_TTL_MIN", MINUTE)
    assert (found.unknown_grace, found.unknown_grace_unit) == ("WS_DISCONNECT_ALERT_SEC", SECOND)
    assert set(flags_of(found)) == {"SIZE_SHARE", "CAP_USD", "CUTBACK_TTL_MIN", "WS_DISCONNECT_ALERT_SEC"}
    assert set(flags_of(spec(**ACTS))) == {"TRIM_SHARE_PCT", "HEDGE_SHARE"}


def test_numbers_are_those_of_the_flags_in_force() -> None:
    found = under(spec(**CUT), {**NUMBERS, "SIZE_SHARE": 0.25, "CAP_USD": 250.5})

    assert found.restrain == Restraint(size_mult=0.25, max_notional_usd=Decimal("250.5"))
    assert found.unknown_cutback == Restraint(size_mult=0.25)


@pytest.mark.parametrize(("trim", "hedge", "action"), [
    (50.0, 0.0, Action(trim_pct=50.0)), (0.0, 0.5, Action(hedge_ratio=0.5)), (0.0, 0.0, None),
])
def test_a_part_of_an_action_at_zero_is_not_there(trim: float, hedge: float, action: Action | None) -> None:
    assert under(spec(**ACTS), {**NUMBERS, "TRIM_SHARE_PCT": trim, "HEDGE_SHARE": hedge}).action == action


@pytest.mark.parametrize(("low", "high", "fits"), [
    (0.05, 0.95, True), (0.0, 0.95, False), (0.05, 1.0, False), (None, 0.95, False), (0.05, None, False),
])
def test_a_size_flag_must_never_be_all_or_nothing(low: float | None, high: float | None, fits: bool) -> None:
    given: FlagSpec = flag("SHARE", 0.5, Unit.RATIO, low=low, high=high)
    text = file_of(rule(restrain="{size_mult: SHARE}")).encode()
    found = load_rules({"r.yaml": text}, CATALOGUE, {"SHARE": given}, anchors=ANCHORS).findings

    assert [one.code for one in found] == ([] if fits else ["rule-flag-range"])
    assert fits or "SHARE" in found[0].message and "conf/flags.yaml" in found[0].fix


def test_what_cannot_give_the_number_is_told_at_its_place() -> None:
    assert codes(restrain="{size_mult: CAP_USD}") == ["rule-flag-unit"]
    assert codes(restrain="{size_mult: DEPEG_EXIT_RISK}") == ["rule-flag-kind"]
    assert codes(restrain="{size_mult: size_share}") == ["schema-pattern"]
    assert codes(ttl="DEPEG_ACTION_COOLDOWN_MIN") == ["rule-flag-range"]
    (found,) = findings(restrain="{size_mult: SIZE_SHAER}")
    assert (found.code, found.column, found.fix) == ("rule-unknown-flag", 27, "did you mean SIZE_SHARE?")


def world_of(spec: RuleSpec, **flags: FlagValue) -> World:
    return World(spec, flags={**NUMBERS, **flags})


SHARED = noted(
    "a > 1", kind=RuleKind.CUTBACK, restrain=Restraint(size_mult=0.5), ttl="CUTBACK_TTL_MIN",
    keep_firing_for="CUTBACK_TTL_MIN", unknown_grace=5,
    by_flag=(("restrain.size_mult", "SIZE_SHARE"),),
)
SHARED = replace(SHARED, ttl_unit=MINUTE, keep_firing_for_unit=MINUTE)


def test_a_flag_that_changes_is_in_force_within_the_same_event() -> None:
    world = world_of(SHARED)
    world.put(0, a=2.0)
    before = world.book.version
    assert [one.restraint.size_mult for one in world.book.restraints()] == [0.5]

    world.book.on_flags(seconds(1), {**NUMBERS, "SIZE_SHARE": 0.25})

    assert [one.restraint.size_mult for one in world.book.restraints()] == [0.25]
    assert world.book.version > before
    assert world.book.restraints()[0].since == 0


def test_a_ttl_that_is_shortened_ends_what_runs_and_says_when() -> None:
    world = world_of(SHARED)
    world.put(0, a=2.0)
    world.put(60, a=0.0)
    assert "at 1970-01-01T00:31:00Z" in world.book.restraints()[0].ends

    world.book.on_flags(seconds(61), {**NUMBERS, "CUTBACK_TTL_MIN": 10.0})

    assert "10m after it was last true, at 1970-01-01T00:11:00Z" in world.book.restraints()[0].ends
    world.go(659)
    assert world.book.restraints()
    world.go(660)
    assert not world.book.restraints() and world.state() == "inactive"


def test_what_is_reopened_keeps_the_numbers_of_its_flags() -> None:
    world = world_of(SHARED)
    world.put(0, a=2.0)
    world.book.on_flags(seconds(1), {**NUMBERS, "SIZE_SHARE": 0.25})

    again = world.reopened()

    assert again.book.restraints() == world.book.restraints()
    assert again.book.dump() == world.book.dump()


def test_an_open_episode_has_the_numbers_of_its_instant() -> None:
    acting = noted("a > 1", action=Action(trim_pct=50.0), by_flag=(("action.trim_pct", "TRIM_SHARE_PCT"),))
    world = world_of(acting, TRIM_SHARE_PCT=30.0)
    world.put(0, a=2.0)
    world.book.on_flags(seconds(1), {**NUMBERS, "TRIM_SHARE_PCT": 0.0})
    world.put(2, a=0.0)
    world.put(3, a=2.0)

    assert [one.action for one in world.book.take_episodes()] == [Action(trim_pct=30.0), None]


def test_explain_names_every_flag_with_its_value() -> None:
    world = world_of(SHARED, CUTBACK_TTL_MIN=45.0)
    world.put(0, a=2.0)

    (told,) = world.book.explain(seconds(1), "guard.test")
    assert told["flags"] == {"CUTBACK_TTL_MIN": 45.0, "SIZE_SHARE": 0.5}


PLAIN: dict[str, str | None] = {
    **CUT, "restrain": "{size_mult: 0.5, max_notional_usd: 1000}", "ttl": "30m", "keep_firing_for": "30m",
    "unknown_grace": "30s", "unknown_cutback": "{size_mult: 0.5}",
}


def judged(base: dict[str, str | None], head: dict[str, str | None]) -> dict[str, Direction]:
    changes = compare(ruling(file_of(rule(**base))), ruling(file_of(rule(**head))))
    return {one.what: one.direction for one in changes}


def test_a_flag_for_a_number_is_compared_by_its_value_and_may_move() -> None:
    found = judged(PLAIN, CUT)

    assert found.pop("flags") is Direction.NEUTRAL
    assert set(found) == {
        "ttl", "keep_firing_for", "unknown_grace", "restrain.size_mult", "restrain.max_notional_usd",
        "unknown_cutback.size_mult",
    }
    assert set(found.values()) == {Direction.INCOMPARABLE}
    assert judged(CUT, PLAIN) == {"flags": Direction.INCOMPARABLE}


def test_a_flag_of_another_value_is_judged_by_it_as_well() -> None:
    found = judged({**PLAIN, "restrain": "{size_mult: 0.4, max_notional_usd: 1000}", "ttl": "20m"}, CUT)

    assert found["restrain"] is Direction.LOOSER and found["restrain.size_mult"] is Direction.INCOMPARABLE
    changes = compare(ruling(file_of(rule(**{**PLAIN, "ttl": "20m"}))), ruling(file_of(rule(**CUT))))
    assert [(one.before, one.after, one.direction) for one in changes if one.what == "ttl"] == [
        ("20m", "CUTBACK_TTL_MIN (30)", Direction.INCOMPARABLE), ("20m", "CUTBACK_TTL_MIN (30m)", Direction.STRICTER),
    ]


def test_another_flag_value_changes_what_a_rule_restrains() -> None:
    base = ruling(file_of(rule(**CUT)))
    head = replace(base, flag_file={"SIZE_SHARE": 0.8, "TRIM_SHARE_PCT": 10.0})

    told = {one.what: one.direction for one in compare(base, head)}
    assert told["restrain"] is Direction.LOOSER and told["unknown_cutback"] is Direction.LOOSER
    assert said(base.rules.rules[0], base) != said(head.rules.rules[0], head)
    acts = ruling(file_of(rule(**ACTS)))
    told = {one.what: one.direction for one in compare(acts, replace(acts, flag_file={"TRIM_SHARE_PCT": 10.0}))}
    assert told["action"] is Direction.LOOSER


def test_two_rules_that_differ_in_a_flag_ask_two_things() -> None:
    """Of two rules alike in all but their effect the narrower is only then told of when the effect is the same."""
    wide = {**PLAIN, "id": "cutback.wide", "expr": "health_measured >= 1"}
    same = load(file_of(rule(**PLAIN), rule(**wide))).findings
    other = load(file_of(rule(**{**PLAIN, "restrain": CUT["restrain"]}), rule(**wide))).findings

    assert "lint-subsumed" in [one.code for one in same] and "lint-subsumed" not in [one.code for one in other]


def test_the_reference_and_the_runbook_show_the_value_and_the_flag() -> None:
    page = reference(ruling(file_of(rule(**CUT))))

    assert "size x0.5, at most 1000 USD (by `SIZE_SHARE`, `CAP_USD`)" in page
    assert "- **Ends** `CUTBACK_TTL_MIN (30m)` after it was last known true" in page
    assert "- **Goes on** `CUTBACK_TTL_MIN (30m)` after it cleared" in page
    acts = reference(ruling(file_of(rule(**ACTS))))
    assert "sells 50 % of what is open (`TRIM_SHARE_PCT (50 %)`), hedges 0 of what is open (`HEDGE_SHARE (0)`)" in acts
    amounts = rule_amounts(spec(**CUT), {**NUMBERS, "CUTBACK_TTL_MIN": 10.0, "SIZE_SHARE": 0.2})
    assert (amounts["ttl"].number, amounts["size_mult"].number) == (10 * MINUTE, 0.2)


def mutants(tests: str, changes: dict[str, str | None]) -> dict[tuple[str, str], Verdict]:
    report = mutate({"r.yaml": file_of(rule(tests=tests, **changes)).encode()}, CATALOGUE, FLAGS)
    assert not report.failing, report.failing
    return {(one.mutant.operator, one.mutant.after): one.verdict for one in report.rules[0].outcomes}


def story(*expect: str) -> str:
    return f'\n      - {{name: a, step: 5s, series: {{health_measured: "0 2*3"}}, expect: [{", ".join(expect)}]}}'


def test_a_mutant_of_a_number_by_a_flag_is_told_from_it() -> None:
    cut: dict[str, str | None] = {"restrain": "{size_mult: SIZE_SHARE}"}
    sharp = mutants(story("{at: 5s, restrain: {size_mult: 0.5}}"), cut)
    blunt = mutants(story("{at: 5s, state: firing}"), cut)

    name = ("restraint", "size_mult: 0.75")
    assert sharp[name] is Verdict.KILLED and blunt[name] is Verdict.SURVIVED
    acts = mutants(story("{at: 5s, action: {trim_pct: 50}}"), ACTS)
    assert acts["action", "trim_pct: 45.0"] is Verdict.KILLED and acts["action", "hedge_ratio: 0.1"] is Verdict.SURVIVED


def test_a_notice_for_the_journal_is_kept_and_told_to_nobody() -> None:
    found = spec(kind="watch", id="watch.a", restrain=None, notify="{to: journal, text: x}")
    assert found.notify is not None and found.notify.to == "journal"
    assert [Notify(at=0, to=to, rule="r", text="").told for to in ("page", "alert", "digest", "journal")] == [
        True, True, True, False,
    ]
    told = {"kind": "watch", "id": "watch.a", "restrain": None}
    assert judged({**told, "notify": "{to: digest, text: x}"}, {**told, "notify": "{to: journal, text: x}"}) == {
        "notify": Direction.INCOMPARABLE,
    }
