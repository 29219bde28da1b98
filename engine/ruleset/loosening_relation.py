"""Which answers two conditions can give at one instant: every pair of (before, after).

Both are taken apart into the same facts, and every way in which these can stand together is
tried. A pair that is not found cannot happen; one that is found may be impossible, because
what is not known to hang together is taken to be free.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from math import prod

from engine.model.samples import InputRef
from engine.ruleset.intervals import Interval, input_interval
from engine.ruleset.loosening_facts import Answer, Cell, Fact, Ranges
from engine.ruleset.loosening_links import Facts
from engine.ruleset.loosening_normal import Node, inputs_in, normal
from engine.ruleset.loosening_side import Side
from engine.ruleset.spec import Expression
from engine.signals.catalogue import Catalogue

MOST_WAYS = 20_000
"""More than so many ways to stand are not tried: what both conditions share is then one fact."""
_MOST_INPUTS = 6

Pair = tuple[Answer, Answer]
Pairs = Mapping[Pair, str]
"""Each pair of answers that can be given, and one way in which it is, in words."""


def relate(before: tuple[Side, Expression], after: tuple[Side, Expression]) -> Pairs | None:
    """Return the pairs of answers of two conditions, each of its rule; None where it is too much to try."""
    (old, old_expression), (new, new_expression) = before, after
    first = normal(old_expression, old.flags, old.catalogue)
    second = normal(new_expression, new.flags, new.catalogue)
    catalogues, refs = (old.catalogue, new.catalogue), inputs_in(first) | inputs_in(second)
    return pairs_of(first, second, ranges_of(catalogues, refs), words_of(catalogues, refs))


def pairs_of(first: Node, second: Node, ranges: Ranges, words: Mapping[InputRef, tuple[str, ...]]) -> Pairs | None:
    """Return the pairs of answers of two conditions in normal form."""
    if first == second:
        return {(True, True): "", (None, None): "", (False, False): ""}
    for shared in (False, True):
        if shared:
            first, second = _without_shared(first, second)
        facts = Facts(first, second, ranges, words, pairs_of)
        found = _tried(facts)
        if found is not None:
            return found
    return None


def ranges_of(catalogues: Sequence[Catalogue], refs: Iterable[InputRef]) -> dict[InputRef, Interval]:
    """Return what each input can be in any of `catalogues`, where it is a number."""
    found: dict[InputRef, Interval] = {}
    for ref in refs:
        specs = [spec for catalogue in catalogues if (spec := catalogue.get(ref.signal)) is not None]
        known = [input_interval(ref, spec) for spec in specs if not spec.values]
        if known:
            found[ref] = Interval(min(one.low for one in known), max(one.high for one in known))
    return found


def words_of(catalogues: Sequence[Catalogue], refs: Iterable[InputRef]) -> dict[InputRef, tuple[str, ...]]:
    """Return the words that each input can be in any of `catalogues`."""
    found: dict[InputRef, tuple[str, ...]] = {}
    for ref in refs:
        specs = [spec for catalogue in catalogues if (spec := catalogue.get(ref.signal)) is not None]
        found[ref] = tuple(dict.fromkeys(word for spec in specs for word in spec.values))
    return found


def _tried(facts: Facts) -> Pairs | None:
    """Return the pairs over all ways in which `facts` can stand, the fewest unknown first."""
    found: dict[Pair, str] = {}
    ways = 0
    for choices in _choices(facts.facts):
        ways += prod(len(cells) for cells in choices)
        if ways > MOST_WAYS:
            return None
        for cells in product(*choices):
            pair = answer(facts.first, cells), answer(facts.second, cells)
            if pair not in found:
                found[pair] = _in_words(facts, cells)
                if len(found) == len(_ALL):
                    return found
    return found


_ALL = tuple(product((True, False, None), repeat=2))


def _choices(facts: Sequence[Fact]) -> Iterator[list[tuple[Cell, ...]]]:
    """Yield, for each set of inputs that may be unknown together, the cells that each fact is left."""
    inputs = sorted(frozenset().union(*(fact.inputs for fact in facts)), key=repr)
    if len(inputs) > _MOST_INPUTS:
        yield [(*fact.cells, fact.unknown) for fact in facts]
        return
    for count in range(len(inputs) + 1):
        for lost in combinations(inputs, count):
            yield [_left(fact, frozenset(lost)) for fact in facts]


def _left(fact: Fact, lost: frozenset[InputRef]) -> tuple[Cell, ...]:
    if fact.inputs & lost:
        return (fact.unknown,) if fact.strict else (*fact.cells, fact.unknown)
    return (*fact.cells, fact.unknown) if fact.partial else fact.cells


RISING: frozenset[Pair] = frozenset({(False, False), (False, None), (False, True), (None, None), (True, True)})
"""Pairs of which the second answer is true wherever the first is, and in doubt wherever the first is."""


def answer(node: Node, cells: Sequence[Cell]) -> Answer:
    """Return what a condition over facts answers where each stands as `cells` say."""
    match node:
        case ("const", value):
            known: Answer = value
            return known
        case ("asks", fact, question):
            return cells[fact].answers[question]
        case ("not", inner):
            value = answer(inner, cells)
            return None if value is None else not value
        case ("and" | "or" as word, parts):
            decides = word == "or"
            answers = [answer(part, cells) for part in parts]
            return decides if decides in answers else None if None in answers else not decides
        case ("if", test, body, orelse):
            chosen = answer(test, cells)
            if chosen is not None:
                return answer(body if chosen else orelse, cells)
            both = answer(body, cells), answer(orelse, cells)
            return both[0] if both[0] == both[1] else None
    raise ValueError(f"{node[0]} is no condition over facts")


def _in_words(facts: Facts, cells: Sequence[Cell]) -> str:
    """Return how facts stand, those that the two conditions ask differently first, at most three."""
    order = sorted(range(len(cells)), key=lambda place: (not facts.differs[place], place))
    texts = [cells[place].text for place in order[:3]]
    return " and ".join(texts) if texts else "whatever it reads"


@dataclass(frozen=True, slots=True)
class _Shared:
    """A part that both conditions have; it stands for a fact of its own."""

    text: str


def _without_shared(first: Node, second: Node) -> tuple[Node, Node]:
    """Return two conditions with what both join in the same way made one fact."""
    if first[0] != second[0] or first[0] not in ("and", "or"):
        return first, second
    shared = [part for part in first[1] if part in second[1]]
    if not shared:
        return first, second
    rest = [[part for part in node[1] if part not in shared] for node in (first, second)]
    one: Node = ("is", _Shared("what both share"))
    if len(rest[0]) == len(rest[1]) == 1:
        rest = [[part] for part in _without_shared(rest[0][0], rest[1][0])]
    word = first[0]
    return (word, (one, *rest[0])), (word, (one, *rest[1]))
