"""A window slid over whole columns holds at every point what the snapshot's own window holds."""

from __future__ import annotations

from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.model.history import MarkKind, Row
from engine.model.samples import InputRef, SignalKind, SignalSpec, Status, Unit
from engine.model.time import SECOND
from engine.workbench.fast_arrays import numpy
from engine.workbench.fast_follow import Score, follow
from engine.workbench.fast_inputs import beside
from engine.workbench.fast_windows import READS, Samples, slide
from engine.workbench.history_memory import column_of
from tests.workbench.fast_world import BEGIN, CATALOGUE, draw_world


def told(ats: list[int], batches: list[int], values: list[Any], statuses: list[int]) -> list[tuple[Any, ...]]:
    """Return (at, batch, value or None, status) wherever value or status changes; the first is what was before."""
    found: list[tuple[Any, ...]] = []
    for at, batch, value, status in zip(ats, batches, values, statuses, strict=True):
        now = (None if status else value, status)
        if not found or found[-1][2:] != now:
            found.append((at, batch, *now) if found else (0, 0, *now))
    return found


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 1 << 32), reads=st.sampled_from(READS), window=st.sampled_from([4, 10, 30]))
def test_a_window_over_columns_is_the_window_of_the_snapshot(seed: int, reads: str, window: int) -> None:
    draw = Random(seed)
    history = draw_world(draw, rules=1, steps=60, pauses=False).history
    marks = list(history.marks())
    rows = [
        one for one in history.records()
        if isinstance(one, Row) and one.signal == "a" and not any(
            mark.kind is MarkKind.GAP and mark.at < one.at for mark in marks
        )
    ]
    woken = beside(iter(marks)).woken
    begin = draw.randrange(BEGIN, history.header.last_at + 1)
    stretch = (begin, draw.randrange(begin, history.header.last_at + 1) + 1)
    ref, spec = InputRef(reads=reads, signal="a", window=window * SECOND), CATALOGUE.specs["a"]
    reach = begin - ref.window - 1
    early, late = [row for row in rows if row.at < reach], [row for row in rows if reach <= row.at < stretch[1]]
    column = column_of(late)
    before = early[-1].status if early else int(Status.MISSING)
    samples = Samples(at=column.at, batch=column.batch, value=column.value, status=column.status, before=before)
    slid = slide(ref, spec, samples, dict(reversed(woken)), stretch)
    assert slid is not None
    score = Score(
        specs=(spec,), rows=[row for row in rows if row.at < stretch[1]], births={(ref, ()): (-1, -1)}, marks=[],
        woken=woken,
    )
    played = follow(score, [(ref, ())], stretch)[ref, ()]
    assert told(slid.at.tolist(), slid.batch.tolist(), slid.value.tolist(), slid.status.tolist()) == told(
        played.ats, played.batches, played.values, played.statuses
    )


def test_numbers_too_large_for_floats_are_left_to_whole_numbers() -> None:
    np = numpy()
    samples = Samples(
        at=np.array([BEGIN]), batch=np.array([1]), value=np.array([1e15]), status=np.zeros(1, np.uint8), before=0,
    )
    ref = InputRef(reads="sum_over", signal="a", window=SECOND)
    fine = SignalSpec(name="a", kind=SignalKind.GAUGE, unit=Unit.NONE, summary="a", resolution=1e-9)
    assert slide(ref, fine, samples, {}, (BEGIN, BEGIN + SECOND)) is None
