"""Events into samples: the market, its silence, the oracle, the news, and what was lost on the way."""

from __future__ import annotations

import math
from typing import Any

import pytest

from engine.model.events import Event, Input
from engine.model.market import (
    Announcement,
    FeedDropped,
    FeedState,
    Heartbeat,
    OraclePrice,
    Quote,
    Trade,
)
from engine.model.samples import InputRef, SignalKind, Status, Unit
from engine.model.time import SECOND
from engine.signals.catalogue import Catalogue
from engine.signals.reduce import Reducers, ReducerSettings
from engine.signals.snapshot import Snapshot
from tests.signals.world import T0, spec

MARKET: dict[str, Any] = {"labels": ("venue", "symbol"), "producer": "feed.market", "low": 0.0}
CATALOGUE = Catalogue(
    [
        spec("mid_price", SignalKind.GAUGE, unit=Unit.USD, max_age=10 * SECOND, **MARKET),
        spec("spread_bps", SignalKind.GAUGE, unit=Unit.BPS, high=1e6, max_age=10 * SECOND, **MARKET),
        spec("feed_messages", SignalKind.COUNTER, labels=("venue",), low=0.0, producer="feed.market", resolution=1.0),
        spec("peg_usdt_usd", SignalKind.GAUGE, unit=Unit.RATIO, low=0.0, high=10.0, max_age=150 * SECOND,
             producer="feed.oracle"),
        spec("announcements", SignalKind.EVENT, low=0.0, max_age=300 * SECOND, producer="feed.announcements"),
        spec("health_measured", SignalKind.STATE, low=0.0, high=2.0, period=5 * SECOND, max_age=30 * SECOND,
             producer="core.health"),
    ]
)
PEGS = {"PEG_QUOTE_MAX_AGE_SEC": 120.0, "PEG_AGREE_PCT": 0.15, "PEG_LOWEST": 0.2, "PEG_HIGHEST": 5.0}
SETTINGS = ReducerSettings.from_flags({"HEALTH_DEGRADED_SEC": 30.0, "HEALTH_HALTED_SEC": 900.0, **PEGS})


class World:
    """A snapshot and its reducers, driven as the core drives them."""

    def __init__(self) -> None:
        self.snapshot = Snapshot(CATALOGUE)
        self.reducers = Reducers(self.snapshot, SETTINGS)
        self.seq = 0

    def run_to(self, seconds: float) -> int:
        """Fire all that is due until so many seconds after T0; return that instant."""
        until = T0 + round(seconds * SECOND)
        while True:
            dues = [due for due in (self.snapshot.next_due(), self.reducers.next_due()) if due is not None]
            if not dues or min(dues) > until:
                return until
            self.snapshot.fire(min(dues))
            self.reducers.fire(min(dues))

    def fold(self, seconds: float, event: Event) -> None:
        """Let an event come so many seconds after T0."""
        at = self.run_to(seconds)
        self.seq += 1
        self.reducers.fold(Input(self.seq, at, event))

    def read(self, seconds: float, name: str, *labels: str, reads: str = "value", window: int = 0) -> object:
        """Return the value of a signal at that time, or its status if it cannot be believed."""
        self.run_to(seconds)
        slot = self.snapshot.bind(InputRef(reads=reads, signal=name, window=window * SECOND), labels)
        status = Status(self.snapshot.status[slot])
        return self.snapshot.values[slot] if status is Status.OK else status


def quote(bid: float, ask: float, symbol: str = "XUSDT") -> Quote:
    """Return a quote of the paper venue with one unit on each side."""
    return Quote("paper", symbol, bid, 1.0, ask, 1.0, T0, T0)


def trade() -> Trade:
    """Return any trade of the paper venue."""
    return Trade("paper", "XUSDT", 1.0, 1.0, True, "1", T0, T0)


def test_a_quote_gives_mid_spread_and_a_sign_of_life() -> None:
    world = World()
    world.fold(0, quote(99.0, 101.0))
    world.fold(1, quote(99.5, 100.5))

    assert world.read(1, "mid_price", "paper", "XUSDT") == 100.0
    assert world.read(1, "spread_bps", "paper", "XUSDT") == 100.0
    assert world.read(1, "feed_messages", "paper") == 2.0
    assert world.reducers.quote("paper", "XUSDT") == quote(99.5, 100.5)
    assert world.snapshot.labels_of("spread_bps") == (("paper", "XUSDT"),)


