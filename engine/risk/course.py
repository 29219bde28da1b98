"""The course of one symbol's price: its running minute, its finished bars, and how exactly they are counted.

Bars are made of mids, a minute at a time, unless a feed tells bars: it has every trade, so
from its first bar on it alone is believed. A stretch without a price is no bar. A bar of
which we missed the beginning or in which the line was down is no bar either: its range
would be too small, and what is sized by it too large.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from engine.model.codec import Data
from engine.model.market import Bar
from engine.model.time import MINUTE

_UNIT = 2.0**80
_INF = float("inf")


class Candle(NamedTuple):
    """One finished bar; `start` in ns, prices in quote currency."""

    start: int
    high: float
    low: float
    close: float


def units(price: float) -> int:
    """Return `price` in 2^-80 of the quote currency: no float of a price above 1e-8 loses anything by it."""
    return int(price * _UNIT)


def sound(bar: Bar) -> bool:
    """Whether `bar` can be a bar. Written so that NaN fails."""
    low, high = bar.low, bar.high
    return (
        0.0 < low <= bar.open <= high < _INF and low <= bar.close <= high
        and bar.interval > 0 and bar.venue_at >= 0 and bar.venue_at % bar.interval == 0
    )


def average_range_pct(bars: Sequence[Candle], count: int) -> Fraction | None:
    """Return the mean true range of the last `count` of `bars` in percent of the last close, exactly.

    None where there are fewer. A true range reaches to the close of the bar before it, gaps
    included; the very first bar has its own range alone. A plain mean and not Wilder's: what was
    before the window cannot change it.
    """
    if count < 1 or len(bars) < count:
        return None
    before = None if len(bars) == count else units(bars[-count - 1].close)
    total = 0
    for bar in bars[-count:]:
        high, low = units(bar.high), units(bar.low)
        total += high - low if before is None else max(high, before) - min(low, before)
        before = units(bar.close)
    return Fraction(100 * total, count * units(bars[-1].close))


class Course:
    """See the module. All instants are ns; `minute_end` is 0 before the first price."""

    __slots__ = (
        "bars", "bucket", "close", "high", "key", "low", "minute_end", "run_close", "run_high", "run_low", "told",
        "whole",
    )

    def __init__(self, key: tuple[str, str]) -> None:
        self.key = key
        self.minute_end = 0
        self.high = self.low = self.close = 0.0
        self.bucket = -1
        """Number of the bar that is running; -1 for none."""
        self.run_high = self.run_low = self.run_close = 0.0
        self.whole = False
        """Whether the running bar was heard from its beginning on."""
        self.told = False
        self.bars: list[Candle] = []

    def begin_minute(self, at: int, price: float) -> None:
        """Let the minute of `at` run, with its first price."""
        self.minute_end = at - at % MINUTE + MINUTE
        self.high = self.low = self.close = price

    def tear(self) -> None:
        """The line was down: what runs will be no bar, nor one that begins before there is a price again."""
        self.minute_end, self.bucket, self.whole = 0, -1, False

    def forget(self) -> None:
        """Begin anew: bars of another length are wanted."""
        self.bars.clear()
        self.bucket, self.whole, self.told = -1, False, False

    def end_minute(self, at: int, span: int, keep: int) -> bool:
        """Fold the minute that was over at `at` into bars of `span` ns; True where that ended one."""
        if self.told:
            return False
        start = self.minute_end - MINUTE
        ended = self._enter(start, span, keep)
        self._stretch(self.high, self.low, self.close)
        return self._leave(at, span, keep) or ended

    def hear_bar(self, bar: Bar, span: int, keep: int) -> bool:
        """Take in a sound bar that a feed told; True where it gave or ended one of `span` ns."""
        if bar.interval > span or span % bar.interval:
            return False
        if not self.told:
            self.forget()
            self.told = True
        if bar.interval == span:
            return self._put(Candle(bar.venue_at, bar.high, bar.low, bar.close), keep)
        if bar.venue_at // span < self.bucket:
            return False
        ended = self._enter(bar.venue_at, span, keep)
        self._stretch(bar.high, bar.low, bar.close)
        return self._leave(bar.venue_at + bar.interval, span, keep) or ended

    def _enter(self, start: int, span: int, keep: int) -> bool:
        """Let the bar in which `start` lies run; True where that ended another one."""
        bucket = start // span
        if bucket == self.bucket:
            return False
        followed = self.bucket >= 0
        ended = self._finish(span, keep)
        self.bucket = bucket
        self.run_high = self.run_low = 0.0
        # Whoever was there in the bar before misses nothing of this one, even if it begins without a price.
        self.whole = (followed and not self.told) or start == bucket * span
        return ended

    def _stretch(self, high: float, low: float, close: float) -> None:
        self.run_high = max(self.run_high, high)
        self.run_low = low if self.run_low == 0.0 else min(self.run_low, low)
        self.run_close = close

    def _leave(self, at: int, span: int, keep: int) -> bool:
        """End the running bar if it is over at `at`."""
        return at >= (self.bucket + 1) * span and self._finish(span, keep)

    def _finish(self, span: int, keep: int) -> bool:
        whole = self.bucket >= 0 and self.whole and self.run_low > 0.0
        added = whole and self._put(Candle(self.bucket * span, self.run_high, self.run_low, self.run_close), keep)
        self.run_low = 0.0
        return added

    def _put(self, candle: Candle, keep: int) -> bool:
        """Add a finished bar in its place; the one that is there already stays."""
        place = bisect_left(self.bars, candle.start, key=lambda one: one.start)
        if place < len(self.bars) and self.bars[place].start == candle.start:
            return False
        self.bars.insert(place, candle)
        del self.bars[:-keep]
        return True

    def dump(self) -> Data:
        """Return everything as JSON data."""
        return [
            *self.key, self.minute_end, self.high, self.low, self.close, self.bucket, self.run_high, self.run_low,
            self.run_close, self.whole, self.told, [list(bar) for bar in self.bars],
        ]

    @classmethod
    def load(cls, data: Data) -> Course:
        """Return what `dump` wrote."""
        venue, symbol, *rest, bars = data
        made = cls((venue, symbol))
        (
            made.minute_end, made.high, made.low, made.close, made.bucket, made.run_high, made.run_low,
            made.run_close, made.whole, made.told,
        ) = rest
        made.bars = [Candle(*bar) for bar in bars]
        return made
