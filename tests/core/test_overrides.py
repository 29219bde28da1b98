"""Restrict, deny and announce a maintenance: what each does to an order, when it ends, what it never does."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from engine.cli.story import Line
from engine.cli.story import told as line_of
from engine.core.report import status
from engine.model.effects import CancelOrder, LatchSet
from engine.model.events import Command, HaltCommand, ResumeCommand, SetFlagCommand, UnsetFlagCommand
from engine.model.orders import Intent
from engine.model.override_commands import (
    DenyCommand,
    EndMaintenanceCommand,
    MaintenanceCommand,
    RestrictCommand,
    UndenyCommand,
    UnrestrictCommand,
)
from engine.model.overrides import ALL, OverrideEnded
from engine.model.restraints import EVERYTHING, Level, Restraint, Scope
from engine.model.time import HOUR, MINUTE, SECOND
from tests.conftest import ROOT
from tests.core.kit import START
from tests.core.rulings import offered
from tests.core.small import CALM, RULES, T0, VENUE, WIDE, A, B, Small, ruling, told

PAUSED = Restraint(level=Level.ENTRIES_PAUSED)
HALVED = Restraint(size_mult=0.5)
ANN = "ann"


def restrict(restraint: Restraint = PAUSED, *, maker_off: bool = False, ttl: int = 0, **scope: str) -> RestrictCommand:
    return RestrictCommand(
        actor=ANN, scope=Scope(**scope), restraint=restraint, maker_off=maker_off, ttl=ttl, reason="thin",
    )


def calm(at: int = SECOND) -> Small:
    core = Small()
    core.spread(CALM, at=at)
    assert (core.order(A), core.order(B)) == ("500", "500")
    return core


CASES: list[tuple[str, Command, str, str, str]] = [
    ("nothing new at all", restrict(), "level", "level", "level"),
    ("one symbol", restrict(symbol=A), "level", "500", "level"),
    ("a venue", restrict(venue=VENUE), "level", "level", "level"),
    ("another venue", restrict(venue="elsewhere"), "500", "500", "500"),
    ("an intent", restrict(intent="SCALP"), "500", "500", "level"),
    ("half the size", restrict(HALVED, symbol=A), "250", "500", "250"),
    ("no size", restrict(Restraint(size_mult=0.0)), "below_step", "below_step", "below_step"),
    ("a cap", restrict(Restraint(max_notional_usd=Decimal(40))), "40", "40", "40"),
    ("a mute", restrict(Restraint(mute=frozenset({"SCALP"}))), "500", "500", "muted"),
    ("reduce only", restrict(Restraint(level=Level.REDUCE_ONLY), symbol=A), "level", "500", "level"),
    ("halted", restrict(Restraint(level=Level.HALTED)), "level", "level", "level"),
    ("a denial", DenyCommand(actor=ANN, symbol=A), "denied", "500", "denied"),
    ("a denial as it was typed", DenyCommand(actor=ANN, symbol="ausdt"), "denied", "500", "denied"),
    ("a maintenance", MaintenanceCommand(actor=ANN, lasts=HOUR), "level", "level", "level"),
]


@pytest.mark.parametrize(
    ("command", "entry", "other", "scalp"), [one[1:] for one in CASES], ids=[one[0] for one in CASES]
)
def test_each_override_does_what_it_says_at_once_and_nothing_else(
    command: Command, entry: str, other: str, scalp: str
) -> None:
    core = calm()
    answer = core.said(command, 2 * SECOND)
    assert answer.accepted
    assert (core.order(A), core.order(B), core.order(A, intent=Intent.SCALP)) == (entry, other, scalp)


ENDS: list[tuple[str, Command, Command]] = [
    ("unrestrict everything", restrict(), UnrestrictCommand(actor=ANN)),
    ("unrestrict a symbol", restrict(symbol=A), UnrestrictCommand(actor=ANN, which="ausdt")),
    ("unrestrict a number", restrict(intent="ENTRY"), UnrestrictCommand(actor=ANN, which="1")),
    ("unrestrict all", restrict(symbol=A), UnrestrictCommand(actor=ANN, which=ALL)),
    ("undeny", DenyCommand(actor=ANN, symbol=A), UndenyCommand(actor=ANN, symbol=A)),
    ("end a maintenance", MaintenanceCommand(actor=ANN, lasts=HOUR), EndMaintenanceCommand(actor=ANN)),
]


@pytest.mark.parametrize(("begin", "end"), [one[1:] for one in ENDS], ids=[one[0] for one in ENDS])
def test_each_ends_by_its_own_command_and_by_none_before(begin: Command, end: Command) -> None:
    """Asked for twice it ends once; ended twice the second is refused and says what is in force."""
    core = calm()
    refused = core.said(end, 2 * SECOND)
    assert not refused.accepted and refused.text
    core.said(begin)
    core.said(ResumeCommand(actor=ANN))
    assert core.order(A) in ("level", "denied")
    core.said(begin)
    answer = core.said(end)
    assert answer.accepted and "nothing restrains now" in answer.text
    assert core.order(A) == "500"
    assert not core.said(end).accepted


@pytest.mark.parametrize(("begin", "end"), [one[1:] for one in ENDS], ids=[one[0] for one in ENDS])
def test_what_ends_one_leaves_the_rest_and_says_what_still_holds(begin: Command, end: Command) -> None:
    core = calm()
    core.said(HaltCommand(actor=ANN, reason="", source="socket"), 2 * SECOND)
    core.said(begin)
    answer = core.said(end)
    assert answer.accepted and "operator:socket" in answer.text
    assert core.order(A) == "level"


TTLS: list[tuple[str, Command]] = [
    ("restriction", restrict(ttl=10 * MINUTE)),
    ("denial", DenyCommand(actor=ANN, symbol=A, ttl=10 * MINUTE)),
    ("maintenance", MaintenanceCommand(actor=ANN, lasts=10 * MINUTE)),
]


@pytest.mark.parametrize(("kind", "begin"), TTLS, ids=[one[0] for one in TTLS])
def test_it_ends_at_its_very_instant_though_nothing_happens(kind: str, begin: Command) -> None:
    core = calm()
    core.said(begin, 2 * SECOND)
    core.wake(2 * SECOND + 10 * MINUTE - 1)
    assert [one.because for one in core.state.policy.in_force if one.rule.startswith("operator:")] == ["operator"]
    ends = [one for one in core.wake(HOUR) if isinstance(one, OverrideEnded)]
    assert [(one.at - T0, one.kind, one.actor) for one in ends] == [(2 * SECOND + 10 * MINUTE, kind, "engine")]
    core.calm_again()
    assert core.order(A) == "500"


@pytest.mark.parametrize(("kind", "begin"), TTLS, ids=[one[0] for one in TTLS])
def test_it_survives_a_restart_and_ends_then_as_it_would_have(kind: str, begin: Command) -> None:
    core = calm()
    core.said(begin, 2 * SECOND)
    other = core.resumed()
    for one in (core, other):
        assert one.order(A) in ("level", "denied")
        ends = [effect.kind for effect in one.wake(HOUR) if isinstance(effect, OverrideEnded)]
        assert ends == [kind]
        one.calm_again()
        assert one.order(A) == "500"
    assert core.heard == other.heard


def test_the_same_restriction_again_holds_longer_and_never_shorter() -> None:
    core = calm()
    core.said(restrict(ttl=HOUR), 2 * SECOND)
    core.said(restrict(ttl=MINUTE), 3 * SECOND)
    (one,) = status(core.state)["restrictions"]
    assert one["until"] == T0 + 2 * SECOND + HOUR
    core.said(restrict(ttl=HOUR), 4 * SECOND)
    core.said(restrict(), 5 * SECOND)
    (one,) = status(core.state)["restrictions"]
    assert (one["until"], one["since"], one["end"]) == (0, T0 + 2 * SECOND, "engine unrestrict 1")


def test_makers_are_off_where_it_says_and_takers_are_not() -> None:
    core = calm()
    assert core.order(A, maker=True) == "500"
    core.said(restrict(Restraint(), maker_off=True, symbol=A))
    assert (core.order(A, maker=True), core.order(B, maker=True)) == ("maker_denied", "500")
    assert core.order(A) == "500"
    core.said(UnrestrictCommand(actor=ANN, which=A))
    assert core.order(A, maker=True) == "500"


def test_a_maker_that_rests_is_taken_back_with_the_very_command_and_its_neighbour_is_not() -> None:
    core = calm()
    mine, other = core.rest(A), core.rest(B)
    made = core.tell(restrict(Restraint(), maker_off=True, symbol=A))
    assert [one.client_id for one in made if isinstance(one, CancelOrder)] == [mine] and mine != other


def test_a_level_takes_back_the_working_entries_of_its_scope_only() -> None:
    core = calm()
    gone = core.tell(restrict(Restraint(level=Level.REDUCE_ONLY), symbol=B))
    assert {one.symbol for one in gone if isinstance(one, CancelOrder)} == {B}


def test_numbers_are_never_used_again() -> None:
    core = calm()
    core.said(restrict(symbol=A))
    core.said(UnrestrictCommand(actor=ANN, which="1"))
    assert "`engine unrestrict 2`" in core.resumed().said(restrict(symbol=A)).text


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (UnrestrictCommand(actor=ANN, which="7"), "no restriction is 7; in force: 1 (AUSDT: level entries_paused)"),
        (UnrestrictCommand(actor=ANN, which=B), "there is none on BUSDT; in force: 1"),
        (UnrestrictCommand(actor=ANN), "there is none on everything; in force: 1"),
        (UndenyCommand(actor=ANN, symbol=B), "no command denied BUSDT (denied so: AUSDT)"),
        (MaintenanceCommand(actor=ANN, lasts=5 * HOUR), "5h is too long: at most 4h"),
        (MaintenanceCommand(actor=ANN, until=T0 + 5 * HOUR), "is too long: at most 4h"),
        (MaintenanceCommand(actor=ANN, until=T0 - 1), "is past: here it is 2026-03"),
    ],
)
def test_what_cannot_be_done_is_refused_with_what_is_there(command: Command, said: str) -> None:
    core = calm()
    core.said(restrict(symbol=A))
    core.said(DenyCommand(actor=ANN, symbol=A))
    answer = core.said(command)
    assert not answer.accepted and said in answer.text
    assert core.state.overrides.maintenance is None


def test_a_symbol_that_nobody_has_heard_of_is_denied_and_doubted() -> None:
    core = calm()
    answer = core.said(DenyCommand(actor=ANN, symbol="ausd"))
    assert answer.accepted and "No instrument AUSD is known" in answer.text and "did you mean AUSDT?" in answer.text
    assert "did you mean" not in core.said(DenyCommand(actor=ANN, symbol="ZEBRAUSDT")).text
    assert "No venue nowhere" in core.said(restrict(venue="nowhere")).text


def test_a_line_of_the_file_is_no_denial_of_a_command_and_undeny_says_where_to_edit() -> None:
    core = calm()
    listed = ruling(RULES, f"{A} reason=thin\n")
    core.tell(offered(core.state, listed))
    core.spread(CALM, at=SECOND * 3)
    assert core.order(A) == "denied"
    answer = core.said(UndenyCommand(actor=ANN, symbol=A))
    assert not answer.accepted and "of conf/event_denylist.txt denies it" in answer.text
    assert "engine reload" in answer.text
    core.said(DenyCommand(actor=ANN, symbol=A))
    answer = core.said(UndenyCommand(actor=ANN, symbol=A))
    assert answer.accepted and "conf/event_denylist.txt" in answer.text and core.order(A) == "denied"
    core.tell(offered(core.state, ruling(RULES)))
    core.spread(CALM, at=SECOND * 4)
    assert core.order(A) == "500"


# Asked for while no engine ran.

OFFLINE: list[tuple[str, Command]] = [
    ("restriction", RestrictCommand(actor=ANN, scope=EVERYTHING, restraint=PAUSED, ttl=HOUR, offline=True)),
    ("denial", DenyCommand(actor=ANN, symbol=A, ttl=HOUR, offline=True)),
]


@pytest.mark.parametrize("command", [one[1] for one in OFFLINE], ids=[one[0] for one in OFFLINE])
@pytest.mark.parametrize("goes_on", ["start", "market"])
def test_the_hour_of_an_engine_that_was_down_begins_when_it_goes_on(command: Command, goes_on: str) -> None:
    """Said in the evening to a stopped engine, it is in force in the morning."""
    core = calm()
    answer = core.said(command)
    assert "1h after the run goes on" in answer.text
    core.said(HaltCommand(actor=ANN, reason="", source="offline"))
    core.said(ResumeCommand(actor=ANN))
    morning = 3 * HOUR
    core = core.resumed()
    if goes_on == "start":
        core.tell(START, morning)
    core.spread(CALM, at=morning)
    core.wake(morning + HOUR - 5 * SECOND)
    core.calm_again()
    assert core.order(A) in ("level", "denied")
    core.spread(CALM, at=morning + HOUR)
    assert core.order(A) == "500"


@pytest.mark.parametrize("goes_on", ["start", "market"])
@pytest.mark.parametrize("kept", [False, True])
def test_the_hour_of_a_flag_begins_when_the_run_goes_on_too(goes_on: str, kept: bool) -> None:
    """Whatever lies between the two, other flags and restarts among it: nothing else begins it, and nothing twice."""
    core = calm()

    def limit() -> tuple[object, int, int]:
        flag = core.state.flags.flag("ENTRY_MAX_SPREAD_BPS")
        return flag.value, flag.until and flag.until - T0, flag.waits

    shipped = core.state.flags.values["ENTRY_MAX_SPREAD_BPS"]
    for_an_hour = SetFlagCommand(
        actor=ANN, name="ENTRY_MAX_SPREAD_BPS", value=20.0, reason="", ttl=HOUR, offline=True
    )
    answer = core.said(for_an_hour)
    assert answer.accepted and "is 20 bps until 1h after the run goes on (was 50); " in answer.text
    core.said(replace(for_an_hour, name="WARMUP_SEC", value=90.0, ttl=0))
    assert limit() == (20.0, 0, HOUR)
    (shown,) = [one for one in status(core.state)["overrides"] if one["flag"] == "ENTRY_MAX_SPREAD_BPS"]
    assert (shown["until"], shown["waits"]) == (0, HOUR)
    morning = 3 * HOUR
    core = core.resumed()
    core.wake(morning - SECOND)
    assert limit() == (20.0, 0, HOUR), "none of the night counts"
    if goes_on == "start":
        core.tell(START, morning)
    core.spread(CALM, at=morning)
    assert limit() == (20.0, morning + HOUR, 0)
    if kept:
        core = core.resumed()
        core.tell(START, morning + MINUTE)
    core.wake(morning + HOUR - 1)
    assert limit() == (20.0, morning + HOUR, 0)
    core.wake(morning + HOUR)
    assert limit() == (shipped, 0, 0)


@pytest.mark.parametrize("after", ["unset", "set"])
def test_what_waits_is_taken_back_or_set_anew_like_any_other(after: str) -> None:
    core = calm()
    command = SetFlagCommand(actor=ANN, name="WARMUP_SEC", value=90.0, reason="", ttl=HOUR, offline=True)
    core.said(command)
    assert status(core.state)["overrides"][0]["waits"] == HOUR
    core.said(
        UnsetFlagCommand(actor=ANN, name="WARMUP_SEC") if after == "unset" else replace(command, value=95.0, ttl=0)
    )
    assert not any(one["waits"] for one in status(core.state)["overrides"])
    core.tell(START, 9 * HOUR)
    assert core.state.flags.values["WARMUP_SEC"] == (60.0 if after == "unset" else 95.0)
    assert core.state.flags.next_due() is None


# Maintenance and the rule that forgives.

KILL = (ROOT / "rules/kill/health.yaml").read_text()


def silent(core: Small, begin: int, end: int) -> list[object]:
    """Let no feed speak from `begin` to `end`."""
    return [effect for at in range(begin, end + 1, 5 * SECOND) for effect in core.wake(at)]


@pytest.mark.parametrize("maintained", [False, True])
def test_while_it_lasts_what_is_degraded_latches_nothing_and_afterwards_it_does(maintained: bool) -> None:
    """Silent minutes kill; in a maintenance they pause entries, and the clock starts behind it."""
    core = Small(KILL)
    core.spread(CALM, at=SECOND)
    core.tell(_flag("HEALTH_HALTED_SEC", "36000"))
    if maintained:
        answer = core.said(MaintenanceCommand(actor=ANN, lasts=20 * MINUTE))
        assert answer.accepted and "entries are paused" in answer.text
    heard = silent(core, 5 * SECOND, 15 * MINUTE)
    latched = [one for one in heard if isinstance(one, LatchSet) and one.rule == "kill.health"]
    assert bool(latched) is not maintained
    assert core.state.policy.overall.level is (Level.ENTRIES_PAUSED if maintained else Level.HALTED)
    if maintained:
        late = silent(core, 15 * MINUTE, 40 * MINUTE)
        (latch,) = [one for one in late if isinstance(one, LatchSet)]
        assert abs(latch.at - T0 - SECOND - 25 * MINUTE) <= 5 * SECOND


def test_a_halted_health_halts_in_a_maintenance_too() -> None:
    core = Small(KILL)
    core.spread(CALM, at=SECOND)
    core.said(MaintenanceCommand(actor=ANN, lasts=20 * MINUTE))
    core.tell(_flag("HEALTH_HALTED_SEC", "120"))
    silent(core, 5 * SECOND, 10 * MINUTE)
    assert core.state.policy.overall.level is Level.HALTED


def test_a_maintenance_is_told_when_it_begins_and_when_it_ends_and_known_to_rules() -> None:
    core = calm()
    assert core.state.snapshot.values[core.state.snapshot.base("maintenance_active", ())] == 0.0
    begun = core.tell(MaintenanceCommand(actor=ANN, until=T0 + HOUR, reason="venue upgrade"))
    assert len(told(begun)) == 1 and "venue upgrade" in told(begun)[0] and "01:00:00" not in told(begun)[0]
    assert core.state.snapshot.values[core.state.snapshot.base("maintenance_active", ())] == 1.0
    other = core.resumed()
    assert other.state.snapshot.values[other.state.snapshot.base("maintenance_active", ())] == 1.0
    over = other.wake(2 * HOUR)
    assert [text for text in told(over) if "the maintenance is over" in text]
    assert other.state.snapshot.values[other.state.snapshot.base("maintenance_active", ())] == 0.0


def test_given_again_it_ends_at_its_new_end() -> None:
    core = calm()
    core.said(MaintenanceCommand(actor=ANN, lasts=4 * HOUR), 2 * SECOND)
    answer = core.said(MaintenanceCommand(actor=ANN, lasts=MINUTE), 3 * SECOND)
    assert answer.accepted and "it ends now at" in answer.text
    core.wake(2 * MINUTE)
    core.calm_again()
    assert core.order(A) == "500"


def test_the_status_lists_everything_with_its_end_and_what_ends_it() -> None:
    core = calm()
    core.said(restrict(HALVED, symbol=A, ttl=HOUR))
    core.said(DenyCommand(actor=ANN, symbol=B, reason="no book"))
    core.said(MaintenanceCommand(actor=ANN, lasts=HOUR))
    core.spread(WIDE, A, at=2 * SECOND)
    core.spread(CALM, at=3 * SECOND)
    shown = status(core.state)
    assert shown["restrictions"][0]["end"] == "engine unrestrict 1" and shown["restrictions"][0]["until"]
    assert (shown["denials"][0]["symbol"], shown["denials"][0]["reason"]) == (B, "no book")
    assert shown["maintenance"]["end"] == "engine maintenance --end"
    (lapsing,) = shown["lapsing"]
    assert (lapsing["rule"], lapsing["until"]) == ("cutback.wide", T0 + 3 * SECOND + 30 * MINUTE)
    assert lapsing["end"] == f"engine waive cutback.wide/{VENUE},{A} --for 30m --reason TEXT"
    ends = {one["clear_with"] for one in shown["restrains"] if one["because"] == "operator"}
    assert ends == {"engine unrestrict 1", f"engine undeny {B}", "engine maintenance --end"}


def test_halting_one_symbol_does_not_say_that_everything_is_halted() -> None:
    core = calm()
    core.said(restrict(Restraint(level=Level.HALTED), symbol=A))
    shown = status(core.state)
    assert (shown["line"], shown["but"], shown["level"]) == ("MAY TRADE", [A], "normal")
    assert f"nothing restrains but {A}: level halted by operator:restrict/1 (operator)" in shown["why"]
    core.said(restrict(Restraint(level=Level.HALTED)))
    assert status(core.state)["line"] == "HALTED"


def _flag(name: str, value: str) -> Command:
    return SetFlagCommand(actor=ANN, name=name, value=value, reason="try", ttl=0)


def test_the_story_tells_an_end_that_nobody_else_tells() -> None:
    core = calm()
    begun = core.tell(restrict(ttl=MINUTE), 2 * SECOND) + core.tell(MaintenanceCommand(actor=ANN, lasts=MINUTE))
    ended = core.wake(HOUR)
    assert [one.who for one in (line_of(effect) for effect in begun) if isinstance(one, Line)].count(
        "operator:restrict/1"
    ) == 0
    lines = [one for one in (line_of(effect) for effect in ended) if isinstance(one, Line) and "operator:" in one.who]
    assert [(one.who, one.state, one.why) for one in lines] == [
        ("operator:restrict/1", "restriction ends", "its time ended"),
    ]
