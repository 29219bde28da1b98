"""The law: what is not known may add restraint and never takes any away.

It holds outright for what one signal decides. Where another signal makes the condition
known although one is in doubt (`false and unknown` is false), the rule goes by what is
known; then the data that is missing might have left a latch or a lockout that nobody can
know of, so there the law is claimed only while the condition itself is unknown.
"""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.model.restraints import NONE, Level, Restraint
from engine.model.truth import Truth
from engine.policy.join import join_all
from engine.ruleset.durations import duration_under
from engine.ruleset.spec import Latching, RuleKind, RuleSpec
from tests.ruleset.notation import World, rule

ONE_SIGNAL = (
    "a > 1", "not (a > 1)", "abs(a) >= 1", "2 / a > 1", "held(a > 0, 6)", "a > 2 or held(a > 0, 9)",
    "a > 2 and not held(a > 0, 4)", "(a if a > 0 else 2) > 1",
)
EXPRESSIONS = (
    "a > 1", "a > 1 and b > 0", "a > 1 or b > 0", "not (a > 1)", "abs(a - b) >= 1", "a / b > 1",
    "held(a > 0, 6)", "a > 2 or held(b > 0, 9)", "(a > 1) == (b > 0)", "max(a, b) > 1", "(a if b > 0 else b) > 1",
)
RESTRAINTS = (Restraint(level=Level.HALTED), Restraint(size_mult=0.5), Restraint(mute=frozenset("S")))
GRACES = (0, 2, 5)
HORIZON = 60


def random_rule(drawn: random.Random, expressions: tuple[str, ...] = EXPRESSIONS) -> RuleSpec:
    text = drawn.choice(expressions)
    more: dict[str, object] = {}
    if drawn.random() < 0.3:
        more["clear_expr"] = "a < 0" if expressions is ONE_SIGNAL else "a < 0 and b < 0"
    return rule(
        text, hold_for=drawn.choice((0, 0, 3, 8)), keep_firing_for=drawn.choice((0, 0, 4)),
        cooldown=drawn.choice((0, 0, 7)), unknown_grace=drawn.choice(GRACES), min_clear=drawn.choice((0, 3)),
        latch=drawn.choice((Latching.NONE, Latching.NONE, Latching.MANUAL)), ttl=drawn.choice((0, 0, 5)),
        kind=drawn.choice((RuleKind.GUARD, RuleKind.CUTBACK)),
        restrain=drawn.choice(RESTRAINTS),
        **more,
    )


def restraint(world: World) -> Restraint:
    return join_all(item.restraint for item in world.book.restraints())


@pytest.mark.parametrize("way", ["missing", "nan"])
@pytest.mark.parametrize("seed", range(100))
@pytest.mark.parametrize("expressions", [ONE_SIGNAL, EXPRESSIONS], ids=["one signal", "two"])
def test_a_gap_never_weakens_what_is_in_force(seed: int, way: str, expressions: tuple[str, ...]) -> None:
    """From the grace after it began to its end, a gap leaves at least what the data would have left."""
    drawn = random.Random(seed)
    spec = random_rule(drawn, expressions)
    whole, gapped = World(spec), World(spec)
    start = drawn.randrange(1, HORIZON - 15)
    end = start + drawn.randrange(8, 25)
    name = "a" if expressions is ONE_SIGNAL else drawn.choice("ab")
    for at in range(HORIZON):
        values = {"a": drawn.choice((-1.0, 0.5, 0.5, 2.0, 3.0)), "b": drawn.choice((-1.0, 0.0, 1.0, 1.0))}
        if at == 0:
            # Long ago enough that no start-up doubt differs.
            values = {"a": 0.5, "b": -1.0}
        whole.put(at, **values)
        if start <= at < end:
            if way == "missing":
                gapped.lose(at, name)
            else:
                gapped.put(at, **{name: float("nan")})
            del values[name]
        gapped.put(at, **values)
        doubted_for = at - start
        (view,) = gapped.book.views(gapped.at)
        claimed = expressions is ONE_SIGNAL or view.truth is Truth.UNKNOWN
        if claimed and start <= at < end and doubted_for >= duration_under(spec.unknown_grace, 1, {}) / 1e9:
            assert restraint(gapped).covers(restraint(whole)), (seed, at, spec.expr.text)


@pytest.mark.parametrize("seed", range(40))
def test_an_input_that_was_never_heard_leaves_at_least_what_it_would_have_left(seed: int) -> None:
    drawn = random.Random(seed)
    spec = random_rule(drawn)
    whole, silent = World(spec), World(spec)
    name = drawn.choice("ab")
    for at in range(HORIZON):
        values = {"a": drawn.choice((-1.0, 0.5, 2.0, 3.0)), "b": drawn.choice((-1.0, 0.0, 1.0))}
        whole.put(at, **values)
        del values[name]
        silent.put(at, **values)
        if silent.book.views(silent.at)[0].truth is not Truth.UNKNOWN:
            continue
        assert restraint(silent).covers(restraint(whole)), (seed, at, spec.expr.text)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 40))
def test_a_silence_ends_no_restriction(seed: int, until: int) -> None:
    """Whatever is in force when every input falls silent is in force an hour later, but for a ttl's end."""
    drawn = random.Random(seed)
    spec = random_rule(drawn)
    world = World(spec)
    for at in range(until):
        world.put(at, a=drawn.choice((-1.0, 0.5, 2.0, 3.0)), b=drawn.choice((-1.0, 0.0, 1.0)))
    before = restraint(world)
    world.lose(until, "a", "b")
    world.go(until + 3_600)

    assert restraint(world).covers(before)
    assert restraint(world) != NONE
