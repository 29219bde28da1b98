"""Less information never grants more: for every shipped maker gate, while what it reads is degraded."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings

from engine.ruleset.reading import inputs_of
from engine.ruleset.spec import RuleKind, RuleSpec
from tests.rules.test_information_law import BEGIN, EXAMPLES, KEYS, World, ids
from tests.rules.timelines import Timeline, Wound, degraded, flags_with, injuries, rules

GATES = [replace(spec, enabled=True) for spec in rules() if spec.kind is RuleKind.MAKER_GATE]
"""What a flag switches off is under the law as well: somebody will switch it on."""


def granted(spec: RuleSpec, timeline: Timeline) -> list[tuple[bool, ...]]:
    """Return for which orders makers are granted, after each sample of `timeline` and its timers."""
    world, found = World(spec, flags_with(timeline.flags)), []
    for place in range(timeline.length()):
        at = place * timeline.step
        world.ring(at)
        for series, sample in timeline.due(place):
            world.feed(series, sample, at)
        world.ring(at)
        found.append(tuple(
            world.book.maker_granted(BEGIN + at, venue=venue, symbol=symbol, intent=intent)[0]
            for _, venue, symbol, intent in KEYS
        ))
    return found


@pytest.mark.parametrize("spec", GATES, ids=ids)
def test_what_is_degraded_grants_nothing_that_was_not_granted(spec: RuleSpec) -> None:
    """At every instant at which a part of the evidence cannot be believed: gates have no grace."""
    seen: Counter[bool] = Counter()

    @settings(max_examples=EXAMPLES)
    @given(injuries(spec))
    def law(injury: tuple[Timeline, Wound]) -> None:
        timeline, wound = injury
        hurt = wound.inflict(timeline)
        whole, broken = granted(spec, timeline), granted(spec, hurt)
        window = max((ref.window for ref in inputs_of(spec.expr)), default=0)
        for since, until in degraded(hurt, wound.series, window):
            for place in range(min(len(whole), len(broken))):
                if since <= place * hurt.step < until:
                    seen.update(whole[place])
                    assert all(was or not now for was, now in zip(whole[place], broken[place], strict=True)), place

    law()
    assert min(seen[True], seen[False]) >= 5, f"the timelines prove too little: {seen}"


def test_there_is_a_gate() -> None:
    assert GATES
