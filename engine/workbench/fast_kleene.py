"""Three-valued arithmetic, comparison and logic on whole columns: `ruleset.kleene` for a million rows at a time.

A column has a value and a doubt a row. Doubt is a set of reasons as bits, one an input and
two for what arithmetic cannot say; 0 is known. Where no row is in doubt there is no array
of doubts at all, which is nearly always, and costs nothing. The value of a row in doubt
means nothing.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.model.flags import FlagValue
from engine.ruleset import kleene
from engine.ruleset.codegen import fold
from engine.ruleset.intervals import Interval, interval_of
from engine.workbench.fast_arrays import Array, numpy

BY_ZERO, NOT_FINITE, OTHERWISE = 1, 2, 4
FIRST_INPUT = 3
"""The bit of input 0; those below are reasons of arithmetic."""
MOST_INPUTS = 60


@dataclass(frozen=True, slots=True)
class Column:
    """`value` is an array or one value for all rows: floats, bools, or codes of words. `doubt` is 0, or bits."""

    value: Any
    doubt: Any = 0
    word: bool = False

    @property
    def certain(self) -> bool:
        """Whether no row is in doubt."""
        return isinstance(self.doubt, int) and not self.doubt


@dataclass(frozen=True, slots=True)
class Nature:
    """What is known of an expression before any row is: found once, used for every stretch."""

    flags: Mapping[str, FlagValue]
    fixed: frozenset[int]
    """Nodes, by identity, that constants and flags alone make."""
    sure: frozenset[int]
    """Nodes, by identity, that are finite whatever the inputs are."""


def nature_of(tree: ast.expr, flags: Mapping[str, FlagValue], ranges: Mapping[str, Interval]) -> Nature:
    """Return what is known of `tree` under `flags`; `ranges` bound the numbers among its inputs."""
    names = frozenset(flags)
    numbers = {
        name: Interval(float(value), float(value)) for name, value in flags.items() if not isinstance(value, bool | str)
    }
    bounds = {**ranges, **numbers}
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.expr)]
    return Nature(
        flags=flags, fixed=frozenset(id(node) for node in nodes if kleene.fixed(node, names)),
        sure=frozenset(id(node) for node in nodes if _sure(node, bounds)),
    )


def _sure(node: ast.expr, bounds: Mapping[str, Interval]) -> bool:
    """Whether `node` is finite: ranges say so, and nothing in it divides by about zero."""
    for one in ast.walk(node):
        if isinstance(one, ast.BinOp) and isinstance(one.op, ast.Div):
            divisor = interval_of(one.right, bounds)
            if divisor is None or not divisor.excludes_zero():
                return False
    return interval_of(node, bounds) is not None


@dataclass(frozen=True, slots=True)
class Frame:
    """What the names of an expression mean over some rows.

    `columns` are inputs by name; `words` numbers every word met.
    """

    columns: Mapping[str, Column]
    nature: Nature
    words: dict[str, int]

    def code(self, word: str) -> int:
        """Return the number of `word`."""
        return self.words.setdefault(word, len(self.words))


class Unvectorised(Exception):
    """An expression that columns cannot say: why."""


def evaluate(node: ast.expr, frame: Frame) -> Column:
    """Return the column of `node`; Unvectorised where there is no telling by columns."""
    if id(node) in frame.nature.fixed:
        return constant(fold(node, frame.nature.flags), frame)
    match node:
        case ast.Name(id=name):
            return frame.columns[name]
        case ast.BoolOp(op=operator, values=values):
            parts = [evaluate(value, frame) for value in values]
            return both(parts) if isinstance(operator, ast.And) else either(parts)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            inner = evaluate(operand, frame)
            return Column(numpy().logical_not(inner.value), inner.doubt)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            inner = evaluate(operand, frame)
            return Column(-inner.value, inner.doubt)
        case ast.BinOp(left=left, op=operator, right=right):
            return _arithmetic(node, operator, evaluate(left, frame), evaluate(right, frame), frame)
        case ast.Compare():
            return _comparisons(node, frame)
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return choose(evaluate(test, frame), evaluate(body, frame), evaluate(orelse, frame))
        case ast.Call(func=ast.Name(id=name), args=arguments):
            return _call(node, name, [evaluate(argument, frame) for argument in arguments], frame)
    raise Unvectorised(f"{type(node).__name__} has no column")


def constant(value: kleene.Value, frame: Frame) -> Column:
    """Return one value as a column."""
    if isinstance(value, kleene.Unknown):
        bits = {kleene.DIVISION_BY_ZERO: BY_ZERO, kleene.NOT_FINITE: NOT_FINITE}
        doubt = 0
        for reason in value.reasons:
            doubt |= bits.get(reason, OTHERWISE)
        return Column(0.0, doubt or OTHERWISE)
    if isinstance(value, str):
        return Column(frame.code(value), word=True)
    return Column(value if isinstance(value, bool) else float(value))


def join(*doubts: Any) -> Any:
    """Return all reasons of all `doubts`, row by row."""
    joined: Any = 0
    for doubt in doubts:
        if isinstance(doubt, int) and not doubt:
            continue
        joined = doubt if isinstance(joined, int) and not joined else joined | doubt
    return joined


def both(parts: Sequence[Column]) -> Column:
    """Kleene's `and`."""
    np = numpy()
    if all(part.certain for part in parts):
        value = parts[0].value
        for part in parts[1:]:
            value = np.logical_and(value, part.value)
        return Column(value)
    false, true = False, True
    for part in parts:
        known = np.equal(part.doubt, 0)
        false = np.logical_or(false, np.logical_and(known, np.logical_not(part.value)))
        true = np.logical_and(true, np.logical_and(known, part.value))
    return Column(true, np.where(false, 0, join(*(part.doubt for part in parts))))


