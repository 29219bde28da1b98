"""The demo tape: ten market hours in which most things that can go wrong do.

Listings in ever thinner books, two that must be skipped, a market-data drop while a
position is open, a coin that collapses, the daily boundary, a wobble of the peg, funding
that spikes, a stablecoin that breaks and another one that breaks for long; then what stands
in `tape_demo_after`, and a feed that dies. Everything a person may want to tune stands in
the constants; minutes count from the start.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from engine.adapters.tape_demo_after import BTC_PATH, DEAD_FROM, MINUTES, PEG_FDUSD, PEG_USDT, funding, spoken, troubles
from engine.adapters.tape_demo_after import CHAPTERS as CHAPTERS_AFTER
from engine.adapters.tape_demo_after import COINS as COINS_AFTER
from engine.adapters.tape_demo_after import NEWS as NEWS_AFTER
from engine.adapters.tape_demo_shapes import (
    CLIMB,
    COLLAPSE,
    GAPING,
    GOOD,
    LATE,
    RISE_AND_TRAIL,
    RISE_IN_STEPS,
    RISE_THEN_STOP,
    RUNAWAY,
    RUSHED,
    SIDEWAYS,
    THIN,
    THINNER,
    THINNEST,
    Shape,
    listed,
)
from engine.adapters.tape_market_model import Coin, CoinFeed, GeneratedTape, Stage, Timed, instrument, line, told
from engine.model.market import Announcement, FeedState, FundingRate, Heartbeat, OraclePrice
from engine.model.time import HOUR, MINUTE, MS, SECOND, parse_instant
from engine.ports.feed import ANNOUNCEMENTS, MARKET, ORACLE, Chapter, TapeEvent, TapeHeader

VENUE = "paper"
START = parse_instant("2026-03-02T18:00:00Z")
"""A Monday; midnight UTC, the daily boundary, comes at minute 360."""
SEED = 20260302

ALFA, RUSH, PAIR_B, WIDE, PAIR_C, PAIR_D, DROP_COIN = 20.0, 68.0, 90.0, 140.0, 165.0, 215.0, 265.0
CRASH, DEAR, PEG_COIN = 318.0, 376.0, 425.0
"""When each listing is announced."""
DROP_FROM, DROP_S = 272.0, 90
"""The market-data drop: its minute and its seconds, while the position of DROP_COIN is open."""
SPIKE_FROM, SPIKE_TO = 388.0, 398.0
"""Minutes in which the next funding of DEAR is told as dear."""
FIRST_UNTIL = 465.0
"""The coins of the first half are quoted for so long, but for BTC."""
ORACLE_EVERY, POLL_EVERY, FUNDING_EVERY = 60 * SECOND, 30 * SECOND, 60 * SECOND

Peg = Shape
"""(minute, USD per coin)."""

PEG: Peg = (
    (0, 1.0), (362, 0.9998), (363, 0.9962), (367, 0.9962), (368, 0.9997), (430, 0.9997), (431, 0.9962), (432, 0.9935),
    (433, 0.9890), (434, 0.9850), (435, 0.9810), (436, 0.9770), (439, 0.9700), (442, 0.9740), (445, 0.9830),
    (447, 0.9900), (449, 0.9955), (450, 0.9968), (451, 0.9982), (454, 0.9996), *PEG_USDT,
)
"""USDT: a wobble of 0.4 % from minute 363; under 0.995 from minute 432, low 0.97, healed from 451. Then `PEG_USDT`."""
PEG_USDC: Peg = ((0, 1.0), (404, 1.0), (405, 0.9930), (411, 0.9880), (417, 0.9945), (419, 0.9995))
"""USDC: broken from minute 405 to 417, while USDT holds."""
FIRM: Peg = ((0, 1.0),)
PEG_NOISE = 0.0002
CALM_FUNDING, DEAR_FUNDING = 0.0001, 0.0075
"""A fraction of the position for eight hours."""

COINS = (
    Coin(
        symbol="BTCUSDT", base="BTC", price=64_000.0, decimals=1, step="0.001", noise_bps=1.0, spread_bps=0.2,
        level_usd=60_000, level_bps=0.5, calm_s=1.8,
        path=((0, 0), (60, 35), (120, -20), (200, 60), (280, 10), (323, 30), (331, -60), (345, 0), (390, 20),
              *BTC_PATH),
    ),
    listed("NOVAUSDT", (2.4, 4), ALFA, (RISE_AND_TRAIL, GOOD), FIRST_UNTIL),
    listed("RUSHUSDT", (0.61, 5), RUSH, (RUNAWAY, RUSHED), FIRST_UNTIL),
    listed("ORBTUSDT", (1.35, 5), PAIR_B, (RISE_IN_STEPS, THIN), FIRST_UNTIL),
    listed("LUMNUSDT", (0.244, 6), PAIR_B, (RISE_THEN_STOP, THIN), FIRST_UNTIL),
    listed("GAPZUSDT", (0.92, 5), WIDE, (CLIMB, GAPING), FIRST_UNTIL),
    listed("FERNUSDT", (3.18, 4), PAIR_C, (RISE_IN_STEPS, THINNER), FIRST_UNTIL),
    listed("HALOUSDT", (0.078, 7), PAIR_C, (RISE_THEN_STOP, THINNER), FIRST_UNTIL),
    listed("KITEUSDT", (5.66, 4), PAIR_D, (RISE_IN_STEPS, THINNEST), FIRST_UNTIL),
    listed("MOSSUSDT", (0.417, 6), PAIR_D, (SIDEWAYS, THINNEST), FIRST_UNTIL),
    listed("DUSKUSDT", (1.02, 5), DROP_COIN, (SIDEWAYS, LATE), FIRST_UNTIL),
    listed("VEXAUSDT", (0.88, 5), CRASH, (COLLAPSE, LATE), FIRST_UNTIL),
    listed("DEARUSDT", (1.71, 5), DEAR, (SIDEWAYS, GOOD), FIRST_UNTIL),
    listed("PINEUSDT", (2.05, 5), PEG_COIN, (SIDEWAYS, LATE), FIRST_UNTIL),
)

NEWS = (
    (ALFA, "Paper Exchange Will List Nova (NOVA)", ("NOVAUSDT",)),
    (RUSH, "Paper Exchange Will List Rush (RUSH)", ("RUSHUSDT",)),
    (PAIR_B, "Paper Exchange Will List Orbit (ORBT) and Lumen (LUMN)", ("ORBTUSDT", "LUMNUSDT")),
    (WIDE, "Paper Exchange Will List Gapz (GAPZ) with Seed Tag Applied", ("GAPZUSDT",)),
    (PAIR_C, "Paper Exchange Will List Fern (FERN) and Halo (HALO)", ("FERNUSDT", "HALOUSDT")),
    (PAIR_D, "Paper Exchange Will List Kite (KITE) and Moss (MOSS)", ("KITEUSDT", "MOSSUSDT")),
    (DROP_COIN, "Paper Exchange Will List Dusk (DUSK)", ("DUSKUSDT",)),
    (CRASH, "Paper Exchange Will List Vexa (VEXA)", ("VEXAUSDT",)),
    (DEAR, "Paper Exchange Will List Dear (DEAR)", ("DEARUSDT",)),
    (PEG_COIN, "Paper Exchange Will List Pine (PINE)", ("PINEUSDT",)),
)
"""(minute, title, symbols)."""

CHAPTERS = (
    ("a quiet evening", 0.0), ("NOVA is listed: a breakout in a good book", ALFA), ("RUSH runs away", RUSH),
    ("ORBT and LUMN: the books get thinner", PAIR_B), ("GAPZ: a spread nobody should pay", WIDE),
    ("FERN and HALO: slippage adds up", PAIR_C), ("KITE and MOSS: worse still", PAIR_D),
    ("DUSK is listed", DROP_COIN), ("market data stops for 90 s", DROP_FROM),
    ("market data is back", DROP_FROM + DROP_S / 60), ("VEXA is listed", CRASH), ("VEXA was a fraud", CRASH + 12.0),
    ("a new day", 360.0), ("USDT wobbles", 362.0), ("DEAR is listed", DEAR), ("holding DEAR gets dear", SPIKE_FROM),
    ("USDC breaks", 404.0), ("PINE is listed", PEG_COIN), ("USDT leaves its peg", 431.0),
    ("USDT is back; the latch is not", 451.0), *CHAPTERS_AFTER,
)
"""(name, minute it starts); each ends where the next starts."""


def instant(minute: float) -> int:
    """Return the instant of a story's `minute` in ns."""
    return START + round(minute * MINUTE)


