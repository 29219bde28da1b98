"""The client against the product's own venue, over real HTTP and sockets: an order's whole life, and each fault."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from engine.adapters.clock_system import SystemClock
from engine.adapters.venue_ccxt import CcxtVenue
from engine.adapters.venue_ccxt_keys import Keys
from engine.adapters.venue_ccxt_terms import CcxtTerms
from engine.adapters.venue_server_gateway_faults import StreamFault, StreamRule, WireFault, WireRule
from engine.model.answers import (
    AccountReported,
    AccountStream,
    OrderAbsent,
    OrderFound,
    ProbeAnswered,
    QueryFailed,
    TradesReported,
)
from engine.model.events import (
    OrderAccepted,
    OrderCancelled,
    OrderFilled,
    OrderRejected,
    OrderTriggered,
    OrderUncertain,
    VenueEvent,
)
from engine.model.fills import Liquidity
from engine.model.orders import OrderKind, OrderState, Side
from engine.model.reports import Query, Rejection
from engine.ports.venue import VenueRefused
from tests.adapters.ccxt_kit import Told, ask, cancel, order, stop, yes
from tests.adapters.server_kit import KEY, SECRET, TERMS, Venue, run, short, soon, venue

D = Decimal
SECOND = 10**9


def on_order(kind: WireFault, **more: Any) -> WireRule:
    """Return a fault of the first order that is sent."""
    return WireRule(kind=kind, nth=1, method="POST", path="/fapi/v1/order", **more)


@asynccontextmanager
async def using(
    *requests: WireRule, listen: bool = True, settings: dict[str, Any] | None = None, **more: Any
) -> AsyncIterator[tuple[Venue, CcxtVenue, Told]]:
    """Yield the venue, the open client and what it tells."""
    async with venue(*requests, **more) as made:
        told = Told()
        fields: dict[str, Any] = {"symbols": ("BTCUSDT",), "listen": listen, "timeout_ms": 5_000} | (settings or {})
        terms = CcxtTerms(endpoint=made.server.url, **fields)
        adapter = CcxtVenue(terms, Keys(KEY, SECRET), SystemClock(), told.append, yes)
        await adapter.open()
        task = asyncio.create_task(adapter.run())
        try:
            if listen:
                await told.until(lambda: bool(told))
            yield made, adapter, told
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            await adapter.close(1.0)


def of(told: Told, kind: type[VenueEvent]) -> list[Any]:
    return [one for one in told if isinstance(one, kind)]


def entry(client_id: str = "rb-e-1", **more: Any) -> Any:
    return order(client_id, **({"quantity": D("0.5"), "reference_price": D(100)} | more))


def guard(client_id: str = "rb-e-2", **more: Any) -> Any:
    return stop(client_id, **({"trigger_price": D(95)} | more))


@pytest.mark.parametrize("keeps", [True, False], ids=["child keeps the id", "child has its own"])
def test_an_entry_its_stop_and_the_stops_fill_are_told_by_the_stream_under_our_ids(keeps: bool) -> None:
    async def story() -> None:
        async with using(terms=replace(TERMS, child_keeps_id=keeps)) as (made, adapter, told):
            adapter.place(entry(), 1)
            await told.until(lambda: bool(of(told, OrderFilled)))
            adapter.place(guard(), 1)
            await told.until(lambda: any(one.client_id == "rb-e-2" for one in of(told, OrderAccepted)))
            made.quote(94.0, 94.2)
            await told.until(lambda: len(of(told, OrderFilled)) == 2)
            bought, sold = (one.fill for one in of(told, OrderFilled))
            assert (bought.client_id, bought.side, bought.quantity, bought.price) == (
                "rb-e-1", Side.BUY, D("0.5"), D("100.2"))
            assert bought.liquidity is Liquidity.TAKER and bought.fee > 0
            assert (sold.client_id, sold.side, sold.quantity) == ("rb-e-2", Side.SELL, D("0.5"))
            assert [one.client_id for one in of(told, OrderTriggered)] == ["rb-e-2"]
            assert not of(told, OrderUncertain) and not of(told, OrderRejected)

            before = len(told)
            adapter.ask(ask(Query.TRADES, since=SystemClock().now() - 60 * SECOND), 1)
            await told.until(lambda: bool(of(told, TradesReported)))
            again = [one.fill for one in told[before:] if isinstance(one, OrderFilled)]
            assert [(one.client_id, one.trade_id) for one in again] == [
                (one.client_id, one.trade_id) for one in (bought, sold)]

    run(story())


@pytest.mark.parametrize("keeps", [True, False])
def test_a_client_that_knows_nothing_learns_from_questions_alone_whose_each_trade_is(keeps: bool) -> None:
    """As after a crash: another client, without a stream, asks what happened."""
    async def story() -> None:
        async with using(terms=replace(TERMS, child_keeps_id=keeps)) as (made, adapter, told):
            adapter.place(entry(), 1)
            await told.until(lambda: bool(of(told, OrderFilled)))
            adapter.place(guard(), 1)
            await told.until(lambda: any(one.client_id == "rb-e-2" for one in of(told, OrderAccepted)))
            made.quote(94.0, 94.2)
            await told.until(lambda: len(of(told, OrderFilled)) == 2)
            heard = Told()
            terms = CcxtTerms(endpoint=made.server.url, symbols=("BTCUSDT",), listen=False)
            fresh = CcxtVenue(terms, Keys(KEY, SECRET), SystemClock(), heard.append, yes)
            await fresh.open()
            fresh.ask(ask(Query.TRADES, since=SystemClock().now() - 60 * SECOND), 1)
            fresh.ask(ask(Query.ORDER, client_id="rb-e-2", conditional=True, ask=8), 1)
            await heard.first(4)
            await fresh.close(1.0)
            assert [one.fill.client_id for one in of(heard, OrderFilled)] == ["rb-e-1", "rb-e-2"]
            (found,) = of(heard, OrderFound)
            assert (found.report.state, found.report.executed) == (OrderState.FILLED, D("0.5"))

    run(story())


def test_the_account_shows_position_and_the_stop_on_all_of_it() -> None:
    async def story() -> None:
        async with using() as (_, adapter, told):
            adapter.place(entry(), 1)
            adapter.place(entry("rb-e-3", kind=OrderKind.LIMIT, limit_price=D("99.04")), 1)
            await told.until(lambda: bool(of(told, OrderFilled)))
            adapter.place(guard(), 1)
            await told.until(lambda: any(one.client_id == "rb-e-2" for one in of(told, OrderAccepted)))
            adapter.ask(ask(Query.ACCOUNT), 1)
            await told.until(lambda: bool(of(told, AccountReported)))
            (report,) = of(told, AccountReported)
            assert [(one.symbol, one.quantity, one.entry_price) for one in report.positions] == [
                ("BTCUSDT", D("0.5"), D("100.2"))]
            open_ones = {one.client_id: one for one in report.orders}
            assert set(open_ones) == {"rb-e-2", "rb-e-3"}
            assert open_ones["rb-e-2"].close_position and open_ones["rb-e-2"].quantity is None
            assert open_ones["rb-e-2"].conditional and open_ones["rb-e-2"].trigger_price == D(95)
            assert open_ones["rb-e-3"].limit_price == D(99)
            assert report.balances[0].asset == "USDT"

    run(story())


def test_an_order_is_looked_up_in_both_books_and_absent_in_each() -> None:
    async def story() -> None:
        async with using() as (_, adapter, told):
            for number, conditional in enumerate((False, True)):
                adapter.ask(ask(Query.ORDER, ask=number, client_id="rb-none-1", conditional=conditional), 1)
            await told.until(lambda: len(of(told, OrderAbsent)) == 2)
            assert {one.conditional for one in of(told, OrderAbsent)} == {False, True}

    run(story())


def test_cancels_reach_their_books() -> None:
    async def story() -> None:
        async with using() as (_, adapter, told):
            adapter.place(entry(kind=OrderKind.LIMIT, limit_price=D(99)), 1)
            adapter.place(guard(close_position=False, quantity=D("0.5"), reduce_only=True), 1)
            await told.until(lambda: len({one.client_id for one in of(told, OrderAccepted)}) == 2)
            adapter.cancel(cancel(), 1)
            adapter.cancel(cancel("rb-e-2", conditional=True), 1)
            await told.until(lambda: len({one.client_id for one in of(told, OrderCancelled)}) == 2)
            assert {(one.remaining, one.reason) for one in of(told, OrderCancelled)} == {(D("0.5"), "requested")}

    run(story())


REFUSALS: list[tuple[str, Any, Rejection]] = [
    ("post-only takes", {"kind": OrderKind.LIMIT, "limit_price": D(101), "post_only": True}, Rejection.WOULD_TAKE),
    ("reduces nothing", {"reduce_only": True, "side": Side.SELL}, Rejection.NOT_REDUCING),
    ("too dear", {"quantity": D(100)}, Rejection.MARGIN),
    ("too small", {"quantity": D("0.001")}, Rejection.FILTER),
]


@pytest.mark.parametrize(("more", "kind"), [row[1:] for row in REFUSALS], ids=[row[0] for row in REFUSALS])
def test_the_venues_refusals_are_told_in_our_words(more: dict[str, Any], kind: Rejection) -> None:
    async def story() -> None:
        async with using(listen=False, settings={"leverage": 1}) as (_, adapter, told):
            adapter.place(entry(**more), 1)
            (event,) = await told.first(1)
            if isinstance(event, OrderRejected):
                assert event.kind is kind, event
            else:
                # A venue may also take a post-only order and end it at once.
                assert kind is Rejection.WOULD_TAKE
                await told.until(lambda: bool(of(told, OrderCancelled)))

    run(story())


def test_a_stop_through_which_the_price_is_must_be_known_as_such() -> None:
    async def story() -> None:
        async with using(listen=False) as (_, adapter, told):
            adapter.place(entry(), 1)
            await told.first(1)
            adapter.place(guard(trigger_price=D(120)), 1)
            adapter.place(guard("rb-e-3"), 1)
            adapter.place(guard("rb-e-4"), 1)
            await told.until(lambda: len(told) >= 4)
            kinds = {one.client_id: one.kind for one in of(told, OrderRejected)}
            assert kinds["rb-e-2"] is Rejection.WOULD_TRIGGER
            assert Rejection.CLOSE_EXISTS in (kinds.get("rb-e-3"), kinds.get("rb-e-4"))

    run(story())


DOUBTS = {
    "lost though done": on_order(WireFault.LOST_REPLY),
    "lost and not done": on_order(WireFault.LOST_REQUEST),
    "-1007 though done": on_order(WireFault.CODE),
    "-1006 and not done": on_order(WireFault.CODE, code=-1006, worked=False),
    "503 though done": on_order(WireFault.HTTP, status=503),
    "502 and not done": on_order(WireFault.HTTP, status=502, worked=False),
    "half a reply": on_order(WireFault.TRUNCATED),
    "too late": on_order(WireFault.DELAY, hold=2 * SECOND),
    "invisible": on_order(WireFault.INVISIBLE, hold=SECOND // 2, lost=True),
}


QUICK = {"timeout_ms": 800}
"""A client that gives up on a reply before the one that is too late."""


@pytest.mark.parametrize("name", DOUBTS)
def test_an_order_in_doubt_is_sent_once_called_uncertain_and_found_or_not(name: str) -> None:
    rule = DOUBTS[name]

    async def story() -> None:
        async with using(rule, listen=False, settings=QUICK if name == "too late" else None) as (made, adapter, told):
            adapter.place(entry(kind=OrderKind.LIMIT, limit_price=D(99)), 1)
            (event,) = await told.first(1)
            assert isinstance(event, OrderUncertain), event
            done = rule.worked and rule.kind is not WireFault.LOST_REQUEST
            for number in range(40):
                adapter.ask(ask(Query.ORDER, ask=number, client_id="rb-e-1"), 1)
                await told.first(number + 2)
                if isinstance(told[-1], OrderFound) or not done:
                    break
                await asyncio.sleep(0.05)
            assert isinstance(told[-1], OrderFound if done else OrderAbsent), told[-1]
            assert len(made.server.log.sent("POST", "/fapi/v1/order")) == 1

    run(story())


def test_a_refusal_for_the_clock_is_made_good_once() -> None:
    rule = on_order(WireFault.CLOCK_SKEW, hold=30 * SECOND)

    async def story() -> None:
        async with using(rule, listen=False) as (made, adapter, told):
            adapter.place(entry(), 1)
            event = (await told.first(1))[0]
            assert isinstance(event, OrderAccepted), event
            assert len(made.server.log.sent("POST", "/fapi/v1/order")) == 2

    run(story())


@pytest.mark.parametrize("kind", [WireFault.BAN, WireFault.RATE])
def test_a_ban_is_obeyed_before_it_grows(kind: WireFault) -> None:
    rule = on_order(kind, hold=60 * SECOND)

    async def story() -> None:
        async with using(rule, listen=False) as (made, adapter, told):
            adapter.place(entry(), 1)
            (event,) = await told.first(1)
            assert isinstance(event, OrderRejected) and event.kind is Rejection.LIMITED, event
            before = sum(1 for _ in made.server.log.requests)
            adapter.ask(ask(Query.ACCOUNT), 1)
            adapter.place(entry("rb-e-5"), 1)
            await told.first(3)
            assert of(told, QueryFailed) and len(of(told, OrderRejected)) == 2
            assert sum(1 for _ in made.server.log.requests) == before

    run(story())


STREAM = {
    "dropped": StreamFault.DROP_CONNECTION, "dead key": StreamFault.DEAD_LISTEN_KEY,
}


@pytest.mark.parametrize("name", STREAM)
def test_a_stream_that_ends_is_told_and_begins_again_with_a_new_key(name: str) -> None:
    async def story() -> None:
        async with using() as (made, adapter, told):
            await told.until(lambda: [one.alive for one in of(told, AccountStream)] == [True])
            made.server.add_fault(StreamRule(kind=STREAM[name], start=soon(0.1), told=True))
            await told.until(lambda: [one.alive for one in of(told, AccountStream)] == [True, False, True])
            assert len(made.server.log.sent("POST", "/fapi/v1/listenKey")) == 2
            adapter.place(entry(), 1)
            await told.until(lambda: bool(of(told, OrderFilled)))

    run(story())


def test_a_key_whose_life_is_over_is_found_out() -> None:
    async def story() -> None:
        async with using(terms=short(SECOND)) as (_, _adapter, told):
            await told.until(lambda: len([one for one in of(told, AccountStream) if one.alive]) == 2)

    run(story())


def test_a_silent_stream_is_found_out_by_what_replies_say_and_nothing_stays_untold() -> None:
    async def story() -> None:
        rule = StreamRule(kind=StreamFault.SILENT, start=1, end=soon(600))
        async with using(streams=(rule,), settings={"told_within_s": 0.3}) as (_, adapter, told):
            adapter.place(entry(), 1)
            await told.until(lambda: any(not one.alive for one in of(told, AccountStream)))
            adapter.ask(ask(Query.TRADES, since=SystemClock().now() - 60 * SECOND), 1)
            await told.until(lambda: bool(of(told, TradesReported)))
            assert {one.fill.client_id for one in of(told, OrderFilled)} == {"rb-e-1"}

    run(story())


@pytest.mark.parametrize("kind", [StreamFault.DUPLICATE, StreamFault.LATE, StreamFault.REORDERED])
def test_duplicate_late_and_swapped_messages_lose_no_fill(kind: StreamFault) -> None:
    async def story() -> None:
        async with using(streams=(StreamRule(kind=kind, hold=SECOND // 20),)) as (made, adapter, told):
            adapter.place(entry(), 1)
            await told.until(lambda: bool(of(told, OrderFilled)))
            adapter.place(guard(), 1)
            await told.until(lambda: any(one.client_id == "rb-e-2" for one in of(told, OrderAccepted)))
            made.quote(94.0, 94.2)
            await told.until(lambda: {one.fill.client_id for one in of(told, OrderFilled)} == {"rb-e-1", "rb-e-2"})
            await asyncio.sleep(0.15)
            by_trade = {one.fill.trade_id: one.fill for one in of(told, OrderFilled)}
            assert sum(one.quantity * one.side.sign for one in by_trade.values()) == 0

    run(story())


def test_the_probe_leaves_nothing_behind() -> None:
    async def story() -> None:
        async with using(listen=False) as (_, adapter, told):
            adapter.ask(ask(Query.PROBE), 1)
            adapter_answer = (await told.first(1))[0]
            assert isinstance(adapter_answer, ProbeAnswered) and adapter_answer.able, adapter_answer
            adapter.ask(ask(Query.ACCOUNT), 1)
            await told.until(lambda: bool(of(told, AccountReported)))
            assert of(told, AccountReported)[0].orders == ()

    run(story())


def test_the_checklist_of_a_healthy_venue_has_no_failure() -> None:
    async def story() -> None:
        async with using(listen=False) as (_, adapter, _told):
            lines = await adapter.preflight()
            assert [one for one in lines if one.verdict == "fail"] == []
            assert {one.name for one in lines if one.verdict == "ok"} >= {
                "clock offset", "key may trade", "withdrawals off", "address bound", "position mode", "filters",
                "stop probe"}

    run(story())


@pytest.mark.parametrize(
    ("requests", "more", "what"),
    [((), {"terms": replace(TERMS, may_trade=False)}, "key"),
     ((), {"terms": replace(TERMS, secret="another-secret")}, "key"),
     ((WireRule(kind=WireFault.CLOCK_SKEW, hold=300 * SECOND),), {}, "clock"),
     ((WireRule(kind=WireFault.HTTP, status=502, worked=False),), {}, "endpoint"),
     ((), {"settings": {"symbols": ("NOPEUSDT",)}}, "NOPEUSDT")],
    ids=["may not trade", "wrong secret", "clock", "html", "symbol"],
)
def test_what_makes_a_start_impossible_is_refused_with_what_to_do(
    requests: tuple[WireRule, ...], more: dict[str, Any], what: str
) -> None:
    async def story() -> None:
        with pytest.raises(VenueRefused, match=re.escape(what)):
            async with using(*requests, **more):
                pass

    run(story())
