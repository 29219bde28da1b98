"""The venue's account against what we count: proof by proof, and nothing begun before they agree."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from engine.model.answers import AccountStream
from engine.model.effects import AskVenue, CancelOrder, Notify, PlaceOrder, PositionAdopted
from engine.model.events import OrderFilled
from engine.model.fills import Fill
from engine.model.orders import Intent, OrderKind, OrderState, Side
from engine.model.reports import Query
from engine.model.restraints import Level
from engine.model.terms import ExecutionTerms, Foreign
from engine.model.time import HOUR, MINUTE, SECOND
from tests.execution.floor import Floor
from tests.execution.kit import ENTRY, STOP
from tests.execution.model_venue import Held

LIMIT = replace(ENTRY, kind=OrderKind.LIMIT, limit_price=Decimal(2))


def holds(floor: Floor) -> list[str]:
    return [held.instance for held in floor.execution.holds()]


def stranger(floor: Floor, client_id: str, **changes: object) -> None:
    """Put an order into the venue's book that no record of ours knows."""
    order = PlaceOrder(
        at=floor.at, client_id=client_id, account="main", venue="paper", symbol="XYZUSDT", side=Side.BUY,
        kind=OrderKind.LIMIT, intent=Intent.ENTRY, quantity=Decimal(5), limit_price=Decimal(1), trigger_price=None,
        reference_price=Decimal(1), reduce_only=False, close_position=False, post_only=False, purpose="",
        policy_version=0,
    )
    floor.venue.orders[client_id] = Held(order=replace(order, **changes))  # type: ignore[arg-type]


def test_a_run_begins_reduce_only_until_the_account_agreed() -> None:
    """And says what ends it."""
    floor = Floor(agreed=False)
    (held,) = floor.execution.holds()
    assert held.instance == "engine.unreconciled[paper]"
    assert held.restraint.level is Level.REDUCE_ONLY and held.scope.venue == "paper"
    assert held.clear_with == "engine reconcile" and "agrees" in held.ends
    assert [ask.venue for ask in floor.asked(Query.ACCOUNT)] == ["paper"]
    floor.run(SECOND)
    assert floor.execution.holds() == ()


def test_nothing_is_agreed_while_nobody_answers_and_no_failure_is_flat() -> None:
    """An hour of failures leaves orders and positions as they were."""
    floor = Floor()
    floor.holding()
    stop = floor.order(STOP)
    floor.run(SECOND)
    floor.deaf = True
    floor.crash()
    floor.run(HOUR)
    assert holds(floor) == ["engine.unreconciled[paper]"]
    assert floor.held() == 10 and floor.state(stop) is OrderState.OPEN
    assert 100 < len(floor.asked(Query.ACCOUNT)) < 200
    failures = [float(one.value) for one in floor.samples if one.name == "venue_questions_failed"]
    assert failures == sorted(failures) and failures[-1] > 100
    floor.deaf = False
    floor.run(MINUTE)
    assert holds(floor) == []


def test_it_is_asked_often_while_something_is_open_and_seldom_while_nothing_is() -> None:
    """Every half minute, every five minutes."""
    floor = Floor()
    floor.out.clear()
    floor.run(30 * MINUTE)
    assert 5 <= len(floor.asked(Query.ACCOUNT)) <= 7
    floor.holding()
    floor.out.clear()
    floor.run(30 * MINUTE)
    assert 58 <= len(floor.asked(Query.ACCOUNT)) <= 62


def test_an_account_that_falls_silent_is_held_again() -> None:
    """Entries paused would not be enough: working entries could fill unseen."""
    floor = Floor()
    floor.holding()
    floor.deaf = True
    floor.run(2 * MINUTE)
    assert holds(floor) == []
    floor.run(MINUTE)
    assert holds(floor) == ["engine.unreconciled[paper]"]
    floor.deaf = False
    floor.run(MINUTE)
    assert holds(floor) == []


def test_a_broken_stream_holds_until_the_account_was_read_after_it_came_back() -> None:
    """What it missed is asked for: trades since the last one seen, and the account."""
    floor = Floor()
    entry = floor.resting(LIMIT)
    floor.run(SECOND)
    floor.stream_is(False)
    assert holds(floor) == ["engine.unreconciled[paper]"]
    floor.run(10 * SECOND)
    assert holds(floor) == ["engine.unreconciled[paper]"]
    floor.fill(entry, "4")
    floor.out.clear()
    floor.stream_is(True)
    assert {ask.query for ask in floor.made(AskVenue)} == {Query.TRADES, Query.INCOME, Query.ACCOUNT}
    floor.run(10 * SECOND)
    assert floor.held() == 4 and holds(floor) == []


