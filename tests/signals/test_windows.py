"""Windows kept incrementally say what a recomputation from scratch says, whatever the path."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.model.samples import SignalKind, Status
from engine.model.time import SECOND
from engine.signals.coverage import Coverage
from engine.signals.windows import WINDOW_READS, Scale, Window
from tests.signals.world import INVALID, NO_COVERAGE, NO_SAMPLES, STALE, T0, look, over, put, snapshot, value_of

PLAIN = ("avg_over", "min_over", "max_over", "sum_over", "count_over", "quantile_over")
values = st.floats(-100, 100) | st.sampled_from([0.1, 0.2, 0.3, -0.1, 5.0])
steps = st.lists(st.tuples(st.integers(0, 7), values), max_size=60)


def from_scratch(samples: Sequence[tuple[int, float]], at: int, span: int, reads: str) -> object:
    """Return the answer from the list of all samples: the definition, without any cleverness."""
    inside = [Fraction(round(value * 10**9)) for when, value in samples if at - span < when <= at]
    if reads == "count_over":
        return float(len(inside))
    if reads == "sum_over":
        return float(sum(inside) / 10**9)
    if not inside:
        return Status.NO_SAMPLES
    if reads == "avg_over":
        return float(sum(inside) / len(inside) / 10**9)
    if reads == "quantile_over":
        inside.sort()
        place = 0.3 * (len(inside) - 1)
        low, part = inside[math.floor(place)], place - math.floor(place)
        return pytest.approx(float(low + (inside[math.ceil(place)] - low) * Fraction(part)) / 1e9, abs=1e-9)
    return float((min if reads == "min_over" else max)(inside) / 10**9)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 7), st.none() | values), max_size=60), st.integers(1, 12))
def test_incremental_answers_equal_recomputation(moves: list[tuple[int, float | None]], span: int) -> None:
    """Sums are integers, so equality is exact: no path of additions and evictions leaves a trace."""
    window, samples, at = Window(span, Scale(1e-9)), list[tuple[int, float]](), 0
    for reads in PLAIN:
        window.want(reads)
    for gap, value in moves:
        at += gap
        if value is not None:
            window.add(at, value)
            samples.append((at, value))
        window.evict(at)
        for reads in PLAIN:
            answer, status = window.ask(reads, 0.3, SignalKind.EVENT)
            assert (Status(status) if status else answer) == from_scratch(samples, at, span, reads)


@settings(max_examples=60, deadline=None)
@given(steps, st.lists(st.tuples(st.integers(0, 3), st.floats(-5, 5)), max_size=20))
def test_the_past_of_a_window_does_not_change_its_present(
    first: list[tuple[int, float]], then: list[tuple[int, float]]
) -> None:
    """Two windows with the same samples inside agree exactly, though one has seen more."""
    old, young, at = Window(40, Scale(1e-9)), Window(40, Scale(1e-9)), 0
    for window in (old, young):
        for reads in PLAIN:
            window.want(reads)
    for gap, value in first:
        at += gap
        old.add(at, value)
        old.evict(at)
    at += 40
    for gap, value in then:
        at += gap
        for window in (old, young):
            window.add(at, value)
            window.evict(at)
    old.evict(at)

    assert [old.ask(reads, 0.7, SignalKind.EVENT) for reads in PLAIN] == [
        young.ask(reads, 0.7, SignalKind.EVENT) for reads in PLAIN
    ]
    assert old.dump() == young.dump()


def test_ten_tenths_are_one() -> None:
    """The reason for integers: floats would say 0.9999999999999999 here."""
    window = Window(100, Scale(1e-9))
    for at in range(10):
        window.add(at, 0.1)

    assert window.ask("sum_over", 0, SignalKind.EVENT) == (1.0, 0)


@pytest.mark.parametrize("resolution", [1e-12, 1e-9, 0.01, 0.5, 1.0, 10.0, 1e6])
def test_a_scale_gives_back_what_stands_on_it(resolution: float) -> None:
    scale = Scale(resolution)
    for number in (-7, 0, 1, 12345):
        assert scale.units(scale.value(number)) == number


@pytest.mark.parametrize("ratio", [0.0, 0.25, 0.5, 0.75, 1.0])
def test_quantiles_are_linear_between_ranks(ratio: float) -> None:
    window = Window(100, Scale(1.0))
    window.want("quantile_over")
    for at, value in enumerate([40.0, 10.0, 30.0, 20.0, 50.0]):
        window.add(at, value)

    assert window.ask("quantile_over", ratio, SignalKind.EVENT) == (10.0 + 40.0 * ratio, 0)


def test_a_sample_leaves_at_the_very_instant_its_window_is_over() -> None:
    known = snapshot()
    slot, total = known.bind(value_of("event"), ("v",)), known.bind(over("sum", "event", 60), ("v",))
    put(known, slot, 3.0, 0)
    put(known, slot, 4.0, 30)

    assert look(known, total, 59.999999999) == 7.0
    assert known.next_due() == T0 + 60 * SECOND
    assert look(known, total, 60) == 4.0
    assert look(known, total, 90) == 0.0
    assert known.next_due() is None, "an empty window waits for nothing"


def test_over_an_empty_event_window_counts_are_zero_and_averages_are_not_known() -> None:
    known = snapshot()
    asked = {
        reads: known.bind(over(reads, "event", 60, quantile=0.5), ("v",))
        for reads in ("count", "sum", "rate", "increase", "avg", "min", "max", "quantile")
    }

    assert {reads: look(known, slot, 0) for reads, slot in asked.items()} == {
        "count": 0.0, "sum": 0.0, "rate": 0.0, "increase": 0.0,
        "avg": NO_SAMPLES, "min": NO_SAMPLES, "max": NO_SAMPLES, "quantile": NO_SAMPLES,
    }


def test_rates_are_per_second() -> None:
    """Events: how many; counters: what they rose; gauges: last less first."""
    known = snapshot()
    base = {name: known.base(name, ("v",)) for name in ("event", "counter", "gauge")}
    asked = {
        (name, reads): known.bind(over(reads, name, 10, coverage=0.0), ("v",))
        for name in base for reads in ("rate", "increase")
    }
    for second in range(1, 6):
        for name in base:
            put(known, base[name], float(second * 4), second)

    assert {key: look(known, slot, 5) for key, slot in asked.items()} == {
        ("event", "increase"): 5.0, ("event", "rate"): 0.5,
        ("counter", "increase"): 16.0, ("counter", "rate"): 1.6,
        ("gauge", "increase"): 16.0, ("gauge", "rate"): 1.6,
    }


def test_a_gauge_window_is_unknown_below_its_coverage() -> None:
    """0.8 of 20 s: known once 16 s were, and again unknown 4 s and a moment after the last that was."""
    known = snapshot()
    slot = known.bind(value_of("gauge"), ("v",))
    avg, part = known.bind(over("avg", "gauge", 20), ("v",)), known.bind(over("avg", "gauge", 20, coverage=0.2), ("v",))
    for second in range(0, 17, 2):
        put(known, slot, float(second), second)

    assert look(known, avg, 16) == 8.0
    assert look(known, slot, 26) is STALE
    assert look(known, avg, 30) == 14.0, "stale at 26 s, so 16 s of the last 20 are known at 30 s"
    assert look(known, avg, 30.000000001) is STALE
    assert look(known, part, 35) == 16.0
    put(known, slot, math.nan, 36)
    assert look(known, avg, 36) is INVALID


def test_coverage_is_reached_at_its_very_instant() -> None:
    known = snapshot()
    slot, avg = known.bind(value_of("gauge"), ("v",)), known.bind(over("avg", "gauge", 10), ("v",))
    put(known, slot, 5.0, 0)

    assert look(known, avg, 7.999999999) is NO_COVERAGE
    assert look(known, avg, 8) == 5.0


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 9), st.booleans()), max_size=25), st.integers(1, 15), st.floats(0, 1),
)
def test_coverage_and_its_turning_points_equal_counting_every_instant(
    moves: list[tuple[int, bool]], span: int, share: float
) -> None:
    """The turning point is computed; here it is looked for, one ns after the other."""
    need, coverage = round(share * span), Coverage(span)
    line: list[bool] = []
    known = False
    for gap, turns_to in moves:
        line += [known] * gap
        known = turns_to
        coverage.turn(known, len(line))
    for _ in range(2 * span):
        at = len(line)
        assert coverage.covered(at) == sum(line[max(0, at - span):])
        due = coverage.turns_over(at, need)
        enough = sum(line[max(0, at - span):]) >= need
        future = [*line, *[known] * (2 * span + 1)]
        turns = [
            later for later in range(at + 1, len(future))
            if (sum(future[max(0, later - span):later]) >= need) != enough
        ]
        assert due == (turns[0] if turns else None)
        line.append(known)


def test_every_window_function_of_the_language_is_answered() -> None:
    known = snapshot()
    for kind, labels in (("gauge", ("v",)), ("counter", ("v",)), ("event", ("v",)), ("state", ())):
        for reads in WINDOW_READS:
            slot = known.bind(over(reads.removesuffix("_over"), kind, 5, quantile=0.5, coverage=0.0), labels)
            put(known, known.base(kind, labels), 1.0, 0)
            assert isinstance(look(known, slot, 0), float), (kind, reads)
