"""The published health: what is measured or halted, told once a change; and the fault that only a person ends."""

from __future__ import annotations

from itertools import pairwise, product

import pytest

from engine.adapters.bus_local import LocalBus
from engine.core.checkpoint import dump_state, load_state
from engine.core.health import DEGRADED, HALTED, OK
from engine.core.report import status
from engine.core.state import NOT_TAKEN_UP
from engine.model.codec import to_data
from engine.model.effects import Effect, HealthChanged
from engine.model.events import HaltCommand, RecoveryBroken, ResumeCommand
from engine.model.restraints import Level
from engine.model.time import MINUTE, SECOND
from engine.ports.bus import HEALTH_STATE
from engine.runtime.gate import PolicyGate
from engine.runtime.perform import Performer
from engine.signals.snapshot import Snapshot
from tests.core.kit import START, Core, answers, demo, fresh

HALT, RESUME = HaltCommand(actor="ann", reason="looking", source="socket"), ResumeCommand(actor="ann")
BROKEN = RecoveryBroken(what="effect 7 differs", orders=())


def changes(effects: list[Effect]) -> list[int]:
    return [one.state for one in effects if isinstance(one, HealthChanged)]


def test_a_change_is_told_once_and_why() -> None:
    """Degraded by silence, halted by hand over it, and back step by step."""
    core = Core()
    at = core.calm()
    assert core.state.health == OK and changes(core.quote(at + SECOND)) == []
    effects = core.wake(at + 40 * SECOND)
    assert changes(effects) == [DEGRADED]
    assert next(one for one in effects if isinstance(one, HealthChanged)).why == "market data of paper DEGRADED"
    assert changes(core.tell(at + 41 * SECOND, HALT)) == [HALTED]
    assert "halted by operator:socket" in status(core.state)["health"]["why"]
    assert changes(core.tell(at + 42 * SECOND, HALT)) == []
    assert changes(core.tell(at + 43 * SECOND, RESUME)) == [DEGRADED]
    assert changes(core.quote(at + 44 * SECOND)) == [OK]
    assert status(core.state)["health"]["word"] == "OK"


@pytest.mark.parametrize(("silent", "halted"), list(product((False, True), (False, True))))
def test_it_is_the_worse_of_what_is_measured_and_what_policy_does(silent: bool, halted: bool) -> None:
    core = Core()
    at = core.calm() + 40 * SECOND
    if not silent:
        core.fine(at - 39 * SECOND, at)
    core.tell(at + 1, HALT if halted else RESUME)
    assert core.state.health == (HALTED if halted else DEGRADED if silent else OK)


def test_before_anything_was_measured_all_is_not_well() -> None:
    """At the start the rules hold everything; where they were switched off nothing was heard all the same."""
    core = Core()
    assert core.state.health == HALTED and core.state.reducers.health()[0] is None
    assert "nothing was heard of any market yet" in status(core.state)["health"]["why"]


def test_it_goes_on_after_a_cut_without_being_told_again() -> None:
    core = Core()
    at = core.calm()
    core.wake(at + 40 * SECOND)
    kept = dump_state(core.state)
    core.state = fresh(demo()).state
    load_state(core.state, kept)
    assert core.state.health == DEGRADED and changes(core.wake(at + 41 * SECOND)) == []


def test_every_change_is_on_the_bus_in_order() -> None:
    core, bus = Core(), LocalBus()
    heard = bus.subscribe(HEALTH_STATE)
    wired = fresh(demo())
    performer = Performer(PolicyGate(core.state), wired.venue, wired.notifier, lambda event: None, bus)
    at, made = core.calm(), list[Effect]()
    for offset, event in ((1, HALT), (2, RESUME), (3, HALT)):
        made += core.tell(at + offset, event)
    made += core.wake(at + 20 * MINUTE)
    for effect in made:
        performer.perform(effect, effect.at)
    told = heard.take()
    assert told == [to_data(one) for one in made if isinstance(one, HealthChanged)]
    assert [one["state"] for one in told] == [HALTED, OK, HALTED]
    assert all(one["state"] != other["state"] for one, other in pairwise(told))


def test_no_rule_can_read_it() -> None:
    """It is an output: the catalogue, which is all that a rule may read, does not have it."""
    known = Snapshot(Core().state.ruling.catalogue).catalogue.specs
    assert "health_measured" in known and "health_state" not in known


def test_a_run_that_was_not_taken_up_waits_for_a_person_through_every_restart() -> None:
    """Orders may have left that nobody here decided: a restart alone must not go on."""
    core = Core()
    at = core.calm()
    core.tell(at + 1, BROKEN)
    for later in (2, 3):
        core.tell(at + later, START)
        assert core.level() is Level.HALTED
    held = next(one for one in core.state.policy.in_force if one.rule == "engine.internal_fault")
    assert held.clear_with == "engine resume" and core.state.faults

    core.tell(at + 4, HALT)
    told = answers(core.tell(at + 5, RESUME))
    assert "still halted" in told[0].text and NOT_TAKEN_UP in told[0].text and core.level() is Level.HALTED
    told = answers(core.tell(at + 6, RESUME))
    assert "goes on" in told[0].text and not core.state.faults


def test_another_fault_ends_with_a_restart_and_not_with_a_resume() -> None:
    core = Core()
    at = core.calm()
    core.state.faults["signals did not settle"] = core.state.at
    core.tell(at + 1, RESUME)
    assert core.state.faults
    core.tell(at + 2, START)
    assert not core.state.faults