def either(parts: Sequence[Column]) -> Column:
    """Kleene's `or`."""
    np = numpy()
    if all(part.certain for part in parts):
        value = parts[0].value
        for part in parts[1:]:
            value = np.logical_or(value, part.value)
        return Column(value)
    true = False
    for part in parts:
        true = np.logical_or(true, np.logical_and(np.equal(part.doubt, 0), part.value))
    return Column(true, np.where(true, 0, join(*(part.doubt for part in parts))))


def choose(test: Column, then: Column, otherwise: Column) -> Column:
    """Return the branch that `test` picks; in doubt about the test, what both branches agree on."""
    np = numpy()
    value = np.where(test.value, then.value, otherwise.value)
    picked = np.where(test.value, then.doubt, otherwise.doubt)
    if test.certain:
        return Column(value, 0 if then.certain and otherwise.certain else picked, then.word)
    known = np.equal(test.doubt, 0)
    agree = np.logical_and(np.equal(join(then.doubt, otherwise.doubt), 0), np.equal(then.value, otherwise.value))
    in_doubt = np.where(agree, 0, join(test.doubt, then.doubt, otherwise.doubt))
    return Column(np.where(known, value, then.value), np.where(known, picked, in_doubt), then.word)


def _finite(node: ast.expr, value: Any, doubt: Any, frame: Frame) -> Column:
    """Return `value`, in doubt where it is not finite and no operand was in doubt."""
    if id(node) in frame.nature.sure:
        return Column(value, doubt)
    np = numpy()
    known = np.equal(doubt, 0)
    broken = np.logical_and(np.logical_not(np.isfinite(value)), known)
    if not np.any(broken):
        return Column(value, doubt)
    return Column(np.where(broken, 0.0, value), np.where(broken, NOT_FINITE, doubt))


def _arithmetic(node: ast.expr, operator: ast.operator, left: Column, right: Column, frame: Frame) -> Column:
    np = numpy()
    doubt = join(left.doubt, right.doubt)
    with np.errstate(all="ignore"):
        match operator:
            case ast.Add():
                return _finite(node, left.value + right.value, doubt, frame)
            case ast.Sub():
                return _finite(node, left.value - right.value, doubt, frame)
            case ast.Mult():
                return _finite(node, left.value * right.value, doubt, frame)
            case ast.Div():
                zero = np.logical_and(np.equal(right.value, 0.0), np.equal(doubt, 0))
                if not np.any(zero):
                    return _finite(node, np.divide(left.value, right.value), doubt, frame)
                value = np.divide(left.value, np.where(zero, 1.0, right.value))
                return _finite(node, value, np.where(zero, BY_ZERO, doubt), frame)
    raise Unvectorised(f"{type(operator).__name__} is no arithmetic of columns")


