"""The venue's push: signed, told once beside the poll, and of no consequence while it fails."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from hypothesis import given
from hypothesis import strategies as st

from engine.adapters.feed_announcement_stream import TOPIC, AnnouncementStream, Pushed, StreamSettings, pushed_of
from engine.adapters.feed_announcements import PATH, AnnouncementFeed, AnnouncementSettings
from engine.model.market import Announcement, Heartbeat
from engine.model.time import MS, parse_instant
from tests.adapters.feed_kit import START, Ear, ObedientTime, outside, running, until
from tests.adapters.test_announcement_body import nodes

KEY, SECRET = "key-of-a-test", "secret-of-a-test"
NOW_MS = START // MS
TITLE = "Binance Will List Aerodrome (AERO) with Seed Tag Applied"


def data(title: str = TITLE, at: int = NOW_MS, body: str = "", catalogue: int = 48) -> str:
    """Return a message as the venue documents it."""
    told = {"catalogId": catalogue, "catalogName": "n", "publishDate": at, "title": title, "body": body}
    return json.dumps({"type": "DATA", "topic": TOPIC, "data": json.dumps({**told, "disclaimer": "d"})})


class Venue:
    """The page and the push of a venue on loopback; `page` is what the poll finds."""

    def __init__(self) -> None:
        self.page: list[dict[str, object]] = []
        self.lines: list[web.WebSocketResponse] = []
        self.wrong: list[str] = []
        self.refuse = False

    async def on_page(self, request: web.Request) -> web.Response:
        catalogue = int(request.query["catalogId"])
        articles = self.page if catalogue == 48 else []
        return web.json_response({
            "code": "000000", "data": {"catalogs": [{"catalogId": catalogue, "articles": articles}]},
        })

    async def on_push(self, request: web.Request) -> web.StreamResponse:
        asked, _, signature = request.query_string.rpartition("&signature=")
        names = [one.split("=")[0] for one in asked.split("&")]
        expected = hmac.new(SECRET.encode(), asked.encode(), hashlib.sha256).hexdigest()
        if names != ["random", "recvWindow", "timestamp", "topic"] or signature != expected or self.refuse:
            self.wrong.append(asked)
            return web.Response(status=401)
        assert request.headers["X-MBX-APIKEY"] == KEY and int(request.query["timestamp"]) >= NOW_MS
        assert len(request.query["random"]) <= 32
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.lines.append(socket)
        async for _ in socket:
            pass
        return socket

    async def say(self, text: str) -> None:
        for line in self.lines:
            await line.send_str(text)


class Scene:
    """A feed that polls and listens."""

    def __init__(self, venue: Venue, port: int, **others: Any) -> None:
        self.venue, self.time, self.ear = venue, ObedientTime(), Ear()
        stream = StreamSettings(key=KEY, secret=SECRET, url=f"ws://127.0.0.1:{port}/sapi/wss")
        settings = AnnouncementSettings(base=f"http://127.0.0.1:{port}", stream=stream, **others)
        self.feed = AnnouncementFeed(settings, outside(self.time, self.ear, draw=0.5))

    async def say(self, text: str, *, counted: str) -> None:
        before = self.feed.counts[counted]
        await self.venue.say(text)
        await until(lambda: self.feed.counts[counted] > before, counted)

    async def polls(self) -> None:
        """Wait for one more poll."""
        before = self.feed.counts["polls"]
        await self.time.advance(6)
        await until(lambda: self.feed.counts["polls"] > before)

    @property
    def told(self) -> list[Announcement]:
        return self.ear.of(Announcement)


def play(part: Callable[[Scene], Coroutine[Any, Any, None]], *, refuse: bool = False) -> Scene:
    async def scene() -> Scene:
        venue = Venue()
        venue.refuse = refuse
        app = web.Application()
        app.router.add_get(PATH, venue.on_page)
        app.router.add_get("/sapi/wss", venue.on_push)
        async with TestServer(app) as server:
            made = Scene(venue, server.port or 0)
            async with running(made.feed.run()):
                await until(lambda: made.feed.counts["polls"] > 0)
                if not refuse:
                    await until(lambda: venue.lines != [])
                await part(made)
            for line in venue.lines:
                await line.close()
        return made

    return asyncio.run(scene())


def article(number: int, title: str = TITLE, at: int = NOW_MS) -> dict[str, object]:
    return {"id": number, "code": "c", "title": title, "type": 1, "releaseDate": at}


def test_what_is_pushed_is_told_with_its_start_and_not_again_by_the_page() -> None:
    start = parse_instant("2026-09-21T16:00:00Z")
    body = nodes("Binance will list X and open trading for the following spot trading pairs at ",
                 "2026-09-21 16:00 (UTC)", ". New Spot Trading Pairs: ", "AERO/USDT and AERO/TRY")

    async def part(scene: Scene) -> None:
        await scene.say(data(body=body), counted="listing")
        scene.venue.page = [article(7, TITLE.replace(" ", "  "), NOW_MS + 1500)]
        await scene.polls()
        await scene.polls()

    scene = play(part)
    (told,) = scene.told
    assert (told.kind, told.market, told.symbols, told.venue_at) == ("listing", "spot", ("AEROUSDT",), START)
    assert told.trading_at == start and told.announcement_id.startswith(f"pushed-{NOW_MS}-")
    assert scene.feed.counts["told by the stream already"] == 1


def test_what_the_page_told_is_not_told_again_by_the_push() -> None:
    async def part(scene: Scene) -> None:
        scene.venue.page = [article(7)]
        await scene.polls()
        await scene.say(data(at=NOW_MS + 900), counted="told by the page already")

    (told,) = play(part).told
    assert (told.announcement_id, told.trading_at) == ("7", 0)


def test_a_title_of_another_day_and_another_number_of_the_page_are_news() -> None:
    async def part(scene: Scene) -> None:
        scene.venue.page = [article(7), article(8, at=NOW_MS + 1)]
        await scene.polls()
        await scene.say(data(at=NOW_MS + 2 * 86_400_000), counted="listing")

    assert [one.announcement_id[:7] for one in play(part).told] == ["7", "8", "pushed-"]


def test_history_other_catalogues_and_what_cannot_be_read_are_counted_and_not_told() -> None:
    async def part(scene: Scene) -> None:
        await scene.say(data(at=NOW_MS - 3_600_000), counted="history")
        await scene.say(data(catalogue=49), counted="pushed, of another catalogue")
        for text in ("<html>", "{}", '{"type": "DATA"}', data(title=" "), data(at=-1)):
            await scene.say(text, counted="stream: a message that cannot be read")
        await scene.venue.say(json.dumps({"type": "COMMAND", "data": "SUCCESS"}))
        await scene.say(data("Binance Will Delist ABC on 2026-09-30", catalogue=161), counted="delisting")

    scene = play(part)
    assert [(one.kind, one.market, one.symbols) for one in scene.told] == [("delisting", "spot", ("ABCUSDT",))]


def test_a_body_without_the_pair_is_no_listing() -> None:
    """The title names a coin, and its own list of pairs has it against something else."""
    async def part(scene: Scene) -> None:
        await scene.say(data(body="New Spot Trading Pairs: AERO/TRY."), counted="listing")

    (told,) = play(part).told
    assert (told.kind, told.symbols, told.market, told.trading_at) == ("other", (), "", 0)


def test_a_refused_line_is_tried_ever_more_rarely_and_the_page_goes_on() -> None:
    async def part(scene: Scene) -> None:
        for _ in range(60):
            await scene.time.advance(20)
            await asyncio.sleep(0.002)
        scene.venue.page = [article(9, at=NOW_MS + 1)]
        await scene.polls()
        await until(lambda: scene.told != [])

    scene = play(part, refuse=True)
    assert [one.announcement_id for one in scene.told] == ["9"]
    assert 3 <= len(scene.venue.wrong) <= 12, "twenty minutes, doubling to ten"
    assert scene.ear.of(Heartbeat)


def test_a_line_that_ends_is_opened_again() -> None:
    async def part(scene: Scene) -> None:
        await scene.venue.lines.pop().close()
        await until(lambda: scene.feed.counts["stream ended"] == 1)
        await scene.time.advance(5)
        await until(lambda: scene.venue.lines != [])
        await scene.say(data(), counted="listing")

    assert len(play(part).told) == 1


def test_neither_key_nor_secret_is_shown() -> None:
    shown = repr(StreamSettings(key=KEY, secret=SECRET))
    assert KEY not in shown and SECRET not in shown


@pytest.mark.parametrize("wrong", [
    {"url": "https://x"}, {"key": ""}, {"secret": ""}, {"receive_window": 61 * 10**9}, {"ping": 0},
])
def test_settings_that_cannot_work_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        StreamSettings(**{"key": KEY, "secret": SECRET, **wrong})


@given(st.binary(max_size=40) | st.dictionaries(
    st.sampled_from(["type", "topic", "data", "title"]),
    st.none() | st.text(max_size=9) | st.sampled_from([TOPIC, "DATA"]),
).map(lambda value: json.dumps(value).encode()))
def test_nothing_that_is_pushed_raises(raw: bytes) -> None:
    told: list[Pushed] = []
    stream = AnnouncementStream(
        StreamSettings(key=KEY, secret=SECRET), outside(ObedientTime(), Ear()), told.append, Counter()
    )
    stream._hear(raw)
    assert told == []
    with pytest.raises((ValueError, KeyError, TypeError)):
        pushed_of(b"[]")
