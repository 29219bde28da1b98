"""Timers ring in order, once, and only while they are the live one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.signals.staleness import Timers


@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(1, 50)), max_size=40))
def test_each_ident_rings_once_at_its_earliest_due(armings: list[tuple[int, int]]) -> None:
    timers, earliest = Timers(), dict[int, int]()
    for ident, due in armings:
        timers.arm(ident, due)
        earliest[ident] = min(due, earliest.get(ident, due))
    rung = []
    while (due_now := timers.next_due()) is not None:
        assert timers.pop(due_now - 1) is None
        rung.append((due_now, timers.pop(due_now)))

    assert rung == sorted((due, ident) for ident, due in earliest.items())


@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(1, 50)), max_size=40))
def test_loaded_timers_ring_as_the_dumped_ones_do(armings: list[tuple[int, int]]) -> None:
    timers, loaded = Timers(), Timers()
    for ident, due in armings:
        timers.arm(ident, due)
    loaded.arm(9, 1)
    loaded.load(timers.dump())
    while timers.next_due() is not None:
        assert (loaded.next_due(), loaded.pop(50)) == (timers.next_due(), timers.pop(50))
    assert loaded.next_due() is None
