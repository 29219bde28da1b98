"""A waiver lifts what it names for as long as it says, and nothing else."""

from __future__ import annotations

from decimal import Decimal

import pytest

from engine.core.report import status
from engine.model.effects import PolicyChanged, TargetOpened
from engine.model.events import HaltCommand, RearmCommand
from engine.model.override_commands import DenyCommand, UnwaiveCommand, WaiveCommand
from engine.model.overrides import ALL, OverrideBegan, OverrideEnded
from engine.model.restraints import Level, Restraint
from engine.model.time import HOUR, MINUTE, SECOND
from tests.core.rulings import offered
from tests.core.small import CALM, RULES, T0, VENUE, WIDE, A, B, Small, ruling, told

ANN = "ann"
FIRING = ("cutback.wide", "guard.latched", "guard.stops.wide", "guard.wide", "kill.wide")
"""The rules that restrain a symbol whose spread is wide."""


def waive(rule: str, *, lasts: int = HOUR, reason: str = "known") -> WaiveCommand:
    return WaiveCommand(actor=ANN, rule=rule, lasts=lasts, reason=reason)


def wide(*symbols: str) -> Small:
    core = Small()
    core.spread(CALM, at=SECOND)
    core.spread(WIDE, *symbols, at=2 * SECOND)
    return core


def forbidden(core: Small, symbol: str = A) -> dict[str, Restraint]:
    """Return what each rule forbids of `symbol`."""
    return {
        one.rule: one.restraint for one in core.state.policy.in_force if one.scope.symbol == symbol
    }


@pytest.mark.parametrize("rule", ["cutback.wide", "guard.latched", "guard.wide"])
def test_what_is_waived_is_lifted_with_its_latches_and_the_rest_stays_as_it_was(rule: str) -> None:
    core = wide()
    before = forbidden(core)
    answer = core.said(waive(rule))
    assert answer.accepted and f"`engine unwaive {rule}` ends it sooner" in answer.text
    one = core.said(waive(f"cutback.wide[{VENUE},{A}]"))
    assert f"`engine unwaive cutback.wide/{VENUE},{A}` ends it sooner" in one.text, "brackets are a shell's own"
    assert core.said(UnwaiveCommand(actor=ANN, rule=f"cutback.wide/{VENUE},{A}")).accepted
    assert forbidden(core) == {one: held for one, held in before.items() if one != rule}
    assert core.state.book.latches(), "a waiver ends no latch"


def test_a_kill_is_lifted_to_reduce_only_and_nothing_else_of_it() -> None:
    core = wide()
    before = forbidden(core)
    assert "lifted to reduce_only and no further" in core.said(waive("kill.wide")).text
    assert forbidden(core) == {**before, "kill.wide": Restraint(level=Level.REDUCE_ONLY, size_mult=0.5)}
    (held,) = [one for one in core.state.policy.in_force if one.rule == "kill.wide" and one.scope.symbol == A]
    assert held.ends.startswith("a waiver holds it at reduce_only until") and held.clear_with.startswith("engine rearm")


def test_all_that_may_be_waived_still_leaves_the_kill_and_the_stops() -> None:
    core = wide()
    for rule in FIRING:
        assert core.said(waive(rule)).accepted is (rule != "guard.stops.wide")
    assert set(forbidden(core)) == {"guard.stops.wide", "kill.wide"}
    assert core.order(A) == "level"


def test_one_instance_is_waived_and_its_sister_is_not() -> None:
    for asked in (f"guard.wide/{VENUE},{A}", f"guard.wide[{VENUE},{A}]"):
        core = wide()
        assert core.said(waive(asked)).accepted
        assert "guard.wide" not in forbidden(core, A) and "guard.wide" in forbidden(core, B)
        answer = core.said(UnwaiveCommand(actor=ANN, rule=asked))
        assert answer.accepted and "guard.wide" in forbidden(core, A)


def test_an_entry_rule_that_is_waived_refuses_nothing() -> None:
    core = Small()
    core.spread(CALM, at=SECOND)
    assert core.order(usd=5_000) == "entry.small"
    core.said(waive("entry.small"))
    assert core.order(usd=5_000) == "5000"
    core.wake(2 * HOUR)
    core.calm_again()
    assert core.order(usd=5_000) == "entry.small"


