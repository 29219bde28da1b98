"""Binance's klines: against a venue on loopback, and as they were recorded."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from typing import Any

import pytest
from aiohttp import web

from engine.adapters.feed_binance import BinanceFeedSettings
from engine.adapters.feed_binance_bars import INTERVALS, read_kline, read_klines
from engine.adapters.feed_binance_parse import Read, Reader, Refused
from engine.model.market import Bar
from engine.model.time import DAY, HOUR, MINUTE, MS, SECOND
from engine.risk.course import sound
from tests.adapters.feed_kit import START
from tests.adapters.test_feed_binance import Scene, play
from tests.shared_data import MARKET_DATA, needs_shared

NOW_HOUR = START // HOUR * HOUR // MS


def kline(start_ms: int, name: str = "1h", *, ended: bool = True, **changes: str) -> dict[str, Any]:
    """Return a kline of the stream."""
    line = {"t": start_ms, "s": "BTCUSDT", "i": name, "o": "10", "h": "12", "l": "9", "c": "11", "v": "5", "x": ended}
    return {"e": "kline", "E": start_ms, "s": "BTCUSDT", "k": {**line, **changes}}


def row(start_ms: int, close: str = "11") -> list[Any]:
    """Return a kline of REST."""
    return [start_ms, "10", "12", "9", close, "5", 0, "0", 1, "0", "0", "0"]


def told(start_ms: int, interval: int, close: float = 11.0, *, after: int = 0) -> Bar:
    """Return what such a kline is told as."""
    return Bar("binanceusdm", "BTCUSDT", 10.0, 12.0, 9.0, close, 5.0, interval, start_ms * MS, START + after)


def test_the_history_is_fetched_for_each_length_and_what_ends_is_told_by_the_stream() -> None:
    hour_ms, day_ms = HOUR // MS, DAY // MS
    midnight = START // DAY * DAY // MS
    rows = {
        "1h": [row(NOW_HOUR - 2 * hour_ms), row(NOW_HOUR - hour_ms, "10.5"), row(NOW_HOUR)],
        "1d": [row(midnight - day_ms), row(midnight)],
    }
    asked: list[dict[str, str]] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        asked.append(dict(request.query))
        return web.json_response(rows[request.query["interval"]])

    async def part(scene: Scene) -> None:
        scene.venue.answers["/fapi/v1/klines"] = answer
        await scene.connected()
        assert {"btcusdt@kline_1h", "btcusdt@kline_1d"} <= scene.venue.subscribed()
        await scene.told(Bar, 2)
        await scene.time.advance(1)
        await scene.told(Bar, 3)
        await scene.venue.say("btcusdt@kline_1h", kline(NOW_HOUR, ended=False))
        for _ in range(2):
            await scene.venue.say("btcusdt@kline_1h", kline(NOW_HOUR))
        # Of a longer length that began before: no older word of the same stream.
        await scene.venue.say("btcusdt@kline_1d", kline(midnight, "1d"))
        await scene.told(Bar, 5)

    scene = play(part, bars=("1h", "1d"), streams=("bookTicker",))
    assert scene.ear.of(Bar) == [
        told(NOW_HOUR - 2 * hour_ms, HOUR), told(NOW_HOUR - hour_ms, HOUR, 10.5),
        told(midnight - day_ms, DAY, after=SECOND), told(NOW_HOUR, HOUR, after=SECOND),
        told(midnight, DAY, after=SECOND),
    ]
    assert [(one["symbol"], one["interval"], one["limit"]) for one in asked] == [
        ("BTCUSDT", "1h", "499"), ("BTCUSDT", "1d", "499"),
    ]
    assert scene.feed.counts["bar that runs"] == 1
    assert scene.feed.counts["duplicate"] == 1


def test_a_symbol_that_the_venue_does_not_know_yet_is_left_and_a_refusal_is_asked_again() -> None:
    asked: list[str] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        asked.append(request.query["symbol"])
        if request.query["symbol"] == "NEWUSDT":
            return web.json_response({"code": -1121, "msg": "Invalid symbol."}, status=400)
        if len(asked) == 1:
            return web.json_response({}, status=503)
        return web.json_response([row(NOW_HOUR - HOUR // MS)])

    async def part(scene: Scene) -> None:
        scene.venue.answers["/fapi/v1/klines"] = answer
        await scene.connected()
        while not scene.ear.of(Bar):
            await scene.time.advance(5)
        scene.feed.watch(["NEWUSDT"])
        while "NEWUSDT" not in asked:
            await scene.time.advance(1)
        await scene.time.advance(200)

    scene = play(part, bars=("1h",), streams=("bookTicker",))
    assert asked == ["BTCUSDT", "BTCUSDT", "NEWUSDT"]
    told = {what: count for what, count in scene.feed.faults.items() if what.startswith("bars")}
    assert told == {"bars: HTTP 503": 1, "bars: HTTP 400": 1}


@pytest.mark.parametrize(
    "wrong",
    [
        kline(0, o="nan"), kline(0, h="8"), kline(0, l="0"), kline(0, c="13"), kline(0, v="-1"), kline(0, c="1_0"),
        kline(7), kline(0, "3m"), kline(0, "1d", ended=False), kline(-1),
    ],
)
def test_a_kline_that_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(Refused):
        read_kline(wrong, START)


@pytest.mark.parametrize(
    "rows", [{"code": -1}, [[0]], [["0", "1", "1", "1", "1", "1"]], [row(0, "13")], [[0, 1, 1, 1, 1, 1]], None]
)
def test_an_answer_that_cannot_be_is_refused(rows: Any) -> None:
    with pytest.raises(Refused):
        read_klines(rows, "BTCUSDT", HOUR, START)


def test_a_bar_that_may_still_run_by_the_venues_clock_is_not_told() -> None:
    last = [row(NOW_HOUR)]
    end = NOW_HOUR * MS + HOUR
    assert read_klines(last, "BTCUSDT", HOUR, end + 5 * SECOND - 1) == []
    assert len(read_klines(last, "BTCUSDT", HOUR, end + 5 * SECOND)) == 1


def test_lengths_that_the_venue_does_not_have_are_refused() -> None:
    with pytest.raises(ValueError, match="bars: \\['2h'\\]; choose from 1m, 5m"):
        BinanceFeedSettings(symbols=("BTCUSDT",), bars=("2h",))


def recorded() -> Iterator[str]:
    """Yield the messages of the recorded kline streams."""
    with gzip.open(MARKET_DATA / "cryptofeed_BINANCE_FUTURES.ws.1.0.txt.gz", "rt") as file:
        for line in file:
            if "@kline_" in line[:80]:
                yield line.split(": ", 1)[1]


@needs_shared
def test_recorded_klines_are_told_when_they_end() -> None:
    found: list[Read] = []
    messages = list(recorded())
    symbols = {json.loads(one)["data"]["s"] for one in messages}
    reader = Reader(symbols, found.append, {"kline": read_kline})
    assert all(reader.hear(one, START) for one in messages)
    ended = [json.loads(one)["data"]["k"] for one in messages if '"x":true' in one]
    assert len(messages) > 50
    assert reader.counts["bar that runs"] == len(messages) - len(ended)
    assert [one.event for one in found] == [
        Bar(
            "binanceusdm", k["s"], float(k["o"]), float(k["h"]), float(k["l"]), float(k["c"]), float(k["v"]), MINUTE,
            k["t"] * MS, START,
        )
        for k in ended
    ]
    assert all(isinstance(one.event, Bar) and sound(one.event) for one in found)
    assert INTERVALS["1m"] == MINUTE
