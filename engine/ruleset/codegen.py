"""One Python function an expression, for the path on which every input is known.

The code is compiled once a rule and shared by all its instances: the slots an instance
reads are default arguments, so a hundred thousand instances cost a hundred thousand
small function objects and no compilation. Where instances are few, each has its slots
baked into code of its own. Numbers are floats and flags are folded in, because CPython runs float arithmetic on
constants fastest; `abs`, `min` and `max` are spelled out, because a call costs more than
a rule.

The functions know two answers. Where the third may arise (a zero divisor, a result that
is not finite) they raise ZeroDivisionError, and the caller asks the Kleene evaluator.
"""

from __future__ import annotations

import ast
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from engine.model.flags import FlagValue
from engine.ruleset import kleene
from engine.ruleset.intervals import LEAST_DIVISOR, Interval, interval_of

RuleFunction = Callable[[Sequence[float | bool | str]], bool]
"""Takes the snapshot's `values`; raises ZeroDivisionError where the answer is not known."""

_COMPARISONS = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="}
_ARITHMETIC = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
_RAISE = "1.0 / 0.0"
_KEPT = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """Compiled code of one expression under one set of flag values.

    `code` takes its slots as default arguments; in `baked` they are constants, to be replaced.
    `inputs` are the places, in the rule's list of inputs, of what it reads, in the order of
    the code's slot arguments. `held` says whether it reads held conditions.
    """

    code: types.CodeType
    baked: types.CodeType
    inputs: tuple[int, ...]
    held: bool
    body: str

    def bind(self, slots: Sequence[int], held: list[bool]) -> RuleFunction:
        """Return the function for an instance whose inputs are at `slots` and whose held conditions are `held`."""
        defaults: tuple[object, ...] = tuple(slots[place] for place in self.inputs)
        if self.held:
            defaults = (*defaults, held)
        return types.FunctionType(self.code, _NO_GLOBALS, "rule", defaults)

    def bake(self, slots: Sequence[int], held: list[bool]) -> RuleFunction:
        """Return the same as `bind` with code of its own, its slots baked in: larger, and faster to call."""
        code = self.baked.replace(co_consts=tuple(_slot(constant, slots) for constant in self.baked.co_consts))
        return types.FunctionType(code, _NO_GLOBALS, "rule", (held,) if self.held else ())


_NO_GLOBALS: dict[str, object] = {}
_PLACES = 1 << 40


