"""How far a condition is from being true, from 0 (it is true) to 1 (nowhere near).

One comparison is as far as its sides differ, relative to the larger of them. An `and` is
as far as its farthest part, an `or` as its nearest; what is not known has no distance.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from itertools import pairwise

from engine.ruleset.kleene import Unknown, Value


def margin(node: ast.expr, seen: Mapping[int, Value], *, wanted: bool = True) -> float | None:
    """Return how far `node` is from being `wanted`; `seen` are values of sub-expressions by node id."""
    value = seen[id(node)]
    if value is wanted:
        return 0.0
    match node:
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return margin(operand, seen, wanted=not wanted)
        case ast.BoolOp(op=operator, values=values):
            parts = [margin(part, seen, wanted=wanted) for part in values]
            return _farthest(parts) if isinstance(operator, ast.And) is wanted else _nearest(parts)
        case ast.IfExp(test=test, body=body, orelse=orelse):
            chosen = seen[id(test)]
            return None if isinstance(chosen, Unknown) else margin(body if chosen else orelse, seen, wanted=wanted)
        case ast.Compare(left=left, comparators=others):
            sides = [seen[id(side)] for side in (left, *others)]
            parts = [_distance(one, two) for one, two in pairwise(sides)]
            return _farthest(parts) if wanted and len(parts) > 1 else _nearest(parts)
    return None if isinstance(value, Unknown) else 1.0


def _distance(left: Value, right: Value) -> float | None:
    if isinstance(left, Unknown) or isinstance(right, Unknown):
        return None
    if isinstance(left, bool | str) or isinstance(right, bool | str):
        return 1.0
    largest = max(abs(left), abs(right))
    return min(1.0, abs(left - right) / largest) if largest > 0 else 0.0


def _farthest(parts: list[float | None]) -> float | None:
    known = [part for part in parts if part is not None]
    return max(known) if len(known) == len(parts) else None


def _nearest(parts: list[float | None]) -> float | None:
    return min((part for part in parts if part is not None), default=None)
