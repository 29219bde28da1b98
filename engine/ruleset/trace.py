"""The second evaluator: simpleeval, held to the nodes rules may have, with Kleene's answers.

It answers where an input is not known, and it remembers the value of every
sub-expression, so that a decision can be explained term by term. Where all inputs are
known it must agree with the generated functions on every input; the tests hold both
against a third that shares no code with them.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import Any, cast

from simpleeval import FeatureNotAvailable, NameNotDefined, SimpleEval

from engine.model.codec import Data
from engine.model.flags import FlagValue
from engine.ruleset import kleene
from engine.ruleset.kleene import Value
from engine.ruleset.program import Condition


class Evaluator(SimpleEval):  # type: ignore[misc,unused-ignore]
    """Evaluates one condition, again and again, with the flags of one moment."""

    def __init__(self, condition: Condition, flags: Mapping[str, FlagValue]) -> None:
        super().__init__(operators={}, functions={}, names={})
        self._condition = condition
        self._flags = {name: _flag(flags[name]) for name in condition.expression.flags}
        self._fixed = _fixed_sides(condition.expression.tree, frozenset(self._flags))
        self.seen: dict[int, Value] = {}
        """The value of every sub-expression in the last evaluation, by the id of its node."""
        self.nodes = {
            ast.Constant: self._constant, ast.Name: self._name, ast.UnaryOp: self._unary, ast.BinOp: self._binary,
            ast.BoolOp: self._logic, ast.Compare: self._comparison, ast.IfExp: self._conditional, ast.Call: self._call,
        }

    def value(self, inputs: Sequence[Value], held: Sequence[Value]) -> Value:
        """Return the condition's value; `inputs` and `held` are by their places in the rule."""
        condition = self._condition
        self.names = {
            **self._flags,
            **{name: inputs[place] for name, place in condition.inputs.items()},
            **{name: held[place] for name, place in condition.held.items()},
        }
        self.seen.clear()
        return cast(Value, self.eval("", previously_parsed=condition.expression.tree))

    def trace(self, inputs: Sequence[Value], held: Sequence[Value], names: Mapping[str, str]) -> list[Data]:
        """Return every sub-expression, outermost first, as {text, depth, value, unknown}.

        `value` is null and `unknown` holds the reasons where nobody knows; `names` are the
        readable names of `i0`, `h0`, ...
        """
        self.value(inputs, held)
        rows: list[Data] = []
        self._collect(self._condition.expression.tree, 0, names, rows)
        return rows

    def _collect(self, node: ast.expr, depth: int, names: Mapping[str, str], rows: list[Data]) -> None:
        value = self.seen[id(node)]
        doubt = isinstance(value, kleene.Unknown)
        rows.append(
            {
                "text": readable(node, names), "depth": depth, "value": None if doubt else value,
                "unknown": list(value.reasons) if isinstance(value, kleene.Unknown) else [],
            }
        )
        for child in _operands(node):
            if not isinstance(child, ast.Constant):
                self._collect(child, depth + 1, names, rows)

    def _eval(self, node: Any) -> Any:
        value = super()._eval(node)
        self.seen[id(node)] = value
        return value

    def _constant(self, node: ast.Constant) -> Value:
        if isinstance(node.value, bool | str):
            return node.value
        if isinstance(node.value, int | float):
            return kleene.finite(float(node.value))
        raise FeatureNotAvailable(f"{node.value!r} is no value of rules")

    def _name(self, node: ast.Name) -> Value:
        if node.id not in self.names:
            raise NameNotDefined(node.id, node.id)
        value: Value = self.names[node.id]
        return value

    def _unary(self, node: ast.UnaryOp) -> Value:
        operand = self._eval(node.operand)
        if isinstance(node.op, ast.Not):
            return kleene.negate(operand)
        if isinstance(node.op, ast.USub):
            return operand if isinstance(operand, kleene.Unknown) else -kleene.number(operand)
        raise FeatureNotAvailable(f"{type(node.op).__name__} is no operator of rules")

    def _binary(self, node: ast.BinOp) -> Value:
        return kleene.arithmetic(node.op, self._eval(node.left), self._eval(node.right))

    def _logic(self, node: ast.BoolOp) -> Value:
        values = [self._eval(value) for value in node.values]
        return kleene.both(values) if isinstance(node.op, ast.And) else kleene.either(values)

    def _comparison(self, node: ast.Compare) -> Value:
        sides = [node.left, *node.comparators]
        values = [self._eval(side) for side in sides]
        fixed = self._fixed[id(node)]
        return kleene.both(
            [
                kleene.compare(
                    operator, values[place], values[place + 1], left_fixed=fixed[place], right_fixed=fixed[place + 1]
                )
                for place, operator in enumerate(node.ops)
            ]
        )

    def _conditional(self, node: ast.IfExp) -> Value:
        return kleene.choose(self._eval(node.test), self._eval(node.body), self._eval(node.orelse))

    def _call(self, node: ast.Call) -> Value:
        if not isinstance(node.func, ast.Name) or node.keywords:
            raise FeatureNotAvailable("rules call functions by their names alone")
        return kleene.call(node.func.id, [self._eval(argument) for argument in node.args])


def _flag(value: FlagValue) -> Value:
    return value if isinstance(value, bool | str) else kleene.finite(float(value))


def _fixed_sides(tree: ast.expr, flags: frozenset[str]) -> dict[int, tuple[bool, ...]]:
    return {
        id(node): tuple(kleene.fixed(side, flags) for side in (node.left, *node.comparators))
        for node in ast.walk(tree)
        if isinstance(node, ast.Compare)
    }


def _operands(node: ast.expr) -> tuple[ast.expr, ...]:
    match node:
        case ast.BoolOp(values=values):
            return tuple(values)
        case ast.UnaryOp(operand=operand):
            return (operand,)
        case ast.BinOp(left=left, right=right):
            return (left, right)
        case ast.Compare(left=left, comparators=others):
            return (left, *others)
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return (test, body, orelse)
        case ast.Call(args=arguments):
            return tuple(arguments)
    return ()


def readable(node: ast.expr, names: Mapping[str, str]) -> str:
    """Return `node` as text with `i0`, `h0`, ... replaced by what they are called in `names`."""
    return ast.unparse(_Renamed(names).visit(ast.parse(ast.unparse(node), mode="eval").body))


class _Renamed(ast.NodeTransformer):
    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.Name(id=self._names.get(node.id, node.id), ctx=ast.Load())
