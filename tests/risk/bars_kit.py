"""Bars and quotes of one symbol, for the tests of what is made of them."""

from __future__ import annotations

from collections.abc import Iterable

from engine.model.flags import FlagValue
from engine.model.market import Bar, FeedState, Quote
from engine.model.samples import Derived
from engine.model.time import MINUTE
from engine.risk.course import Candle
from engine.risk.prices import Prices
from engine.risk.wanted import DEFAULTS

KEY = ("paper", "PINEUSDT")
ON: dict[str, FlagValue] = {**DEFAULTS, "RISK_PARITY_ENABLED": True, "RISK_PARITY_TF": "5m", "RISK_PARITY_N": 3.0}
SPAN = 5 * MINUTE


def quote(at: int, price: float, key: tuple[str, str] = KEY) -> Quote:
    """Return a quote without a spread."""
    return Quote(*key, price, 1.0, price, 1.0, at, at)


def bar(start: int, prices: tuple[float, float, float, float], interval: int = MINUTE) -> Bar:
    """Return a bar of (open, high, low, close)."""
    return Bar(*KEY, *prices, 1.0, interval, start, start + interval)


def hear(prices: Prices, events: Iterable[Quote | Bar | FeedState], flags: dict[str, FlagValue]) -> list[Derived]:
    """Let `prices` take `events` at the instants they came; return what was told."""
    made: list[Derived] = []
    for event in events:
        made += prices.on_event(event, event.received_at, flags)
    return made


def candles(prices: Prices) -> list[Candle]:
    """Return the bars that are kept of the one symbol."""
    (known,) = prices.dump()["known"]
    return [Candle(*one) for one in known[0][-1]]