def test_an_unknown_order_from_before_the_start_keeps_the_hold_one_from_after_does_not() -> None:
    """The one is an account we do not know, the other is a rule's matter."""
    floor = Floor()
    floor.reply = "dropped"
    floor.order(LIMIT)
    floor.crash()
    floor.run(5 * SECOND)
    assert holds(floor) == ["engine.unreconciled[paper]"]
    floor.run(MINUTE)
    assert holds(floor) == []
    floor.order(replace(LIMIT, purpose="next"))
    floor.run(10 * SECOND)
    assert holds(floor) == []


def test_an_order_that_a_list_lacks_is_looked_up_before_anything_is_believed() -> None:
    """A list never proves absence."""
    floor = Floor()
    order = floor.resting(LIMIT)
    floor.run(3 * SECOND)
    floor.venue.orders[order.client_id].hidden_until = floor.at + 31 * SECOND
    floor.execution.reconcile_now(floor.at)
    floor.run(32 * SECOND)
    assert floor.state(order) is OrderState.OPEN
    floor.run(MINUTE)
    assert floor.state(order) is OrderState.OPEN
    assert floor.asked(Query.ORDER) != []


def test_an_order_that_ended_unheard_is_found_to_have_ended() -> None:
    """Filled, and no stream said so: its fill is fetched."""
    floor = Floor()
    order = floor.resting(LIMIT)
    floor.run(3 * SECOND)
    floor.stream = False
    floor.fill(order, "10")
    floor.run(MINUTE)
    assert floor.state(order) is OrderState.FILLED and floor.held() == 10
    assert floor.made(PositionAdopted) == []


def test_a_position_that_the_trades_explain_is_not_taken_over() -> None:
    """A partial fill that nobody told, of an order that goes on working."""
    floor = Floor()
    order = floor.resting(LIMIT)
    floor.run(3 * SECOND)
    floor.stream = False
    floor.fill(order, "4")
    floor.run(MINUTE)
    assert floor.held() == 4 and floor.exposure().open_buys == 6
    assert floor.made(PositionAdopted) == []


@pytest.mark.parametrize("there", ["7", "0", "-2"])
def test_a_position_that_nothing_explains_is_taken_over_from_the_venue(there: str) -> None:
    """Liquidated, or moved by hand: the venue is the truth, and a person is told."""
    floor = Floor()
    floor.holding()
    realized = floor.position("paper", "XYZUSDT").realized
    floor.run(3 * SECOND)
    floor.venue.held["XYZUSDT"] = Decimal(there)
    floor.run(MINUTE)
    assert floor.held() == Decimal(there)
    (adopted,) = floor.made(PositionAdopted)
    assert (adopted.counted, adopted.quantity) == (Decimal(10), Decimal(there))
    assert floor.position("paper", "XYZUSDT").realized == realized
    assert [note.to for note in floor.made(Notify)] == ["alert"]
    floor.run(10 * MINUTE)
    assert len(floor.made(PositionAdopted)) == 1


def test_one_report_is_not_enough_to_take_a_position_over() -> None:
    """It may be the report that is late."""
    floor = Floor()
    floor.holding()
    floor.run(3 * SECOND)
    floor.venue.held["XYZUSDT"] = Decimal(7)
    floor.hear(floor.venue.account(0, floor.at))
    floor.venue.held["XYZUSDT"] = Decimal(10)
    floor.run(5 * MINUTE)
    assert floor.held() == 10 and floor.made(PositionAdopted) == []


def test_a_position_that_just_moved_is_not_compared() -> None:
    """A report of the same second may lack the fill."""
    floor = Floor()
    before = floor.venue.account(0, floor.at)
    floor.holding()
    for ask in range(3):
        floor.hear(replace(before, ask=ask, as_of=floor.at))
    assert floor.held() == 10 and floor.made(PositionAdopted) == []


def test_a_fill_that_comes_after_its_position_was_taken_over_is_told_and_not_added_again() -> None:
    """It is in what was taken over."""
    floor = Floor()
    order = floor.resting(LIMIT)
    floor.run(3 * SECOND)
    floor.stream, floor.deaf = False, True
    (event,) = floor.venue.fill(order.client_id, Decimal(4), floor.at)
    floor.run(10 * SECOND)
    for ask in range(5):
        floor.run(2 * SECOND)
        floor.hear(floor.venue.account(ask, floor.at))
    assert floor.held() == 4 and len(floor.made(PositionAdopted)) == 1
    floor.hear(event)
    assert floor.held() == 4
    assert floor.record(order).filled == 4 and floor.exposure().open_buys == 6


