"""Expressions under flag values in a form that two of them can share.

Numbers: `num` value, `in` input, `add`, `mul`, `div`, `neg`, `call`, `choose`, `undef` (never
known). Conditions: `const` (None is unknown), `and`, `or`, `not`, `if`, `held`, and the facts
they are made of: `is` (a switch), `word` (an enum is a word), `same` (two enums), `limit` (a
measure against a number), `order` (two measures). Only what floats do exactly is rewritten.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

from engine.model.flags import FlagValue
from engine.model.samples import InputRef, Unit
from engine.ruleset import kleene
from engine.ruleset.allowlist import EXACT
from engine.ruleset.kleene import Unknown
from engine.ruleset.program import input_name
from engine.ruleset.spec import Expression
from engine.signals.catalogue import Catalogue

Node = tuple[Any, ...]
"""The first item says which; the rest are values or nodes."""

UNDEFINED: Node = ("undef",)
OPERATORS: Mapping[str, ast.cmpop] = {
    ">=": ast.GtE(), ">": ast.Gt(), "<=": ast.LtE(), "<": ast.Lt(), "==": ast.Eq(), "!=": ast.NotEq(),
}
_SPELLED = {type(operator): text for text, operator in OPERATORS.items()}
MIRRORED = {">=": "<=", ">": "<", "<=": ">=", "<": ">", "==": "==", "!=": "!="}


def normal(expression: Expression, flags: Mapping[str, FlagValue], catalogue: Catalogue) -> Node:
    """Return the normal form of a condition."""
    return _Reader(expression, flags, catalogue).condition(expression.tree)


def number(value: float) -> Node:
    """Return a fixed number; one spelling of zero."""
    return ("num", value + 0.0)


def shape(node: object) -> str:
    """Return what `node` looks like with every number left out."""
    if isinstance(node, tuple):
        if node[:1] == ("num",):
            return "#"
        return f"({','.join(shape(part) for part in node)})"
    return repr(node)


class _Reader:
    def __init__(self, expression: Expression, flags: Mapping[str, FlagValue], catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._flags = flags
        self._names = frozenset(expression.flags)
        self._inputs = {f"i{index}": ref for index, ref in enumerate(expression.inputs)}
        self._held = {f"h{index}": ref for index, ref in enumerate(expression.held)}

    def condition(self, node: ast.expr) -> Node:
        """Return the normal form of a condition."""
        match node:
            case ast.Constant(value=bool() as value):
                return ("const", value)
            case ast.BoolOp(op=operator, values=values):
                word = "and" if isinstance(operator, ast.And) else "or"
                return _joined(word, [self.condition(one) for one in values])
            case ast.UnaryOp(operand=operand):
                return _negated(self.condition(operand))
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return _chosen("if", self.condition(test), self.condition(body), self.condition(orelse))
            case ast.Compare(left=left, ops=operators, comparators=others):
                sides = [left, *others]
                return _joined("and", [
                    self._compared(sides[place], _SPELLED[type(operator)], sides[place + 1])
                    for place, operator in enumerate(operators)
                ])
            case ast.Name(id=name) if name in self._held:
                held = self._held[name]
                return ("held", normal(held.condition, self._flags, self._catalogue), held.duration)
            case ast.Name(id=name) if name in self._inputs:
                return ("is", self._inputs[name])
            case ast.Name(id=name):
                return ("const", self._flags[name] is True)
        raise ValueError(f"{ast.unparse(node)} is no condition of rules")

    def _compared(self, left: ast.expr, operator: str, right: ast.expr) -> Node:
        words = [self._word(one) for one in (left, right)]
        if words[0] is not None and words[1] is not None:
            return _worded(words[0], operator, words[1])
        first, second = self.number(left), self.number(right)
        fixed = [kleene.fixed(one, self._names) for one in (left, right)]
        if UNDEFINED in (first, second):
            return ("const", None)
        if first[0] == second[0] == "num":
            return ("const", kleene.compare(
                OPERATORS[operator], first[1], second[1], left_fixed=fixed[0], right_fixed=fixed[1],
            ))
        if first[0] == "num":
            first, second, operator, fixed = second, first, MIRRORED[operator], fixed[::-1]
        if second[0] == "num":
            bound = second[1]
            if first[0] == "neg":
                first, operator, bound = first[1], MIRRORED[operator], -bound + 0.0
            return ("limit", first, operator, bound, fixed[1])
        if (shape(second), repr(second)) < (shape(first), repr(first)):
            first, second, operator = second, first, MIRRORED[operator]
        return ("order", first, second, operator)

    def _word(self, node: ast.expr) -> object | None:
        """Return an enum's input, or a word as text; None for a number."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return node.value
        if not isinstance(node, ast.Name):
            return None
        ref = self._inputs.get(node.id)
        if ref is not None:
            spec = self._catalogue.specs[ref.signal]
            return ref if ref.reads == "value" and spec.unit is Unit.ENUM else None
        value = self._flags.get(node.id)
        return value if isinstance(value, str) else None

    def number(self, node: ast.expr) -> Node:
        """Return the normal form of arithmetic."""
        match node:
            case ast.Constant(value=value):
                return number(float(value))  # type: ignore[arg-type]
            case ast.Name(id=name) if name in self._inputs:
                return ("in", self._inputs[name])
            case ast.Name(id=name):
                return number(float(self._flags[name]))
            case ast.UnaryOp(operand=operand):
                return _minus(self.number(operand))
            case ast.BinOp(left=left, op=operator, right=right):
                return _calculated(operator, self.number(left), self.number(right))
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return _chosen("choose", self.condition(test), self.number(body), self.number(orelse))
            case ast.Call(func=ast.Name(id=name), args=arguments):
                return _called(name, [self.number(argument) for argument in arguments])
        raise ValueError(f"{ast.unparse(node)} is no number of rules")


