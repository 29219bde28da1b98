"""Where an expression can be made wrong by one small change, and how.

Comparators become their neighbours: `>=` becomes `>`, `<` and `==`; `>` becomes `>=`, `<=`
and `!=`; `<` becomes `<=`, `>=` and `!=`; `<=` becomes `<`, `>` and `==`; `==` becomes `!=`,
`>=` and `<=`; `!=` becomes `==`, `<` and `>` (words know only `==` and `!=`). Numbers, and
flags that are numbers, are multiplied with 0.9 and 1.1 (0 becomes 0.1 and -0.1); windows and
held durations are a step longer and shorter; `and` and `or` are swapped, and each of their
parts is left out; `+` and `-`, and `*` and `/`, are swapped; a `not` and an `abs` are removed;
avg_over, min_over and max_over, and min and max, become each other; a label loses its value.
"""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from engine.model.flags import FlagKind, FlagSpec
from engine.model.time import parse_duration
from engine.ruleset import allowlist
from engine.workbench.test_checks import when

NEIGHBOURS: Mapping[str, tuple[str, ...]] = {
    ">=": (">", "<", "=="), ">": (">=", "<=", "!="), "<": ("<=", ">=", "!="), "<=": ("<", ">", "=="),
    "==": ("!=", ">=", "<="), "!=": ("==", "<", ">"),
}
_OPERATOR = re.compile(r"<=|>=|==|!=|<|>")
_TIMED = frozenset({
    "avg_over", "min_over", "max_over", "sum_over", "count_over", "rate_over", "increase_over", "quantile_over",
    "held", "fresh",
})
_BECOMES: Mapping[str, tuple[str, ...]] = {
    "avg_over": ("min_over", "max_over"), "min_over": ("avg_over", "max_over"), "max_over": ("avg_over", "min_over"),
    "min": ("max",), "max": ("min",), "absent": (), "abs": ("",),
}
_ARITHMETIC: Mapping[type[ast.operator], tuple[str, str]] = {
    ast.Add: ("+", "-"), ast.Sub: ("-", "+"), ast.Mult: ("*", "/"), ast.Div: ("/", "*"),
}
FACTORS = (Decimal("0.9"), Decimal("1.1"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Splice:
    """One change of an expression: `before` at `offset` of the text becomes `after`."""

    operator: str
    offset: int
    before: str
    after: str
    hint: str

    def apply(self, text: str) -> str:
        """Return `text` with the change made."""
        return text[:self.offset] + self.after + text[self.offset + len(self.before):]


def splices(text: str, flags: Mapping[str, FlagSpec], step: int) -> Iterator[Splice]:
    """Yield every small change of the expression `text`, which the loader has accepted; `step` in ns."""
    tree, _ = allowlist.parse(text)
    if tree is None:
        return
    limits = _limits_of_counts(tree)
    for node in ast.walk(tree):
        match node:
            case ast.Compare():
                yield from _comparators(text, node)
            case ast.BoolOp():
                yield _swapped(text, node)
                yield from _dropped(text, node)
            case ast.BinOp():
                yield _calculated(text, node)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                before = allowlist.segment(text, node)
                yield Splice(
                    operator="negation", offset=allowlist.offset_of(text, node), before=before,
                    after=allowlist.segment(text, operand), hint="expect the truth on both sides of what `not` negates",
                )
            case ast.Constant(value=bool() | str()):
                continue
            case ast.Constant(value=int() | float()):
                yield from _numbers(text, node, whole=node in limits)
            case ast.Name(id=name) if name in flags and flags[name].kind is FlagKind.NUMBER:
                yield from _flags(text, node)
            case ast.Call(func=ast.Name(id=name) as function):
                yield from _called(text, function, name)
                if name in _TIMED:
                    yield from _durations(text, node, step)
                    yield from _labels(text, node)


def _comparators(text: str, node: ast.Compare) -> Iterator[Splice]:
    sides = [node.left, *node.comparators]
    for left, right in itertools.pairwise(sides):
        begin = allowlist.offset_of(text, left) + len(allowlist.segment(text, left))
        found = _OPERATOR.search(text, begin, allowlist.offset_of(text, right))
        if found is None:
            continue
        words = any(isinstance(side, ast.Constant) and isinstance(side.value, str) for side in (left, right))
        for other in NEIGHBOURS[found[0]]:
            if words and other not in ("==", "!="):
                continue
            if other == "!=" and _is_count(left) and isinstance(right, ast.Constant) and right.value == 0:
                # There is no count below 0: this is the same question.
                continue
            exact = {found[0], other} in ({">", ">="}, {"<", "<="})
            hint = "a sample exactly at the limit" if exact else "a sample on each side of the limit, and one at it"
            yield Splice(
                operator="comparator", offset=found.start(), before=found[0], after=other,
                hint=f"{hint}, with the truth expected at each",
            )


def _calculated(text: str, node: ast.BinOp) -> Splice:
    word, other = _ARITHMETIC[type(node.op)]
    begin = allowlist.offset_of(text, node.left) + len(allowlist.segment(text, node.left))
    return Splice(
        operator="arithmetic", offset=text.index(word, begin), before=word, after=other,
        hint="expect the truth at two samples whose results differ",
    )


def _called(text: str, function: ast.Name, name: str) -> Iterator[Splice]:
    for other in _BECOMES.get(name, ()):
        yield Splice(
            operator="function", offset=allowlist.offset_of(text, function), before=name, after=other,
            hint="expect the truth at a negative number" if name == "abs" else
            "expect the truth for samples whose smallest, largest and mean lie on both sides of the limit",
        )


def _labels(text: str, node: ast.Call) -> Iterator[Splice]:
    """Yield the loss of each label that a window is told: it then reads samples that have another one."""
    for keyword in node.keywords:
        if isinstance(keyword.value, ast.Constant) and isinstance(keyword.value.value, str):
            written = allowlist.segment(text, keyword.value)
            yield Splice(
                operator="label", offset=allowlist.offset_of(text, keyword.value), before=written,
                after=f"{written[0]}another{written[-1]}",
                hint=f"samples with {keyword.arg} and samples without, and the truth that follows from the ones asked",
            )


def _dropped(text: str, node: ast.BoolOp) -> Iterator[Splice]:
    """Yield the loss of each part of an `and` or `or`, with the word that joins it."""
    spans = [_span(text, value) for value in node.values]
    for index, (begin, end) in enumerate(spans):
        if index:
            begin = spans[index - 1][1]
            begin += len(text[begin:]) - len(text[begin:].lstrip())
        else:
            end = spans[1][0]
        yield Splice(
            operator="clause", offset=begin, before=text[begin:end], after="",
            hint="expect the truth where this part alone decides",
        )


def _swapped(text: str, node: ast.BoolOp) -> Splice:
    """Return the change of all words of one `and` or `or`, as one splice over what lies between first and last."""
    word, other = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
    spans = [_span(text, value) for value in node.values]
    begin, end = spans[0][1], spans[-1][0]
    begin += len(text[begin:]) - len(text[begin:].lstrip())
    joined, at = "", begin
    for start, stop in spans[1:]:
        joined += re.sub(rf"\b{word}\b", other, text[at:start])
        if stop < end:
            joined += text[start:stop]
        at = stop
    return Splice(
        operator="and-or", offset=begin, before=text[begin:end].rstrip(), after=joined.rstrip(),
        hint="expect the truth where one side holds and the other does not",
    )


def _span(text: str, node: ast.expr) -> tuple[int, int]:
    """Return where a part begins and ends, the parentheses around it alone included."""
    begin = allowlist.offset_of(text, node)
    end = begin + len(allowlist.segment(text, node))
    while True:
        before, after = text[:begin].rstrip(), text[end:].lstrip()
        if not (before.endswith("(") and after.startswith(")")):
            return begin, end
        begin, end = len(before) - 1, len(text) - len(after) + 1


def _is_count(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "count_over"


def _limits_of_counts(tree: ast.expr) -> frozenset[ast.expr]:
    """Return the numbers that a count is compared with: between two whole numbers a limit can move unseen."""
    pairs = [pair for node in ast.walk(tree) if isinstance(node, ast.Compare) for pair in itertools.pairwise(
        [node.left, *node.comparators],
    )]
    return frozenset(
        side for left, right in pairs for side, other in ((left, right), (right, left))
        if isinstance(side, ast.Constant) and isinstance(side.value, int) and _is_count(other)
    )


def _numbers(text: str, node: ast.Constant, *, whole: bool) -> Iterator[Splice]:
    written = allowlist.segment(text, node)
    value = Decimal(written)
    changed = [value * factor for factor in FACTORS] if value else [Decimal("-0.1"), Decimal("0.1")]
    if whole:
        changed = [value - 1, value + 1]
    for other in changed:
        after = f"{other.normalize():f}"
        yield Splice(
            operator="threshold", offset=allowlist.offset_of(text, node), before=written, after=after,
            hint=f"a sample between the limits that {written} and {after} make",
        )


def _flags(text: str, node: ast.Name) -> Iterator[Splice]:
    for factor in FACTORS:
        yield Splice(
            operator="threshold", offset=allowlist.offset_of(text, node), before=node.id,
            after=f"({node.id} * {factor})", hint=f"a sample between the limits that {node.id} and {factor} of it make",
        )


def _durations(text: str, node: ast.Call, step: int) -> Iterator[Splice]:
    for argument in node.args:
        if not isinstance(argument, ast.Constant) or not isinstance(argument.value, str):
            continue
        duration = parse_duration(argument.value)
        written = allowlist.segment(text, argument)
        for other in (duration - step, duration + step):
            if other > 0:
                yield Splice(
                    operator="window", offset=allowlist.offset_of(text, argument), before=written,
                    after=f'{written[0]}{when(other)}{written[-1]}',
                    hint=f"expect something a step before, at and a step after {argument.value} have passed",
                )

