"""WebSockets as clients use them: an unmodified ccxt.pro, plain websockets, and those who behave badly."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any

import ccxt.pro
import pytest
import websockets

from engine.adapters.clock_system import SystemClock
from engine.adapters.venue_server import ServerOptions, VenueServer
from engine.adapters.venue_server_gateway import opened
from engine.adapters.venue_server_gateway_faults import StreamFault, StreamRule
from engine.adapters.venue_server_stream_hub import StreamTerms
from engine.adapters.venue_server_tape import Pace
from engine.exchange.settings import ExchangeSettings
from engine.model.market import FeedState, OraclePrice, Quote
from engine.model.time import MS, SECOND
from tests.adapters.server_kit import SYMBOL, TERMS, Venue, run, short, soon, told, trading, venue


async def joined(here: Venue, name: str) -> None:
    """Wait until somebody listens to `name`."""
    while not any(name in each.names for each in here.server.hub.sockets):
        await asyncio.sleep(0.005)


async def watching(here: Venue, client: Any, name: str, method: str, *args: Any) -> Any:
    """Return what a watch method of ccxt.pro gives once the market moved."""
    work = asyncio.create_task(getattr(client, method)(*args))
    await joined(here, name)
    await asyncio.sleep(0.02)
    here.quote(101.0, 101.2)
    here.trade(101.1, 0.5, buys=True)
    here.server.floor.tell_marks_once(here.server.now())
    return await asyncio.wait_for(work, 5)


def test_ccxt_pro_watches_the_market() -> None:
    async def story() -> None:
        async with venue() as here:
            client = here.client(streams=True)
            try:
                await client.load_markets()
                bids = await watching(here, client, "btcusdt@bookTicker", "watch_bids_asks", [SYMBOL])
                assert (bids[SYMBOL]["bid"], bids[SYMBOL]["ask"]) == (101.0, 101.2)
                (trade,) = await watching(here, client, "btcusdt@trade", "watch_trades", SYMBOL)
                assert (trade["price"], trade["amount"], trade["side"]) == (101.1, 0.5, "buy")
                mark = await watching(here, client, "btcusdt@markPrice@1s", "watch_mark_price", SYMBOL)
                assert mark["markPrice"] == pytest.approx(101.1)
                (bar,) = await watching(here, client, "btcusdt@kline_1m", "watch_ohlcv", SYMBOL, "1m")
                assert bar[4] == 101.1
            finally:
                await client.close()

    run(story())


def test_ccxt_pro_keeps_the_same_book_as_the_venue() -> None:
    """Snapshot by REST, changes by stream, ids that fit: it raises on the first gap."""
    async def story() -> None:
        async with venue() as here:
            here.book(((100.0, 5.0), (99.9, 3.0)), ((100.2, 5.0), (100.3, 2.0)))
            client = here.client(streams=True)
            try:
                await client.load_markets()
                work = asyncio.create_task(client.watch_order_book(SYMBOL))
                await joined(here, "btcusdt@depth@100ms")
                for step in range(60):
                    here.quote(100.0, 100.2 + step / 10)
                    here.change(((99.0 - step % 7, float(step % 3)),), ((101.0 + step % 5, float(step % 4)),))
                    await asyncio.sleep(0.002)
                book = await asyncio.wait_for(work, 5)
                truth = here.server.floor.linear.snapshot("BTCUSDT", 100, 0)
                assert truth is not None
                while book["nonce"] < truth["lastUpdateId"]:
                    book = await asyncio.wait_for(client.watch_order_book(SYMBOL), 5)
                for side in ("bids", "asks"):
                    assert [list(level) for level in book[side]] == [[float(p), float(q)] for p, q in truth[side]]
            finally:
                await client.close()

    run(story())


def test_a_plain_client_gets_every_message() -> None:
    """A burst of a thousand: none conflated, none lost, in order."""
    async def story() -> None:
        async with venue() as here, here.listening("/market/ws/0", "btcusdt@aggTrade") as market:
            for number in range(1000):
                here.trade(100.0 + number / 10, 1.0, buys=True)
            heard = [await market.next() for _ in range(1000)]
            assert [each["a"] for each in heard] == list(range(1, 1001))
            assert [each["p"] for each in heard] == [f"{100.0 + number / 10:.1f}" for number in range(1000)]

    run(story())


def test_streams_named_in_the_address_and_the_combined_envelope() -> None:
    async def story() -> None:
        async with venue() as here:
            async with here.listening("/stream?streams=btcusdt@bookTicker/btcusdt@aggTrade") as both:
                await joined(here, "btcusdt@aggTrade")
                here.quote()
                here.trade(100.2, 1.0, buys=True)
                first, second = await both.next(), await both.next()
                assert (first["stream"], second["stream"]) == ("btcusdt@bookTicker", "btcusdt@aggTrade")
                assert first["data"]["e"] == "bookTicker" and second["data"]["p"] == "100.2"
            async with here.listening("/ws/btcusdt@bookTicker") as plain:
                await joined(here, "btcusdt@bookTicker")
                assert await plain.ask("SET_PROPERTY", ["combined", True]) == {"result": None, "id": 1}
                here.quote()
                assert (await plain.next())["stream"] == "btcusdt@bookTicker"

    run(story())


def test_what_is_no_longer_wanted_is_no_longer_sent() -> None:
    async def story() -> None:
        async with venue() as here, here.listening("/ws", "btcusdt@bookTicker", "btcusdt@aggTrade") as market:
            assert (await market.ask("LIST_SUBSCRIPTIONS", []))["result"] == ["btcusdt@bookTicker", "btcusdt@aggTrade"]
            assert (await market.ask("UNSUBSCRIBE", ["btcusdt@bookTicker"]))["result"] is None
            here.quote()
            here.trade(100.2, 1.0, buys=True)
            assert (await market.next())["e"] == "aggTrade"
            assert (await market.ask("LIST_SUBSCRIPTIONS", []))["result"] == ["btcusdt@aggTrade"]

    run(story())


@pytest.mark.parametrize(("path", "text", "says"), [
    ("/ws", "no json", "Invalid JSON"), ("/ws", "[1]", "an object"),
    ("/ws", '{"method":"FLY","id":1}', "unknown method"),
    ("/ws", '{"method":"SUBSCRIBE","params":"x","id":1}', "a list"),
    ("/ws", '{"method":"SUBSCRIBE","params":[7],"id":1}', "by text"),
    ("/ws", '{"method":"SUBSCRIBE","params":["btcusdt"],"id":1}', "not the name"),
    ("/ws", '{"method":"SET_PROPERTY","params":["combined",3],"id":1}', "true or false"),
    ("/ws", '{"method":"GET_PROPERTY","params":["colour"],"id":1}', "Unknown property"),
    ("/public/ws/0", '{"method":"SUBSCRIBE","params":["btcusdt@aggTrade"],"id":1}', "under /market"),
    ("/market/ws/0", '{"method":"SUBSCRIBE","params":["btcusdt@bookTicker"],"id":1}', "under /public"),
])
def test_a_request_that_makes_no_sense_is_told_so(path: str, text: str, says: str) -> None:
    async def story() -> None:
        async with venue() as here, here.listening(path) as market:
            await market.socket.send(text)
            assert says in (await market.next())["error"]["msg"]
            assert (await market.ask("LIST_SUBSCRIPTIONS", []))["result"] == [], "and the connection goes on"

    run(story())


def test_more_streams_than_allowed() -> None:
    async def story() -> None:
        async with venue(kept=StreamTerms(most_streams=2)) as here, here.listening("/ws") as market:
            answer = await market.ask("SUBSCRIBE", ["a@trade", "b@trade", "c@trade"])
            assert "Too many" in answer["error"]["msg"]
            assert (await market.ask("SUBSCRIBE", ["a@trade", "b@trade"]))["result"] is None

    run(story())


@pytest.mark.parametrize("path", ["/private/ws?listenKey=unknown", "/private/ws", "/ws/unknownkey"])
def test_an_unknown_listen_key_is_refused(path: str) -> None:
    async def story() -> None:
        async with venue() as here, here.listening(path) as user:
            await asyncio.wait_for(user.socket.wait_closed(), 5)
            assert (user.socket.close_code, user.socket.close_reason) == (1008, "This listenKey does not exist.")
            assert here.server.hub.refused_keys == 1

    run(story())


def test_a_listen_key_expires_is_told_and_then_refused() -> None:
    async def story() -> None:
        async with trading(terms=short(500 * MS)) as (here, client):
            key = await here.key(client)
            async with here.listening(f"/private/ws?listenKey={key}") as user:
                told = await user.next()
                assert (told["e"], told["listenKey"]) == ("listenKeyExpired", key)
                await client.create_order(SYMBOL, "market", "buy", 0.5, None, {"clientOrderId": "rb-k-1"})
                assert await user.quiet(0.1)
            async with here.listening(f"/private/ws?listenKey={key}") as user:
                await asyncio.wait_for(user.socket.wait_closed(), 5)
                assert user.socket.close_code == 1008

    run(story())


def test_a_listen_key_that_is_kept_alive_lives() -> None:
    async def story() -> None:
        async with trading(terms=short(600 * MS)) as (here, client):
            key = await here.key(client)
            async with here.listening(f"/private/ws?listenKey={key}") as user:
                for _ in range(4):
                    await asyncio.sleep(0.2)
                    await client.fapiPrivatePutListenKey()
                await client.create_order(SYMBOL, "market", "buy", 0.5, None, {"clientOrderId": "rb-k-1"})
                assert (await user.next())["e"] == "ORDER_TRADE_UPDATE"

    run(story())


def test_ccxt_pro_does_not_notice_an_expired_key_and_recovers_when_it_is_cleared() -> None:
    """The recipe of the engine, against the venue: clear the cached key, watch again, and events flow."""
    async def story() -> None:
        async with trading(terms=short(600 * MS)) as (here, client):
            pro = here.client(streams=True)
            try:
                await pro.load_markets()
                work = asyncio.create_task(pro.watch_orders())
                await asyncio.sleep(0.8)
                await client.create_order(SYMBOL, "market", "buy", 0.5, None, {"clientOrderId": "rb-k-1"})
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(work, 0.15)
                pro.options["linear"] = {"listenKey": None, "lastAuthenticatedTime": 0}
                work = asyncio.create_task(pro.watch_orders())
                while sum(bool(each.door.key) for each in here.server.hub.sockets) < 2:
                    await asyncio.sleep(0.005)
                await client.create_order(SYMBOL, "limit", "buy", 0.5, 99.0, {"clientOrderId": "rb-k-2"})
                (order,) = await asyncio.wait_for(work, 5)
                assert order["clientOrderId"] == "rb-k-2"
                assert here.server.log.counts["POST /fapi/v1/listenKey"] == 2
            finally:
                await pro.close()

    run(story())


def test_connections_end_after_their_day() -> None:
    async def story() -> None:
        kept = StreamTerms(life=500 * MS)
        async with venue(kept=kept) as here, here.listening("/ws", "btcusdt@bookTicker") as market:
            here.quote()
            assert (await market.next())["e"] == "bookTicker"
            await asyncio.wait_for(market.socket.wait_closed(), 5)
            assert market.socket.close_code == 1001

    run(story())


def test_the_venue_pings_and_cuts_who_does_not_answer() -> None:
    async def story() -> None:
        kept = StreamTerms(ping_every=40 * MS, pong_patience=700 * MS)
        async with venue(kept=kept) as here:
            async with here.listening("/ws") as market:
                await asyncio.sleep(1.0)
                assert (await market.ask("LIST_SUBSCRIPTIONS", []))["result"] == [], "who answers stays"
            reader, writer = await asyncio.open_connection("127.0.0.1", here.server.port)
            writer.write(
                b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
            )
            with contextlib.suppress(ConnectionResetError):
                while await asyncio.wait_for(reader.read(65536), 5):
                    pass
            writer.close()
            assert here.server.hub.sockets == ()

    run(story())


def test_who_does_not_read_is_cut_and_nobody_else_waits() -> None:
    async def story() -> None:
        async with venue(kept=StreamTerms(most_waiting=50)) as here:
            slow = await websockets.connect(
                f"ws://{here.origin}/ws/btcusdt@depth", compression=None, max_queue=1, open_timeout=5,
            )
            slow.transport.pause_reading()
            async with here.listening("/ws", "btcusdt@bookTicker") as quick:
                await joined(here, "btcusdt@depth")
                for number in range(3000):
                    here.change(tuple((float(level), float(number + 1)) for level in range(1, 200)), ())
                    if number % 20 == 0:
                        here.quote()
                        assert (await quick.next())["e"] == "bookTicker"
                    if here.server.hub.cut_slow:
                        break
                assert here.server.hub.cut_slow == 1
                here.quote()
                assert (await quick.next())["e"] == "bookTicker"
            slow.transport.abort()

    run(story())


def test_the_peg_is_heard_on_spot_and_ccxt_takes_it_for_spot() -> None:
    async def story() -> None:
        async with venue() as here:
            client = ccxt.pro.binance({"enableRateLimit": False, "options": {
                "fetchCurrencies": False, "fetchMargins": False, "fetchMarkets": {"types": ["spot"]},
            }})
            client.timeout_on_exit = 0
            for name in ("public", "private", "v1"):
                client.urls["api"][name] = f"{here.server.url}/api/v3"
            client.urls["api"]["ws"]["spot"] = f"ws://{here.origin}/stream.spot/ws"
            try:
                await client.load_markets()
                work = asyncio.create_task(client.watch_bids_asks(["USDC/USDT"]))
                await joined(here, "usdcusdt@bookTicker")
                at = here.server.now()
                here.server.on_market(OraclePrice("chainlink", "USDT", "USD", 0.97, "1", at, at), at)
                seen = (await asyncio.wait_for(work, 5))["USDC/USDT"]
                assert (seen["bid"], seen["ask"]) == (1.0309, 1.031)
            finally:
                await client.close()

    run(story())


def test_an_address_that_is_nothing_is_404() -> None:
    async def story() -> None:
        async with venue() as here:
            with pytest.raises(websockets.InvalidStatus) as raised:
                async with here.listening("/fapi/v1/ws"):
                    pass
            assert raised.value.response.status_code == 404

    run(story())


def test_a_venue_that_stops_ends_its_connections_in_order() -> None:
    async def story() -> None:
        async with venue() as here:
            socket = await websockets.connect(f"ws://{here.origin}/ws/btcusdt@bookTicker", compression=None)
            here.quote()
            assert json.loads(await socket.recv())["e"] == "bookTicker"
        await asyncio.wait_for(socket.wait_closed(), 5)
        assert socket.close_code == 1001

    run(story())


def test_a_tape_waits_for_the_first_listener_and_a_drop_on_it_cuts_the_market() -> None:
    """A minute of history, a quote, the feed lost for ten seconds, another quote; at 50 times its speed."""
    def quote(second: int, bid: float) -> Quote:
        return Quote("old", "BTCUSDT", bid, 1.0, bid + 0.1, 1.0, second * SECOND, second * SECOND)

    events = (
        *(quote(second, 50.0) for second in range(60)), quote(60, 100.0), quote(62, 101.0),
        FeedState("old", False, "reset", 65 * SECOND), FeedState("old", True, "back", 75 * SECOND), quote(76, 102.0),
    )

    async def story() -> None:
        options = ServerOptions(tape=told(events), pace=Pace(speed=50, skip=60 * SECOND), wait=True)
        async with VenueServer(opened(ExchangeSettings(), TERMS), SystemClock(), options) as server:
            await asyncio.sleep(0.05)
            assert server.player is not None and server.player.shown == 0
            here = Venue(server)
            async with here.listening("/public/ws/0", "btcusdt@bookTicker") as market:
                first, second = await market.next(), await market.next()
                assert (first["b"], second["b"]) == ("100.0", "101.0"), "what lies before is told to nobody"
                assert second["E"] - first["E"] == 40
                await asyncio.wait_for(market.socket.wait_closed(), 5)
                assert market.socket.close_code == 1006
            async with here.listening("/public/ws/0", "btcusdt@bookTicker") as market:
                assert (await market.next())["b"] == "102.0"
                assert (await market.next())["b"] == "102.0", "and after its end the last quote again"

    run(story())


def test_what_breaks_where_nobody_waits_is_heard_of() -> None:
    """A timer has no caller: the end of the server tells."""
    async def story() -> None:
        async with trading() as (here, client):
            await here.key(client)
            here.server.gateway.listeners.take = None  # type: ignore[method-assign,assignment]
            here.server.add_fault(StreamRule(kind=StreamFault.DROP_CONNECTION, start=soon(0.02)))
            with pytest.raises(TypeError):
                await asyncio.wait_for(here.server.ended(), 5)

    run(story())
