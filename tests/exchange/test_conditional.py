"""A stop waits for the contract price, then travels to the book like any market order."""

from __future__ import annotations

import pytest

from engine.exchange.settings import ExchangeSettings
from engine.model.events import CancelRejected, OrderCancelled, OrderRejected, OrderTriggered
from engine.model.orders import OrderKind, Side
from tests.exchange.kit import STEADY, WAY, Floor, bought, cancel, dec, order, quote, stop, trade

STOP, PROFIT = OrderKind.STOP_MARKET, OrderKind.TAKE_PROFIT_MARKET


@pytest.mark.parametrize(
    ("kind", "side", "trigger", "misses", "hits"),
    [
        (STOP, Side.SELL, "98", 98.1, 98.0),
        (STOP, Side.BUY, "102", 101.9, 102.0),
        (PROFIT, Side.SELL, "102", 101.9, 102.5),
        (PROFIT, Side.BUY, "98", 98.1, 97.5),
    ],
)
def test_it_triggers_at_its_price_and_not_before(
    kind: OrderKind, side: Side, trigger: str, misses: float, hits: float,
) -> None:
    floor = Floor()
    floor.market(quote(99.9, 50, 100.1, 50))
    floor.send(stop("s", side, trigger, "1", kind=kind))
    floor.market(trade(misses, 1, buys=True))
    floor.let(4 * WAY)
    assert floor.words("s") == ["OrderAccepted"]

    floor.market(trade(hits, 1, buys=True))
    floor.let(4 * WAY)
    assert [event.trigger_price for event in floor.events(OrderTriggered)] == [dec(str(hits))]


@pytest.mark.parametrize(("ask", "triggers"), [(98.1, False), (98.0, True), (97.0, True)])
def test_quotes_that_leave_the_last_trade_behind_trigger_too(ask: float, triggers: bool) -> None:
    """Nobody can sell above the ask: the next trade will be at or below it. A fallen bid proves nothing."""
    floor = Floor()
    floor.market(quote(99.9, 50, 100.1, 50), trade(100.0, 1, buys=True))
    floor.send(stop("s", Side.SELL, "98", "1"))
    floor.market(quote(90.0, 5, ask, 5))
    floor.let(4 * WAY)

    assert bool(floor.events(OrderTriggered)) is triggers


@pytest.mark.parametrize(("price", "size"), [(0.0, 1.0), (-1.0, 1.0), (97.0, 0.0), (float("nan"), 1.0)])
def test_a_broken_print_triggers_nothing(price: float, size: float) -> None:
    floor = bought("2")
    floor.send(stop("s", Side.SELL, "98"))
    floor.market(trade(price, size, buys=False))
    floor.let(4 * WAY)

    assert floor.words("s") == ["OrderAccepted"]


def test_a_triggered_stop_pays_the_book_of_a_later_moment() -> None:
    """The trade that triggers a stop is ahead of the quotes: the bid it still shows is already gone."""
    floor = bought("2")
    floor.send(stop("s", Side.SELL, "98"))
    floor.market(trade(97.9, 1, buys=False), quote(96.9, 50, 97.1, 50))
    floor.let(4 * WAY)

    fill = floor.fills("s")[0]
    assert floor.words("s") == ["OrderAccepted", "OrderTriggered", "OrderFilled"]
    assert (fill.price, fill.quantity, fill.reference_price) == (dec("96.9"), dec("2"), dec("97"))
    assert fill.venue_at - fill.sent_at == WAY
    assert floor.held() == 0


def test_close_position_closes_what_is_there_at_the_trigger() -> None:
    floor = bought("2")
    floor.send(stop("s", Side.SELL, "98"), order("more", Side.BUY, "3"))
    floor.market(trade(98, 1, buys=False), quote(97.9, 50, 98.1, 50))
    floor.let(4 * WAY)

    assert sum(fill.quantity for fill in floor.fills("s")) == 5
    assert floor.held() == 0


def test_close_position_ends_when_the_position_closes_otherwise() -> None:
    floor = bought("2")
    floor.send(stop("s", Side.SELL, "98"), stop("t", Side.SELL, "110", kind=PROFIT))
    floor.send(order("out", Side.SELL, "2", reduce_only=True))

    assert [(gone.client_id, gone.reason) for gone in floor.events(OrderCancelled)] == [
        ("s", "position_closed"), ("t", "position_closed"),
    ]
    assert not floor.open_ids()


