"""A snapshot moved under another catalogue knows what it knew, and believes nothing it should not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings

from engine.model.samples import InputRef, SignalSpec, Status, Unit
from engine.model.time import SECOND
from engine.signals.catalogue import Catalogue
from engine.signals.snapshot import Snapshot
from engine.signals.transplant import transplant
from tests.signals import test_cut, world
from tests.signals.world import T0

Seen = dict[tuple[Any, ...], tuple[Any, ...]]


def shown(known: Snapshot) -> Seen:
    """Return what every reading of the test rules says, by what it reads: slots may have other numbers."""
    found: Seen = {}
    for ref, labels in test_cut.REFS:
        slot = known.bind(ref, labels)
        value = known.values[slot] if known.status[slot] == 0 else None
        found[ref.reads, ref.signal, ref.window, ref.quantile, labels] = (value, known.status[slot])
    return found


@settings(max_examples=150, deadline=None)
@given(test_cut.story, test_cut.story)
def test_under_a_catalogue_that_only_knows_more_nothing_is_told_apart(
    before: Iterable[tuple[int, tuple[Any, ...]]], after: Iterable[tuple[int, tuple[Any, ...]]]
) -> None:
    """The first signal of the new catalogue is another one, so that every slot may move."""
    more = Catalogue([world.spec("aaa", world.STATE.kind, max_age=SECOND), *world.CATALOGUE.specs.values()])
    kept, at = test_cut.fresh(), T0
    for gap, what in before:
        at += gap
        test_cut.act(kept, at, what)
    kept.take_new_labels()
    kept.take_changed()
    moved = transplant(kept, more, at)
    assert shown(moved) == shown(kept)
    for gap, what in after:
        at += gap
        for known in (kept, moved):
            test_cut.act(known, at, what)
        assert shown(moved) == shown(kept)


def heard(spec: SignalSpec) -> Snapshot:
    """Return a snapshot over the test catalogue that heard 50 of the gauge `spec.name` at T0, five seconds ago."""
    known = world.snapshot()
    known.bind(InputRef(reads="value", signal=spec.name), ("v",))
    known.put_named(spec.name, ("v",), 50.0, T0, T0)
    return known


CASES = {
    "the same": ({}, Status.OK),
    "another summary": ({"summary": "other words"}, Status.OK),
    "a wider range": ({"high": 500.0}, Status.OK),
    "a range that excludes the sample": ({"high": 40.0}, Status.INVALID),
    "a longer age": ({"max_age": 60 * SECOND}, Status.OK),
    "an age that is over": ({"max_age": 4 * SECOND}, Status.STALE),
    "another unit": ({"unit": Unit.USD}, Status.MISSING),
    "other labels": ({"labels": ("symbol",)}, Status.MISSING),
    "another producer": ({"producer": "feed.other"}, Status.MISSING),
    "another resolution": ({"resolution": 0.5}, Status.MISSING),
}


@pytest.mark.parametrize(("fields", "status"), CASES.values(), ids=CASES)
def test_a_sample_is_believed_only_where_the_new_catalogue_would_believe_it(
    fields: dict[str, Any], status: Status
) -> None:
    at = T0 + 5 * SECOND
    changed = replace(world.GAUGE, **fields)
    others = [spec for spec in world.CATALOGUE.specs.values() if spec.name != "gauge"]
    moved = transplant(heard(world.GAUGE), Catalogue([changed, *others]), at)
    slot = moved.bind(InputRef(reads="value", signal="gauge"), ("v",))
    assert moved.status[slot] == status


def test_a_shorter_age_rings_at_its_own_instant_and_a_longer_one_at_its_own() -> None:
    for seconds in (7, 60):
        changed = replace(world.GAUGE, max_age=seconds * SECOND)
        others = [spec for spec in world.CATALOGUE.specs.values() if spec.name != "gauge"]
        moved = transplant(heard(world.GAUGE), Catalogue([changed, *others]), T0 + 5 * SECOND)
        slot = moved.bind(InputRef(reads="value", signal="gauge"), ("v",))
        world.run_to(moved, T0 + seconds * SECOND - 1)
        assert moved.status[slot] == 0
        world.run_to(moved, T0 + seconds * SECOND)
        assert moved.status[slot] == Status.STALE


def test_a_signal_that_is_gone_takes_its_windows_and_timers_with_it() -> None:
    known = test_cut.fresh()
    known.put_named("gauge", ("v",), 1.0, T0, T0)
    known.put_named("event", ("v",), 2.0, T0, T0)
    left = Catalogue([spec for spec in world.CATALOGUE.specs.values() if spec.name != "gauge"])
    moved = transplant(known, left, T0)
    assert "gauge" not in {name for _, name, _ in moved.series()}
    slot = moved.bind(world.over("sum", "event", 30), ("v",))
    known.set_producer("feed.test", True, T0)
    assert moved.values[slot] == 2.0
    world.run_to(moved, T0 + 200 * SECOND)
    assert moved.values[slot] == 0.0
