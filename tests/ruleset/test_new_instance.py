"""What moves a rule is its condition and time: not the order in which changes are told, nor how often it is asked."""

from __future__ import annotations

from engine.model.samples import Status
from engine.ruleset.lifecycle import Reading, Standing, State, Timing, advance, rearmed
from engine.ruleset.spec import Latching, OnUnknown
from tests.ruleset.notation import World, rule, seconds


def test_an_instance_never_fires_on_a_value_that_ceased_to_be_believed_in_the_batch_it_came_up_in() -> None:
    """The first labels come together with the loss of another input, which its older siblings are still to hear of."""
    world = World(rule("a <= 2 and spread >= 0", by=("venue", "symbol"), latch=Latching.MANUAL))
    world.put(0, a=3.0)
    world.hear(1, "spread", ("paper", "AUSDT"), 1.0)
    world.put(2, a=2.5)
    world.snapshot.put_named("a", (), 1.0, seconds(3), seconds(3))
    world.snapshot.degrade(world.snapshot.base("a", ()), Status.INVALID, seconds(3))
    world.snapshot.put_named("spread", ("paper", "BUSDT"), 1.0, seconds(3), seconds(3))
    world.at = seconds(3)
    world.settle()
    assert world.state("guard.test[paper,BUSDT]") == "held"
    assert not world.book.latches()
    assert not world.book.take_episodes()


def test_its_older_siblings_doubt_since_the_same_instant() -> None:
    world = World(rule("a <= 2 and spread >= 0", by=("venue", "symbol"), unknown_grace=5))
    world.put(0, a=3.0)
    world.hear(1, "spread", ("paper", "AUSDT"), 1.0)
    world.at = seconds(3)
    world.snapshot.degrade(world.snapshot.base("a", ()), Status.INVALID, seconds(3))
    world.snapshot.put_named("spread", ("paper", "BUSDT"), 1.0, seconds(3), seconds(3))
    world.settle()
    assert world.state("guard.test[paper,AUSDT]") == "inactive"
    world.go(7.9)
    assert world.state("guard.test[paper,AUSDT]") == "inactive"
    world.go(8)
    assert world.state("guard.test[paper,AUSDT]") == "held"


def test_a_rule_that_ignores_doubt_blocks_no_order_for_labels_it_never_heard() -> None:
    """What restrains for want of an instance is that rule unknown: of this one unknown means nothing."""
    order = {"account": "main", "venue": "paper", "symbol": "NEWUSDT", "intent": "ENTRY"}
    by = ("venue", "symbol")
    strict = World(rule("spread >= 9", by=by))
    ignoring = World(rule("spread >= 9", by=by, on_unknown=OnUnknown.IGNORE, on_unknown_reason="a test"))

    assert [one.rule for one in strict.book.unmet(**order)] == ["guard.test"]
    assert ignoring.book.unmet(**order) == ()


def test_a_pending_rule_that_is_re_armed_is_locked_out_at_once() -> None:
    """It used to be so at the next look, which an input that changed nothing could bring forward."""
    timing = Timing(hold_for=10, cooldown=20)
    pending = Standing(state=State.PENDING, reading=Reading.TRUE, answered=True, known_since=5, true_since=5)
    at_once = rearmed(pending, timing, 8)
    assert (at_once.state, at_once.locked_until) == (State.COOLDOWN, 28)
    assert advance(at_once, Reading.TRUE, timing, 9) == at_once
    assert advance(at_once, Reading.TRUE, timing, 15).state is State.FIRING
