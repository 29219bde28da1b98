"""A random market for simulations: one seed, one market, in which a little of everything happens.

One to three coins wander, jump and gap, their spreads open, news makes them break out up or
down, feeds fall silent, the peg wobbles, a coin becomes dear to hold. Sparse, so that an hour costs a fraction of a
second. The end of the story is quiet: then everybody has time to agree on what is true.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from engine.adapters.tape_demo import oracle, polls
from engine.adapters.tape_demo_shapes import (
    CLIMB,
    RISE_AND_TRAIL,
    RISE_IN_STEPS,
    RISE_THEN_STOP,
    RUNAWAY,
    SIDEWAYS,
    Shape,
)
from engine.adapters.tape_market_model import Coin, CoinFeed, GeneratedTape, Stage, Timed, instrument, told
from engine.adapters.tape_random_funding import MAJOR, News, dear_spell, major, rates
from engine.model.market import Announcement, FeedState
from engine.model.time import MINUTE, SECOND, parse_instant
from engine.ports.feed import ANNOUNCEMENTS, MARKET, ORACLE, Chapter, TapeEvent, TapeHeader

EPOCH = parse_instant("2026-03-02T00:00:00Z")
"""A Monday; stories begin within the week behind it, so that some cross a daily boundary or a funding."""
NAMES = ("NOVA", "RUSH", "ORBT", "LUMN", "FERN", "KITE")
GAP_DOWN: Shape = ((0, 0), (0.6, 90), (1.2, 170), (3, 240), (5, 200), (5.02, -420), (12, -500), (30, -380))
"""It breaks out, is bought, and then there is no price between here and far below the stop."""
WHIPSAW: Shape = ((0, 0), (0.5, 120), (1, 60), (1.6, 150), (2, 40), (2.6, 180), (4, -60), (7, 140), (12, 20))
DIVE: Shape = ((0, 0), (0.3, -150), (2, -420), (8, -300), (25, -360))
SHAPES = (
    RISE_AND_TRAIL, RISE_IN_STEPS, RISE_THEN_STOP, SIDEWAYS, CLIMB, GAP_DOWN, GAP_DOWN, WHIPSAW, DIVE, RUNAWAY,
)
MOST_JUMP_BPS = 300.0
_VERBS = {
    "listing": "List", "futures_launch": "Launch Futures of", "delisting": "Delist", "trading_start": "Open Trading of",
    "other": "Upgrade",
}
LARGE = f"{MAJOR}USDT"
WIDE = 0.0015
"""How likely at each tick a spell of wide spreads begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What a market is made from. `minutes` of trouble are followed by `quiet` minutes without any."""

    seed: str
    venue: str = "paper"
    minutes: int = 60
    quiet: int = 10

    @property
    def start(self) -> int:
        """When it begins (ns)."""
        return EPOCH + Random(f"{self.seed}|start").randrange(0, 7 * 24 * 60) * MINUTE

    @property
    def quiet_from(self) -> int:
        """When nothing goes wrong any more (ns)."""
        return self.start + self.minutes * MINUTE

    @property
    def end(self) -> int:
        """When it is over (ns)."""
        return self.quiet_from + self.quiet * MINUTE


def random_tape(story: Story) -> GeneratedTape:
    """Return the market of `story`; the same story is the same market, whatever the machine."""
    coins, news = _cast(story)
    dear = dear_spell(story.seed, story.start, news)
    large = major(story.seed, story.start, story.minutes, dear)
    coins += [large] if large is not None else []
    silences = _silences(story)
    stage = Stage(
        venue=story.venue, start=story.start, end=story.end, silences=silences,
        seed=Random(f"{story.seed}|noise").randrange(2**31),
    )
    peg = _peg(story, news)

    def tell() -> Iterator[Timed]:
        feeds = [WildFeed(coin, stage).events() for coin in coins]
        others = [
            _connection(story, silences), _announcements(story, news, large is not None), polls(story.start, story.end),
            oracle(stage, peg, 0.0002),
            rates(story.seed, story.venue, (story.start, story.end), [coin.symbol for coin in coins], dear),
        ]
        return told([*others, *feeds], story.end)

    return GeneratedTape(
        TapeHeader(
            name=f"random-{story.seed}", source="generated: a random market", events=-1, first_at=story.start,
            last_at=story.end, venues=(story.venue,), symbols=tuple(coin.symbol for coin in coins),
            instruments=tuple(instrument(coin, story.venue) for coin in coins),
            producers=frozenset({MARKET, ORACLE, ANNOUNCEMENTS}), chapters=_chapters(story, news),
        ),
        tell,
    )


def _chapters(story: Story, news: list[News]) -> tuple[Chapter, ...]:
    """Return a chapter for each listing, from its announcement on."""
    return tuple(
        Chapter(name=f"{symbol} is listed", start=begins, end=story.end)
        for begins, symbol in ((story.start + int(minute * MINUTE), symbol) for minute, symbol in news)
    )


class WildFeed(CoinFeed):
    """A coin whose spread opens now and then, for a while and by a lot."""

    def __init__(self, coin: Coin, stage: Stage) -> None:
        super().__init__(coin, stage)
        self._whim = Random(f"{stage.seed}|{coin.symbol}|spread")
        self._ticks_left = 0
        self._times = 1.0

    def _move(self, fair: float) -> None:
        if self._ticks_left:
            self._ticks_left -= 1
        elif self._whim.random() < WIDE:
            self._ticks_left, self._times = self._whim.randrange(3, 25), self._whim.uniform(4.0, 30.0)
        else:
            self._times = 1.0
        half = fair * self._coin.spread_bps * self._times / 20_000.0
        self._bid = int((fair - half) * self._ticks_per_unit)
        self._ask = max(self._bid, int((fair + half) * self._ticks_per_unit)) + 1


def _cast(story: Story) -> tuple[list[Coin], list[News]]:
    draw = Random(f"{story.seed}|coins")
    symbols = draw.sample(NAMES, draw.choice((1, 1, 2, 2, 3)))
    coins, news = [], []
    for name in symbols:
        told_at = _minutes_of_news(draw, story.minutes)
        news += [(minute, f"{name}USDT") for minute in told_at]
        coins.append(_coin(name, story, told_at))
    return coins, sorted(news)


def _minutes_of_news(draw: Random, minutes: int) -> list[float]:
    """Return when a coin is announced: once or more often, with room between."""
    found: list[float] = []
    minute = draw.uniform(min(3.0, minutes / 4), max(4.0, minutes * 0.4))
    while not found or (minute < minutes - 6 and draw.random() < 0.7):
        found.append(minute)
        minute += draw.uniform(10.0, 25.0)
    return found


def _coin(name: str, story: Story, told_at: list[float]) -> Coin:
    draw = Random(f"{story.seed}|coin|{name}")
    decimals = draw.randrange(3, 6)
    return Coin(
        symbol=f"{name}USDT", base=name, price=round(draw.uniform(0.6, 9.0) * 10 ** (4 - decimals), decimals),
        decimals=decimals, path=_path(draw, story, told_at), noise_bps=draw.uniform(1.0, 4.0),
        spread_bps=draw.uniform(2.0, 14.0), level_usd=draw.uniform(250.0, 2500.0), level_bps=draw.uniform(1.5, 5.0),
        calm_s=draw.uniform(2.2, 2.9), busy_s=draw.uniform(0.4, 1.0), step=draw.choice(("0.1", "1")),
        busy=tuple((minute - 0.2, minute + draw.uniform(2.0, 5.0)) for minute in told_at),
    )


def _path(draw: Random, story: Story, told_at: list[float]) -> tuple[tuple[float, float], ...]:
    """Return (minute, bps): a walk with jumps, bent by each piece of news into one of the shapes."""
    knots: list[tuple[float, float]] = [(0.0, 0.0)]
    starts = [*told_at, float(story.minutes)]
    for place, begins in enumerate(starts):
        _wander(draw, knots, begins)
        if place == len(told_at):
            break
        level, size = knots[-1][1], draw.uniform(0.7, 1.4)
        pace, until = draw.uniform(0.4, 1.2), starts[place + 1] - 0.5
        for minute, bps in draw.choice(SHAPES):
            at = begins + minute * pace
            if knots[-1][0] < at < until:
                knots.append((at, level + bps * size))
    knots.append((story.minutes + 0.01, knots[-1][1]))
    return tuple(knots)


def _wander(draw: Random, knots: list[tuple[float, float]], until: float) -> None:
    """Add a walk from the last knot to minute `until`, a jump among its steps now and then."""
    minute, level = knots[-1]
    while minute + 2.0 < until:
        minute += draw.uniform(1.0, 2.0)
        if draw.random() < 0.06:
            knots.append((minute, level))
            minute += 0.005
            level += draw.uniform(-MOST_JUMP_BPS, MOST_JUMP_BPS)
        else:
            level += draw.gauss(0.0, 12.0)
        knots.append((minute, level))
    if until > knots[-1][0]:
        knots.append((until, level))


def _silences(story: Story) -> tuple[tuple[int, int], ...]:
    draw = Random(f"{story.seed}|silences")
    found: list[tuple[int, int]] = []
    minute = draw.uniform(3.0, 40.0)
    while minute < story.minutes - 4:
        begins = story.start + int(minute * MINUTE)
        found.append((begins, begins + int(draw.choice((6, 12, 40, 90)) * draw.uniform(0.7, 1.3) * SECOND)))
        minute += draw.uniform(8.0, 60.0)
    return tuple(found)


def _peg(story: Story, news: list[News]) -> tuple[tuple[float, float], ...]:
    """Return (minute, USD per USDT): mostly near 1, seldom a wobble, more seldom a break that lasts."""
    draw = Random(f"{story.seed}|peg")
    fate = draw.random()
    if fate > 0.25 or story.minutes < 20:
        return ((0.0, 1.0),)
    begins, low = draw.uniform(6.0, story.minutes - 12.0), draw.uniform(0.975, 0.993)
    if draw.random() < 0.7:
        # Behind the news something may be held; it takes three windows to be sure.
        begins = max(1.0, min(draw.choice(news)[0] + draw.uniform(-3.5, 2.0), story.minutes - 12.0))
    lasts = 1.6 if fate > 0.15 else draw.uniform(4.0, 8.0)
    ends = begins + 1 + lasts
    return ((0.0, 1.0), (begins, 1.0), (begins + 1, low), (ends, low), (ends + 1, 1.0))


def _connection(story: Story, silences: tuple[tuple[int, int], ...]) -> Iterator[tuple[int, TapeEvent]]:
    yield story.start, FeedState(story.venue, True, "connected", story.start)
    for begins, ends in silences:
        if ends - begins > 20 * SECOND:
            yield begins, FeedState(story.venue, False, "connection reset by peer", begins)
            yield ends, FeedState(story.venue, True, "reconnected", ends)


def _announcements(story: Story, news: list[News], large: bool) -> Iterator[tuple[int, TapeEvent]]:
    """Yield what is announced: every listing, and now and then something that is none or was told before."""
    draw = Random(f"{story.seed}|news")
    told: list[tuple[float, str, str]] = []
    for minute, symbol in news:
        told.append((minute, "futures_launch" if draw.random() < 0.2 else "listing", symbol))
        chance = draw.random()
        if chance < 0.3:
            # Most of these come while the coin may be held.
            kind = ("delisting", "listing", "trading_start", "other")[int(chance * 40) % 4]
            told.append((minute + draw.uniform(0.1, 6.0), kind, symbol))
    if large and draw.random() < 0.3:
        # What hedges are held in, and what is scalped, becomes news too.
        told.append((draw.uniform(4.0, story.minutes * 0.8), "listing", LARGE))
    for number, (minute, kind, symbol) in enumerate(sorted(told), start=1):
        at = story.start + int(minute * MINUTE)
        told_by, venue_at = f"random-{number}", at - int(draw.uniform(0.3, 4.0) * SECOND)
        title = f"Paper Exchange Will {_VERBS[kind]} {symbol.removesuffix('USDT')}"
        yield at, Announcement(story.venue, told_by, kind, title, (symbol,), venue_at, at)
