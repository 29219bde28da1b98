"""The live feeds and the venue on loopback that the product brings: what one says the other hears."""

from __future__ import annotations

import asyncio
from collections import Counter
from itertools import pairwise
from pathlib import Path

from engine.adapters.clock_system import SystemClock
from engine.adapters.feed_announcements import AnnouncementFeed, AnnouncementSettings
from engine.adapters.feed_binance import BinanceFeed, BinanceFeedSettings
from engine.adapters.feed_line import LineLimits
from engine.adapters.feed_outside import Outside
from engine.adapters.feed_peg import PegFeed, PegFeedSettings
from engine.adapters.tape_demo import ALFA
from engine.model.market import (
    Announcement,
    DepthDelta,
    DepthSnapshot,
    FeedDropped,
    FeedState,
    FundingRate,
    Heartbeat,
    MarketEvent,
    OraclePrice,
    Quote,
    Trade,
)
from engine.model.time import MINUTE, MS, SECOND
from engine.runtime.wiring_server import ServeOptions, VenueServer, made_server
from engine.signals.depth import DepthCopy
from tests.adapters.feed_kit import Ear, running, until

SYMBOLS = ("BTCUSDT", "NOVAUSDT")
EVERYTHING = {Quote, Trade, DepthDelta, DepthSnapshot, FundingRate, OraclePrice, Announcement, Heartbeat, FeedState}


FAULTS = """
version: 1
seed: feeds
streams:
  - {fault: duplicate, of: market, probability: 0.2, hold: 20ms}
  - {fault: late, of: market, probability: 0.1, hold: 40ms}
  - {fault: reordered, of: market, event: aggTrade, probability: 0.2}
  - {fault: drop_connection, of: market, at: 900ms}
"""
SILENCE = """
version: 1
streams:
  - {fault: silent, of: market, from: 500ms, until: 60m}
"""


def demo(speed: float, faults: Path | None = None) -> VenueServer:
    """Return the demo a minute before its first listing."""
    return made_server(ServeOptions(
        tape="demo", speed=speed, skip=int((ALFA - 1) * MINUTE), wait=True, faults=faults
    ))


def test_a_listing_is_heard_whole_market_peg_and_announcement() -> None:
    ear = Ear()

    async def scene() -> VenueServer:
        async with demo(60) as server:
            outside = Outside(clock=SystemClock(), tell=ear)
            base = "ws" + server.url.removeprefix("http")
            market = BinanceFeed(BinanceFeedSettings.at(base, SYMBOLS, book_pause=20 * MS), outside)
            news = AnnouncementFeed(AnnouncementSettings(base=server.url, poll=50 * MS), outside)
            peg = PegFeed(PegFeedSettings.at(base, period=SECOND), outside)
            async with running(news.run()), running(peg.run()), running(market.run()):
                await until(lambda: {type(event) for event in ear.events} == EVERYTHING, "everything is heard")
                await until(lambda: any(event.symbol == "NOVAUSDT" for event in ear.of(DepthSnapshot)))
            assert not any(what.startswith("refused") for what in market.counts), market.counts
            assert market.faults["trades missed"] == 0
        return server

    server = asyncio.run(scene())

    heard = [event for event in ear.of(Announcement) if event.kind == "futures_launch"]
    assert [event.symbols for event in heard] == [("NOVAUSDT",)]
    assert all(event.venue == "binanceusdm" for event in ear.events if isinstance(event, Quote | Trade | DepthDelta))
    assert all(0.98 < event.price < 1.02 for event in ear.of(OraclePrice))
    assert "GET /fapi/v1/depth" in server.log.counts
    for symbol in SYMBOLS:
        assert _believes(ear.events, symbol), f"the book of {symbol} is whole and not crossed"


def _believes(events: list[MarketEvent], symbol: str) -> bool:
    copy = DepthCopy()
    for event in events:
        if isinstance(event, DepthSnapshot) and event.symbol == symbol:
            copy.on_snapshot(event)
        elif isinstance(event, DepthDelta) and event.symbol == symbol:
            copy.on_delta(event)
    bids, asks = copy.levels() or ((), ())
    return bool(bids and asks) and bids[0][0] < asks[0][0]


def test_a_market_that_is_cut_off_is_heard_again_and_its_book_is_whole() -> None:
    ear = Ear()

    async def scene() -> None:
        async with demo(60) as server:
            outside = Outside(clock=SystemClock(), tell=ear)
            settings = BinanceFeedSettings.at(
                "ws" + server.url.removeprefix("http"), ("BTCUSDT",), book_pause=20 * MS
            )
            async with running(BinanceFeed(settings, outside).run()):
                await until(lambda: ear.of(DepthSnapshot) and ear.of(Quote))
                count, books = len(ear.of(Quote)), len(ear.of(DepthSnapshot))
                server.hub.drop()
                await until(lambda: [each.connected for each in ear.of(FeedState)] == [True, False, True])
                await until(lambda: len(ear.of(Quote)) > count + 5 and len(ear.of(DepthSnapshot)) > books)

    asyncio.run(scene())

    assert _believes(ear.events, "BTCUSDT")
    numbers = Counter(event.trade_id for event in ear.of(Trade))
    assert set(numbers.values()) <= {1}, "no trade is told twice"


def test_doubled_late_and_reordered_messages_and_a_cut_leave_each_trade_once_and_quotes_sorted(tmp_path: Path) -> None:
    ear, file = Ear(), tmp_path / "faults.yaml"
    file.write_text(FAULTS)

    async def scene() -> BinanceFeed:
        async with demo(120, file) as server:
            limits = LineLimits(overlap=300 * MS)
            settings = BinanceFeedSettings.at(
                "ws" + server.url.removeprefix("http"), SYMBOLS, line=limits, book_pause=20 * MS
            )
            feed = BinanceFeed(settings, Outside(clock=SystemClock(), tell=ear))
            async with running(feed.run()):
                await until(lambda: [each.connected for each in ear.of(FeedState)] == [True, False, True], "cut")
                count = len(ear.of(Trade))
                await until(lambda: len(ear.of(Trade)) > count + 40 and feed.counts["duplicate"] > 50)
                await asyncio.sleep(2 * limits.overlap / SECOND)
        return feed

    feed = asyncio.run(scene())

    assert not any(what.startswith("refused") for what in feed.counts), feed.counts
    for symbol in SYMBOLS:
        numbers = [int(event.trade_id) for event in ear.of(Trade) if event.symbol == symbol]
        assert numbers != sorted(numbers), "they did come out of order"
        assert len(numbers) == len(set(numbers))
        stamps = [event.venue_at for event in ear.of(Quote) if event.symbol == symbol]
        assert all(one <= other for one, other in pairwise(stamps))
    lost = sum(event.count for event in ear.of(FeedDropped))
    assert lost == feed.faults["trades missed"]


def test_a_venue_that_pongs_and_is_silent_is_noticed(tmp_path: Path) -> None:
    ear, file = Ear(), tmp_path / "faults.yaml"
    file.write_text(SILENCE)

    async def scene() -> None:
        async with demo(60, file) as server:
            settings = BinanceFeedSettings.at(
                "ws" + server.url.removeprefix("http"), SYMBOLS, line=LineLimits(silent_after=SECOND)
            )
            async with running(BinanceFeed(settings, Outside(clock=SystemClock(), tell=ear)).run()):
                await until(lambda: any(not each.connected for each in ear.of(FeedState)))

    asyncio.run(scene())

    assert "no message with content" in next(each.reason for each in ear.of(FeedState) if not each.connected)
