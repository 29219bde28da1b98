"""Entry rules judge one order: what is true refuses it, and so does what is not known."""

from __future__ import annotations

import pytest

from engine.model.truth import Truth
from engine.ruleset.spec import Enforcement, RuleKind, RuleSpec
from tests.ruleset.notation import World, rule

LABELS = {"account": "main", "venue": "v", "symbol": "BTC", "intent": "EVENT"}


def entry(expr: str, **fields: object) -> RuleSpec:
    given: dict[str, object] = {"id": "entry.test", "kind": RuleKind.ENTRY, **fields}
    return rule(expr, **given)


@pytest.mark.parametrize(
    ("order", "truth", "reasons"),
    [
        ({"order_size": 50.0}, Truth.FALSE, ()),
        ({"order_size": 150.0}, Truth.TRUE, ()),
        ({"order_size": 100.0}, Truth.FALSE, ()),
        ({}, Truth.UNKNOWN, ("missing(order_size)",)),
        ({"order_size": float("nan")}, Truth.UNKNOWN, ("invalid(order_size)",)),
        ({"order_size": -1.0}, Truth.UNKNOWN, ("invalid(order_size)",)),
        ({"order_size": "many"}, Truth.UNKNOWN, ("invalid(order_size)",)),
        ({"order_size": True}, Truth.UNKNOWN, ("invalid(order_size)",)),
    ],
)
def test_the_order_itself(order: dict[str, float | str], truth: Truth, reasons: tuple[str, ...]) -> None:
    world = World(entry("order_size > 100"))
    (verdict,) = world.book.judge_entry(0, order, LABELS)
    assert (verdict.rule, verdict.truth, verdict.reasons) == ("entry.test", truth, reasons)
    assert verdict.source == "rules/test.yaml:7"


def test_words_of_the_order() -> None:
    world = World(entry("order_side == 'sell'"))
    answers = [world.book.judge_entry(0, {"order_side": side}, LABELS)[0].truth for side in ("buy", "sell", "hold")]
    assert answers == [Truth.FALSE, Truth.TRUE, Truth.UNKNOWN]


def test_other_signals_are_bound_by_the_labels_of_the_order() -> None:
    world = World(entry("spread > 50"))
    world.hear(0, "spread", ("v", "BTC"), 20.0)
    world.hear(0, "spread", ("v", "ETH"), 80.0)

    (mine,) = world.book.judge_entry(0, {}, LABELS)
    (other,) = world.book.judge_entry(0, {}, {**LABELS, "symbol": "ETH"})
    (unseen,) = world.book.judge_entry(0, {}, {**LABELS, "symbol": "DOGE"})
    assert (mine.truth, mine.inputs) == (Truth.FALSE, (("spread", "20"),))
    assert (other.truth, unseen.truth, unseen.reasons) == (Truth.TRUE, Truth.UNKNOWN, ("missing(spread)",))


def test_windows_of_entry_rules_fill_before_the_first_order() -> None:
    world = World(entry("max_over(spread, 60) > 50"))
    world.hear(0, "spread", ("v", "BTC"), 80.0)
    for at in range(1, 60):
        world.hear(at, "spread", ("v", "BTC"), 20.0)
    assert world.book.judge_entry(world.at, {}, LABELS)[0].truth is Truth.TRUE


def test_every_enforced_rule_answers_in_the_order_of_ids() -> None:
    world = World(
        entry("order_size > 1", id="e.b"), entry("order_size > 2", id="e.a"),
        entry("order_size > 3", id="e.c", enforcement=Enforcement.SHADOW), entry("a > 1", id="e.d"),
        unwired=frozenset({"a"}),
    )
    assert [verdict.rule for verdict in world.book.judge_entry(0, {"order_size": 5.0}, LABELS)] == ["e.a", "e.b"]


def test_a_zero_divisor_refuses() -> None:
    world = World(entry("1 / order_size > 2"))
    (verdict,) = world.book.judge_entry(0, {"order_size": 0.0}, LABELS)
    assert (verdict.truth, verdict.reasons) == (Truth.UNKNOWN, ("division_by_zero",))


def test_a_flag_changes_the_next_verdict() -> None:
    world = World(entry("order_size > LIMIT"), flags={"LIMIT": 10})
    assert world.book.judge_entry(0, {"order_size": 5.0}, LABELS)[0].truth is Truth.FALSE
    world.book.on_flags(0, {"LIMIT": 1})
    assert world.book.judge_entry(0, {"order_size": 5.0}, LABELS)[0].truth is Truth.TRUE


def test_asking_changes_nothing() -> None:
    world = World(entry("order_size > 1"), rule("a > 1"))
    before = world.book.dump()
    world.book.judge_entry(0, {"order_size": 5.0}, LABELS)
    assert world.book.dump() == before and world.book.next_due() is None
