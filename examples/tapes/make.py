"""The tape that changes of rules are reviewed on: under two hours of listings, a silence and two wobbles.

    python examples/tapes/make.py examples/tapes/review.tape.gz

It is small so that it can be committed, and it puts the shipped rules to the test: a
breakout with orders, one too fast to chase, one with too wide a spread, a feed that is
silent for 90 s, a peg that is gone by a little (0.6 %) for six minutes, and later by much
(1.8 %). The same code makes the same bytes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from engine.adapters.tape_demo import CLIMB, RISE_AND_TRAIL, RUNAWAY, Shape, oracle, polls
from engine.adapters.tape_market_model import Coin, CoinFeed, Stage, told
from engine.adapters.tape_writer import TapeWriter
from engine.model.market import Announcement, FeedState
from engine.model.time import MINUTE, MS, SECOND, parse_instant
from engine.ports.feed import Chapter, TapeEvent

VENUE = "paper"
START = parse_instant("2026-03-02T22:20:00Z")
"""A Monday; midnight UTC, the daily boundary, comes at minute 100."""
MINUTES = 106
SEED = 20260303
NOVA, RUSH, GAPZ, SILENCE = 6.0, 20.0, 32.0, 46.0
"""Minutes of the listings and of the silence."""
LISTED = ((NOVA, "NOVAUSDT"), (RUSH, "RUSHUSDT"), (GAPZ, "GAPZUSDT"))
PEG = (
    (0.0, 1.0), (54.0, 0.9999), (55.0, 0.9940), (60.0, 0.9939), (61.0, 0.9990), (84.0, 0.9998), (86.0, 0.9935),
    (89.0, 0.9820), (92.0, 0.9830), (95.0, 0.9935), (98.0, 0.9968), (99.0, 0.9982), (101.0, 0.9998),
)
PEG_NOISE = 0.0002
CHAPTERS = (
    ("three listings", 0.0), ("silence", SILENCE), ("a wobble", 54.0), ("the peg breaks", 84.0), ("a new day", 100.0),
)


def listed(symbol: str, price: float, at: float, path: Shape, spread_bps: float = 4.0) -> Coin:
    """Return a coin that is announced at minute `at` and then does as `path` says."""
    return Coin(
        symbol=symbol, base=symbol.removesuffix("USDT"), price=price, decimals=4, noise_bps=3.0,
        spread_bps=spread_bps, level_usd=1_500, level_bps=1.5, from_minute=at - 4, busy=((at - 0.2, at + 3),),
        busy_s=1.8, path=tuple((at + minute, bps) for minute, bps in path),
    )


COINS = (
    Coin(
        symbol="BTCUSDT", base="BTC", price=64_000.0, decimals=1, step="0.001", noise_bps=1.0, spread_bps=0.2,
        level_usd=60_000, level_bps=0.5, calm_s=3.0, path=((0, 0), (60, 35), (88, -60), (106, 20)),
    ),
    listed("NOVAUSDT", 2.4, NOVA, RISE_AND_TRAIL),
    listed("RUSHUSDT", 0.61, RUSH, RUNAWAY),
    listed("GAPZUSDT", 0.92, GAPZ, CLIMB, spread_bps=85.0),
)


def instant(minute: float) -> int:
    """Return the instant `minute` minutes after the start (ns)."""
    return START + round(minute * MINUTE)


def write(path: Path) -> None:
    """Write the tape to `path`; .gz packs it."""
    drop = (instant(SILENCE), instant(SILENCE) + 90 * SECOND)
    stage = Stage(venue=VENUE, start=START, end=instant(MINUTES), seed=SEED, silences=(drop,))
    coins = [CoinFeed(coin, stage).events() for coin in COINS]
    others = [connection(drop), news(), polls(START, stage.end), oracle(stage, PEG, PEG_NOISE)]
    chapters = tuple(
        Chapter(name=name, start=instant(start), end=instant(end))
        for (name, start), (_, end) in pairwise((*CHAPTERS, ("", MINUTES)))
    )
    with TapeWriter(path, source="generated: an invented venue and coins", chapters=chapters, seed=SEED) as tape:
        for at, _, event in told([*others, *coins], stage.end):
            tape.write(event, at)


def connection(drop: tuple[int, int]) -> Iterator[tuple[int, TapeEvent]]:
    """Yield how the market feed stands."""
    yield START, FeedState(VENUE, True, "connected", START)
    yield drop[0], FeedState(VENUE, False, "connection reset by peer", drop[0])
    yield drop[1], FeedState(VENUE, True, "reconnected", drop[1])


def news() -> Iterator[tuple[int, TapeEvent]]:
    """Yield the listings as they are announced."""
    for number, (minute, symbol) in enumerate(LISTED, start=1):
        at, base = instant(minute), symbol.removesuffix("USDT")
        title = f"Paper Exchange Will List {base.title()} ({base})"
        yield at, Announcement(VENUE, f"paper-review-{number}", "listing", title, (symbol,), at - 1200 * MS, at)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
