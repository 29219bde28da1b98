"""While a run ends: nothing that adds risk leaves any more, and what was just bought still gets its stop."""

from __future__ import annotations

import asyncio
import time

from engine.model.events import OrderAccepted, OrderRejected
from engine.model.reports import Rejection
from tests.adapters.ccxt_kit import Answer, client, order, recording, stop

ORDER, ALGO = "/fapi/v1/order", "/fapi/v1/algoOrder"


def test_a_stop_leaves_while_the_last_answers_are_waited_for_and_an_entry_does_not() -> None:
    async def test() -> None:
        async with recording() as venue, client(venue, timeout_ms=2_000) as (adapter, told):
            venue.script("POST", ORDER, Answer(hang_s=0.3, body=venue.regular(
                {"newClientOrderId": "rb-e-1", "symbol": "BTCUSDT", "type": "MARKET", "quantity": "0.01",
                 "side": "BUY"})))
            adapter.place(order(), 1)
            await venue.until_asked("POST", ORDER)
            closing = asyncio.create_task(adapter.close(2.0))
            await asyncio.sleep(0)
            adapter.place(order("rb-e-8"), 1)
            await told.until(lambda: any(isinstance(one, OrderAccepted) for one in told))
            # Its driver hears of the entry and looks at what it heard a moment later.
            await asyncio.sleep(0.02)
            adapter.place(stop("rb-e-2"), 1)
            await closing
            assert [one.client_id for one in told if isinstance(one, OrderAccepted)] == ["rb-e-1", "rb-e-2"]
            assert [one.params["clientAlgoId"] for one in venue.sent("POST", ALGO)] == ["rb-e-2"]
            (refused,) = [one for one in told if isinstance(one, OrderRejected)]
            assert refused.client_id == "rb-e-8" and refused.kind is Rejection.NOT_SENT

    asyncio.run(test())


def test_a_stop_that_comes_when_all_is_over_is_refused_and_not_forgotten() -> None:
    async def test() -> None:
        async with recording() as venue, client(venue) as (adapter, told):
            await adapter.close(1.0)
            adapter.place(stop(), 1)
            (refused,) = await told.first(1)
            assert isinstance(refused, OrderRejected) and refused.kind is Rejection.NOT_SENT
            assert not venue.sent("POST", ALGO)

    asyncio.run(test())


def test_a_venue_that_never_answers_holds_the_end_no_longer_than_its_patience() -> None:
    async def test() -> None:
        async with recording() as venue, client(venue, timeout_ms=5_000) as (adapter, told):
            venue.always["POST", ALGO] = Answer(hang_s=3)
            adapter.place(stop(), 1)
            await venue.until_asked("POST", ALGO)
            began = time.monotonic()
            await adapter.close(0.2)
            assert time.monotonic() - began < 2 and len(told) == 1

    asyncio.run(test())
