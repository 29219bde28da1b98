"""What the exchange refuses on sight, and with which word."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from engine.model.events import BalanceReported, OrderRejected
from engine.model.orders import OrderKind, Side
from tests.exchange.kit import SPOT, STEADY, SYMBOL, WAY, Floor, bought, cancel, dec, order, quote, snapshot, stop

LIMIT: dict[str, Any] = {"kind": OrderKind.LIMIT}


def refused(floor: Floor) -> list[str]:
    return [event.reason for event in floor.events(OrderRejected)]


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"symbol": "NEWUSDT"}, "unknown_instrument"),
        ({"venue": "elsewhere"}, "unknown_instrument"),
        ({"limit_price": "99.95"}, "tick"),
        ({"limit_price": "-1"}, "tick"),
        ({"kind": OrderKind.STOP_MARKET, "trigger_price": "98.01"}, "tick"),
        ({"quantity": "1.005"}, "step"),
        ({"quantity": "0"}, "bad_order"),
        ({"quantity": "-1"}, "bad_order"),
        ({"quantity": "1000.01"}, "max_quantity"),
        ({"quantity": "0.04"}, "min_notional"),
        ({"quantity": "0.05", "limit_price": "99"}, "min_notional"),
        ({"kind": OrderKind.STOP_MARKET, "trigger_price": "101", "quantity": "0.04"}, "min_notional"),
        ({"limit_price": "105.1"}, "price_band"),
        ({"side": Side.SELL, "limit_price": "94.9"}, "price_band"),
        ({"reduce_only": True}, "reduce_only"),
        ({"quantity": None, "close_position": True}, "no_position"),
        ({"quantity": None}, "bad_order"),
        ({"close_position": True}, "bad_order"),
        ({"kind": OrderKind.LIMIT}, "bad_order"),
        ({"kind": OrderKind.MARKET, "limit_price": "99"}, "bad_order"),
        ({"kind": OrderKind.STOP_MARKET}, "bad_order"),
        ({"trigger_price": "98"}, "bad_order"),
        ({"post_only": True}, "bad_order"),
        ({"quantity": "900", "limit_price": "99.9", "side": Side.BUY}, None),
        ({"quantity": "1000", "limit_price": "104", "side": Side.SELL}, None),
        ({"limit_price": "50"}, None),
        ({"limit_price": "105"}, None),
        ({"quantity": "0.05"}, None),
    ],
)
def test_each_filter_has_its_word(asked: dict[str, Any], reason: str | None) -> None:
    floor = Floor()
    floor.market(quote(99.9, 50, 100.1, 50))
    floor.send(order("a", **{"side": Side.BUY, **asked}))

    assert refused(floor) == ([] if reason is None else [reason])
    assert all(event.code == event.reason.upper() for event in floor.events(OrderRejected))


def test_what_the_account_cannot_carry_is_refused() -> None:
    """10,000 at 20 times leverage carry 200,000: of 100.05 each, 1,000 cost half of it and a second 1,000 too much."""
    floor = Floor()
    floor.market(snapshot(((100.0, 5000.0),), ((100.1, 5000.0),)))
    floor.send(order("a", Side.BUY, "1000"), order("b", Side.BUY, "1000"))
    assert refused(floor) == ["insufficient_margin"]

    floor.send(order("c", Side.SELL, "1000"), order("d", Side.SELL, "1000"))
    assert refused(floor) == ["insufficient_margin"]


def test_small_change_can_always_be_sold() -> None:
    """What is left of a position may be worth less than the minimum notional."""
    floor = bought("1.02")
    floor.send(order("out", Side.SELL, "1"), order("dust", Side.SELL, "0.02"))
    assert refused(floor) == ["min_notional"]

    floor.send(order("rest", Side.SELL, "0.02", reduce_only=True))
    assert floor.held() == 0


def test_reduce_only_on_the_wrong_side_is_refused_and_on_the_right_side_never_turns_the_position() -> None:
    floor = bought("2")
    floor.send(order("add", Side.BUY, "1", reduce_only=True))
    assert refused(floor) == ["reduce_only"]

    floor.send(order("out", Side.SELL, "5", reduce_only=True))
    assert floor.held() == 0
    assert floor.words("out")[-1] == "OrderCancelled"


def test_a_stop_needs_a_position_to_close() -> None:
    floor = Floor()
    floor.market(quote(99.9, 50, 100.1, 50))
    floor.send(stop("s", Side.SELL, "98"))
    assert refused(floor) == ["no_position"]


def test_an_open_client_id_is_not_taken_twice_and_a_finished_one_is() -> None:
    """As on Binance: ids are unique among open orders only, and so no protection against sending twice."""
    floor = Floor()
    floor.market(quote(99.9, 50, 100.1, 50))
    floor.send(order("a", limit_price="99"), order("a", limit_price="98"))
    assert refused(floor) == ["duplicate_client_id"]

    floor.exchange.cancel(cancel("a"), floor.now)
    floor.let(4 * WAY)
    floor.send(order("a"), order("a"))
    assert refused(floor) == ["duplicate_client_id"]
    assert floor.held() == 2


def test_conditional_orders_are_counted_over_all_symbols() -> None:
    floor = Floor(replace(STEADY, max_conditional=2))
    floor.market(quote(99.9, 50, 100.1, 50))
    floor.send(*(stop(f"s{number}", Side.SELL, "98", "1") for number in range(3)))
    assert refused(floor) == ["too_many_orders"]


def test_spot_swaps_one_asset_for_the_other_and_knows_no_reduce_only() -> None:
    floor = Floor()
    floor.exchange.define(SPOT)
    shown = quote(99.9, 500, 100.1, 500)
    floor.market(replace(shown, symbol=SPOT.symbol))
    floor.send(order("short", Side.SELL, "1", symbol=SPOT.symbol))
    floor.send(order("rich", Side.BUY, "101", symbol=SPOT.symbol))
    floor.send(order("in", Side.BUY, "2", symbol=SPOT.symbol))
    floor.send(order("out", Side.SELL, "2", symbol=SPOT.symbol, reduce_only=True))
    assert refused(floor) == ["insufficient_balance", "insufficient_balance", "bad_order"]
    assert floor.exchange.balance("SPOT") == 2
    assert floor.exchange.balance("USDT") == 10_000 - dec("200.2") - dec("0.1001")

    floor.send(order("half", Side.SELL, "1", symbol=SPOT.symbol))
    assert {event.asset: event.total for event in floor.events(BalanceReported)} == {
        "SPOT": dec("1"), "USDT": 10_000 - dec("200.2") - dec("0.1001") + dec("99.9") - dec("0.04995"),
    }
    assert SYMBOL not in [position.symbol for position in floor.exchange.positions()]
