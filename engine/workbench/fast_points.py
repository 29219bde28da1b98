"""Where the inputs of a rule change: rows of several series laid side by side, in the order of happening.

A point is an instant at which something was settled: a batch, or what time alone changed
(a window, an age) where no batch was, which has the batch ALONE. What is settled ALONE, or
in a wake-up's batch, comes before rule timers due at the same instant; an event's comes
after them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.workbench.fast_arrays import Array, numpy

ALONE = -1


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Readings:
    """One input over a stretch: place 0 is what held before it, each other one a point at which it was heard anew.

    `at` in ns; of place 0 `at` and `batch` mean nothing. Values are floats, bools or codes of words.
    """

    at: Array
    batch: Array
    value: Array
    status: Array


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Grid:
    """Several inputs over one stretch: the points at which any was heard, and where each then stood."""

    at: Array
    batch: Array
    early: Array
    """Whether the point comes before rule timers due at its instant."""
    places: tuple[Array | None, ...]
    """Per input, at each point, which of its readings holds; None where it is simply the same one."""

    def __len__(self) -> int:
        return len(self.at)


def lay_side_by_side(inputs: Sequence[Readings], woken: Array) -> Grid:
    """Return the grid of `inputs`; `woken` are the batches of wake-ups, sorted. Place 0 is before the stretch."""
    np = numpy()
    first = inputs[0]
    if all(one.batch is first.batch or _alike(one, first) for one in inputs[1:]):
        return Grid(at=first.at, batch=first.batch, early=_early(first.batch, woken), places=(None,) * len(inputs))
    batch, at = _union([one.batch[1:] for one in inputs], [one.at[1:] for one in inputs])
    rows = np.flatnonzero(batch != ALONE)
    alone = np.flatnonzero(batch == ALONE)
    order = _order(at[rows], at[alone])
    merged = np.concatenate([rows, alone])[order]
    at, batch = at[merged], batch[merged]
    # The rank of a point tells the order even where batches cannot: what is ALONE has none.
    places = tuple(_places(one, at, batch) for one in inputs)
    start = np.zeros(1, np.int64)
    return Grid(
        at=np.concatenate([start, at]), batch=np.concatenate([start, batch]),
        early=np.concatenate([start.astype(bool), _early(batch, woken)]),
        places=tuple(np.concatenate([start, one]) for one in places),
    )


def _alike(one: Readings, other: Readings) -> bool:
    np = numpy()
    return len(one.batch) == len(other.batch) and bool(
        np.array_equal(one.batch[1:], other.batch[1:]) and np.array_equal(one.at[1:], other.at[1:])
    )


def _early(batch: Array, woken: Array) -> Array:
    np = numpy()
    alone = batch == ALONE
    if not len(woken):
        return alone
    return np.logical_or(alone, np.isin(batch, woken))


def _union(batches: Sequence[Array], ats: Sequence[Array]) -> tuple[Array, Array]:
    """Return each (batch, at) once: batches in order, then by instant what is ALONE."""
    np = numpy()
    batch, at = np.concatenate(batches), np.concatenate(ats)
    rows = batch != ALONE
    numbers, firsts = np.unique(batch[rows], return_index=True)
    alone = np.unique(at[~rows])
    return (
        np.concatenate([numbers, np.full(len(alone), ALONE)]), np.concatenate([at[rows][firsts], alone]),
    )


def _order(rows_at: Array, alone_at: Array) -> Array:
    """Return the order of rows then of what is ALONE: the latter before the first row that is not earlier."""
    np = numpy()
    ranks = np.arange(len(rows_at)) * 2 + 1
    between = np.searchsorted(rows_at, alone_at, side="left") * 2
    return np.lexsort((np.concatenate([rows_at, alone_at]), np.concatenate([ranks, between])))


def _places(one: Readings, at: Array, batch: Array) -> Array:
    """Return which reading of `one` holds at each point of the union that it is part of."""
    np = numpy()
    heard = np.zeros(len(at), bool)
    rows = one.batch[1:] != ALONE
    whole = np.flatnonzero(batch != ALONE)
    heard[whole[np.searchsorted(batch[whole], one.batch[1:][rows])]] = True
    alone = np.flatnonzero(batch == ALONE)
    heard[alone[np.searchsorted(at[alone], one.at[1:][~rows])]] = True
    return np.cumsum(heard)


def last_of_batch(batch: Array) -> Array:
    """Return the places of the last row of each batch: rules see no part of one."""
    np = numpy()
    if not len(batch):
        return np.zeros(0, np.int64)
    return np.flatnonzero(np.append(batch[1:] != batch[:-1], True))


def changes(columns: Sequence[Array]) -> Array:
    """Return the places, 0 left out, at which any of `columns` differs from the place before."""
    np = numpy()
    if len(columns) == 1:
        return np.flatnonzero(columns[0][1:] != columns[0][:-1]) + 1
    found = columns[0][1:] != columns[0][:-1]
    for column in columns[1:]:
        found = np.logical_or(found, column[1:] != column[:-1])
    return np.flatnonzero(found) + 1


def in_order(rows_at: Array, rows_batch: Array, timers: Array, timers_batch: Array) -> Array:
    """Return the places of rows, then timers, in the order of happening; a timer that rang in a row's batch is it."""
    np = numpy()
    order = _order(rows_at, timers)
    apart = np.logical_not(np.isin(timers_batch, rows_batch[rows_batch != ALONE]))
    kept = np.concatenate([np.ones(len(rows_at), bool), np.logical_or(timers_batch == ALONE, apart)])
    return order[kept[order]]
