"""Windows over gauges and states as columns: average, sum, count and increase, in integer units of the resolution.

They change where a sample comes, where one leaves, and where the coverage turns over; the
last is found by `signals.coverage` itself, which has to be asked only about spells of
doubt. What else may be asked of a window is left to whoever plays it sample by sample.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine.model.samples import InputRef, SignalKind, SignalSpec, Status, Unit
from engine.signals.coverage import Coverage
from engine.workbench.fast_arrays import Array, numpy
from engine.workbench.fast_points import ALONE, Readings, in_order

READS = ("avg_over", "sum_over", "count_over", "increase_over")
_EXACT = 2**53
"""Whole numbers below this are exact as floats, and so is the rounding of their quotient."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Samples:
    """Rows of one series from long enough before a stretch, and the status that held before them."""

    at: Array
    batch: Array
    value: Array
    status: Array
    before: int


def slides(ref: InputRef, spec: SignalSpec) -> bool:
    """Whether the window of `ref` is one of those that are here."""
    numeric = spec.unit not in (Unit.BOOL, Unit.ENUM)
    return (
        ref.reads in READS and numeric and spec.kind in (SignalKind.GAUGE, SignalKind.STATE) and spec.resolution <= 1
    )


def slide(
    ref: InputRef, spec: SignalSpec, samples: Samples, woken: Mapping[int, int], stretch: tuple[int, int]
) -> Readings | None:
    """Return the readings of a window over a stretch, or None where its numbers are too large for floats.

    `woken` are the batches of wake-ups by their instants. The window was kept since
    before the first of `samples`, which reach back by its span and more.
    """
    np = numpy()
    begin, end = stretch
    span = ref.window
    factor = round(1 / spec.resolution)
    good = samples.status == 0
    good_at = samples.at[good]
    units = np.rint(samples.value[good] * factor)
    if len(units) and (np.abs(units).max() + 1) * (len(units) + 1) >= _EXACT or factor * (len(units) + 1) >= _EXACT:
        return None
    if _wakes(samples, good, woken):
        return None
    turns = _turns(samples, span, round(ref.coverage * span), begin - 1, end)
    rows = np.flatnonzero(np.append(samples.batch[1:] != samples.batch[:-1], True)) if len(samples.at) else good_at
    rows = rows[samples.at[rows] >= begin]
    timers = np.unique(np.concatenate([good_at + span, np.array([at for at, _ in turns], np.int64)]))
    timers = timers[(timers >= begin) & (timers < end)]
    at = np.concatenate([samples.at[rows], timers])
    rung = np.array([woken.get(one, ALONE) for one in timers.tolist()], np.int64)
    batch = np.concatenate([samples.batch[rows], rung])
    sums = np.concatenate([np.zeros(1), np.cumsum(units)])
    before = np.searchsorted(samples.at, timers, side="left")
    counts = np.concatenate([np.zeros(1, np.int64), np.cumsum(good)])
    heard = np.concatenate([counts[rows + 1], counts[before]])
    all_status = np.concatenate([np.array([samples.before], np.uint8), samples.status])
    standing = np.concatenate([all_status[rows + 1], all_status[before]])
    order = in_order(samples.at[rows], samples.batch[rows], timers, rung)
    at, batch, heard, standing = at[order], batch[order], heard[order], standing[order]
    # In front of them all: how it stood when the stretch began.
    first = int(np.searchsorted(samples.at, begin, side="left"))
    at = np.concatenate([np.array([begin - 1]), at])
    heard = np.concatenate([counts[first:first + 1], heard])
    standing = np.concatenate([all_status[first:first + 1], standing])
    gone = np.searchsorted(good_at, at - span, side="right")
    value, empty = _values(ref.reads, units, sums, np.minimum(gone, heard), heard, factor)
    covered = _holds(turns, at)
    status = np.where(covered, empty, np.where(standing != 0, standing, np.uint8(Status.NO_COVERAGE)))
    return Readings(
        at=at, batch=np.concatenate([np.zeros(1, np.int64), batch]), value=value, status=status.astype(np.uint8),
    )


def _wakes(samples: Samples, good: Array, woken: Mapping[int, int]) -> bool:
    """Whether a sample came with a wake-up: then what leaves at that instant leaves together with it."""
    np = numpy()
    return bool(woken) and bool(np.isin(samples.batch[good], np.array(list(woken.values()))).any())


def _turns(samples: Samples, span: int, need: int, start: int, end: int) -> Sequence[tuple[int, bool]]:
    """Return (at, whether enough is known) from `start` (ns) on, at each change; the first is what holds then."""
    np = numpy()
    known = np.concatenate([np.array([samples.before == 0]), samples.status == 0])
    places = np.flatnonzero(known[1:] != known[:-1])
    spells = list(zip(samples.at[places].tolist(), known[places + 1].tolist(), strict=True))
    coverage = Coverage(span)
    if known[0]:
        coverage.turn(True, start - span - 1)
    found: list[tuple[int, bool]] = []
    at, enough = start, False
    for happens, becomes in [*spells, (end, None)]:
        while at < happens and happens > start:
            at = max(at, start)
            now = coverage.covered(at) >= need
            if not found or now is not enough:
                found.append((at, now))
                enough = now
            due = coverage.turns_over(at, need)
            if due is None or due > happens:
                break
            at = due
        if becomes is None:
            break
        if happens >= start and found:
            now = coverage.covered(happens) >= need
            if now is not enough:
                found.append((happens, now))
                enough = now
        coverage.turn(bool(becomes), happens)
        at = max(at, happens)
    return found or [(start, enough)]


def _holds(turns: Sequence[tuple[int, bool]], at: Array) -> Array:
    """Return whether enough is known at each instant of `at`."""
    np = numpy()
    places = np.searchsorted(np.array([one for one, _ in turns]), at, side="right") - 1
    return np.array([holds for _, holds in turns], bool)[np.maximum(places, 0)]


def _values(  # noqa: PLR0913 - a window, from sample to sample
    reads: str, units: Array, sums: Array, gone: Array, heard: Array, factor: int
) -> tuple[Array, Array]:
    """Return values and statuses over the samples from place `gone` to before `heard`, at each point."""
    np = numpy()
    count = heard - gone
    fine = np.zeros(len(count), np.uint8)
    empty = np.where(count == 0, np.uint8(Status.NO_SAMPLES), fine)
    if reads == "count_over":
        return count.astype(np.float64), fine
    total = sums[heard] - sums[gone]
    if reads == "sum_over":
        return total / factor, fine
    if reads == "avg_over":
        return total / (factor * np.maximum(count, 1)), empty
    padded = np.concatenate([units, np.zeros(1)])
    first, last = padded[np.minimum(gone, len(units))], padded[np.maximum(heard - 1, 0)]
    return np.where(count > 0, last - first, 0.0) / factor, empty
