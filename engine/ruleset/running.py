"""Which timers of an instance run, until when, and what each leads to if nothing else changes."""

from __future__ import annotations

from dataclasses import dataclass

from engine.ruleset import lifecycle
from engine.ruleset.compiled import CompiledRule
from engine.ruleset.instances import Instance
from engine.ruleset.lifecycle import State, Timer
from engine.ruleset.spec import RuleKind

_WORDS = {
    Timer.FOR: "for", Timer.DOUBT: "unknown_grace", Timer.DOUBT_AFTER_LOCKOUT: "unknown_grace",
    Timer.CLEAR: "keep_firing_for", Timer.KNOWN: "min_clear", Timer.LOCKOUT: "cooldown",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A timer that ends at `until` (ns) and then, if what is read stays as it is, leads to `then`."""

    timer: str
    """The rule's own word: for, unknown_grace, keep_firing_for, min_clear, cooldown, ttl; or a `held(...)`."""
    until: int
    then: str


def running(instance: Instance, at: int) -> tuple[Running, ...]:
    """Return the timers of `instance` that end after `at`, soonest first; of a rule that does not run, none."""
    compiled = instance.compiled
    if not compiled.evaluated:
        return ()
    found = [] if compiled.spec.kind is RuleKind.MAKER_GATE else _lifecycle(instance, compiled, at)
    for plan, clock in zip(compiled.program.held, instance.clocks, strict=True):
        due = clock.due(plan.duration, at)
        if due is not None:
            found.append(Running(timer=plan.text, until=due, then="that part is true"))
    return tuple(sorted(found, key=lambda one: (one.until, one.timer)))


def _lifecycle(instance: Instance, compiled: CompiledRule, at: int) -> list[Running]:
    standing, timing = instance.standing, compiled.timing
    found: list[Running] = []
    for timer, state in lifecycle.TABLE[standing.state, standing.reading]:
        due = None if timer is None else lifecycle.due_at(standing, timer, timing)
        if timer is not None and due is not None and due > at:
            # Without a lockout to serve, cooldown is over as it begins.
            then = State.INACTIVE if state is State.COOLDOWN and not timing.cooldown else state
            found.append(Running(timer=_WORDS[timer], until=due, then=then.value))
    if timing.ttl and standing.true_until is not None and lifecycle.grip(standing, timing, at):
        ends = standing.true_until + timing.ttl
        if ends > at and standing.state is not State.HELD:
            found.append(Running(timer="ttl", until=ends, then="it restrains no longer"))
    return found
