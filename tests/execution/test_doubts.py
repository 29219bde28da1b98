"""Orders of unknown fate: found wherever they are, given up only on proof, never sent again."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

import pytest

from engine.model.effects import CancelOrder, Notify, PlaceOrder, PlanMade, TargetOpened
from engine.model.events import CancelRejected, OrderUncertain
from engine.model.orders import OrderKind, OrderState
from engine.model.reports import Query
from engine.model.time import HOUR, MINUTE, SECOND
from tests.execution.floor import Floor
from tests.execution.kit import ENTRY, EXIT, STOP

LIMIT = replace(ENTRY, kind=OrderKind.LIMIT, limit_price=Decimal(2))


def test_a_lost_reply_to_an_order_that_filled_is_found_and_its_fills_are_fetched() -> None:
    """Neither ordered again nor forgotten; the position is what the venue holds."""
    floor = Floor()
    floor.reply, floor.stream = "lost", False
    order = floor.order()
    floor.run(100_000_000)
    assert floor.state(order) is OrderState.UNKNOWN and floor.exposure().open_buys == 10
    floor.run(2 * SECOND)
    assert floor.state(order) is OrderState.FILLED
    assert floor.held() == 10 and floor.exposure().open_buys == 0
    assert len(floor.made(PlaceOrder)) == 1


def test_an_order_that_never_arrived_is_given_up_after_the_grace_and_not_before() -> None:
    """Until then it counts as if it had filled."""
    floor = Floor()
    floor.reply = "dropped"
    order = floor.order()
    floor.run(floor.terms.absent_grace)
    assert floor.state(order) is OrderState.UNKNOWN and floor.exposure().open_buys == 10
    assert floor.plan(ENTRY) == []
    floor.run(20 * SECOND)
    assert floor.state(order) is OrderState.ABANDONED and floor.exposure().open_buys == 0
    assert [note.to for note in floor.made(Notify)] == ["digest"]
    assert len(floor.plan(ENTRY)) == 1


def test_it_is_looked_for_in_its_own_book_first_then_in_the_other_then_in_the_trades_then_in_the_position() -> None:
    """A stop's own book is the conditional one."""
    floor = Floor()
    floor.holding()
    floor.out.clear()
    floor.reply = "dropped"
    stop = floor.order(STOP)
    floor.run(40 * SECOND)
    assert floor.state(stop) is OrderState.ABANDONED
    asks = [ask for ask in floor.asked(Query.ORDER) if ask.client_id == stop.client_id]
    assert [ask.conditional for ask in asks[:4]] == [True, False, True, False]
    trades = floor.asked(Query.TRADES)
    assert {ask.since for ask in trades} == {floor.record(stop).sent_at - MINUTE}
    assert asks[-1].at < trades[-1].at <= floor.asked(Query.ACCOUNT)[-1].at


def test_the_search_slows_down_and_never_ends_while_nobody_answers() -> None:
    """A failed question proves nothing, for an hour or for ever."""
    floor = Floor()
    floor.reply, floor.deaf = "dropped", True
    order = floor.order()
    floor.run(HOUR)
    assert floor.state(order) is OrderState.UNKNOWN and floor.exposure().open_buys == 10
    asks = [ask.at for ask in floor.asked(Query.ORDER)]
    gaps = [later - earlier for earlier, later in pairwise(asks)]
    assert gaps == sorted(gaps) and max(gaps) < 9 * SECOND
    assert 400 < len(asks) < 500
    floor.deaf = False
    floor.run(MINUTE)
    assert floor.state(order) is OrderState.ABANDONED


def test_a_question_that_is_not_even_failed_is_asked_again() -> None:
    """An adapter that forgets a question may not end a search."""
    floor = Floor()
    floor.reply, floor.mute = "lost", True
    order = floor.order(LIMIT)
    floor.run(10 * SECOND)
    assert len(floor.asked(Query.ORDER)) == 1
    floor.mute = False
    floor.run(MINUTE)
    assert floor.state(order) is OrderState.OPEN


def test_an_order_that_hides_for_less_than_the_grace_is_found() -> None:
    """Accepted, and invisible for a while: the venue that forgets."""
    floor = Floor()
    floor.reply, floor.venue.hide_for = "lost", 12 * SECOND
    order = floor.resting(LIMIT)
    floor.run(30 * SECOND)
    assert floor.state(order) is OrderState.OPEN
    assert floor.made(Notify) == []


def test_an_order_is_not_given_up_while_the_position_is_not_as_counted() -> None:
    """Its trade cannot be seen and neither can it, but something was bought."""
    floor = Floor()
    floor.reply, floor.stream, floor.venue.hide_for = "lost", False, 10 * MINUTE
    order = floor.order()
    floor.run(20 * SECOND)
    assert floor.state(order) is OrderState.UNKNOWN
    assert floor.exposure().open_buys == 10


def test_an_entry_that_appears_after_it_was_given_up_is_cancelled_and_paged() -> None:
    """Nobody wants it any more."""
    floor = Floor()
    floor.reply, floor.venue.hide_for = "lost", MINUTE
    order = floor.resting(LIMIT)
    floor.run(45 * SECOND)
    assert floor.state(order) is OrderState.ABANDONED
    floor.reply = "heard"
    floor.run(10 * MINUTE)
    assert floor.venue.orders[order.client_id].state is OrderState.CANCELLED
    assert floor.state(order) is OrderState.CANCELLED
    assert [note.to for note in floor.made(Notify)] == ["digest", "page"]
    assert [plan.state for plan in floor.made(PlanMade)] == ["abandoned", "incident"]
    told = [(one.name, one.value) for one in floor.samples if one.name == "order_incidents"]
    assert told[-1] == ("order_incidents", 1.0)


