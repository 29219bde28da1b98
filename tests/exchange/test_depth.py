"""Depth is believed only while every change since the snapshot is known."""

from __future__ import annotations

import pytest

from engine.exchange.depth import EARLY, FILE, Depth
from engine.model.market import DepthDelta
from tests.exchange.kit import delta, snapshot

SEED = snapshot(((100.0, 1.0), (99.0, 2.0)), ((101.0, 1.0), (102.0, 2.0)), last_id=100)


def change(first: int, last: int, previous: int, size: float = 9.0) -> DepthDelta:
    return delta(((100.0, size),), (), (first, last, previous))


def seeded(*deltas: DepthDelta) -> Depth:
    depth = Depth()
    depth.on_snapshot(SEED)
    for each in deltas:
        depth.on_delta(each)
    return depth


@pytest.mark.parametrize(
    ("deltas", "synced", "size"),
    [
        ([change(90, 105, 80)], True, 9.0),                                  # futures: straddles the snapshot
        ([change(101, 105, 100)], True, 9.0),                                # follows it at once
        ([change(90, 105, -1)], True, 9.0),                                  # spot
        ([change(101, 105, -1), change(106, 110, -1, 8.0)], True, 8.0),
        ([change(90, 105, 80), change(107, 110, 105, 8.0)], True, 8.0),      # futures name their predecessor
        ([change(80, 99, 70)], True, 1.0),                                   # old: already in the snapshot
        ([change(103, 105, 102)], False, 0.0),                               # does not reach back to it
        ([change(102, 105, -1)], False, 0.0),
        ([change(90, 105, 80), change(107, 110, 106)], False, 0.0),          # one is missing
        ([change(101, 105, -1), change(107, 110, -1)], False, 0.0),
        ([change(90, 105, 80), change(90, 105, 80, 5.0)], True, 9.0),        # the same twice
    ],
)
def test_ids_must_continue(deltas: list[DepthDelta], synced: bool, size: float) -> None:
    depth = seeded(*deltas)

    assert depth.synced is synced
    assert depth.size_at(bids=True, price=100.0) == size


def test_a_snapshot_heals_a_gap_and_uses_what_came_since() -> None:
    """A snapshot by request is older than the stream: the deltas behind the gap continue it."""
    depth = seeded(change(107, 110, 106), change(111, 115, 110, 7.0))
    assert depth.gaps == 1

    depth.on_snapshot(snapshot(((100.0, 3.0),), ((101.0, 1.0),), last_id=112))
    assert depth.synced
    assert depth.last_id == 115
    assert depth.size_at(bids=True, price=100.0) == 7.0


def test_an_older_snapshot_changes_nothing() -> None:
    depth = seeded(change(101, 105, 100))
    assert not depth.on_snapshot(SEED)
    assert depth.last_id == 105


def test_levels_are_sorted_best_first_and_size_zero_removes() -> None:
    depth = seeded(delta(((99.5, 4.0), (99.0, 0.0)), ((100.5, 3.0), (102.0, 0.0)), (101, 105, 100)))

    assert list(depth.ladder(bids=True)) == [(100.0, 1.0), (99.5, 4.0)]
    assert list(depth.ladder(bids=False)) == [(100.5, 3.0), (101.0, 1.0)]


def test_what_is_kept_is_bounded() -> None:
    """A feed without snapshots, and one nobody asks about, must not fill the memory."""
    early = Depth()
    for number in range(3 * EARLY):
        early.on_delta(change(number, number, number - 1))
    assert len(early.dump()["early"]) == EARLY

    depth = seeded(*(change(100 + n, 100 + n, 99 + n, float(n)) for n in range(1, 2 * FILE + 10)))
    assert depth.synced
    assert depth.size_at(bids=True, price=100.0) == 2 * FILE + 9


def test_dumped_and_loaded_it_is_the_same() -> None:
    for depth in (seeded(change(101, 105, 100)), seeded(change(107, 110, 106)), Depth()):
        other = Depth()
        other.load(depth.dump())
        for each in (depth, other):
            each.on_delta(change(106, 110, 105, 5.0))
            each.on_snapshot(snapshot(((100.0, 3.0),), (), last_id=112))
        assert other.dump() == depth.dump()
