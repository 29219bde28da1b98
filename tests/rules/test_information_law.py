"""Less information never restrains less: for every shipped rule, while what it reads is degraded beyond its grace.

A timeline is played twice, whole and with a stretch of one series lost. The rule stands
alone and is driven as the core drives it: what is due fires at its own instant, signals
before rules, and before the sample of that instant.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from engine.core.settle import MAX_ROUNDS
from engine.model.flags import FlagValue
from engine.model.restraints import NONE, Restraint
from engine.model.samples import SignalKind, Status
from engine.model.time import MINUTE, parse_instant
from engine.model.truth import Truth
from engine.policy.join import OrderKey, Policy, join_all
from engine.ruleset.durations import duration_under
from engine.ruleset.evaluate import RuleBook
from engine.ruleset.reading import inputs_of
from engine.ruleset.spec import RESTRAINING, OnUnknown, RuleKind, RuleSet, RuleSpec
from engine.signals.snapshot import Snapshot
from tests.rules.timelines import (
    LABELS,
    Loss,
    Sample,
    Series,
    Timeline,
    Wound,
    catalogue,
    degraded,
    flags_with,
    injuries,
    rules,
    values_for,
)

BEGIN = parse_instant("2026-01-05T00:00:00Z")
KEYS: tuple[OrderKey, ...] = tuple(
    ("main", venue, "NOVAUSDT", intent) for venue in LABELS["venue"] for intent in LABELS["intent"]
)
EXAMPLES = 100
RESTRAINED = [spec for spec in rules() if spec.kind in RESTRAINING]
ENTRIES = [spec for spec in rules() if spec.kind is RuleKind.ENTRY]
Facts = dict[str, float | str]


def ids(spec: RuleSpec) -> str:
    return spec.id


class World:
    """One rule over a snapshot. Instants are ns after BEGIN."""

    def __init__(self, spec: RuleSpec, flags: dict[str, FlagValue]) -> None:
        self.snapshot = Snapshot(catalogue())
        self.book = RuleBook(RuleSet(rules=(spec,), digest="", files=()), catalogue(), self.snapshot, flags, at=BEGIN)
        for ref in inputs_of(spec.expr, spec.clear_expr):
            self.life(ref.signal, up=True, at=0)
        self.settle(BEGIN)

    def ring(self, at: int) -> None:
        """Fire what is due up to `at`, as a step does before its event and a wake-up after it."""
        while True:
            dues = [due for due in (self.snapshot.next_due(), self.book.next_due()) if due is not None]
            if not dues or min(dues) > BEGIN + at:
                return
            due = min(dues)
            self.snapshot.fire(due)
            self.settle(due)
            self.book.fire(due)
            self.settle(due)

    def settle(self, at: int) -> None:
        """Evaluate until no signal changes."""
        for _ in range(MAX_ROUNDS):
            for name, labels in self.snapshot.take_new_labels():
                self.book.on_new_labels(at, name, labels)
            changed = self.snapshot.take_changed()
            if not changed:
                return
            self.book.on_changed(at, changed)
        raise AssertionError("signals did not settle")

    def life(self, signal: str, *, up: bool, at: int) -> None:
        """Turn the producer of an event signal up or down."""
        spec = catalogue().specs[signal]
        if spec.kind is SignalKind.EVENT:
            self.snapshot.set_producer(spec.producer, up, BEGIN + at)

    def feed(self, series: Series, sample: Sample, at: int) -> None:
        """Let one sample, or its loss, come."""
        name, labels = series
        self.life(name, up=sample is not Loss.SILENT, at=at)
        if sample is Loss.MISSING:
            self.snapshot.degrade(self.snapshot.base(name, labels), Status.MISSING, BEGIN + at)
        elif isinstance(sample, float) or sample is Loss.INVALID:
            value = math.nan if isinstance(sample, Loss) else sample
            self.snapshot.put_named(name, labels, value, BEGIN + at, BEGIN + at)
        self.settle(BEGIN + at)

    def restraint(self, key: OrderKey) -> Restraint:
        """Return the join over all that an order with these labels meets, rules without an instance for it included."""
        account, venue, symbol, intent = key
        unmet = self.book.unmet(account=account, venue=venue, symbol=symbol, intent=intent)
        known = Policy(self.book.restraints(), self.book.version).restraint(key)
        return join_all([known, *(one.restraint for one in unmet)])


def play(spec: RuleSpec, timeline: Timeline, instants: list[int]) -> dict[int, dict[OrderKey, Restraint]]:
    """Return what is in force for each order at each of `instants`, after all samples and timers of that instant."""
    world, found = World(spec, flags_with(timeline.flags)), {}
    due = {place * timeline.step: place for place in range(timeline.length())}
    for at in sorted({*due, *instants}):
        world.ring(at)
        if at in due:
            for series, sample in timeline.due(due[at]):
                world.feed(series, sample, at)
            world.ring(at)
        found[at] = {key: world.restraint(key) for key in KEYS}
    return {at: found[at] for at in instants}


def doubtful_instants(spec: RuleSpec, timeline: Timeline, series: Series) -> list[int]:
    """Return instants at which `series` has been degraded for longer than the grace of `spec`, and still is."""
    window = max((ref.window for ref in inputs_of(spec.expr, spec.clear_expr)), default=0)
    grace = duration_under(spec.unknown_grace, spec.unknown_grace_unit, flags_with(timeline.flags))
    found: set[int] = set()
    for since, until in degraded(timeline, series, window):
        begin = since + grace
        steps = range(0, timeline.length() * timeline.step + 1, timeline.step)
        nearby = [begin, begin + 1, *steps, *(at + timeline.step // 2 for at in steps), until - 1]
        found.update(at for at in nearby if begin <= at < until)
    return sorted(found)


def violations(spec: RuleSpec, timeline: Timeline, wound: Wound, tally: Counter[str]) -> list[str]:
    """Return where the hurt run allows what the whole one forbids."""
    hurt = wound.inflict(timeline)
    instants = doubtful_instants(spec, hurt, wound.series)
    if not instants:
        return []
    whole, broken = play(spec, timeline, instants), play(spec, hurt, instants)
    tally["judged"] += 1
    tally["restrained"] += any(restraint != NONE for at in instants for restraint in whole[at].values())
    tally["free"] += any(restraint == NONE for at in instants for restraint in whole[at].values())
    return [
        f"at {at / 1e9} s for {key}: {broken[at][key]} does not cover {whole[at][key]}"
        for at in instants for key in KEYS if not broken[at][key].covers(whole[at][key])
    ]


@pytest.mark.parametrize("spec", RESTRAINED, ids=ids)
def test_what_degrades_beyond_the_grace_restrains_at_least_as_much(spec: RuleSpec) -> None:
    """Missing, broken or silent, whenever it begins, whatever the rule was doing."""
    tally: Counter[str] = Counter()

    @settings(max_examples=EXAMPLES)
    @given(injuries(spec))
    def law(injury: tuple[Timeline, Wound]) -> None:
        timeline, wound = injury
        found = violations(spec, timeline, wound, tally)
        note(f"{timeline}\n{wound}")
        assert not found, found[:3]

    law()
    assert min(tally["restrained"], tally["free"]) >= EXAMPLES // 6, f"the timelines prove too little: {tally}"


@pytest.mark.parametrize("doubt", [OnUnknown.IGNORE, OnUnknown.HOLD])
@pytest.mark.parametrize("rule", ["guard.depeg.usdt", "kill.daily_loss", "kill.health", "cutback.slippage"])
def test_a_rule_that_shrugs_at_doubt_is_caught(rule: str, doubt: OnUnknown) -> None:
    """The law has teeth: with `on_unknown` ignore or hold the same timelines find what is let through."""
    spec = replace(next(one for one in RESTRAINED if one.id == rule), on_unknown=doubt)
    caught: list[str] = []

    @settings(max_examples=2 * EXAMPLES)
    @given(injuries(spec))
    def search(injury: tuple[Timeline, Wound]) -> None:
        if not caught:
            caught.extend(violations(spec, *injury, Counter()))

    search()
    assert caught


def test_a_fill_that_was_lost_before_any_was_heard_leaves_its_hole() -> None:
    """The venue's rule comes up with the second fill; that the first is missing is still known to its windows."""
    spec = next(one for one in RESTRAINED if one.id == "cutback.slippage")
    series = ("fill_slippage_bps", ("paper", "taker"))
    timeline = Timeline(step=MINUTE, samples={series: (12.0,) * 6}, flags=(("SLIPPAGE_MIN_FILLS", 6.0),))
    wound = Wound(series=series, begin=0, end=1, losses=(Loss.MISSING,))
    at = 5 * MINUTE
    whole, broken = (play(spec, one, [at])[at][KEYS[0]] for one in (timeline, wound.inflict(timeline)))
    assert whole.size_mult == broken.size_mult == 0.5


