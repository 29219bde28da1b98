"""Trouble by plan: what the sender hears, and what really happened."""

from __future__ import annotations

import pytest

from engine.exchange.faults import Fault, FaultKind, FaultPlan, Spell
from engine.model.events import OrderAccepted, OrderCancelled, OrderFilled, OrderRejected, OrderUncertain
from engine.model.orders import Intent, Side
from engine.model.time import SECOND
from tests.exchange.kit import NOON, STEADY, WAY, Floor, order, quote, stop


def floor_with(*faults: Fault) -> Floor:
    floor = Floor(faults=FaultPlan(faults))
    floor.market(quote(99.9, 50, 100.1, 50))
    return floor


def test_a_rejected_order_never_was_exposure() -> None:
    floor = floor_with(Fault(kind=FaultKind.REJECT, client_id="a", reason="overloaded"))
    floor.send(order("a"), order("b"))

    assert [(event.client_id, event.reason) for event in floor.events(OrderRejected)] == [("a", "overloaded")]
    assert floor.held() == 1


def test_a_lost_reply_leaves_an_order_that_is_alive_and_uncertain() -> None:
    floor = floor_with(Fault(kind=FaultKind.LOST_REPLY, nth=1))
    floor.send(order("a", limit_price="99"))
    assert floor.words("a") == []
    assert floor.open_ids() == ["a"]

    floor.let(STEADY.uncertain_after)
    assert floor.words("a") == ["OrderUncertain"]
    assert floor.open_ids() == ["a"]


def test_fills_of_a_lost_reply_still_come_and_as_late_as_planned() -> None:
    floor = floor_with(Fault(kind=FaultKind.LOST_REPLY, nth=1, delay=8 * SECOND))
    floor.send(order("a"))
    floor.let(10 * SECOND)

    assert floor.words("a") == ["OrderUncertain", "OrderFilled"]
    assert floor.held() == 1


def test_a_lost_order_never_arrives() -> None:
    floor = floor_with(Fault(kind=FaultKind.LOST_ORDER, client_id="a"))
    floor.send(order("a"))
    floor.let(10 * SECOND)

    assert [event.reason for event in floor.events(OrderUncertain)] == ["lost_order"]
    assert floor.held() == 0


def test_a_delayed_answer_is_overtaken() -> None:
    floor = floor_with(Fault(kind=FaultKind.DELAY, nth=1, delay=SECOND))
    floor.send(order("a"), order("b"))
    floor.let(2 * SECOND)

    assert [event.client_id for event in floor.events(OrderAccepted)] == ["b", "a"]
    late = next(at for at, event in floor.told if isinstance(event, OrderFilled) and event.fill.client_id == "a")
    assert late - floor.fills("a")[0].venue_at == WAY + SECOND


@pytest.mark.parametrize("fields", [{}, {"client_id": "a", "nth": 1}, {"nth": 1, "delay": -1}])
def test_a_fault_names_one_order(fields: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"names either|before the question"):
        Fault(kind=FaultKind.DELAY, **fields)  # type: ignore[arg-type]


def test_in_a_spell_every_order_of_its_sort_meets_the_fault_and_no_other_order() -> None:
    spell = Spell(kind=FaultKind.REJECT, start=NOON, end=NOON + SECOND, intent=Intent.ENTRY, purpose="/first")
    floor = Floor(faults=FaultPlan(spells=(spell,)))
    floor.market(quote(99.9, 50, 100.1, 50))
    floor.send(order("a", purpose="x/first"), order("b", purpose="x/second"))
    floor.send(order("c", purpose="x/first", intent=Intent.SCALP))
    floor.let(SECOND)
    floor.market(quote(99.9, 50, 100.1, 50))
    floor.send(order("d", purpose="x/first"))

    assert [event.client_id for event in floor.events(OrderRejected)] == ["a"]
    assert floor.held() == 3


def test_an_order_that_vanishes_stood_until_then_and_its_end_is_told() -> None:
    spell = Spell(kind=FaultKind.VANISHED, start=NOON, end=NOON + SECOND, intent=Intent.STOP, delay=30 * SECOND)
    floor = Floor(faults=FaultPlan(spells=(spell,)))
    floor.market(quote(99.9, 50, 100.1, 50))
    floor.send(order("a"), stop("s", Side.SELL, "95"))
    assert floor.words("s") == ["OrderAccepted"]
    floor.let(28 * SECOND)
    assert floor.open_ids() == ["s"]

    again = Floor(faults=FaultPlan(spells=(spell,)))
    again.exchange.load(floor.exchange.dump())
    floor.let(3 * SECOND)
    assert floor.words("s") == ["OrderAccepted", "OrderCancelled"]
    assert [event.reason for event in floor.events(OrderCancelled)] == ["expired"]
    assert floor.open_ids() == []
    assert again.exchange.next_due() is not None, "what vanishes later is in a checkpoint"


def test_in_a_spell_of_questions_each_fails() -> None:
    plan = FaultPlan(spells=(Spell(kind=None, start=NOON, end=NOON + SECOND, reason="maintenance"),))

    assert plan.during(order("a"), NOON) is None
    failed = plan.question_during(NOON)
    assert failed is not None and failed.reason == "maintenance"
    assert plan.question_during(NOON + SECOND) is None


@pytest.mark.parametrize("fields", [{"end": NOON}, {"end": NOON + 1, "delay": -1}])
def test_a_spell_ends_after_it_began(fields: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"ends after|before the question"):
        Spell(kind=FaultKind.REJECT, start=NOON, **fields)  # type: ignore[arg-type]
