"""The engine's health as people and machines outside are told it: what is measured, and whether policy halts.

An output. No rule reads it, because policy is made of rules.
"""

from __future__ import annotations

from engine.core.state import State
from engine.model.codec import Data
from engine.model.effects import Effect, HealthChanged
from engine.model.restraints import Level

OK, DEGRADED, HALTED = 0, 1, 2
WORDS = ("OK", "DEGRADED", "HALTED")


def tell_health(state: State, at: int, out: list[Effect]) -> None:
    """Tell of a change of health, once a change. Cheap: asked after every event."""
    measured = state.reducers.health()[0]
    # What was never measured is no reason to say that all is well.
    heard = DEGRADED if measured is None else measured
    # A symbol that is halted alone is no halt of the run.
    now = HALTED if state.policy.general.level is Level.HALTED else heard
    if now != state.health:
        state.health = now
        out.append(HealthChanged(at=at, state=now, why=why_so(state)))


def why_so(state: State) -> str:
    """Return why the health is what it is, in words."""
    measured, parts = state.reducers.health()
    reasons = [f"{what} {WORDS[level]}" for what, level in parts]
    if measured is None:
        reasons.append("nothing was heard of any market yet")
    halts = sorted({
        one.instance for one in state.policy.in_force
        if one.restraint.level is Level.HALTED and not (one.scope.symbol or one.scope.intent)
    })
    if halts:
        reasons.append(f"halted by {', '.join(halts)}")
    return "; ".join(reasons) or "the market and the account are heard, and nothing halts"


def health_report(state: State) -> Data:
    """Return the published health, its word, what was measured (None for nothing yet) and why."""
    known = max(state.health, OK)
    return {
        "state": known, "word": WORDS[known], "measured": state.reducers.health()[0], "why": why_so(state),
        "parts": [{"what": what, "level": level} for what, level in state.reducers.health()[1]],
    }
