"""Every fault of the wire, as an unmodified ccxt sees it; and what really became of the order meanwhile."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import aiohttp
import ccxt
import pytest

from engine.adapters.clock_virtual import VirtualClock
from engine.adapters.venue_server_gateway_faults import StreamFault, StreamRule, WireFault, WireRule
from engine.model.time import MS, SECOND
from tests.adapters.server_kit import NOON, SYMBOL, TERMS, run, soon, trading, venue

ORDER: dict[str, Any] = {"method": "POST", "path": "/fapi/v1/order"}
BUY = (SYMBOL, "market", "buy", 0.5, None, {"clientOrderId": "rb-f-1"})


async def failed(client: Any, *order: Any) -> BaseException:
    """Return what placing an order raises."""
    try:
        await client.create_order(*(order or BUY))
    except ccxt.BaseError as error:
        raised: BaseException = error
        return raised
    raise AssertionError("nothing was raised")


async def held(client: Any) -> float:
    """Return the position in BTC."""
    return float(sum(each["contracts"] for each in await client.fetch_positions()))


WIRE = [
    ("lost reply", WireRule(kind=WireFault.LOST_REPLY, **ORDER), "ExchangeNotAvailable", None, 0.5),
    ("lost request", WireRule(kind=WireFault.LOST_REQUEST, **ORDER), "ExchangeNotAvailable", None, 0.0),
    ("-1007 though done", WireRule(kind=WireFault.CODE, code=-1007, **ORDER), "RequestTimeout", "-1007", 0.5),
    ("-1007 and not done", WireRule(kind=WireFault.CODE, code=-1007, worked=False, **ORDER), "RequestTimeout", "-1007",
     0.0),
    ("-1006 though done", WireRule(kind=WireFault.CODE, code=-1006, **ORDER), "OperationFailed", "-1006", 0.5),
    ("a page with 503 though done", WireRule(kind=WireFault.HTTP, status=503, **ORDER), "ExchangeNotAvailable", "503",
     0.5),
    ("a page with 504, not done", WireRule(kind=WireFault.HTTP, status=504, worked=False, **ORDER), "RequestTimeout",
     "504", 0.0),
    ("a refusal", WireRule(kind=WireFault.REJECT, code=-2010, **ORDER), "InvalidOrder", "-2010", 0.0),
    ("429", WireRule(kind=WireFault.RATE, hold=3 * SECOND, **ORDER), "DDoSProtection", "429", 0.0),
    ("a clock that is off", WireRule(kind=WireFault.CLOCK_SKEW, hold=300 * SECOND, **ORDER), "InvalidNonce", "-1021",
     0.0),
    ("a clock that is behind", WireRule(kind=WireFault.CLOCK_SKEW, hold=-300 * SECOND, **ORDER), "InvalidNonce",
     "-1021", 0.0),
]


@pytest.mark.parametrize(("rule", "kind", "says", "holds"), [row[1:] for row in WIRE], ids=[row[0] for row in WIRE])
def test_what_a_fault_raises_and_what_became_of_the_order(
    rule: WireRule, kind: str, says: str | None, holds: float
) -> None:
    async def story() -> None:
        async with trading(rule) as (here, client):
            error = await failed(client)
            assert type(error).__name__ == kind and (says or "") in str(error)
            if says is None:
                assert isinstance(error.__cause__, aiohttp.ServerDisconnectedError | aiohttp.ClientOSError)
            assert here.server.log.counts["POST /fapi/v1/order"] == 1, "sent once"
            assert await held(client) == holds

    run(story())


def test_a_truncated_reply_is_an_order_without_an_id_that_lives() -> None:
    async def story() -> None:
        async with trading(WireRule(kind=WireFault.TRUNCATED, **ORDER)) as (_, client):
            order = await client.create_order(*BUY)
            assert order["id"] is None and await held(client) == 0.5
            assert (await client.fetch_order(None, SYMBOL, {"clientOrderId": "rb-f-1"}))["status"] == "closed"

    run(story())


def test_an_order_that_cannot_be_found_for_a_while() -> None:
    async def story() -> None:
        rule = WireRule(kind=WireFault.INVISIBLE, hold=800 * MS, lost=True, **ORDER)
        async with trading(rule) as (_, client):
            await failed(client, SYMBOL, "limit", "buy", 0.5, 99.0, {"clientOrderId": "rb-f-1"})
            with pytest.raises(ccxt.OrderNotFound, match="-2013"):
                await client.fetch_order(None, SYMBOL, {"clientOrderId": "rb-f-1"})
            assert await client.fetch_open_orders(SYMBOL) == []
            await asyncio.sleep(0.85)
            assert (await client.fetch_order(None, SYMBOL, {"clientOrderId": "rb-f-1"}))["status"] == "open"

    run(story())


def test_a_ban_refuses_everything_until_its_end() -> None:
    async def story() -> None:
        async with trading(WireRule(kind=WireFault.BAN, hold=30 * SECOND, nth=1, **ORDER)) as (_, client):
            error = await failed(client)
            assert type(error).__name__ == "DDoSProtection" and "418" in str(error) and "banned until" in str(error)
            assert client.last_response_headers["Retry-After"] == "30"
            with pytest.raises(ccxt.DDoSProtection):
                await client.fetch_balance()

    run(story())


def test_a_late_reply_is_late_and_the_order_is_not() -> None:
    async def story() -> None:
        async with trading(WireRule(kind=WireFault.DELAY, hold=900 * MS, **ORDER)) as (_, client):
            client.timeout = 400
            error = await failed(client)
            assert isinstance(error.__cause__, TimeoutError)
            client.timeout = 10_000
            assert await held(client) == 0.5

    run(story())


def test_weight_beyond_the_limit_is_429_and_then_a_ban() -> None:
    async def story() -> list[int]:
        terms = replace(TERMS, weight_limit=30, patience=3)
        async with trading(terms=terms, clock=VirtualClock(NOON)) as (_, client):
            statuses = []
            for _ in range(40):
                try:
                    await client.fapiPublicGetTime()
                    statuses.append(200)
                except ccxt.DDoSProtection as error:
                    statuses.append(int(str(error).split()[1]))
            assert client.last_response_headers["Retry-After"] == "120"
            return statuses

    statuses = run(story())
    assert statuses == sorted(statuses, key=[200, 429, 418].index) and set(statuses) == {200, 429, 418}
    assert statuses.count(429) == 3


def test_a_fault_can_be_added_while_it_runs_and_is_met_once() -> None:
    async def story() -> None:
        async with trading() as (here, client):
            await client.fetch_balance()
            here.server.add_fault(WireRule(kind=WireFault.LOST_REPLY, nth=1, **ORDER))
            await failed(client)
            again = await client.create_order(SYMBOL, "market", "buy", 0.5, None, {"clientOrderId": "rb-f-2"})
            assert again["status"] == "closed" and await held(client) == 1.0
            with pytest.raises(ValueError, match="streams only"):
                here.server.add_fault(WireRule(kind=WireFault.DELAY), market=True)

    run(story())


async def stream_of_one_order(*rules: StreamRule, wait: float = 0.5) -> list[str]:
    """Return what the account's stream says of one market order, as TYPE or TYPE:status, until it is quiet."""
    async with trading(streams=rules) as (here, client):
        key = await here.key(client)
        async with here.listening(f"/private/ws?listenKey={key}") as user:
            await client.create_order(*BUY)
            heard: list[str] = []
            while True:
                try:
                    message = await asyncio.wait_for(user.next(), wait)
                except TimeoutError:
                    return heard
                heard.append(":".join(filter(None, (message["e"], message.get("o", {}).get("X", "")))))