def test_a_symbol_that_a_rule_has_never_heard_of_is_let_in_by_a_waiver_of_that_rule_only() -> None:
    core = Small()
    core.spread(CALM, A, at=SECOND)
    assert core.order(B) == "level"
    # Nothing is known of the symbol, and so each of its rules would restrain: all of them are in the way.
    for rule in ("cutback.wide", "guard.latched", f"guard.wide/{VENUE},{B}"):
        core.said(waive(rule))
    assert core.order(B) == "level" and core.order(A) == "500"
    look = core.state.look.level(VENUE, B, "ENTRY")
    assert look is Level.HALTED
    core.said(waive("kill.wide"))
    assert core.state.look.level(VENUE, B, "ENTRY") is Level.REDUCE_ONLY


def test_a_rule_that_does_not_restrain_now_is_waived_for_the_lease() -> None:
    core = Small()
    core.spread(CALM, at=SECOND)
    assert core.said(waive("guard.wide")).accepted
    core.spread(WIDE, at=2 * SECOND)
    assert "guard.wide" not in forbidden(core)
    (shown,) = status(core.state)["waivers"]
    assert {one["instance"] for one in shown["holds_back"]} == {f"guard.wide[{VENUE},{A}]", f"guard.wide[{VENUE},{B}]"}


def test_it_ends_by_itself_at_its_instant_and_is_told_at_both_ends() -> None:
    core = wide()
    begun = core.tell(waive("guard.wide", lasts=10 * MINUTE, reason="a fat finger"))
    assert len(told(begun)) == 1 and "a fat finger" in told(begun)[0] and "guard.wide" in told(begun)[0]
    (laid,) = [one for one in begun if isinstance(one, OverrideBegan)]
    assert (laid.kind, laid.name, laid.actor) == ("waiver", "guard.wide", ANN)
    assert "guard.wide" not in forbidden(core)
    over = core.wake(20 * MINUTE)
    (ended,) = [one for one in over if isinstance(one, OverrideEnded)]
    assert (ended.at - T0, ended.why) == (2 * SECOND + 10 * MINUTE, "its time ended")
    assert any("the waiver of guard.wide is over" in text for text in told(over))
    assert forbidden(core)["guard.wide"].level is Level.REDUCE_ONLY


def test_its_end_is_stricter_in_the_policy_so_that_what_waits_to_be_sent_is_withheld() -> None:
    core = wide(A)
    for rule in ("guard.wide", "guard.latched", "cutback.wide"):
        core.said(waive(rule))
    version = core.state.policy.version
    changes = [one for one in core.tell(UnwaiveCommand(actor=ANN, rule=ALL)) if isinstance(one, PolicyChanged)]
    assert changes and all(one.stricter for one in changes) and core.state.policy.version > version


def test_a_restart_in_between_changes_nothing() -> None:
    core = wide()
    core.said(waive("guard.wide", lasts=10 * MINUTE))
    core.said(waive("kill.wide"))
    other = core.resumed()
    assert forbidden(other) == forbidden(core)
    for one in (core, other):
        one.spread(CALM, at=MINUTE)
        one.wake(5 * HOUR)
        one.calm_again()
    assert other.heard == core.heard and not other.state.overrides.waivers


def test_what_else_holds_is_never_lifted() -> None:
    """The operator's own halt and denial, and what the engine holds by itself, are no rules."""
    core = wide()
    core.said(HaltCommand(actor=ANN, reason="", source="socket"))
    core.said(DenyCommand(actor=ANN, symbol=A))
    for rule in (*FIRING, "operator:socket", f"operator:deny/{A}", "floor", "denylist", "engine.unreconciled"):
        core.said(waive(rule))
    held = {one.instance for one in core.state.policy.in_force}
    assert {"operator:socket", f"operator:deny/{A}"} <= held
    assert core.order(A) == "level" and core.state.policy.overall.level is Level.HALTED


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("guard.wyde", "there is no rule guard.wyde: did you mean guard.wide?"),
        ("zzz", "there is no rule zzz: write one of cutback.wide, entry.small"),
        ("guard.stops.wide", "cannot be waived: stops, and orders whose fate is unknown"),
        (f"guard.stops.wide/{VENUE},{A}", "cannot be waived"),
        ("guard.stops", "cannot be waived"),
        ("guard.orders.unknown", "cannot be waived"),
        ("engine.internal_fault", "cannot be waived"),
        ("operator:restrict/1", "is no rule"),
        ("maker.calm", "a maker gate grants and forbids nothing"),
        ("watch.wide", "a watch rule only tells"),
        ("guard.wide/paper", "an instance of guard.wide is told by venue,symbol: waive guard.wide/VENUE,SYMBOL"),
        ("guard.wide/paper,", "an instance of guard.wide is told by venue,symbol"),
        ("entry.small/paper,AUSDT", "entry.small has no instances: waive entry.small"),
    ],
)
def test_what_cannot_be_waived_says_why(asked: str, said: str) -> None:
    core = wide()
    before = core.state.policy.overall
    answer = core.said(waive(asked))
    assert not answer.accepted and said in answer.text
    assert not core.state.overrides.waivers and core.state.policy.overall == before


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (waive("guard.wide", lasts=4 * HOUR + 1), "is too long: at most 4h"),
        (waive("guard.wide", lasts=0), "it must last some time"),
        (waive("guard.wide", lasts=-HOUR), "it must last some time"),
        (waive("guard.wide", reason="  "), "say why with --reason"),
    ],
)
def test_the_core_itself_holds_the_law_whatever_reached_it(command: WaiveCommand, said: str) -> None:
    core = wide()
    answer = core.said(command)
    assert not answer.accepted and said in answer.text and not core.state.overrides.waivers
    assert core.said(waive("guard.wide", lasts=4 * HOUR)).accepted


