"""Where a condition can hold: unions of boxes over what its comparisons measure.

Each comparison of something measured with something fixed (numbers, and flags at their
defaults) bounds that one measure; everything else is an opaque fact that holds or does
not. Two boxes that share no measure may always hold together, so "cannot hold" is said
only where it is certain.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping
from dataclasses import dataclass

from engine.model.flags import FlagKind, FlagSpec
from engine.ruleset.intervals import CONDITION, Interval, input_interval, interval_of
from engine.ruleset.spec import Expression
from engine.signals.catalogue import Catalogue

MOST_BOXES = 64


@dataclass(frozen=True, slots=True)
class Span:
    """The values from `low` to `high`, each end inside or not."""

    low: float
    high: float
    has_low: bool = True
    has_high: bool = True

    def meet(self, other: Span) -> Span:
        """Return what both hold."""
        low, has_low = max((self.low, not self.has_low), (other.low, not other.has_low))
        high, no_high = min((self.high, self.has_high), (other.high, other.has_high))
        return Span(low, high, not has_low, no_high)

    def empty(self) -> bool:
        """Whether nothing is inside."""
        return self.low > self.high or self.low == self.high and not (self.has_low and self.has_high)


EVERYTHING = Span(-math.inf, math.inf)
Box = Mapping[str, Span]
"""Measure -> where it must be. An opaque fact is a measure that is 1 where it holds and 0 where it does not."""
Region = tuple[Box, ...]


class Space:
    """What one expression's measures can be, given the catalogue's ranges and the flags' defaults."""

    def __init__(self, expression: Expression, catalogue: Catalogue, flags: Mapping[str, FlagSpec]) -> None:
        self._flags = flags
        self._regions: dict[tuple[int, bool], Region | None] = {}
        self._measures: dict[int, str] = {}
        self._points: dict[int, float | None] = {}
        self._inputs = {
            f"i{index}": (ref, catalogue.specs[ref.signal]) for index, ref in enumerate(expression.inputs)
        }
        self._held = {f"h{index}": held for index, held in enumerate(expression.held)}
        self._names: dict[str, Interval] = {
            name: input_interval(ref, spec) for name, (ref, spec) in self._inputs.items() if not spec.values
        }
        for flag in expression.flags:
            spec = flags[flag]
            if spec.kind is FlagKind.NUMBER:
                self._names[flag] = Interval(float(spec.default), float(spec.default))

    def region(self, node: ast.expr, holds: bool = True) -> Region | None:
        """Return where `node`, a part of the expression's own tree, holds (or does not).

        Certainly empty boxes are left out; None where it is too much.
        """
        key = (id(node), holds)
        if key not in self._regions:
            self._regions[key] = self._region(node, holds)
        return self._regions[key]

    def _region(self, node: ast.expr, holds: bool) -> Region | None:
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return self.region(node.operand, not holds)
        if isinstance(node, ast.BoolOp):
            parts = [self.region(value, holds) for value in node.values]
            return _all_of(parts) if isinstance(node.op, ast.And) is holds else _any_of(parts)
        if isinstance(node, ast.Compare):
            return self._compared(node, holds)
        return self._box(self.measure(node), Span(1, 1) if holds else Span(0, 0), CONDITION)

    def measure(self, node: ast.expr) -> str:
        """Return what `node` measures, spelled by what it reads and not by where."""
        if id(node) not in self._measures:
            self._measures[id(node)] = self._measure(node)
        return self._measures[id(node)]

    def _measure(self, node: ast.expr) -> str:
        text = ast.unparse(node)
        for name in sorted((one.id for one in ast.walk(node) if isinstance(one, ast.Name)), key=len, reverse=True):
            if name in self._inputs:
                text = _replace(text, name, repr(self._inputs[name][0]))
            elif name in self._held:
                held = self._held[name]
                text = _replace(text, name, f"held({held.condition.text},{held.duration})")
        return text

    def _compared(self, node: ast.Compare, holds: bool) -> Region | None:
        left, operator, right = node.left, node.ops[0], node.comparators[0]
        limit, measured = self._point(right), left
        if limit is None:
            limit, measured = self._point(left), right
            operator = _MIRRORED.get(type(operator), type(operator))()
        if limit is None or self._point(measured) is not None:
            return self._fixed(node, holds)
        if not holds:
            operator = _OPPOSITE[type(operator)]()
        interval = interval_of(measured, self._names)
        return _any_of([self._box(self.measure(measured), span, interval) for span in _spans(operator, limit)])

    def _fixed(self, node: ast.Compare, holds: bool) -> Region | None:
        """Return the region of a comparison of two fixed numbers, of two measures, or of words."""
        left, right = self._point(node.left), self._point(node.comparators[0])
        if left is None or right is None:
            return self._box(self.measure(node), Span(1, 1) if holds else Span(0, 0), CONDITION)
        if any(not span.meet(Span(left, left)).empty() for span in _spans(node.ops[0], right)) is holds:
            return ({},)
        return ()

    def _point(self, node: ast.expr) -> float | None:
        """Return the one value that `node` has, None where it has more."""
        if id(node) not in self._points:
            self._points[id(node)] = self._one_value(node)
        return self._points[id(node)]

    def _one_value(self, node: ast.expr) -> float | None:
        if any(
            isinstance(one, ast.Name) and (one.id in self._inputs or one.id in self._held) for one in ast.walk(node)
        ):
            return None
        interval = interval_of(node, self._names)
        return interval.low if interval is not None and interval.low == interval.high else None

    def _box(self, measure: str, span: Span, within: Interval | None) -> Region:
        bounded = span if within is None else span.meet(Span(within.low, within.high))
        return () if bounded.empty() else ({measure: span},)


def both(one: Region, other: Region) -> Region:
    """Return where both regions hold."""
    found: list[Box] = []
    for left in one:
        for right in other:
            joined = dict(left)
            for measure, span in right.items():
                joined[measure] = joined.get(measure, EVERYTHING).meet(span)
            if not any(span.empty() for span in joined.values()):
                found.append(joined)
    return tuple(found)


def _all_of(parts: list[Region | None]) -> Region | None:
    total: Region = ({},)
    for part in parts:
        if part is None:
            return None
        total = both(total, part)
        if len(total) > MOST_BOXES:
            return None
    return total


def _any_of(parts: list[Region | None]) -> Region | None:
    total: list[Box] = []
    for part in parts:
        if part is None:
            return None
        total.extend(part)
    return tuple(total) if len(total) <= MOST_BOXES else None


_MIRRORED: Mapping[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.Gt, ast.LtE: ast.GtE, ast.Gt: ast.Lt, ast.GtE: ast.LtE,
}
_OPPOSITE: Mapping[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.GtE, ast.LtE: ast.Gt, ast.Gt: ast.LtE, ast.GtE: ast.Lt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
}


def _spans(operator: ast.cmpop, limit: float) -> tuple[Span, ...]:
    match operator:
        case ast.Lt():
            return (Span(-math.inf, limit, has_high=False),)
        case ast.LtE():
            return (Span(-math.inf, limit),)
        case ast.Gt():
            return (Span(limit, math.inf, has_low=False),)
        case ast.GtE():
            return (Span(limit, math.inf),)
        case ast.Eq():
            return (Span(limit, limit),)
    return Span(-math.inf, limit, has_high=False), Span(limit, math.inf, has_low=False)


def _replace(text: str, name: str, by: str) -> str:
    """Replace a whole word."""
    parts, word = [], ""
    for char in text + " ":
        if char.isalnum() or char == "_":
            word += char
            continue
        parts += [by if word == name else word, char]
        word = ""
    return "".join(parts)[:-1]
