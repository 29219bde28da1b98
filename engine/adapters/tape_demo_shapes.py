"""How the coins of the demo move once they are announced, and how good their markets are."""

from __future__ import annotations

from dataclasses import dataclass

from engine.adapters.tape_market_model import Coin

Shape = tuple[tuple[float, float], ...]
"""(minutes after the announcement, bps from the price before it)."""

RISE_AND_TRAIL: Shape = (
    (0, 0), (0.5, 60), (1, 130), (3, 260), (5, 190), (9, 430), (12, 320), (18, 660), (22, 540), (30, 900), (34, 620),
    (45, 500), (60, 450),
)
"""A good breakout with pullbacks, ended by one that is too deep."""
RISE_THEN_STOP: Shape = (
    (0, 0), (0.7, 70), (1.2, 125), (4, 165), (6, 140), (10, 60), (15, -80), (19, -230), (25, -300), (40, -280),
)
"""A breakout that fails before a trailing stop has begun to follow: the stop loss."""
RISE_IN_STEPS: Shape = (
    (0, 0), (0.6, 80), (1.1, 150), (4, 320), (6, 260), (11, 520), (14, 430), (20, 720), (26, 470), (40, 400),
)
"""A shorter one: a rung or two of the ladder, then the trailing stop."""
SIDEWAYS: Shape = (
    (0, 0), (0.6, 80), (1.1, 140), (3, 190), (8, 160), (15, 210), (25, 170), (35, 215), (44, 180), (60, 150),
)
"""It rises and then does nothing: the time stop."""
RUNAWAY: Shape = ((0, 0), (0.0001, 740), (2, 820), (6, 760), (15, 870), (25, 780), (60, 700))
"""Gone before anybody can be in: late chase."""
COLLAPSE: Shape = (
    (0, 0), (0.6, 80), (1.1, 150), (4, 190), (6, 170), (9, 230), (12, 210), (12.001, -5200), (20, -5600), (60, -5500),
)
"""A breakout until it turns out to be a fraud: no stop is filled where it stands."""
CLIMB: Shape = ((0, 0), (0.6, 90), (1.2, 170), (5, 260), (12, 330), (25, 220), (60, 120))
"""Fine to trade, but for the spread it is shown with."""
LATE_STEADY: Shape = (
    (0, 0), (5.3, 20), (5.6, 130), (6.5, 180), (12, 150), (16, 60), (20, -150), (24, -320), (40, -300),
)
"""It breaks out when the time of half sizes is over, and fails within twenty minutes."""
LATER_STEADY: Shape = (
    (0, 0), (5.45, 20), (5.75, 130), (6.5, 180), (12, 150), (16, 60), (20, -150), (24, -320), (40, -300),
)
"""The same, ten seconds later."""
DOWNFALL: Shape = (
    (0, 0), (0.6, 80), (1.1, 140), (3, 170), (8, 160), (14.5, 180), (14.501, -5400), (20, -5600), (60, -5500),
)
"""It rises, does nothing, and is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """How good the market of a listed coin is: spread and distance of levels in bps, a level's content in USD."""

    spread_bps: float
    level_usd: float
    level_bps: float
    busy_minutes: float = 50


GOOD = Shop(spread_bps=4, level_usd=900, level_bps=2)
RUSHED = Shop(spread_bps=8, level_usd=500, level_bps=4, busy_minutes=25)
THIN = Shop(spread_bps=9, level_usd=300, level_bps=5)
GAPING = Shop(spread_bps=85, level_usd=250, level_bps=6, busy_minutes=25)
THINNER = Shop(spread_bps=15, level_usd=210, level_bps=6)
THINNEST = Shop(spread_bps=38, level_usd=230, level_bps=7)
LATE = Shop(spread_bps=24, level_usd=260, level_bps=6)
DUSTY = Shop(spread_bps=20, level_usd=115, level_bps=3, busy_minutes=3)
DEEP = Shop(spread_bps=3, level_usd=6000, level_bps=1.5, busy_minutes=8)
PLAIN = Shop(spread_bps=6, level_usd=900, level_bps=2, busy_minutes=0)
"""A taker of 1,000 USD pays about half the spread and one level_bps for every two levels it eats."""


def listed(symbol: str, tick: tuple[float, int], at: float, market: tuple[Shape, Shop], until: float) -> Coin:
    """Return a coin announced at minute `at`, quoted until minute `until`; `tick` is (price, decimals of a price)."""
    shape, shop = market
    return Coin(
        symbol=symbol, base=symbol.removesuffix("USDT"), price=tick[0], decimals=tick[1], from_minute=at - 5,
        path=tuple((at + minute, bps) for minute, bps in shape), noise_bps=3.0, spread_bps=shop.spread_bps,
        level_usd=shop.level_usd, level_bps=shop.level_bps, busy=((at - 0.2, at + shop.busy_minutes),),
        until_minute=until,
    )
