"""What is listed, and its filters, change while a run lasts: it is told, and an exit is not refused for ever."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

from engine.adapters.clock_system import SystemClock
from engine.model.events import InstrumentDefined, OrderAccepted, OrderRejected
from engine.model.orders import Intent, Side
from engine.model.reports import Rejection
from tests.adapters.ccxt_kit import Answer, RecordingVenue, Told, client, error, order, recording, symbol
from tests.adapters.test_venue_ccxt_common import ACCOUNT as SPOT_ACCOUNT
from tests.adapters.test_venue_ccxt_common import INFO as SPOT_INFO
from tests.adapters.test_venue_ccxt_common import PAIR

INFO, ORDER = "/fapi/v1/exchangeInfo", "/fapi/v1/order"


def running(test: Callable[[RecordingVenue, Any, Told], Awaitable[None]], **more: Any) -> None:
    async def whole() -> None:
        async with recording() as venue, client(venue, **({"symbols": ()} | more)) as (adapter, told):
            task = asyncio.create_task(adapter.run())
            await test(venue, adapter, told)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    asyncio.run(whole())


def lists(venue: RecordingVenue, *symbols: dict[str, Any]) -> None:
    venue.always["GET", INFO] = Answer(body={"rateLimits": [], "symbols": list(symbols)})


def defined(told: Told) -> list[tuple[str, Decimal]]:
    return [(one.instrument.symbol, one.instrument.step) for one in told if isinstance(one, InstrumentDefined)]


def test_a_listing_and_a_changed_filter_are_told_once_and_what_is_gone_stays_tradable() -> None:
    async def test(venue: RecordingVenue, adapter: Any, told: Told) -> None:
        lists(venue, symbol(step="0.01"), symbol("币安人生USDT", step="1"))
        await told.until(lambda: len(defined(told)) == 2)
        asked = len(venue.sent("GET", INFO))
        await told.until(lambda: len(venue.sent("GET", INFO)) >= asked + 2)
        assert defined(told) == [("BTCUSDT", Decimal("0.01")), ("币安人生USDT", Decimal(1))]
        for number, name in enumerate(("ETHUSDT", "币安人生USDT")):
            adapter.place(order(f"rb-e-{number}", symbol=name, quantity=Decimal(2), side=Side.SELL,
                                intent=Intent.EXIT, reduce_only=True), 1)
        await told.until(lambda: sum(isinstance(one, OrderAccepted) for one in told) == 2)
        assert [one.params["symbol"] for one in venue.sent("POST", ORDER)] == ["ETHUSDT", "币安人生USDT"]

    running(test, filters_every_s=0.05)


def test_an_order_that_is_refused_for_its_filters_has_them_read_at_once() -> None:
    async def test(venue: RecordingVenue, adapter: Any, told: Told) -> None:
        lists(venue, symbol(step="0.01"), symbol("ETHUSDT", "0.01", "0.01"))
        venue.script("POST", ORDER, error(-1111, "Precision is over the maximum defined for this asset."))
        adapter.place(order(quantity=Decimal("0.015"), intent=Intent.EXIT, side=Side.SELL, reduce_only=True), 1)
        await told.until(lambda: len(told) == 2)
        assert isinstance(told[0], OrderRejected) and told[0].kind is Rejection.FILTER
        assert defined(told) == [("BTCUSDT", Decimal("0.01"))]

    running(test)


def test_only_what_may_be_traded_is_told() -> None:
    async def test(venue: RecordingVenue, adapter: Any, told: Told) -> None:
        lists(venue, symbol(step="0.01"), symbol("NEWUSDT"))
        await told.until(lambda: len(defined(told)) == 1)
        await asyncio.sleep(0.1)
        assert defined(told) == [("BTCUSDT", Decimal("0.01"))]

    running(test, symbols=("BTCUSDT",), filters_every_s=0.05)


def test_a_list_that_cannot_be_had_changes_nothing_and_is_asked_for_again() -> None:
    async def test(venue: RecordingVenue, adapter: Any, told: Told) -> None:
        for bad in (Answer(text="<html>", status=503), Answer(body={"symbols": 1}), Answer(drop=True)):
            venue.script("GET", INFO, bad)
        venue.always["GET", INFO] = Answer(body={"symbols": [symbol(step="0.1")]})
        await told.until(lambda: len(defined(told)) == 1)
        assert defined(told) == [("BTCUSDT", Decimal("0.1"))]

    running(test, filters_every_s=0.05)


def test_a_spot_venue_tells_changed_filters_too() -> None:
    async def whole() -> None:
        async with recording() as venue:
            venue.always["GET", "/api/v3/time"] = Answer(body={"serverTime": SystemClock().now() // 10**6})
            venue.always["GET", SPOT_ACCOUNT] = Answer(body={"balances": []})
            venue.script("GET", SPOT_INFO, Answer(body={"symbols": [PAIR], "rateLimits": []}))
            filters: Any = PAIR["filters"]
            finer = [{**one, "stepSize": "0.000001"} if "stepSize" in one else one for one in filters]
            venue.always["GET", SPOT_INFO] = Answer(body={"symbols": [{**PAIR, "filters": finer}], "rateLimits": []})
            async with client(venue, exchange="binance", filters_every_s=0.05) as (adapter, told):
                task = asyncio.create_task(adapter.run())
                await told.until(lambda: defined(told) == [("BTCUSDT", Decimal("0.000001"))])
                task.cancel()
                await asyncio.wait([task])

    asyncio.run(whole())
