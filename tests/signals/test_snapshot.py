"""What a slot says, kind by kind, and when it changes."""

from __future__ import annotations

import math

import pytest

from engine.model.samples import InputRef
from engine.model.time import SECOND
from engine.signals.snapshot import Snapshot
from tests.signals.world import (
    CATALOGUE,
    INVALID,
    MISSING,
    OK,
    STALE,
    T0,
    UNWIRED,
    look,
    over,
    put,
    run_to,
    snapshot,
    value_of,
)

AGE = InputRef(reads="age", signal="gauge")
ABSENT = InputRef(reads="absent", signal="gauge")
FRESH = InputRef(reads="fresh", signal="gauge", max_age=2 * SECOND)

LABELS = {"gauge": ("v",), "counter": ("v",), "event": ("v",), "state": (), "switch": (), "word": ()}


@pytest.mark.parametrize(
    ("name", "value", "held"),
    [
        ("gauge", 1.5, 1.5), ("gauge", 2, 2.0), ("gauge", 100.0, 100.0), ("gauge", -100.0, -100.0),
        ("gauge", 100.1, INVALID), ("gauge", math.nan, INVALID), ("gauge", math.inf, INVALID),
        ("gauge", -math.inf, INVALID), ("gauge", True, INVALID), ("gauge", "1", INVALID), ("gauge", None, INVALID),
        ("gauge", 10**400, INVALID),
        ("state", 2.0, 2.0), ("state", 3.0, INVALID), ("state", math.nan, INVALID),
        ("counter", 5.0, 5.0), ("counter", -1.0, INVALID), ("counter", math.nan, INVALID),
        ("event", 7.0, 7.0), ("event", math.inf, INVALID), ("event", "7", INVALID),
        ("switch", True, True), ("switch", False, False), ("switch", 1.0, INVALID), ("switch", "true", INVALID),
        ("word", "green", "green"), ("word", "blue", INVALID), ("word", 1.0, INVALID), ("word", True, INVALID),
    ],
)
def test_a_sample_is_believed_only_if_it_fits_the_catalogue(name: str, value: object, held: object) -> None:
    """Wrong type, out of range and not finite are all invalid, and never an exception."""
    known = snapshot()
    slot = known.bind(value_of(name), LABELS[name])
    put(known, slot, value, 0)

    assert look(known, slot, 0) == held


@pytest.mark.parametrize(
    ("name", "after_9s", "after_10s", "after_a_year"),
    [
        ("gauge", 1.0, STALE, STALE), ("state", 1.0, STALE, STALE), ("switch", True, STALE, STALE),
        ("word", "red", STALE, STALE), ("counter", 1.0, 1.0, 1.0), ("event", 1.0, 1.0, 1.0),
    ],
)
def test_gauges_and_states_go_stale_by_age_and_nothing_else_does(
    name: str, after_9s: object, after_10s: object, after_a_year: object
) -> None:
    """A sample is believed for max_age, half open: at that age it is stale."""
    known = snapshot()
    slot = known.bind(value_of(name), LABELS[name])
    put(known, slot, {"switch": True, "word": "red"}.get(name, 1.0), 0)

    assert look(known, slot, 9.999999999) == after_9s
    assert look(known, slot, 10) == after_10s
    assert look(known, slot, 365 * 86400) == after_a_year


@pytest.mark.parametrize("name", ["gauge", "state", "counter", "event", "switch", "word"])
def test_before_the_first_sample_everything_is_missing(name: str) -> None:
    known = snapshot()

    assert look(known, known.bind(value_of(name), LABELS[name]), 0) is MISSING


def test_a_fresh_sample_does_not_touch_the_timers() -> None:
    """A busy signal must cost one ring per max_age, not one a sample."""
    known = snapshot()
    slot = known.bind(value_of("gauge"), ("v",))
    put(known, slot, 1.0, 0)
    for tick in range(1, 9):
        put(known, slot, float(tick), tick)

    assert known.next_due() == T0 + 10 * SECOND
    assert look(known, slot, 17.9) == 8.0
    assert look(known, slot, 18) is STALE


