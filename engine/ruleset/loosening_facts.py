"""The facts that two conditions are made of, and the ways in which each can stand.

A fact is one measure, or whatever else is true, false or unknown for itself. Its cells are
all the ways it can stand that make a difference: the stretches between the limits that the
two conditions compare it with, and unknown. Facts that are not known to hang together are
taken to be free of each other: that allows more than can happen, never less.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from engine.model.samples import InputRef
from engine.ruleset import kleene
from engine.ruleset.intervals import Interval, interval_of
from engine.ruleset.loosening_normal import OPERATORS, Node, inputs_in, text_of, tree_of
from engine.ruleset.program import input_name

Answer = bool | None
"""True, false, or None for unknown."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One way in which a fact can stand: the answer to each question asked of it, and the way in words."""

    answers: tuple[Answer, ...]
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """See the module. `cells` are the known ways."""

    cells: tuple[Cell, ...]
    unknown: Cell
    inputs: frozenset[InputRef]
    strict: bool = True
    """Whether one unknown input makes it unknown."""
    partial: bool = False
    """Whether it can be unknown though all its inputs are known."""


Ranges = Mapping[InputRef, Interval]


def interval(node: Node, ranges: Ranges) -> Interval | None:
    """Return the values a number can have while it is known; None where nothing is known of them."""
    refs = sorted(inputs_in(node), key=repr)
    names = {ref: f"i{place}" for place, ref in enumerate(refs)}
    known = {names[ref]: ranges[ref] for ref in refs if ref in ranges}
    return interval_of(tree_of(node, names), known)


def always_known(node: Node, ranges: Ranges) -> bool:
    """Whether a number is known wherever its inputs are: nothing overflows, nothing is divided by zero."""
    if interval(node, ranges) is None:
        return False
    if node[0] == "div":
        divisor = interval(node[2], ranges)
        if divisor is None or not divisor.excludes_zero():
            return False
    return all(always_known(part, ranges) for part in node[1:] if isinstance(part, tuple) and node[0] != "in")


def has_choice(node: object) -> bool:
    """Whether `x if c else y` stands in a number: it can be known though an input of it is not."""
    return isinstance(node, tuple) and (node[:1] == ("choose",) or any(has_choice(part) for part in node))


def measured(measure: Node, asked: Sequence[tuple[str, float, bool]], ranges: Ranges) -> Fact:
    """Return the fact of a measure of which (operator, bound, with tolerance) are asked."""
    text, within = text_of(measure), interval(measure, ranges)
    found: dict[tuple[Answer, ...], list[_Stretch]] = {}
    before: tuple[Answer, ...] | None = None
    for one in _stretches(sorted({edge for question in asked for edge in _edges(question)}), within):
        answers = tuple(_holds(operator, one.point, bound, fixed) for operator, bound, fixed in asked)
        runs = found.setdefault(answers, [])
        if answers == before:
            runs[-1] = _Stretch(runs[-1].begin, one.end, one.point)
        else:
            runs.append(one)
        before = answers
    cells = [Cell(answers, f"{text} is {_said(runs)}") for answers, runs in found.items()]
    return _fact(measure, cells, ranges, len(asked), f"{text} is unknown")


@dataclass(frozen=True, slots=True)
class _Stretch:
    """A part of the line in which no limit lies, and a value in it."""

    begin: float
    end: float
    point: float


def _said(runs: list[_Stretch]) -> str:
    """Return where a measure is, in words; the tolerance of limits is not spelled out."""
    texts = []
    for run in runs:
        begin, end = f"{run.begin:.6g}", f"{run.end:.6g}"
        if begin == end:
            texts.append(begin)
        elif math.isinf(run.begin):
            texts.append("anything" if math.isinf(run.end) else f"below {end}")
        else:
            texts.append(f"above {begin}" if math.isinf(run.end) else f"between {begin} and {end}")
    return " or ".join(texts)


def _fact(measure: Node, cells: Iterable[Cell], ranges: Ranges, asked: int, unknown: str) -> Fact:
    return Fact(
        cells=tuple(cells), unknown=Cell((None,) * asked, unknown), inputs=inputs_in(measure),
        strict=not has_choice(measure), partial=not _all_known(measure, ranges),
    )


