"""Orders over real HTTP, from an unmodified ccxt: their life, their refusals, and what the account's stream says."""

from __future__ import annotations

import asyncio
from typing import Any

import ccxt
import pytest

from tests.adapters.server_kit import KEY, SECRET, SYMBOL, run, trading

STOP = {"clientOrderId": "rb-s-1", "stopPrice": 95, "closePosition": True, "workingType": "MARK_PRICE"}


def ours(number: int, **more: Any) -> dict[str, Any]:
    return {"clientOrderId": f"rb-t-{number}", **more}


def test_markets_come_with_their_filters() -> None:
    async def story() -> Any:
        async with trading() as (_, client):
            return client.market(SYMBOL)

    market = run(story())
    assert (market["precision"]["amount"], market["precision"]["price"]) == (0.001, 0.1)
    assert market["limits"]["cost"]["min"] == 5.0 and market["active"] and market["linear"]


def test_a_market_order_fills_and_is_seen_everywhere() -> None:
    async def story() -> None:
        async with trading() as (_, client):
            order = await client.create_order(SYMBOL, "market", "buy", 0.5, None, ours(1))
            assert (order["status"], order["filled"], order["average"]) == ("closed", 0.5, 100.2)
            (position,) = await client.fetch_positions()
            assert (position["contracts"], position["side"], position["entryPrice"]) == (0.5, "long", 100.2)
            (trade,) = await client.fetch_my_trades(SYMBOL)
            assert (trade["order"], trade["amount"], trade["takerOrMaker"]) == (order["id"], 0.5, "taker")
            balance = await client.fetch_balance()
            assert balance["USDT"]["total"] == pytest.approx(10_000 - 0.5 * 100.2 * 0.0005 - 0.5 * 0.1, abs=0.02)
            assert trade["fee"]["cost"] == pytest.approx(0.5 * 100.2 * 0.0005)
            again = await client.fetch_order(None, SYMBOL, ours(1))
            assert (again["id"], again["status"]) == (order["id"], "closed")

    run(story())


def test_a_resting_order_fills_in_parts() -> None:
    async def story() -> None:
        async with trading() as (venue, client):
            order = await client.create_order(SYMBOL, "limit", "buy", 0.5, 100.1, ours(1, postOnly=True))
            assert (order["status"], order["postOnly"], order["timeInForce"]) == ("open", True, "PO")
            venue.trade(100.1, 0.2, buys=False)
            part = await client.fetch_order(order["id"], SYMBOL)
            assert (part["status"], part["filled"], part["remaining"]) == ("open", 0.2, 0.3)
            assert [each["id"] for each in await client.fetch_open_orders(SYMBOL)] == [order["id"]]
            venue.trade(100.0, 5.0, buys=False)
            whole = await client.fetch_order(order["id"], SYMBOL)
            assert (whole["status"], whole["filled"], whole["average"]) == ("closed", 0.5, 100.1)
            trades = await client.fetch_my_trades(SYMBOL)
            assert [(each["amount"], each["takerOrMaker"]) for each in trades] == [(0.2, "maker"), (0.3, "maker")]

    run(story())


def test_a_cancelled_order_is_gone_and_cannot_be_cancelled_again() -> None:
    async def story() -> None:
        async with trading() as (_, client):
            await client.create_order(SYMBOL, "limit", "buy", 0.5, 99.0, ours(1))
            gone = await client.cancel_order(None, SYMBOL, ours(1))
            assert gone["status"] == "canceled"
            with pytest.raises(ccxt.OrderNotFound, match="-2011"):
                await client.cancel_order(None, SYMBOL, ours(1))
            assert await client.fetch_open_orders(SYMBOL) == []

    run(story())


def test_an_ioc_takes_what_is_there_and_the_rest_expires() -> None:
    async def story() -> None:
        async with trading() as (venue, client):
            venue.quote(100.0, 100.2, size=1.0)
            order = await client.create_order(SYMBOL, "limit", "buy", 3, 100.2, ours(1, timeInForce="IOC"))
            assert order["filled"] == 1.0
            assert (await client.fetch_order(order["id"], SYMBOL))["info"]["status"] == "EXPIRED"

    run(story())


def test_the_two_books_do_not_see_each_other() -> None:
    async def story() -> None:
        async with trading() as (_, client):
            await client.create_order(SYMBOL, "market", "buy", 0.5, None, ours(1))
            stop = await client.create_order(SYMBOL, "STOP_MARKET", "sell", None, None, STOP)
            assert await client.fetch_open_orders(SYMBOL) == []
            (found,) = await client.fetch_open_orders(SYMBOL, None, None, {"trigger": True})
            assert (found["id"], found["triggerPrice"]) == (stop["id"], 95.0)
            assert found["info"]["closePosition"] is True
            with pytest.raises(ccxt.OrderNotFound, match="-2013"):
                await client.fetch_order(None, SYMBOL, {"clientOrderId": "rb-s-1"})
            await client.cancel_all_orders(SYMBOL)
            assert len(await client.fetch_open_orders(SYMBOL, None, None, {"trigger": True})) == 1
            await client.cancel_all_orders(SYMBOL, {"trigger": True})
            assert await client.fetch_open_orders(SYMBOL, None, None, {"trigger": True}) == []

    run(story())