def demo_tape(seed: int = SEED) -> GeneratedTape:
    """Return the demo tape; the same `seed` makes the same events, whatever the machine."""
    drop = (instant(DROP_FROM), instant(DROP_FROM) + DROP_S * SECOND)
    dead = (instant(DEAD_FROM), instant(MINUTES))
    stage = Stage(venue=VENUE, start=START, end=instant(MINUTES), seed=seed, silences=(drop, dead))

    def story() -> Iterator[Timed]:
        coins = [CoinFeed(coin, stage).events() for coin in (*COINS, *COINS_AFTER)]
        others = [
            _connection(drop), announcements(), polls(START, stage.end), oracle(stage, PEG, PEG_NOISE),
            oracle(stage, PEG_USDC, PEG_NOISE, "USDC"), oracle(stage, PEG_FDUSD, PEG_NOISE, "FDUSD"), _funding(),
            funding(instant),
        ]
        return told([*others, *coins], stage.end)

    ends = [start for _, start in CHAPTERS[1:]] + [float(MINUTES)]
    return GeneratedTape(
        TapeHeader(
            name="demo", source="generated: an invented venue, invented coins", events=-1, seed=seed,
            first_at=START, last_at=stage.end, venues=(VENUE,),
            symbols=tuple(coin.symbol for coin in (*COINS, *COINS_AFTER)),
            instruments=tuple(instrument(coin, VENUE) for coin in (*COINS, *COINS_AFTER)),
            producers=frozenset({MARKET, ORACLE, ANNOUNCEMENTS}),
            chapters=tuple(
                Chapter(name=name, start=instant(start), end=instant(end))
                for (name, start), end in zip(CHAPTERS, ends, strict=True)
            ),
            troubles=troubles(instant), spoken=spoken(instant),
        ),
        story,
    )


