"""The operator's flatten: closed, proven flat, and only then without stops; whatever is lost on the way."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from engine.model.effects import AskVenue, CancelOrder, Notify, PlaceOrder, PlanMade, TargetOpened
from engine.model.orders import Intent, OrderKind, OrderState, Side
from engine.model.reports import Query
from engine.model.restraints import Level
from engine.model.time import HOUR, MINUTE, SECOND
from tests.execution.floor import Floor
from tests.execution.kit import ENTRY, EXIT, STOP

LIMIT = replace(ENTRY, kind=OrderKind.LIMIT, limit_price=Decimal(1))
HEDGE = replace(LIMIT, purpose="hedge", intent=Intent.HEDGE, side=Side.SELL)
PROFIT = replace(
    EXIT, purpose="tp", intent=Intent.TAKE_PROFIT, kind=OrderKind.TAKE_PROFIT_MARKET, trigger_price=Decimal(3)
)


def floor_with_everything() -> Floor:
    """Return a floor with a position, its stop, a take-profit, an entry and a hedge at work."""
    floor = Floor()
    floor.holding()
    for proposal in (STOP, PROFIT, replace(LIMIT, purpose="more"), HEDGE):
        floor.resting(proposal)
    floor.run(3 * SECOND)
    floor.out.clear()
    return floor


def flatten(floor: Floor) -> None:
    floor.level_now = Level.HALTED
    floor.dispatch(floor.execution.flatten(floor.at, floor, "test"))
    floor._converge()


def states(floor: Floor) -> list[str]:
    return [plan.state for plan in floor.made(PlanMade) if plan.strategy == "operator"]


def test_everything_is_closed_and_the_stops_go_last_in_both_books() -> None:
    """After the venue itself has said, since our last fill, that nothing is held."""
    floor = floor_with_everything()
    stop = floor.execution.latest("test", "stop/1")
    assert stop is not None
    flatten(floor)
    floor.run(MINUTE)
    assert states(floor) == ["flattening", "flat"]
    assert floor.execution.flattening() is None
    assert floor.held() == 0 and floor.venue.held["XYZUSDT"] == 0
    assert all(held.state.final for held in floor.venue.orders.values())
    cancels = floor.made(CancelOrder)
    assert cancels[-1].client_id == stop.client_id and cancels[-1].conditional
    assert len(cancels) == 4
    order = [one for one in floor.out if isinstance(one, PlaceOrder | AskVenue | CancelOrder)]
    closed = next(n for n, one in enumerate(order) if isinstance(one, PlaceOrder))
    asked = next(n for n, one in enumerate(order) if isinstance(one, AskVenue) and one.query is Query.ACCOUNT)
    assert closed < asked < order.index(cancels[-1])
    assert isinstance(order[-1], AskVenue)


def test_what_competes_with_the_closing_is_taken_back_before_anything_is_sold() -> None:
    """Reduce-only orders share one position."""
    floor = floor_with_everything()
    flatten(floor)
    assert floor.made(PlaceOrder) == [] and len(floor.made(CancelOrder)) == 3
    floor.run(200_000_000)
    assert [order.intent for order in floor.made(PlaceOrder)] == [Intent.FLATTEN]
    (target,) = floor.made(TargetOpened)
    assert (target.name, target.quantity) == ("operator.flatten/1", Decimal(0))


def test_flat_is_flat_at_once_where_nothing_is_open() -> None:
    """But the venue is asked all the same."""
    floor = Floor()
    flatten(floor)
    floor.run(SECOND)
    assert states(floor) == ["flattening", "flat"] or states(floor) == ["flattening"]
    floor.run(MINUTE)
    assert states(floor) == ["flattening", "flat"]


def test_the_stops_stay_while_nobody_says_that_it_is_flat() -> None:
    """A failed query is never flat."""
    floor = floor_with_everything()
    floor.deaf = True
    flatten(floor)
    floor.run(HOUR)
    assert floor.held() == 0
    status = floor.execution.flattening()
    assert status is not None and status["stage"] == "verifying" and status["left"] == []
    stop = floor.execution.latest("test", "stop/1")
    assert stop is not None and floor.venue.orders[stop.client_id].state is OrderState.OPEN
    floor.deaf = False
    floor.run(MINUTE)
    assert states(floor)[-1] == "flat"


def test_the_closings_lost_reply_is_looked_into_and_nothing_is_sold_twice() -> None:
    """One order on the wire until its fate is known."""
    floor = floor_with_everything()
    floor.reply, floor.stream = "lost", False
    flatten(floor)
    floor.run(200_000_000)
    floor.reply = "heard"
    floor.run(5 * MINUTE)
    assert states(floor)[-1] == "flat" and floor.venue.held["XYZUSDT"] == 0
    assert len(floor.made(PlaceOrder)) == 1


def test_a_position_that_the_venue_holds_and_we_do_not_count_is_closed_too() -> None:
    """Flat is what both say."""
    floor = floor_with_everything()
    floor.venue.held["XYZUSDT"] = Decimal(16)
    flatten(floor)
    floor.run(5 * MINUTE)
    assert states(floor)[-1] == "flat" and floor.venue.held["XYZUSDT"] == 0


@pytest.mark.parametrize("what", ["no instrument", "dust"])
def test_what_cannot_be_closed_is_paged_keeps_its_stop_and_is_tried_again(what: str) -> None:
    """The page says what to do."""
    floor = Floor()
    floor.holding()
    stop = floor.resting(STOP)
    floor.run(3 * SECOND)
    xyz = floor.instruments.pop(("paper", "XYZUSDT"))
    if what == "dust":
        floor.instruments["paper", "XYZUSDT"] = replace(xyz, step=Decimal(20), min_quantity=Decimal(20))
    flatten(floor)
    floor.run(5 * MINUTE)
    (page,) = floor.made(Notify)
    assert page.to == "page" and "by hand" in page.text and "XYZUSDT" in page.text
    assert floor.venue.orders[stop.client_id].state is OrderState.OPEN
    status = floor.execution.flattening()
    assert status is not None and [one["symbol"] for one in status["left"]] == ["XYZUSDT"]
    floor.instruments["paper", "XYZUSDT"] = xyz
    floor.run(30 * MINUTE)
    assert states(floor)[-1] == "flat" and floor.venue.held["XYZUSDT"] == 0


def test_a_crash_in_the_middle_goes_on_where_it_was() -> None:
    """At any instant of it."""
    for cut in range(0, 4000, 137):
        floor = floor_with_everything()
        flatten(floor)
        floor.run(cut * 1_000_000)
        floor.crash()
        floor.run(5 * MINUTE)
        assert states(floor)[-1] == "flat", cut
        assert floor.venue.held["XYZUSDT"] == 0
        assert all(held.state.final for held in floor.venue.orders.values())


def test_to_resume_ends_it() -> None:
    """Whoever resumes wants to trade."""
    floor = floor_with_everything()
    floor.deaf = True
    flatten(floor)
    floor.run(MINUTE)
    floor.level_now = Level.NORMAL
    floor.run(MINUTE)
    assert states(floor) == ["flattening", "flatten_ended"]
    assert floor.execution.flattening() is None


def test_to_ask_twice_changes_nothing() -> None:
    """A nervous hand is no second flatten."""
    floor = floor_with_everything()
    flatten(floor)
    flatten(floor)
    floor.run(MINUTE)
    assert states(floor) == ["flattening", "flat"]
    assert len(floor.made(PlaceOrder)) == 1