@pytest.mark.parametrize(
    ("bid", "ask"),
    [(101.0, 100.0), (0.0, 100.0), (-1.0, 100.0), (99.0, 0.0), (math.nan, 100.0), (99.0, math.nan),
     (99.0, math.inf), (-math.inf, 100.0), (math.nan, math.nan), (1e308, 1.7e308), (1e-320, 1e300)],
)
def test_a_broken_quote_is_an_invalid_sample_and_never_an_exception(bid: float, ask: float) -> None:
    """Crossed, zero, negative or not a number: the market is doubtful, the feed is alive."""
    world = World()
    world.fold(0, quote(99.0, 101.0))
    world.fold(1, quote(bid, ask))

    read = [world.read(1, name, "paper", "XUSDT") for name in ("mid_price", "spread_bps")]
    assert Status.INVALID in read
    assert world.read(1, "feed_messages", "paper") == 2.0
    world.fold(2, quote(99.0, 101.0))
    assert world.read(2, "mid_price", "paper", "XUSDT") == 100.0


@pytest.mark.parametrize("size", [math.nan, math.inf, -1.0])
def test_a_quote_with_a_broken_size_is_not_sound(size: float) -> None:
    world = World()
    world.fold(0, Quote("paper", "XUSDT", 99.0, 1.0, 101.0, size, T0, T0))
    world.fold(0, Quote("paper", "YUSDT", 99.0, size, 101.0, 1.0, T0, T0))

    assert world.read(0, "mid_price", "paper", "XUSDT") is Status.INVALID
    assert world.read(0, "mid_price", "paper", "YUSDT") is Status.INVALID
    assert world.reducers.quote("paper", "XUSDT") is None


def test_strategies_see_the_last_sound_quote() -> None:
    world = World()
    world.fold(0, quote(99.0, 101.0))
    world.fold(1, quote(math.nan, 101.0))

    assert world.reducers.quote("paper", "XUSDT") == quote(99.0, 101.0)
    assert world.reducers.quote("paper", "YUSDT") is None


def test_a_locked_market_is_sound_and_has_no_spread() -> None:
    world = World()
    world.fold(0, quote(100.0, 100.0))

    assert world.read(0, "spread_bps", "paper", "XUSDT") == 0.0


def test_health_follows_the_silence_of_a_feed_that_had_connected() -> None:
    """Degraded and halted at the very instant, fine again with the first word; a closed socket is silence too."""
    world = World()
    assert world.read(0, "health_measured") is Status.MISSING, "nothing to measure before a feed connected"
    world.fold(0, FeedState("paper", True, "", T0))
    world.fold(10, trade())
    seen = [world.read(second, "health_measured") for second in (10, 39.9, 40, 909.9, 910, 5000)]
    assert seen == [0.0, 0.0, 1.0, 1.0, 2.0, 2.0]
    world.fold(5001, FeedState("paper", True, "again", T0))
    assert world.read(5001, "health_measured") == 2.0, "an open connection has not said anything yet"
    world.fold(5002, trade())
    assert world.read(5002, "health_measured") == 0.0
    world.fold(5003, FeedState("paper", False, "reset", T0))
    assert [world.read(second, "health_measured") for second in (5031.9, 5032)] == [0.0, 1.0]


def test_health_is_the_worst_of_all_feeds() -> None:
    world = World()
    world.fold(0, FeedState("other", True, "", T0))
    for second in range(0, 50, 5):
        world.fold(second, trade())

    assert world.read(29, "health_measured") == 1.0
    assert world.read(50, "health_measured") == 1.0


def test_a_feed_that_never_connected_is_no_fault_of_health() -> None:
    world = World()
    world.fold(0, FeedState("paper", False, "refused", T0))

    assert world.read(100, "health_measured") is Status.MISSING


def test_health_limits_are_flags() -> None:
    world = World()
    world.fold(0, trade())
    world.run_to(7)
    world.reducers.on_flags(T0 + 7 * SECOND, {"HEALTH_DEGRADED_SEC": 6.0, "HEALTH_HALTED_SEC": 8.0, **PEGS})

    assert [world.read(second, "health_measured") for second in (7, 7.9, 8)] == [1.0, 1.0, 2.0]


def test_silence_is_the_age_of_the_message_count() -> None:
    """What guard.feed.stale reads: never stale by age, and its age is exact."""
    world = World()
    world.fold(0, quote(1.0, 2.0))

    assert world.read(30.5, "feed_messages", "paper", reads="age") == 30.0
    assert world.read(30.5, "feed_messages", "paper") == 1.0


