"""Two clocks that are seconds apart: what the venue did is told at the instant our clock showed."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from engine.adapters.clock_system import SystemClock
from engine.model.answers import IncomeReported
from engine.model.events import OrderFilled
from engine.model.reports import Query
from tests.adapters.ccxt_kit import Answer, RecordingVenue, ask, client, recording
from tests.adapters.test_venue_ccxt_asks import ORDER, TRADES, regular, trade

SECOND = 10**9


@pytest.mark.parametrize("ahead_s", [-3, 0, 3])
def test_a_fill_and_a_fee_are_told_in_our_time_and_asked_for_in_the_venues(ahead_s: int) -> None:
    """A fill of after a position was read would else be taken for one that is in it, or be counted twice."""
    async def test(venue: RecordingVenue) -> None:
        venue.clock_ahead_ms = ahead_s * 1000
        async with client(venue) as (adapter, told):
            now = SystemClock().now()
            theirs = now // 10**6 + venue.clock_ahead_ms
            venue.script("GET", TRADES, Answer(body=[trade(1, 901, theirs)]), Answer(body=[]))
            venue.script("GET", ORDER, Answer(body=regular(venue, "rb-e-5") | {"orderId": 901}))
            venue.script("GET", "/fapi/v1/income", Answer(body=[
                {"symbol": "BTCUSDT", "incomeType": "FUNDING_FEE", "income": "-0.1", "asset": "USDT", "time": theirs,
                 "tranId": 5}]))
            adapter.ask(ask(Query.TRADES, since=now - 60 * SECOND), 1)
            await told.first(2)
            adapter.ask(ask(Query.INCOME, since=now - 60 * SECOND), 1)
            await told.first(3)
        filled, income = told[0], told[2]
        assert isinstance(filled, OrderFilled) and isinstance(income, IncomeReported)
        for at in (filled.fill.venue_at, income.entries[0].venue_at):
            assert abs(at - now) < SECOND
        assert filled.fill.quantity == Decimal("0.001")
        begin = int(venue.sent("GET", TRADES)[0].params["startTime"])
        assert abs(begin - (theirs - 60_000)) < 1_000

    async def whole() -> None:
        async with recording() as venue:
            await test(venue)

    asyncio.run(whole())
