"""What an operator asks for is answered, can be journalled, and lifts nothing but what it is about."""

from __future__ import annotations

import pytest

from engine.core.checkpoint import dump_state
from engine.core.report import status
from engine.model.codec import canonical, encode
from engine.model.effects import FlagChanged, PlaceOrder, PolicyChanged
from engine.model.events import Event, HaltCommand, RearmCommand, ResumeCommand, SetFlagCommand, UnsetFlagCommand
from engine.model.restraints import Level
from engine.model.time import MINUTE, SECOND
from tests.core.kit import ORACLE, Core, Drive, answers, moves

HALT = HaltCommand(actor="ann", reason="looking", source="socket")
RESUME = ResumeCommand(actor="ann")
COMMANDS = (
    HALT, HaltCommand(actor="ann", reason="touched", source="file"), RESUME,
    RearmCommand(actor="ann", latch="--cleared"), RearmCommand(actor="ann", latch="7"),
    SetFlagCommand(actor="ann", name="ENTRY_MAX_SPREAD_BPS", value="20", reason="thin", ttl=MINUTE),
    SetFlagCommand(actor="ann", name="NO_SUCH_FLAG", value="1", reason="", ttl=0),
    SetFlagCommand(actor="ann", name="DEPEG_GUARD_ENABLED", value="maybe", reason="x", ttl=0),
    UnsetFlagCommand(actor="ann", name="ENTRY_MAX_SPREAD_BPS"), UnsetFlagCommand(actor="ann", name="NO_SUCH_FLAG"),
)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda one: type(one).__name__)
def test_every_command_is_answered_once_and_can_be_journalled(command: Event) -> None:
    core = Core()
    at = core.calm() + SECOND
    effects = core.tell(at, command)
    assert len(answers(effects)) == 1 and answers(effects)[0].text
    assert answers(effects)[0].at == core.begin + at
    assert all(encode(effect) for effect in effects)
    assert canonical(dump_state(core.state)) and canonical(status(core.state))


def test_the_operators_halt_shows_in_the_policy_and_only_resume_lifts_it() -> None:
    core = Core()
    at = core.calm(357 * MINUTE)
    effects = core.tell(at + 1, HALT)
    changed = next(one for one in effects if isinstance(one, PolicyChanged))
    assert (changed.level, changed.stricter, changed.binding) == ("halted", True, ("operator:socket",))
    held = next(one for one in core.state.policy.in_force if one.because == "operator")
    assert held.clear_with == "engine resume"

    for command in (RearmCommand(actor="ann", latch="--cleared"), SetFlagCommand(
        actor="ann", name="DEPEG_GUARD_ENABLED", value=False, reason="no", ttl=0,
    )):
        core.tell(at + 2, command)
        assert core.level() is Level.HALTED
    day, later = core.state.boundary_day, at + 3 * MINUTE
    core.fine(at + 2 * SECOND, later)
    assert core.state.boundary_day > day
    assert core.level() is Level.HALTED

    effects = core.tell(later + 1, RESUME)
    assert answers(effects)[0].accepted
    assert core.level() is Level.NORMAL


def test_halting_twice_keeps_the_first_halt_and_resume_ends_each_source() -> None:
    """The HALT file and the socket are two hands of one operator: one word lifts both, and it is told what is left."""
    core = Core()
    at = core.calm()
    core.tell(at + 1, HALT)
    again = core.tell(at + 2, HaltCommand(actor="bob", reason="me too", source="socket"))
    assert "halted already" in answers(again)[0].text
    assert core.state.halts["socket"].actor == "ann"
    core.tell(at + 3, HaltCommand(actor="ann", reason="touched", source="file"))
    assert len([one for one in core.state.policy.in_force if one.because == "operator"]) == 2
    core.tell(at + 4, RESUME)
    assert core.state.halts == {} and core.state.policy.overall.level is Level.NORMAL
    assert "no operator halt" in answers(core.tell(at + 5, RESUME))[0].text


def depegged(core: Core) -> int:
    """Fire the depeg guard; return an instant behind it."""
    begin = core.calm()
    for round_at in range(1, 5):
        core.peg(begin + round_at * MINUTE, 0.98)
    assert core.state.book.latches()
    return begin + 4 * MINUTE


def test_resume_lifts_nothing_that_a_rule_holds_and_says_so() -> None:
    core = Core()
    at = depegged(core)
    core.tell(at + 1, HALT)
    answer = answers(core.tell(at + 2, RESUME))[0]
    assert ORACLE in answer.text
    assert core.state.policy.overall.level is Level.HALTED


def test_a_latch_is_rearmed_when_its_rule_is_known_false_and_refused_before() -> None:
    core = Core()
    at = depegged(core)
    number = str(core.state.book.latches()[0].number)
    refused = answers(core.tell(at + 1, RearmCommand(actor="ann", latch=number)))[0]
    assert not refused.accepted and "still true" in refused.text
    core.peg(at + MINUTE, 1.0)
    done = answers(core.tell(at + MINUTE + 1, RearmCommand(actor="ann", latch=number)))[0]
    assert done.accepted and not core.state.book.latches()


def test_a_flag_is_in_force_within_its_own_step_and_ends_when_its_time_does() -> None:
    core = Core()
    at = core.calm()
    name = "WS_DISCONNECT_ALERT_SEC"
    effects = core.tell(at + SECOND, SetFlagCommand(actor="ann", name=name, value="1", reason="try", ttl=10 * SECOND))
    assert moves(effects, "guard.feed.stale") == [(core.begin + at + SECOND, "firing")]
    assert core.state.policy.overall.level is Level.ENTRIES_PAUSED
    changed = [one for one in core.wake(at + 29 * SECOND) if isinstance(one, FlagChanged)]
    assert [(one.at, one.actor) for one in changed] == [(core.begin + at + 11 * SECOND, "engine")]
    assert core.state.flags.values[name] == 30


def test_under_the_operators_halt_nothing_is_begun() -> None:
    """The first listing of the demo, which is bought otherwise, is let go."""
    assert any(isinstance(one, PlaceOrder) for one in Drive({}).until(8_000).effects)
    assert not any(isinstance(one, PlaceOrder) for one in Drive({0: HALT}).until(8_000).effects)
