"""One heap entry an instance, exact due times, one order."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.ruleset.latches import Key
from engine.ruleset.timers import Timers

KEYS: list[Key] = [("a", ()), ("a", ("x",)), ("b", ("x", "y"))]


def test_the_order_is_due_rule_labels() -> None:
    timers = Timers()
    for key in reversed(KEYS):
        timers.set(key, 5)
    timers.set(("z", ()), 4)
    assert [timers.pop(5) for _ in range(5)] == [(4, ("z", ())), (5, KEYS[0]), (5, KEYS[1]), (5, KEYS[2]), None]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(KEYS), st.none() | st.integers(0, 20), st.integers(-1, 20)), max_size=40))
def test_it_is_a_plain_table_of_due_times(steps: list[tuple[Key, int | None, int]]) -> None:
    """Whatever was set, moved and taken back before, it answers as a dictionary would."""
    timers, table = Timers(), dict[Key, int]()
    for key, due, now in steps:
        timers.set(key, due)
        table.pop(key, None)
        if due is not None:
            table[key] = due
        assert timers.soonest == min(table.values(), default=None)
        popped = timers.pop(now)
        wanted = min(((due, key) for key, due in table.items() if due <= now), default=None)
        assert popped == wanted
        if wanted is not None:
            del table[wanted[1]]


def test_moving_a_due_time_away_again_and_again_does_not_grow_the_heap() -> None:
    timers = Timers()
    for number in range(1_000):
        timers.set(KEYS[0], 10 + number)
    assert len(timers._heap) == 1 and timers.soonest == 1_009
