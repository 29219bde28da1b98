"""The last price of each day of every symbol that was heard, over restarts: what a day can do to a position.

Days are of UTC, as venues count their daily bars. A price of ours ends a day only if it is of
the day's last hour; where a feed tells the day's own bar, that one stands.
"""

from __future__ import annotations

import struct
from base64 import b64decode, b64encode
from collections.abc import Mapping

from engine.model.codec import Data
from engine.model.time import DAY, HOUR
from engine.risk.course import units

PARTS = 10**9
"""Returns are integers, in billionths."""
NEAR = HOUR
"""How far before its end a day's last price may be: a return is of a day or it is none."""


def returns_of(closes: Mapping[int, float]) -> dict[int, int]:
    """Return day -> return of that day in billionths, the nearest; a day whose eve is missing has none."""
    found: dict[int, int] = {}
    for day in sorted(closes):
        eve = closes.get(day - 1)
        if eve is not None:
            before = units(eve)
            # Whole numbers throughout: the half is added before the division rounds down.
            found[day] = (2 * PARTS * (units(closes[day]) - before) + before) // (2 * before)
    return found


class Days:
    """The closes of one symbol, by number of day since 1970."""

    __slots__ = ("_at", "_packed", "_price", "_told", "closes")

    def __init__(self) -> None:
        self.closes: dict[int, float] = {}
        self._told: set[int] = set()
        self._at = 0
        """Until when (ns) we heard, and the price then."""
        self._price = 0.0
        self._packed: list[str] | None = None

    def hear(self, until: int, price: float, keep: int) -> None:
        """Take our own last price of what ended at `until` (ns), which only rises; keep the newest `keep` closes."""
        if until <= self._at:
            return
        if self._at and (until - 1) // DAY != (self._at - 1) // DAY:
            self._end(keep)
        self._at, self._price = until, price

    def settle(self, now: int, keep: int) -> None:
        """End the day of the last price, if it is over at `now` (ns)."""
        if self._at and now >= ((self._at - 1) // DAY + 1) * DAY:
            self._end(keep)

    def tell(self, day: int, close: float, keep: int) -> None:
        """Take the close of `day` as a feed tells it."""
        if self.closes.get(day) != close or day not in self._told:
            self._told.add(day)
            self._put(day, close, keep)

    def _end(self, keep: int) -> None:
        day = (self._at - 1) // DAY
        if day not in self.closes and self._at > (day + 1) * DAY - NEAR:
            self._put(day, self._price, keep)

    def _put(self, day: int, close: float, keep: int) -> None:
        self._packed = None
        self.closes[day] = close
        while len(self.closes) > keep:
            oldest = min(self.closes)
            del self.closes[oldest]
            self._told.discard(oldest)

    def dump(self) -> Data:
        """Return everything as JSON data, the closes as texts that are made once a day: base64 of little-endian."""
        if self._packed is None:
            days = sorted(self.closes)
            self._packed = [
                _text(struct.pack(f"<{len(days)}i", *days)),
                _text(struct.pack(f"<{len(days)}d", *(self.closes[day] for day in days))),
                _text(struct.pack(f"<{len(self._told)}i", *sorted(self._told))),
            ]
        return [self._at, self._price, *self._packed]

    @classmethod
    def load(cls, data: Data) -> Days:
        """Return what `dump` wrote."""
        made = cls()
        made._at, made._price, days, closes, told = data
        raw = b64decode(closes, validate=True)
        values = struct.unpack(f"<{len(raw) // 8}d", raw)
        made.closes = dict(zip(_days(days), values, strict=True))
        made._told = set(_days(told))
        return made


def _text(raw: bytes) -> str:
    return b64encode(raw).decode("ascii")


def _days(text: str) -> tuple[int, ...]:
    raw = b64decode(text, validate=True)
    return struct.unpack(f"<{len(raw) // 4}i", raw)