def test_close_position_ends_when_the_position_turns() -> None:
    """A stop that protected a long must not stand when the account is short."""
    floor = bought("2")
    floor.send(stop("s", Side.SELL, "98"), order("turn", Side.SELL, "5"))

    assert floor.held() == -3
    assert [gone.client_id for gone in floor.events(OrderCancelled)] == ["s"]


def test_a_position_closed_between_trigger_and_fill_leaves_nothing_to_sell() -> None:
    floor = bought("2")
    floor.send(stop("s", Side.SELL, "98"))
    floor.exchange.submit(order("out", Side.SELL, "2", reduce_only=True), floor.now - WAY + 2_000_000)
    floor.market(trade(97.9, 1, buys=False))
    floor.let(4 * WAY)

    assert floor.held() == 0
    assert floor.words("s") == ["OrderAccepted", "OrderTriggered", "OrderCancelled"]
    assert floor.events(OrderCancelled)[0].reason == "position_closed"


def test_a_reduce_only_stop_sells_no_more_than_is_left() -> None:
    floor = bought("2")
    floor.send(stop("s", Side.SELL, "98", "2"), order("out", Side.SELL, "1.5", reduce_only=True))
    floor.market(trade(97.9, 1, buys=False), quote(97.8, 50, 98.0, 50))
    floor.let(4 * WAY)

    assert sum(fill.quantity for fill in floor.fills("s")) == dec("0.5")
    assert floor.events(OrderCancelled)[0].remaining == dec("1.5")
    assert floor.held() == 0


def test_a_reduce_only_stop_with_its_own_quantity_outlives_the_position() -> None:
    """As on a real venue: whoever placed it must take it back."""
    floor = bought("2")
    floor.send(stop("s", Side.SELL, "98", "2"), order("out", Side.SELL, "2", reduce_only=True))
    assert floor.open_ids() == ["s"]

    floor.market(trade(97.9, 1, buys=False))
    floor.let(4 * WAY)
    assert floor.words("s") == ["OrderAccepted", "OrderTriggered", "OrderCancelled"]
    assert floor.held() == 0


@pytest.mark.parametrize(
    ("kind", "side", "trigger"),
    [(STOP, Side.SELL, "100"), (STOP, Side.SELL, "105"), (STOP, Side.BUY, "99"), (PROFIT, Side.SELL, "99")],
)
def test_one_that_would_trigger_at_once_is_rejected(kind: OrderKind, side: Side, trigger: str) -> None:
    floor = Floor()
    floor.market(quote(99.9, 50, 100.1, 50))
    floor.send(stop("s", side, trigger, "1", kind=kind))

    assert [event.reason for event in floor.events(OrderRejected)] == ["would_trigger"]


def test_the_two_books_do_not_see_each_other() -> None:
    floor = bought("2")
    floor.send(stop("s", Side.SELL, "98"), order("m", Side.SELL, "1", limit_price="110"))
    floor.exchange.cancel(cancel("s"), floor.now)
    floor.exchange.cancel(cancel("m", conditional=True), floor.now)
    floor.let(4 * WAY)
    assert [event.client_id for event in floor.events(CancelRejected)] == ["s", "m"]

    floor.exchange.cancel(cancel("s", conditional=True), floor.now)
    floor.exchange.cancel(cancel("m"), floor.now)
    floor.let(4 * WAY)
    assert [(gone.client_id, gone.reason) for gone in floor.events(OrderCancelled)] == [
        ("s", "requested"), ("m", "requested"),
    ]


def test_a_triggered_stop_cannot_be_cancelled_any_more() -> None:
    floor = bought("2")
    floor.send(stop("s", Side.SELL, "98"))
    floor.exchange.cancel(cancel("s", conditional=True), floor.now - WAY + 2_000_000)
    floor.market(trade(97.9, 1, buys=False))
    floor.let(4 * WAY)

    assert [event.reason for event in floor.events(CancelRejected)] == ["unknown_order"]
    assert floor.held() == 0


@pytest.mark.parametrize("alone", [True, False])
def test_a_second_close_order_of_a_side_is_refused_where_the_venue_allows_but_one(alone: bool) -> None:
    floor = Floor(ExchangeSettings(
        order_travel=STEADY.order_travel, answer_travel=STEADY.answer_travel, one_close_per_side=alone))
    floor.market(quote(99.9, 50, 100.1, 50))
    floor.send(order("in", Side.BUY, "1"))
    floor.send(stop("s1", Side.SELL, "98"), stop("s2", Side.SELL, "99"), stop("t", Side.SELL, "105", kind=PROFIT))

    assert [event.reason for event in floor.events(OrderRejected)] == (["close_exists"] if alone else [])
