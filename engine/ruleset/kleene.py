"""Arithmetic, comparison and logic on values of which some are not known.

A known value is a float, a bool or a str. `Unknown` stands for any value the input might
have had: whatever does not depend on it stays known, everything else is unknown in turn.
So degrading an input can turn a known answer into an unknown one, never into its opposite.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from engine.model.samples import Status
from engine.model.truth import Truth

TOLERANCE = 1e-9
"""A comparison with a constant is inclusive to one part in this of the constant (and of 1 for small ones)."""

DIVISION_BY_ZERO = "division_by_zero"
NOT_FINITE = "not_finite"


@dataclass(frozen=True, slots=True)
class Unknown:
    """A value nobody knows, and why: sorted, each reason once."""

    reasons: tuple[str, ...]


Value = float | bool | str | Unknown


def unknown(*parts: object) -> Unknown:
    """Return the unknown that has the reasons of every Unknown in `parts`, and every str there as one more."""
    reasons: set[str] = set()
    for part in parts:
        if isinstance(part, Unknown):
            reasons.update(part.reasons)
        elif isinstance(part, str):
            reasons.add(part)
    return Unknown(tuple(sorted(reasons)))


def doubt(status: int, name: str) -> Unknown:
    """Return what an input called `name` is while its status is not OK: `stale(peg_usdt_usd)`."""
    return Unknown((f"{Status(status).name.lower()}({name})",))


def truth_of(value: Value) -> Truth:
    """Return a condition's value as a truth; a number or a word is no truth: ValueError."""
    if value is True:
        return Truth.TRUE
    if value is False:
        return Truth.FALSE
    if isinstance(value, Unknown):
        return Truth.UNKNOWN
    raise ValueError(f"a condition must be true or false, not {value!r}")


def _unknowns(values: Iterable[Value]) -> list[Unknown]:
    return [value for value in values if isinstance(value, Unknown)]


def both(values: Sequence[Value]) -> Value:
    """Kleene's `and` over conditions: false if any is false, else unknown if any is unknown."""
    if any(value is False for value in values):
        return False
    doubts = _unknowns(values)
    return unknown(*doubts) if doubts else True


def either(values: Sequence[Value]) -> Value:
    """Kleene's `or` over conditions: true if any is true, else unknown if any is unknown."""
    if any(value is True for value in values):
        return True
    doubts = _unknowns(values)
    return unknown(*doubts) if doubts else False


def negate(value: Value) -> Value:
    """Kleene's `not`."""
    return value if isinstance(value, Unknown) else not value


def choose(test: Value, then: Value, otherwise: Value) -> Value:
    """Return the branch that `test` picks; in doubt about the test, what both branches agree on."""
    if not isinstance(test, Unknown):
        return then if test else otherwise
    if not isinstance(then, Unknown) and not isinstance(otherwise, Unknown) and then == otherwise:
        return then
    return unknown(test, then, otherwise)


def finite(number: float) -> Value:
    """Return `number`, or unknown(not_finite)."""
    return number if math.isfinite(number) else Unknown((NOT_FINITE,))


def arithmetic(operator: ast.operator, left: Value, right: Value) -> Value:
    """Return `left operator right` for + - * /; what is not finite, or divides by zero, is unknown."""
    doubts = _unknowns((left, right))
    if doubts:
        return unknown(*doubts)
    first, second = number(left), number(right)
    match operator:
        case ast.Add():
            return finite(first + second)
        case ast.Sub():
            return finite(first - second)
        case ast.Mult():
            return finite(first * second)
        case ast.Div():
            return finite(first / second) if second else Unknown((DIVISION_BY_ZERO,))
    raise ValueError(f"{type(operator).__name__} is no arithmetic of rules")


def number(value: Value) -> float:
    """Return `value`, which the loader has checked to be a number, as a float."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{value!r} is no number")
    return float(value)


def slack(constant: float) -> float:
    """Return by how much a comparison with `constant` is widened."""
    return TOLERANCE * max(1.0, abs(constant))


_MIRRORED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.Gt, ast.LtE: ast.GtE, ast.Gt: ast.Lt, ast.GtE: ast.LtE, ast.Eq: ast.Eq, ast.NotEq: ast.NotEq,
}


def mirrored(operator: ast.cmpop) -> ast.cmpop:
    """Return the operator that says the same with the sides exchanged."""
    return _MIRRORED[type(operator)]()


def compare(operator: ast.cmpop, left: Value, right: Value, *, left_fixed: bool, right_fixed: bool) -> Value:
    """Return `left operator right`.

    A side is fixed when constants and flags alone make it; then the comparison is
    inclusive to `slack` of that side (of the right one, if both are): `a >= b` holds from
    b - slack(b), and `a < b` is its complement. Words and switches compare exactly.
    """
    doubts = _unknowns((left, right))
    if doubts:
        return unknown(*doubts)
    if isinstance(left, bool | str) or isinstance(right, bool | str):
        return _same(operator, left, right)
    first, second = number(left), number(right)
    if left_fixed and not right_fixed:
        return _ordered(mirrored(operator), second, first, slack(first))
    return _ordered(operator, first, second, slack(second) if right_fixed else 0.0)


def _same(operator: ast.cmpop, left: Value, right: Value) -> bool:
    equal = type(left) is type(right) and left == right
    if isinstance(operator, ast.Eq):
        return equal
    if isinstance(operator, ast.NotEq):
        return not equal
    raise ValueError("words and switches have no order")


def _ordered(operator: ast.cmpop, value: float, bound: float, width: float) -> bool:
    match operator:
        case ast.GtE():
            return value >= bound - width
        case ast.Lt():
            return not value >= bound - width
        case ast.LtE():
            return value <= bound + width
        case ast.Gt():
            return not value <= bound + width
        case ast.Eq():
            return bound - width <= value <= bound + width
        case ast.NotEq():
            return not bound - width <= value <= bound + width
    raise ValueError(f"{type(operator).__name__} is no comparison of rules")


def call(name: str, arguments: Sequence[Value]) -> Value:
    """Return what the function `name` makes of `arguments`; ValueError if there is none such."""
    doubts = _unknowns(arguments)
    if name not in FUNCTIONS:
        raise ValueError(f"{name} is no function of rules")
    if doubts:
        return unknown(*doubts)
    numbers = [number(argument) for argument in arguments]
    if name == "abs":
        return abs(numbers[0])
    if name == "min":
        return min(numbers)
    if name == "max":
        return max(numbers)
    return finite(numbers[0] * SCALES[name])


SCALES = {"pct": 100.0, "bps": 10_000.0}
"""What the conversions of a ratio multiply by."""

FUNCTIONS = ("abs", "min", "max", "pct", "bps")


def fixed(node: ast.expr, flags: frozenset[str]) -> bool:
    """Whether constants and `flags` alone make `node`."""
    return all(
        name.id in flags
        for name in ast.walk(node)
        if isinstance(name, ast.Name) and not (name.id in FUNCTIONS and isinstance(name.ctx, ast.Load))
    )