def _compiled(arguments: Sequence[str], body: str) -> types.CodeType:
    space: dict[str, types.FunctionType] = {}
    source = f"def rule({', '.join(['v', *arguments])}): return {body}"
    exec(compile(source, "<rule>", "exec"), {"__builtins__": {}}, space)
    return space["rule"].__code__


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What the names in an expression mean.

    `inputs` and `held` give the place of `i0`, `h0`, ... in the rule's own lists; `flags` are
    values in force; `ranges` bound the inputs by name.
    """

    inputs: Mapping[str, int]
    held: Mapping[str, int] = field(default_factory=dict)
    flags: Mapping[str, FlagValue] = field(default_factory=dict)
    ranges: Mapping[str, Interval] = field(default_factory=dict)
    conditions: frozenset[str] = frozenset()
    """Inputs that are words or switches, which compare exactly."""


class _Baked(ast.NodeTransformer):
    """Puts a constant that no rule can hold (rules' numbers are floats) where a slot argument is."""

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return ast.Constant(_PLACES + int(node.id[1:])) if node.id.startswith("s") else node


def _slot(constant: object, slots: Sequence[int]) -> object:
    return slots[constant - _PLACES] if isinstance(constant, int) and constant >= _PLACES else constant


def compile_template(tree: ast.expr, scope: Scope) -> Template:
    """Return the code of `tree`; ValueError for a node that rules do not have.

    The last few thousand are kept: a reload compiles anew only what changed.
    """
    # A tree is its own key, and values carry their types: what is true and what is one compare equal and differ.
    return _template(
        tree, tuple(scope.inputs.items()), tuple(scope.held.items()),
        (tuple((name, type(value), value) for name, value in scope.flags.items()), tuple(scope.ranges.items())),
        scope.conditions,
    )


@lru_cache(maxsize=_KEPT)
def _template(
    tree: ast.expr, inputs: tuple[tuple[str, int], ...], held: tuple[tuple[str, int], ...], values: Any,
    conditions: frozenset[str],
) -> Template:
    flags, ranges = values
    scope = Scope(
        inputs=dict(inputs), held=dict(held), flags={name: value for name, _, value in flags}, ranges=dict(ranges),
        conditions=conditions,
    )
    writer = _Writer(scope)
    body = writer.write(tree)
    names = sorted(writer.read, key=lambda name: scope.inputs[name])
    places = tuple(scope.inputs[name] for name in names)
    arguments = [*(f"s{place}=0" for place in places), *(["h=0"] if writer.reads_held else [])]
    constants = ast.unparse(_Baked().visit(ast.parse(body, mode="eval")))
    baked = _compiled(["h=0"] if writer.reads_held else [], constants)
    return Template(
        code=_compiled(arguments, body), baked=baked, inputs=places, held=writer.reads_held, body=body
    )


class _Writer:
    """Writes Python for one expression; remembers what it read."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._flags = frozenset(scope.flags)
        self._ranges = {
            **scope.ranges,
            **{
                name: Interval(float(value), float(value))
                for name, value in scope.flags.items()
                if not isinstance(value, bool | str)
            },
        }
        self._temporaries = 0
        self.read: set[str] = set()
        self.reads_held = False

    def write(self, node: ast.expr) -> str:
        """Return `node` as Python text."""
        if self._is_fixed(node):
            return self._constant(node)
        match node:
            case ast.Name(id=name):
                return self._name(name)
            case ast.BoolOp(op=operator, values=values):
                word = " and " if isinstance(operator, ast.And) else " or "
                return "(" + word.join(self.write(value) for value in values) + ")"
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return f"(not {self.write(operand)})"
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return f"(-{self.write(operand)})"
            case ast.BinOp(left=left, op=operator, right=right):
                divisor = self._divisor(right) if isinstance(operator, ast.Div) else self.write(right)
                return f"({self.write(left)} {_ARITHMETIC[type(operator)]} {divisor})"
            case ast.Compare():
                return self._comparisons(node)
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return f"({self.write(body)} if {self.write(test)} else {self.write(orelse)})"
            case ast.Call(func=ast.Name(id=name), args=arguments):
                return self._call(name, arguments)
        raise ValueError(f"{type(node).__name__} is no part of a rule's expression")

    def sound(self, node: ast.expr) -> str:
        """Return `node` as text that raises where its value is not finite: infinity must not be compared away."""
        text = self.write(node)
        if self._is_fixed(node) or not _computes(node) or interval_of(node, self._ranges) is not None:
            return text
        name = self._temporary()
        return f"({name} if ({name} := {text}) - {name} == 0.0 else {_RAISE})"

    def _divisor(self, node: ast.expr) -> str:
        """Return `node` as text that is zero, which raises, where it is so near to zero that dividing may overflow."""
        text, around = self.sound(node), interval_of(node, self._ranges)
        if self._is_fixed(node) or around is None or around.excludes_zero():
            return text
        name = self._temporary()
        sides = [f"({name} := {text}) > {LEAST_DIVISOR!r}"] if around.high > 0 else []
        if around.low < 0:
            sides.append(f"{name} < -{LEAST_DIVISOR!r}" if sides else f"({name} := {text}) < -{LEAST_DIVISOR!r}")
        return f"({name} if {' or '.join(sides)} else 0.0)" if sides else text

    def _is_fixed(self, node: ast.expr) -> bool:
        return kleene.fixed(node, self._flags)

    def _constant(self, node: ast.expr) -> str:
        value = fold(node, self._scope.flags)
        if isinstance(value, kleene.Unknown):
            return f"({_RAISE})"
        return repr(float(value)) if not isinstance(value, bool | str) else repr(value)

    def _name(self, name: str) -> str:
        if name in self._scope.inputs:
            self.read.add(name)
            return f"v[s{self._scope.inputs[name]}]"
        if name in self._scope.held:
            self.reads_held = True
            return f"h[{self._scope.held[name]}]"
        raise ValueError(f"{name} is no input, held condition or flag of this expression")

    def _comparisons(self, node: ast.Compare) -> str:
        sides = [node.left, *node.comparators]
        pairs = [
            self._compare(left, operator, right)
            for left, operator, right in zip(sides, node.ops, sides[1:], strict=False)
        ]
        return pairs[0] if len(pairs) == 1 else "(" + " and ".join(pairs) + ")"

    def _compare(self, left: ast.expr, operator: ast.cmpop, right: ast.expr) -> str:
        if self._is_fixed(left) and not self._is_fixed(right):
            left, right, operator = right, left, kleene.mirrored(operator)
        if self._is_fixed(right):
            bound = fold(right, self._scope.flags)
            if not isinstance(bound, kleene.Unknown | bool | str) and not self._is_condition(left):
                return self._near(self.sound(left), operator, float(bound))
        word = _COMPARISONS.get(type(operator))
        if word is None:
            raise ValueError(f"{type(operator).__name__} is no comparison of rules")
        return f"({self.sound(left)} {word} {self.sound(right)})"

    def _is_condition(self, node: ast.expr) -> bool:
        return isinstance(node, ast.Name) and (node.id in self._scope.conditions or node.id in self._scope.held)

    def _near(self, value: str, operator: ast.cmpop, bound: float) -> str:
        width = kleene.slack(bound)
        low, high = _literal(bound - width), _literal(bound + width)
        match operator:
            case ast.GtE():
                return f"({value} >= {low})"
            case ast.Lt():
                return f"({value} < {low})"
            case ast.LtE():
                return f"({value} <= {high})"
            case ast.Gt():
                return f"({value} > {high})"
            case ast.Eq():
                return f"({low} <= {value} <= {high})"
            case ast.NotEq():
                return f"(not {low} <= {value} <= {high})"
        raise ValueError(f"{type(operator).__name__} is no comparison of rules")

    def _call(self, name: str, arguments: Sequence[ast.expr]) -> str:
        if name in kleene.SCALES:
            return f"({self.write(arguments[0])} * {kleene.SCALES[name]!r})"
        if name == "abs":
            value = self._temporary()
            return f"({value} if ({value} := {self.write(arguments[0])}) >= 0.0 else -{value})"
        if name not in ("min", "max"):
            raise ValueError(f"{name} is no function of rules")
        word = "<=" if name == "min" else ">="
        best = self.sound(arguments[0])
        for argument in arguments[1:]:
            first, second = self._temporary(), self._temporary()
            best = f"({first} if ({first} := {best}) {word} ({second} := {self.sound(argument)}) else {second})"
        return best

    def _temporary(self) -> str:
        self._temporaries += 1
        return f"t{self._temporaries}"


def _computes(node: ast.expr) -> bool:
    """Whether `node` is arithmetic; samples themselves are always finite, and conditions are no numbers."""
    match node:
        case ast.BinOp() | ast.Call():
            return True
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return _computes(operand)
        case ast.IfExp(body=body, orelse=orelse):
            return _computes(body) or _computes(orelse)
    return False


def _literal(number: float) -> str:
    return repr(number) if number - number == 0.0 else _RAISE


def fold(node: ast.expr, flags: Mapping[str, FlagValue]) -> kleene.Value:
    """Return the value of `node`, which constants and flags alone make."""
    match node:
        case ast.Constant(value=bool() | str() as value):
            return value
        case ast.Constant(value=int() | float() as value):
            return kleene.finite(float(value))
        case ast.Name(id=name):
            value = flags[name]
            return value if isinstance(value, bool | str) else kleene.finite(float(value))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            inner = fold(operand, flags)
            return inner if isinstance(inner, kleene.Unknown) else -kleene.number(inner)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return kleene.negate(fold(operand, flags))
        case ast.BinOp(left=left, op=operator, right=right):
            return kleene.arithmetic(operator, fold(left, flags), fold(right, flags))
        case ast.BoolOp(op=operator, values=values):
            parts = [fold(value, flags) for value in values]
            return kleene.both(parts) if isinstance(operator, ast.And) else kleene.either(parts)
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return kleene.choose(fold(test, flags), fold(body, flags), fold(orelse, flags))
        case ast.Call(func=ast.Name(id=name), args=arguments):
            return kleene.call(name, [fold(argument, flags) for argument in arguments])
        case ast.Compare():
            sides = [fold(side, flags) for side in (node.left, *node.comparators)]
            return kleene.both(
                [
                    kleene.compare(operator, left, right, left_fixed=True, right_fixed=True)
                    for left, operator, right in zip(sides, node.ops, sides[1:], strict=False)
                ]
            )
    raise ValueError(f"{type(node).__name__} is no part of a rule's expression")
