"""To have fired never restrains less: doubt that outlasted its grace is over only after `min_clear`, whatever came."""

from __future__ import annotations

from engine.model.time import SECOND
from engine.ruleset.spec import Latching
from engine.signals.catalogue import Catalogue
from tests.ruleset.notation import World, rule, signal


def levels(world: World, *seconds: float) -> list[str]:
    found = []
    for at in seconds:
        world.go(at)
        found.append(f"{world.state()} {world.level().word}")
    return found


def test_a_firing_in_doubt_that_turns_false_is_held_as_if_it_had_never_fired() -> None:
    fired, calm = (World(rule("a >= 1", unknown_grace=2, min_clear=5)) for _ in range(2))
    fired.put(10, a=2.0)
    calm.put(10, a=0.0)
    for world in (fired, calm):
        world.lose(20, "a")
        world.put(30, a=0.0)

    assert levels(fired, 30, 34, 35) == levels(calm, 30, 34, 35) == ["held halted", "held halted", "inactive normal"]


def test_a_short_doubt_leaves_nothing_behind() -> None:
    world = World(rule("a >= 1", unknown_grace=5, min_clear=5))
    world.put(10, a=2.0)
    world.lose(20, "a")
    world.put(24, a=0.0)

    assert levels(world, 24) == ["inactive normal"]


def test_doubt_that_ended_long_ago_is_not_remembered() -> None:
    world = World(rule("a >= 1", unknown_grace=2, min_clear=5))
    world.put(10, a=2.0)
    world.lose(20, "a")
    world.put(30, a=2.0)
    world.put(36, a=0.0)

    assert levels(world, 36) == ["inactive normal"]


def test_a_lockout_that_ends_before_the_doubt_is_over_is_held() -> None:
    world = World(rule("a >= 1", unknown_grace=2, min_clear=5, cooldown=20))
    world.put(10, a=2.0)
    world.put(11, a=0.0)
    world.lose(15, "a")
    world.put(29, a=0.0)

    assert levels(world, 30.5, 31, 33.9, 34) == [
        "cooldown halted", "held halted", "held halted", "inactive normal",
    ]


def test_a_ttl_leaves_the_doubt_until_it_is_over() -> None:
    world = World(rule("a >= 1", unknown_grace=2, min_clear=5, ttl=3, keep_firing_for=60))
    world.put(10, a=2.0)
    world.lose(20, "a")
    world.put(30, a=0.0)

    assert levels(world, 30, 34.9, 35) == ["clearing halted", "clearing halted", "clearing normal"]


def test_a_truth_of_one_instant_does_not_cut_the_first_doubt_short() -> None:
    world = World(rule("a >= 1", min_clear=5, latch=Latching.NONE))
    world.put(10, a=2.0)
    world.put(11, a=0.0)

    assert levels(world, 11, 14.9, 15) == ["held halted", "held halted", "inactive normal"]


def test_doubt_that_comes_back_in_the_instant_in_which_it_would_be_over_goes_on() -> None:
    """A sample is believed for 5 s here, so the calm one of 30 s is stale when `min_clear` is over."""
    aging = Catalogue([signal("a", max_age=5 * SECOND)])
    worlds = [
        World(rule("a >= 1", unknown_grace=2, min_clear=5, cooldown=cooldown, ttl=3), catalogue=aging)
        for cooldown in (0, 5)
    ]
    for world in worlds:
        world.put(10, a=2.0)
        world.put(30, a=0.0)

    assert levels(worlds[0], 34.9, 35, 35.5) == ["held halted", "held halted", "held halted"]
    assert levels(worlds[1], 34.9, 35, 35.5) == ["cooldown halted", "cooldown halted", "cooldown halted"]
