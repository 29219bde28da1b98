"""What kind of value an expression has, and in which unit: bps and pct never meet.

A number written in a rule has no unit of its own and takes that of its neighbour. `ratio` and
`count` are pure numbers: they scale what they multiply. Everything else converts by a
function, `pct(ratio)` or `bps(ratio)`, never by a bare `* 100`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from engine.model.flags import FlagKind, FlagSpec
from engine.model.samples import SignalSpec, Unit

_PURE = (Unit.RATIO, Unit.COUNT)
_RESTATING_TIMES = {
    (Unit.RATIO, 100.0): Unit.PCT, (Unit.RATIO, 10_000.0): Unit.BPS, (Unit.PCT, 100.0): Unit.BPS,
    (Unit.PCT, 0.01): Unit.RATIO, (Unit.BPS, 0.0001): Unit.RATIO, (Unit.BPS, 0.01): Unit.PCT,
    (Unit.S, 1000.0): Unit.MS, (Unit.MS, 0.001): Unit.S,
}


@dataclass(frozen=True, slots=True)
class Type:
    """Of a value. `unit` is None for a number written in the rule, which takes any unit."""

    what: Literal["number", "bool", "word", "text", "any"]
    unit: Unit | None = None
    words: tuple[str, ...] = ()
    """What a word may be, or the one text that was written."""

    def __str__(self) -> str:
        if self.what == "number":
            return "a plain number" if self.unit is None else self.unit.value
        return {"bool": "a condition", "word": "a word", "text": "a text", "any": "something"}[self.what]


ANY = Type("any")
"""Of what is wrong already: fits everywhere, so that one mistake is told once."""
BOOL = Type("bool")
FREE = Type("number")
RATIO = Type("number", Unit.RATIO)


def number(unit: Unit | None) -> Type:
    """Return the type of a number in `unit`."""
    return Type("number", unit)


def signal_type(spec: SignalSpec) -> Type:
    """Return the type of a signal's own value."""
    if spec.unit is Unit.BOOL:
        return BOOL
    if spec.unit is Unit.ENUM:
        return Type("word", words=spec.values)
    return Type("number", spec.unit)


def flag_type(spec: FlagSpec) -> Type:
    """Return the type of a flag's value."""
    if spec.kind is FlagKind.BOOL:
        return BOOL
    if spec.kind is FlagKind.WORD:
        return Type("word", words=spec.words)
    return Type("number", spec.unit)


class UnitError(ValueError):
    """Two units that do not go together; `fix` says what to write."""

    def __init__(self, message: str, fix: str) -> None:
        super().__init__(message)
        self.fix = fix


def same(left: Unit | None, right: Unit | None) -> Unit | None:
    """Return the unit that both have; UnitError where they differ."""
    if left is None or right is None or left is right:
        return right if left is None else left
    raise UnitError(f"{left.value} and {right.value} are different units", conversion(left, right))


def product(left: Unit | None, right: Unit | None) -> Unit | None:
    """Return the unit of a product; UnitError where there is no word for it."""
    if left is None or right is None:
        return right if left is None else left
    if left in _PURE:
        return right
    if right in _PURE:
        return left
    raise UnitError(
        f"{left.value} times {right.value} has no unit that a rule could compare",
        "multiply by a plain number or a ratio",
    )


def quotient(left: Unit | None, right: Unit | None) -> Unit | None:
    """Return the unit of a quotient: of two equal ones a ratio. UnitError where there is no word for it."""
    if right is None:
        return left
    if left is right:
        return Unit.RATIO
    if right in _PURE:
        return Unit.RATIO if left is None else left
    shown = "a plain number" if left is None else left.value
    raise UnitError(
        f"{shown} divided by {right.value} has no unit that a rule could compare", "divide two values of one unit",
    )


def restated(unit: Unit | None, factor: float, *, divides: bool) -> Unit | None:
    """Return the unit that multiplying (or dividing) by `factor` makes of `unit`, or None where it just scales."""
    if unit is None or factor == 0:
        return None
    times = 1 / factor if divides else factor
    for (of, by), into in _RESTATING_TIMES.items():
        if of is unit and abs(times - by) <= 1e-9 * by:
            return into
    return None


def conversion(left: Unit, right: Unit) -> str:
    """Return what to write so that two units become one."""
    for ratio, other in ((left, right), (right, left)):
        if ratio is Unit.RATIO and other in (Unit.PCT, Unit.BPS):
            return f"write {other.value}(...) around the ratio"
    return f"read both in {left.value} or both in {right.value}"
