"""Random expressions, and random values for what they read, from a seed.

Half of the comparisons are built around a value that the input then takes: exactly on
the threshold, a hair beside it, and well away. Degraded inputs, zero divisors and
overflow are common enough that a third of all answers is unknown.
"""

from __future__ import annotations

import ast
import random
from collections import Counter
from dataclasses import dataclass, field

from engine.model.flags import FlagValue
from engine.model.samples import InputRef, Status
from engine.ruleset.spec import Expression
from tests.ruleset.notation import PLACE

NUMBERS = ("a", "b", "c", "d", "peg")
DEGRADED = (Status.MISSING, Status.STALE, Status.INVALID, Status.NO_SAMPLES, Status.NO_COVERAGE)
FLAGS: dict[str, FlagValue] = {
    "LIMIT": 0.5, "ZERO": 0, "HUGE": 1e300, "TINY": 5e-324, "COUNT": 3, "NEGATIVE": -2.5, "ON": True, "OFF": False,
    "WORD": "wild",
}
_NUMERIC_FLAGS = ("LIMIT", "ZERO", "HUGE", "TINY", "COUNT", "NEGATIVE")
_CONSTANTS = (0, 1, 2, -1, 0.5, 100, 1e-9, 1e15, 1e308, 5e-324, 12, 0.25)
_VALUES = (0.0, 1.0, -1.0, 0.5, 1e15, -1e15, 1e-320, 5e-324, 2.0, 100.0, 0.25, 0.1, 3.0, 1.005, 0.995)


@dataclass(slots=True)
class Case:
    """One expression with the values and statuses (by name) under which it is evaluated."""

    expression: Expression
    values: dict[str, float | bool | str]
    statuses: dict[str, Status]
    flags: dict[str, FlagValue] = field(default_factory=lambda: dict(FLAGS))

    def believed(self) -> dict[str, object]:
        """Return the values that count, by the expression's own names i0, i1, ..."""
        return {
            f"i{place}": self.values[ref.signal]
            for place, ref in enumerate(self.expression.inputs)
            if self.statuses[ref.signal] is Status.OK
        }