def _comparisons(node: ast.Compare, frame: Frame) -> Column:
    sides = [node.left, *node.comparators]
    columns = [evaluate(side, frame) for side in sides]
    fixed = [id(side) in frame.nature.fixed for side in sides]
    pairs = []
    for place, operator in enumerate(node.ops):
        pairs.append(_compare(operator, columns[place], columns[place + 1], fixed[place:place + 2]))
    return pairs[0] if len(pairs) == 1 else both(pairs)


def _compare(operator: ast.cmpop, left: Column, right: Column, fixed: Sequence[bool]) -> Column:
    doubt = join(left.doubt, right.doubt)
    if _exact(left) or _exact(right):
        return Column(_same(operator, left, right), doubt)
    if fixed[0] and not fixed[1]:
        bound = float(left.value)
        return Column(_ordered(kleene.mirrored(operator), right.value, bound, kleene.slack(bound)), doubt)
    width = kleene.slack(float(right.value)) if fixed[1] else 0.0
    return Column(_ordered(operator, left.value, right.value, width), doubt)


def _exact(column: Column) -> bool:
    """Whether the column holds words or switches, which are equal or not."""
    return column.word or isinstance(column.value, bool) or getattr(column.value, "dtype", "") == "bool"


def _same(operator: ast.cmpop, left: Column, right: Column) -> Any:
    np = numpy()
    alike = left.word is right.word and _exact(left) and _exact(right)
    equal = np.equal(left.value, right.value) if alike else False
    if isinstance(operator, ast.Eq):
        return equal
    if isinstance(operator, ast.NotEq):
        return np.logical_not(equal)
    raise Unvectorised("words and switches have no order")


def _ordered(operator: ast.cmpop, value: Any, bound: Any, width: float) -> Any:
    np = numpy()
    match operator:
        case ast.GtE():
            return np.greater_equal(value, bound - width)
        case ast.Lt():
            return np.less(value, bound - width)
        case ast.LtE():
            return np.less_equal(value, bound + width)
        case ast.Gt():
            return np.greater(value, bound + width)
        case ast.Eq():
            return np.logical_and(np.less_equal(bound - width, value), np.less_equal(value, bound + width))
        case ast.NotEq():
            return np.logical_or(np.greater(bound - width, value), np.greater(value, bound + width))
    raise Unvectorised(f"{type(operator).__name__} is no comparison of columns")


def _call(node: ast.expr, name: str, arguments: Sequence[Column], frame: Frame) -> Column:
    np = numpy()
    doubt = join(*(argument.doubt for argument in arguments))
    first = arguments[0].value
    if name == "abs":
        return Column(np.abs(first), doubt)
    if name in ("min", "max"):
        choice = np.minimum if name == "min" else np.maximum
        for argument in arguments[1:]:
            first = choice(first, argument.value)
        return Column(first, doubt)
    if name in kleene.SCALES:
        with np.errstate(all="ignore"):
            return _finite(node, first * kleene.SCALES[name], doubt, frame)
    raise Unvectorised(f"{name} is no function of columns")


def truth(column: Column, length: int) -> tuple[Array, Array | None]:
    """Return (0 false, 1 true, 2 unknown) a row, and the reasons a row, None where nothing is in doubt."""
    np = numpy()
    value = np.broadcast_to(np.asarray(column.value, bool), (length,)).view(np.uint8)
    if column.certain:
        return value, None
    doubt = np.broadcast_to(np.asarray(column.doubt, np.int64), (length,))
    if not doubt.any():
        return value, None
    return np.where(doubt != 0, np.uint8(2), value), doubt