def test_a_stop_that_triggers_becomes_an_order_of_its_own_on_the_account_stream() -> None:
    async def story() -> None:
        async with trading() as (venue, client):
            key = await venue.key(client)
            async with venue.listening(f"/private/ws?listenKey={key}") as user:
                await client.create_order(SYMBOL, "market", "buy", 0.5, None, ours(1))
                stop = await client.create_order(SYMBOL, "STOP_MARKET", "sell", None, None, STOP)
                venue.quote(94.0, 94.2)
                venue.trade(94.1, 1.0, buys=False)
                heard = await user.until(lambda it: it["e"] == "ALGO_UPDATE" and it["o"]["X"] == "FINISHED")
            algo = [one["o"]["X"] for one in heard if one["e"] == "ALGO_UPDATE"]
            assert algo == ["NEW", "TRIGGERING", "TRIGGERED", "FINISHED"]
            last = heard[-1]["o"]
            assert str(last["aid"]) == stop["id"] and last["caid"] == "rb-s-1"
            orders = [one["o"] for one in heard if one["e"] == "ORDER_TRADE_UPDATE"]
            child = [one for one in orders if str(one["i"]) == str(last["ai"])]
            assert [one["X"] for one in child] == ["NEW", "FILLED"] and child[-1]["S"] == "SELL"
            positions = [one["a"]["P"][0]["pa"] for one in heard if one["e"] == "ACCOUNT_UPDATE" and one["a"]["P"]]
            assert [float(each) for each in positions] == [0.5, 0.0]
            assert [each for each in await client.fetch_positions() if each["contracts"]] == []

    run(story())


def test_the_account_is_heard_through_ccxt_pro() -> None:
    async def story() -> None:
        async with trading() as (venue, client):
            pro = venue.client(streams=True)
            try:
                await pro.load_markets()
                watching = asyncio.create_task(pro.watch_my_trades())
                while not any(each.door.key for each in venue.server.hub.sockets):
                    await asyncio.sleep(0.005)
                await client.create_order(SYMBOL, "market", "buy", 0.5, None, ours(1))
                (trade,) = await asyncio.wait_for(watching, 5)
                assert (trade["amount"], trade["price"], trade["side"]) == (0.5, 100.2, "buy")
            finally:
                await pro.close()

    run(story())


REFUSALS = [
    ("a price off the tick", ("limit", "buy", 0.5, 100.0, {"price": "100.05"}), -1111),
    ("a symbol that is not there", ("market", "buy", 0.5, None, {"symbol": "NONEUSDT"}), -1121),
    ("too little", ("limit", "buy", 0.01, 100.0, {}), -4164),
    ("reduce-only without a position", ("market", "sell", 0.5, None, {"reduceOnly": True}), -2022),
    ("post-only that would take", ("limit", "buy", 0.5, 100.2, {"postOnly": True}), -5022),
    ("more than the margin", ("limit", "buy", 4000, 99.0, {}), -2019),
    ("a stop that would trigger at once",
     ("STOP_MARKET", "sell", 0.5, None, {"stopPrice": 105, "workingType": "MARK_PRICE"}), -2021),
]


@pytest.mark.parametrize(("order", "code"), [row[1:] for row in REFUSALS], ids=[row[0] for row in REFUSALS])
def test_what_is_wrong_is_refused_with_binances_code(order: tuple[Any, ...], code: int) -> None:
    async def story() -> None:
        async with trading() as (venue, client):
            kind, side, amount, price, params = order
            with pytest.raises(ccxt.BaseError, match=str(code)):
                await client.create_order(SYMBOL, kind, side, amount, price, {**ours(1), **params})
            assert [each.code for each in venue.server.log.requests][-1] == code

    run(story())


def test_a_stop_on_the_endpoint_of_old_is_refused() -> None:
    async def story() -> None:
        async with trading() as (_, client):
            with pytest.raises(ccxt.BaseError, match="-4120"):
                await client.fapiPrivatePostOrder({
                    "symbol": "BTCUSDT", "side": "SELL", "type": "STOP_MARKET", "stopPrice": "95", "quantity": "0.5",
                })

    run(story())


def test_who_signs_wrong_or_too_late_is_refused() -> None:
    async def story() -> None:
        async with trading() as (_, client):
            for change, code in (({"secret": "another"}, -1022), ({"apiKey": "nobody"}, -2015)):
                for name, value in change.items():
                    setattr(client, name, value)
                with pytest.raises(ccxt.AuthenticationError, match=str(code)):
                    await client.fetch_balance()
                client.apiKey, client.secret = KEY, SECRET
            client.options["timeDifference"] = 300_000
            with pytest.raises(ccxt.InvalidNonce, match="-1021"):
                await client.fetch_balance()
            await client.load_time_difference()
            assert (await client.fetch_balance())["USDT"]["total"] == 10_000

    run(story())


def test_the_wire_log_tells_what_came_and_keeps_no_signature() -> None:
    async def story() -> None:
        async with trading() as (venue, client):
            await client.create_order(SYMBOL, "market", "buy", 0.5, None, ours(7))
            log = venue.server.log
            assert log.counts["POST /fapi/v1/order"] == 1 and log.counts["GET /fapi/v1/exchangeInfo"] == 1
            (sent,) = log.sent("POST", "/fapi/v1/order")
            assert sent.param("newClientOrderId") == "rb-t-7" and (sent.status, sent.code) == (200, None)
            assert not sent.param("signature") and SECRET not in repr(list(log.requests))

    run(story())


def test_what_the_headers_say_of_the_weight() -> None:
    async def story() -> None:
        async with trading() as (_, client):
            await client.fetch_balance()
            first = int(client.last_response_headers["X-MBX-USED-WEIGHT-1M"])
            await client.create_order(SYMBOL, "limit", "buy", 0.5, 99.0, ours(1))
            assert int(client.last_response_headers["X-MBX-USED-WEIGHT-1M"]) >= first
            assert client.last_response_headers["X-MBX-ORDER-COUNT-1M"] == "1"

    run(story())
