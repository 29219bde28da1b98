"""Without the account's stream the reply to an order is the first that is heard of its fills."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from engine.model.answers import OrderFound
from engine.model.effects import AskVenue
from engine.model.events import Input, OrderAccepted
from engine.model.reports import Query
from tests.adapters.ccxt_kit import Answer, client, order, recording
from tests.execution.kit import ENTRY, Desk


@pytest.mark.parametrize(("listen", "executed", "wanted"), [
    (False, "0.01", [OrderAccepted, OrderFound]), (False, "0", [OrderAccepted]), (True, "0.01", [OrderAccepted]),
])
def test_what_the_reply_executed_is_told_where_no_stream_will(
    listen: bool, executed: str, wanted: list[type[object]]
) -> None:
    async def test() -> None:
        async with recording() as venue, client(venue, listen=listen) as (adapter, told):
            row = venue.regular({"newClientOrderId": "rb-e-1", "symbol": "BTCUSDT", "type": "MARKET",
                                 "quantity": "0.01", "side": "BUY"}, executedQty=executed, status="FILLED")
            venue.script("POST", "/fapi/v1/order", Answer(body=row))
            adapter.place(order(), 1)
            await told.first(len(wanted))
            assert [type(one) for one in told] == wanted
            if isinstance(told[-1], OrderFound):
                assert told[-1].report.executed == Decimal("0.01") and told[-1].ask == 0

    asyncio.run(test())


def test_it_has_the_trades_asked_for_at_once_and_not_when_an_answer_is_overdue() -> None:
    """The position stands without a stop until its fill was told: five seconds are long."""
    async def reply() -> OrderFound:
        async with recording() as venue, client(venue) as (adapter, told):
            row = venue.regular({"newClientOrderId": entry.client_id, "symbol": "XYZUSDT", "type": "MARKET",
                                 "quantity": "10", "side": "BUY"}, executedQty="10", status="FILLED")
            venue.script("POST", "/fapi/v1/order", Answer(body=row))
            adapter.place(order(entry.client_id, quantity=Decimal(10)), 1)
            found = (await told.first(2))[1]
            assert isinstance(found, OrderFound)
            return found

    desk = Desk()
    entry = desk.place(ENTRY)
    desk.accept(entry)
    desk.execution.on_event(Input(1, desk.at, asyncio.run(reply())), desk)
    asked = [one.query for one in desk.execution.after_event(desk.at, desk) if isinstance(one, AskVenue)]
    assert asked == [Query.TRADES]
