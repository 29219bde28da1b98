"""A latch outlives its condition, its rule and the process; only a person or the boundary ends it."""

from __future__ import annotations

import pytest

from engine.model.effects import LatchCleared, LatchSet, RuleMoved
from engine.model.restraints import Level, Restraint
from engine.ruleset.spec import Enforcement, Latching, RuleKind
from tests.ruleset.notation import HALT, World, rule

LATCHED = rule("a > 1", latch=Latching.MANUAL)


def latched(*rules: object) -> World:
    """Return a world with latch 1 open and the condition false again."""
    world = World(*(rules or (LATCHED,)))  # type: ignore[arg-type]
    world.put(0, a=2.0)
    world.put(10, a=0.0)
    return world


def test_the_latch_restrains_beneath_an_inactive_rule() -> None:
    world = latched()
    (held,) = world.book.restraints()

    assert world.state() == "inactive"
    assert (held.because, held.since, held.clear_with) == ("latched", 0, "engine rearm 1")
    assert held.ends == "when re-armed; its rule is inactive"


def test_kill_implies_manual_unless_boundary_is_written() -> None:
    assert latched(rule("a > 1", kind=RuleKind.KILL)).book.latches()[0].mode is Latching.MANUAL
    boundary = rule("a > 1", kind=RuleKind.KILL, latch=Latching.BOUNDARY)
    assert latched(boundary).book.latches()[0].mode is Latching.BOUNDARY


def test_each_episode_latches_under_its_own_name_and_number() -> None:
    world = latched()
    world.put(20, a=2.0)
    world.put(30, a=0.0)

    assert [(latch.number, latch.name) for latch in world.book.latches()] == [(1, "guard.test/1"), (2, "guard.test/2")]
    episodes = world.book.take_episodes()
    assert [(episode.number, episode.name) for episode in episodes] == [(1, "guard.test/1"), (2, "guard.test/2")]


def test_a_labelled_latch_is_named_after_its_labels() -> None:
    world = World(rule("spread > 1", id="g", by=("venue", "symbol"), latch=Latching.MANUAL))
    world.hear(0, "spread", ("binance", "BTC"), 2.0)
    assert [latch.name for latch in world.book.latches()] == ["g/binance,BTC/1"]


@pytest.mark.parametrize(
    ("name", "accepted", "said"),
    [("1", True, "re-armed 1 (guard.test/1)"), ("guard.test/1", True, "re-armed 1 (guard.test/1)"),
     ("2", False, "there is no latch 2; open latches: 1 (guard.test/1)"),
     ("guard", False, "there is no latch guard; open latches: 1 (guard.test/1)"),
     ("²", False, "there is no latch ²; open latches: 1 (guard.test/1)"),
     ("--cleared", True, "re-armed 1 (guard.test/1)")],
)
def test_rearm_by_number_name_or_all(name: str, accepted: bool, said: str) -> None:
    world = latched()
    assert world.book.rearm(world.at, name, "ann") == (accepted, said)
    assert (world.book.restraints() == ()) is accepted


def test_rearming_again_finds_nothing() -> None:
    world = latched()
    world.book.rearm(world.at, "1", "ann")
    assert world.book.rearm(world.at, "1", "ann") == (False, "there is no latch 1; open latches: none")
    assert world.book.rearm(world.at, "--cleared", "ann") == (False, "no latch is open")


def test_rearm_is_refused_with_the_numbers_while_true_or_unknown() -> None:
    world = World(rule("a > LIMIT", latch=Latching.MANUAL), flags={"LIMIT": 1})
    world.put(0, a=2.5)
    accepted, text = world.book.rearm(world.at, "1", "ann")
    assert not accepted
    assert text == "still latched: 1 (guard.test/1): its condition is still true: a=2.5, LIMIT=1"

    world.lose(5, "a")
    accepted, text = world.book.rearm(world.at, "1", "ann")
    assert not accepted and "its condition is unknown: a=missing" in text
    assert world.level() is Level.HALTED


def test_cleared_ends_what_may_end_and_names_what_may_not() -> None:
    world = World(rule("a > 1", id="x", latch=Latching.MANUAL), rule("b > 1", id="y", latch=Latching.MANUAL))
    world.put(0, a=2.0, b=2.0)
    world.put(1, a=0.0)
    accepted, text = world.book.rearm(world.at, "--cleared", "ann")

    assert accepted
    assert text == "re-armed 1 (x/1); still latched: 2 (y/1): its condition is still true: b=2"
    assert [latch.name for latch in world.book.latches()] == ["y/1"]


def test_rearm_says_who_and_starts_the_lockout() -> None:
    world = latched(rule("a > 1", latch=Latching.MANUAL, cooldown=60))
    world.moves.clear()
    world.book.rearm(world.at, "1", "ann")
    cleared, moved = world.book.take_moves()

    assert isinstance(cleared, LatchCleared) and isinstance(moved, RuleMoved)
    assert (cleared.actor, cleared.latch, cleared.why) == ("ann", "guard.test/1", "its condition is false: a=0")
    assert (moved.before, moved.after, moved.why) == ("inactive", "cooldown", "re-armed by ann")
    assert [item.because for item in world.book.restraints()] == ["cooldown"]
    world.go(70)
    assert world.book.restraints() == ()


