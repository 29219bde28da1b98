"""Doubt may restrain; it never grants, clears or acts.

`absent(m)`, `age(m)` and `fresh(m, d)` turn doubt about m into a known answer: the less is
heard of m, the more absent(m) is true, age(m) grows, fresh(m, d) is false. So it matters
which way each of them pushes the condition it stands in:

- in `expr` of guard, kill, cutback, mute and entry, doubt must push towards true: else a
  signal that falls silent would end a restraint or let an order through;
- in `clear_expr` and `allow_expr`, doubt must push towards false: else silence would clear or
  grant;
- in the `expr` of a rule with an `action`, doubt must not push at all: silence would sell.
  A rule that latches is allowed one, with a warning, because a latch only restrains.

The push is followed through not, comparisons, arithmetic and held. Where it goes both ways
(under ==, abs, a product of two inputs, the test of a conditional) it is refused like the
wrong one. A watch rule only tells, so nothing is asked of it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from engine.model.flags import FlagSpec
from engine.model.samples import InputRef
from engine.ruleset.spec import Expression

_DOUBT = {"absent": 1, "age": 1, "fresh": -1}
"""Which way each escape pushes when less is heard of its signal."""


@dataclass(frozen=True, slots=True)
class Escape:
    """An escape in an expression, and where doubt about its signal pushes the whole: 1 true, -1 false, 0 both."""

    at: ast.expr
    ref: InputRef
    push: int


def escapes(expression: Expression, flags: Mapping[str, FlagSpec]) -> Iterator[Escape]:
    """Yield every escape that `expression` reads, held conditions included."""
    yield from _walk(expression.tree, 1, expression, flags)


def _walk(node: ast.expr, push: int, whole: Expression, flags: Mapping[str, FlagSpec]) -> Iterator[Escape]:
    """Follow `push`, the way in which more of `node` moves the whole."""
    for child, sign in _children(node, flags):
        yield from _walk(child, push * sign, whole, flags)
    if isinstance(node, ast.Name):
        if node.id.startswith("i") and node.id[1:].isdigit():
            ref = whole.inputs[int(node.id[1:])]
            if ref.reads in _DOUBT:
                yield Escape(node, ref, push * _DOUBT[ref.reads])
        elif node.id.startswith("h") and node.id[1:].isdigit():
            condition = whole.held[int(node.id[1:])].condition
            yield from _walk(condition.tree, push, condition, flags)


def _children(node: ast.expr, flags: Mapping[str, FlagSpec]) -> Iterator[tuple[ast.expr, int]]:
    """Yield each part of `node` and which way more of the part moves the node."""
    match node:
        case ast.BoolOp(values=values):
            yield from ((value, 1) for value in values)
        case ast.UnaryOp(operand=operand):
            yield operand, -1
        case ast.Compare(left=left, ops=[operator], comparators=[right]):
            sign = 1 if isinstance(operator, ast.Gt | ast.GtE) else -1 if isinstance(operator, ast.Lt | ast.LtE) else 0
            yield left, sign
            yield right, -sign
        case ast.BinOp(left=left, op=ast.Add() | ast.Sub() as operator, right=right):
            yield left, 1
            yield right, 1 if isinstance(operator, ast.Add) else -1
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            yield left, _sign(right, flags)
            yield right, _sign(left, flags)
        case ast.BinOp(left=left, op=ast.Div(), right=right):
            yield left, _sign(right, flags)
            yield right, 0
        case ast.IfExp(test=test, body=body, orelse=orelse):
            yield test, 0
            yield body, 1
            yield orelse, 1
        case ast.Call(func=ast.Name(id=name), args=arguments):
            yield from ((argument, 0 if name == "abs" else 1) for argument in arguments)


def _sign(node: ast.expr, flags: Mapping[str, FlagSpec]) -> int:
    """Return the sign of a factor, 0 where it may be either."""
    if isinstance(node, ast.Constant) and isinstance(node.value, float):
        return 1 if node.value > 0 else -1 if node.value < 0 else 0
    if isinstance(node, ast.Name) and node.id in flags:
        spec = flags[node.id]
        return 1 if spec.low is not None and spec.low >= 0 else 0
    return 0