def _joined(word: str, parts: list[Node]) -> Node:
    """Return `and` or `or`, nested ones flattened: Kleene's are associative."""
    flat = [one for part in parts for one in (part[1] if part[0] == word else (part,))]
    return flat[0] if len(flat) == 1 else (word, tuple(flat))


def _negated(node: Node) -> Node:
    if node[0] == "not":
        inner: Node = node[1]
        return inner
    return ("const", None if node[1] is None else not node[1]) if node[0] == "const" else ("not", node)


def _chosen(word: str, test: Node, body: Node, orelse: Node) -> Node:
    if test[0] == "const" and test[1] is not None:
        return body if test[1] else orelse
    return (word, test, body, orelse)


def _worded(left: object, operator: str, right: object) -> Node:
    positive = operator == "=="
    refs = [one for one in (left, right) if isinstance(one, InputRef)]
    words = [one for one in (left, right) if isinstance(one, str)]
    if not refs:
        return ("const", (left == right) is positive)
    if len(refs) == 2:
        return ("same", *sorted(refs, key=repr), positive)
    return ("word", refs[0], words[0], positive)


def _minus(node: Node) -> Node:
    if node[0] == "num":
        return number(-node[1])
    if node[0] == "neg":
        inner: Node = node[1]
        return inner
    return UNDEFINED if node == UNDEFINED else ("neg", node)


def _calculated(operator: ast.operator, left: Node, right: Node) -> Node:
    if UNDEFINED in (left, right):
        return UNDEFINED
    if left[0] == right[0] == "num":
        value = kleene.arithmetic(operator, left[1], right[1])
        return UNDEFINED if isinstance(value, Unknown) else number(float(value))
    match operator:
        case ast.Add():
            return ("add", *_sorted([left, right]))
        case ast.Sub():
            return ("add", *_sorted([left, _minus(right)]))
        case ast.Mult():
            return ("mul", *_sorted([left, right]))
    return ("div", left, right)


def _called(name: str, arguments: list[Node]) -> Node:
    if UNDEFINED in arguments:
        return UNDEFINED
    if all(one[0] == "num" for one in arguments):
        value = kleene.call(name, [one[1] for one in arguments])
        return UNDEFINED if isinstance(value, Unknown) else number(float(value))
    return ("call", name, *(_sorted(arguments) if name in ("min", "max") else arguments))


def _sorted(nodes: list[Node]) -> list[Node]:
    """Return what may stand in any order in one order, in which numbers have no say."""
    return sorted(nodes, key=lambda node: (shape(node), repr(node)))


def inputs_in(node: object) -> frozenset[InputRef]:
    """Return every input that stands anywhere in `node`."""
    if isinstance(node, InputRef):
        return frozenset((node,))
    if not isinstance(node, tuple):
        return frozenset()
    found: frozenset[InputRef] = frozenset()
    for part in node:
        found |= inputs_in(part)
    return found


def tree_of(node: Node, names: Mapping[InputRef, str]) -> ast.expr:
    """Return a number's normal form as a tree again, with `names` for its inputs."""
    match node:
        case ("num", value):
            return ast.Constant(int(value) if value.is_integer() and abs(value) < EXACT else value)
        case ("in", ref):
            return ast.Name(names[ref], ast.Load())
        case ("neg", inner):
            return ast.UnaryOp(ast.USub(), tree_of(inner, names))
        case ("add", left, ("neg", right)) | ("add", ("neg", right), left):
            return ast.BinOp(tree_of(left, names), ast.Sub(), tree_of(right, names))
        case ("add", ("num", value), left) if value < 0:
            return ast.BinOp(tree_of(left, names), ast.Sub(), tree_of(number(-value), names))
        case ("add" | "mul" as word, ("num", _) as right, left):
            operator = {"add": ast.Add(), "mul": ast.Mult()}[word]
            return ast.BinOp(tree_of(left, names), operator, tree_of(right, names))
        case ("add" | "mul" | "div" as word, left, right):
            operator = {"add": ast.Add(), "mul": ast.Mult()}.get(word, ast.Div())
            return ast.BinOp(tree_of(left, names), operator, tree_of(right, names))
        case ("call", name, *arguments):
            return ast.Call(ast.Name(name, ast.Load()), [tree_of(one, names) for one in arguments], [])
        case ("choose", _, body, orelse):
            return ast.IfExp(ast.Constant(True), tree_of(body, names), tree_of(orelse, names))
    return ast.Constant(None)


def text_of(node: Node) -> str:
    """Return a number's normal form as a person reads it."""
    names = {ref: input_name(ref) for ref in inputs_in(node)}
    return ast.unparse(ast.fix_missing_locations(ast.Expression(tree_of(node, names))))