def test_a_clock_that_goes_back_never_makes_a_stale_sample_fresh() -> None:
    known = snapshot()
    slot, age = known.bind(value_of("gauge"), ("v",)), known.bind(AGE, ("v",))
    put(known, slot, 1.0, 0)
    assert look(known, slot, 12) is STALE
    known.fire(T0 + 3 * SECOND)
    known.fire(T0)

    assert look(known, slot, 12) is STALE
    assert look(known, age, 12) == 12.0

    known.put(slot, 2.0, T0, T0)

    assert look(known, slot, 12) == 2.0
    assert look(known, age, 12) == 0.0
    assert look(known, slot, 22) is STALE, "the sample counts from when it came, not from the clock that went back"


def test_an_invalid_sample_waits_for_a_good_one_and_does_not_grow_young() -> None:
    known = snapshot()
    slot, age = known.bind(value_of("gauge"), ("v",)), known.bind(AGE, ("v",))
    put(known, slot, 1.0, 0)
    put(known, slot, math.nan, 4)

    assert look(known, slot, 4) is INVALID
    assert look(known, age, 5) == 5.0, "age counts from the last good sample"
    assert look(known, slot, 400) is INVALID
    put(known, slot, 3.0, 401)
    assert look(known, slot, 401) == 3.0
    assert look(known, slot, 411) is STALE


def test_a_counter_that_falls_is_invalid_once_and_counts_on_from_there() -> None:
    known = snapshot()
    slot = known.bind(value_of("counter"), ("v",))
    rise = known.bind(over("increase", "counter", 60), ("v",))
    for second, value, held, risen in [(0, 10.0, 10.0, 0.0), (1, 12.0, 12.0, 2.0), (2, 3.0, INVALID, INVALID),
                                       (3, 7.0, 7.0, 6.0), (4, 7.0, 7.0, 6.0)]:
        put(known, slot, value, second)
        assert (look(known, slot, second), look(known, rise, second)) == (held, risen)


def test_what_a_lost_counter_sample_would_have_said_is_in_the_next() -> None:
    """Counters add up: unlike an event, a rise is not lost with the sample that told of it."""
    known = snapshot()
    slot = known.bind(value_of("counter"), ("v",))
    rise = known.bind(over("increase", "counter", 60), ("v",))
    put(known, slot, 1.0, 0)
    known.degrade(slot, MISSING, T0 + SECOND)
    assert look(known, rise, 1) is MISSING
    put(known, slot, 5.0, 2)

    assert look(known, rise, 2) == 4.0


def test_age_counts_whole_seconds_and_changes_only_then() -> None:
    known = snapshot()
    slot, age = known.bind(value_of("gauge"), ("v",)), known.bind(AGE, ("v",))
    assert look(known, age, 0) is MISSING
    put(known, slot, 1.0, 0)
    known.take_changed()
    seen = []
    while (due := known.next_due()) is not None and due <= T0 + 4 * SECOND:
        known.fire(due)
        seen += [(due - T0, known.values[changed]) for changed in known.take_changed()]

    assert seen == [(second * SECOND, float(second)) for second in (1, 2, 3, 4)]
    put(known, slot, 1.0, 4.5)
    assert look(known, age, 5.4) == 0.0
    assert look(known, age, 5.5) == 1.0


def test_absent_and_fresh_are_always_known() -> None:
    """They are the explicit escapes from doubt, so they must not be in doubt themselves."""
    known = snapshot()
    slot = known.bind(value_of("gauge"), ("v",))
    absent, fresh = known.bind(ABSENT, ("v",)), known.bind(FRESH, ("v",))
    told = []
    for second, sample in [(0.0, None), (1, 5.0), (2.9, None), (3, None), (10.9, None), (11, None), (12, 6.0),
                           (12.5, math.nan), (13, 7.0)]:
        if sample is not None:
            put(known, slot, sample, second)
        told.append((look(known, absent, second), look(known, fresh, second)))

    assert told == [
        (True, False), (False, True), (False, True), (False, False), (False, False), (True, False), (False, True),
        (True, False), (False, True),
    ]


