"""History thinned to what matters to one instance: the points at which something it asks has another answer.

Asked are the parts of its conditions that hold no `held(...)`, and whether each input is
believed. Between two points all of these answer alike, whatever the inputs do, so the
rule stands where it stood, and time alone moves it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from engine.model.flags import FlagValue
from engine.model.samples import Unit
from engine.ruleset.compiled import CompiledRule
from engine.ruleset.intervals import input_interval
from engine.ruleset.program import Condition
from engine.signals.catalogue import Catalogue
from engine.workbench.fast_arrays import Array, numpy
from engine.workbench.fast_inputs import ALWAYS, Birth, Bound, Inputs
from engine.workbench.fast_kleene import (
    FIRST_INPUT,
    MOST_INPUTS,
    Column,
    Frame,
    Nature,
    Unvectorised,
    evaluate,
    nature_of,
    truth,
)
from engine.workbench.fast_points import Grid, Readings, changes, lay_side_by_side


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A part of a condition that inputs alone answer. `names` are its inputs' names and their places in the rule."""

    tree: ast.expr
    names: Mapping[str, int]
    nature: Nature


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One instance: which rule of the ruling, and what it reads, since when it is there."""

    rule: int
    labels: tuple[str, ...]
    inputs: tuple[Bound, ...]
    birth: Birth
    watched: tuple[Birth, ...]
    """Of each input, since when any instance reads it."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Thinned:
    """What is left of a stretch: its points, and every input's value and status at each. `first` is what was before."""

    at: Array
    batch: Array
    early: Array
    values: tuple[Array, ...]
    statuses: tuple[Array, ...]
    first: tuple[tuple[object, int], ...]
    rows: int
    """How many points there were."""
    since: tuple[int | None, ...] = ()
    """Of each input, when it last fell into doubt (ns) while others read it and the instance was not there yet."""


def questions(compiled: CompiledRule, catalogue: Catalogue, flags: Mapping[str, FlagValue]) -> tuple[Question, ...]:
    """Return what is asked of the inputs; Unvectorised, saying why, where columns cannot answer."""
    if len(compiled.program.refs) > MOST_INPUTS - FIRST_INPUT:
        raise Unvectorised(f"it reads more than {MOST_INPUTS - FIRST_INPUT} inputs")
    found: list[Question] = []
    for condition in compiled.program.conditions():
        names = dict(condition.inputs)
        ranges = {}
        for number, ref in enumerate(condition.expression.inputs):
            spec = catalogue.specs[ref.signal]
            if ref.reads in ("absent", "fresh") or (ref.reads == "value" and spec.unit in (Unit.BOOL, Unit.ENUM)):
                continue
            ranges[f"i{number}"] = input_interval(ref, spec)
        own = {name: flags[name] for name in condition.expression.flags}
        for part in _parts(condition.expression.tree, condition):
            found.append(Question(tree=part, names=names, nature=nature_of(part, own, ranges)))
    return tuple(found)


def _parts(node: ast.expr, condition: Condition) -> Iterator[ast.expr]:
    """Yield the largest parts of a condition that read no held condition."""
    named = {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}
    if not named & set(condition.held):
        yield node
        return
    match node:
        case ast.Name():
            return
        case ast.BoolOp(values=values):
            for value in values:
                yield from _parts(value, condition)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield from _parts(operand, condition)
        case ast.IfExp(test=test, body=body, orelse=orelse):
            for one in (test, body, orelse):
                yield from _parts(one, condition)
        case _:
            raise Unvectorised("held(...) stands inside a comparison")


@dataclass(frozen=True, slots=True, eq=False)
class _Laid:
    """Inputs at every point of a grid; `doubtful` are the points at which any is in doubt."""

    grid: Grid
    columns: tuple[Array, ...]
    statuses: tuple[Array, ...]
    doubtful: Array
    turns: Array
    """Where the status of any changes."""