def test_what_an_order_opened_that_was_given_up_is_closed_and_the_rest_of_the_position_stays() -> None:
    """A fill is a fill: it is booked, and undone."""
    floor = Floor()
    floor.holding("3")
    floor.reply, floor.venue.hide_for = "lost", MINUTE
    order = floor.resting(replace(LIMIT, purpose="late"))
    floor.run(45 * SECOND)
    assert floor.state(order) is OrderState.ABANDONED
    floor.reply, floor.venue.hide_for = "heard", 0
    floor.fill(order, "4")
    floor.run(10 * MINUTE)
    assert floor.held() == 3 and floor.venue.held == {"XYZUSDT": 3}
    assert floor.venue.orders[order.client_id].state is OrderState.CANCELLED
    assert [target.quantity for target in floor.made(TargetOpened)] == [3]
    assert [note.to for note in floor.made(Notify)] == ["digest", "page"]


@pytest.mark.parametrize("filled", ["0", "4"])
def test_a_cancel_that_is_refused_is_looked_into_and_asked_again_where_the_order_still_works(filled: str) -> None:
    """Unknown on a cancel may mean filled, gone, or not there yet."""
    floor = Floor()
    order = floor.resting(LIMIT)
    floor.run(SECOND)
    floor.reply = "dropped"
    floor.stream = False
    assert len(floor.cancel(order)) == 1
    floor.fill(order, filled)
    floor.hear(CancelRejected(client_id=order.client_id, reason="-2011", venue_at=floor.at))
    assert floor.state(order) is OrderState.UNKNOWN
    floor.reply = "heard"
    floor.run(MINUTE)
    assert floor.state(order) is OrderState.CANCELLED
    assert floor.held() == Decimal(filled)
    assert len(floor.made(CancelOrder)) == 1


def test_silence_is_doubt_after_a_while() -> None:
    """No answer at all, not even that there was none."""
    floor = Floor()
    order = floor.place(LIMIT)
    floor.run(floor.terms.in_flight - 1)
    assert floor.state(order) is OrderState.SENT
    floor.run(SECOND)
    assert floor.state(order) is OrderState.UNKNOWN
    assert floor.record(order).reason == "no answer for 5s"
    floor.run(MINUTE)
    assert floor.state(order) is OrderState.ABANDONED


def test_an_accepted_market_order_that_never_fills_is_asked_for() -> None:
    """With the stream off this is how its fill is heard of at all."""
    floor = Floor()
    floor.stream = False
    order = floor.order()
    floor.run(SECOND)
    assert floor.state(order) is OrderState.OPEN
    floor.run(floor.terms.in_flight + SECOND)
    assert floor.state(order) is OrderState.FILLED and floor.held() == 10


@pytest.mark.parametrize("state", ["sent", "cancelling", "uncertain"])
def test_what_was_under_way_when_the_process_died_is_of_unknown_fate(state: str) -> None:
    """Whatever was heard of it before."""
    floor = Floor()
    order = floor.resting(LIMIT) if state == "cancelling" else floor.place(LIMIT)
    if state == "cancelling":
        floor.run(SECOND)
        floor.cancel(order)
    elif state == "uncertain":
        floor.hear(OrderUncertain(client_id=order.client_id, reason="timeout", venue_at=floor.at))
    floor.cut()
    floor.start()
    assert floor.state(order) is OrderState.UNKNOWN
    assert floor.exposure().open_buys == 10
    floor.run(MINUTE)
    assert floor.state(order) is (OrderState.CANCELLED if state == "cancelling" else OrderState.ABANDONED)
    assert len([one for one in floor.made(PlaceOrder) if one.client_id == order.client_id]) == (state == "cancelling")


def test_a_questions_answer_that_died_with_the_process_is_asked_for_anew() -> None:
    """Nobody will ever tell it."""
    floor = Floor()
    floor.reply = "lost"
    order = floor.order()
    floor.run(560_000_000)
    assert len(floor.asked(Query.ORDER)) == 1
    floor.crash()
    floor.run(5 * SECOND)
    assert floor.state(order) is OrderState.FILLED and floor.held() == 10


def test_an_exit_of_unknown_fate_is_not_sent_again_either() -> None:
    """It may have sold already."""
    floor = Floor()
    floor.holding()
    floor.reply, floor.stream = "lost", False
    order = floor.order(EXIT)
    floor.run(100_000_000)
    assert floor.plan(EXIT) == []
    floor.run(3 * SECOND)
    assert floor.state(order) is OrderState.FILLED and floor.held() == 0


def test_a_cancel_that_is_refused_again_and_again_is_asked_for_ever_more_slowly() -> None:
    """The order is there, says one part of the venue; there is no such order, says the other."""
    floor = Floor()
    order = floor.resting(LIMIT)
    floor.run(3 * SECOND)
    floor.venue.deny_cancels = True
    floor.perform(floor.cancel(order))
    floor.run(10 * MINUTE)
    assert floor.exposure().open_buys == 10
    assert 10 < len(floor.made(CancelOrder)) < 90
    floor.venue.deny_cancels = False
    floor.run(MINUTE)
    assert floor.state(order) is OrderState.CANCELLED
