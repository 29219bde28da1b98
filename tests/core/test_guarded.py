"""A process that began without some guard is held until each guards again: by a flag, by a reload, or at a start."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest

from engine.core.checkpoint import dump_state, load_state
from engine.core.state import State
from engine.model.codec import canonical
from engine.model.effects import Effect, Notify
from engine.model.events import RunMode, UnsetFlagCommand
from engine.model.restraints import Level
from engine.model.time import MINUTE, SECOND
from tests.core.kit import START, Core, config, demo, fresh
from tests.core.rulings import edited, offered
from tests.core.test_session import flag, session

VALIDATOR, DEPEG = "STOP_VALIDATOR_ENABLED", "DEPEG_GUARD_ENABLED"
VAR_RULE = "guard.var"
LINES = {
    VALIDATOR: "stop validator is disabled", "guard.depeg.usdt": "guard.depeg.usdt is disabled",
    VAR_RULE: "guard.var is in shadow",
}
AT_END = "every guard guards again"


def began(*missed: str, **flags: bool) -> Core:
    """Return a session with money that began with these guards missed, and with `flags` set by hand before."""
    core = session(RunMode.LIMITED_LIVE, **flags)
    at = core.calm()
    lines = tuple(LINES[one] for one in missed)
    core.tell(at, replace(START, mode=RunMode.LIMITED_LIVE, epoch="next", unguarded=lines, unguarded_by=missed))
    assert held(core.state) == lines
    return core


def held(state: State) -> tuple[str, ...]:
    """Return what is missed of the guards, as the hold has it; nothing where nothing is held."""
    found = [one for one in state.policy.in_force if one.rule == "engine.unguarded"]
    if not found:
        return ()
    (hold,) = found
    assert hold.restraint.level is Level.REDUCE_ONLY
    assert all(line in hold.ends for line in state.unguarded)
    return state.unguarded


def told(effects: Sequence[Effect]) -> list[str]:
    return [one.text for one in effects if isinstance(one, Notify) and one.rule == "engine.unguarded"]


def again(core: Core) -> None:
    """Kill the process and take its state up again, in the middle of it."""
    kept = canonical(dump_state(core.state))
    core.state = fresh(demo()).state
    load_state(core.state, json.loads(kept))
    assert canonical(dump_state(core.state)) == kept


@pytest.mark.parametrize("cut", [False, True])
@pytest.mark.parametrize("by", ["unset", "set"])
def test_the_flag_on_again_ends_the_hold_within_its_event_and_tells_so(by: str, cut: bool) -> None:
    core = began(VALIDATOR, **{VALIDATOR: False})
    if cut:
        again(core)
    assert held(core.state)
    command = UnsetFlagCommand(actor="ann", name=VALIDATOR) if by == "unset" else flag(VALIDATOR, True)
    effects = core.tell(MINUTE * 20, command)
    assert held(core.state) == () and len(told(effects)) == 1 and told(effects)[0].startswith(AT_END)
    if cut:
        again(core)
    assert held(core.state) == ()


def test_the_end_of_a_flags_time_is_as_good_as_a_command() -> None:
    core = session(RunMode.LIMITED_LIVE)
    at = core.calm()
    core.tell(at, flag(VALIDATOR, False, ttl=10 * MINUTE))
    core.tell(at, replace(
        START, mode=RunMode.LIMITED_LIVE, epoch="next", unguarded=(LINES[VALIDATOR],), unguarded_by=(VALIDATOR,)
    ))
    core.wake(at + 10 * MINUTE - 1)
    assert held(core.state)
    core.wake(at + 10 * MINUTE)
    assert not held(core.state)


def test_each_ends_by_its_own_flag_and_the_hold_with_the_last() -> None:
    core = began(VALIDATOR, "guard.depeg.usdt", **{VALIDATOR: False, DEPEG: False})
    effects = core.tell(MINUTE * 20, flag(DEPEG, True))
    assert held(core.state) == (LINES[VALIDATOR],) and told(effects) == []
    effects = core.tell(MINUTE * 20 + SECOND, flag("WARMUP_SEC", 30.0))
    assert held(core.state) == (LINES[VALIDATOR],)
    effects = core.tell(MINUTE * 21, flag(VALIDATOR, True))
    assert held(core.state) == () and len(told(effects)) == 1


def test_a_flag_switched_off_once_more_holds_nothing_back() -> None:
    """What a running engine is told to do without is the operator's word, with its reason; the hold is of a start."""
    core = began(VALIDATOR, **{VALIDATOR: False})
    core.tell(MINUTE * 20, flag(VALIDATOR, True))
    core.tell(MINUTE * 21, flag(VALIDATOR, False))
    assert held(core.state) == ()


OFF = {"rules/guards/var.yaml": ("    kind: guard\n", "    kind: guard\n    enforcement: shadow\n")}


@pytest.mark.parametrize("cut", [False, True])
def test_a_reload_that_enforces_the_rule_ends_the_hold_and_no_other_does(cut: bool) -> None:
    core = began(VAR_RULE)
    core.tell(MINUTE * 20, offered(core.state, edited(OFF)))
    assert held(core.state) == (LINES[VAR_RULE],), "it still is off"
    core.tell(MINUTE * 21, flag("VAR_ENABLED", False))
    core.tell(MINUTE * 22, flag("VAR_ENABLED", True))
    assert held(core.state) == (LINES[VAR_RULE],), "its flag is not what it lacks"
    effects = core.tell(MINUTE * 23, offered(core.state, config().ruling()))
    assert held(core.state) == () and len(told(effects)) == 1
    if cut:
        again(core)
    assert held(core.state) == ()


def test_a_rule_that_is_gone_or_enforced_with_its_flag_off_is_still_missed() -> None:
    core = began(VAR_RULE, VAR_ENABLED=False)
    core.tell(MINUTE * 20, offered(core.state, config().ruling()))
    assert held(core.state) == (LINES[VAR_RULE],)
    core.tell(MINUTE * 21, flag("VAR_ENABLED", True))
    assert held(core.state) == ()
    core = began("guard.depeg.usdt")
    core.state.unguarded_by = ("guard.that_is_gone",)
    core.tell(MINUTE * 20, offered(core.state, config().ruling()))
    assert held(core.state) == (LINES["guard.depeg.usdt"],)


def test_what_a_checkpoint_of_before_does_not_name_ends_at_the_next_start() -> None:
    core = began(VALIDATOR, **{VALIDATOR: False})
    data = dump_state(core.state)
    del data["unguarded_by"]
    core.state = fresh(demo()).state
    load_state(core.state, json.loads(canonical(data)))
    core.tell(MINUTE * 20, flag(VALIDATOR, True))
    assert held(core.state) == (LINES[VALIDATOR],)
    core.tell(MINUTE * 21, replace(START, mode=RunMode.LIMITED_LIVE, epoch="third"))
    assert held(core.state) == ()
