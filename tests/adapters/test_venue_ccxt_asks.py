"""Questions over a real wire: a whole answer or none, and never flat for a failure."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from decimal import Decimal
from typing import Any

import pytest

from engine.adapters.clock_system import SystemClock
from engine.model.answers import (
    AccountReported,
    IncomeReported,
    OrderAbsent,
    OrderFound,
    ProbeAnswered,
    QueryFailed,
    TradesReported,
)
from engine.model.events import OrderAccepted, OrderFilled
from engine.model.fills import Liquidity
from engine.model.orders import OrderState
from engine.model.reports import IncomeKind, Query
from tests.adapters.ccxt_kit import Answer, RecordingVenue, ask, client, error, order, recording, stop

D = Decimal
ORDER, ALGO = "/fapi/v1/order", "/fapi/v1/algoOrder"
TRADES, INCOME = "/fapi/v1/userTrades", "/fapi/v1/income"
T0 = 1_790_000_000_000


def run(test: Callable[[RecordingVenue], Coroutine[Any, Any, None]]) -> None:
    async def whole() -> None:
        async with recording() as venue:
            await test(venue)

    asyncio.run(whole())


def regular(venue: RecordingVenue, client_id: str = "rb-e-1", **more: Any) -> dict[str, Any]:
    params = {"symbol": "BTCUSDT", "type": "MARKET", "newClientOrderId": client_id, "quantity": "0.01", "side": "BUY"}
    return venue.regular(params, **more)


def conditional(venue: RecordingVenue, client_id: str = "rb-e-2", **more: Any) -> dict[str, Any]:
    params = {"symbol": "BTCUSDT", "type": "STOP_MARKET", "clientAlgoId": client_id, "quantity": "0.01",
              "side": "SELL", "triggerPrice": "59000"}
    return venue.algo(params, **more)


def trade(number: int, order_id: int = 501, at: int = T0, **more: Any) -> dict[str, Any]:
    return {"symbol": "BTCUSDT", "id": number, "orderId": order_id, "side": "BUY", "price": "60000", "qty": "0.001",
            "commission": "0.024", "commissionAsset": "USDT", "time": at + number, "maker": False, **more}


@pytest.mark.parametrize("book", [False, True])
def test_an_order_is_found_in_the_book_that_was_asked(book: bool) -> None:
    async def test(venue: RecordingVenue) -> None:
        async with client(venue) as (adapter, told):
            row = conditional(venue) if book else regular(venue)
            client_id = "rb-e-2" if book else "rb-e-1"
            venue.script("GET", ALGO if book else ORDER, Answer(body=row))
            adapter.ask(ask(Query.ORDER, client_id=client_id, conditional=book), 1)
            (event,) = await told.first(1)
        assert isinstance(event, OrderFound)
        assert (event.ask, event.report.client_id, event.report.state) == (7, client_id, OrderState.OPEN)
        (sent,) = venue.sent("GET", ALGO if book else ORDER)
        assert sent.params["clientAlgoId" if book else "origClientOrderId"] == client_id

    run(test)


@pytest.mark.parametrize("book", [False, True])
def test_a_book_that_does_not_know_an_order_speaks_for_itself_alone(book: bool) -> None:
    async def test(venue: RecordingVenue) -> None:
        async with client(venue) as (adapter, told):
            venue.script("GET", ALGO if book else ORDER, error(-2013, "Order does not exist."))
            adapter.ask(ask(Query.ORDER, client_id="rb-e-1", conditional=book), 1)
            (event,) = await told.first(1)
        assert isinstance(event, OrderAbsent)
        assert event.conditional is book

    run(test)


NO_ANSWER = {
    "lost": Answer(drop=True), "half": Answer(text='[{"orderId": 1'), "html": Answer(text="<html>hello</html>"),
    "absent at 5xx": error(-2013, status=500),
    "wrong shape": Answer(body={"what": 1}), "rows": Answer(body=[{"x": 1}]), "key": error(-2015),
}


@pytest.mark.parametrize("name", NO_ANSWER)
@pytest.mark.parametrize(
    ("query", "path"),
    [(Query.ORDER, ORDER), (Query.TRADES, TRADES), (Query.INCOME, INCOME), (Query.ACCOUNT, "/fapi/v1/openOrders"),
     (Query.ACCOUNT, "/fapi/v1/openAlgoOrders"), (Query.ACCOUNT, "/fapi/v3/positionRisk"),
     (Query.ACCOUNT, "/fapi/v3/account"), (Query.PROBE, ALGO), (Query.PROBE, "/fapi/v1/premiumIndex")],
)
def test_whatever_goes_wrong_a_question_ends_in_that_it_failed(name: str, query: Query, path: str) -> None:
    async def test(venue: RecordingVenue) -> None:
        async with client(venue) as (adapter, told):
            method = "POST" if query is Query.PROBE and path == ALGO else "GET"
            venue.script("DELETE", ALGO, error(-2011), error(-2011))
            venue.always[method, path] = NO_ANSWER[name]
            adapter.ask(ask(query, client_id="rb-e-1"), 1)
            (event,) = await told.first(1)
        refused_stop = query is Query.PROBE and path == ALGO and name == "key"
        assert isinstance(event, ProbeAnswered if refused_stop else QueryFailed), event
        if isinstance(event, QueryFailed):
            assert (event.ask, event.query, event.symbol) == (7, query, "BTCUSDT")
            assert event.reason

    run(test)


def test_an_account_is_orders_of_both_books_positions_and_balances_and_as_old_as_its_first_question() -> None:
    async def test(venue: RecordingVenue) -> None:
        async with client(venue) as (adapter, told):
            whole = conditional(venue, closePosition=True, quantity="0")
            venue.script("GET", "/fapi/v1/openOrders", Answer(body=[regular(venue)]))
            venue.script("GET", "/fapi/v3/positionRisk", Answer(body=[
                {"symbol": "BTCUSDT", "positionAmt": "-0.2", "entryPrice": "60000", "markPrice": "59000",
                 "positionSide": "BOTH", "liquidationPrice": "90000"},
                {"symbol": "ETHUSDT", "positionAmt": "0", "entryPrice": "0", "positionSide": "BOTH"}]))
            before = len(venue.asked)
            adapter.ask(ask(Query.ACCOUNT), 1)
            (event,) = await told.first(1)
        assert isinstance(event, AccountReported)
        assert [(one.symbol, one.quantity) for one in event.positions] == [("BTCUSDT", D("-0.2"))]
        assert {one.client_id: one.conditional for one in event.orders} == {"rb-e-1": False, "rb-e-2": True}
        assert [one.quantity for one in event.orders if one.conditional] == [None]
        assert event.balances[0].total == D(1000)
        assert event.as_of < event.venue_at
        # A fill in between must be seen twice rather than never: orders before positions.
        assert [one.path.rpartition("/")[2] for one in venue.asked[before:]] == [
            "openAlgoOrders", "openOrders", "positionRisk", "account"]
        assert whole["closePosition"]

    run(test)


def test_a_triggered_stop_is_as_its_child_says() -> None:
    async def test(venue: RecordingVenue) -> None:
        async with client(venue) as (adapter, told):
            parent = conditional(venue, algoStatus="FINISHED", actualOrderId="901")
            child = regular(venue, "child", status="EXPIRED", executedQty="0.004", avgPrice="58990")
            venue.script("GET", ALGO, Answer(body=parent))
            venue.script("GET", ORDER, Answer(body=child | {"orderId": 901}))
            adapter.ask(ask(Query.ORDER, client_id="rb-e-2", conditional=True), 1)
            (event,) = await told.first(1)
        assert isinstance(event, OrderFound)
        report = event.report
        assert (report.client_id, report.state, report.executed) == ("rb-e-2", OrderState.EXPIRED, D("0.004"))
        assert report.remaining == D("0.006")

    run(test)


def test_a_stop_whose_child_cannot_be_read_is_no_answer_and_not_absent() -> None:
    async def test(venue: RecordingVenue) -> None:
        async with client(venue) as (adapter, told):
            venue.script("GET", ALGO, Answer(body=conditional(venue, algoStatus="TRIGGERED", actualOrderId="901")))
            venue.script("GET", ORDER, error(-2013))
            adapter.ask(ask(Query.ORDER, client_id="rb-e-2", conditional=True), 1)
            (event,) = await told.first(1)
        assert isinstance(event, QueryFailed)

    run(test)


def test_trades_come_page_by_page_and_all_of_them_each_under_its_orders_id() -> None:
    async def test(venue: RecordingVenue) -> None:
        async with client(venue) as (adapter, told):
            since = venue_now_ms() - 5_000
            first = [trade(number, at=since) for number in range(1, 1001)]
            second = [trade(number, at=since) for number in range(1001, 1501)]
            venue.script("GET", TRADES, Answer(body=first), Answer(body=second))
            venue.script("GET", ORDER, Answer(body=regular(venue, "rb-e-5") | {"orderId": 501}))
            adapter.ask(ask(Query.TRADES, since=since * 10**6), 1)
            await told.first(1501)
        fills = [one.fill for one in told if isinstance(one, OrderFilled)]
        done = told[-1]
        assert isinstance(done, TradesReported) and done.count == len(fills) == 1500
        assert {fill.client_id for fill in fills} == {"rb-e-5"}
        assert len({fill.trade_id for fill in fills}) == 1500
        pages = venue.sent("GET", TRADES)
        assert pages[1].params["fromId"] == "1001" and "startTime" not in pages[1].params
        assert len(venue.sent("GET", ORDER)) == 1

    run(test)


def venue_now_ms() -> int:
    return SystemClock().now() // 10**6


def test_a_half_told_history_tells_no_trade_at_all() -> None:
    async def test(venue: RecordingVenue) -> None:
        async with client(venue) as (adapter, told):
            first = [trade(number, at=venue_now_ms()) for number in range(1, 1001)]
            venue.script("GET", TRADES, Answer(body=first), error(-1000))
            adapter.ask(ask(Query.TRADES, since=(venue_now_ms() - 1000) * 10**6), 1)
            (event,) = await told.first(1)
        assert isinstance(event, QueryFailed)

    run(test)


def test_a_fill_of_a_stops_child_belongs_to_the_stop() -> None:
    async def test(venue: RecordingVenue) -> None:
        async with client(venue) as (adapter, told):
            at = venue_now_ms()
            venue.script("GET", TRADES, Answer(body=[trade(1, 901, at, maker=True, commission="0.0001",
                                                           commissionAsset="BNB")]), Answer(body=[]))
            venue.script("GET", ORDER, Answer(body=regular(venue, "autogenerated") | {"orderId": 901}))
            parent = conditional(venue, algoStatus="FINISHED", actualOrderId="901", actualQty="0.01")
            venue.script("GET", "/fapi/v1/allAlgoOrders", Answer(body=[]), Answer(body=[parent]))
            adapter.ask(ask(Query.TRADES, since=(at - 1000) * 10**6), 1)
            await told.first(2)
        filled = told[0]
        assert isinstance(filled, OrderFilled)
        assert (filled.fill.client_id, filled.fill.liquidity) == ("rb-e-2", Liquidity.MAKER)
        assert filled.fill.fee == D("0.012")  # 60 USDT at 2 bps, since nobody tells what a BNB is worth

    run(test)


def test_a_trade_of_a_strangers_order_keeps_the_strangers_id() -> None:
    async def test(venue: RecordingVenue) -> None:
        async with client(venue) as (adapter, told):
            at = venue_now_ms()
            venue.script("GET", TRADES, Answer(body=[trade(1, 901, at)]), Answer(body=[]))
            venue.script("GET", ORDER, Answer(body=regular(venue, "web_1") | {"orderId": 901}))
            adapter.ask(ask(Query.TRADES, since=(at - 1000) * 10**6), 1)
            await told.first(2)
        assert isinstance(told[0], OrderFilled)
        assert told[0].fill.client_id == "web_1"

    run(test)


def test_old_trades_are_looked_for_week_by_week() -> None:
    """The venue answers at most seven days from a beginning: an empty first page is not the end."""
    async def test(venue: RecordingVenue) -> None:
        async with client(venue) as (adapter, told):
            week = 7 * 86_400_000
            at = venue_now_ms()
            venue.script("GET", TRADES, Answer(body=[]), Answer(body=[trade(1, 901, at)]), Answer(body=[]))
            venue.script("GET", ORDER, Answer(body=regular(venue, "rb-e-5") | {"orderId": 901}))
            adapter.ask(ask(Query.TRADES, since=(at - week - 60_000) * 10**6), 1)
            await told.first(2)
        first, second = (int(one.params["startTime"]) for one in venue.sent("GET", TRADES)[:2])
        assert second - first == week

    run(test)


def test_income_is_told_oldest_first_and_once() -> None:
    async def test(venue: RecordingVenue) -> None:
        async with client(venue) as (adapter, told):
            row = {"symbol": "BTCUSDT", "incomeType": "FUNDING_FEE", "income": "-0.1", "asset": "USDT", "tradeId": ""}
            page = [row | {"tranId": number, "time": T0 + number // 2} for number in range(1000)]
            more = [row | {"tranId": number, "time": T0 + number // 2} for number in range(998, 1005)]
            venue.script("GET", INCOME, Answer(body=page), Answer(body=more))
            adapter.ask(ask(Query.INCOME, since=T0 * 10**6), 1)
            (event,) = await told.first(1)
        assert isinstance(event, IncomeReported)
        assert len(event.entries) == 1005
        assert event.entries[0].kind is IncomeKind.FUNDING
        assert [one.venue_at for one in event.entries] == sorted(one.venue_at for one in event.entries)

    run(test)


def test_the_probe_places_finds_and_takes_back_a_stop_that_cannot_add_risk() -> None:
    async def test(venue: RecordingVenue) -> None:
        async with client(venue) as (adapter, told):
            adapter.ask(ask(Query.PROBE), 1)
            (event,) = await told.first(1)
        assert isinstance(event, ProbeAnswered) and event.able
        (placed,) = venue.sent("POST", ALGO)
        assert (placed.params["reduceOnly"], placed.params["triggerPrice"]) == ("true", "30000")
        (gone,) = venue.sent("DELETE", ALGO)
        assert gone.params["clientAlgoId"] == placed.params["clientAlgoId"]
        assert not venue.orders

    run(test)


def test_a_stop_that_is_accepted_and_not_in_its_book_is_no_stop() -> None:
    async def test(venue: RecordingVenue) -> None:
        async with client(venue) as (adapter, told):
            # Once for what an earlier process may have left, once for the probe itself.
            venue.script("GET", "/fapi/v1/openAlgoOrders", Answer(body=[]), Answer(body=[]))
            adapter.ask(ask(Query.PROBE), 1)
            (event,) = await told.first(1)
        assert isinstance(event, ProbeAnswered) and not event.able
        assert len(venue.sent("DELETE", ALGO)) == 1

    run(test)


@pytest.mark.parametrize(("code", "able"), [(-4120, False), (-2022, True), (-4118, True), (-4045, False)])
def test_a_refused_probe_says_what_the_refusal_proves(code: int, able: bool) -> None:
    async def test(venue: RecordingVenue) -> None:
        async with client(venue) as (adapter, told):
            venue.script("POST", ALGO, error(code))
            adapter.ask(ask(Query.PROBE), 1)
            (event,) = await told.first(1)
        assert isinstance(event, ProbeAnswered)
        assert event.able is able
        assert ("not proven" in event.what) is able

    run(test)


def test_a_probe_whose_reply_was_lost_is_taken_back_all_the_same() -> None:
    async def test(venue: RecordingVenue) -> None:
        async with client(venue) as (adapter, told):
            venue.script("POST", ALGO, Answer(drop=True))
            adapter.ask(ask(Query.PROBE), 1)
            (event,) = await told.first(1)
        assert isinstance(event, QueryFailed)
        assert len(venue.sent("DELETE", ALGO)) == 1

    run(test)


def test_orders_placed_here_need_no_question_to_know_whose_a_trade_is() -> None:
    async def test(venue: RecordingVenue) -> None:
        async with client(venue) as (adapter, told):
            adapter.place(order(), 1)
            adapter.place(stop(), 1)
            await told.first(2)
            (number,) = [
                one.venue_order_id for one in told if isinstance(one, OrderAccepted) and one.client_id == "rb-e-1"]
            at = venue_now_ms()
            venue.script("GET", TRADES, Answer(body=[trade(1, int(number), at)]), Answer(body=[]))
            adapter.ask(ask(Query.TRADES, since=(at - 1000) * 10**6), 1)
            await told.first(4)
        assert not venue.sent("GET", ORDER)
        assert [one.fill.client_id for one in told if isinstance(one, OrderFilled)] == ["rb-e-1"]

    run(test)
