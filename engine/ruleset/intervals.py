"""Which values an expression can take, as far as the ranges of its inputs tell.

One question is answered here: can this arithmetic overflow? Where the answer is no, the
generated function need not look. A division overflows only by a divisor next to zero, so
looking at the divisor is enough, and cheaper. Rounding is monotone, so the end points of an interval,
computed in floats, bound every result computed in floats.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping
from dataclasses import dataclass

from engine.model.samples import LARGEST, InputRef, SignalSpec
from engine.ruleset.kleene import SCALES


@dataclass(frozen=True, slots=True)
class Interval:
    """All finite floats from `low` to `high`."""

    low: float
    high: float

    def excludes_zero(self) -> bool:
        """Whether dividing by it is always defined."""
        return self.low > 0 or self.high < 0


LEAST_DIVISOR = 1e-200
"""A generated function does not divide by what is nearer to zero than this; the Kleene evaluator does."""

ANY_SUM = Interval(-LARGEST * LARGEST, LARGEST * LARGEST)
"""No window holds more than 1e15 samples, none of them larger than 1e15."""
ANY_COUNT = Interval(0.0, LARGEST)
CONDITION = Interval(0.0, 1.0)


def input_interval(ref: InputRef, spec: SignalSpec) -> Interval:
    """Return the values that input `ref` of signal `spec` can have while its status is OK."""
    if ref.reads in ("value", "min_over", "max_over"):
        return Interval(spec.low, spec.high)
    if ref.reads in ("avg_over", "quantile_over"):
        # On the grid of the signal's resolution a mean may round to zero and past an end.
        edge = spec.resolution
        return Interval(min(spec.low - edge, 0.0), max(spec.high + edge, 0.0))
    if ref.reads in ("count_over", "age"):
        return ANY_COUNT
    return CONDITION if ref.reads in ("absent", "fresh") else ANY_SUM


def interval_of(node: ast.expr, names: Mapping[str, Interval]) -> Interval | None:
    """Return the interval of arithmetic `node`; None if it may overflow or is no number.

    A division counts as guarded: its divisor is not nearer to zero than LEAST_DIVISOR.
    """
    match node:
        case ast.Constant(value=bool() | str()):
            return None
        case ast.Constant(value=int() | float() as value):
            return Interval(float(value), float(value))
        case ast.Name(id=name):
            return names.get(name)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            inner = interval_of(operand, names)
            return None if inner is None else Interval(-inner.high, -inner.low)
        case ast.BinOp(left=left, op=operator, right=right):
            return _combined(operator, interval_of(left, names), interval_of(right, names))
        case ast.IfExp(body=body, orelse=orelse):
            return _hull([interval_of(body, names), interval_of(orelse, names)])
        case ast.Call(func=ast.Name(id=name), args=arguments):
            return _called(name, [interval_of(argument, names) for argument in arguments])
    return None


def _combined(operator: ast.operator, left: Interval | None, right: Interval | None) -> Interval | None:
    if left is None or right is None:
        return None
    match operator:
        case ast.Add():
            return _finite(left.low + right.low, left.high + right.high)
        case ast.Sub():
            return _finite(left.low - right.high, left.high - right.low)
        case ast.Mult():
            corners = [a * b for a in (left.low, left.high) for b in (right.low, right.high)]
            return _finite(min(corners), max(corners))
        case ast.Div() if right.excludes_zero():
            corners = [a / b for a in (left.low, left.high) for b in (right.low, right.high)]
            return _finite(min(corners), max(corners))
        case ast.Div():
            largest = max(abs(left.low), abs(left.high)) / LEAST_DIVISOR
            return _finite(-largest, largest)
    return None


def _called(name: str, arguments: list[Interval | None]) -> Interval | None:
    known = [argument for argument in arguments if argument is not None]
    if len(known) < len(arguments) or not known:
        return None
    first = known[0]
    if name == "abs":
        low = 0.0 if first.low <= 0 <= first.high else min(abs(first.low), abs(first.high))
        return Interval(low, max(abs(first.low), abs(first.high)))
    if name == "min":
        return Interval(min(one.low for one in known), min(one.high for one in known))
    if name == "max":
        return Interval(max(one.low for one in known), max(one.high for one in known))
    scale = SCALES.get(name)
    return None if scale is None else _finite(first.low * scale, first.high * scale)


def _hull(parts: list[Interval | None]) -> Interval | None:
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    return Interval(min(one.low for one in known), max(one.high for one in known))


def _finite(low: float, high: float) -> Interval | None:
    return Interval(low, high) if math.isfinite(low) and math.isfinite(high) else None
