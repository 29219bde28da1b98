"""Cut anywhere, dump to bytes, load and go on: nothing may tell the difference."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.model.codec import canonical
from engine.model.market import (
    Announcement,
    DepthDelta,
    DepthSnapshot,
    FeedDropped,
    FeedState,
    Heartbeat,
    OraclePrice,
    Quote,
    Trade,
)
from engine.model.samples import InputRef, Status
from engine.model.time import SECOND
from engine.signals.reduce import Reducers
from engine.signals.snapshot import Snapshot
from tests.signals import test_reduce, world

REFS = [
    (world.value_of("gauge"), ("v",)), (world.over("avg", "gauge", 20), ("v",)),
    (world.over("max", "gauge", 20, coverage=0.3), ("v",)), (InputRef(reads="age", signal="gauge"), ("v",)),
    (InputRef(reads="fresh", signal="gauge", max_age=3 * SECOND), ("v",)),
    (InputRef(reads="absent", signal="gauge"), ("v",)), (world.over("increase", "counter", 15), ("v",)),
    (world.value_of("event"), ("v",)), (world.over("sum", "event", 30), ("v",)),
    (world.over("quantile", "event", 30, quantile=0.5), ("v",)), (world.over("min", "event", 7), ("v",)),
    (world.over("count", "polled", 90), ()), (world.value_of("word"), ()), (world.value_of("switch"), ()),
]
number = st.sampled_from([0.0, 1.0, 2.5, -3.0, 99.0, math.nan, 1e9])
action = st.one_of(
    st.tuples(st.just("put"), st.sampled_from(["gauge", "counter", "event"]), st.sampled_from(["v", "w"]), number),
    st.tuples(st.just("put"), st.sampled_from(["polled", "state"]), st.none(), number),
    st.tuples(st.just("put"), st.just("word"), st.none(), st.sampled_from(["red", "green", "blue"])),
    st.tuples(st.just("put"), st.just("switch"), st.none(), st.booleans()),
    st.tuples(st.just("degrade"), st.sampled_from(["gauge", "counter", "event"]), st.just("v"), st.none()),
    st.tuples(st.just("producer"), st.sampled_from(["feed.test", "feed.polls"]), st.none(), st.booleans()),
    st.tuples(st.just("bind"), st.sampled_from(["gauge", "event"]), st.sampled_from(["v", "w"]), st.none()),
    st.tuples(st.just("take"), st.none(), st.none(), st.none()),
)
gap = st.sampled_from([0, 0, 1, SECOND, 3 * SECOND, 11 * SECOND, 61 * SECOND])
story = st.lists(st.tuples(gap, action), max_size=40)


def fresh() -> Snapshot:
    """Return a snapshot as a run with the same rules begins with."""
    known = Snapshot(world.CATALOGUE)
    for ref, labels in REFS:
        known.bind(ref, labels)
    return known


def act(known: Snapshot, at: int, what: tuple[Any, ...]) -> list[Any]:
    """Do one thing and return all that anybody could see of it, instants of timers included."""
    seen: list[Any] = []
    while (due := known.next_due()) is not None and due <= at:
        known.fire(due)
        seen.append(due)
    verb, name, label, value = what
    labels = () if label is None else (label,)
    if verb == "put":
        known.put_named(name, labels, value, at, at)
    elif verb == "degrade":
        known.degrade(known.base(name, labels), Status.MISSING, at)
    elif verb == "producer":
        known.set_producer(name, value, at)
    elif verb == "bind":
        seen.append(known.bind(world.over("avg", name, 20), labels))
    else:
        seen += [known.take_new_labels(), known.take_changed()]
    seen += [known.next_due(), known.values[:], [int(status) for status in known.status], known.doubtful(at)]
    return seen


@settings(max_examples=150, deadline=None)
@given(story, st.integers(0, 40))
def test_a_snapshot_cut_anywhere_goes_on_as_the_uncut_one(moves: list[tuple[int, Any]], cut: int) -> None:
    known, uncut, at = fresh(), fresh(), world.T0
    for index, (wait, what) in enumerate(moves):
        if index == cut:
            raw = canonical(known.dump())
            known = fresh()
            known.load(json.loads(raw))
            assert canonical(known.dump()) == raw
        at += wait
        assert act(known, at, what) == act(uncut, at, what)
    assert canonical(known.dump()) == canonical(uncut.dump())


level = st.sampled_from([0.0, 1.0, 2.0, math.nan])
market = st.one_of(
    st.builds(Quote, st.just("paper"), st.sampled_from(["X", "Y"]), level, level, level, level, st.just(1), st.just(1)),
    st.builds(Trade, st.sampled_from(["paper", "other"]), st.just("X"), level, level, st.booleans(), st.just("1"),
              st.just(1), st.just(1)),
    st.builds(DepthSnapshot, st.just("paper"), st.just("X"), st.just(((1.0, 1.0),)), st.just(()), st.integers(1, 9),
              st.just(1), st.just(1)),
    st.builds(DepthDelta, st.just("paper"), st.just("X"), st.just(((2.0, 1.0),)), st.just(()), st.integers(1, 9),
              st.integers(9, 12), st.just(-1), st.just(1), st.just(1)),
    st.builds(OraclePrice, st.just("c"), st.just("USDT"), st.just("USD"), level, st.just("1"), st.just(1), st.just(1)),
    st.builds(FeedState, st.sampled_from(["paper", "other", "feed.announcements"]), st.booleans(), st.just(""),
              st.just(1)),
    st.builds(FeedDropped, st.just("paper"), st.sampled_from(["", "X"]), st.sampled_from(["Quote", "DepthDelta"]),
              st.just(1), st.just(1)),
    st.just(Heartbeat("feed.announcements", 1)),
    st.just(Announcement("paper", "1", "listing", "t", ("X",), 1, 1)),
)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(gap, market), max_size=30), st.integers(0, 30))
def test_reducers_cut_anywhere_go_on_as_the_uncut_ones(moves: list[tuple[int, Any]], cut: int) -> None:
    mine, uncut, seconds = test_reduce.World(), test_reduce.World(), 0.0
    for index, (wait, event) in enumerate(moves):
        if index == cut:
            data = json.loads(canonical({"snapshot": mine.snapshot.dump(), "reducers": mine.reducers.dump()}))
            mine.snapshot = Snapshot(test_reduce.CATALOGUE)
            mine.reducers = Reducers(mine.snapshot, test_reduce.SETTINGS)
            mine.snapshot.load(data["snapshot"])
            mine.reducers.load(data["reducers"])
        seconds += wait / SECOND
        seen = []
        for one in (mine, uncut):
            one.fold(seconds, event)
            seen.append(
                [one.snapshot.next_due(), one.reducers.next_due(), one.snapshot.values[:], one.snapshot.status[:],
                 one.snapshot.take_new_labels(), one.snapshot.take_changed(), one.reducers.quote("paper", "X"),
                 one.reducers.depth("paper", "X")]
            )
        assert seen[0] == seen[1]
    assert canonical(mine.reducers.dump()) == canonical(uncut.reducers.dump())


def test_a_checkpoint_of_other_rules_is_refused() -> None:
    """Slots that mean something else must never be filled."""
    other = Snapshot(world.CATALOGUE)
    other.bind(world.value_of("state"), ())
    with pytest.raises(ValueError, match="slot 0"):
        other.load(fresh().dump())
