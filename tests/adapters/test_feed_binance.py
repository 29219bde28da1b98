"""The live market of Binance USD-M against a venue on loopback: real sockets, obedient time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from engine.adapters.feed_binance import TOUCHES, TOUCHES_LINE, BinanceFeed, BinanceFeedSettings
from engine.adapters.feed_binance_parse import EVERYBODY, Read, Reader
from engine.adapters.feed_line import LineLimits
from engine.model.market import DepthDelta, DepthSnapshot, FeedDropped, FeedState, FundingRate, Quote, Trade
from engine.model.time import HOUR, MS, SECOND
from engine.signals.depth import DepthCopy
from tests.adapters.feed_kit import START, Ear, Loopback, ObedientTime, answers, loopback, outside, running, until

AT = START // MS


def quote(number: int, symbol: str = "BTCUSDT", **changes: object) -> dict[str, object]:
    return {
        "e": "bookTicker", "u": number, "s": symbol, "b": "100.10", "B": "2", "a": "100.20", "A": "3",
        "T": AT + number, "E": AT + number, **changes,
    }


def trade(number: int, symbol: str = "BTCUSDT") -> dict[str, object]:
    return {
        "e": "aggTrade", "E": AT + number, "T": AT + number, "s": symbol, "a": number, "p": "100.15", "q": "0.5",
        "f": number, "l": number, "m": True,
    }


def diff(previous: int, first: int, last: int, price: str = "100.10", size: str = "2") -> dict[str, object]:
    return {
        "e": "depthUpdate", "E": AT + last, "T": AT + last, "s": "BTCUSDT", "U": first, "u": last, "pu": previous,
        "b": [[price, size]], "a": [],
    }


def book(last: int) -> dict[str, object]:
    return {"lastUpdateId": last, "E": AT + last, "T": AT + last, "bids": [["100.00", "1"]], "asks": [["101.00", "1"]]}


Part = Callable[["Scene"], Coroutine[Any, Any, None]]


class Scene:
    """A running feed, its venue, and what was told."""

    def __init__(self, venue: Loopback, settings: BinanceFeedSettings) -> None:
        self.venue, self.time, self.ear = venue, ObedientTime(), Ear()
        self.feed = BinanceFeed(settings, outside(self.time, self.ear))

    async def connected(self) -> None:
        await until(lambda: any(state.connected for state in self.ear.of(FeedState)), "connected")

    async def told(self, kind: type, number: int) -> None:
        await until(lambda: len(self.ear.of(kind)) >= number, f"{number} x {kind.__name__}")


def play(part: Part, *symbols: str, line: LineLimits | None = None, **others: Any) -> Scene:
    """Run `part` beside a feed of `symbols`."""
    async def scene() -> Scene:
        async with loopback() as venue:
            venue.answers["/fapi/v1/depth"] = answers(*others.pop("books", [book(10)]))
            settings = BinanceFeedSettings.at(
                venue.base, symbols or ("BTCUSDT",), line=line or LineLimits(), **{"touches": False, **others}
            )
            made = Scene(venue, settings)
            async with running(made.feed.run()):
                await part(made)
            await until(lambda: not venue.lines, "the feed closed its lines")
            return made

    return asyncio.run(scene())


def test_what_the_venue_says_is_told_in_its_order_once_and_stamped() -> None:
    async def part(scene: Scene) -> None:
        await scene.connected()
        assert {line.path for line in scene.venue.lines} == {"/public/ws/0", "/market/ws/0"}
        await scene.venue.say("btcusdt@bookTicker", quote(1))
        await scene.venue.say("btcusdt@bookTicker", quote(2))
        await scene.venue.say("btcusdt@bookTicker", quote(2))
        await scene.told(Quote, 2)
        await scene.venue.say("btcusdt@aggTrade", {"stream": "btcusdt@aggTrade", "data": trade(7)})
        mark = {"e": "markPriceUpdate", "E": AT, "s": "BTCUSDT", "p": "1", "i": "1", "P": "1", "r": "0.0001", "T": AT}
        await scene.venue.say("btcusdt@markPrice@1s", mark)
        await scene.told(FundingRate, 1)

    scene = play(part)

    quotes = scene.ear.of(Quote)
    assert quotes == [
        Quote("binanceusdm", "BTCUSDT", 100.1, 2.0, 100.2, 3.0, (AT + number) * MS, START) for number in (1, 2)
    ]
    assert scene.ear.of(Trade) == [Trade("binanceusdm", "BTCUSDT", 100.15, 0.5, False, "7", (AT + 7) * MS, START)]
    assert scene.ear.of(FundingRate) == [
        FundingRate("binanceusdm", "BTCUSDT", 0.0001, 8 * HOUR, AT * MS, START, next_at=AT * MS)
    ]
    assert scene.feed.counts["duplicate"] == 1


def test_a_burst_of_trades_is_told_whole() -> None:
    """Whoever records must have every trade; only the queue behind the feed may drop, and says so."""
    async def part(scene: Scene) -> None:
        await scene.connected()
        for number in range(2000):
            await scene.venue.say("btcusdt@aggTrade", trade(number))
        await scene.told(Trade, 2000)

    scene = play(part)

    assert [event.trade_id for event in scene.ear.of(Trade)] == [str(number) for number in range(2000)]
    assert scene.ear.of(FeedDropped) == []


def test_trades_that_were_missed_are_told_as_lost_and_late_ones_as_trades() -> None:
    async def part(scene: Scene) -> None:
        await scene.connected()
        await scene.venue.say("btcusdt@aggTrade", trade(5))
        await scene.told(Trade, 1)
        await scene.venue.cut()
        await until(lambda: not scene.ear.events[-1].connected if isinstance(scene.ear.events[-1], FeedState) else 0)
        await scene.time.advance(1)
        await until(lambda: "btcusdt@aggTrade" in scene.venue.subscribed())
        await scene.venue.say("btcusdt@aggTrade", trade(9))
        await scene.venue.say("btcusdt@aggTrade", trade(7))
        await scene.told(Trade, 3)
        assert scene.ear.of(FeedDropped) == []
        for _ in range(3):
            await scene.time.advance(5)
            await scene.venue.say("btcusdt@aggTrade", trade(9))

    scene = play(part)

    (lost,) = scene.ear.of(FeedDropped)
    assert (lost.symbol, lost.stream, lost.count) == ("BTCUSDT", "Trade", 2)
    assert [event.trade_id for event in scene.ear.of(Trade)] == ["5", "9", "7"]


def test_a_cut_line_is_opened_again_and_both_are_told() -> None:
    async def part(scene: Scene) -> None:
        await scene.connected()
        await scene.venue.cut()
        await until(lambda: scene.ear.of(FeedState)[-1].connected is False)
        await scene.time.advance(1)
        await until(lambda: scene.ear.of(FeedState)[-1].connected is True)

    scene = play(part)

    states = [(state.venue, state.connected) for state in scene.ear.of(FeedState)]
    assert states == [("binanceusdm", True), ("binanceusdm", False), ("binanceusdm", True)]
    assert "closed by the venue" in scene.ear.of(FeedState)[1].reason


def test_a_venue_of_which_half_is_heard_is_not_connected() -> None:
    """Quotes without trades, or trades without quotes, look alive: only all lines together are the market."""
    async def part(scene: Scene) -> None:
        await scene.connected()
        assert len(scene.venue.lines) == 2
        await scene.venue.cut("/market/ws/0")
        await until(lambda: not scene.ear.of(FeedState)[-1].connected)
        await scene.venue.cut("/public/ws/0")
        await until(lambda: scene.feed.faults["line ended"] == 2)
        scene.venue.grant = False
        await scene.time.advance(1)
        await until(lambda: sum(line.requests for line in scene.venue.lines) == 2)
        public = next(line for line in scene.venue.lines if line.path == "/public/ws/0")
        await public.socket.send_json({"result": None, "id": 1})
        await public.socket.send_json(quote(1))
        await scene.told(Quote, 1)
        assert not scene.ear.of(FeedState)[-1].connected
        market = next(line for line in scene.venue.lines if line.path == "/market/ws/0")
        await market.socket.send_json({"result": None, "id": 1})
        await until(lambda: scene.ear.of(FeedState)[-1].connected)

    scene = play(part, streams=("bookTicker", "aggTrade"))
    assert [state.connected for state in scene.ear.of(FeedState)] == [True, False, True]


def test_a_venue_that_is_not_there_is_asked_ever_more_rarely_and_never_raises() -> None:
    async def scene() -> list[float]:
        async with loopback() as venue:
            settings = BinanceFeedSettings.at(venue.base, ("BTCUSDT",), streams=("bookTicker",), touches=False)
        time, ear = ObedientTime(), Ear()
        feed = BinanceFeed(settings, outside(time, ear))
        async with running(feed.run()):
            for tries in range(1, 10):
                await until(lambda tries=tries: len(time.slept) >= tries)  # type: ignore[misc]
                await time.advance(time.slept[-1])
        (state,) = ear.of(FeedState)
        assert not state.connected
        assert "cannot connect" in state.reason
        return time.slept[:9]

    assert asyncio.run(scene()) == [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0, 15.0]


def test_a_line_that_pongs_and_says_nothing_is_opened_again() -> None:
    """Acknowledgements, pongs and messages nobody asked for are no life."""
    async def part(scene: Scene) -> None:
        await scene.connected()
        for _ in range(3):
            await scene.time.advance(9)
            await scene.venue.say("btcusdt@bookTicker", quote(1, symbol="OTHERUSDT"))
            await until(lambda: scene.feed.counts["refused: nobody asked for it"])
        await scene.time.advance(4)
        await until(lambda: scene.ear.of(FeedState)[-1].connected is False)

    scene = play(part)

    assert scene.ear.of(FeedState)[-1].reason == "no message with content for 30 s"
    assert scene.ear.of(Quote) == []


def test_before_a_day_is_over_a_new_line_speaks_beside_the_old_one() -> None:
    limits = LineLimits(rotate_after=1000 * SECOND, silent_after=5000 * SECOND, overlap=5 * SECOND)

    async def part(scene: Scene) -> None:
        await scene.connected()
        await scene.venue.say("btcusdt@bookTicker", quote(1))
        await scene.told(Quote, 1)
        await scene.time.advance(1001)
        await until(lambda: sum("btcusdt@bookTicker" in line.streams for line in scene.venue.lines) == 2)
        assert await scene.venue.say("btcusdt@bookTicker", quote(2)) == 2
        assert await scene.venue.say("btcusdt@bookTicker", quote(3)) == 2
        await until(lambda: scene.feed.counts["duplicate"] == 2)
        await until(lambda: 5.0 in scene.time.slept)
        await scene.time.advance(6)
        await until(lambda: len(scene.venue.lines) == 1)
        assert await scene.venue.say("btcusdt@bookTicker", quote(4)) == 1
        await scene.told(Quote, 4)

    scene = play(part, line=limits, streams=("bookTicker",))

    assert [event.venue_at // MS - AT for event in scene.ear.of(Quote)] == [1, 2, 3, 4]
    assert [state.connected for state in scene.ear.of(FeedState)] == [True], "nobody was ever without a line"


def test_where_no_new_line_can_be_had_the_old_one_goes_on() -> None:
    limits = LineLimits(rotate_after=1000 * SECOND, silent_after=5000 * SECOND)

    async def part(scene: Scene) -> None:
        await scene.connected()
        scene.venue.refuse = "too many"
        await scene.time.advance(1001)
        await until(lambda: scene.venue.opened == 2 and len(scene.venue.lines) == 1)
        await scene.venue.say("btcusdt@bookTicker", quote(1))
        await scene.told(Quote, 1)
        scene.venue.refuse = ""
        await scene.time.advance(1)
        await until(lambda: scene.venue.opened == 3)

    scene = play(part, line=limits, streams=("bookTicker",))

    assert [state.connected for state in scene.ear.of(FeedState)] == [True]


def test_a_refused_or_unanswered_subscription_is_a_line_that_ended() -> None:
    async def refused(scene: Scene) -> None:
        scene.venue.refuse = "Invalid request"
        await until(lambda: scene.ear.of(FeedState))

    async def unanswered(scene: Scene) -> None:
        scene.venue.grant = False
        await until(lambda: sum(line.requests for line in scene.venue.lines) == 1)
        await scene.time.advance(11)
        await until(lambda: scene.ear.of(FeedState))

    for part, reason in ((refused, "SUBSCRIBE was refused: "), (unanswered, "no answer to SUBSCRIBE")):
        state = play(part, streams=("bookTicker",)).ear.of(FeedState)[0]
        assert not state.connected and reason in state.reason


def test_symbols_are_added_while_it_runs_and_lines_are_filled_one_after_another() -> None:
    async def part(scene: Scene) -> None:
        await scene.connected()
        scene.feed.watch(["ETHUSDT", "BTCUSDT", "牛来USDT"])
        await scene.time.advance(1)
        await until(lambda: len(scene.venue.subscribed()) == 6)
        assert sorted(line.path for line in scene.venue.lines) == [
            "/market/ws/0", "/market/ws/1", "/public/ws/0", "/public/ws/1"
        ]
        await scene.venue.say("牛来usdt@bookTicker", quote(1, symbol="牛来USDT"))
        await scene.told(Quote, 1)

    scene = play(part, line=LineLimits(streams=2), streams=("bookTicker", "aggTrade"))

    assert scene.ear.of(Quote)[0].symbol == "牛来USDT"
    with pytest.raises(ValueError, match="no symbol"):
        scene.feed.watch(["btc/usdt"])


DEPTH_ONLY = ("depth@100ms",)
QUIET = LineLimits(silent_after=900 * SECOND)


def copied(scene: Scene) -> DepthCopy:
    """Return the book that a reader of all that was told has."""
    copy = DepthCopy()
    for event in scene.ear.events:
        if isinstance(event, DepthSnapshot):
            copy.on_snapshot(event)
        elif isinstance(event, DepthDelta):
            copy.on_delta(event)
    return copy


def test_the_whole_book_comes_after_the_diffs_that_overtook_it_and_joins_them() -> None:
    async def part(scene: Scene) -> None:
        await scene.connected()
        await scene.venue.say("btcusdt@depth@100ms", diff(4, 5, 12))
        await scene.told(DepthDelta, 1)
        await scene.time.advance(1.1)
        await scene.told(DepthSnapshot, 1)
        await scene.venue.say("btcusdt@depth@100ms", diff(12, 14, 20, "100.05"))
        await scene.told(DepthDelta, 2)

    scene = play(part, streams=DEPTH_ONLY, book_pause=SECOND)

    assert copied(scene).levels() == (((100.1, 2.0), (100.05, 2.0), (100.0, 1.0)), ((101.0, 1.0),))


def test_after_a_gap_nobody_believes_the_book_until_a_newer_whole_one() -> None:
    async def part(scene: Scene) -> None:
        await scene.connected()
        await scene.told(DepthSnapshot, 1)
        await scene.venue.say("btcusdt@depth@100ms", diff(10, 11, 12))
        await scene.venue.say("btcusdt@depth@100ms", diff(14, 15, 16, "100.07"))
        await scene.told(DepthDelta, 2)
        assert copied(scene).levels() is None
        await scene.time.advance(1.1)
        await until(lambda: len(scene.venue.asked) >= 2)
        assert len(scene.ear.of(DepthSnapshot)) == 1, "a book older than the gap is no book"
        await scene.time.advance(3)
        await scene.told(DepthSnapshot, 2)

    scene = play(part, streams=DEPTH_ONLY, books=[book(10), book(12), book(15)])

    assert scene.feed.faults["book gap"] == 1
    assert copied(scene).levels() == (((100.07, 2.0), (100.0, 1.0)), ((101.0, 1.0),))


def test_books_are_fetched_one_after_another_and_again_after_refusals() -> None:
    """Weight is shared with orders: a start with many symbols must not spend it."""
    async def part(scene: Scene) -> None:
        await scene.connected()
        for _ in range(40):
            await scene.time.advance(1)
            await asyncio.sleep(0.005)
        await scene.told(DepthSnapshot, 3)

    scene = play(
        part, "AUSDT", "BUSDT", "CUSDT", line=QUIET, streams=DEPTH_ONLY, books=["<html>", {"code": -1121}, book(10)]
    )

    asked = [request.query["symbol"] for request in scene.venue.asked]
    assert asked[:3] == ["AUSDT", "BUSDT", "CUSDT"]
    assert sorted(asked[3:]) == ["AUSDT", "BUSDT"]
    assert {event.symbol for event in scene.ear.of(DepthSnapshot)} == {"AUSDT", "BUSDT", "CUSDT"}


def test_a_broken_book_is_fetched_before_those_that_are_only_refreshed() -> None:
    async def part(scene: Scene) -> None:
        await scene.connected()
        for number in (1, 2, 3):
            await scene.told(DepthSnapshot, number)
            await scene.time.advance(1)
        await scene.time.advance(100 - 3.5)
        assert len(scene.venue.asked) == 3
        await scene.time.advance(1)
        await until(lambda: len(scene.venue.asked) == 4)
        for previous in (10, 13):
            await scene.venue.say("cusdt@depth@100ms", {**diff(previous, previous + 1, previous + 2), "s": "CUSDT"})
        await until(lambda: scene.feed.faults["book gap"])
        await scene.told(DepthSnapshot, 4)
        await scene.time.advance(1)
        await until(lambda: len(scene.venue.asked) == 5)

    scene = play(
        part, "AUSDT", "BUSDT", "CUSDT", line=QUIET, streams=DEPTH_ONLY, book_refresh=100 * SECOND, book_pause=SECOND
    )
    assert [request.query["symbol"] for request in scene.venue.asked[3:]] == ["AUSDT", "CUSDT"]


def test_after_too_many_requests_nothing_is_asked_before_the_stated_time() -> None:
    async def part(scene: Scene) -> None:
        scene.venue.answers["/fapi/v1/depth"] = answers({}, status=429, headers={"Retry-After": "90"})
        await scene.connected()
        await until(lambda: scene.venue.asked)
        await until(lambda: scene.feed.faults)
        for _ in range(80):
            await scene.time.advance(1)
        assert len(scene.venue.asked) == 1
        scene.venue.answers["/fapi/v1/depth"] = answers(book(10))
        await scene.time.advance(60)
        await scene.told(DepthSnapshot, 1)

    play(part, streams=DEPTH_ONLY, line=QUIET)


def test_a_mistake_of_ours_ends_the_feed_and_is_raised() -> None:
    """A feed that swallowed it would be silent for ever, and nobody would know why."""
    class Deaf(Ear):
        def __call__(self, event: object) -> None:
            if isinstance(event, Quote):
                raise RuntimeError("the ear is broken")

    async def scene() -> None:
        async with loopback() as venue:
            time = ObedientTime()
            settings = BinanceFeedSettings.at(venue.base, ("BTCUSDT",), streams=("bookTicker",), touches=False)
            task = asyncio.create_task(BinanceFeed(settings, outside(time, Deaf())).run())
            await until(lambda: venue.subscribed())
            await venue.say("btcusdt@bookTicker", quote(1))
            await asyncio.wait({task}, timeout=5)
            await until(lambda: not venue.lines, "its lines are closed")
            task.result()

    with pytest.raises(ExceptionGroup) as raised:
        asyncio.run(scene())
    assert raised.group_contains(RuntimeError, match="the ear is broken")


def test_settings_that_cannot_work_are_refused() -> None:
    for wrong in (
        {"streams": ()}, {"streams": ("kline",)}, {"public": "https://x"}, {"rest": "ws://x"}, {"book_pause": 0}
    ):
        with pytest.raises(ValueError, match=r"."):
            BinanceFeedSettings(symbols=("BTCUSDT",), **wrong)
    for limits in ({"streams": 0}, {"messages_per_s": 11}, {"rotate_after": 24 * HOUR}, {"silent_after": 0}):
        with pytest.raises(ValueError, match=r"."):
            LineLimits(**limits)


def test_what_is_watched_late_is_told_by_its_last_quote_from_before() -> None:
    """A listing is measured from the price before its announcement, and nobody can watch every coin in full."""
    async def part(scene: Scene) -> None:
        await scene.connected()
        await until(lambda: TOUCHES in scene.venue.subscribed())
        for number in (1, 2):
            for symbol in ("BTCUSDT", "NEWUSDT", "OTHERUSDT"):
                await scene.venue.say(TOUCHES, quote(number, symbol=symbol))
        await scene.venue.say(TOUCHES, {**quote(3, symbol="NEWUSDT"), "b": "NaN"})
        await scene.venue.say("btcusdt@bookTicker", quote(3, symbol="NEWUSDT"))
        await until(lambda: scene.feed.counts["refused: bid and ask cannot be"] == 1)
        assert {event.symbol for event in scene.ear.of(Quote)} == {"BTCUSDT"}
        scene.feed.watch(("NEWUSDT",))
        assert scene.ear.of(Quote)[-1] == Quote(
            "binanceusdm", "NEWUSDT", 100.1, 2.0, 100.2, 3.0, (AT + 2) * MS, START
        )
        await scene.time.advance(1)
        await until(lambda: "newusdt@bookTicker" in scene.venue.subscribed())
        # What it says of the same moment is no news.
        for number in (2, 4):
            await scene.venue.say("newusdt@bookTicker", quote(number, symbol="NEWUSDT"))
        await until(lambda: scene.ear.of(Quote)[-1].venue_at == (AT + 4) * MS)
        scene.feed.watch(("NEWUSDT", "NEVERUSDT"))

    scene = play(part, touches=True)

    assert [event.symbol for event in scene.ear.of(Quote)] == ["BTCUSDT", "BTCUSDT", "NEWUSDT", "NEWUSDT"]
    assert (scene.feed.counts["kept"], scene.feed.counts["recalled"]) == (4, 1)


def test_without_the_line_of_all_quotes_the_market_is_connected_all_the_same() -> None:
    async def part(scene: Scene) -> None:
        await scene.connected()
        await until(lambda: TOUCHES in scene.venue.subscribed())
        told = len(scene.ear.of(FeedState))
        await scene.venue.cut(f"/public/ws/{TOUCHES_LINE}")
        await until(lambda: scene.feed.faults["line of all quotes ended"] == 1)
        assert len(scene.ear.of(FeedState)) == told
        await scene.time.advance(1)
        await until(lambda: TOUCHES in scene.venue.subscribed())

    play(part, touches=True)


def test_no_more_quotes_are_kept_than_any_venue_lists() -> None:
    taken: list[Read] = []
    reader = Reader(set(), taken.append)
    for number in range(EVERYBODY + 5):
        assert reader.hear(json.dumps(quote(number, symbol=f"S{number}USDT")), 1, keeps=True) is (number < EVERYBODY)
    assert (reader.counts["kept"], reader.counts["refused: nobody asked for it"]) == (EVERYBODY, 5)
    reader.hear(json.dumps(quote(EVERYBODY + 9, symbol="S0USDT")), 2, keeps=True)
    reader.recall("S0USDT")
    reader.recall(f"S{EVERYBODY + 1}USDT")
    reader.recall("S0USDT")
    assert [(read.event.symbol, read.event.received_at) for read in taken if isinstance(read.event, Quote)] == [
        ("S0USDT", 2)
    ]
