"""The hold of a process that began without some guard: what of it ends while it runs.

A flag that is set again, or a reload that takes the mended rule, makes a guard guard from then
on; nobody has to stop an engine that follows open positions for that. What only the next start
can know of stays until then.
"""

from __future__ import annotations

from collections.abc import Collection
from itertools import zip_longest

from engine.core.state import State
from engine.model.effects import Effect, Notify
from engine.ruleset.spec import Enforcement, RuleSpec


def end_unguarded(state: State, at: int, out: list[Effect], changed: Collection[str] | None = None) -> None:
    """Drop what guards again from the hold: all that does after a reload, or what one of the flags `changed` decides.

    What no change of now is about stays: it was missed for another reason, such as a file that is not loaded.
    """
    if not state.unguarded:
        return
    missed = list(zip_longest(state.unguarded, state.unguarded_by[: len(state.unguarded)], fillvalue=""))
    left = [(line, by) for line, by in missed if not _guards_again(state, by, changed)]
    if len(left) == len(missed):
        return
    state.unguarded = tuple(line for line, _ in left)
    state.unguarded_by = tuple(by for _, by in left)
    if not left:
        state.tally.notifications += 1
        text = "every guard guards again: nothing is held any more for those that were missing at the start"
        out.append(Notify(at=at, to="alert", rule="engine.unguarded", text=text))


def _guards_again(state: State, by: str, changed: Collection[str] | None) -> bool:
    values = state.flags.values
    if by in values:
        return (changed is None or by in changed) and values[by] is True
    rule = next((one for one in state.ruling.rules.rules if by and by in (one.id, *one.formerly)), None)
    if rule is None or rule.enforcement is not Enforcement.ENFORCE:
        return False
    return (changed is None or rule.enabled in changed) and _is_on(state, rule)


def _is_on(state: State, rule: RuleSpec) -> bool:
    if not isinstance(rule.enabled, str):
        return rule.enabled is not False
    # A guard whose flag ships off was never missed for it.
    return state.flags.values.get(rule.enabled) is not False or state.flags.specs[rule.enabled].default is False
