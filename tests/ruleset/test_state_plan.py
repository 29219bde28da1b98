"""What a swap of rules does with state: first key by key, then the plan against what loading really does."""

from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from engine.model.restraints import Level
from engine.ruleset.changes import loosening
from engine.ruleset.evaluate import RuleBook
from engine.ruleset.latches import instance_name
from engine.ruleset.loosening import compare
from engine.ruleset.spec import Enforcement, Latching, RuleKind, RuleSet, RuleSpec
from engine.ruleset.state_plan import Fate, StatePlan, plan
from tests.ruleset.notation import World, rule
from tests.ruleset.test_loosening_law import CATALOGUE as AGING
from tests.ruleset.test_loosening_law import edited, happening, lived, swapped
from tests.ruleset.test_loosening_law import world as living


def planned(world: World, *rules: RuleSpec) -> StatePlan:
    return plan(world.book, RuleSet(rules=rules, digest="x", files=()), catalogue=world.catalogue)


def firing(**fields: Any) -> World:
    world = World(rule("a >= 1", **fields))
    world.put(0, a=0.0)
    world.put(10, a=2.0)
    world.go(10 + fields.get("hold_for", 0))
    assert world.state() == "firing"
    return world


# -- key by key --------------------------------------------------------------------------------


def test_raising_for_never_unfires() -> None:
    world = swapped(firing(hold_for=5), rule("a >= 1", hold_for=500))

    assert (world.state(), world.level()) == ("firing", Level.HALTED)


def test_a_pending_rule_whose_for_was_lowered_fires_at_once() -> None:
    world = World(rule("a >= 1", hold_for=60))
    world.put(0, a=0.0)
    world.put(10, a=2.0)
    world.go(30)

    assert swapped(world, rule("a >= 1", hold_for=15)).state() == "firing"


def test_a_stricter_condition_keeps_a_timer_that_runs() -> None:
    world = World(rule("a >= 1", hold_for=60))
    world.put(0, a=0.0)
    world.put(10, a=2.0)
    world.go(30)
    after = swapped(world, rule("a >= 0.5", hold_for=60))
    after.go(70)

    assert after.state() == "firing"


@pytest.mark.parametrize("expr", ["a >= 1.5", "b >= 1"])
def test_another_condition_starts_the_timer_anew(expr: str) -> None:
    """It may have been false all the while: only what held for so long acts."""
    world = World(rule("a >= 1", hold_for=60))
    world.put(0, a=0.0, b=0.0)
    world.put(10, a=2.0, b=2.0)
    world.go(30)
    after = swapped(world, rule(expr, hold_for=60))
    after.go(89)
    assert after.state() == "pending"
    assert planned(world, rule(expr, hold_for=60)).of("guard.test").instances[0].notes  # type: ignore[union-attr]
    after.go(90)
    assert after.state() == "firing"


def test_firing_lasts_until_the_new_condition_is_known_false() -> None:
    after = swapped(firing(), rule("b >= 1"))
    assert (after.state(), after.level()) == ("firing", Level.HALTED)
    after.put(20, b=0.0)
    assert after.level() is Level.NORMAL


def test_what_clears_is_counted_anew_under_another_condition() -> None:
    world = firing(keep_firing_for=60)
    world.put(20, a=0.0)
    world.go(70)
    after = swapped(world, rule("a >= 0.5", keep_firing_for=60))
    after.go(129)
    assert after.state() == "clearing"
    after.go(130)
    assert after.state() == "inactive"


def test_a_lockout_keeps_its_end() -> None:
    world = firing(cooldown=100)
    world.put(20, a=0.0)
    after = swapped(world, rule("a >= 1", cooldown=1))
    after.go(119)
    assert (after.state(), after.level()) == ("cooldown", Level.HALTED)
    after.go(120)
    assert after.level() is Level.NORMAL


