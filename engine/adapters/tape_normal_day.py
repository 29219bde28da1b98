"""The normal day: 24 hours in which nothing is wrong, so nothing may restrict.

Three large coins with ordinary noise, a peg that hums, polls that answer, and one listing
that goes well. A rule that fires here fires for no reason.
"""

from __future__ import annotations

from collections.abc import Iterator

from engine.adapters.tape_demo import FIRM, oracle, polls
from engine.adapters.tape_demo_shapes import RISE_AND_TRAIL
from engine.adapters.tape_market_model import Coin, CoinFeed, GeneratedTape, Stage, Timed, instrument, told
from engine.model.market import Announcement, FeedState
from engine.model.time import HOUR, MINUTE, MS, parse_instant
from engine.ports.feed import ANNOUNCEMENTS, MARKET, ORACLE, Chapter, TapeEvent, TapeHeader

VENUE = "paper"
START = parse_instant("2026-03-04T06:00:00Z")
"""A Wednesday; the daily boundary comes after 18 hours."""
HOURS = 24
SEED = 20260304
LISTING = 4 * 60.0 + 7
"""Minute of the announcement."""
PEG = ((0.0, 1.0001), (300.0, 0.9997), (700.0, 1.0003), (1100.0, 0.9998), (1440.0, 1.0))
PEG_NOISE = 0.0004
"""Well inside half a percent."""

COINS = (
    Coin(
        symbol="BTCUSDT", base="BTC", price=64_400.0, decimals=1, step="0.001", noise_bps=1.5, spread_bps=0.2,
        level_usd=60_000, level_bps=0.5, calm_s=1.5,
        path=((0, 0), (180, 70), (360, 15), (600, -90), (800, 40), (1000, 110), (1200, -30), (1440, 60)),
    ),
    Coin(
        symbol="ETHUSDT", base="ETH", price=3_150.0, decimals=2, step="0.001", noise_bps=2.0, spread_bps=0.4,
        level_usd=40_000, level_bps=0.7, calm_s=2.0,
        path=((0, 0), (200, -60), (420, 50), (650, -120), (900, 30), (1150, 90), (1440, -20)),
    ),
    Coin(
        symbol="SOLUSDT", base="SOL", price=148.0, decimals=3, step="0.01", noise_bps=3.0, spread_bps=1.0,
        level_usd=20_000, level_bps=1.0, calm_s=3.0,
        path=((0, 0), (240, 110), (500, -40), (760, -160), (980, 60), (1440, 20)),
    ),
    Coin(
        symbol="WRENUSDT", base="WREN", price=1.84, decimals=4, noise_bps=3.0, spread_bps=4.0, level_usd=1_500,
        level_bps=1.5, from_minute=LISTING - 30, busy=((LISTING - 0.2, LISTING + 50),),
        path=tuple((LISTING + minute, bps) for minute, bps in RISE_AND_TRAIL),
    ),
)


def normal_day_tape(seed: int = SEED) -> GeneratedTape:
    """Return the normal day; the same `seed` makes the same events, whatever the machine."""
    stage = Stage(venue=VENUE, start=START, end=START + HOURS * HOUR, seed=seed)

    def story() -> Iterator[Timed]:
        coins = [CoinFeed(coin, stage).events() for coin in COINS]
        others = [_connection(), _news(), polls(START, stage.end), oracle(stage, PEG, PEG_NOISE)]
        others += [oracle(stage, FIRM, PEG_NOISE, asset) for asset in ("USDC", "FDUSD")]
        return told([*others, *coins], stage.end)

    listed = START + int(LISTING * MINUTE)
    return GeneratedTape(
        TapeHeader(
            name="normal-day", source="generated: an invented venue on a day like any other", events=-1, seed=seed,
            first_at=START, last_at=stage.end, venues=(VENUE,), symbols=tuple(coin.symbol for coin in COINS),
            instruments=tuple(instrument(coin, VENUE) for coin in COINS),
            producers=frozenset({MARKET, ORACLE, ANNOUNCEMENTS}),
            chapters=(
                Chapter(name="a normal morning", start=START, end=listed),
                Chapter(name="WREN is listed and does well", start=listed, end=listed + HOUR),
                Chapter(name="a normal day and night", start=listed + HOUR, end=stage.end),
            ),
        ),
        story,
    )


def _connection() -> Iterator[tuple[int, TapeEvent]]:
    yield START, FeedState(VENUE, True, "connected", START)


def _news() -> Iterator[tuple[int, TapeEvent]]:
    for number, (minute, kind, title, symbols) in enumerate(
        (
            (95.0, "other", "Paper Exchange Completes Wallet Maintenance", ()),
            (LISTING, "listing", "Paper Exchange Will List Wren (WREN)", ("WRENUSDT",)),
            (610.0, "other", "Trade SOL and Share 10,000 USDC in Rewards", ("SOLUSDT",)),
        ),
        start=1,
    ):
        at = START + int(minute * MINUTE)
        yield at, Announcement(VENUE, f"paper-day-{number}", kind, title, symbols, at - 1200 * MS, at)
