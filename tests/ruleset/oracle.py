"""What an expression is worth, computed a third time and another way.

It shares no code with the evaluators and takes none of their short cuts. Every unknown
input is given every value that could matter, in turn, would be the definition; this is
its syntactic shadow, written from the page: truth tables spelled out, tolerances worked
out from the definition, and no folding of anything.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping
from fractions import Fraction

DONT_KNOW = object()
"""The third answer."""

_AND = {
    ("t", "t"): "t", ("t", "f"): "f", ("t", "u"): "u", ("f", "t"): "f", ("f", "f"): "f", ("f", "u"): "f",
    ("u", "t"): "u", ("u", "f"): "f", ("u", "u"): "u",
}
_OR = {
    ("t", "t"): "t", ("t", "f"): "t", ("t", "u"): "t", ("f", "t"): "t", ("f", "f"): "f", ("f", "u"): "u",
    ("u", "t"): "t", ("u", "f"): "u", ("u", "u"): "u",
}
_NOT = {"t": "f", "f": "t", "u": "u"}


def verdict(node: ast.expr, known: Mapping[str, object], flags: Mapping[str, object]) -> str:
    """Return `t`, `f` or `u` for a condition; a name that `known` lacks is unknown."""
    return _letter(worth(node, known, flags))


def _letter(value: object) -> str:
    if value is DONT_KNOW:
        return "u"
    assert value is True or value is False
    return "t" if value else "f"


def _value(letter: str) -> object:
    return {"t": True, "f": False, "u": DONT_KNOW}[letter]


def worth(node: ast.expr, known: Mapping[str, object], flags: Mapping[str, object]) -> object:
    """Return the value of any expression, or DONT_KNOW."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, (bool, str)) else float(node.value)  # type: ignore[arg-type]
    if isinstance(node, ast.Name):
        if node.id in flags:
            flag = flags[node.id]
            return flag if isinstance(flag, (bool, str)) else float(flag)  # type: ignore[arg-type]
        return known.get(node.id, DONT_KNOW)
    if isinstance(node, ast.BoolOp):
        table = _AND if type(node.op) is ast.And else _OR
        letters = [_letter(worth(part, known, flags)) for part in node.values]
        result = letters[0]
        for letter in letters[1:]:
            result = table[result, letter]
        return _value(result)
    if isinstance(node, ast.UnaryOp):
        inner = worth(node.operand, known, flags)
        if type(node.op) is ast.Not:
            return _value(_NOT[_letter(inner)])
        return DONT_KNOW if inner is DONT_KNOW else 0.0 - float(inner)  # type: ignore[arg-type]
    if isinstance(node, ast.IfExp):
        return _either_way(node, known, flags)
    if isinstance(node, ast.BinOp):
        return _computed(type(node.op).__name__, worth(node.left, known, flags), worth(node.right, known, flags))
    if isinstance(node, ast.Call):
        assert isinstance(node.func, ast.Name)
        return _called(node.func.id, [worth(part, known, flags) for part in node.args])
    assert isinstance(node, ast.Compare)
    return _chain(node, known, flags)


def _either_way(node: ast.IfExp, known: Mapping[str, object], flags: Mapping[str, object]) -> object:
    test = worth(node.test, known, flags)
    yes, no = worth(node.body, known, flags), worth(node.orelse, known, flags)
    if test is True:
        return yes
    if test is False:
        return no
    return yes if yes is not DONT_KNOW and no is not DONT_KNOW and yes == no else DONT_KNOW


def _computed(name: str, left: object, right: object) -> object:
    if left is DONT_KNOW or right is DONT_KNOW:
        return DONT_KNOW
    one, two = float(left), float(right)  # type: ignore[arg-type]
    if name == "Div" and two == 0:
        return DONT_KNOW
    operators = {"Add": float.__add__, "Sub": float.__sub__, "Mult": float.__mul__, "Div": float.__truediv__}
    result = operators[name](one, two)
    return result if math.isfinite(result) else DONT_KNOW


def _called(name: str, parts: list[object]) -> object:
    if any(part is DONT_KNOW for part in parts):
        return DONT_KNOW
    numbers = [float(part) for part in parts]  # type: ignore[arg-type]
    if name == "abs":
        return math.fabs(numbers[0])
    if name in ("min", "max"):
        return sorted(numbers)[0 if name == "min" else -1]
    return _computed("Mult", numbers[0], {"pct": 100.0, "bps": 10_000.0}[name])


def _chain(node: ast.Compare, known: Mapping[str, object], flags: Mapping[str, object]) -> object:
    result = "t"
    left = node.left
    for operator, right in zip(node.ops, node.comparators, strict=True):
        result = _AND[result, _letter(_pair(type(operator).__name__, left, right, known, flags))]
        left = right
    return _value(result)


def _constant(node: ast.expr, flags: Mapping[str, object]) -> bool:
    """Whether nothing that is measured occurs in `node`."""
    calls = {id(part.func) for part in ast.walk(node) if isinstance(part, ast.Call)}
    names = [part for part in ast.walk(node) if isinstance(part, ast.Name) and id(part) not in calls]
    return all(part.id in flags for part in names)


def _pair(
    name: str, left: ast.expr, right: ast.expr, known: Mapping[str, object], flags: Mapping[str, object]
) -> object:
    one, two = worth(left, known, flags), worth(right, known, flags)
    if one is DONT_KNOW or two is DONT_KNOW:
        return DONT_KNOW
    if isinstance(one, (bool, str)) or isinstance(two, (bool, str)):
        return (one == two) is (name == "Eq")
    assert isinstance(one, float) and isinstance(two, float)
    if _constant(left, flags) and not _constant(right, flags):
        mirror = {"Gt": "Lt", "Lt": "Gt", "GtE": "LtE", "LtE": "GtE"}
        return _near(mirror.get(name, name), two, one, inclusive=True)
    return _near(name, one, two, inclusive=_constant(right, flags))


def _near(name: str, value: float, bound: float, *, inclusive: bool) -> object:
    """Compare exactly; where inclusive, with the bound moved outward by one part in 1e9 of max(1, |bound|)."""
    slack = 1e-9 * max(1.0, abs(bound)) if inclusive else 0.0
    low, high = bound - slack, bound + slack
    at_least = low == -math.inf or Fraction(value) >= Fraction(low)
    at_most = high == math.inf or Fraction(value) <= Fraction(high)
    answers = {
        "GtE": at_least, "Lt": not at_least, "LtE": at_most, "Gt": not at_most,
        "Eq": at_least and at_most, "NotEq": not (at_least and at_most),
    }
    return answers[name]
