"""What positions of a random market pay for being held, and the market in which they are hedged.

Most of the time next to nothing; in some stories one coin becomes dear for a while, soon after
its news, when something may be held: now and then its interval shrinks, the rate flickers, and
a payment falls into the hour. Everything is drawn from the story's seed, by name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from heapq import merge
from random import Random

from engine.adapters.tape_market_model import Coin
from engine.model.market import FundingRate
from engine.model.time import HOUR, MINUTE, MS, SECOND

EVERY, DEAR_EVERY = 5 * MINUTE, 45 * SECOND
"""How often a rate is told, and how often while it is dear."""
USUAL = 8 * HOUR
DEAR_STORIES, HEDGED, TRADED = 0.6, 0.8, 0.15
"""Shares: of stories in which a coin becomes dear; of those that know a market to hedge in; of the others that do."""
MAJOR = "BTC"
"""In this coin hedges are held, and it is scalped."""
EARLIER = 5.0
"""How many minutes before a spell that market is quoted: who scalps it needs a while to know its average."""
News = tuple[float, str]
"""(minute, symbol) of what is announced."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dear:
    """A coin that is dear to hold: `rate` a payment, as a fraction, every `interval` (ns), from and to in ns."""

    symbol: str
    begins: int
    ends: int
    rate: float
    interval: int


def dear_spell(seed: str, start: int, news: Iterable[News]) -> Dear | None:
    """Return the spell of the story of `seed`, which begins at `start` (ns), or None where nothing becomes dear."""
    draw = Random(f"{seed}|dear")
    if draw.random() >= DEAR_STORIES:
        return None
    minute, symbol = draw.choice(sorted(news))
    begins = start + int((minute + draw.uniform(-3.0, 1.0)) * MINUTE)
    interval = draw.choice((USUAL, USUAL, 4 * HOUR, HOUR))
    # In eight hours it costs at least what is shrugged off, and at most what delistings cost.
    eight_hours = draw.choice((1, 1, 1, 1, -1)) * draw.uniform(0.0025, 0.025)
    lasts = int(draw.choice((4, 8, 15, 40)) * draw.uniform(0.7, 1.3) * MINUTE)
    return Dear(
        symbol=symbol, begins=begins, ends=begins + lasts, rate=round(eight_hours * interval / USUAL, 6),
        interval=interval,
    )


def rates(
    seed: str, venue: str, span: tuple[int, int], symbols: Iterable[str], dear: Dear | None
) -> Iterator[tuple[int, FundingRate]]:
    """Yield (at, rate) for all `symbols` in order, predictions and payments, within `span` (ns)."""
    told = [_of_one(seed, venue, span, symbol, dear) for symbol in symbols]
    return merge(*told, key=lambda one: one[0])


def _of_one(
    seed: str, venue: str, span: tuple[int, int], symbol: str, dear: Dear | None
) -> Iterator[tuple[int, FundingRate]]:
    draw = Random(f"{seed}|funding|{symbol}")
    start, end = span
    at, interval = start + 5 * SECOND + draw.randrange(SECOND), USUAL
    next_paid = (at // interval + 1) * interval
    while at < end:
        now = dear if dear is not None and dear.symbol == symbol and dear.begins <= at < dear.ends else None
        rate = round(draw.uniform(-0.0003, 0.0005) * interval / USUAL, 6)
        if now is not None:
            interval = now.interval
            rate = now.rate if draw.random() < 0.8 else round(now.rate * draw.uniform(0.3, 0.8), 6)
        due = (at // interval + 1) * interval
        if next_paid <= at:
            yield at, FundingRate(venue, symbol, rate, interval, next_paid, at, paid=True)
        next_paid = due
        yield at + MS, FundingRate(
            venue, symbol, rate, interval, at - 20 * MS, at + MS, next_at=due if draw.random() < 0.5 else 0,
        )
        at = min(at + EVERY, _soonest(at, symbol, dear), due + SECOND)


def _soonest(at: int, symbol: str, dear: Dear | None) -> int:
    """Return when the next word comes for the sake of a spell."""
    if dear is None or dear.symbol != symbol or at >= dear.ends:
        return at + EVERY
    return dear.begins if at < dear.begins else at + DEAR_EVERY


def major(seed: str, start: int, minutes: int, dear: Dear | None) -> Coin | None:
    """Return the coin to hedge in, quoted from shortly before a spell on, or None in a story that does not know it."""
    draw = Random(f"{seed}|major")
    if draw.random() >= (TRADED if dear is None else HEDGED):
        return None
    level, path = 0.0, [(0.0, 0.0)]
    minute = 0.0
    while minute < minutes:
        minute += draw.uniform(0.5, 3.0)
        level += draw.gauss(0.0, 14.0)
        path.append((minute, level))
    return Coin(
        symbol=f"{MAJOR}USDT", base=MAJOR, price=round(draw.uniform(20_000.0, 90_000.0), 1), decimals=1, step="0.001",
        path=tuple(path), noise_bps=draw.uniform(1.0, 4.0), spread_bps=draw.uniform(0.3, 2.0),
        level_usd=draw.uniform(1_500.0, 8_000.0), level_bps=draw.uniform(0.5, 2.0), calm_s=2.9,
        from_minute=0.0 if dear is None else max((dear.begins - start) / MINUTE - EARLIER, 0.0),
    )
