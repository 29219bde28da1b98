"""A spot venue by configuration: market and limit orders and balances work, and stops are refused as such."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from decimal import Decimal
from typing import Any

import pytest

from engine.adapters.clock_system import SystemClock
from engine.adapters.venue_ccxt import CcxtVenue
from engine.model.answers import (
    AccountReported,
    OrderAbsent,
    OrderFound,
    ProbeAnswered,
    QueryFailed,
    TradesReported,
)
from engine.model.events import (
    CancelRejected,
    OrderAccepted,
    OrderCancelled,
    OrderFilled,
    OrderRejected,
    OrderUncertain,
)
from engine.model.instruments import MarketKind
from engine.model.orders import OrderKind, OrderState, Side
from engine.model.reports import Query, Rejection
from tests.adapters.ccxt_kit import Answer, RecordingVenue, Told, ask, cancel, client, error, order, recording, stop

D = Decimal
ORDER, ACCOUNT, INFO = "/api/v3/order", "/api/v3/account", "/api/v3/exchangeInfo"
PAIR = {
    "symbol": "BTCUSDT", "status": "TRADING", "baseAsset": "BTC", "quoteAsset": "USDT", "baseAssetPrecision": 8,
    "quotePrecision": 8, "quoteAssetPrecision": 8, "isSpotTradingAllowed": True, "isMarginTradingAllowed": False,
    "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET"], "permissions": ["SPOT"], "permissionSets": [["SPOT"]],
    "filters": [
        {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000000", "tickSize": "0.01"},
        {"filterType": "LOT_SIZE", "minQty": "0.00001", "maxQty": "9000", "stepSize": "0.00001"},
        {"filterType": "NOTIONAL", "minNotional": "5", "applyMinToMarket": True}],
}


def spot(test: Callable[[RecordingVenue, CcxtVenue, Told], Coroutine[Any, Any, None]]) -> None:
    async def whole() -> None:
        async with recording() as venue:
            now = SystemClock().now() // 10**6
            venue.always["GET", "/api/v3/time"] = Answer(body={"serverTime": now})
            venue.always["GET", INFO] = Answer(body={"symbols": [PAIR], "rateLimits": []})
            venue.always["GET", ACCOUNT] = Answer(body={"balances": [
                {"asset": "USDT", "free": "900", "locked": "100"}, {"asset": "BTC", "free": "0.5", "locked": "0"}]})
            venue.always["GET", "/api/v3/openOrders"] = Answer(body=[])
            venue.always["GET", "/api/v3/ticker/24hr"] = Answer(body={"symbol": "BTCUSDT", "lastPrice": "60000"})
            async with client(venue, exchange="binance", venue="binance") as (adapter, told):
                await test(venue, adapter, told)

    asyncio.run(whole())


def row(**more: object) -> dict[str, Any]:
    return {"symbol": "BTCUSDT", "orderId": 28, "clientOrderId": "rb-e-1", "price": "59000", "origQty": "0.01",
            "executedQty": "0", "cummulativeQuoteQty": "0", "status": "NEW", "timeInForce": "GTC", "type": "LIMIT",
            "side": "BUY", "transactTime": 1507725176595, "time": 1507725176595} | more


def limit(**more: Any) -> Any:
    fields: dict[str, Any] = {"venue": "binance", "kind": OrderKind.LIMIT, "limit_price": D("59000.017")}
    return order(**(fields | more))


def test_a_pair_comes_with_its_filters() -> None:
    async def test(venue: RecordingVenue, adapter: CcxtVenue, told: Told) -> None:
        (defined,) = await adapter.open()
        instrument = defined.instrument
        assert (instrument.symbol, instrument.kind) == ("BTCUSDT", MarketKind.SPOT)
        assert (instrument.tick, instrument.step, instrument.min_notional) == (D("0.01"), D("0.00001"), D(5))

    spot(test)


def test_orders_leave_under_our_ids_with_prices_on_the_safe_side() -> None:
    async def test(venue: RecordingVenue, adapter: CcxtVenue, told: Told) -> None:
        venue.script("POST", ORDER, Answer(body=row()), Answer(body=row(
            orderId=29, clientOrderId="rb-e-2", type="MARKET", status="FILLED", executedQty="0.01",
            cummulativeQuoteQty="600")))
        adapter.place(limit(), 1)
        await told.first(1)
        adapter.place(order("rb-e-2"), 1)
        await told.first(2)
        first, second = (one.params for one in venue.sent("POST", ORDER))
        assert (first["newClientOrderId"], first["price"], first["type"]) == ("rb-e-1", "59000.01", "LIMIT")
        assert (second["newClientOrderId"], second["type"], second["quantity"]) == ("rb-e-2", "MARKET", "0.01")
        assert [type(one) for one in told] == [OrderAccepted, OrderAccepted]

    spot(test)


@pytest.mark.parametrize(
    ("answer", "wanted", "kind"),
    [(error(-2010, "Account has insufficient balance for requested action."), OrderRejected, Rejection.MARGIN),
     (error(-1013, "Filter failure: NOTIONAL"), OrderRejected, Rejection.FILTER),
     (error(-1007), OrderUncertain, None), (Answer(drop=True), OrderUncertain, None),
     (Answer(text="{"), OrderUncertain, None), (Answer(body={}), OrderUncertain, None)],
)
def test_only_a_code_of_the_venue_refuses(answer: Answer, wanted: type[Any], kind: Rejection | None) -> None:
    async def test(venue: RecordingVenue, adapter: CcxtVenue, told: Told) -> None:
        venue.script("POST", ORDER, answer)
        adapter.place(limit(), 1)
        (event,) = await told.first(1)
        assert isinstance(event, wanted), event
        assert kind is None or (isinstance(event, OrderRejected) and event.kind is kind)
        assert len(venue.sent("POST", ORDER)) == 1

    spot(test)


def test_a_stop_is_refused_for_what_the_venue_cannot_do() -> None:
    async def test(venue: RecordingVenue, adapter: CcxtVenue, told: Told) -> None:
        adapter.place(stop(), 1)
        adapter.ask(ask(Query.PROBE), 1)
        await told.first(2)
        rejected = next(one for one in told if isinstance(one, OrderRejected))
        assert rejected.kind is Rejection.CAPABILITY
        assert not next(one for one in told if isinstance(one, ProbeAnswered)).able
        assert not venue.sent("POST", ORDER)

    spot(test)


def test_what_is_held_is_a_position_and_a_balance() -> None:
    async def test(venue: RecordingVenue, adapter: CcxtVenue, told: Told) -> None:
        venue.script("GET", "/api/v3/openOrders", Answer(body=[row(executedQty="0.004", status="PARTIALLY_FILLED")]))
        adapter.ask(ask(Query.ACCOUNT), 1)
        (event,) = await told.first(1)
        assert isinstance(event, AccountReported), event
        assert {one.asset: (one.free, one.total) for one in event.balances} == {
            "USDT": (D(900), D(1000)), "BTC": (D("0.5"), D("0.5"))}
        assert [(one.symbol, one.quantity) for one in event.positions] == [("BTCUSDT", D("0.5"))]
        assert [(one.client_id, one.state) for one in event.orders] == [("rb-e-1", OrderState.PARTLY_FILLED)]

    spot(test)


def test_orders_are_found_absent_and_taken_back() -> None:
    async def test(venue: RecordingVenue, adapter: CcxtVenue, told: Told) -> None:
        venue.script("GET", ORDER, Answer(body=row()), error(-2013), Answer(body=row(status="CANCELED")))
        venue.script("DELETE", ORDER, Answer(body=row(status="CANCELED")), error(-2011))
        for number in range(2):
            adapter.ask(ask(Query.ORDER, client_id="rb-e-1"), 1)
            await told.first(number + 1)
        adapter.cancel(cancel(), 1)
        await told.first(3)
        adapter.cancel(cancel(), 1)
        await told.first(4)
        assert [type(one) for one in told] == [OrderFound, OrderAbsent, OrderCancelled, CancelRejected]
        assert all(one.params["origClientOrderId"] == "rb-e-1" for one in venue.sent("GET", ORDER))

    spot(test)


def test_trades_are_told_under_our_ids_and_income_is_not() -> None:
    async def test(venue: RecordingVenue, adapter: CcxtVenue, told: Told) -> None:
        now = SystemClock().now()
        venue.script("GET", "/api/v3/myTrades", Answer(body=[
            {"symbol": "BTCUSDT", "id": 5, "orderId": 28, "price": "60000", "qty": "0.01", "quoteQty": "600",
             "commission": "0.00001", "commissionAsset": "BTC", "time": now // 10**6, "isBuyer": True,
             "isMaker": False}]))
        venue.script("GET", ORDER, Answer(body=row(status="FILLED", executedQty="0.01", cummulativeQuoteQty="600")))
        adapter.ask(ask(Query.TRADES, since=now - 10**9), 1)
        await told.first(2)
        filled, done = told
        assert isinstance(filled, OrderFilled) and isinstance(done, TradesReported), told
        assert (filled.fill.client_id, filled.fill.trade_id, filled.fill.side) == ("rb-e-1", "5", Side.BUY)
        assert filled.fill.fee == D("0.6")
        adapter.ask(ask(Query.INCOME), 1)
        await told.first(3)
        assert isinstance(told[-1], QueryFailed)

    spot(test)


def test_the_checklist_says_that_there_are_no_stops() -> None:
    async def test(venue: RecordingVenue, adapter: CcxtVenue, told: Told) -> None:
        lines = {one.name: one for one in await adapter.preflight()}
        assert lines["stop probe"].verdict == "fail"
        assert lines["clock offset"].verdict == "ok"

    spot(test)