def test_a_waiver_given_again_takes_the_place_of_the_first() -> None:
    core = wide()
    core.said(waive("guard.wide", lasts=4 * HOUR))
    core.said(waive("guard.wide", lasts=MINUTE), 3 * SECOND)
    (one,) = core.state.overrides.waivers.values()
    assert one.term.until == T0 + 3 * SECOND + MINUTE
    assert not core.said(UnwaiveCommand(actor=ANN, rule="kill.wide")).accepted


def test_where_two_cover_the_same_both_must_end() -> None:
    core = wide()
    core.said(waive("guard.wide"))
    core.said(waive(f"guard.wide/{VENUE},{A}"))
    core.said(UnwaiveCommand(actor=ANN, rule="guard.wide"))
    assert "guard.wide" not in forbidden(core, A) and "guard.wide" in forbidden(core, B)
    core.said(UnwaiveCommand(actor=ANN, rule=f"guard.wide/{VENUE},{A}"))
    assert "guard.wide" in forbidden(core, A)


def test_a_reload_that_renames_the_rule_or_makes_it_a_kill_is_followed() -> None:
    core = wide()
    core.said(waive("guard.wide"))
    renamed = RULES.replace("- id: guard.wide\n", "- id: guard.broad\n    formerly: [guard.wide]\n")
    core.tell(offered(core.state, ruling(renamed)))
    core.spread(WIDE, at=3 * SECOND)
    assert list(core.state.overrides.waivers) == ["guard.broad"] and "guard.broad" not in forbidden(core)
    assert core.said(UnwaiveCommand(actor=ANN, rule="guard.wide")).accepted
    assert "guard.broad" in forbidden(core)

    core = wide()
    core.said(waive("guard.wide"))
    killing = RULES.replace("- id: guard.wide\n    kind: guard", "- id: guard.wide\n    kind: kill").replace(
        "restrain: {level: reduce_only}", "restrain: {level: halted}"
    )
    core.tell(offered(core.state, ruling(killing)))
    core.spread(WIDE, at=3 * SECOND)
    assert forbidden(core)["guard.wide"].level is Level.REDUCE_ONLY


def test_the_latch_of_a_rule_that_is_gone_is_waived_as_if_it_were_a_kills() -> None:
    core = wide()
    without = RULES.replace("id: kill.wide", "id: kill.other")
    core.tell(offered(core.state, ruling(without)))
    core.spread(CALM, at=3 * SECOND)
    assert core.said(waive("kill.wide")).accepted
    (held,) = [one for one in core.state.policy.in_force if one.instance == f"kill.wide[{VENUE},{A}]"]
    assert held.restraint.level is Level.REDUCE_ONLY
    latch = next(str(one.number) for one in core.state.book.latches() if one.instance == held.instance)
    assert core.said(RearmCommand(actor=ANN, latch=latch)).accepted
    assert held.instance not in {one.instance for one in core.state.policy.in_force}


def test_actions_go_on_under_a_waiver() -> None:
    """It lifts what a rule forbids; what the rule does to protect, it still does."""
    acting = RULES.replace(
        "restrain: {max_notional_usd: 100}", "restrain: {max_notional_usd: 100}\n    action: {trim_pct: 50}"
    )
    for waived in (False, True):
        core = Small(acting)
        core.spread(CALM, at=SECOND)
        core.fill(A, 5)
        if waived:
            core.said(waive("guard.latched"))
        (target,) = [one for one in core.spread(WIDE, A, at=2 * SECOND) if isinstance(one, TargetOpened)]
        assert (target.kind, target.quantity) == ("trim_pct", Decimal("2.5"))