def test_only_the_last_rearm_of_an_instance_starts_its_lockout() -> None:
    world = latched(rule("a > 1", latch=Latching.MANUAL, cooldown=60))
    world.put(20, a=2.0)
    world.put(30, a=0.0)
    world.book.rearm(world.at, "1", "ann")
    assert world.state() == "inactive"
    world.book.rearm(world.at, "2", "ann")
    assert world.state() == "cooldown"


def test_the_boundary_ends_boundary_latches_alone() -> None:
    world = World(rule("a > 1", id="day", latch=Latching.BOUNDARY), rule("a > 1", id="hand", latch=Latching.MANUAL))
    world.put(0, a=2.0)
    world.put(1, a=0.0)
    world.moves.clear()
    world.book.on_boundary(world.at)

    assert [latch.rule for latch in world.book.latches()] == ["hand"]
    (cleared,) = world.book.take_moves()
    assert isinstance(cleared, LatchCleared) and cleared.actor == "boundary"


def test_after_the_boundary_a_rule_that_still_fires_still_restrains() -> None:
    world = World(rule("a > 1", latch=Latching.BOUNDARY))
    world.put(0, a=2.0)
    world.book.on_boundary(world.at)
    assert [item.because for item in world.book.restraints()] == ["firing"]
    world.put(5, a=0.0)
    assert world.book.restraints() == ()


def test_a_latch_survives_that_its_rule_is_deleted() -> None:
    other = latched().reloaded(rule("b > 1", id="other"))
    other.put(20, b=0.0)

    assert [item.because for item in other.book.restraints()] == ["latched"]
    assert other.book.restraints()[0].ends == "when re-armed; its rule is gone"
    assert other.book.rearm(other.at, "1", "ann") == (True, "re-armed 1 (guard.test/1)")


def test_a_latch_follows_its_rule_through_a_rename_and_numbers_go_on() -> None:
    renamed = rule("a > 1", id="guard.new", formerly=("guard.test",), latch=Latching.MANUAL)
    other = latched().reloaded(renamed)
    (latch,) = other.book.latches()
    assert (latch.rule, latch.instance, latch.name) == ("guard.new", "guard.new", "guard.test/1")

    other.put(20, a=3.0)
    assert [one.name for one in other.book.latches()] == ["guard.test/1", "guard.new/2"]
    accepted, _ = other.book.rearm(other.at, "1", "ann")
    assert not accepted


def test_a_deleted_rule_that_comes_back_goes_on_counting() -> None:
    gone = latched().reloaded(rule("b > 1", id="other"))
    back = gone.reloaded(LATCHED)
    back.put(20, a=3.0)
    assert back.book.latches()[-1].name == "guard.test/2"


def test_a_stricter_latch_covers_what_its_rule_imposes_now() -> None:
    world = World(LATCHED)
    world.put(0, a=2.0)
    assert [item.because for item in world.book.restraints()] == ["latched"]

    pause = Restraint(level=Level.ENTRIES_PAUSED, size_mult=0.5)
    looser = world.reloaded(rule("a > 1", latch=Latching.MANUAL, restrain=pause))
    assert [(item.because, item.restraint) for item in looser.book.restraints()] == [
        ("firing", pause), ("latched", HALT),
    ]


def test_a_shadow_and_a_rule_in_doubt_set_no_latch() -> None:
    shadow = World(rule("a > 1", latch=Latching.MANUAL, enforcement=Enforcement.SHADOW))
    shadow.put(0, a=2.0)
    doubtful = World(rule("a > 1", latch=Latching.MANUAL))
    doubtful.go(1_000)

    for world in (shadow, doubtful):
        assert not world.book.latches()
        assert not [move for move in world.moves if isinstance(move, LatchSet)]


def cleared_halfway() -> World:
    """Return a world whose rule fired, is known false but has not cleared, and whose latch a person then ended."""
    world = World(rule("a >= 1", clear_expr="a < 0.5", latch=Latching.MANUAL))
    world.put(1, a=0.0)
    world.put(2, a=2.0)
    world.put(3, a=0.7)
    done, _ = world.book.rearm(world.at, "1", "ann")
    assert done and world.state() == "clearing"
    return world


def test_what_comes_back_after_a_re_arm_latches_anew_though_it_had_not_cleared() -> None:
    """Else the second break would neither latch nor page nor sell: the person had ended the first one's latch."""
    world = cleared_halfway()
    world.book.take_moves()
    world.book.take_episodes()
    world.put(5, a=3.0)
    assert [latch.episode for latch in world.book.latches()] == [2]
    assert [episode.number for episode in world.book.take_episodes()] == [2]
    world.put(6, a=0.0)
    assert world.state() == "inactive" and world.level() == 3, "the new latch holds"


def test_doubt_on_the_way_back_latches_nothing_and_what_is_then_known_does() -> None:
    world = cleared_halfway()
    world.put(5, a=float("nan"))
    assert world.state() == "firing" and not world.book.latches()
    world.put(6, a=3.0)
    assert [latch.episode for latch in world.book.latches()] == [2]
    world.put(7, a=float("nan"))
    world.put(8, a=3.0)
    assert [latch.episode for latch in world.book.latches()] == [2], "one break is one latch"
