"""Whether a stablecoin that is known to be off its peg restrains now: told to people and dashboards, to no rule.

A rule is about a peg where it reads a signal of the oracle; what it is called does not matter. Doubt about a peg
restrains too and is not counted: nothing is known to be broken.
"""

from __future__ import annotations

from engine.core.state import State
from engine.model.restraints import NONE
from engine.ruleset.reading import signals_of

SIGNAL = "risk_depeg_active"
ORACLE = "feed.oracle"
_DOUBT = "held"


def depeg_active(state: State) -> bool:
    """Whether a rule about a peg restrains because of what it knows, its latch and its lockout included."""
    suspects = {
        item.rule for item in state.policy.in_force if item.because != _DOUBT and item.restraint != NONE
    }
    if not suspects:
        return False
    known = state.ruling.catalogue.specs
    return any(
        known[name].producer == ORACLE
        for spec in state.ruling.rules.rules if spec.id in suspects
        for name in signals_of(spec.expr, spec.clear_expr) if name in known
    )


def tell_depeg(state: State, at: int) -> None:
    """Put the signal, where the catalogue lists it."""
    if SIGNAL in state.snapshot.catalogue.specs:
        state.snapshot.put_named(SIGNAL, (), depeg_active(state), at, at)
