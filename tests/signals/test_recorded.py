"""A snapshot that is written down tells all that another one needs to stand as it stood."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.model.history import Mark, MarkKind, Record, Row
from engine.model.samples import InputRef, Status
from engine.model.time import SECOND
from engine.signals.catalogue import Catalogue
from engine.signals.recorded import RecordedSnapshot, Recorder
from engine.signals.replayed import ReplayedSnapshot
from engine.signals.snapshot import Snapshot
from tests.signals.world import CATALOGUE, GAUGE, T0, over, value_of

SERIES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("gauge", ("a",)), ("gauge", ("b",)), ("state", ()), ("counter", ("a",)), ("event", ("a",)), ("polled", ()),
    ("inner", ()), ("switch", ()), ("word", ()),
)
def _plain(name: str) -> tuple[InputRef, ...]:
    fresh = InputRef(reads="fresh", signal=name, max_age=3 * SECOND)
    return (
        value_of(name), InputRef(reads="age", signal=name), InputRef(reads="absent", signal=name), fresh,
        over("count", name, 20),
    )


READINGS: tuple[InputRef, ...] = (
    *(reading for name in dict(SERIES) for reading in _plain(name)),
    over("avg", "gauge", 15), over("max", "gauge", 15), over("quantile", "gauge", 30, quantile=0.5),
    over("increase", "counter", 20), over("rate", "counter", 20), over("sum", "event", 20), over("avg", "event", 20),
)
COMPLETE = frozenset({"gauge", "state", "switch", "word"})
_VALUES = st.one_of(
    st.sampled_from((0.0, 1.0, 2.0, 3.0, 50.0, 101.0, math.nan)), st.sampled_from(("red", "green", "blue")),
    st.booleans(),
)
_MOMENTS = st.lists(
    st.tuples(
        st.sampled_from((0, 1, SECOND, SECOND, 3 * SECOND, 11 * SECOND, 61 * SECOND)),
        st.one_of(
            st.tuples(st.sampled_from(SERIES), _VALUES), st.tuples(st.sampled_from(SERIES), _VALUES),
            st.tuples(st.sampled_from(SERIES), st.sampled_from((Status.MISSING, Status.INVALID))),
            st.tuples(st.sampled_from(("feed.test", "feed.polls")), st.booleans()),
        ),
    ),
    min_size=5, max_size=60,
)
What = tuple[str | tuple[str, tuple[str, ...]], float | str | bool | Status]
Moment = tuple[int, What]


def happen(known: Snapshot, what: What, at: int) -> None:
    """Let one thing happen to a live snapshot."""
    subject, change = what
    if isinstance(subject, str):
        known.set_producer(subject, bool(change), at)
    elif isinstance(change, Status):
        known.degrade(known.base(*subject), change, at)
    else:
        known.put_named(*subject, change, at - 1, at)


def settle(known: Snapshot) -> None:
    """Take everything that is new, as the core does."""
    while not known.settled():
        known.take_new_labels()
        known.take_changed()


def apply(known: ReplayedSnapshot, record: Record) -> None:
    """Let a record happen again."""
    if isinstance(record, Row):
        known.take(known.base(record.signal, record.labels), record)
    elif record.kind is MarkKind.PRODUCER and "signal" in record.data:
        known.silence(record.data["producer"], record.data["signal"], record.at)
    elif record.kind is MarkKind.PRODUCER:
        known.set_producer(record.data["producer"], record.data["up"], record.at)


def bound(known: Snapshot) -> list[int]:
    """Bind every reading of every series and return the slots."""
    return [
        known.bind(ref, labels) for name, labels in SERIES for ref in READINGS
        if ref.signal == name and not (name == "word" and ref.reads not in ("value", "count_over", "absent"))
    ]


def stands(known: Snapshot, slots: list[int]) -> list[tuple[object, int]]:
    """Return what each slot holds, or that it cannot be believed."""
    return [(None if known.status[slot] else known.values[slot], known.status[slot]) for slot in slots]


@settings(max_examples=150)
@given(_MOMENTS)
def test_a_replayed_snapshot_stands_as_the_recorded_one_stood(moments: list[Moment]) -> None:
    """After every record and every timer: values, windows, ages, freshness, dead producers, fallen counters."""
    kept: list[Record] = []
    live = RecordedSnapshot(CATALOGUE, Recorder(kept.append, COMPLETE))
    plain, again = Snapshot(CATALOGUE), ReplayedSnapshot(CATALOGUE)
    slots, at = bound(live), T0
    assert bound(plain) == slots and bound(again) == slots
    for wait, what in moments:
        due = live.next_due()
        while due is not None and due <= at + wait:
            told = len(kept)
            live.fire(due)
            plain.fire(due)
            again.fire(due)
            for record in kept[told:]:
                apply(again, record)
            settle(live)
            assert stands(live, slots) == stands(plain, slots) == stands(again, slots), due
            due = live.next_due()
        at += wait
        told = len(kept)
        happen(live, what, at)
        happen(plain, what, at)
        again.fire(at)
        for record in kept[told:]:
            apply(again, record)
        settle(live)
        assert stands(live, slots) == stands(plain, slots) == stands(again, slots), (at, what)
    batches = [record.batch for record in kept]
    assert batches == sorted(batches)
    assert all(len({one.at for one in kept if one.batch == batch}) == 1 for batch in set(batches))


def test_batches_say_what_was_settled_together_and_what_woke() -> None:
    """What a wake-up brought begins with its mark; a proposal stands alone."""
    kept: list[Record] = []
    known = RecordedSnapshot(CATALOGUE, Recorder(kept.append))
    known.put_named("gauge", ("a",), 1.0, T0, T0)
    known.put_named("state", (), 1.0, T0, T0)
    settle(known)
    known.note(T0, MarkKind.PROPOSAL, {})
    known.put_named("gauge", ("a",), 2.0, T0, T0)
    settle(known)
    due = known.next_due()
    assert due is not None
    known.fire(due)
    settle(known)
    told = [(one.batch, one.kind if isinstance(one, Mark) else (one.signal, one.status)) for one in kept]
    assert told == [
        (1, ("gauge", 0)), (1, ("state", 0)), (2, MarkKind.PROPOSAL), (3, ("gauge", 0)), (4, MarkKind.WOKEN),
        (4, ("gauge", 1)), (4, ("state", 1)),
    ]


def test_a_decimated_signal_keeps_its_changes_apart_and_every_turn_of_its_standing() -> None:
    """Its last value is not lost for good: the first sample behind the floor tells it."""
    catalogue = Catalogue([replace(GAUGE, decimate=5 * SECOND)])
    assert catalogue.digest == Catalogue([GAUGE]).digest
    kept: list[Record] = []
    thin = frozenset({"gauge"})
    known = RecordedSnapshot(catalogue, Recorder(kept.append, decimated=thin))

    def put(seconds: int, value: float) -> None:
        at = T0 + seconds * SECOND
        known.put_named("gauge", ("a",), value, at, at)
        settle(known)

    for seconds, value in ((0, 1.0), (1, 2.0), (2, math.nan), (3, 3.0), (4, 4.0), (6, 4.0), (8, 4.0)):
        put(seconds, value)
    told = [((row.at - T0) // SECOND, row.value, row.status) for row in kept if isinstance(row, Row)]
    assert told == [(0, 1.0, 0), (2, 2.0, 3), (3, 3.0, 0), (8, 4.0, 0)]

    loaded = RecordedSnapshot(catalogue, Recorder(kept.append, decimated=thin))
    loaded.load(known.dump())
    loaded.put_named("gauge", ("a",), 5.0, 0, T0 + 9 * SECOND)
    assert len(kept) == 4, "the floor holds over a resumption"
    loaded.put_named("gauge", ("a",), 6.0, 0, T0 + 13 * SECOND)
    assert kept[-1].batch == kept[-2].batch + 1 and isinstance(kept[-1], Row) and kept[-1].value == 6.0


def test_only_a_recorded_snapshot_keeps_notes() -> None:
    kept: list[Record] = []
    for known in (Snapshot(CATALOGUE), partial(RecordedSnapshot, recorder=Recorder(kept.append))(CATALOGUE)):
        known.note(T0, MarkKind.FILL, {"venue": "paper"})
    assert kept == [Mark(T0, 1, MarkKind.FILL, {"venue": "paper"})]