@pytest.mark.parametrize(("price", "read"), [(0.98, 0.98), (math.nan, Status.INVALID), (11.0, Status.INVALID)])
def test_an_oracle_round_is_the_peg(price: float, read: object) -> None:
    world = World()
    world.fold(0, OraclePrice("chainlink", "USDT", "USD", price, "1", T0, T0))
    world.fold(0, OraclePrice("chainlink", "DAI", "USD", 0.5, "1", T0, T0))

    assert world.read(0, "peg_usdt_usd") == read
    assert world.read(150, "peg_usdt_usd") == (Status.STALE if read == 0.98 else read)


def test_no_news_is_news_while_the_page_is_polled() -> None:
    world = World()
    count = {"reads": "count_over", "window": 3600}
    assert world.read(0, "announcements", **count) is Status.MISSING  # type: ignore[arg-type]
    world.fold(1, Heartbeat("feed.announcements", T0))
    assert world.read(1, "announcements", **count) == 0.0  # type: ignore[arg-type]
    world.fold(2, Announcement("paper", "1", "listing", "t", ("XUSDT",), T0, T0))
    assert world.read(301, "announcements", **count) == 1.0  # type: ignore[arg-type]
    assert world.read(302, "announcements", **count) is Status.STALE  # type: ignore[arg-type]
    world.fold(303, FeedState("feed.announcements", True, "", T0))
    assert world.read(303, "announcements", **count) == 1.0  # type: ignore[arg-type]
    assert world.read(400, "health_measured") is Status.MISSING, "the news is no market feed"


@pytest.mark.parametrize("stream", ["Quote", "quote", "ticker"])
def test_a_dropped_quote_makes_the_market_missing_until_the_next(stream: str) -> None:
    world = World()
    for symbol in ("XUSDT", "YUSDT"):
        world.fold(0, quote(99.0, 101.0, symbol))
    world.fold(1, FeedDropped("paper", "XUSDT", stream, 3, T0))
    assert world.read(1, "mid_price", "paper", "XUSDT") is Status.MISSING
    assert world.read(1, "mid_price", "paper", "YUSDT") == 100.0
    world.fold(2, FeedDropped("paper", "", stream, 3, T0))
    assert world.read(2, "spread_bps", "paper", "YUSDT") is Status.MISSING
    world.fold(3, quote(99.0, 101.0))
    assert world.read(3, "mid_price", "paper", "XUSDT") == 100.0


@pytest.mark.parametrize(("stream", "doubted"), [("Trade", ()), ("Bar", ()), ("DepthDelta", ()),
                                                 ("OraclePrice", ("peg_usdt_usd",))])
def test_a_drop_degrades_what_its_stream_feeds_and_nothing_else(stream: str, doubted: tuple[str, ...]) -> None:
    world = World()
    world.fold(0, quote(99.0, 101.0))
    world.fold(0, OraclePrice("chainlink", "USDT", "USD", 1.0, "1", T0, T0))
    for name, labels in (("mid_price", ("paper", "XUSDT")), ("peg_usdt_usd", ())):
        world.read(0, name, *labels)
    world.fold(1, FeedDropped("paper", "", stream, 1, T0))

    assert tuple(row.name for row in world.snapshot.doubtful(T0 + SECOND)) == doubted


def test_a_dropped_announcement_leaves_a_hole_in_the_count() -> None:
    world = World()
    world.fold(0, Heartbeat("feed.announcements", T0))
    world.fold(1, FeedDropped("paper", "", "Announcement", 1, T0))
    world.read(1, "announcements", reads="count_over", window=60)
    world.fold(2, FeedDropped("paper", "", "Announcement", 1, T0))
    assert world.read(61, "announcements", reads="count_over", window=60) is Status.MISSING
    assert world.read(62, "announcements", reads="count_over", window=60) == 0.0


def test_what_reducers_make_is_told_to_the_wiring() -> None:
    assert World().reducers.produces == frozenset(CATALOGUE.specs)
    assert CATALOGUE.producers() == {"feed.market", "feed.oracle", "feed.announcements", "core.health"}


def test_a_catalogue_without_the_signals_folds_all_the_same() -> None:
    reducers = Reducers(Snapshot(Catalogue([spec("other", SignalKind.COUNTER)])), SETTINGS)
    for number, event in enumerate(
        [quote(1.0, 2.0), trade(), FeedState("paper", True, "", T0), Heartbeat("feed.x", T0),
         OraclePrice("c", "USDT", "USD", 1.0, "1", T0, T0), FeedDropped("paper", "", "Quote", 1, T0),
         FeedDropped("paper", "", "Announcement", 1, T0), Announcement("p", "1", "other", "t", (), T0, T0)]
    ):
        reducers.fold(Input(number, T0, event))  # type: ignore[arg-type]

    assert reducers.next_due() is None
    assert reducers.depth("paper", "XUSDT") == (((1.0, 1.0),), ((2.0, 1.0),))
