"""Which rules are nearest to tripping, for people who look every second at a run that must not stop for them.

How far a condition is from being true costs some 20 us to say, a hundred times what an
event costs. So what was said is remembered, and each look says anew how far those are
that were the nearest, and some of the others in turn.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from itertools import islice

from engine.ruleset.instances import Instance
from engine.ruleset.latches import Key
from engine.ruleset.lifecycle import IN_EPISODE
from engine.ruleset.margin import margin
from engine.ruleset.spec import RuleKind
from engine.signals.snapshot import Snapshot

AGAIN, WATCHED = 32, 8
"""Of those that were looked at before, so many are looked at again in turn, and so many because they were nearest."""


def margin_of(instance: Instance, snapshot: Snapshot) -> float | None:
    """Return how far the condition is from being true, 0 to 1; None where nobody can say or nothing trips."""
    compiled = instance.compiled
    if not compiled.evaluated or compiled.spec.kind is RuleKind.MAKER_GATE:
        return None
    evaluator = compiled.evaluator(len(instance.clocks))
    evaluator.value(instance.inputs(snapshot), instance.held_values())
    return margin(compiled.program.main.expression.tree, evaluator.seen)


class Nearness:
    """The margins of the instances of one rule book. What is remembered is no part of any state that is kept."""

    def __init__(self) -> None:
        self._known: dict[Key, float | None] = {}
        """By instance, the one that was looked at longest ago first."""

    def nearest(self, instances: Mapping[Key, Instance], snapshot: Snapshot, count: int) -> list[Instance]:
        """Return the `count` guarding instances that are nearest to being true, the nearest first.

        One that has tripped stands with what restrains, and one that only tells trips nothing. Who was never
        looked at is looked at now, so that a first look misses nobody.
        """
        known = self._known
        for key in known.keys() - instances.keys():
            del known[key]
        wanted = dict.fromkeys([*self._ranked(instances, WATCHED), *islice(known, AGAIN)])
        wanted |= dict.fromkeys(sorted(instances.keys() - known.keys()))
        for key in wanted:
            known.pop(key, None)
            known[key] = margin_of(instances[key], snapshot)
        return [instances[key] for key in self._ranked(instances, count)]

    def _ranked(self, instances: Mapping[Key, Instance], count: int) -> list[Key]:
        found = (
            (distance, instances[key].name, key) for key, distance in self._known.items()
            if distance is not None and _may_trip(instances[key])
        )
        return [key for _, _, key in heapq.nsmallest(count, found)]


def _may_trip(instance: Instance) -> bool:
    compiled = instance.compiled
    return compiled.restrains and instance.standing.state not in IN_EPISODE and not compiled.why_not()
