"""Rounds that must end, and what becomes of the core when they do not."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from engine.core.checkpoint import dump_state, load_state
from engine.core.settle import MAX_ROUNDS, fault, settle
from engine.model.effects import Effect, InternalFault, Notify
from engine.model.events import ResumeCommand
from engine.model.restraints import Level
from engine.model.samples import Derived
from engine.model.time import SECOND
from engine.ruleset.evaluate import RuleBook
from tests.core.kit import Core, config, moves


class Restless(RuleBook):
    """A book that, so often as `left` says, moves a signal that it was just told of."""

    left = 0

    def on_changed(self, at: int, slots: Sequence[int]) -> None:
        super().on_changed(at, slots)
        if self.left > 0:
            self.left -= 1
            self._snapshot.put_named("peg_usdt_usd", (), 1.0 + (self.left % 100) / 1e6, at, at)


def restless(core: Core) -> Restless:
    """Give `core` such a book, and return it."""
    known, state = config(), core.state
    assert known.rules is not None and known.catalogue is not None
    book = Restless(known.rules, known.catalogue, state.snapshot, state.flags.values, at=state.at)
    state.book = book
    return book


def test_signals_that_never_settle_halt() -> None:
    """More than eight rounds means that two rooms feed each other: our fault. It halts and pages once."""
    core = Core()
    book = restless(core)
    at = core.calm()
    state, book.left = core.state, 10**6
    effects = [*core.peg(at, 1.0001), *core.quote(at + 5 * SECOND), *core.peg(at + 6 * SECOND, 1.0002)]
    assert (10**6 - book.left) % (MAX_ROUNDS + 1) == 0 and 10**6 - book.left > 2 * MAX_ROUNDS
    assert [one.what for one in effects if isinstance(one, InternalFault)] == [
        f"signals did not settle in {MAX_ROUNDS} rounds"
    ]
    assert [one.to for one in effects if isinstance(one, Notify)] == ["page"]
    assert state.policy.overall.level is Level.HALTED

    book.left = 0
    core.tell(at + 7 * SECOND, ResumeCommand(actor="ann"))
    assert state.policy.overall.level is Level.HALTED, "an operator's resume is no repair"
    held = next(one for one in state.policy.in_force if one.because == "fault")
    assert held.since == core.begin + at


@pytest.mark.parametrize("rounds", [1, MAX_ROUNDS])
def test_signals_that_settle_within_the_limit_do_not(rounds: int) -> None:
    """Eight rounds are fine; only one that needs a ninth is a fault."""
    core = Core()
    book = restless(core)
    core.calm()
    state, book.left = core.state, rounds - 1
    out: list[Effect] = []
    settle(state, state.at, [Derived("peg_usdt_usd", (), 1.00005, state.at)], out)
    assert book.left == 0
    assert not [one for one in out if isinstance(one, InternalFault)] and not state.faults


def test_derived_samples_are_taken_in_order_and_judged_in_the_same_step() -> None:
    """First in, first out, at the same instant: the last word of a step is what the rules see."""
    core = Core()
    core.calm()
    out: list[Effect] = []
    state = core.state
    loss = [Derived("daily_loss_pct", ("main",), value, state.at) for value in (9.0, 0.5)]
    settle(state, state.at, loss, out)
    assert moves(out, "kill.daily_loss") == []
    settle(state, state.at, loss[:1], out)
    assert moves(out, "kill.daily_loss") == [(state.at, "pending")]


def test_a_fault_survives_a_checkpoint() -> None:
    core, other_core = Core(), Core()
    at = core.begin + core.calm()
    fault(core.state, at, "broke its own law", [])
    core.quote(at - core.begin + SECOND)
    load_state(other_core.state, dump_state(core.state))
    assert other_core.state.policy.overall.level is Level.HALTED
    assert other_core.state.policy.in_force == core.state.policy.in_force
