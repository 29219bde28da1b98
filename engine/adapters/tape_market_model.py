"""A small market that behaves as it is told: the stuff generated tapes are made of.

A coin follows a scripted path with noise around it, and shows a book of ten levels a
side. Each coin draws from its own seeded stream, so that changing one coin leaves every
other as it was. Nothing here depends on hashing or on the clock.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from heapq import merge
from random import Random
from zlib import crc32

from engine.model.events import InstrumentDefined
from engine.model.instruments import Instrument, MarketKind
from engine.model.market import DepthDelta, DepthSnapshot, Levels, Quote, Trade
from engine.model.time import MINUTE, MS
from engine.ports.feed import Damage, TapeEvent, TapeHeader

LEVELS = 10
SNAPSHOT_EVERY = 10 * MINUTE
TRADES, DELTAS = 0.18, 0.12
"""Shares of the ticks that are trades and depth deltas; the rest are quotes."""

Timed = tuple[int, int, TapeEvent]
"""(at in ns, rank of the source, event): the order of a story."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Coin:
    """What one coin does in a story. Minutes count from the story's start, USD is the quote currency."""

    symbol: str
    base: str
    price: float
    """Where the path is 0 bps."""
    decimals: int
    """Of a price; the tick is one unit of the last."""
    step: str = "0.1"
    path: tuple[tuple[float, float], ...] = ((0.0, 0.0),)
    """(minute, bps from `price`), straight lines between, level outside."""
    noise_bps: float = 2.0
    spread_bps: float = 4.0
    level_usd: float = 800.0
    """What one level of the book holds."""
    level_bps: float = 2.0
    """How far apart the levels are."""
    from_minute: float = 0.0
    """When the venue defines it and begins to quote it."""
    until_minute: float = math.inf
    """When it is quoted for the last time."""
    calm_s: float = 3.0
    """Seconds between ticks; at most 3, or signals with a max age of 10 s flicker."""
    busy_s: float = 0.45
    busy: tuple[tuple[float, float], ...] = ()
    """(from, to) minutes in which ticks come every `busy_s`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Where and when a story plays. `silences` are (from, to) in ns in which no market event arrives."""

    venue: str
    start: int
    end: int
    seed: int
    silences: tuple[tuple[int, int], ...] = ()


def instrument(coin: Coin, venue: str) -> Instrument:
    """Return the metadata of `coin`: a USDT perpetual with a minimum order of 5 USDT."""
    step = Decimal(coin.step)
    return Instrument(
        venue=venue, symbol=coin.symbol, base=coin.base, quote="USDT", kind=MarketKind.PERPETUAL,
        tick=Decimal(1).scaleb(-coin.decimals), step=step, min_quantity=step, max_quantity=Decimal(10_000_000),
        min_notional=Decimal(5),
    )


def line(knots: tuple[tuple[float, float], ...]) -> Callable[[float], float]:
    """Return the function that joins `knots` (x rising) with straight lines and is level outside them."""
    xs = [x for x, _ in knots]

    def value(x: float) -> float:
        i = bisect_right(xs, x)
        if i == 0:
            return knots[0][1]
        if i == len(knots):
            return knots[-1][1]
        (x0, y0), (x1, y1) = knots[i - 1], knots[i]
        return y0 + (y1 - y0) * (x - x0) / (x1 - x0)

    return value


def _inside(x: float, spans: tuple[tuple[float, float], ...]) -> bool:
    for start, end in spans:  # noqa: SIM110 (any() costs twice as much, at every tick of every coin)
        if start <= x < end:
            return True
    return False


