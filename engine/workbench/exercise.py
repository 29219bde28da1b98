"""Whether a history says anything of a rule: one that was never exercised has no effect that anybody knows of."""

from __future__ import annotations

from enum import StrEnum

from engine.ruleset.ruling import Ruling
from engine.workbench.timeline import Timeline


class Exercise(StrEnum):
    """Whether a history says anything of a rule."""

    EXERCISED = "exercised"
    """Its condition was known true at least once."""
    NOT_EXERCISED = "not exercised"
    """It was evaluated, and its condition was never known true: nothing is known of what it does."""
    NEVER_EVALUATED = "never evaluated"
    """It never had an instance, or no order was asked about."""
    NOT_REPLAYABLE = "not replayable"


def exercise(ruling: Ruling, timeline: Timeline) -> dict[str, Exercise]:
    """Return for each rule of `ruling`, by id, whether `timeline` says anything of it."""
    seen: dict[str, bool] = {}
    for one in timeline.instances.values():
        seen[one.rule] = seen.get(one.rule, False) or one.ever_true
    found: dict[str, Exercise] = {}
    for spec in sorted(ruling.rules.rules, key=lambda one: one.id):
        if spec.id in timeline.not_replayable:
            found[spec.id] = Exercise.NOT_REPLAYABLE
        elif spec.id not in seen:
            found[spec.id] = Exercise.NEVER_EVALUATED
        else:
            found[spec.id] = Exercise.EXERCISED if seen[spec.id] else Exercise.NOT_EXERCISED
    return found