def _connection(drop: tuple[int, int]) -> Iterator[tuple[int, TapeEvent]]:
    yield START, FeedState(VENUE, True, "connected", START)
    yield drop[0], FeedState(VENUE, False, "connection reset by peer", drop[0])
    yield drop[1], FeedState(VENUE, True, "reconnected", drop[1])


def _funding() -> Iterator[tuple[int, TapeEvent]]:
    """Yield what the venue says that DEAR will pay next, once a minute."""
    for at in range(instant(DEAR - 5.0) + 3 * SECOND, instant(FIRST_UNTIL), FUNDING_EVERY):
        dear = instant(SPIKE_FROM) <= at < instant(SPIKE_TO)
        yield at, FundingRate(VENUE, "DEARUSDT", DEAR_FUNDING if dear else CALM_FUNDING, 8 * HOUR, at, at)


def announcements() -> Iterator[tuple[int, TapeEvent]]:
    """Yield the venue's news; each is read 1.2 s after it was published."""
    for number, (minute, title, symbols) in enumerate((*NEWS, *NEWS_AFTER), start=1):
        at = instant(minute)
        yield at, Announcement(VENUE, f"paper-{number}", "listing", title, symbols, at - 1200 * MS, at)


def polls(start: int, end: int) -> Iterator[tuple[int, TapeEvent]]:
    """Yield the successful polls of the announcements page: no news is news."""
    for at in range(start + SECOND, end, POLL_EVERY):
        yield at, Heartbeat(ANNOUNCEMENTS, at)


def oracle(stage: Stage, peg: Peg, noise: float, asset: str = "USDT") -> Iterator[tuple[int, TapeEvent]]:
    """Yield one round of `asset` a minute, 2 s after the full minute, `noise` (USD) around `peg`."""
    value, draw = line(peg), Random(f"{stage.seed} {asset}" if asset != "USDT" else stage.seed).random
    for number, at in enumerate(range(stage.start + 2 * SECOND, stage.end, ORACLE_EVERY)):
        price = round(value(float(number)) + noise * (draw() + draw() - 1.0), 6)
        yield at, OraclePrice("chainlink", asset, "USD", price, str(100_000 + number), at - 2 * SECOND, at)
