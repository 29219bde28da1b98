"""A taker pays what the book of its arrival shows, level by level, each level once."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from engine.exchange.settings import ExchangeSettings, Span
from engine.model.codec import decimal_text
from engine.model.events import BalanceReported, OrderCancelled, OrderRejected
from engine.model.fills import Liquidity
from engine.model.market import Quote
from engine.model.orders import Intent, Side
from engine.model.time import MS, SECOND
from tests.exchange.kit import NOON, STEADY, WAY, Floor, dec, delta, order, quote, snapshot, trade

DEEP = snapshot(((99.9, 1.0), (99.8, 2.0), (99.5, 4.0)), ((100.1, 1.0), (100.2, 2.0), (100.5, 4.0)))


def parts(floor: Floor, client_id: str) -> list[tuple[str, str]]:
    return [(decimal_text(fill.price), decimal_text(fill.quantity)) for fill in floor.fills(client_id)]


@pytest.mark.parametrize(
    ("side", "paid"),
    [
        (Side.BUY, [("100.1", "1"), ("100.2", "2"), ("100.5", "0.5")]),
        (Side.SELL, [("99.9", "1"), ("99.8", "2"), ("99.5", "0.5")]),
    ],
)
def test_a_market_order_walks_the_depth(side: Side, paid: list[tuple[str, str]]) -> None:
    floor = Floor()
    floor.market(DEEP)
    floor.send(order("a", side, "3.5"))

    assert parts(floor, "a") == paid
    assert floor.words("a") == ["OrderAccepted", *["OrderFilled"] * 3]


def test_it_meets_the_book_of_its_arrival_and_not_the_one_it_was_sent_on() -> None:
    """Latency is the whole difference between a backtest and an account."""
    floor = Floor()
    floor.market(quote(99.9, 5, 100.1, 5))
    floor.exchange.submit(order(), floor.now)
    floor.market(quote(101.9, 5, 102.1, 5))
    floor.let(4 * WAY)

    fill = floor.fills()[0]
    assert (fill.price, fill.reference_price) == (dec("102.1"), dec("102"))
    assert fill.venue_at - fill.sent_at == WAY


def test_a_fill_says_all_that_slippage_is_measured_from() -> None:
    floor = Floor()
    floor.market(quote(99.9, 5, 100.1, 5))
    floor.send(order("a", Side.BUY, "2", intent=Intent.SCALP))

    fill = floor.fills()[0]
    assert fill.liquidity is Liquidity.TAKER
    assert fill.intent is Intent.SCALP
    assert fill.fee == dec("0.1001")
    assert fill.slippage_bps() == pytest.approx(10.0)


def test_beyond_a_lone_quote_each_further_touch_size_costs_a_rung_more() -> None:
    """Touch 1 at 100.1; 5 bps are less than a tick, so the rungs are at 100.2, 100.3 and 100.4."""
    floor = Floor()
    floor.market(quote(99.9, 1, 100.1, 1))
    floor.send(order("a", Side.BUY, "4"))

    assert parts(floor, "a") == [("100.1", "1"), ("100.3", "3")]


@pytest.mark.parametrize("sizes", [("1", "2"), ("0.5", "0.5"), ("3", "4")])
def test_two_orders_do_not_eat_the_same_liquidity(sizes: tuple[str, str]) -> None:
    """Sent one after the other they pay at least what one order of both sizes pays."""
    apart, together = Floor(), Floor()
    for floor in (apart, together):
        floor.market(quote(99.9, 1, 100.1, 1))
    apart.send(order("a", Side.BUY, sizes[0]))
    apart.send(order("b", Side.BUY, sizes[1]))
    together.send(order("ab", Side.BUY, str(dec(sizes[0]) + dec(sizes[1]))))

    def cost(floor: Floor) -> Decimal:
        return sum((fill.price * fill.quantity for fill in floor.fills()), dec("0"))

    assert cost(apart) >= cost(together)
    assert apart.held() == together.held()


def test_a_repeated_quote_is_no_news_and_a_changed_one_is() -> None:
    floor = Floor()
    floor.market(quote(99.9, 1, 100.1, 1))
    floor.send(order("a"))
    floor.market(quote(99.9, 1, 100.1, 1))
    floor.send(order("b"))
    floor.market(quote(99.9, 1, 100.1, 1.5))
    floor.send(order("c"))

    assert [fill.price for fill in floor.fills()] == [dec("100.1"), dec("100.2"), dec("100.1")]


def test_what_we_took_is_forgotten_after_a_minute() -> None:
    floor = Floor()
    floor.market(quote(99.9, 1, 100.1, 1))
    floor.send(order("a"))
    floor.let(61 * SECOND)
    floor.market(quote(99.9, 1, 100.1, 1))
    floor.send(order("b"))

    assert [fill.price for fill in floor.fills()] == [dec("100.1"), dec("100.1")]


def test_what_the_price_band_does_not_hold_is_cancelled() -> None:
    """5 % from a mid of 100 holds 47 rungs of 0.01 each: the rest of 100 is not sold into nothing."""
    floor = Floor()
    floor.market(quote(99.9, 0.01, 100.1, 0.01))
    floor.send(order("a", Side.BUY, "100"))

    gone = floor.events(OrderCancelled)[0]
    assert gone.reason == "ioc"
    assert gone.remaining == 100 - floor.held()
    assert 0 < floor.held() < 1
    assert max(fill.price for fill in floor.fills()) <= 105


def test_a_trade_newer_than_the_quote_moves_the_touch() -> None:
    """What just traded at 99 cannot be sold at 99.9 any more."""
    floor = Floor()
    floor.market(quote(99.9, 5, 100.1, 5), trade(99.0, 1, buys=False))
    floor.send(order("a", Side.SELL))

    assert floor.fills()[0].price == dec("99.0")


def test_a_crossing_limit_takes_up_to_its_limit_and_rests_with_the_remainder() -> None:
    floor = Floor()
    floor.market(DEEP)
    floor.send(order("a", Side.BUY, "5", limit_price="100.2"))

    assert parts(floor, "a") == [("100.1", "1"), ("100.2", "2")]
    assert floor.open_ids() == ["a"]


def test_depth_with_a_gap_is_not_believed() -> None:
    """Between two ids anything may have happened; the quote is all that is known then."""
    floor = Floor()
    floor.market(DEEP, delta((), ((100.1, 9.0),), (205, 210, 204)), quote(99.9, 1, 100.1, 1))
    floor.send(order("a", Side.BUY, "2"))

    assert parts(floor, "a") == [("100.1", "1"), ("100.2", "1")]


@pytest.mark.parametrize("shown", [None, quote(0.0, 0.0, 100.1, 5), quote(99.9, 5, float("nan"), 5)])
def test_without_a_market_of_two_sides_nothing_is_taken(shown: Quote | None) -> None:
    floor = Floor()
    if shown is not None:
        floor.market(shown)
    floor.send(order("a"))

    assert floor.events(OrderRejected)[0].reason == "no_market"


def test_the_balance_moves_by_profit_and_fees_and_is_reported() -> None:
    floor = Floor()
    floor.market(quote(99.9, 5, 100.1, 5))
    floor.send(order("in", Side.BUY, "2"))
    floor.market(quote(109.9, 5, 110.1, 5))
    floor.send(order("out", Side.SELL, "2", reduce_only=True))

    fees = sum((fill.fee for fill in floor.fills()), dec("0"))
    last = floor.events(BalanceReported)[-1]
    assert last.total == last.free == 10_000 + 2 * (dec("109.9") - dec("100.1")) - fees
    assert last.total == floor.exchange.balance("USDT")


def test_answers_do_not_overtake_each_other() -> None:
    """One stream carries them all: a balance that came late would undo a newer one."""
    floor = Floor(ExchangeSettings(answer_travel=Span(low=MS, high=200 * MS)))
    floor.market(quote(99.9, 500, 100.1, 500))
    for number in range(40):
        floor.exchange.submit(order(f"o{number}"), floor.now)
    floor.let(SECOND)

    stamps = [event.venue_at for event in floor.events(BalanceReported)]
    assert len(stamps) == 40
    assert stamps == sorted(stamps)
    assert [at for at, _ in floor.told] == sorted(at for at, _ in floor.told)


def test_latency_comes_from_the_client_id_and_the_seed_alone() -> None:
    wide = replace(STEADY, order_travel=Span(low=0, high=SECOND))

    def arrivals(seed: str) -> list[int]:
        floor = Floor(replace(wide, seed=seed))
        floor.market(quote(99.9, 500, 100.1, 500))
        for number in range(20):
            floor.exchange.submit(order(f"o{number}"), NOON + MS)
        floor.let(2 * SECOND)
        return [fill.venue_at for fill in floor.fills()]

    assert arrivals("one") == arrivals("one")
    assert arrivals("one") != arrivals("two")
    assert len(set(arrivals("one"))) == 20
