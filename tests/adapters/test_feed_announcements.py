"""Announcements: every recorded title judged, and a page on loopback that misbehaves in every way."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from engine.adapters.feed_announcement_titles import meaning_of
from engine.adapters.feed_announcements import (
    PATH,
    AnnouncementFeed,
    AnnouncementSettings,
    Unreadable,
    articles_of,
)
from engine.model.market import Announcement, Heartbeat
from engine.model.time import MS, SECOND
from tests.adapters.feed_kit import START, Ear, Loopback, ObedientTime, answers, loopback, outside, running, until
from tests.shared_data import SHARED, needs_shared

FOLDER = SHARED / "data" / "announcements"
NOW_MS = START // MS
SPOT = "Binance Will List {0} ({1}) with Seed Tag Applied"
PERPETUAL = "Binance Futures Will Launch USDⓈ-Margined {0} Perpetual Contract (2026-09-03)"

def titles(name: str) -> list[str]:
    return [row["title"] for row in json.loads((FOLDER / name).read_text())]


@pytest.mark.parametrize("title", [
    "Binance Will List Aerodrome (AERO) with Seed Tag Applied and Open Margin",
    "Binance Futures Will Launch XYZUSDT USDⓈ-Margined Perpetual Contract (2026-08-19)",
    "Binance Completes the Xyz Subscription Launchpad and Will Not Open Trading for XYZ",
    "Binance Will Not List Aerodrome (AERO)",
    "Binance Will List Aerodrome (aero)",
    "Binance Will List Aerodrome (AERO",
    "Binance Will List Aerodrome (AERO) on Binance Alpha",
    "Binance Will List X (X) Perpetual Futures (Y)",
    "Binance Will Delay the Listing of Aerodrome (AERO)",
    "Binance Will List First Digital USD (FDUSD)",
    "Scam Alert: Binance Will List Aerodrome (AERO)",
    "Binance Futures Will Launch USDⓈ-Margined USDT Perpetual Contract",
    "Binance Futures Will Launch USDⓈ-Margined XYZ Perpetual Contract",
    "Binance Futures Will Launch USDT-Margined XYZUSDT Perpetual Contract",
    "Binance Futures Will Delist USDⓈ-Margined XYZUSDT Perpetual Contract (2026-09-03)",
    "Binance Futures Will Launch USDⓈ-Margined XYZUSDT Perpetual Contract Pre-Market Trading (2026-09-03)",
    "Binance Futures Will Launch USDⓈ-Margined XYZUSDT Perpetual Contract (postponed)",
    "Binance Futures Will Launch USDⓈ-Margined XYZ_USDT Perpetual Contract",
    "Binance Will List " + "A (A), " * 60 + "B (B)",
    "", " ", "\x00", "Binance Will List (AERO)",
])
def test_what_is_nearly_a_listing_is_other(title: str) -> None:
    assert meaning_of(title).kind == "other" and meaning_of(title).symbols == ()


def test_white_space_does_not_matter_and_symbols_come_once() -> None:
    assert meaning_of("Binance  Will List\u00a0Genius (GENIUS) and Genius (GENIUS)").symbols == ("GENIUSUSDT",)


@given(st.text(max_size=400) | st.lists(st.sampled_from(
    ["Binance", "Will", "List", "Delist", "Futures", "Launch", "USDⓈ-Margined", "XYZUSDT", "(XYZ)", "and", ",",
     "Perpetual", "Contract", "Margin", "with Seed Tag Applied", "Xyz"]), max_size=12).map(" ".join))
def test_any_text_has_a_meaning(title: str) -> None:
    """And every listing names what it lists, in a form that a venue could have."""
    meaning = meaning_of(title)
    assert (meaning.kind == "other") == (meaning.symbols == ())
    assert all(symbol.endswith("USDT") and symbol.isalnum() and symbol == symbol.upper() for symbol in meaning.symbols)


def page(*articles: tuple[int, str, int | None]) -> dict[str, Any]:
    rows = [{"id": number, "code": "c", "title": title, "type": 1, "releaseDate": at} for number, title, at in articles]
    return {"code": "000000", "message": None, "data": {"catalogs": [{"catalogId": 48, "articles": rows}]}}


def old_page(*articles: tuple[int, str]) -> dict[str, Any]:
    rows = [{"id": number, "code": "c", "title": title, "publishDate": None} for number, title in articles]
    return {"code": "000000", "message": None, "data": {"articles": rows}}


class Scene:
    """A running feed, the page, and what was told."""

    def __init__(self, venue: Loopback, settings: AnnouncementSettings) -> None:
        self.venue, self.time, self.ear = venue, ObedientTime(), Ear()
        self.feed = AnnouncementFeed(settings, outside(self.time, self.ear, draw=0.5))

    def show(self, *replies: object, **others: Any) -> None:
        self.venue.answers[PATH] = answers(*replies, **others)

    async def polled(self, number: int) -> None:
        """Let the page be asked so often, and wait until each answer was taken."""
        for done in range(1, number + 1):
            await until(lambda done=done: len(self.time.slept) >= done)  # type: ignore[misc]
            if done < number:
                await self.time.advance(self.time.slept[-1])

    @property
    def told(self) -> list[Announcement]:
        return self.ear.of(Announcement)


def play(part: Callable[[Scene], Coroutine[Any, Any, None]], **others: Any) -> Scene:
    async def scene() -> Scene:
        async with loopback() as venue:
            words = {"base": f"http://127.0.0.1:{venue.port}", "catalogues": (48,), **others}
            made = Scene(venue, AnnouncementSettings(**words))
            made.show(page())
            async with running(made.feed.run()):
                await part(made)
            return made

    return asyncio.run(scene())


def test_history_is_not_told_and_news_is_told_once_with_the_page_s_life() -> None:
    old = (1, SPOT.format("Old", "OLD"), NOW_MS - 3_600_000)
    just = (2, SPOT.format("Just", "JUST"), NOW_MS - 5_000)
    new = (3, PERPETUAL.format("NEWUSDT"), NOW_MS + 3_000)
    noise = (4, "Binance Will Add New (NEW) on Earn", NOW_MS + 3_001)
    older = (0, SPOT.format("Older", "OLDER"), NOW_MS - 7_200_000)

    async def part(scene: Scene) -> None:
        scene.show(page(just, old), page(just, old), page(noise, new, just, old), page(noise, just, old, older))
        await scene.polled(5)

    scene = play(part)

    assert [(event.announcement_id, event.kind, event.symbols) for event in scene.told] == [
        ("2", "listing", ("JUSTUSDT",)), ("3", "futures_launch", ("NEWUSDT",)), ("4", "other", ())
    ]
    assert scene.told[0].venue_at == (NOW_MS - 5_000) * MS and scene.told[0].received_at == START
    assert [event.producer for event in scene.ear.of(Heartbeat)] == ["feed.announcements"] * len(scene.venue.asked)
    asked = scene.venue.asked[0].query
    assert dict(asked) == {"type": "1", "catalogId": "48", "pageNo": "1", "pageSize": "20"}


def test_each_catalogue_is_asked_for_and_a_round_is_life_only_when_all_answer() -> None:
    async def part(scene: Scene) -> None:
        async def answer(request: web.Request) -> web.StreamResponse:
            catalogue = int(request.query["catalogId"])
            if catalogue == 161 and len(scene.venue.asked) < 6:
                return web.Response(status=500)
            title = "Binance Will Delist ABC on 2026-10-01" if catalogue == 161 else SPOT.format("Abc", "ABD")
            shown = page((catalogue, title, NOW_MS + 5))
            shown["data"]["catalogs"][0]["catalogId"] = catalogue
            return web.json_response(shown)

        scene.venue.answers[PATH] = answer
        await scene.polled(2)
        assert not scene.ear.of(Heartbeat)
        await scene.polled(5)

    scene = play(part, catalogues=(48, 161))
    assert [(one.kind, one.symbols) for one in scene.told] == [("listing", ("ABDUSDT",)), ("delisting", ("ABCUSDT",))]
    assert scene.ear.of(Heartbeat)


def test_without_dates_numbers_say_what_is_new() -> None:
    async def part(scene: Scene) -> None:
        scene.show(
            old_page((7, SPOT.format("A", "A")), (5, SPOT.format("B", "B"))),
            old_page((9, SPOT.format("D", "D")), (8, SPOT.format("C", "C")), (7, "x"), (3, SPOT.format("E", "E"))),
        )
        await scene.polled(3)

    scene = play(part)

    assert [event.announcement_id for event in scene.told] == ["8", "9"]
    assert all(event.venue_at == event.received_at for event in scene.told)


def test_an_unchanged_page_is_not_sent_again_and_is_life_all_the_same() -> None:
    async def part(scene: Scene) -> None:
        async def answer(request: web.Request) -> web.StreamResponse:
            if request.headers.get("If-None-Match") == '"7"':
                return web.Response(status=304)
            return web.json_response(page(), headers={"ETag": '"7"'})

        scene.venue.answers[PATH] = answer
        await scene.polled(4)

    scene = play(part)
    tags = [request.headers.get("If-None-Match") for request in scene.venue.asked]
    assert tags[:3] == [None, '"7"', '"7"']
    assert len(scene.ear.of(Heartbeat)) == len(tags)


def test_a_page_that_could_not_be_read_is_asked_for_whole_the_next_time() -> None:
    """Its mark of an unchanged page would keep from us for ever what it did not say."""
    async def part(scene: Scene) -> None:
        scene.show({"code": "000000", "data": {}}, page(), headers={"ETag": '"9"'})
        await scene.polled(3)

    scene = play(part)
    assert [request.headers.get("If-None-Match") for request in scene.venue.asked[:3]] == [None, None, '"9"']


@pytest.mark.parametrize("reply", [
    "<html>blocked</html>", "", '{"code": "000000", "data": {"catalogs": [{"catalogId": 48, "art', "[]", "null",
    {"code": "000002", "message": "illegal parameter", "data": None}, {"code": "000000", "data": {}},
    {"code": "000000", "data": {"catalogs": []}}, {"code": "000000", "data": {"articles": {}}},
    {"code": "000000", "data": {"catalogs": [{"catalogId": 49, "articles": []}]}},
    {"code": "000000", "data": {"articles": [{"id": "7", "title": "x"}, 5]}}, {"code": "000000", "data": [1]},
])
def test_an_answer_that_is_no_list_is_no_life(reply: object) -> None:
    async def part(scene: Scene) -> None:
        scene.show(reply)
        await scene.polled(2)
        assert scene.ear.events == []
        scene.show(page())
        await until(lambda: len(scene.time.slept) >= 2)
        await scene.time.advance(60)
        await until(lambda: scene.ear.of(Heartbeat))

    play(part)


def test_failures_are_asked_ever_more_rarely_and_a_stated_time_is_kept() -> None:
    async def part(scene: Scene) -> None:
        scene.show("", status=500)
        while len(scene.time.slept) < 9:
            await scene.time.advance(5)
            await asyncio.sleep(0.002)
        pauses = scene.time.slept[:9]
        assert pauses[:4] == [5.0] * 4 and pauses == sorted(pauses) and pauses[-1] == 45.0
        scene.show("", status=429, headers={"Retry-After": "600"})
        await scene.time.advance(60)
        count = len(scene.venue.asked)
        await until(lambda: any("HTTP 429" in why for why in scene.feed.counts))
        for _ in range(50):
            await scene.time.advance(10)
            await asyncio.sleep(0)
        assert len(scene.venue.asked) <= count + 1
        scene.show(page())
        await scene.time.advance(110)
        await until(lambda: scene.ear.of(Heartbeat))

    play(part)


def test_a_broken_article_among_good_ones_is_counted_and_hides_none() -> None:
    async def part(scene: Scene) -> None:
        shown = page((1, SPOT.format("A", "A"), NOW_MS + 1), (2, SPOT.format("B", "B"), NOW_MS * 1000))
        shown["data"]["catalogs"][0]["articles"] += [
            None, {"id": True, "title": "x"}, {"id": 5}, {"id": 6, "title": " "}
        ]
        scene.show(shown)
        await until(lambda: scene.told)

    scene = play(part)
    assert [(event.announcement_id, event.venue_at) for event in scene.told] == [("1", START + MS), ("2", START)]
    assert scene.feed.counts["articles that cannot be read"] == 4


@needs_shared
def test_both_recorded_shapes_are_read() -> None:
    """The recorded answer has the old shape; the present one is that of a client library's notes (see README)."""
    recorded = json.loads((FOLDER / "bapi_article_list_2021_announcements.json").read_text())
    articles, broken = articles_of(recorded, 48)
    assert (len(articles), broken) == (15, 0)
    assert [meaning_of(article.title).symbols for article in articles if meaning_of(article.title).symbols] == [
        ("RGTUSDT",), ("BNXUSDT",), ("CTSIUSDT",), ("CHESSUSDT",), ("LAZIOUSDT",)
    ]
    present = page(*((number, title, NOW_MS) for number, title in enumerate(titles("binance_catalog48_titles.json"))))
    articles, broken = articles_of(present, 48)
    assert (len(articles), broken, articles[3].released_ms) == (143, 0, NOW_MS)


@needs_shared
def test_an_article_itself_is_not_taken_for_the_list() -> None:
    with pytest.raises(Unreadable):
        articles_of(json.loads(Path(FOLDER / "cms_article_detail_excerpt_aero.json").read_text()), 48)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just("000000"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["code", "data", "catalogs", "articles", "catalogId", "id", "title", "releaseDate"]), inner,
        max_size=4),
    max_leaves=15,
)


@given(json_values, st.booleans())
def test_any_json_is_a_list_of_articles_or_refused(value: Any, wrapped: bool) -> None:
    try:
        articles, _ = articles_of({"code": "000000", "data": value} if wrapped else value, 48)
    except Unreadable:
        return
    assert all(type(article.number) is int and article.title.strip() for article in articles)


def test_settings_that_cannot_work_are_refused() -> None:
    for wrong in (
        {"base": "ws://x"}, {"catalogues": ()}, {"catalogues": (48, 48)}, {"page_size": 51}, {"poll": 0},
        {"history": -SECOND},
    ):
        with pytest.raises(ValueError, match=r"."):
            AnnouncementSettings(**wrong)