def test_an_event_is_unknown_only_while_its_producer_is_down() -> None:
    known = Snapshot(CATALOGUE)
    slot, count = known.bind(value_of("event"), ("v",)), known.bind(over("count", "event", 3600), ("v",))
    assert look(known, count, 0) is MISSING, "nobody said yet that its producer lives"
    known.set_producer("feed.test", True, T0)
    assert (look(known, slot, 1), look(known, count, 1)) == (MISSING, 0.0)
    put(known, slot, 4.0, 2)
    assert (look(known, slot, 900), look(known, count, 900)) == (4.0, 1.0)
    known.set_producer("feed.test", False, T0 + 901 * SECOND)
    assert (look(known, slot, 902), look(known, count, 902)) == (STALE, STALE)
    known.set_producer("feed.test", True, T0 + 903 * SECOND)
    assert (look(known, slot, 904), look(known, count, 904)) == (4.0, 1.0)
    known.set_producer("feed.test", False, T0 + 905 * SECOND)
    put(known, slot, 5.0, 906)
    assert (look(known, slot, 906), look(known, count, 906)) == (5.0, 2.0), "an event is the best sign of life"


def test_a_producer_that_must_poll_is_down_when_it_stops() -> None:
    """Rare events: a successful poll is life, and its absence for max_age is doubt."""
    known = Snapshot(CATALOGUE)
    count = known.bind(over("count", "polled", 3600), ())
    known.set_producer("feed.polls", True, T0)
    for minute in range(1, 5):
        known.set_producer("feed.polls", True, T0 + (60 * minute - 1) * SECOND)
        assert look(known, count, 60 * minute) == 0.0
    assert look(known, count, 298.9) == 0.0
    assert look(known, count, 299) is STALE
    known.set_producer("feed.polls", True, T0 + 300 * SECOND)
    assert look(known, count, 301) == 0.0
    assert look(known, count, 360) is STALE


def test_events_of_this_process_need_no_sign_of_life() -> None:
    known = Snapshot(CATALOGUE)

    assert look(known, known.bind(over("count", "inner", 60), ()), 0) == 0.0


def test_a_degraded_event_tears_its_windows_for_as_long_as_it_would_have_been_inside() -> None:
    """A sum without one of its terms is not a smaller sum; it is not known."""
    known = snapshot()
    slot, total = known.bind(value_of("event"), ("v",)), known.bind(over("sum", "event", 60), ("v",))
    put(known, slot, 1.0, 0)
    put(known, slot, math.nan, 10)
    put(known, slot, 2.0, 20)

    assert look(known, slot, 20) == 2.0
    assert look(known, total, 69) is INVALID
    assert look(known, total, 70) == 2.0


def test_only_bound_slots_report_and_each_once_in_the_order_of_change() -> None:
    known = snapshot()
    a, b = known.bind(value_of("state"), ()), known.bind(value_of("gauge"), ("a",))
    unread = known.base("gauge", ("b",))
    for slot, value in [(b, 1.0), (unread, 1.0), (a, 1.0), (b, 2.0), (a, 1.0)]:
        put(known, slot, value, 0)

    assert known.take_changed() == [b, a]
    assert known.take_changed() == []
    put(known, b, 2.0, 1)
    assert known.take_changed() == [], "the same value again changes nothing"
    run_to(known, T0 + 10 * SECOND)
    assert known.take_changed() == [a]
    known.bind(value_of("gauge"), ("b",))
    put(known, unread, 2.0, 10)
    assert known.take_changed() == [unread]


