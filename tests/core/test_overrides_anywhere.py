"""Any evening of an operator, cut anywhere: the same bytes leave, and nothing but a waiver lets more through."""

from __future__ import annotations

import random
from functools import cache

import pytest

from engine.core.checkpoint import dump_state
from engine.model.codec import canonical
from engine.model.events import Command, HaltCommand, RearmCommand, ResumeCommand
from engine.model.override_commands import (
    DenyCommand,
    EndMaintenanceCommand,
    MaintenanceCommand,
    RestrictCommand,
    UndenyCommand,
    UnrestrictCommand,
    UnwaiveCommand,
    WaiveCommand,
)
from engine.model.overrides import ALL, LONGEST_LEASE
from engine.model.restraints import Level, Restraint, Scope
from engine.model.time import HOUR, MINUTE, SECOND
from engine.policy.join import Policy, join_all
from tests.core.small import CALM, VENUE, WIDE, A, B, Small

STEPS, SEEDS = 50, 4
RULES = (
    "cutback.wide", "guard.latched", "guard.wide", "kill.wide", "guard.stops.wide", "entry.small",
    f"guard.wide/{VENUE},{A}",
)
SIZES = (0, MINUTE, 20 * MINUTE, HOUR)


def command(dice: random.Random, at: int) -> Command:
    symbol, ttl = dice.choice(("", A, B)), dice.choice(SIZES)
    restraint = dice.choice((
        Restraint(level=Level.ENTRIES_PAUSED), Restraint(level=Level.REDUCE_ONLY), Restraint(size_mult=0.5),
        Restraint(mute=frozenset({"SCALP"})), Restraint(),
    ))
    offline = dice.random() < 0.2
    return dice.choice((
        RestrictCommand(
            actor="ann", scope=Scope(symbol=symbol), restraint=restraint, maker_off=restraint == Restraint(), ttl=ttl,
            offline=offline,
        ),
        UnrestrictCommand(actor="ann", which=dice.choice(("", A, "1", "2", ALL))),
        DenyCommand(actor="ann", symbol=dice.choice((A, B)), ttl=ttl, offline=offline),
        UndenyCommand(actor="ann", symbol=dice.choice((A, B))),
        WaiveCommand(actor="ann", rule=dice.choice(RULES), lasts=dice.choice((MINUTE, HOUR, 5 * HOUR)), reason="known"),
        UnwaiveCommand(actor="ann", rule=dice.choice((*RULES, ALL))),
        MaintenanceCommand(actor="ann", lasts=dice.choice((MINUTE, HOUR))),
        EndMaintenanceCommand(actor="ann"),
        HaltCommand(actor="ann", reason="", source="socket"), ResumeCommand(actor="ann"),
        RearmCommand(actor="ann", latch="--cleared"),
    ))


def evening(seed: int, *, cuts: bool) -> Small:
    """Play the evening of `seed`; with `cuts` it goes on in another core every few steps."""
    dice, cut = random.Random(seed), random.Random(seed + 1)
    core = Small()
    for _ in range(STEPS):
        at = core.at + dice.choice((SECOND, 3 * SECOND, MINUTE, 30 * MINUTE))
        if dice.random() < 0.4:
            core.spread(dice.choice((CALM, WIDE)), *dice.choice(((A,), (B,), ())), at=at)
        elif dice.random() < 0.2:
            core.wake(at)
        else:
            core.tell(command(dice, at), at)
        core.order(dice.choice((A, B)), maker=dice.random() < 0.3)
        lawful(core)
        if cuts and cut.random() < 0.3:
            core = core.resumed()
    return core


def lawful(core: Small) -> None:
    """Hold what is in force to the laws, from the rules' own restraints and the words of the waivers."""
    state = core.state
    waivers = tuple(state.overrides.waivers.values())
    assert all(one.term.until - one.term.since <= LONGEST_LEASE and state.at < one.term.until for one in waivers)
    kept = []
    for force in state.book.restraints():
        waived = any(one.covers(force.rule, force.instance) for one in waivers)
        if not waived or force.rule.startswith("guard.stops"):
            kept.append(force.restraint)
        elif force.rule.startswith("kill."):
            level = min(force.restraint.level, Level.REDUCE_ONLY)
            kept.append(Restraint(level=level, size_mult=force.restraint.size_mult))
    rules = join_all(kept)
    assert state.policy.overall.covers(rules)
    assert join_all((rules, *(one.restraint for one in state.standing()))) == state.policy.overall
    assert state.policy.in_force == state.in_force() and Policy(state.in_force(), 0).overall == state.policy.overall


@cache
def uncut_evening(seed: int) -> Small:
    return evening(seed, cuts=False)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_cut_anywhere_the_same_bytes_leave_and_the_same_is_kept(seed: int) -> None:
    uncut, cut = uncut_evening(seed), evening(seed, cuts=True)
    assert uncut.heard == cut.heard
    assert canonical(dump_state(uncut.state)) == canonical(dump_state(cut.state))


def test_the_same_evening_again_is_the_same_to_the_byte() -> None:
    assert evening(0, cuts=False).heard == uncut_evening(0).heard


def test_the_evenings_have_what_could_be_lost() -> None:
    """There is something of each sort in force at some cut, or the test above proves little."""
    said = b"".join(line for seed in range(SEEDS) for line in uncut_evening(seed).heard)
    for kind in (b"restriction", b"denial", b"waiver", b"maintenance"):
        assert b'"kind":"' + kind + b'"' in said, kind
    assert b"OverrideEnded" in said and b"its time ended" in said and b"ended by hand" in said
