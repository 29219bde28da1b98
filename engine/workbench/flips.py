"""What would have to change: the least change of one reading that turns a condition, part by part.

A comparison turns where its sides meet; its measured side is solved for one reading at a
time (through + - * /, abs, min, max, pct, bps), all else staying as it is. Where that cannot
be done, values ever farther away are tried and the edge is halved down. What is found is
evaluated before it is said, so that it holds whatever the structure was.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from engine.model.samples import SignalSpec, Unit
from engine.ruleset.intervals import Interval, input_interval
from engine.ruleset.kleene import SCALES, Value
from engine.ruleset.program import Condition, Program
from engine.ruleset.trace import Evaluator
from engine.signals.catalogue import Catalogue

_NUDGES = (0.0, 2e-9, 1e-6, 1e-3)
"""How far beyond an edge to look, relative to it: comparisons with constants are a hair wider than they read."""
_STEPS = 160
_HALVINGS = 80
_FARTHER = 24

_Holds = Callable[[float], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Flip:
    """One reading, or one `held(...)`, and the value at which the part turns."""

    place: int
    """Of the input in the rule's program; of the held condition where `held`."""
    held: bool
    now: Value
    """The value now; Unknown where nobody knows."""
    to: float | bool | str
    """A value with which the part was evaluated and had turned."""
    edge: float | None
    """Where the sides meet; None for words, switches and edges that were only searched."""
    size: float
    """How large the change is, from 0 to 1, relative to the larger of the two values."""
    beyond: int = 0
    """1 where every larger value that was tried turns it too, -1 where every smaller one does, else 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One condition with what it reads now: everything a flip is looked for in."""

    condition: Condition
    evaluator: Evaluator
    program: Program
    catalogue: Catalogue
    inputs: Sequence[Value]
    held: Sequence[Value]
    last: Sequence[Value]
    """The last believable value of each input, where there was one: what a change is measured from."""

    def value(self, node: ast.expr) -> Value:
        """Return what `node` is now."""
        return self.turned(node, self.inputs, self.held)

    def turned(self, node: ast.expr, inputs: Sequence[Value], held: Sequence[Value]) -> Value:
        """Return what `node` would be with other readings."""
        self.evaluator.value(inputs, held)
        return self.evaluator.seen[id(node)]


def flips(look: Look, node: ast.expr, wanted: bool) -> tuple[Flip, ...]:
    """Return the least change of each single reading that makes `node` `wanted`, the smallest first; none if none."""
    names = {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}
    found: list[Flip] = []
    for name, place in look.condition.inputs.items():
        if name in names:
            flip = _of_input(look, node, name, place, wanted)
            found += [flip] if flip is not None else []
    for name, place in look.condition.held.items():
        if name in names:
            now = look.held[place]
            to = now is not True
            if look.turned(node, look.inputs, [*look.held[:place], to, *look.held[place + 1:]]) is wanted:
                found.append(Flip(place=place, held=True, now=now, to=to, edge=None, size=1.0))
    return tuple(sorted(found, key=lambda one: (one.held, one.size, one.place)))


def _of_input(look: Look, node: ast.expr, name: str, place: int, wanted: bool) -> Flip | None:
    ref = look.program.refs[place]
    spec = look.catalogue.specs[ref.signal]
    now, last = look.inputs[place], look.last[place]

    def holds(value: float | bool | str) -> bool:
        inputs = [*look.inputs[:place], value, *look.inputs[place + 1:]]
        return look.turned(node, inputs, look.held) is wanted

    if ref.reads in ("absent", "fresh") or (ref.reads == "value" and spec.unit in (Unit.BOOL, Unit.ENUM)):
        words = spec.values if spec.unit is Unit.ENUM and ref.reads == "value" else (True, False)
        other = next((word for word in words if word != now and holds(word)), None)
        return None if other is None else Flip(place=place, held=False, now=now, to=other, edge=None, size=1.0)
    start = last if isinstance(last, float) else None
    within = input_interval(ref, spec)
    edges = sorted(set(_edges(look, node, name)), key=lambda edge: abs(edge - (start or 0.0)))
    found: tuple[float, float | None] | None = _nearest(edges, start, within, _grid(ref.reads, spec), holds)
    if found is None and start is not None and _tangled(node, name):
        searched = _searched(start, within, holds)
        found = None if searched is None else (searched, None)
    if found is None:
        return None
    to, edge = found
    ways = (1, -1) if start is None else (1,) if to > start else (-1,)
    beyond = next((way for way in ways if all(holds(value) for value in _farther(to, way, within))), 0)
    return Flip(place=place, held=False, now=now, to=to, edge=edge, size=_size(start, to), beyond=beyond)


def _farther(to: float, way: int, within: Interval) -> Iterator[float]:
    """Yield values beyond `to`, up to the end of what the reading can be."""
    end = within.high if way > 0 else within.low
    step = max(abs(to), 1.0) * 1e-3
    for _ in range(_FARTHER):
        if step >= abs(end - to):
            break
        yield to + way * step
        step *= 4
    yield end


def _grid(reads: str, spec: SignalSpec) -> float:
    """Return the step of a reading: counts come in ones, a signal on its resolution; 0 for no step worth keeping to."""
    if reads == "count_over" or (reads == "value" and spec.resolution >= 1):
        return 1.0
    return 0.0


