"""`python -m tests.bench.bench_bars`: what a followed symbol costs a quote, the end of a minute and a checkpoint."""

from __future__ import annotations

import json
import time

from engine.model.market import Quote
from engine.model.time import MINUTE, MS
from engine.risk.prices import Prices
from engine.risk.wanted import DEFAULTS

SYMBOLS, QUOTES = 50, 400_000


def main() -> None:
    """Measure and print; no assertion, for machines differ."""
    quotes = [
        Quote("paper", f"S{number % SYMBOLS}USDT", 100.0 + number % 7, 1.0, 100.1 + number % 7, 1.0, at, at)
        for number in range(QUOTES) if (at := number * MS)
    ]
    prices, flags = Prices(), dict(DEFAULTS)
    times = []
    for _ in range(3):
        prices = Prices()
        began = time.process_time_ns()
        for quote in quotes:
            prices.on_event(quote, quote.received_at, flags)
        times.append((time.process_time_ns() - began) / len(quotes))
    began = time.process_time_ns()
    for _ in quotes:
        pass
    loop = (time.process_time_ns() - began) / len(quotes)
    print(f"a quote of a followed symbol     {min(times) - loop:8.0f} ns, ends of minutes included")
    at, ends = quotes[-1].received_at, 0
    began = time.process_time_ns()
    for minute in range(1, 400):
        for number in range(SYMBOLS):
            now = at + minute * MINUTE
            prices.on_event(Quote("paper", f"S{number}USDT", 100.0, 1.0, 100.1, 1.0, now, now), now, flags)
            ends += 1
    print(f"the end of a minute              {(time.process_time_ns() - began) / ends:8.0f} ns")
    for symbol in range(SYMBOLS):
        for day in range(251):
            prices._known["paper", f"S{symbol}USDT"].days.tell(day, 100.0 + day, 251)
    prices.dump()
    began = time.process_time_ns()
    size = len(json.dumps(prices.dump()))
    took_ms = (time.process_time_ns() - began) / 1e6
    print(f"a checkpoint of {SYMBOLS} symbols        {took_ms:8.2f} ms, {size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
