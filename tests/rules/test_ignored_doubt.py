"""What holds for a rule that ignores doubt: doubt opens nothing, and ends nothing before its time.

Such a rule is an exception from the law that less information never restrains less, and
says why (`on_unknown_reason`). From the first instant of doubt on, whatever its grace:
what was free stays free, and what was restrained stays so until its `ttl`, counted from
the last known truth, or, without one, for as long as the doubt lasts.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, note, settings

from engine.model.restraints import NONE
from engine.model.truth import Truth
from engine.policy.join import OrderKey
from engine.ruleset.durations import duration_under
from engine.ruleset.reading import inputs_of
from engine.ruleset.spec import Latching, OnUnknown, RuleSpec
from tests.rules.test_information_law import EXAMPLES, IGNORING, KEYS, RESTRAINED, Looks, ids, play
from tests.rules.timelines import Series, Timeline, Wound, catalogue, degraded, flags_with, injuries

IGNORED = [spec for spec in RESTRAINED if spec.id in IGNORING]


def met_by(series: Series) -> list[OrderKey]:
    """Return the orders whose instance reads `series`."""
    own = dict(zip(catalogue().specs[series[0]].labels, series[1], strict=True))
    names = ("account", "venue", "symbol", "intent")
    return [
        key for key in KEYS
        if all(own.get(name, label) == label for name, label in zip(names, key, strict=True))
    ]


def looked_at(timeline: Timeline, spells: list[tuple[int, int]]) -> list[int]:
    """Return the instants to look at: each sample, between two, and around where a spell begins and ends."""
    steps = [place * timeline.step for place in range(timeline.length() + 1)]
    found = {*steps, *(at + timeline.step // 2 for at in steps)}
    for since, until in spells:
        found.update(at for at in (since - 1, since, since + 1, until - 1) if at >= 0)
    return sorted(found)


def faults(
    times: tuple[int, int], looks: Looks, spell: tuple[int, int], key: OrderKey, tally: Counter[str]
) -> list[str]:
    """Return where doubt opened something for the orders of `key`, or ended it before its time.

    `times` are the `ttl` and the `for` of the rule, in ns.
    """
    (ttl, hold), (since, until) = times, spell
    before = [at for at in sorted(looks) if at < since]
    entered = looks[before[-1]][key].restraint if before else NONE
    known = [at for at in before if looks[at][key].truth is Truth.TRUE]
    found: list[str] = []
    if hold and since >= hold and all(looks[at][key].truth is Truth.TRUE for at in before if at >= since - hold):
        # True for as long as it must be, up to the very instant at which the doubt begins: that is what opens it.
        entered = looks[since][key].restraint
    for at in (one for one in looks if since <= one < until):
        now = looks[at][key]
        lasts = entered != NONE and (not ttl or bool(known) and at < known[-1] + ttl)
        tally["lasting" if lasts else "over" if entered != NONE else "free"] += 1
        if now.truth is not Truth.UNKNOWN:
            found.append(f"at {at / 1e9} s for {key}: the condition is taken for {now.truth}")
        if not entered.covers(now.restraint):
            found.append(f"at {at / 1e9} s for {key}: doubt opened {now.restraint}")
        if lasts and not now.restraint.covers(entered):
            found.append(f"at {at / 1e9} s for {key}: doubt ended {entered}")
        entered = now.restraint
    return found


def all_faults(spec: RuleSpec, timeline: Timeline, wound: Wound, tally: Counter[str]) -> list[str]:
    """Return the faults of `spec` over `timeline` with `wound`, for every order that is concerned."""
    hurt, flags = wound.inflict(timeline), flags_with(timeline.flags)
    times = (duration_under(spec.ttl, spec.ttl_unit, flags), duration_under(spec.hold_for, spec.hold_for_unit, flags))
    window = max(ref.window for ref in inputs_of(spec.expr, spec.clear_expr))
    spells = degraded(hurt, wound.series, window)
    looks = play(spec, hurt, looked_at(hurt, spells))
    return [
        fault for key in met_by(wound.series) for spell in spells for fault in faults(times, looks, spell, key, tally)
    ]


@pytest.mark.parametrize("spec", IGNORED, ids=ids)
def test_doubt_that_is_ignored_opens_nothing_and_ends_nothing_before_its_time(spec: RuleSpec) -> None:
    """Missing, broken or silent, whenever it begins, whatever the rule was doing."""
    tally: Counter[str] = Counter()

    @settings(max_examples=EXAMPLES)
    @given(injuries(spec))
    def law(injury: tuple[Timeline, Wound]) -> None:
        found = all_faults(spec, *injury, tally)
        note(f"{injury}")
        assert not found, found[:3]

    law()
    assert min(tally["lasting"], tally["free"]) >= EXAMPLES, f"the timelines prove too little: {tally}"


@pytest.mark.parametrize("spec", IGNORED, ids=ids)
def test_a_rule_that_restrains_in_doubt_is_caught(spec: RuleSpec) -> None:
    """The law has teeth: with `on_unknown: restrict` the same timelines find what doubt opens."""
    caught: list[str] = []

    @settings(max_examples=EXAMPLES)
    @given(injuries(spec))
    def search(injury: tuple[Timeline, Wound]) -> None:
        if not caught:
            caught.extend(all_faults(replace(spec, on_unknown=OnUnknown.RESTRICT), *injury, Counter()))

    search()
    assert any("doubt opened" in fault for fault in caught), caught[:3]


def test_what_ignores_doubt_latches_nothing_and_says_why() -> None:
    """Neither could be taken back by what comes to be known later."""
    assert {spec.id for spec in IGNORED} == IGNORING
    assert all(spec.latch is Latching.NONE and not spec.cooldown for spec in IGNORED)
    assert all(spec.on_unknown_reason for spec in IGNORED)