def _size(start: float | None, to: float) -> float:
    if start is None:
        return 1.0
    largest = max(abs(start), abs(to))
    return min(1.0, abs(to - start) / largest) if largest else 0.0


def _nearest(
    edges: Sequence[float], start: float | None, within: Interval, grid: float, holds: _Holds
) -> tuple[float, float] | None:
    """Return (value, edge) of the nearest value at or beyond one of `edges` that holds."""
    tried: list[tuple[float, float]] = []
    for edge in edges:
        steps = [nudge * max(1.0, abs(edge)) for nudge in _NUDGES]
        values = {edge + sign * step for step in steps for sign in (1, -1)}
        if grid:
            values = {math.floor(edge) + step * grid for step in (-1, 0, 1, 2)}
        tried += [(value, edge) for value in values if within.low <= value <= within.high]
    for value, edge in sorted(tried, key=lambda one: (abs(one[0] - (one[1] if start is None else start)), one[0])):
        if value != start and holds(value):
            return value, edge
    return None


def _searched(start: float, within: Interval, holds: _Holds) -> float | None:
    """Return the nearest value found by looking ever farther away on both sides, and then between."""
    found: list[float] = []
    for sign, end in ((1, within.high), (-1, within.low)):
        before, step = start, max(abs(start), 1.0) * 1e-6
        for _ in range(_STEPS):
            value = min(start + step, end) if sign > 0 else max(start - step, end)
            if holds(value):
                found.append(_halved(before, value, holds))
                break
            if value == end:
                break
            before, step = value, step * 1.3
    return min(found, key=lambda value: abs(value - start), default=None)


def _halved(out: float, inside: float, holds: _Holds) -> float:
    for _ in range(_HALVINGS):
        middle = (out + inside) / 2
        if middle in (out, inside):
            break
        out, inside = (out, middle) if holds(middle) else (middle, inside)
    return inside


def _edges(look: Look, node: ast.expr, name: str) -> Iterator[float]:
    """Yield the values of input `name` at which the sides of a comparison in `node` meet, all else as it is."""
    look.value(node)
    seen = dict(look.evaluator.seen)
    for compare in ast.walk(node):
        if not isinstance(compare, ast.Compare):
            continue
        for left, right in pairwise((compare.left, *compare.comparators)):
            for side, other in ((left, right), (right, left)):
                level = seen.get(id(other))
                if isinstance(level, float) and not _reads(other, name):
                    yield from (edge for edge in _solved(side, level, name, seen) if math.isfinite(edge))


def _tangled(node: ast.expr, name: str) -> bool:
    """Whether a comparison or a sum has the reading on more than one side, so that it cannot be solved for it."""
    for part in ast.walk(node):
        if isinstance(part, ast.Compare | ast.BinOp | ast.Call):
            sides = [one for one in ast.iter_child_nodes(part) if isinstance(one, ast.expr)]
            if sum(_reads(side, name) for side in sides) > 1:
                return True
    return False


def _reads(node: ast.expr, name: str) -> bool:
    return any(isinstance(one, ast.Name) and one.id == name for one in ast.walk(node))


def _solved(node: ast.expr, level: float, name: str, seen: dict[int, Value]) -> Iterator[float]:
    """Yield the values of `name` with which arithmetic `node` comes to `level`."""
    match node:
        case ast.Name(id=found) if found == name:
            yield level
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            yield from _solved(operand, -level, name, seen)
        case ast.BinOp(left=left, op=operator, right=right):
            for side, other, first in ((left, right, True), (right, left, False)):
                known = seen.get(id(other))
                if isinstance(operator, ast.Div) and not first:
                    yield from _solved(side, 0.0, name, seen)
                if _reads(side, name) and not _reads(other, name) and isinstance(known, float):
                    yield from (
                        edge for needed in _undone(operator, known, level, first)
                        for edge in _solved(side, needed, name, seen)
                    )
        case ast.IfExp(body=body, orelse=orelse):
            yield from _solved(body, level, name, seen)
            yield from _solved(orelse, level, name, seen)
        case ast.Call(func=ast.Name(id="abs"), args=[argument]) if level >= 0:
            yield from _solved(argument, level, name, seen)
            yield from _solved(argument, -level, name, seen)
        case ast.Call(func=ast.Name(id=function), args=arguments) if function != "abs":
            for argument in arguments:
                yield from _solved(argument, level / SCALES.get(function, 1.0), name, seen)


def _undone(operator: ast.operator, other: float, level: float, first: bool) -> Iterator[float]:
    """Yield what one side of an operation must be for the whole to be `level`; `first` says it is the left one."""
    match operator:
        case ast.Add():
            yield level - other
        case ast.Sub():
            yield level + other if first else other - level
        case ast.Mult() if other:
            yield level / other
        case ast.Div() if first:
            yield level * other
        case ast.Div() if level:
            yield other / level


def parts(node: ast.expr, depth: int = 0) -> Iterator[tuple[ast.expr, int]]:
    """Yield `node` and every part of it that is itself a condition, outermost first, with its depth."""
    yield node, depth
    match node:
        case ast.BoolOp(values=values):
            for value in values:
                yield from parts(value, depth + 1)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield from parts(operand, depth + 1)
        case ast.IfExp(test=test, body=body, orelse=orelse):
            for value in (test, body, orelse):
                yield from parts(value, depth + 1)

