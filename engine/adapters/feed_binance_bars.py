"""Binance's klines to bars: those that ended, once each, by the stream as they end and by REST from before the start.

A line that comes late is the venue's own history: it is told like any other bar, and whoever
keeps bars puts it in its place.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from engine.adapters.feed_binance_parse import INF, VENUE, Read, Refused, plain, whole
from engine.adapters.feed_outside import UNREADABLE, Outside
from engine.adapters.feed_rest import Rest, Unanswered
from engine.model.market import Bar, MarketEvent
from engine.model.time import DAY, HOUR, MINUTE, MS, SECOND

INTERVALS: Mapping[str, int] = {
    "1m": MINUTE, "5m": 5 * MINUTE, "15m": 15 * MINUTE, "1h": HOUR, "4h": 4 * HOUR, "1d": DAY,
}
"""The lengths of bars that can be asked for, by the venue's words."""
HISTORY = 499
"""Bars of each length that are asked for at the start: the most that weigh 2 of the 2400 a minute that orders share."""
SETTLED = 5 * SECOND
"""A bar that ended less long ago by our clock may still be running by the venue's; the stream will tell it."""
LONGEST_AGAIN_S = 120.0
_GONE = frozenset({400, 404})


def _bar(symbol: str, start_ms: int, interval: int, texts: tuple[Any, ...], received_at: int) -> Bar:
    """Return a bar of (open, high, low, close, volume) as texts; Refused where it cannot be."""
    plain("".join(texts))
    opened, high, low, close, volume = (float(text) for text in texts)
    if not (0.0 < low <= min(opened, close) and max(opened, close) <= high < INF and 0.0 <= volume < INF):
        raise Refused("a bar cannot be")
    if start_ms * MS % interval:
        raise Refused("a bar begins where none does")
    return Bar(VENUE, symbol, opened, high, low, close, volume, interval, start_ms * MS, received_at)


def read_kline(data: Any, received_at: int) -> Read:
    """Return a kline that ended as a Bar; Refused for one that runs."""
    line = data["k"]
    interval = INTERVALS.get(line["i"])
    if line["x"] is not True or interval is None:
        raise Refused("a bar that has not ended")
    start = whole(line["t"])
    texts = (line["o"], line["h"], line["l"], line["c"], line["v"])
    return Read(_bar(data["s"], start, interval, texts, received_at), start, start)


def read_klines(rows: Any, symbol: str, interval: int, received_at: int) -> list[Bar]:
    """Return the answer to GET klines, but for what may not have ended; Refused says why it cannot be used."""
    try:
        return [
            _bar(symbol, whole(row[0]), interval, tuple(row[1:6]), received_at)
            for row in rows if whole(row[0]) * MS + interval <= received_at - SETTLED
        ]
    except UNREADABLE:
        raise Refused("not bars") from None


class BarHistory:
    """Fetches what was before, of one symbol after another."""

    def __init__(
        self, intervals: tuple[str, ...], outside: Outside, faults: Counter[str], tell: Callable[[MarketEvent], None]
    ) -> None:
        self._intervals, self._outside, self._faults, self._tell = intervals, outside, faults, tell
        self._wanted: asyncio.Queue[str] = asyncio.Queue()

    def want(self, symbol: str) -> None:
        """Have the bars of `symbol` fetched."""
        if self._intervals:
            self._wanted.put_nowait(symbol)

    async def run(self, rest: Rest, pause: int) -> None:
        """Fetch what is wanted until cancelled, `pause` (ns) between answers; what the venue does not know is left."""
        while True:
            symbol = await self._wanted.get()
            for name in self._intervals:
                await self._fetch(rest, symbol, name)
                await self._outside.sleep(pause / SECOND)

    async def _fetch(self, rest: Rest, symbol: str, name: str) -> None:
        params = {"symbol": symbol, "interval": name, "limit": str(HISTORY)}
        failures = 0
        while True:
            try:
                rows, _ = await rest.get("/fapi/v1/klines", params)
                bars = read_klines(rows, symbol, INTERVALS[name], self._outside.clock.now())
            except (Unanswered, Refused) as error:
                self._faults[f"bars: {error.kind if isinstance(error, Unanswered) else error}"] += 1
                if isinstance(error, Refused) or error.status in _GONE:
                    return
                failures += 1
                await self._outside.sleep(self._outside.backoff_s(failures + 2, LONGEST_AGAIN_S))
            else:
                for bar in bars:
                    self._tell(bar)
                return