def test_binding_twice_gives_one_slot_and_labels_must_fit() -> None:
    known = snapshot()
    assert known.bind(AGE, ("v",)) == known.bind(AGE, ("v",)) != known.bind(AGE, ("w",))
    assert known.bind(value_of("gauge"), ("v",)) == known.base("gauge", ("v",))
    assert known.bind(over("avg", "gauge", 5), ("v",)) != known.bind(over("avg", "gauge", 6), ("v",))
    with pytest.raises(ValueError, match="nearest: gauge"):
        known.bind(value_of("guage"), ("v",))
    with pytest.raises(ValueError, match="labels"):
        known.bind(value_of("gauge"), ())
    with pytest.raises(ValueError, match="reads"):
        known.bind(InputRef(reads="median", signal="gauge"), ("v",))
    with pytest.raises(ValueError, match="enum"):
        known.bind(over("avg", "word", 5), ())
    with pytest.raises(ValueError, match="none of its own"):
        known.put(known.bind(AGE, ("v",)), math.nan, 0, T0)


def test_labels_are_told_once_when_their_first_sample_comes() -> None:
    known = snapshot()
    known.bind(value_of("gauge"), ("bound",))
    assert known.labels_of("gauge") == ()
    for venue, value in [("b", 1.0), ("a", 1.0), ("b", 2.0), ("broken", math.nan)]:
        known.put_named("gauge", (venue,), value, T0, T0)

    assert known.take_new_labels() == [("gauge", ("b",)), ("gauge", ("a",)), ("gauge", ("broken",))]
    assert known.take_new_labels() == []
    assert known.labels_of("gauge") == (("b",), ("a",), ("broken",))


def test_a_window_bound_because_of_new_labels_holds_the_samples_that_brought_them() -> None:
    """The first fill of a venue makes the instance that counts fills; it must not be the one not counted."""
    known = snapshot()
    for value in (3.0, 5.0):
        known.put_named("event", ("new",), value, T0, T0)
    (name, labels), = known.take_new_labels()
    total = known.bind(over("sum", name, 60), labels)
    known.take_changed()
    known.put_named("event", ("new",), 1.0, T0, T0 + SECOND)

    assert look(known, total, 1) == 9.0


def test_what_nobody_produces_is_unwired_in_every_reading() -> None:
    known = snapshot()
    refs = (value_of("gauge"), AGE, ABSENT, FRESH, over("avg", "gauge", 5))
    early = [known.bind(ref, ("v",)) for ref in refs[:2]]
    known.set_unwired(frozenset({"gauge"}))
    slots = [*early, *(known.bind(ref, ("v",)) for ref in refs[2:])]
    assert [look(known, slot, 0) for slot in slots] == [UNWIRED] * 5
    assert known.doubtful(T0) and known.doubtful(T0)[0].status is UNWIRED

    known.set_unwired(frozenset())

    assert [look(known, slot, 0) for slot in slots] == [MISSING, MISSING, True, False, MISSING]


def test_doubtful_names_what_is_read_and_cannot_be_believed() -> None:
    known = snapshot()
    gauge = known.bind(value_of("gauge"), ("v",))
    known.bind(over("count", "event", 60), ("v",))
    known.bind(InputRef(reads="age", signal="state"), ())
    put(known, gauge, 1.0, 0)
    put(known, known.base("gauge", ("unread",)), 1.0, 0)
    run_to(known, T0 + 15 * SECOND)
    rows = [(row.name, row.labels, row.status, row.age, row.producer) for row in known.doubtful(T0 + 15 * SECOND)]

    assert rows == [
        ("gauge", ("v",), STALE, 15 * SECOND, "feed.test"), ("state", (), MISSING, None, "feed.test"),
    ]


def test_statuses_in_the_lists_are_plain_truth_values() -> None:
    """Generated code asks `if status`: OK must be the only one that is false."""
    assert [bool(status) for status in (OK, STALE, MISSING, INVALID, UNWIRED)] == [False, True, True, True, True]
