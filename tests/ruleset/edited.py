"""Random expressions and one edit of each, as a person would make it."""

from __future__ import annotations

import ast
import copy
import random
from dataclasses import dataclass

from engine.ruleset.spec import Expression
from tests.ruleset.generated import Case, Generator
from tests.ruleset.notation import PLACE

_OPERATORS = (ast.Lt(), ast.LtE(), ast.Gt(), ast.GtE(), ast.Eq(), ast.NotEq())
_NUMBERS = (0.0, 0.25, 0.5, 0.5000001, 1.0, 2.0, -1.0, 3.0, 12.0, 100.0)


@dataclass(frozen=True, slots=True)
class Edit:
    """An expression before and after, and what was done to it."""

    before: Case
    after: Expression
    what: str


class Editor(Generator):
    """Draws edits from a seed."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self._dice = random.Random(seed * 7 + 1)

    def edit(self) -> Edit:
        """Return the next edit."""
        case = self.case()
        tree = copy.deepcopy(case.expression.tree)
        what = "nothing"
        for _ in range(self._dice.choice((1, 1, 1, 2))):
            tree, what = self._edited(tree)
        tree = ast.fix_missing_locations(tree)
        names = sorted({node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id.isupper()})
        after = Expression(
            text=ast.unparse(tree), place=PLACE, tree=tree, inputs=tuple(self._refs), flags=tuple(names),
        )
        return Edit(case, after, what)

    def _edited(self, tree: ast.expr) -> tuple[ast.expr, str]:
        compares = [node for node in ast.walk(tree) if isinstance(node, ast.Compare)]
        numbers = [
            (node, float(node.value)) for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, int | float)
            and not isinstance(node.value, bool)
        ]
        joins = [node for node in ast.walk(tree) if isinstance(node, ast.BoolOp)]
        pick = self._dice.randrange(7)
        if pick <= 2 and numbers:
            node, known = self._dice.choice(numbers)
            node.value = self._dice.choice((*_NUMBERS, known * 1.1, known * 0.9))
            return tree, "number"
        if pick == 3 and compares:
            self._dice.choice(compares).ops[0] = self._dice.choice(_OPERATORS[:4])
            return tree, "comparator"
        if pick == 4 and joins:
            join = self._dice.choice(joins)
            if len(join.values) > 2 and self._dice.random() < 0.5:
                join.values.pop()
                return tree, "part dropped"
            join.op = ast.And() if isinstance(join.op, ast.Or) else ast.Or()
            return tree, "and/or"
        if pick == 5:
            return ast.UnaryOp(ast.Not(), tree), "not"
        joined = self._dice.choice((ast.And(), ast.Or()))
        return ast.BoolOp(joined, [tree, self._condition(1)]), f"joined with {type(joined).__name__}"