@pytest.mark.parametrize("gone", ["deleted", "off", "disabled"])
def test_the_latch_of_a_rule_that_is_gone_or_off_stays_and_is_listed(gone: str) -> None:
    world = firing(latch=Latching.MANUAL)
    left = {
        "deleted": (), "off": (rule("a >= 1", enforcement=Enforcement.OFF),),
        "disabled": (rule("a >= 1", enabled=False),),
    }[gone]
    rules = (*left, rule("b > 1", id="guard.other"))
    after = swapped(world, *rules)

    assert after.level() is Level.HALTED
    (orphan,) = planned(world, *rules).orphaned
    assert (orphan.number, orphan.restrains) == (1, "level halted")
    assert after.book.rearm(after.at, "1", "me")[0] is (gone == "deleted")
    assert ("refused" in orphan.clear_with) is (gone != "deleted")


def test_a_rule_that_is_switched_on_again_remembers_only_its_lockout() -> None:
    world = firing(cooldown=100)
    world.put(20, a=0.0)
    off = swapped(world, rule("a >= 1", cooldown=100, enabled=False))
    assert off.level() is Level.NORMAL
    on = swapped(off, rule("a >= 1", cooldown=100))

    assert (on.state(), on.level()) == ("cooldown", Level.HALTED)


def test_what_was_firing_when_it_was_switched_off_does_not_fire_when_it_is_on_again() -> None:
    off = swapped(firing(), rule("a >= 1", enabled=False))
    assert off.state() == "inactive"
    off.put(20, a=0.0)

    assert swapped(off, rule("a >= 1")).state() == "inactive"


def test_a_rename_carries_everything() -> None:
    world = firing(latch=Latching.MANUAL)
    head = rule("a >= 1", id="guard.new", formerly=("guard.test",), latch=Latching.MANUAL)
    after = swapped(world, head)

    assert after.state("guard.new") == "firing"
    assert [latch.rule for latch in after.book.latches()] == ["guard.new"]
    one = planned(world, head).of("guard.new")
    assert one is not None
    assert (one.fate, one.formerly, one.instances[0].name) == (Fate.CARRIED, "guard.test", "guard.new")


def test_labels_of_another_by_are_not_taken_for_todays() -> None:
    base = rule("spread > 1", by=("venue", "symbol"), latch=Latching.MANUAL, hold_for=50)
    world = World(base)
    world.hear(0, "spread", ("x", "BTC"), 0.0)
    world.hear(5, "spread", ("x", "BTC"), 2.0)
    world.go(55)
    head = replace(base, by=("symbol", "venue"))
    after = swapped(world, head)

    assert [view.instance for view in after.book.views(after.at)] == ["guard.test[BTC,x]"]
    assert after.state("guard.test[BTC,x]") == "pending"
    assert after.level() is Level.HALTED
    assert planned(world, head).of("guard.test").fate is Fate.RESET  # type: ignore[union-attr]


def test_a_guard_that_becomes_a_kill_goes_on_and_a_watch_that_does_begins_anew() -> None:
    assert swapped(firing(), rule("a >= 1", kind=RuleKind.KILL)).state() == "firing"

    world = firing(kind=RuleKind.WATCH)
    after = swapped(world, rule("a >= 1", kind=RuleKind.GUARD, hold_for=30))
    assert after.state() == "pending"


def test_other_held_conditions_begin_anew_and_the_same_go_on() -> None:
    world = World(rule("held(a >= 1, 60)"))
    world.put(0, a=0.0, b=0.0)
    world.put(10, a=2.0, b=2.0)
    world.go(50)
    same, other = (swapped(world, rule(text)) for text in ("held(a >= 1, 45) or b > 5", "held(b >= 1, 45)"))
    for one in (same, other):
        one.go(56)

    assert (same.state(), other.state()) == ("firing", "inactive")


def test_what_must_have_held_goes_on_where_it_was_true_as_long() -> None:
    world = World(rule("held(a >= 1, 60)"))
    world.put(0, a=0.0)
    world.put(10, a=2.0)
    world.go(50)
    stricter, looser = (swapped(world, rule(f"held(a >= {limit}, 60)")) for limit in (0.5, 1.5))
    for one in (stricter, looser):
        one.go(70)

    assert stricter.state() == "firing"
    assert looser.state() != "firing"


