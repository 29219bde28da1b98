"""One-minute bars of a listing day as a tape that the engine can trade on.

Bars say where the price was, not what a taker would have paid: how it went inside a
minute, the spread and the depth are modelled. Every number of the model stands in
`Model`, and whoever shows a result shows them with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.adapters.tape_demo import oracle, polls
from engine.adapters.tape_market_model import Coin, CoinFeed, Stage, told
from engine.adapters.tape_writer import TapeWriter
from engine.model.market import Announcement, FeedState
from engine.model.time import MINUTE, MS, SECOND
from engine.ports.feed import TapeEvent

VENUE = "paper"
TURNS = (0.0, 0.3, 0.7, 0.97)
"""Where inside a minute its open, first extreme, second extreme and close are put."""


@dataclass(frozen=True, slots=True)
class Minute:
    """One bar; `start` in ns, prices in quote currency."""

    start: int
    open: float
    high: float
    low: float
    close: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """What the bars do not say."""

    spread_bps: float = 20.0
    level_usd: float = 900.0
    """What one of ten levels a side holds."""
    level_bps: float = 4.0
    """How far apart the levels are."""
    noise_bps: float = 3.0
    quote_s: float = 0.5
    """Between two quotes."""
    published_s: float = 0.0
    """When in its minute the announcement came out: only the minute is recorded."""
    read_s: float = 2.0
    """From there to the engine's having read it."""
    seed: int = 20241206

    def lines(self) -> list[str]:
        """Return the model in words, a line each."""
        return [
            f"spread {self.spread_bps:g} bps; ten levels a side of {self.level_usd:,.0f} USD, "
            f"{self.level_bps:g} bps apart",
            "inside a minute: open, low, high, close where it rises, open, high, low, close where it falls, "
            f"at {', '.join(f'{60 * turn:.0f}' for turn in TURNS)} s, with {self.noise_bps:g} bps of noise",
            f"a quote, trade or book every {self.quote_s:g} s or so; between bars that are missing, a straight line",
            f"announced at second {self.published_s:g} of its minute, read {self.read_s:g} s later; seed {self.seed}",
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """The recorded day: `symbol` as the engine is to call it, bars rising in time, when the listing was announced."""

    symbol: str
    minutes: tuple[Minute, ...]
    announced: int
    title: str
    source: str


def read_day(path: Path, symbol: str) -> Day:
    """Return the day of a parquet table with open_time_s, open, high, low, close, binance_announce_ts_utc.

    ValueError says what is missing. Needs pyarrow (the extra `parquet`).
    """
    import pyarrow.parquet

    rows = sorted(pyarrow.parquet.read_table(path).to_pylist(), key=lambda row: row["open_time_s"])
    if not rows or "binance_announce_ts_utc" not in rows[0]:
        raise ValueError(f"{path.name} holds no bars with the instant of their announcement")
    minutes = tuple(
        Minute(row["open_time_s"] * SECOND, row["open"], row["high"], row["low"], row["close"]) for row in rows
    )
    base = symbol.removesuffix("USDT")
    return Day(
        symbol=symbol, minutes=minutes, announced=_instant(rows[0]["binance_announce_ts_utc"]),
        title=f"Binance Will List {base.title()} ({base})", source=f"{rows[0]['venue']} {rows[0]['product']}",
    )


def _instant(text: object) -> int:
    """Return the instant of `text` (ISO, UTC) or of a time stamp in ns."""
    from datetime import UTC, datetime

    moment = text if isinstance(text, datetime) else datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp()) * SECOND


def path_of(minutes: Sequence[Minute], start: int) -> tuple[tuple[float, float], ...]:
    """Return (minute from `start`, bps from the first open) through the bars."""
    first = minutes[0].open
    knots: list[tuple[float, float]] = []
    for bar in minutes:
        rising = bar.close >= bar.open
        prices = (bar.open, bar.low, bar.high, bar.close) if rising else (bar.open, bar.high, bar.low, bar.close)
        at = (bar.start - start) / MINUTE
        knots += [(at + turn, (price / first - 1.0) * 10_000.0) for turn, price in zip(TURNS, prices, strict=True)]
    return tuple(knots)


def write_tape(day: Day, model: Model, path: Path, *, before: int = 40, after: int = 60) -> None:
    """Write the day from `before` to `after` minutes around the announcement, with a peg that holds."""
    start, end = day.announced - before * MINUTE, day.announced + after * MINUTE
    minutes = [bar for bar in day.minutes if start - 20 * MINUTE <= bar.start < end]
    stage = Stage(venue=VENUE, start=start, end=end, seed=model.seed)
    coin = Coin(
        symbol=day.symbol, base=day.symbol.removesuffix("USDT"), price=minutes[0].open, decimals=4, step="0.1",
        path=path_of(minutes, start), noise_bps=model.noise_bps, spread_bps=model.spread_bps,
        level_usd=model.level_usd, level_bps=model.level_bps, busy=((before - 1.0, before + after),),
        busy_s=model.quote_s,
    )
    sources = [_connection(start), _news(day, model), polls(start, end), oracle(stage, ((0.0, 1.0),), 0.0002)]
    with TapeWriter(path, source=f"one-minute bars of {day.source}, modelled", chapters=(), seed=model.seed) as tape:
        for at, _, event in told([*sources, CoinFeed(coin, stage).events()], end):
            tape.write(event, at)


def _connection(start: int) -> Iterator[tuple[int, TapeEvent]]:
    yield start, FeedState(VENUE, True, "connected", start)


def _news(day: Day, model: Model) -> Iterator[tuple[int, TapeEvent]]:
    published = day.announced + round(model.published_s * 1000) * MS
    read = published + round(model.read_s * 1000) * MS
    yield read, Announcement(VENUE, "listing-1", "listing", day.title, (day.symbol,), published, read)
