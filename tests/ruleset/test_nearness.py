"""What is nearest to tripping is told of a run that goes on, whatever the number of its rules."""

from __future__ import annotations

import random

import pytest

from engine.model.restraints import NONE
from engine.ruleset.nearness import AGAIN, WATCHED
from engine.ruleset.spec import Enforcement, RuleKind
from engine.ruleset.views import RuleView
from tests.ruleset.notation import World, rule

SPREAD = rule("spread >= 100", id="guard.spread", by=("venue", "symbol"))
OFF = rule("a >= 1", id="guard.off", enforcement=Enforcement.OFF)
SHADOW = rule("spread >= 100", id="guard.shadow", by=("venue", "symbol"), enforcement=Enforcement.SHADOW)


def all_by_margin(world: World) -> list[RuleView]:
    """Every guarding view by its margin, worked out without anything remembered."""
    found = [view for view in world.book.views(world.at) if view.margin is not None and view.guarding]
    return sorted(found, key=lambda view: (view.margin, view.instance))


def spread(world: World, symbol: int, value: float) -> None:
    world.hear(world.at, "spread", ("paper", f"S{symbol:03}"), value)


@pytest.mark.parametrize("symbols", [0, 1, 3, AGAIN + WATCHED + 40])
def test_a_first_look_misses_nobody(symbols: int) -> None:
    world, dice = World(SPREAD, SHADOW, rule("a >= 10"), rule("b >= 10", id="guard.unknown")), random.Random(symbols)
    world.put(0, a=9.5)
    for symbol in range(symbols):
        spread(world, symbol, dice.uniform(0, 99))
    wanted = all_by_margin(world)
    assert world.book.nearest(world.at, 3) == tuple(wanted[:3]) and len(wanted) == symbols + 1


def test_it_follows_what_moves() -> None:
    """Of the nearest at once; of all others once each of them had its turn."""
    symbols, dice = AGAIN * 3, random.Random(7)
    world = World(SPREAD)
    for symbol in range(symbols):
        spread(world, symbol, dice.uniform(0, 90))
    turns = symbols // AGAIN + 1
    for _ in range(20):
        nearest = world.book.nearest(world.at, 1)[0]
        spread(world, int(nearest.instance[-4:-1]), 1.0)
        assert world.book.nearest(world.at, 1)[0] != nearest
        # One that was far comes near.
        spread(world, dice.randrange(symbols), dice.uniform(91, 99))
        for _ in range(turns):
            world.book.nearest(world.at, 3)
        assert world.book.nearest(world.at, 3) == tuple(all_by_margin(world)[:3])


def test_a_new_instance_is_seen_at_the_next_look_and_a_new_book_remembers_nothing() -> None:
    world = World(SPREAD)
    spread(world, 0, 50.0)
    assert [view.instance for view in world.book.nearest(0, 3)] == ["guard.spread[paper,S000]"]
    spread(world, 1, 90.0)
    both = ["guard.spread[paper,S001]", "guard.spread[paper,S000]"]
    assert [view.instance for view in world.book.nearest(0, 3)] == both
    assert [view.instance for view in world.reopened().book.nearest(0, 3)] == both
    assert world.reloaded(rule("a >= 1")).book.nearest(0, 3) == ()


def test_who_does_not_guard_is_named_with_its_reason_and_is_never_near() -> None:
    world = World(SPREAD, SHADOW, OFF, rule("a >= 1", id="guard.gone"), unwired=frozenset({"a"}))
    assert [name for name, _ in world.book.idle()] == ["guard.gone", "guard.off", "guard.shadow"]
    for symbol in (1, 0):
        spread(world, symbol, 99.0)
    told = [(view.instance, view.why_not) for view in world.book.views(0) if not view.guarding]
    assert list(world.book.idle()) == told and len(told) == 4
    assert {view.id for view in world.book.nearest(0, 9)} == {"guard.spread"}


def test_what_has_tripped_and_what_only_tells_is_not_near() -> None:
    told = rule("a >= 10", id="watch.a", kind=RuleKind.WATCH, restrain=NONE)
    world = World(SPREAD, told)
    world.put(0, a=9.9)
    for symbol, value in enumerate((150.0, 40.0, 60.0)):
        spread(world, symbol, value)
    assert [view.instance[-5:-1] for view in world.book.nearest(0, 9)] == ["S002", "S001"]
    spread(world, 0, 10.0)
    assert [view.instance[-5:-1] for view in world.book.nearest(0, 9)] == ["S002", "S001", "S000"]
