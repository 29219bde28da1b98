"""A maker waits behind everybody who can have been there first."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.exchange.book import exact
from engine.exchange.queue_model import QueuePlace
from engine.model.events import OrderCancelled, OrderRejected
from engine.model.fills import Liquidity
from engine.model.market import DepthSnapshot, Quote
from engine.model.orders import Side
from tests.exchange.kit import Floor, bought, dec, delta, order, quote, snapshot, trade

NEAR, FAR = 10, 20
"""Venue stamps."""


def resting(*markets: Quote | DepthSnapshot, side: Side = Side.BUY, price: str = "99.9", quantity: str = "1") -> Floor:
    """Return a floor on which order `a` rests."""
    floor = Floor()
    floor.market(*markets)
    floor.send(order("a", side, quantity, limit_price=price, post_only=True))
    assert floor.open_ids() == ["a"]
    return floor


def test_it_fills_only_with_what_gets_past_the_queue() -> None:
    floor = resting(quote(99.9, 5, 100.1, 5))
    floor.market(trade(99.9, 4, buys=False))
    assert not floor.fills()

    floor.market(trade(99.9, 1.5, buys=False), trade(99.9, 3, buys=False))
    floor.let(10**9)
    assert [fill.quantity for fill in floor.fills()] == [dec("0.5"), dec("0.5")]


def test_a_maker_fill_is_at_its_limit_and_measured_from_it() -> None:
    floor = resting(quote(99.9, 1, 100.1, 5))
    floor.market(trade(99.9, 10, buys=False))
    floor.let(10**9)

    fill = floor.fills()[0]
    assert fill.liquidity is Liquidity.MAKER
    assert fill.price == fill.reference_price == dec("99.9")
    assert fill.fee == dec("0.01998")
    assert fill.slippage_bps() == 0


@pytest.mark.parametrize("buys", [True, False])
def test_trades_of_the_other_aggressor_or_short_of_the_price_do_nothing(buys: bool) -> None:
    floor = resting(quote(99.9, 1, 100.1, 5))
    floor.market(trade(99.9 if buys else 100.0, 50, buys=buys))
    floor.let(10**9)

    assert not floor.fills()


def test_a_trade_beyond_the_price_fills_without_queue_but_not_beyond_its_size() -> None:
    """Volume that traded lower must have come past us; more than that volume nobody showed."""
    floor = resting(quote(99.9, 5, 100.1, 5), quantity="3")
    floor.market(trade(99.8, 2, buys=False))
    floor.let(10**9)

    assert [(fill.price, fill.quantity) for fill in floor.fills()] == [(dec("99.9"), dec("2"))]


def test_an_ask_at_our_bid_fills_us_with_its_size_once() -> None:
    floor = resting(quote(99.9, 5, 100.1, 5), quantity="3")
    floor.market(quote(99.7, 5, 99.9, 2), quote(99.7, 5, 99.9, 2), quote(99.7, 6, 99.9, 2))
    floor.let(10**9)

    assert [fill.quantity for fill in floor.fills()] == [dec("2")]
    assert floor.fills()[0].price == dec("99.9")


def test_a_cancel_is_taken_for_one_behind_us() -> None:
    """Of 5 ahead and 5 that came later, 4 vanish without a trade: nobody ahead of us is assumed gone."""
    floor = resting(quote(99.9, 5, 100.1, 5))
    floor.market(quote(99.9, 10, 100.1, 5), quote(99.9, 6, 100.1, 5), trade(99.9, 5, buys=False))
    floor.let(10**9)

    assert not floor.fills()


def test_a_level_smaller_than_the_queue_ahead_moves_us() -> None:
    floor = resting(quote(99.9, 5, 100.1, 5))
    floor.market(quote(99.9, 2, 100.1, 5), trade(99.9, 3, buys=False))
    floor.let(10**9)

    assert [fill.quantity for fill in floor.fills()] == [dec("1")]


def test_a_trade_and_the_shrunk_level_it_left_are_counted_once() -> None:
    """The quote came first and already was 3 smaller; the trade of 3 with the same stamp explains that."""
    floor = resting(quote(99.9, 5, 100.1, 5))
    stamp = floor.now + 1
    floor.market(quote(99.9, 2, 100.1, 5, at=stamp), trade(99.9, 3, buys=False, at=stamp))
    floor.let(10**9)
    assert not floor.fills()

    floor.market(trade(99.9, 2.5, buys=False, at=stamp + 1))
    floor.let(10**9)
    assert [fill.quantity for fill in floor.fills()] == [dec("0.5")]


def test_inside_the_spread_nobody_is_ahead() -> None:
    floor = resting(quote(99.5, 5, 100.1, 5), price="99.9")
    floor.market(trade(99.9, 0.4, buys=False))
    floor.let(10**9)

    assert [fill.quantity for fill in floor.fills()] == [dec("0.4")]


def test_where_the_level_is_not_shown_two_touches_wait_ahead_and_all_that_is_first_seen() -> None:
    floor = resting(quote(100.0, 3, 100.1, 5), price="99.9")
    floor.market(quote(99.9, 8, 100.1, 5), trade(99.9, 7.5, buys=False))
    floor.let(10**9)
    assert not floor.fills()

    floor.market(trade(99.9, 1, buys=False))
    floor.let(10**9)
    assert [fill.quantity for fill in floor.fills()] == [dec("0.5")]


def test_depth_tells_the_queue_of_a_deep_level() -> None:
    floor = resting(snapshot(((100.0, 1.0), (99.9, 7.0)), ((100.1, 1.0),)))
    floor.market(delta(((100.0, 0.0), (99.9, 6.0)), (), (101, 105, 100)), trade(99.9, 6.5, buys=False))
    floor.let(10**9)

    assert [fill.quantity for fill in floor.fills()] == [dec("0.5")]


def test_two_of_our_own_share_one_trade_in_the_order_they_came() -> None:
    floor = resting(quote(99.9, 2, 100.1, 5))
    floor.send(order("b", Side.BUY, "1", limit_price="99.9"))
    floor.market(trade(99.9, 3.25, buys=False))
    floor.let(10**9)

    assert [(fill.client_id, fill.quantity) for fill in floor.fills()] == [("a", dec("1")), ("b", dec("0.25"))]


def test_a_sell_stands_in_its_queue_alike() -> None:
    floor = resting(quote(99.9, 2, 100.1, 5), side=Side.SELL, price="100.1")
    floor.market(trade(100.1, 5.5, buys=True), trade(100.2, 0.25, buys=True))
    floor.let(10**9)

    assert [fill.quantity for fill in floor.fills()] == [dec("0.5"), dec("0.25")]


@pytest.mark.parametrize(("side", "price"), [(Side.BUY, "100.1"), (Side.BUY, "100.2"), (Side.SELL, "99.9")])
def test_post_only_that_would_take_is_rejected(side: Side, price: str) -> None:
    floor = Floor()
    floor.market(quote(99.9, 5, 100.1, 5))
    floor.send(order("a", side, limit_price=price, post_only=True))

    assert [event.reason for event in floor.events(OrderRejected)] == ["post_only"]
    assert not floor.open_ids()


def test_resting_reduce_only_orders_end_with_the_position() -> None:
    """A ladder of take-profits: the first two close all, the third would open the other way."""
    floor = bought("2")
    for client_id, price in (("t1", "101"), ("t2", "102"), ("t3", "103")):
        floor.send(order(client_id, Side.SELL, "1", limit_price=price, reduce_only=True))
    floor.market(trade(104, 1.5, buys=True), trade(104, 1.5, buys=True))
    floor.let(10**9)

    assert floor.held() == 0
    assert [(fill.client_id, fill.quantity) for fill in floor.fills()[1:]] == [
        ("t1", dec("1")), ("t2", dec("0.5")), ("t2", dec("0.5")),
    ]
    assert [(gone.client_id, gone.reason) for gone in floor.events(OrderCancelled)] == [("t3", "position_closed")]


SIZES = st.integers(0, 400).map(lambda hundredths: hundredths / 100)
STEPS = st.lists(st.tuples(st.booleans(), SIZES, st.integers(NEAR, FAR)), max_size=30)


@given(ahead=SIZES, steps=STEPS)
def test_the_queue_ahead_never_grows_and_no_volume_is_invented(
    ahead: float, steps: list[tuple[bool, float, int]],
) -> None:
    """What gets past us is at most what traded beyond the smallest queue that could have been ahead."""
    place = QueuePlace(ahead=exact(ahead), displayed=True)
    traded = past = Decimal(0)
    for is_trade, size, stamp in steps:
        before = place.ahead
        if is_trade:
            got = place.trades(exact(size), stamp)
            assert 0 <= got <= exact(size)
            traded, past = traded + exact(size), past + got
        else:
            place.shows(size, stamp)
        assert 0 <= place.ahead <= before

    assert past <= traded
    if not any(not is_trade for is_trade, _, _ in steps):
        assert past == max(Decimal(0), traded - exact(ahead))