class Thinner:
    """Thins stretches for the instances of `rules`, each with its questions."""

    def __init__(self, asked: Sequence[tuple[Question, ...]], inputs: Inputs, words: dict[str, int]) -> None:
        self._asked, self._inputs, self._words = asked, inputs, words
        self._grids: dict[tuple[Bound, ...], tuple[Grid, tuple[Readings, ...]]] = {}
        self._laid: dict[int, _Laid] = {}
        """By the identity of the grid, which it holds."""

    def turn_to(self, begin: int, end: int) -> None:
        """Thin [begin, end) from now on."""
        self._stretch = (begin, end)
        self._inputs.turn_to(begin, end)
        self._grids.clear()
        self._laid.clear()

    def thin(self, wanted: Wanted) -> Thinned:
        """Return what is left of the stretch for one instance."""
        np = numpy()
        grid, readings = self._grid(wanted.inputs)
        begin, end = self._stretch
        born_here = wanted.birth != ALWAYS and begin <= wanted.birth[0] < end
        born = np.flatnonzero(grid.batch == (wanted.birth[1] if born_here else -2))
        if born_here and not len(born):
            # It came up by another signal than those it reads.
            grid = self._with_birth(wanted, readings)
            born = np.flatnonzero(grid.batch == wanted.birth[1])
        laid = self._lay(readings, grid)
        kept = self._turns(wanted, laid, len(grid))
        since: tuple[int | None, ...] = ()
        if born_here:
            place = int(born[-1])
            since = self._since(wanted, laid, place)
            kept = np.union1d(kept[kept > place], [place])
        elif wanted.birth != ALWAYS and wanted.birth[0] >= end:
            since = self._since(wanted, laid, len(grid))
            kept = kept[:0]
        return Thinned(
            at=grid.at[kept], batch=grid.batch[kept], early=grid.early[kept],
            values=tuple(column[kept] for column in laid.columns),
            statuses=tuple(status[kept] for status in laid.statuses),
            first=tuple((one.value[0].item(), int(one.status[0])) for one in readings), rows=len(grid) - 1,
            since=since,
        )

    def _since(self, wanted: Wanted, laid: _Laid, until: int) -> tuple[int | None, ...]:
        """Return of each input when it last fell into doubt before the place `until`, while others read it."""
        np = numpy()
        if all(watched == wanted.birth for watched in wanted.watched):
            return ()
        found: list[int | None] = []
        at, batch = laid.grid.at[1:until], laid.grid.batch[1:until]
        for status, watched in zip(laid.statuses, wanted.watched, strict=True):
            doubt = status[:until] != 0
            fell = np.logical_and(doubt[1:], np.logical_not(doubt[:-1]))
            after = np.logical_or(at > watched[0], np.logical_and(at == watched[0], batch > watched[1]))
            places = np.flatnonzero(np.logical_and(fell, after))
            found.append(int(at[places[-1]]) if len(places) else None)
        return tuple(found)

    def _grid(self, bounds: tuple[Bound, ...]) -> tuple[Grid, tuple[Readings, ...]]:
        found = self._grids.get(bounds)
        if found is None:
            readings = tuple(self._inputs.of(bound) for bound in bounds)
            found = self._grids[bounds] = (lay_side_by_side(readings, self._inputs.woken), readings)
        return found

    def _lay(self, readings: tuple[Readings, ...], grid: Grid) -> _Laid:
        """Return the inputs at every point, and where any is in doubt: the same for all rules that read them."""
        found = self._laid.get(id(grid))
        if found is None:
            np = numpy()
            columns = tuple(_at(one.value, place) for one, place in zip(readings, grid.places, strict=True))
            statuses = tuple(_at(one.status, place) for one, place in zip(readings, grid.places, strict=True))
            uncertain = [status for status in statuses if status.any()]
            nowhere = np.zeros(0, np.int64)
            doubtful = np.flatnonzero(np.any(np.stack(uncertain), axis=0)) if uncertain else nowhere
            turns = changes(uncertain) if uncertain else nowhere
            found = self._laid[id(grid)] = _Laid(grid, columns, statuses, doubtful, turns)
        return found

    def _with_birth(self, wanted: Wanted, readings: tuple[Readings, ...]) -> Grid:
        """Return the grid with a point where the instance came up, whether or not an input was heard then."""
        np = numpy()
        birth = Readings(
            at=np.array([0, wanted.birth[0]]), batch=np.array([0, wanted.birth[1]]),
            value=np.zeros(2), status=np.zeros(2, np.uint8),
        )
        grid = lay_side_by_side((*readings, birth), self._inputs.woken)
        return Grid(at=grid.at, batch=grid.batch, early=grid.early, places=grid.places[:-1])

    def _turns(self, wanted: Wanted, laid: _Laid, length: int) -> Array:
        """Return the places, 0 left out, at which an answer, or what is in doubt, is another than just before."""
        np = numpy()
        told: list[Array] = []
        reasons: list[Array] = [laid.turns]
        words = [
            bound[0].reads == "value" and column.dtype == np.int64
            for bound, column in zip(wanted.inputs, laid.columns, strict=True)
        ]
        doubtful = laid.doubtful
        hurt = [column[doubtful] for column in laid.columns]
        doubts = [_bit(place, status[doubtful]) for place, status in enumerate(laid.statuses)]
        for question in self._asked[wanted.rule]:
            names = question.names.items()
            whole = {name: Column(laid.columns[place], 0, words[place]) for name, place in names}
            answer, why = self._ask(question, whole, length)
            if why is not None:
                reasons.append(changes([why]))
            if len(doubtful):
                # Few points are in doubt, and asking again about those costs less than doubting everywhere.
                parts = {name: Column(hurt[place], doubts[place], words[place]) for name, place in names}
                again, why = self._ask(question, parts, len(doubtful))
                answer = answer.copy()
                answer[doubtful] = again
                if why is not None:
                    reasons.append(doubtful[changes([why])])
            told.append(answer)
        if told:
            reasons.append(changes(told))
        found = [one for one in reasons if len(one)]
        return np.unique(np.concatenate(found)) if found else laid.turns

    def _ask(self, question: Question, columns: Mapping[str, Column], length: int) -> tuple[Array, Array | None]:
        frame = Frame(columns, question.nature, self._words)
        return truth(evaluate(question.tree, frame), length)


def _bit(place: int, status: Array) -> Array:
    np = numpy()
    return np.where(status != 0, np.int64(1 << (FIRST_INPUT + place)), np.int64(0))


def _at(values: Array, places: Array | None) -> Array:
    return values if places is None else values[places]