# -- entries -----------------------------------------------------------------------------------


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
    pools: dict[str, st.SearchStrategy[float | str]] = {}
    for name in order_signals(spec):
        signal = catalogue().specs[name]
        said: tuple[float | str, ...] = signal.values or values_for(spec, signal, flags_with(()))
        pools[name] = st.sampled_from(said)
    return st.fixed_dictionaries(pools)


LOST: tuple[float | str | None, ...] = (None, math.nan, math.inf, -math.inf, 1e18, "fast")
"""What may stand where a fact should: nothing, no number, beyond any range, a word."""


@pytest.mark.parametrize("spec", [spec for spec in ENTRIES if order_signals(spec)], ids=ids)
def test_an_order_that_does_not_say_is_refused(spec: RuleSpec) -> None:
    """Whatever else it says, and so also where the whole order would be refused."""
    seen: Counter[bool] = Counter()

    @settings(max_examples=EXAMPLES)
    @given(facts_for(spec), st.sampled_from(order_signals(spec)), st.sampled_from(LOST))
    def law(facts: Facts, name: str, value: float | str | None) -> None:
        rest = {key: fact for key, fact in facts.items() if key != name}
        seen[refused(spec, None, facts)[0]] += 1
        assert refused(spec, None, rest if value is None else {**rest, name: value}) == [True]

    law()
    assert min(seen[True], seen[False]) >= 5, f"the orders prove too little: {seen}"


