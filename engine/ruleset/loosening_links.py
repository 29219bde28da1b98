"""The facts of two conditions, with those tied together of which one follows from the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from engine.model.samples import InputRef
from engine.ruleset import kleene
from engine.ruleset.loosening_facts import (
    Answer,
    Cell,
    Fact,
    Ranges,
    enumerated,
    held_for,
    interval,
    measured,
    ordered,
    switch,
)
from engine.ruleset.loosening_normal import Node, inputs_in, shape, text_of
from engine.ruleset.program import input_name

PairsOf = Callable[[Node, Node, Ranges, Mapping[InputRef, tuple[str, ...]]], Mapping[tuple[Answer, Answer], str] | None]
_RISING = frozenset({(False, False), (False, None), (False, True), (None, None), (True, True)})
_LONGER = (*sorted(_RISING, key=repr), (None, True))
"""Of a condition that is true oftener, what can be answered of its having held."""


class Facts:
    """Two conditions over shared facts: `first` and `second` ask `facts` by their places."""

    def __init__(
        self, first: Node, second: Node, ranges: Ranges, words: Mapping[InputRef, tuple[str, ...]], pairs_of: PairsOf,
    ) -> None:
        self.ranges, self._words, self._pairs_of = ranges, words, pairs_of
        self.facts: list[Fact] = []
        self.differs: list[bool] = []
        """Of each fact, whether the two conditions ask different things of it."""
        asked: list[dict[Node, list[Any]]] = [{}, {}]
        for node, questions in ((first, asked[0]), (second, asked[1])):
            _collect(node, questions)
        self._places: list[dict[tuple[Node, Any], tuple[int, int]]] = [{}, {}]
        self._tie(asked)
        for key in dict.fromkeys([*asked[0], *asked[1]]):
            ours, theirs = asked[0].get(key, []), asked[1].get(key, [])
            every = list(dict.fromkeys([*ours, *theirs]))
            for side in (0, 1):
                self._places[side].update(
                    ((key, question), (len(self.facts), place)) for place, question in enumerate(every)
                )
            self._add(self._fact(key, every), differs=ours != theirs)
        self.first, self.second = self._over(first, 0), self._over(second, 1)

    def _add(self, fact: Fact, *, differs: bool) -> None:
        self.facts.append(fact)
        self.differs.append(differs)

    def _fact(self, key: Node, asked: list[Any]) -> Fact:
        match key:
            case ("limit", measure):
                return measured(measure, asked, self.ranges)
            case ("order", left, right):
                return ordered(left, right, asked, self.ranges)
            case ("word", ref):
                return enumerated(ref, asked, self._words[ref])
            case ("held", _):
                return held_for("what must have held", asked)
            case ("is", InputRef() as ref):
                return switch(input_name(ref), frozenset((ref,)))
        if key[0] == "is":
            # A part that both share: whatever it reads, it may be unknown.
            return replace(switch("what both share", frozenset()), partial=True)
        return switch("whether the words agree", inputs_in(key))

    def _over(self, node: Node, side: int) -> Node:
        """Return a condition with the places of its facts instead of them."""
        match node:
            case ("and" | "or" as word, parts):
                return (word, tuple(self._over(part, side) for part in parts))
            case ("not", inner):
                return ("not", self._over(inner, side))
            case ("if", *parts):
                return ("if", *(self._over(part, side) for part in parts))
            case ("const", _):
                return node
        return ("asks", *self._places[side][_question(node)])

    # -- ties ----------------------------------------------------------------------------------

    def _tie(self, asked: list[dict[Node, list[Any]]]) -> None:
        """Tie each fact that only one condition asks to one that only the other asks, where one implies the other."""
        alone = [[key for key in asked[side] if key not in asked[1 - side]] for side in (0, 1)]
        for ours in alone[0]:
            for theirs in alone[1]:
                if theirs not in asked[1] or len(asked[0][ours]) != 1 or len(asked[1][theirs]) != 1:
                    continue
                questions = asked[0][ours][0], asked[1][theirs][0]
                fact = self._tied(ours, theirs, questions)
                if fact is not None:
                    self._places[0][ours, questions[0]] = (len(self.facts), 0)
                    self._places[1][theirs, questions[1]] = (len(self.facts), 1)
                    self._add(fact, differs=True)
                    del asked[0][ours], asked[1][theirs]
                    break

    def _tied(self, ours: Node, theirs: Node, asked: tuple[Any, Any]) -> Fact | None:
        if ours[0] != theirs[0]:
            return None
        if ours[0] == "held":
            return self._held(ours[1], theirs[1], asked)
        if ours[0] not in ("limit", "order") or shape(ours) != shape(theirs):
            return None
        alone = [self._fact(key, [question]) for key, question in ((ours, asked[0]), (theirs, asked[1]))]
        if alone[0].inputs != alone[1].inputs or not all(one.strict and not one.partial for one in alone):
            return None
        way = self._way(ours, theirs, asked)
        if way == 0:
            return None
        pairs = [(False, False), (False, True) if way > 0 else (True, False), (True, True)]
        names = [text_of(key[1]) if ours[0] == "limit" else f"{text_of(key[1])}, {text_of(key[2])}"
                 for key in (ours, theirs)]
        return Fact(
            cells=tuple(Cell(pair, f"({names[0]}) against ({names[1]}) decides") for pair in pairs),
            unknown=Cell((None, None), f"{names[0]} is unknown"), inputs=alone[0].inputs,
        )

    def _way(self, ours: Node, theirs: Node, asked: tuple[Any, Any]) -> int:
        """Return 1 where theirs is true whenever ours is, -1 the other way round, 0 where neither is known."""
        if ours[0] == "order":
            operators = asked
            lean = [self._lean(ours[1], theirs[1]), self._lean(ours[2], theirs[2])]
            leans = None if None in lean else (lean[0], -lean[1])  # type: ignore[operator]
        else:
            operators = asked[0][0], asked[1][0]
            lean = [self._lean(ours[1], theirs[1])]
            bound = _bound_lean(*asked)
            leans = None if lean[0] is None or bound is None else (lean[0], bound)
        if leans is None or operators[0] != operators[1] or operators[0] in ("==", "!="):
            return 0
        up = 1 if operators[0] in (">", ">=") else -1
        ways = {up * one for one in leans if one}
        return ways.pop() if len(ways) == 1 else 0

    def _lean(self, ours: Node, theirs: Node) -> int | None:
        """Return 1 where their number is never below ours, -1 never above, 0 always the same, None where unknown."""
        if ours == theirs:
            return 0
        if ours[0] == theirs[0] == "num":
            return 1 if theirs[1] > ours[1] else -1
        if ours[0] == theirs[0] and len(ours) == len(theirs):
            found = self._lean_within(ours, theirs)
            if found is not None:
                return found
        mine, other = interval(ours, self.ranges), interval(theirs, self.ranges)
        if mine is None or other is None:
            return None
        return 1 if mine.high <= other.low else -1 if other.high <= mine.low else None

    def _lean_within(self, ours: Node, theirs: Node) -> int | None:
        match ours[0]:
            case "neg":
                inner = self._lean(ours[1], theirs[1])
                return None if inner is None else -inner
            case "add":
                return _agreed([self._lean(one, two) for one, two in zip(ours[1:], theirs[1:], strict=True)])
            case "call" if ours[1] == theirs[1]:
                leans = [self._lean(one, two) for one, two in zip(ours[2:], theirs[2:], strict=True)]
                return _agreed([self._signed(leans[0], ours[2], theirs[2])] if ours[1] == "abs" else leans)
            case "mul" | "div":
                return self._scaled(ours, theirs)
            case "choose" if ours[1] == theirs[1]:
                return _agreed([self._lean(one, two) for one, two in zip(ours[2:], theirs[2:], strict=True)])
        return None

    def _scaled(self, ours: Node, theirs: Node) -> int | None:
        """A product or a quotient in which one part differs and the sign of the other is known."""
        first, second = self._lean(ours[1], theirs[1]), self._lean(ours[2], theirs[2])
        if second == 0:
            return self._signed(first, ours[2], ours[2])
        if first != 0 or second is None:
            return None
        if ours[0] == "div":
            if self._sign(ours[2]) * self._sign(theirs[2]) <= 0:
                return None
            second = -second
        return self._signed(second, ours[1], ours[1])

    def _signed(self, lean: int | None, *factors: Node) -> int | None:
        signs = {self._sign(factor) for factor in factors}
        if lean is None or len(signs) != 1 or 0 in signs:
            return None
        return lean * signs.pop()

    def _sign(self, node: Node) -> int:
        found = interval(node, self.ranges)
        if found is None:
            return 0
        return 1 if found.low >= 0 else -1 if found.high <= 0 else 0

    def _held(self, ours: Node, theirs: Node, durations: tuple[int, int]) -> Fact | None:
        """Tie two held conditions of which one is true oftener and needs no longer."""
        pairs = self._pairs_of(ours, theirs, self.ranges, self._words)
        if pairs is None:
            return None
        if pairs.keys() <= _RISING and durations[1] <= durations[0]:
            answers = list(_LONGER)
        elif {(new, old) for old, new in pairs} <= _RISING and durations[1] >= durations[0]:
            answers = [(new, old) for old, new in _LONGER]
        else:
            return None
        cells = tuple(Cell(pair, "what must have held stands between the two") for pair in answers)
        return Fact(cells=cells, unknown=Cell((None, None), "what must have held is unknown"), inputs=frozenset())


def _agreed(leans: list[int | None]) -> int | None:
    """Return the way that all parts lean, those that do not differ aside."""
    ways = set(leans) - {0}
    if None in ways or len(ways) > 1:
        return None
    return ways.pop() if ways else 0


def _bound_lean(ours: tuple[str, float, bool], theirs: tuple[str, float, bool]) -> int | None:
    """Return which way a limit's edge moved, turned so that 1 lets more measures over it."""
    if ours[2] != theirs[2]:
        return None
    edges = []
    for operator, bound, fixed in (ours, theirs):
        width = kleene.slack(bound) if fixed else 0.0
        edges.append(bound - width if operator in (">=", "<") else bound + width)
    return 0 if edges[0] == edges[1] else 1 if edges[1] < edges[0] else -1


def _collect(node: Node, questions: dict[Node, list[Any]]) -> None:
    match node:
        case ("and" | "or", parts):
            for part in parts:
                _collect(part, questions)
        case ("not", inner):
            _collect(inner, questions)
        case ("if", *parts):
            for part in parts:
                _collect(part, questions)
        case ("const", _):
            pass
        case _:
            key, question = _question(node)
            known = questions.setdefault(key, [])
            if question not in known:
                known.append(question)


def _question(node: Node) -> tuple[Node, Any]:
    """Return the fact that a leaf is about, and what it asks of it."""
    match node:
        case ("limit", measure, operator, bound, fixed):
            return ("limit", measure), (operator, bound, fixed)
        case ("order", left, right, operator):
            return ("order", left, right), operator
        case ("word", ref, word, positive):
            return ("word", ref), (word, positive)
        case ("held", condition, duration):
            return ("held", condition), duration
        case ("same", left, right, positive):
            return ("same", left, right, positive), 0
    return node, 0