NEW, FILLED, ACCOUNT = "ORDER_TRADE_UPDATE:NEW", "ORDER_TRADE_UPDATE:FILLED", "ACCOUNT_UPDATE"
TRADES: dict[str, Any] = {"event": "ORDER_TRADE_UPDATE"}


@pytest.mark.parametrize(("rules", "heard"), [
    ((), [NEW, ACCOUNT, FILLED]),
    ((StreamRule(kind=StreamFault.DUPLICATE, hold=20 * MS, nth=2, **TRADES),), [NEW, ACCOUNT, FILLED, FILLED]),
    ((StreamRule(kind=StreamFault.LATE, hold=50 * MS, nth=1, **TRADES),), [ACCOUNT, FILLED, NEW]),
    ((StreamRule(kind=StreamFault.REORDERED, hold=100 * MS, nth=1, **TRADES),), [ACCOUNT, NEW, FILLED]),
    ((StreamRule(kind=StreamFault.SILENT, start=0, end=2**62),), []),
], ids=["none", "duplicate", "late", "reordered", "silent"])
def test_what_the_account_stream_says_under_a_fault(rules: tuple[StreamRule, ...], heard: list[str]) -> None:
    assert run(stream_of_one_order(*rules)) == heard


def test_a_silent_stream_still_answers_pings() -> None:
    async def story() -> None:
        async with trading(streams=(StreamRule(kind=StreamFault.SILENT, start=0, end=2**62),)) as (here, client):
            key = await here.key(client)
            async with here.listening(f"/private/ws?listenKey={key}") as user:
                await client.create_order(*BUY)
                await asyncio.wait_for(await user.socket.ping(), 5)
                assert await user.quiet(0.1) and await held(client) == 0.5

    run(story())


