"""Less information never lets more through: for every shipped entry rule, over what an order says and what it reads."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.model.truth import Truth
from engine.ruleset.reading import inputs_of
from engine.ruleset.spec import RuleSpec
from tests.rules.test_information_law import BEGIN, ENTRIES, EXAMPLES, World, ids
from tests.rules.timelines import (
    Said,
    Timeline,
    Wound,
    catalogue,
    degraded,
    flags_with,
    injuries,
    series_of,
    values_for,
)

Facts = dict[str, Said]


def refused(spec: RuleSpec, timeline: Timeline | None, facts: Facts) -> list[bool]:
    """Return whether an order with `facts` is refused, after each sample of `timeline` and its timers."""
    world = World(spec, flags_with(() if timeline is None else timeline.flags))
    labels = {"account": "main", "venue": "paper", "symbol": "NOVAUSDT", "intent": "ENTRY"}
    found = []
    for place in range(timeline.length() if timeline is not None else 1):
        if timeline is not None:
            at = place * timeline.step
            world.ring(at)
            for series, sample in timeline.due(place):
                world.feed(series, sample, at)
            world.ring(at)
        verdicts = world.book.judge_entry(world.snapshot.now or BEGIN, facts, labels)
        assert [verdict.rule for verdict in verdicts] == [spec.id]
        found.append(verdicts[0].truth is not Truth.FALSE)
    return found


def order_signals(spec: RuleSpec) -> list[str]:
    """Return the facts of an order that `spec` reads."""
    names = dict.fromkeys(ref.signal for ref in inputs_of(spec.expr))
    return [name for name in names if catalogue().specs[name].order_scope]


def facts_for(spec: RuleSpec) -> st.SearchStrategy[Facts]:
    """Draw what an order says of itself."""
    return st.fixed_dictionaries({name: st.sampled_from(pool(spec, name)) for name in order_signals(spec)})


def pool(spec: RuleSpec, name: str) -> tuple[Said, ...]:
    """Return what the signal `name` may say, as far as `spec` tells it apart."""
    return values_for(spec, catalogue().specs[name], flags_with(()))


LOST: tuple[float | str | None, ...] = (None, math.nan, math.inf, -math.inf, 1e18, "fast")
"""What may stand where a fact should: nothing, no number, beyond any range, a word."""


@pytest.mark.parametrize("spec", [spec for spec in ENTRIES if order_signals(spec)], ids=ids)
def test_an_order_that_does_not_say_is_refused(spec: RuleSpec) -> None:
    """Unless what else it says would let it pass whatever it had said: then the rule has nothing to ask."""
    seen: Counter[bool] = Counter()

    @settings(max_examples=EXAMPLES)
    @given(facts_for(spec), st.sampled_from(order_signals(spec)), st.sampled_from(LOST))
    def law(facts: Facts, name: str, value: float | str | None) -> None:
        rest = {key: fact for key, fact in facts.items() if key != name}
        seen[refused(spec, None, facts)[0]] += 1
        asked = any(refused(spec, None, {**rest, name: said})[0] for said in pool(spec, name))
        assert refused(spec, None, rest if value is None else {**rest, name: value}) == [asked]

    law()
    assert min(seen[True], seen[False]) >= 5, f"the orders prove too little: {seen}"


@pytest.mark.parametrize("spec", [spec for spec in ENTRIES if len(order_signals(spec)) < len(
    dict.fromkeys(ref.signal for ref in inputs_of(spec.expr)))], ids=ids)
def test_an_entry_over_a_degraded_signal_is_refused(spec: RuleSpec) -> None:
    """At every instant at which it cannot be believed, whatever it was before: entries have no grace.

    Unless the order would pass whatever the signal said, all other things being as they are.
    """
    assert len({name for name, _ in series_of(spec)}) == 1, "it is judged as if nothing but the order were the rest"
    seen: Counter[bool] = Counter()

    @settings(max_examples=EXAMPLES)
    @given(injuries(spec), facts_for(spec))
    def law(injury: tuple[Timeline, Wound], facts: Facts) -> None:
        timeline, wound = injury
        name, labels = wound.series
        series = (name, ("paper", *labels[1:]) if labels else ())
        wound = replace(wound, series=series)
        hurt = wound.inflict(timeline)
        whole, broken = refused(spec, timeline, facts), refused(spec, hurt, facts)
        seen.update(whole)
        alone = [replace(timeline, samples={series: (said,)}) for said in pool(spec, series[0])]
        if not any(refused(spec, one, facts)[0] for one in alone):
            return
        for since, until in degraded(hurt, series, 0):
            places = [place for place in range(len(broken)) if since <= place * hurt.step < until]
            assert all(broken[place] for place in places), (places, broken)

    law()
    assert min(seen.values()) >= EXAMPLES, f"the timelines prove too little: {seen}"
