"""The change that is said to turn a condition turns it, and nothing nearer would have."""

from __future__ import annotations

import ast
from collections import Counter

import pytest

from engine.model.samples import Status
from engine.ruleset import kleene
from engine.ruleset.kleene import Unknown, Value
from engine.ruleset.trace import Evaluator
from engine.workbench.flips import Look, flips, parts
from tests.ruleset.generated import FLAGS, Case, Generator
from tests.ruleset.notation import CATALOGUE, expression
from tests.ruleset.oracle import verdict
from tests.ruleset.test_agreement import program_of

CASES = 300
_LETTERS = {True: "t", False: "f"}


def look_at(case: Case) -> Look:
    """Return what `why-not` looks at: a reading in doubt was never heard."""
    program = program_of(case)
    inputs: list[Value] = [
        kleene.doubt(case.statuses[ref.signal], ref.signal) if case.statuses[ref.signal] else case.values[ref.signal]
        for ref in program.refs
    ]
    last = [Unknown(()) if isinstance(value, Unknown) else value for value in inputs]
    return Look(
        condition=program.main, evaluator=Evaluator(program.main, case.flags), program=program, catalogue=CATALOGUE,
        inputs=inputs, held=[], last=last,
    )


def by_oracle(case: Case, node: ast.expr, place: int, value: object) -> str:
    """Return what the oracle says of `node` with one reading changed."""
    return verdict(node, {**case.believed(), f"i{place}": value}, case.flags)


def test_the_oracle_agrees_that_every_change_turns_its_part() -> None:
    """For the whole and for every part, with missing inputs, zero divisors and values on the threshold."""
    turned: Counter[str] = Counter()
    for seed in range(CASES):
        case = Generator(seed).case()
        look = look_at(case)
        for node, _ in parts(case.expression.tree):
            for wanted in (True, False):
                if verdict(node, case.believed(), case.flags) == _LETTERS[wanted]:
                    continue
                found = flips(look, node, wanted)
                for flip in found:
                    said = by_oracle(case, node, flip.place, flip.to)
                    assert said == _LETTERS[wanted], (case.expression.text, ast.unparse(node), flip)
                turned["found" if found else "none"] += 1

    assert turned["found"] > CASES, turned
    assert turned["none"] > CASES / 10, turned


GRID = (
    *(step / 4 for step in range(-60, 61)), 0.995, 1.005, 0.99501, 1.00499, 1e-9, -1e-9, 1e12, -1e12, 30.0, 50.0, 99.0,
    0.4999, 0.5001, 2.9999, 3.0001,
)


def test_no_value_of_a_grid_is_nearer_and_none_turns_what_is_said_not_to_turn() -> None:
    """Brute force over one reading at a time, by the oracle: the search may miss next to nothing."""
    asked = missed = farther = 0
    for seed in range(CASES):
        case = Generator(seed).case()
        look = look_at(case)
        now = verdict(case.expression.tree, case.believed(), case.flags)
        if now == "u":
            continue
        wanted = now == "f"
        found = {flip.place: flip for flip in flips(look, case.expression.tree, wanted)}
        for place, ref in enumerate(case.expression.inputs):
            start = look.inputs[place]
            if not isinstance(start, float):
                continue
            spec = CATALOGUE.specs[ref.signal]
            turning = [
                abs(value - start) for value in GRID
                if spec.low <= value <= spec.high and value != start
                and by_oracle(case, case.expression.tree, place, value) == _LETTERS[wanted]
            ]
            if not turning:
                continue
            asked += 1
            flip = found.get(place)
            if flip is None:
                missed += 1
            elif isinstance(flip.to, float) and abs(flip.to - start) > min(turning) * 1.01 + 1e-6:
                farther += 1

    assert asked > 80
    assert missed <= asked / 50, (missed, asked)
    assert farther <= asked / 50, (farther, asked)


@pytest.mark.parametrize(
    ("text", "values", "wanted", "to"),
    [
        ("pct(abs(peg - 1)) >= LIMIT", {"peg": 0.999}, True, 0.995),
        ("pct(abs(peg - 1)) >= LIMIT", {"peg": 1.001}, True, 1.005),
        ("pct(abs(peg - 1)) >= LIMIT", {"peg": 0.98}, False, 0.995),
        ("a > 3 and a < 5", {"a": 9.0}, True, 5.0),
        ("a > 3 and a < 5", {"a": 0.0}, True, 3.0),
        ("a / b >= 2", {"a": 1.0, "b": 1.0}, True, 2.0),
        ("max(a, b) >= 4", {"a": 1.0, "b": 3.0}, True, 4.0),
        ("a * a >= 9", {"a": 1.0}, True, 3.0),
        ("(a if open_now else b) > 2", {"a": 1.5, "b": 0.0, "open_now": True}, True, 2.0),
        ("not a < 3", {"a": 1.0}, True, 3.0),
    ],
)
def test_the_least_change_is_where_the_threshold_is(
    text: str, values: dict[str, float | bool | str], wanted: bool, to: float
) -> None:
    case = Case(expression(text), values, dict.fromkeys(values, Status.OK), dict(FLAGS))

    assert flips(look_at(case), case.expression.tree, wanted)[0].to == pytest.approx(to, rel=1e-6)


@pytest.mark.parametrize(
    "text", ["a > 3 and b > 3", "a > 3 and a < 2", "a * 0 > 1", "peg > 10", "min(a, b) >= 4"],
)
def test_where_no_single_reading_can_turn_it_none_is_named(text: str) -> None:
    """Two that must move together, what contradicts itself, and what lies outside the signal's range."""
    case = Case(expression(text), {"a": 1.0, "b": 2.0, "peg": 1.0}, {}, dict(FLAGS))
    case.statuses.update(dict.fromkeys(case.values, Status.OK))

    assert flips(look_at(case), case.expression.tree, True) == ()


def test_a_threshold_says_whether_more_of_it_still_turns() -> None:
    """`or more` is a claim about every value beyond, so a window must not make it."""
    values: dict[str, float | bool | str] = {"a": 0.0}
    window = Case(expression("a > 3 and a < 5"), values, {"a": Status.OK}, dict(FLAGS))
    line = Case(expression("a > 3"), values, {"a": Status.OK}, dict(FLAGS))

    assert [flip.beyond for flip in flips(look_at(window), window.expression.tree, True)] == [0]
    assert [flip.beyond for flip in flips(look_at(line), line.expression.tree, True)] == [1]
