"""The generated functions: what they contain, what they leave out, and whom they share code with."""

from __future__ import annotations

import ast

import pytest

from engine.model.flags import FlagValue
from engine.ruleset.codegen import Scope, Template, compile_template
from engine.ruleset.evaluate import OWN_CODE
from engine.ruleset.intervals import Interval, interval_of
from engine.ruleset.program import lay_out, template
from tests.ruleset.notation import CATALOGUE, World, expression, rule


def compiled(text: str, **flags: FlagValue) -> Template:
    return template(lay_out(rule(text)).main, CATALOGUE, flags)


@pytest.mark.parametrize(
    ("text", "body"),
    [
        ("a > b", "(v[s0] > v[s1])"),
        ("a >= 2", "(v[s0] >= 1.999999998)"),
        ("a < 2", "(v[s0] < 1.999999998)"),
        ("2 > a", "(v[s0] < 1.999999998)"),
        ("a > LIMIT / 2", "(v[s0] > 5.000000005)"),
        ("a + 1 > b", "((v[s0] + 1.0) > v[s1])"),
        ("abs(a) > b", "((t1 if (t1 := v[s0]) >= 0.0 else -t1) > v[s1])"),
        ("min(a, b) > c", "((t1 if (t1 := v[s0]) <= (t2 := v[s1]) else t2) > v[s2])"),
        ("pct(peg) > a", "((v[s0] * 100.0) > v[s1])"),
        ("phase == 'wild'", "(v[s0] == 'wild')"),
        ("open_now and ON", "(v[s0] and True)"),
        ("a / d > b", "((v[s0] / v[s1]) > v[s2])"),
        ("a / b > c", "((v[s0] / (t1 if (t1 := v[s1]) > 1e-200 or t1 < -1e-200 else 0.0)) > v[s2])"),
        ("a / peg > c", "((v[s0] / (t1 if (t1 := v[s1]) > 1e-200 else 0.0)) > v[s2])"),
        ("a * HUGE * HUGE > b", "((t1 if (t1 := ((v[s0] * 1e+300) * 1e+300)) - t1 == 0.0 else 1.0 / 0.0) > v[s1])"),
        ("a > 1 / 0", "(v[s0] > (1.0 / 0.0))"),
    ],
)
def test_what_is_generated(text: str, body: str) -> None:
    """Float literals, folded flags, no calls; and a check only where the ranges leave a doubt."""
    assert compiled(text, LIMIT=10, ON=True, HUGE=1e300).body == body


def test_instances_share_their_code() -> None:
    """A hundred thousand instances must not be a hundred thousand compilations."""
    world = World(rule("spread > 5 and depth > 1", by=("venue", "symbol")))
    for number in range(OWN_CODE + 5):
        world.hear(0, "spread", ("v", f"S{number:03d}"), 2.0)
    trips = [world.book._instances[key].trip for key in sorted(world.book._instances)]

    assert len({id(trip.__code__) for trip in trips[:OWN_CODE]}) == OWN_CODE
    assert len({id(trip.__code__) for trip in trips[OWN_CODE:]}) == 1
    assert len({trip.__defaults__ for trip in trips[OWN_CODE:]}) == 5


def test_baked_and_bound_functions_say_the_same() -> None:
    made = compiled("a > b or (phase == 'wild' and not open_now)")
    slots = (3, 0, 2, 1)
    values: list[float | bool | str] = [1.0, False, "wild", 0.5]
    assert made.bake(slots, [])(values) is made.bind(slots, [])(values) is True


def test_a_word_that_looks_like_a_slot_is_a_word() -> None:
    made = compiled("phase == 'v[s0]'")
    assert made.bake((1,), [])([0.0, "v[s0]"]) is True


@pytest.mark.parametrize(
    "text", ["a ** 2 > 1", "a % 2 > 1", "[a][0] > 1", "a.real > 1", "a is b", "a in b", "f(a) > 1"]
)
def test_other_nodes_are_refused_even_here(text: str) -> None:
    """The loader lets none through; the generator would not write them all the same."""
    with pytest.raises((ValueError, KeyError)):
        template(lay_out(rule(text)).main, CATALOGUE, {})


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("i0 + 1", Interval(0.0, 3.0)), ("i0 - i0", Interval(-3.0, 3.0)), ("i0 * -2", Interval(-4.0, 2.0)),
        ("abs(i0)", Interval(0.0, 2.0)), ("-i0", Interval(-2.0, 1.0)), ("i0 / 4", Interval(-0.25, 0.5)),
        ("min(i0, 0)", Interval(-1.0, 0.0)), ("max(i0, 0)", Interval(0.0, 2.0)), ("pct(i0)", Interval(-100.0, 200.0)),
        ("i0 if i0 > 0 else 7", Interval(-1.0, 7.0)), ("1e308 * 10", None), ("i0 * 1e308 * 10", None), ("i1", None),
        ("'word'", None), ("i0 / i0", Interval(-2e200, 2e200)),
    ],
)
def test_intervals(text: str, found: Interval | None) -> None:
    assert interval_of(ast.parse(text, mode="eval").body, {"i0": Interval(-1.0, 2.0)}) == found


def test_expression_helper_numbers_inputs_once() -> None:
    tree = expression("a > 1 and a < 2 and b > 0")
    assert [ref.signal for ref in tree.inputs] == ["a", "b"]


def test_kept_code_is_never_that_of_other_flags_or_places() -> None:
    """One tree, many meanings: true and 1.0 are equal and not the same, and neither are two places."""
    tree = ast.parse("i0 > LIMIT", mode="eval").body
    made = [
        compile_template(tree, Scope(inputs={"i0": place}, flags={"LIMIT": limit}))
        for place in (0, 1) for limit in (0.5, 1.0, 2.0)
    ]
    assert len({(one.body, one.inputs) for one in made}) == 6
    again = compile_template(tree, Scope(inputs={"i0": 0}, flags={"LIMIT": 1.0}))
    assert again is made[1]
    bounded = compile_template(
        tree, Scope(inputs={"i0": 0}, flags={"LIMIT": 1.0}, ranges={"i0": Interval(low=0.0, high=1.0)})
    )
    assert bounded is not again