def test_the_private_connection_is_cut_and_the_key_lives_on() -> None:
    async def story() -> None:
        async with trading() as (here, client):
            key = await here.key(client)
            async with here.listening(f"/private/ws?listenKey={key}") as user:
                here.server.add_fault(StreamRule(kind=StreamFault.DROP_CONNECTION, start=soon(0.05)))
                await asyncio.wait_for(user.socket.wait_closed(), 5)
                assert user.socket.close_code == 1006, "without a word"
            async with here.listening(f"/private/ws?listenKey={key}") as user:
                await client.create_order(*BUY)
                assert (await user.next())["e"] == "ORDER_TRADE_UPDATE"

    run(story())


@pytest.mark.parametrize("told", [True, False])
def test_a_listen_key_that_dies(told: bool) -> None:
    async def story() -> None:
        async with trading() as (here, client):
            key = await here.key(client)
            async with here.listening(f"/private/ws?listenKey={key}") as user:
                here.server.add_fault(StreamRule(kind=StreamFault.DEAD_LISTEN_KEY, start=soon(0.03), told=told))
                if told:
                    assert (await user.next())["e"] == "listenKeyExpired"
                await asyncio.sleep(0.06)
                await client.create_order(*BUY)
                assert await user.quiet(0.1), "nothing is said on a dead key"
            with pytest.raises(ccxt.AuthenticationError, match="-1125"):
                await client.fapiPrivatePutListenKey()
            assert await here.key(client) != key

    run(story())


@pytest.mark.parametrize(("rule", "bids"), [
    (StreamRule(kind=StreamFault.DUPLICATE, nth=2, hold=MS), [1, 2, 2, 3]),
    (StreamRule(kind=StreamFault.LATE, nth=2, hold=400 * MS), [1, 3, 2]),
    (StreamRule(kind=StreamFault.REORDERED, nth=2), [1, 3, 2]),
    (StreamRule(kind=StreamFault.LATE, nth=2, hold=40 * MS, event="aggTrade"), [1, 2, 3]),
], ids=["duplicate", "late", "reordered", "another event"])
def test_what_the_market_streams_say_under_a_fault(rule: StreamRule, bids: list[int]) -> None:
    async def story() -> list[int]:
        async with venue(market=(rule,)) as here, here.listening("/public/ws/0", "btcusdt@bookTicker") as market:
            for bid in (1, 2, 3):
                here.quote(float(bid), bid + 0.1)
                await asyncio.sleep(0.01)
            return [round(float((await market.next())["b"])) for _ in bids]

    assert run(story()) == bids


def test_a_silent_market_answers_pings_and_comes_back() -> None:
    async def story() -> None:
        async with venue() as here, here.listening("/public/ws/0", "btcusdt@bookTicker") as market:
            here.server.add_fault(StreamRule(kind=StreamFault.SILENT, start=0, end=soon(0.4)), market=True)
            here.quote(1.0, 1.1)
            await asyncio.wait_for(await market.socket.ping(), 5)
            assert await market.quiet(0.42)
            here.quote(2.0, 2.1)
            assert (await market.next())["b"] == "2.0"

    run(story())


def test_the_market_connections_are_cut_and_the_accounts_are_not() -> None:
    async def story() -> None:
        async with trading() as (here, client):
            key = await here.key(client)
            async with here.listening("/public/ws/0", "btcusdt@bookTicker") as market:
                async with here.listening(f"/private/ws?listenKey={key}") as user:
                    drop = StreamRule(kind=StreamFault.DROP_CONNECTION, start=soon(0.02))
                    here.server.add_fault(drop, market=True)
                    await asyncio.wait_for(market.socket.wait_closed(), 5)
                    await client.create_order(*BUY)
                    assert (await user.next())["e"] == "ORDER_TRADE_UPDATE"
                assert market.socket.close_code == 1006

    run(story())
