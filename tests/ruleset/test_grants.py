"""A grant is a lease: known true, lately renewed, or none."""

from __future__ import annotations

from typing import Any

import pytest

from engine.ruleset.spec import Enforcement, RuleKind, RuleSpec
from tests.ruleset.notation import World, rule, seconds


def gate(expr: str = "spread < 5", **fields: Any) -> RuleSpec:
    given: dict[str, object] = {
        "id": "maker.spread", "kind": RuleKind.MAKER_GATE, "by": ("venue", "symbol"), "valid_for": 10, **fields,
    }
    return rule(expr, **given)


def granted(world: World, symbol: str = "BTC") -> tuple[bool, tuple[str, ...]]:
    return world.book.maker_granted(world.at, venue="v", symbol=symbol, intent="SCALP")


def test_without_a_gate_nothing_is_granted() -> None:
    assert granted(World(rule("a > 1"))) == (False, ("no maker gate covers this order",))


def test_a_known_true_gate_grants_its_labels_alone() -> None:
    world = World(gate())
    world.hear(0, "spread", ("v", "BTC"), 2.0)

    assert granted(world) == (True, ())
    assert granted(world, "ETH") == (False, ("maker.spread has no instance for this order yet",))


def test_false_and_unknown_revoke_at_once() -> None:
    world = World(gate())
    world.hear(0, "spread", ("v", "BTC"), 2.0)
    world.hear(1, "spread", ("v", "BTC"), 7.0)
    assert granted(world) == (False, ("maker.spread[v,BTC] is false",))

    world.hear(2, "spread", ("v", "BTC"), 2.0)
    world.hear(3, "spread", ("v", "BTC"), float("nan"))
    assert granted(world) == (False, ("maker.spread[v,BTC] is unknown (invalid(spread))",))


def test_a_grant_lapses_when_nothing_renews_it_and_any_sample_renews_it() -> None:
    world = World(gate())
    world.hear(0, "spread", ("v", "BTC"), 2.0)
    world.go(10)
    assert granted(world)[0]
    world.go(11)
    assert granted(world) == (False, ("maker.spread[v,BTC] lapsed: nothing it reads was heard for 10s",))

    world.hear(12, "spread", ("v", "BTC"), 2.0)
    assert granted(world)[0]


def test_all_gates_that_match_must_grant() -> None:
    world = World(gate(), gate("a > 0", id="maker.a", by=()))
    world.hear(0, "spread", ("v", "BTC"), 2.0)
    assert granted(world) == (False, ("maker.a is unknown (missing(a))",))
    world.put(0, a=1.0)
    assert granted(world)[0]


@pytest.mark.parametrize("fields", [{"enforcement": Enforcement.SHADOW}, {"enabled": False},
                                    {"enforcement": Enforcement.OFF}])
def test_a_gate_that_does_not_count_grants_nothing(fields: dict[str, Any]) -> None:
    world = World(gate(**fields))
    world.hear(0, "spread", ("v", "BTC"), 2.0)
    assert granted(world) == (False, ("no maker gate covers this order",))


def test_switching_a_gate_off_revokes_and_says_so() -> None:
    world = World(gate(enabled="MAKER_ON"), flags={"MAKER_ON": True})
    world.hear(0, "spread", ("v", "BTC"), 2.0)
    assert granted(world)[0]

    world.book.on_flags(0, {"MAKER_ON": False})
    (move,) = world.book.take_moves()
    assert not granted(world)[0]
    assert (move.before, move.after, move.why) == ("granted", "denied", "disabled by MAKER_ON")  # type: ignore[union-attr]


def test_a_new_digest_revokes_until_renewed_and_the_same_one_does_not() -> None:
    world = World(gate())
    world.hear(0, "spread", ("v", "BTC"), 2.0)
    assert granted(world.reopened())[0]

    other = world.reloaded()
    assert granted(other) == (False, ("maker.spread[v,BTC] was revoked by a new set of rules and not renewed yet",))
    other.hear(1, "spread", ("v", "BTC"), 2.0)
    assert granted(other)[0]


def test_grants_are_not_restraints_and_their_moves_are_told() -> None:
    world = World(gate())
    world.hear(0, "spread", ("v", "BTC"), 2.0)
    world.hear(1, "spread", ("v", "BTC"), 7.0)

    assert world.book.restraints() == ()
    assert [(move.before, move.after, move.why) for move in world.moves] == [
        ("denied", "granted", "true"), ("granted", "denied", "false"),
    ]
    assert world.book.unmet(account="main", venue="v", symbol="ETH", intent="SCALP") == ()


def test_a_held_condition_grants_by_time_alone() -> None:
    world = World(gate("held(a > 0, 5)", by=(), valid_for=100))
    world.put(0, a=1.0)
    assert not granted(world)[0]
    world.go(5)
    assert granted(world)[0]
    assert world.moves[-1].at == seconds(5)
