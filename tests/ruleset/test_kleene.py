"""Truth tables, and the values beneath them."""

from __future__ import annotations

import ast
import itertools

import pytest

from engine.model.samples import Status
from engine.model.truth import Truth
from engine.ruleset import kleene
from engine.ruleset.kleene import Unknown, Value
from engine.ruleset.program import lay_out
from engine.ruleset.trace import Evaluator
from tests.ruleset.notation import World, rule

U = Unknown(("stale(a)",))
V = Unknown(("missing(b)",))


def truth(value: Value) -> Truth:
    return kleene.truth_of(value)


def test_and_is_the_least_or_the_greatest_and_not_turns_round() -> None:
    """The order is false < unknown < true."""
    values: tuple[Value, ...] = (False, U, True)
    for one, two in itertools.product(values, repeat=2):
        assert truth(kleene.both([one, two])) == min(truth(one), truth(two))
        assert truth(kleene.either([one, two])) == max(truth(one), truth(two))
        assert kleene.both([one, two]) == kleene.both([two, one])
        assert kleene.either([one, two]) == kleene.either([two, one])
        assert truth(kleene.negate(one)) == ~truth(one)


def test_doubt_keeps_every_reason_once_in_one_order() -> None:
    assert kleene.both([V, True, U, V]) == Unknown(("missing(b)", "stale(a)"))
    assert kleene.both([V, False, U]) is False
    assert kleene.doubt(Status.NO_SAMPLES, "avg_over(x, 6h)").reasons == ("no_samples(avg_over(x, 6h))",)


@pytest.mark.parametrize(
    ("operator", "left", "right", "result"),
    [(ast.Add(), 1.0, 2.0, 3.0), (ast.Div(), 1.0, 0.0, Unknown(("division_by_zero",))),
     (ast.Div(), 1.0, -0.0, Unknown(("division_by_zero",))), (ast.Mult(), 1e300, 1e300, Unknown(("not_finite",))),
     (ast.Mult(), 0.0, U, U), (ast.Sub(), U, V, Unknown(("missing(b)", "stale(a)")))],
)
def test_arithmetic(operator: ast.operator, left: Value, right: Value, result: Value) -> None:
    """Nothing times unknown is unknown too: the unknown might be anything."""
    assert kleene.arithmetic(operator, left, right) == result


@pytest.mark.parametrize("value", [1.0, "word", 0.0])
def test_a_number_is_no_truth(value: Value) -> None:
    with pytest.raises(ValueError, match="true or false"):
        kleene.truth_of(value)


def test_true_is_no_number() -> None:
    with pytest.raises(ValueError, match="no number"):
        kleene.arithmetic(ast.Add(), True, 1.0)


@pytest.mark.parametrize(
    "text", ["a ** 2 > 1", "a.real > 1", "[x for x in a]", "lambda: a", "f'{a}'", "a[0] > 1", "exec(a)", "(b := a) > 1",
             "a > 1 if True else __import__"],
)
def test_simpleeval_is_held_to_the_allow_list(text: str) -> None:
    """Even for a tree that no loader checked."""
    tree = ast.parse(text, mode="eval").body
    spec = rule("a > 1")
    from dataclasses import replace

    condition = lay_out(replace(spec, expr=replace(spec.expr, tree=tree, inputs=()))).main
    with pytest.raises(Exception, match=r"not available|no function|not defined|no value|no arithmetic|no operator"):
        Evaluator(condition, {}).value([], [])


def test_the_trace_holds_every_sub_expression_with_its_reasons() -> None:
    world = World(rule("pct(abs(peg - 1)) >= LIMIT or held(a > 0, 300)"), flags={"LIMIT": 0.5})
    world.put(0, peg=1.01)
    (found,) = world.book.explain(0, "guard.test")
    rows = [(row["depth"], row["text"], row["value"], row["unknown"]) for row in found["trace"]]

    assert rows[0] == (0, "pct(abs(peg - 1)) >= LIMIT or held(a > 0, 5m)", True, [])
    assert [(depth, text) for depth, text, _, _ in rows[1:]] == [
        (1, "pct(abs(peg - 1)) >= LIMIT"), (2, "pct(abs(peg - 1))"), (3, "abs(peg - 1)"), (4, "peg - 1"), (5, "peg"),
        (2, "LIMIT"), (1, "held(a > 0, 5m)"),
    ]
    assert rows[4][2] == pytest.approx(0.01)
    assert rows[-1][2:] == (None, ["missing(a)"])
    assert found["held"][0]["trace"][0]["text"] == "a > 0"
    assert found["inputs"] == {"a": "missing", "peg": "1.01"} and found["flags"] == {"LIMIT": 0.5}