def _all_known(measure: Node, ranges: Ranges) -> bool:
    parts = measure if isinstance(measure[0], tuple) else (measure,)
    return all(always_known(part, ranges) for part in parts)


def _edges(asked: tuple[str, float, bool]) -> tuple[float, ...]:
    operator, bound, fixed = asked
    width = kleene.slack(bound) if fixed else 0.0
    if operator in (">=", "<"):
        return (bound - width,)
    return (bound + width,) if operator in ("<=", ">") else (bound - width, bound + width)


def _holds(operator: str, value: float, bound: float, fixed: bool) -> bool:
    return kleene.compare(OPERATORS[operator], value, bound, left_fixed=False, right_fixed=fixed) is True


def _stretches(edges: list[float], within: Interval | None) -> list[_Stretch]:
    """Return the stretches that `edges` cut the line into, and the edges, as far as a measure can be there."""
    low, high = (-math.inf, math.inf) if within is None else (within.low, within.high)
    found: list[_Stretch] = []
    ends = [-math.inf, *edges, math.inf]
    for place, (left, right) in enumerate(pairwise(ends)):
        begin, end = max(math.nextafter(left, math.inf), low), min(math.nextafter(right, -math.inf), high)
        if begin <= end:
            found.append(_Stretch(max(left, low), min(right, high), _middle(begin, end)))
        if place < len(edges) and low <= right <= high:
            found.append(_Stretch(right, right, right))
    return found


def _middle(begin: float, end: float) -> float:
    far = 1e300
    if begin <= -far:
        return begin if end <= -far else end - max(1.0, abs(end)) if end < far else 0.0
    return begin + max(1.0, abs(begin)) if end >= far else min(max(begin / 2 + end / 2, begin), end)


def ordered(left: Node, right: Node, asked: Sequence[str], ranges: Ranges) -> Fact:
    """Return the fact of two measures of which is the greater; `asked` are operators."""
    texts = (text_of(left), text_of(right))
    ways = ((-1.0, "is below"), (0.0, "equals"), (1.0, "is above"))
    cells = [
        Cell(
            tuple(_holds(operator, sign, 0.0, fixed=False) for operator in asked), f"{texts[0]} {way} {texts[1]}",
        )
        for sign, way in ways
    ]
    return _fact((left, right), cells, ranges, len(asked), f"{texts[0]} or {texts[1]} is unknown")


def enumerated(ref: InputRef, asked: Sequence[tuple[str, bool]], words: Iterable[str]) -> Fact:
    """Return the fact of an enum; `asked` are (word, whether it is that)."""
    text = input_name(ref)
    cells = tuple(
        Cell(tuple((word == one) is positive for one, positive in asked), f"{text} is {word}") for word in words
    )
    return Fact(cells=cells, unknown=Cell((None,) * len(asked), f"{text} is unknown"), inputs=frozenset((ref,)))


def switch(text: str, inputs: frozenset[InputRef]) -> Fact:
    """Return a fact that is true or false for itself."""
    return Fact(
        cells=(Cell((True,), f"{text} is true"), Cell((False,), f"{text} is false")),
        unknown=Cell((None,), f"{text} is unknown"), inputs=inputs,
    )


def held_for(text: str, durations: Sequence[int]) -> Fact:
    """Return the fact of a held condition asked for several durations (ns).

    Known-true time completes it and doubt only prolongs it, so of rising durations some are
    true, then some unknown, then the rest false.
    """
    order = sorted(range(len(durations)), key=lambda place: durations[place])
    cells: dict[tuple[Answer, ...], Cell] = {}
    for true in range(len(order) + 1):
        for known in range(true, len(order) + 1):
            answers: list[Answer] = [False] * len(order)
            for rank, place in enumerate(order):
                answers[place] = True if rank < true else None if rank < known else False
            said = "true" if true else "unknown" if known else "false"
            cells.setdefault(tuple(answers), Cell(tuple(answers), f"{text} is {said}"))
    return Fact(
        cells=tuple(cells.values()), unknown=Cell((None,) * len(order), f"{text} is unknown"), inputs=frozenset(),
    )
