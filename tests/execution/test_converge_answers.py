"""What the venue's refusals teach the way to a target: read again, sell less, and never a second order in doubt."""

from __future__ import annotations

from decimal import Decimal

from engine.model.effects import AskVenue, PlaceOrder
from engine.model.orders import Closing, Intent, OrderState
from engine.model.reports import Query
from engine.model.time import MINUTE, SECOND
from tests.execution.floor import Floor


def closing(floor: Floor) -> None:
    floor.dispatch([Closing(name="test/1", venue="paper", symbol="XYZUSDT", why="test")])
    floor._converge()


def closings(floor: Floor) -> list[PlaceOrder]:
    return [order for order in floor.made(PlaceOrder) if order.intent is Intent.FLATTEN]


def test_an_order_of_unknown_fate_is_waited_for() -> None:
    """It never arrived; the second one leaves only when that is proven."""
    floor = Floor()
    floor.holding()
    floor.reply = "dropped"
    closing(floor)
    first = closings(floor)[0]
    floor.run(floor.terms.absent_grace)
    assert floor.state(first) is OrderState.UNKNOWN and closings(floor) == [first]
    floor.reply = "heard"
    floor.run(MINUTE)
    assert floor.state(first) is OrderState.ABANDONED
    assert len(closings(floor)) == 2 and floor.held() == 0 and not floor.execution.has_targets()


def test_nothing_to_reduce_is_a_reason_to_read_the_position_again() -> None:
    """The venue holds nothing, we count ten: what is counted was wrong."""
    floor = Floor()
    floor.holding()
    floor.venue.held["XYZUSDT"] = Decimal(0)
    floor.out.clear()
    closing(floor)
    floor.run(100_000_000)
    assert [type(one) for one in floor.out if isinstance(one, PlaceOrder | AskVenue)] == [PlaceOrder, AskVenue]
    assert floor.asked(Query.ACCOUNT)[0].why == "nothing was left to reduce"
    floor.run(2 * MINUTE)
    assert floor.held() == 0 and not floor.execution.has_targets()
    assert len(closings(floor)) < 8


def test_nothing_is_sent_while_the_position_cannot_be_read() -> None:
    """It is asked for, every few seconds."""
    floor = Floor()
    floor.holding()
    floor.venue.held["XYZUSDT"] = Decimal(0)
    floor.deaf = True
    floor.out.clear()
    closing(floor)
    floor.run(MINUTE)
    assert len(closings(floor)) == 1
    assert 8 <= len([ask for ask in floor.asked(Query.ACCOUNT) if "reduce" in ask.why]) <= 13


def test_a_market_that_is_too_thin_is_sold_to_in_smaller_clips() -> None:
    """Half of it, and half again, until it is taken; then larger again."""
    floor = Floor()
    floor.holding()
    floor.venue.thin = Decimal(3)
    closing(floor)
    floor.run(5 * MINUTE)
    assert floor.held() == 0 and floor.venue.held["XYZUSDT"] == 0
    sizes = [order.quantity for order in closings(floor)]
    assert sizes[:3] == [Decimal(10), Decimal(5), Decimal("2.5")]
    assert sum(one.quantity for one in floor.venue.trades[1:]) == 10


def test_what_waits_for_other_exits_goes_on_as_soon_as_they_are_over() -> None:
    """Their end wakes it, no clock."""
    floor = Floor()
    order = floor.holding()
    assert order.quantity == 10
    floor.reply = "lost"
    closing(floor)
    floor.reply = "heard"
    before = floor.at
    floor.run(3 * SECOND)
    assert floor.held() == 0 and floor.at - before == 3 * SECOND


def test_an_exit_that_a_ban_held_back_leaves_within_seconds_of_its_end() -> None:
    """However long it took: nothing was said of the exit itself, and the market goes on falling."""
    floor = Floor()
    floor.holding()
    floor.venue.banned_until = floor.at + 3 * MINUTE
    closing(floor)
    floor.run(3 * MINUTE - SECOND)
    assert floor.held() == 10 and 20 <= len(closings(floor)) <= 45
    floor.run(7 * SECOND)
    assert floor.held() == 0 and not floor.execution.has_targets()