class CoinFeed:
    """The market data of one coin, from its first quote to the end of the stage."""

    def __init__(self, coin: Coin, stage: Stage) -> None:
        """The same `coin` on the same `stage` makes the same events."""
        self._coin, self._stage = coin, stage
        self._draw = Random(stage.seed * 2**32 + crc32(coin.symbol.encode())).random
        # Prices and sizes are whole numbers over these: one division gives the nearest float.
        self._ticks_per_unit: int = 10**coin.decimals
        self._steps_per_unit = int(1 / Decimal(coin.step))
        self._grid = max(1, round(coin.price * coin.level_bps / 10_000 * self._ticks_per_unit))
        self._rows: dict[int, float] = {}
        self._book: tuple[dict[int, float], dict[int, float]] = ({}, {})
        self._last_id = 1000
        self._trade_id = 0
        self._bid = self._ask = 0

    def events(self) -> Iterator[tuple[int, TapeEvent]]:
        """Yield (at, event) in order: the metadata, a snapshot, then ticks."""
        coin, stage, draw = self._coin, self._stage, self._draw
        path, noise, next_snapshot, quoted = line(coin.path), 0.0, 0, True
        at = stage.start + int(coin.from_minute * MINUTE) + int(draw() * 800 * MS)
        yield at - MS, InstrumentDefined(instrument=instrument(coin, stage.venue), venue_at=at - MS)
        end = min(stage.end, stage.start + coin.until_minute * MINUTE)
        while at < end:
            minute = (at - stage.start) / MINUTE
            noise = 0.93 * noise + coin.noise_bps * 0.7 * (draw() + draw() + draw() - 1.5)
            self._move(coin.price * (1.0 + (path(minute) + noise) / 10_000.0))
            kind = draw()
            venue_at = at - int((15 + 40 * draw()) * MS)
            if _inside(at, stage.silences):
                next_snapshot = 0  # what a reconnected feed sends first
            elif at >= next_snapshot:
                yield at, self._snapshot(venue_at, at)
                yield at + MS, self._quote(venue_at + MS, at + MS)
                next_snapshot, quoted = at + SNAPSHOT_EVERY, True
            elif quoted and kind < TRADES:
                yield at, self._trade(venue_at, at)
                quoted = False
            elif quoted and kind < TRADES + DELTAS:
                yield at, self._delta(venue_at, at)
                quoted = False
            else:
                yield at, self._quote(venue_at, at)
                quoted = True
            every = coin.busy_s if _inside(minute, coin.busy) else coin.calm_s
            at += int(every * (0.5 + draw()) * 1e9) + 2 * MS

    def _move(self, fair: float) -> None:
        half = fair * self._coin.spread_bps / 20_000.0
        self._bid = int((fair - half) * self._ticks_per_unit)
        self._ask = max(self._bid, int((fair + half) * self._ticks_per_unit)) + 1

    def _touch_size(self) -> float:
        return self._size(self._coin.level_usd * (0.7 + 0.6 * self._draw()), self._bid / self._ticks_per_unit)

    def _size(self, usd: float, price: float) -> float:
        return (int(usd / price * self._steps_per_unit) or 1) / self._steps_per_unit

    def _price(self, ticks: int) -> float:
        return ticks / self._ticks_per_unit

    def _quote(self, venue_at: int, at: int) -> Quote:
        bid, ask = self._price(self._bid), self._price(self._ask)
        bid_size, ask_size = self._touch_size(), self._touch_size()
        return Quote(self._stage.venue, self._coin.symbol, bid, bid_size, ask, ask_size, venue_at, at)

    def _trade(self, venue_at: int, at: int) -> Trade:
        buys = self._draw() < 0.5
        self._trade_id += 1
        price = self._price(self._ask if buys else self._bid)
        size = self._size(self._coin.level_usd * (0.05 + 0.4 * self._draw()), price)
        return Trade(self._stage.venue, self._coin.symbol, price, size, buys, str(self._trade_id), venue_at, at)

    def _sides(self) -> tuple[dict[int, float], dict[int, float]]:
        """Return the book now, ticks -> size, best first: the touch, then levels that stand still on a grid."""
        grid = self._grid
        bids, asks = {self._bid: self._touch_size()}, {self._ask: self._touch_size()}
        below, above = (self._bid - 1) // grid, self._ask // grid + 1
        for i in range(LEVELS - 1):
            bids[(below - i) * grid] = self._resting(below - i)
            asks[(above + i) * grid] = self._resting(above + i)
        return bids, asks

    def _resting(self, row: int) -> float:
        """Return the size at a row of the grid: different from row to row, and always the same for one."""
        size = self._rows.get(row)
        if size is None:
            usd = self._coin.level_usd * (0.7 + 0.6 * (row * 2_654_435_761 >> 7 & 0xFF) / 0xFF)
            size = self._rows[row] = self._size(usd, row * self._grid / self._ticks_per_unit)
        return size

    def _snapshot(self, venue_at: int, at: int) -> DepthSnapshot:
        self._book = self._sides()
        self._last_id += 1000  # ids went on while nobody listened
        bids, asks = (tuple((self._price(ticks), size) for ticks, size in side.items()) for side in self._book)
        return DepthSnapshot(self._stage.venue, self._coin.symbol, bids, asks, self._last_id, venue_at, at)

    def _delta(self, venue_at: int, at: int) -> DepthDelta:
        before, self._book = self._book, self._sides()
        bids, asks = (self._changes(old, new) for old, new in zip(before, self._book, strict=True))
        previous = self._last_id
        self._last_id += 7
        first, coin = previous + 1, self._coin
        return DepthDelta(self._stage.venue, coin.symbol, bids, asks, first, self._last_id, previous, venue_at, at)

    def _changes(self, old: dict[int, float], new: dict[int, float]) -> Levels:
        gone = [(self._price(ticks), 0.0) for ticks in old if ticks not in new]
        return (*gone, *((self._price(ticks), size) for ticks, size in new.items() if old.get(ticks) != size))


class GeneratedTape:
    """A tape that is made while it is read; see `ports.feed.Tape`. It is never damaged."""

    def __init__(self, header: TapeHeader, story: Callable[[], Iterator[Timed]]) -> None:
        """`story` begins a new, identical telling each time it is called."""
        self._header, self._story, self._index = header, story, 0

    @property
    def header(self) -> TapeHeader:
        """Return what the story says of itself."""
        return self._header

    @property
    def damaged(self) -> list[Damage]:
        """Return an empty list."""
        return []

    @property
    def clamped(self) -> int:
        """Return 0: a story is told in order."""
        return 0

    @property
    def index(self) -> int:
        """Return the index of the next event."""
        return self._index

    def events(self, from_index: int = 0) -> Iterator[tuple[int, TapeEvent]]:
        """Yield (at, event) from `from_index` on; what precedes it is made again and passed over."""
        self._index = 0
        return self._tell(from_index)

    def _tell(self, from_index: int) -> Iterator[tuple[int, TapeEvent]]:
        for at, _, event in self._story():
            self._index += 1
            if self._index > from_index:
                yield at, event


def told(sources: list[Iterator[tuple[int, TapeEvent]]], end: int) -> Iterator[Timed]:
    """Yield the events of all `sources` before `end` in the order (at, place of the source in the list)."""

    def ranked(rank: int, source: Iterator[tuple[int, TapeEvent]]) -> Iterator[Timed]:
        return ((at, rank, event) for at, event in source if at < end)

    # No two sources share a rank, so no comparison gets as far as the events; a key would cost as much as the merging.
    return merge(*(ranked(rank, source) for rank, source in enumerate(sources)))