def test_since_when_an_input_is_silent_goes_with_its_name() -> None:
    """A doubt of nine seconds is not young because another input came before it in the file."""
    world = World(rule("a >= 1", unknown_grace=10))
    world.put(0, a=0.0, b=0.0)
    world.lose(5, "a")
    world.go(14)
    after = swapped(world, rule("b >= 1 or a >= 1", unknown_grace=10))
    after.go(15)

    assert after.state() == "held"


# -- the plan against the deed -----------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_the_plan_says_what_loading_does(seed: int) -> None:
    dice, tally = random.Random(seed), Counter[str]()
    for _ in range(60):
        edit = edited(dice)
        edit = replace(edit, flags=(edit.flags[0], edit.flags[0]))
        head = twisted(edit.head, dice)
        world = living(edit, 0)
        for step in range(30):
            at = 3.0 * step
            world.go(at)
            happening(dice, (world, world), at)
        said = plan(world.book, RuleSet(rules=(head,), digest="x", files=()), catalogue=AGING)
        before = world.book.dump()
        after = world.reloaded(head)
        agree(said, before, after, head, tally)
        json.dumps(said.data())
        assert said.lines()
    assert min(tally["carried"], tally["reset"], tally["gone"], tally["orphaned"]) >= 3, tally


def twisted(head: RuleSpec, dice: random.Random) -> RuleSpec:
    pick = dice.randrange(6)
    if pick == 0:
        return replace(head, id="guard.renamed", formerly=(head.id,))
    if pick == 1:
        return replace(head, id="guard.another")
    if pick == 2:
        return replace(head, kind=RuleKind.WATCH, latch=Latching.NONE)
    return replace(head, enforcement=Enforcement.OFF) if pick == 3 else head


def agree(said: StatePlan, before: Any, after: World, head: RuleSpec, tally: Counter[str]) -> None:
    """Compare a plan with the book that was loaded, and with one that knows nothing."""
    begun = RuleBook(after.rules, AGING, after.snapshot, after.flags, at=after.at).dump()
    states, anew = ({_name(item): item["standing"]["state"] for item in one["instances"]}
                    for one in (after.book.dump(), begun))
    latches = {one.number: one.rule for one in after.book.latches()}
    assert {latch.number: rule.rule for rule in said.rules for latch in rule.latches} == latches
    for one in said.rules:
        tally[one.fate.value] += 1
        tally["orphaned"] += any(latch.orphaned for latch in one.latches)
        kept = {each.name: each.state for each in one.instances}
        assert len(kept) == len([item for item in before["instances"] if item["rule"] in (one.formerly, one.rule)]) or (
            one.fate is not Fate.CARRIED
        )
        if one.fate is Fate.CARRIED:
            assert {name: states[name] for name in kept} == kept
            tally["in episode"] += "firing" in kept.values()
        else:
            assert not kept
            mine = {name for name in states if name.split("[")[0] == one.rule}
            assert mine == (set() if one.fate is Fate.GONE else {name for name in anew if name in mine})
            assert {name: states[name] for name in mine} == {name: anew[name] for name in mine}


def _name(item: Any) -> str:
    return instance_name(item["rule"], tuple(item["labels"]))


@pytest.mark.parametrize("seed", range(4))
def test_a_swap_that_loosens_nothing_restrains_at_least_as_much_from_then_on(seed: int) -> None:
    """Whatever the rule was doing when it was edited: the engine that was not reloaded runs beside it."""
    dice, tally = random.Random(1000 + seed), Counter[str]()
    while tally["swapped"] < 25:
        edit = edited(dice)
        edit = replace(edit, flags=({}, {}))
        changes = compare(*edit.rulings())
        if not changes or loosening(changes):
            continue
        tally["swapped"] += 1
        for _ in range(4):
            less, restrained = lived(edit, dice, 40, swap_at=dice.randrange(25))
            tally["restrained"] += restrained
            assert not less, f"{less}\n{changes}\n{edit.base}\n{edit.head}"
    assert tally["restrained"] > 40, tally


def test_nothing_to_do_is_one_line() -> None:
    assert planned(firing(), rule("a >= 1")).lines() == ("rules: 1 carried; 1 instances go on",)