class Generator:
    """Draws cases from a seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._refs: list[InputRef] = []
        self._pinned: dict[str, float] = {}

    def case(self) -> Case:
        """Return the next case."""
        self._refs, self._pinned = [], {}
        tree = ast.fix_missing_locations(self._condition(self._random.choice((1, 2, 2, 3))))
        names = sorted({node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id.isupper()})
        expression = Expression(
            text=ast.unparse(tree), place=PLACE, tree=tree, inputs=tuple(self._refs), flags=tuple(names)
        )
        doubtful = self._random.choice((0.0, 0.0, 0.35, 0.7))
        values: dict[str, float | bool | str] = {
            name: self._pinned.get(name, self._random.choice(_VALUES)) for name in ("a", "b", "c")
        }
        values["d"] = self._pinned.get("d", self._random.uniform(1.0, 100.0))
        values["peg"] = self._pinned.get("peg", self._random.choice((0.0, 0.9949999999, 0.995, 1.0, 1.005, 10.0)))
        values["open_now"] = self._random.random() < 0.5
        values["phase"] = self._random.choice(("calm", "wild"))
        statuses = {
            name: self._random.choice(DEGRADED) if self._random.random() < doubtful else Status.OK for name in values
        }
        return Case(expression, values, statuses)

    def _condition(self, depth: int) -> ast.expr:
        pick = self._random.random()
        if depth <= 0 or pick < 0.3:
            return self._comparison(depth)
        if pick < 0.6:
            parts = [self._condition(depth - 1) for _ in range(self._random.choice((2, 2, 3)))]
            return ast.BoolOp(self._random.choice((ast.And(), ast.Or())), parts)
        if pick < 0.75:
            return ast.UnaryOp(ast.Not(), self._condition(depth - 1))
        if pick < 0.85:
            return ast.IfExp(self._condition(depth - 1), self._condition(depth - 1), self._condition(depth - 1))
        return self._switch()

    def _switch(self) -> ast.expr:
        pick = self._random.randrange(6)
        if pick == 0:
            return ast.Name(self._random.choice(("ON", "OFF")), ast.Load())
        if pick == 1:
            return ast.Constant(self._random.random() < 0.5)
        if pick < 4:
            return self._input("open_now")
        word: ast.expr = ast.Constant("wild") if pick == 4 else ast.Name("WORD", ast.Load())
        sides = [self._input("phase"), word]
        self._random.shuffle(sides)
        return ast.Compare(sides[0], [self._random.choice((ast.Eq(), ast.NotEq()))], [sides[1]])

    def _comparison(self, depth: int) -> ast.expr:
        if self._random.random() < 0.5:
            return self._on_the_edge()
        count = self._random.choice((1, 1, 1, 2))
        operators = [self._operator() for _ in range(count)]
        return ast.Compare(self._number(depth), operators, [self._number(depth - 1) for _ in range(count)])

    def _on_the_edge(self) -> ast.expr:
        """Return `input op bound` whose input takes a value on, beside or away from the bound."""
        name = self._random.choice(("a", "b", "c"))
        bound = self._random.choice((0.5, 1.0, 3.0, -2.5, 12.0, 1e-9, 1e12, 0.0))
        slack = 1e-9 * max(1.0, abs(bound))
        beside = self._random.choice((0.0, 0.5, 0.999999, 1.0, 1.000001, 2.0, 1e9)) * self._random.choice((-1, 1))
        self._pinned.setdefault(name, bound + beside * slack)
        sides: list[ast.expr] = [self._input(name), self._spelled(bound)]
        if self._random.random() < 0.3:
            sides.reverse()
        return ast.Compare(sides[0], [self._operator()], [sides[1]])

    def _spelled(self, bound: float) -> ast.expr:
        for flag in _NUMERIC_FLAGS:
            if FLAGS[flag] == bound and self._random.random() < 0.7:
                return ast.Name(flag, ast.Load())
        if self._random.random() < 0.3:
            return ast.BinOp(ast.Constant(bound * 2), ast.Div(), ast.Constant(2))
        return ast.Constant(bound)

    def _operator(self) -> ast.cmpop:
        return self._random.choice((ast.Lt(), ast.LtE(), ast.Gt(), ast.GtE(), ast.Eq(), ast.NotEq()))

    def _number(self, depth: int) -> ast.expr:
        pick = self._random.random()
        if depth <= 0 or pick < 0.35:
            return self._leaf()
        if pick < 0.7:
            operator = self._random.choice((ast.Add(), ast.Sub(), ast.Mult(), ast.Div(), ast.Div()))
            return ast.BinOp(self._number(depth - 1), operator, self._number(depth - 1))
        if pick < 0.78:
            return ast.UnaryOp(ast.USub(), self._number(depth - 1))
        if pick < 0.84:
            return ast.IfExp(self._condition(depth - 1), self._number(depth - 1), self._number(depth - 1))
        name = self._random.choice(("abs", "min", "max", "pct", "bps"))
        count = self._random.choice((2, 3)) if name in ("min", "max") else 1
        return ast.Call(ast.Name(name, ast.Load()), [self._number(depth - 1) for _ in range(count)], [])

    def _leaf(self) -> ast.expr:
        pick = self._random.random()
        if pick < 0.6:
            return self._input(self._random.choice(NUMBERS))
        if pick < 0.8:
            return ast.Constant(self._random.choice(_CONSTANTS))
        return ast.Name(self._random.choice(_NUMERIC_FLAGS), ast.Load())

    def _input(self, signal: str) -> ast.expr:
        ref = InputRef(reads="value", signal=signal)
        if ref not in self._refs:
            self._refs.append(ref)
        return ast.Name(f"i{self._refs.index(ref)}", ast.Load())


def node_kinds(tree: ast.expr) -> Counter[str]:
    """Return how often each kind of node and operator occurs."""
    found: Counter[str] = Counter()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            found[f"Call {node.func.id}"] += 1
        elif isinstance(node, ast.expr | ast.operator | ast.unaryop | ast.boolop | ast.cmpop):
            found[type(node).__name__] += 1
    return found
