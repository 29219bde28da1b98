"""The generated tapes tell the story that the engine is shown with, and tell it again the same."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections import Counter
from itertools import islice, pairwise

import pytest

from engine.adapters import tape_demo as demo
from engine.adapters.tape_demo import demo_tape, instant
from engine.adapters.tape_market_model import GeneratedTape, line
from engine.adapters.tape_normal_day import LISTING, normal_day_tape
from engine.adapters.tape_normal_day import START as DAY_START
from engine.model.events import InstrumentDefined
from engine.model.market import (
    Announcement,
    DepthDelta,
    DepthSnapshot,
    FeedState,
    Heartbeat,
    OraclePrice,
    Quote,
    Trade,
)
from engine.model.time import DAY, MINUTE, SECOND
from engine.ports.feed import TapeEvent

Read = list[tuple[int, TapeEvent]]


@pytest.fixture(scope="module")
def story() -> Read:
    return list(demo_tape().events())


@pytest.fixture(scope="module")
def day() -> Read:
    return list(normal_day_tape().events())


def _quotes(story: Read, symbol: str) -> list[Quote]:
    return [event for _, event in story if isinstance(event, Quote) and event.symbol == symbol]


def _mid_bps(quotes: list[Quote], since: float, minute: float) -> float:
    """How far the mid is at `minute` from where it was at minute `since`, in bps."""
    then, now = (
        next(quote for quote in reversed(quotes) if quote.received_at <= instant(at)) for at in (since, minute)
    )
    return ((now.bid + now.ask) / (then.bid + then.ask) - 1) * 10_000


class Book:
    """A plain book of one symbol, kept by the rules of the deltas."""

    def __init__(self) -> None:
        self.bids: dict[float, float] = {}
        self.asks: dict[float, float] = {}
        self.last_id = -1

    def take(self, event: DepthSnapshot | DepthDelta) -> None:
        if isinstance(event, DepthSnapshot):
            self.bids, self.asks = dict(event.bids), dict(event.asks)
        else:
            assert event.previous_id == self.last_id
            for side, levels in ((self.bids, event.bids), (self.asks, event.asks)):
                for price, size in levels:
                    side.pop(price, None)
                    if size:
                        side[price] = size
        self.last_id = event.last_id


def _buy_slippage_bps(asks: dict[float, float], mid: float, usd: float) -> float:
    left, base = usd, 0.0
    for price, size in sorted(asks.items()):
        taken = min(left, price * size)
        left, base = left - taken, base + taken / price
    assert left == 0, "the book is too thin to fill the order at all"
    return (usd / base / mid - 1) * 10_000


def test_the_demo_is_as_long_as_it_says(story: Read) -> None:
    assert 100_000 <= len(story) <= 180_000
    header = demo_tape().header
    assert header.first_at == story[0][0]
    # The market is dead by then; polls and rounds go on.
    assert header.last_at - 30 * SECOND <= story[-1][0] < header.last_at


def test_the_normal_day_is_24_hours_with_a_boundary_inside(day: Read) -> None:
    assert 150_000 <= len(day) <= 250_000
    assert day[0][0] == DAY_START
    assert DAY_START % DAY > 0
    assert day[-1][0] // DAY == DAY_START // DAY + 1


@pytest.mark.parametrize("name", ["story", "day"])
def test_time_never_goes_back(name: str, request: pytest.FixtureRequest) -> None:
    read: Read = request.getfixturevalue(name)
    assert all(before <= after for (before, _), (after, _) in pairwise(read))
    assert all(at == event.received_at for at, event in read if not isinstance(event, InstrumentDefined))


@pytest.mark.parametrize("name", ["story", "day"])
def test_metadata_comes_before_the_market_and_quotes_never_cross(name: str, request: pytest.FixtureRequest) -> None:
    defined: set[str] = set()
    for _, event in request.getfixturevalue(name):
        if isinstance(event, InstrumentDefined):
            defined.add(event.instrument.symbol)
        elif isinstance(event, Quote | Trade | DepthDelta | DepthSnapshot):
            assert event.symbol in defined
        if isinstance(event, Quote):
            assert 0 < event.bid < event.ask
            assert event.bid_size > 0
            assert event.ask_size > 0


@pytest.mark.parametrize("make", [demo_tape, normal_day_tape])
@pytest.mark.parametrize("index", [0, 1, 777, 20_000])
def test_a_resumed_telling_is_the_tail_of_the_whole(make: object, index: int) -> None:
    tape = make()  # type: ignore[operator]
    assert isinstance(tape, GeneratedTape)
    assert list(islice(tape.events(index), 50)) == list(islice(make().events(), index, index + 50))  # type: ignore[operator]
    assert tape.index == index + 50


def test_hashing_has_no_say() -> None:
    """PYTHONHASHSEED must not reach a digest."""
    code = (
        "import hashlib, itertools; from engine.adapters.tape_demo import demo_tape;"
        "d = hashlib.sha256();"
        "[d.update(repr(e).encode()) for e in itertools.islice(demo_tape().events(), 8000)]; print(d.hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed}, text=True, capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    digest = hashlib.sha256()
    for _, event in zip(range(8000), demo_tape().events(), strict=False):
        digest.update(repr(event).encode())
    assert digests == {digest.hexdigest() + "\n"}


def test_another_seed_is_another_market() -> None:
    one, other = (list(islice(demo_tape(seed).events(), 500)) for seed in (1, 2))
    assert one != other


def test_the_books_follow_from_their_deltas(story: Read) -> None:
    """A snapshot must be what the deltas before it made of the last one, but after the feed was away."""
    books: dict[str, Book] = {}
    for _, event in story:
        if isinstance(event, DepthSnapshot | DepthDelta):
            book = books.setdefault(event.symbol, Book())
            book.take(event)
            assert len(book.bids) == len(book.asks) == 10
            assert max(book.bids) < min(book.asks)


def test_market_data_stops_for_90_s_and_nothing_else_does(story: Read) -> None:
    start, end = instant(demo.DROP_FROM), instant(demo.DROP_FROM) + demo.DROP_S * SECOND
    inside = [(at, event) for at, event in story if start <= at < end]

    assert inside[0][1] == FeedState("paper", False, "connection reset by peer", start)
    assert {type(event) for _, event in inside[1:]} == {OraclePrice, Heartbeat}
    after = [(at, event) for at, event in story if at >= end]
    assert after[0][1] == FeedState("paper", True, "reconnected", end)
    firsts: dict[str, type] = {}
    for _, event in after:
        if isinstance(event, Quote | Trade | DepthDelta | DepthSnapshot):
            firsts.setdefault(event.symbol, type(event))
    assert firsts.pop("PINEUSDT") is DepthSnapshot  # not listed yet
    assert set(firsts.values()) == {DepthSnapshot}


@pytest.mark.parametrize("name", ["story", "day"])
def test_quotes_come_often_enough_but_for_the_drop(name: str, request: pytest.FixtureRequest) -> None:
    """Spread and mid go stale after 10 s; a flicker there would be a false restriction."""
    last: dict[str, int] = {}
    for at, event in request.getfixturevalue(name):
        if isinstance(event, Quote):
            away = name == "story" and last.get(event.symbol, 0) < instant(demo.DROP_FROM + 1.6) < at + MINUTE
            assert away or at - last.get(event.symbol, at) < 10 * SECOND
            last[event.symbol] = at


def test_rounds_come_every_60_s_and_polls_every_30_s(story: Read, day: Read) -> None:
    for read in (story, day):
        polls = [at for at, event in read if isinstance(event, Heartbeat)]
        for asset in ("USDT", "USDC", "FDUSD"):
            rounds = [at for at, event in read if isinstance(event, OraclePrice) and event.asset == asset]
            assert {after - before for before, after in pairwise(rounds)} == {60 * SECOND}
        assert {after - before for before, after in pairwise(polls)} == {30 * SECOND}


def test_the_peg_breaks_once_for_long_and_comes_back(story: Read) -> None:
    told = [event for _, event in story if isinstance(event, OraclePrice) and event.asset == "USDT"]
    rounds = [event for event in told if event.received_at < instant(demo.FIRST_UNTIL)]
    later = told[len(rounds):]
    again = {(event.received_at - instant(0)) // MINUTE for event in later if event.price < 0.995}
    broken = [(event.received_at - instant(0)) // MINUTE for event in rounds if event.price < 0.995]
    calm = [event.price for event in rounds if not instant(430) <= event.received_at < instant(455)]

    assert broken == list(range(broken[0], broken[-1] + 1))
    assert broken[0] == 432
    assert len(broken) > 3 + 3
    assert min(event.price for event in rounds) == pytest.approx(0.97, abs=0.0003)
    wobble = [price for price in calm if abs(price - 1) > 0.0015]
    assert 4 <= len(wobble) <= 6 and min(wobble) == pytest.approx(0.9962, abs=0.0003)
    back = next(event for event in rounds if event.received_at > instant(broken[-1] + 1) and event.price > 0.9975)
    assert back.received_at < instant(454)
    assert again == {594, 595, 596, 597}, "once more near the end, and shorter"


def test_usdc_breaks_while_usdt_holds(story: Read) -> None:
    rounds = [event for _, event in story if isinstance(event, OraclePrice)]
    broken = {event.received_at // MINUTE for event in rounds if event.asset == "USDC" and event.price < 0.995}
    assert 10 <= len(broken) <= 14
    assert all(
        abs(event.price - 1) < 0.0015 for event in rounds
        if event.asset != "USDC" and event.received_at // MINUTE in broken
    )
    strays = {
        (event.received_at - instant(0)) // MINUTE for event in rounds
        if event.asset == "FDUSD" and abs(event.price - 1) > 0.0015
    }
    assert strays == set(range(466, 475)), "and FDUSD later, alone"


def test_nothing_is_wrong_on_the_normal_day(day: Read) -> None:
    assert [event.connected for _, event in day if isinstance(event, FeedState)] == [True]
    assert all(abs(event.price - 1) < 0.0015 for _, event in day if isinstance(event, OraclePrice))
    spreads = [(q.ask - q.bid) / (q.ask + q.bid) * 20_000 for _, q in day if isinstance(q, Quote)]
    assert max(spreads) < 8
    listings = [event for _, event in day if isinstance(event, Announcement) and event.kind == "listing"]
    assert [event.symbols for event in listings] == [("WRENUSDT",)]
    assert listings[0].received_at == DAY_START + int(LISTING * MINUTE)


@pytest.mark.parametrize(("symbol", "at"), [(symbols[0], minute) for minute, _, symbols in demo.NEWS])
def test_every_coin_is_quiet_before_its_listing_and_rises_after(story: Read, symbol: str, at: float) -> None:
    quotes = _quotes(story, symbol)
    assert abs(_mid_bps(quotes, at - 2, at - 0.05)) < 40
    assert _mid_bps(quotes, at - 0.05, at + 2) > 100


def test_the_good_breakout_gains_6_to_10_percent_with_pullbacks(story: Read) -> None:
    quotes = _quotes(story, "NOVAUSDT")
    path = [_mid_bps(quotes, demo.ALFA - 0.05, demo.ALFA + minute) for minute in range(46)]
    assert 600 < max(path) < 1000
    peak = path.index(max(path))
    assert max(path) - min(path[peak:]) > 200
    assert any(path[i + 3] < path[i] - 50 for i in range(peak - 3))


def test_the_runaway_is_never_near_enough(story: Read) -> None:
    """From its first tick on it stands more than 500 bps above, for as long as an entry could come."""
    quotes = _quotes(story, "RUSHUSDT")
    base = next(q for q in reversed(quotes) if q.received_at < instant(demo.RUSH))
    window = [q for q in quotes if instant(demo.RUSH) < q.received_at < instant(demo.RUSH + 20)]
    assert min(q.bid for q in window) / base.ask - 1 > 0.05


def test_the_gaping_spread_gapes(story: Read) -> None:
    spreads = [(q.ask - q.bid) / (q.ask + q.bid) * 20_000 for q in _quotes(story, "GAPZUSDT")]
    others = [
        (q.ask - q.bid) / (q.ask + q.bid) * 20_000
        for _, q in story
        if isinstance(q, Quote) and q.symbol != "GAPZUSDT"
    ]
    assert min(spreads) > 60
    assert max(others) < 40


def test_taker_slippage_grows_from_listing_to_listing(story: Read) -> None:
    """What 1,000 USD pay from the mid: harmless, over 10 bps, over 15 bps, and never over the entry limit of 40."""
    books: dict[str, Book] = {}
    paid: dict[str, list[float]] = {}
    announced = {symbol: instant(minute) for minute, _, symbols in demo.NEWS for symbol in symbols}
    for at, event in story:
        if not isinstance(event, DepthSnapshot | DepthDelta):
            continue
        book = books.setdefault(event.symbol, Book())
        book.take(event)
        if 0 <= at - announced.get(event.symbol, at + 1) < 45 * MINUTE:
            mid = (max(book.bids) + min(book.asks)) / 2
            paid.setdefault(event.symbol, []).append(_buy_slippage_bps(book.asks, mid, 1000))
    mean = {symbol: sum(values) / len(values) for symbol, values in paid.items()}

    assert mean["NOVAUSDT"] < 5
    assert 8 < mean["ORBTUSDT"] < 16
    assert 15 < mean["FERNUSDT"] < 30
    assert mean["FERNUSDT"] < mean["KITEUSDT"] < 40


def test_chapters_follow_each_other_to_the_end() -> None:
    for tape in (demo_tape(), normal_day_tape()):
        chapters = tape.header.chapters
        assert chapters[0].start == tape.header.first_at
        assert chapters[-1].end == tape.header.last_at
        assert all(before.end == after.start for before, after in pairwise(chapters))


def test_the_path_is_level_outside_its_knots() -> None:
    path = line(((1.0, 10.0), (2.0, 20.0), (2.0, 30.0), (4.0, 50.0)))
    assert [path(x) for x in (0, 1, 1.5, 2, 3, 4, 9)] == [10, 10, 15, 30, 40, 50, 50]


def test_each_kind_of_market_event_is_there(story: Read) -> None:
    kinds = Counter(type(event) for _, event in story)
    assert min(kinds[Quote], kinds[Trade], kinds[DepthDelta]) > 10_000
    assert kinds[DepthSnapshot] > 200