@pytest.mark.parametrize("spec", [spec for spec in ENTRIES if len(order_signals(spec)) < len(
    dict.fromkeys(ref.signal for ref in inputs_of(spec.expr)))], ids=ids)
def test_an_entry_over_a_degraded_signal_is_refused(spec: RuleSpec) -> None:
    """At every instant at which it cannot be believed, whatever it was before: entries have no grace."""
    seen: Counter[bool] = Counter()

    @settings(max_examples=EXAMPLES)
    @given(injuries(spec), facts_for(spec))
    def law(injury: tuple[Timeline, Wound], facts: Facts) -> None:
        timeline, wound = injury
        series = (wound.series[0], ("paper", *wound.series[1][1:]))
        wound = replace(wound, series=series)
        hurt = wound.inflict(timeline)
        whole, broken = refused(spec, timeline, facts), refused(spec, hurt, facts)
        seen.update(whole)
        for since, until in degraded(hurt, series, 0):
            places = [place for place in range(len(broken)) if since <= place * hurt.step < until]
            assert all(broken[place] for place in places), (places, broken)

    law()
    assert min(seen.values()) >= EXAMPLES, f"the timelines prove too little: {seen}"


def test_every_shipped_rule_is_under_the_law() -> None:
    """A kind that is new here needs a law of its own before it ships."""
    assert {spec.kind for spec in rules()} <= RESTRAINING | {RuleKind.ENTRY, RuleKind.WATCH, RuleKind.MAKER_GATE}
    assert len(RESTRAINED) >= 6 and len(ENTRIES) >= 4