def test_our_own_orders_of_a_lost_journal_are_cleared_away_and_what_protects_is_kept() -> None:
    """Whatever epoch they carry."""
    floor = Floor()
    stranger(floor, "rb-old-7")
    floor.venue.held["XYZUSDT"] = Decimal(10)
    stranger(
        floor, "rb-old-8", side=Side.SELL, kind=OrderKind.STOP_MARKET, quantity=None, close_position=True,
        limit_price=None, trigger_price=Decimal(1),
    )
    floor.crash()
    floor.run(MINUTE)
    assert floor.venue.orders["rb-old-7"].state is OrderState.CANCELLED
    assert floor.venue.orders["rb-old-8"].state is OrderState.OPEN
    assert floor.held() == 10
    assert floor.execution.stop_of("paper", "XYZUSDT") == "rb-old-8 @ 1"
    assert [effect.client_id for effect in floor.made(CancelOrder)] == ["rb-old-7"]
    assert holds(floor) == []


def test_a_strangers_order_is_told_once_and_its_symbol_left_alone_while_it_is_there() -> None:
    """By default nobody cancels what somebody else placed."""
    floor = Floor()
    stranger(floor, "by-hand")
    floor.run(30 * MINUTE)
    assert [note.to for note in floor.made(Notify)] == ["alert"]
    (held,) = floor.execution.holds()
    assert held.instance == "engine.foreign[XYZUSDT]" and held.restraint.deny == {"XYZUSDT"}
    assert floor.exposure().open_buys == 0
    floor.venue.cancel("by-hand", floor.at)
    floor.run(10 * MINUTE)
    assert holds(floor) == []


def test_a_strangers_order_that_is_adopted_counts() -> None:
    """Where configured so."""
    floor = Floor(ExecutionTerms(foreign_orders=Foreign.ADOPT))
    stranger(floor, "by-hand")
    floor.run(10 * MINUTE)
    assert floor.exposure().open_buys == 5 and holds(floor) == []
    record = floor.execution.order("by-hand")
    assert record is not None and record.foreign
    floor.arrive(floor.venue.fill("by-hand", Decimal(2), floor.at))
    floor.run(SECOND)
    assert floor.held() == 2 and floor.exposure().open_buys == 3


def test_a_strangers_position_is_left_alone_where_configured_so() -> None:
    """It is denied, not counted, and a stranger's fills move it and not ours."""
    floor = Floor(ExecutionTerms(foreign_positions=Foreign.ALERT))
    floor.venue.held["XYZUSDT"] = Decimal(5)
    floor.run(10 * MINUTE)
    assert floor.held() == 0 and holds(floor) == ["engine.foreign[XYZUSDT]"]
    assert floor.made(PositionAdopted) == []
    stranger(floor, "by-hand", side=Side.SELL)
    floor.arrive(floor.venue.fill("by-hand", Decimal(5), floor.at))
    floor.run(10 * MINUTE)
    assert floor.held() == 0 and holds(floor) == []
    assert len(floor.made(Notify)) == 1


def test_a_strangers_position_is_ours_to_protect_by_default() -> None:
    """What stands in our account can ruin us whoever opened it."""
    floor = Floor()
    floor.venue.held["XYZUSDT"] = Decimal(5)
    floor.run(10 * MINUTE)
    assert floor.held() == 5 and holds(floor) == []
    assert floor.position("paper", "XYZUSDT").average_price == 2


def test_a_late_answer_of_an_earlier_process_agrees_with_nothing() -> None:
    """Only what was asked after the start can."""
    floor = Floor()
    old = floor.venue.account(0, floor.at - SECOND)
    floor.deaf = True
    floor.crash()
    floor.hear(old)
    assert holds(floor) == ["engine.unreconciled[paper]"]


def test_an_answer_while_the_stream_is_dead_does_not_end_the_hold() -> None:
    """The next fill would be missed."""
    floor = Floor()
    floor.hear(AccountStream(venue="paper", alive=False, reason="test", venue_at=floor.at))
    floor.run(5 * MINUTE)
    assert holds(floor) == ["engine.unreconciled[paper]"]


def test_fills_of_strangers_from_before_we_came_are_in_the_first_position() -> None:
    """They are not added to it."""
    floor = Floor()
    old = Fill(
        client_id="by-hand", trade_id="t0", venue="paper", symbol="XYZUSDT", side=Side.BUY, price=Decimal(2),
        quantity=Decimal(9), fee=Decimal(0), liquidity="taker", reference_price=Decimal(0),  # type: ignore[arg-type]
        intent=Intent.ENTRY, venue_at=floor.at - HOUR, sent_at=0,
    )
    floor.hear(OrderFilled(fill=old, remaining=None))
    assert floor.held() == 0


def test_a_stream_that_begins_holds_nothing_that_was_agreed() -> None:
    """At a start it comes up a moment after the account was read: that is no reason to cancel entries."""
    floor = Floor()
    floor.out.clear()
    floor.stream_is(True)
    assert holds(floor) == []
    assert len(floor.asked(Query.ACCOUNT)) == 1
