"""The light book: whole, continued by ids, or not believed."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from engine.model.market import DepthDelta, DepthSnapshot, Levels
from engine.signals.depth import WAITING, DepthCopy


def whole(last_id: int, bids: Levels = ((99.0, 1.0), (98.0, 2.0)), asks: Levels = ((101.0, 1.0),)) -> DepthSnapshot:
    """Return a book of the paper venue."""
    return DepthSnapshot("paper", "X", bids, asks, last_id, 0, 0)


def delta(first: int, last: int, previous: int = -1, bids: Levels = (), asks: Levels = ()) -> DepthDelta:
    """Return changed levels; `previous` is -1 on spot."""
    return DepthDelta("paper", "X", bids, asks, first, last, previous, 0, 0)


def test_levels_come_best_first_and_a_size_of_zero_removes() -> None:
    book = DepthCopy()
    assert book.levels() is None
    book.on_snapshot(whole(10))
    book.on_delta(delta(11, 12, bids=((98.0, 0.0), (97.0, 3.0), (99.5, 4.0)), asks=((100.5, 1.0),)))

    assert book.levels() == (((99.5, 4.0), (99.0, 1.0), (97.0, 3.0)), ((100.5, 1.0), (101.0, 1.0)))


def test_a_gap_makes_it_invalid_until_the_next_whole_book() -> None:
    book = DepthCopy()
    book.on_snapshot(whole(10))
    book.on_delta(delta(11, 12))
    book.on_delta(delta(14, 15))
    assert book.levels() is None
    book.on_delta(delta(16, 17, bids=((90.0, 1.0),)))
    assert book.levels() is None
    book.on_snapshot(whole(14, bids=()))
    assert book.levels() == (((90.0, 1.0),), ((101.0, 1.0),)), "deltas that overtook the whole book are applied to it"


def test_futures_join_by_the_previous_id() -> None:
    book = DepthCopy()
    book.on_snapshot(whole(10))
    book.on_delta(delta(5, 9, 4))
    book.on_delta(delta(8, 12, 7, bids=((90.0, 1.0),)))
    book.on_delta(delta(20, 25, 12, asks=((200.0, 1.0),)))
    assert book.levels() == (((99.0, 1.0), (98.0, 2.0), (90.0, 1.0)), ((101.0, 1.0), (200.0, 1.0)))
    book.on_delta(delta(26, 27, 24))
    assert book.levels() is None


def test_the_first_diff_behind_a_whole_book_may_name_its_id() -> None:
    """Futures leave ids out between diffs: a whole book taken between two is followed by one that begins later."""
    book = DepthCopy()
    book.on_snapshot(whole(10))
    book.on_delta(delta(15, 16, 10, bids=((90.0, 1.0),)))
    assert book.last_id == 16
    book.on_snapshot(whole(20))
    book.on_delta(delta(25, 26, 21))
    assert book.levels() is None


def test_what_waits_is_bounded_and_the_newest() -> None:
    book = DepthCopy()
    for number in range(1, 3 * WAITING):
        book.on_delta(delta(number, number, bids=((float(number), 1.0),)))
    book.on_snapshot(whole(3 * WAITING - 3, bids=(), asks=()))

    assert book.levels() == (((3.0 * WAITING - 1, 1.0), (3.0 * WAITING - 2, 1.0)), ())


def test_broken_levels_never_show() -> None:
    book = DepthCopy()
    broken = ((math.nan, 1.0), (1.0, math.nan), (-1.0, 1.0), (2.0, -1.0), (math.inf, 1.0))
    book.on_snapshot(whole(10, bids=broken, asks=()))
    book.on_delta(delta(11, 11, asks=((math.nan, math.nan), (5.0, math.inf), (5.0, 1.0))))

    assert book.levels() == ((), ((5.0, 1.0),))


def test_removed_levels_do_not_pile_up_and_a_deep_book_is_not_swept_each_time() -> None:
    """Sweeping costs as much as the book is deep, so it must become rarer as the book grows."""
    book = DepthCopy()
    deep = tuple((float(price), 1.0) for price in range(1, 10_001))
    book.on_snapshot(whole(0, bids=deep, asks=()))
    sweeps = 0
    for number in range(1, 20_001):
        before = book._bids
        book.on_delta(delta(number, number, bids=((number + 0.5, float(number % 2)),)))
        sweeps += book._bids is not before
    assert sweeps <= 3
    assert len(book._bids) < 45_000
    bids, _ = book.levels() or ((), ())
    assert len(bids) == 20_000


prices = st.sampled_from([1.0, 2.0, 3.0, 4.0])
sides = st.lists(st.tuples(prices, st.sampled_from([0.0, 1.0, 2.0, math.nan])), max_size=4).map(tuple)
moves = st.lists(st.tuples(st.booleans(), st.integers(0, 3), st.integers(0, 2), sides, sides), max_size=30)


@given(moves, st.integers(0, 30))
def test_cut_anywhere_and_loaded_it_goes_on_alike(
    story: list[tuple[bool, int, int, Levels, Levels]], cut: int
) -> None:
    book, uncut, now = DepthCopy(), DepthCopy(), 0
    for number, (is_whole, step, width, bids, asks) in enumerate(story):
        if number == cut:
            loaded = DepthCopy()
            loaded.load(book.dump())
            book = loaded
        now += step
        for one in (book, uncut):
            if is_whole:
                one.on_snapshot(whole(now, bids, asks))
            else:
                one.on_delta(delta(now, now + width, now - 1 if bids else -1, bids, asks))
        assert book.levels() == uncut.levels()
        assert book.last_id == uncut.last_id
