"""What other stablecoins cost in USDT: against a venue on loopback, with obedient time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.adapters.feed_line import LineLimits
from engine.adapters.feed_peg import TICKER, PegFeed, PegFeedSettings
from engine.model.market import OraclePrice
from engine.model.time import MINUTE, SECOND
from tests.adapters.feed_kit import START, Ear, Loopback, ObedientTime, answers, loopback, outside, running, until
from tests.shared_data import MARKET_DATA, needs_shared

PAIRS = ("USDCUSDT", "FDUSDUSDT")


def quote(pair: str, middle: float, number: int = 1, half: float = 0.00005) -> dict[str, object]:
    return {"u": number, "s": pair, "b": f"{middle - half:.6f}", "B": "10", "a": f"{middle + half:.6f}", "A": "20"}


class Scene:
    """A running feed, its venue, and what was told."""

    def __init__(self, venue: Loopback, settings: PegFeedSettings) -> None:
        self.venue, self.time, self.ear = venue, ObedientTime(), Ear()
        # Ten seconds into a period.
        self.time.at = START - START % MINUTE + 10 * SECOND
        self.feed = PegFeed(settings, outside(self.time, self.ear))

    async def say(self, pair: str, middle: float, number: int = 1) -> None:
        before = self.feed.counts[pair]
        await self.venue.say(f"{pair.lower()}@bookTicker", quote(pair, middle, number))
        await until(lambda: self.feed.counts[pair] > before, f"{pair} was heard")

    async def ready(self) -> None:
        await until(lambda: self.feed.counts["line opened"])

    @property
    def told(self) -> list[OraclePrice]:
        return self.ear.of(OraclePrice)


def play(part: Callable[[Scene], Coroutine[Any, Any, None]], *pairs: str, **others: Any) -> Scene:
    async def scene() -> Scene:
        async with loopback() as venue:
            made = Scene(venue, PegFeedSettings.at(venue.base, pairs=pairs or PAIRS, **others))
            async with running(made.feed.run()):
                await part(made)
            await until(lambda: not venue.lines)
            return made

    return asyncio.run(scene())


def test_each_pair_is_told_once_a_period_as_it_is_quoted() -> None:
    async def part(scene: Scene) -> None:
        await scene.ready()
        await scene.say("USDCUSDT", 1.0, 5)
        await scene.say("FDUSDUSDT", 1.002, 7)
        await scene.say("USDCUSDT", 1.01, 8)
        assert len(scene.told) == 2, "once a period"
        await scene.time.advance(50)
        await scene.say("USDCUSDT", 1.001, 9)
        assert len(scene.told) == 3

    scene = play(part)

    assert [(one.source, one.asset, one.quote, one.round_id) for one in scene.told] == [
        ("binance.spot", "USDC", "USDT", "5"), ("binance.spot", "FDUSD", "USDT", "7"),
        ("binance.spot", "USDC", "USDT", "9"),
    ]
    assert [one.price for one in scene.told] == pytest.approx([1.0, 1.002, 1.001])
    assert all(one.venue_at == one.received_at for one in scene.told)


def test_a_pair_that_falls_silent_is_told_no_more() -> None:
    """Told again, an old quote would look young; that nobody says anything is for the core to see."""
    async def part(scene: Scene) -> None:
        await scene.ready()
        await scene.say("USDCUSDT", 1.0)
        for _ in range(5):
            await scene.time.advance(60)
        await scene.say("FDUSDUSDT", 1.0)

    scene = play(part, line=LineLimits(silent_after=3600 * SECOND))
    assert [one.asset for one in scene.told] == ["USDC", "FDUSD"]


def test_a_price_that_no_dollar_has_is_told_for_the_core_to_judge() -> None:
    """A quote that was hidden here would leave the one before it in force."""
    async def part(scene: Scene) -> None:
        await scene.ready()
        await scene.say("USDCUSDT", 9.0)

    (told,) = play(part).told
    assert told.price == pytest.approx(9.0)


@pytest.mark.parametrize("changes", [
    {"b": "NaN"}, {"b": None}, {"a": "0.5"}, {"b": "0.90"}, {"u": "5"}, {"u": -1},
    {"s": "BTCUSDT"}, {"B": "x"}, {"A": 5},
])
def test_what_is_broken_is_refused(changes: dict[str, object]) -> None:
    feed = PegFeed(PegFeedSettings(), outside(ObedientTime(), ear := Ear()))
    assert feed._hear(json.dumps({**quote("USDCUSDT", 1.0), **changes}).encode(), 1) is False
    assert sum(count for what, count in feed.counts.items() if what.startswith("refused")) == 1
    assert ear.events == []


@given(st.binary(max_size=40) | st.recursive(
    st.none() | st.floats() | st.text(max_size=4), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from([*"usbBaA", "id", "data", "error"]), inner, max_size=7), max_leaves=8,
).map(lambda value: json.dumps(value).encode()))
def test_nothing_that_is_sent_raises(raw: bytes) -> None:
    feed = PegFeed(PegFeedSettings(), outside(ObedientTime(), ear := Ear()))
    feed._hear(raw, 1)
    assert ear.events == []


def test_where_the_stream_is_silent_rest_is_asked_for_each_pair() -> None:
    async def part(scene: Scene) -> None:
        async def answer(request: Any) -> Any:
            pair = request.query["symbol"]
            if pair == "FDUSDUSDT":
                return await answers({"code": -1121, "msg": "Invalid symbol."}, status=400)(request)
            reply = {"symbol": pair, "bidPrice": "0.9990", "bidQty": "1", "askPrice": "0.9992", "askQty": "1"}
            return await answers(reply)(request)

        scene.venue.answers[TICKER] = answer
        scene.venue.grant = False
        await scene.time.advance(21)
        await until(lambda: len(scene.venue.asked) == 2)
        await until(lambda: scene.feed.counts["USDCUSDT"])
        await scene.time.advance(60)
        await until(lambda: scene.told)

    (told, *_) = play(part).told
    assert (told.source, told.asset) == ("binance.spot", "USDC") and told.round_id.startswith("rest-")
    assert told.price == pytest.approx(0.9991)


def test_html_and_half_an_answer_from_rest_are_no_price() -> None:
    async def part(scene: Scene) -> None:
        replies = answers("<html>", '{"symbol": "USDCUSDT", "bidPr', {"symbol": "USDCUSDT"}, [], {"symbol": 5})
        scene.venue.answers[TICKER] = replies
        scene.venue.grant = False
        for _ in range(12):
            await scene.time.advance(30)
            await asyncio.sleep(0.01)
        await until(lambda: len(scene.venue.asked) >= 8)

    assert play(part).told == []


@needs_shared
def test_recorded_spot_quotes_are_read() -> None:
    """BTCUSDT is no stablecoin: each message is refused by name, and each was readable up to there."""
    import gzip

    feed = PegFeed(PegFeedSettings(pairs=("USDCUSDT",)), outside(ObedientTime(), Ear()))
    count = 0
    with gzip.open(MARKET_DATA / "binance_spot_btcusdt_20240808_raw.jsonl.gz", "rb") as lines:
        for line in lines:
            if b"@bookTicker" in line:
                count += 1
                text = line.split(b" ", 1)[1]
                assert feed._hear(text, 1) is False
                if count <= 200:
                    data = json.loads(text)["data"] | {"s": "USDCUSDT"}
                    data |= {"b": f"{float(data['b']) / 61_837:.6f}", "a": f"{float(data['a']) / 61_837:.6f}"}
                    assert feed._hear(json.dumps(data).encode(), 1) is True
    assert count == 28_040
    assert feed.counts["refused: nobody asked for it"] == count


def test_settings_that_cannot_work_are_refused() -> None:
    for wrong in (
        {"pairs": ()}, {"pairs": ("BTCUSD",)}, {"pairs": ("USDCUSDT", "USDCUSDT")}, {"stream": "https://x"},
        {"rest": "x"}, {"period": 0}, {"widest": 0.0}, {"poll": 0},
    ):
        with pytest.raises(ValueError, match=r"."):
            PegFeedSettings(**wrong)
