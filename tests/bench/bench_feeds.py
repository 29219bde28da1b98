"""What one message of a live feed costs: reading it, and bringing it over a socket of this computer."""

from __future__ import annotations

import asyncio
import json
import statistics
import time

from engine.adapters.clock_system import SystemClock
from engine.adapters.feed_binance import BinanceFeed, BinanceFeedSettings
from engine.adapters.feed_binance_parse import Reader
from engine.adapters.feed_outside import Outside
from engine.model.market import MarketEvent, Quote
from tests.bench.timing import medians, nanoseconds

AT_MS, MESSAGES = 1_790_000_000_000, 20_000


def quote(number: int) -> bytes:
    """Return a bookTicker as the venue sends it."""
    return json.dumps({
        "e": "bookTicker", "u": 5_123_107_839_020 + number, "s": "BTCUSDT", "b": "61800.20", "B": "2.507",
        "a": "61800.30", "A": "2.510", "T": AT_MS + number, "E": AT_MS + number,
    }, separators=(",", ":")).encode()


def trade(number: int) -> bytes:
    """Return an aggTrade as the venue sends it."""
    return json.dumps({
        "e": "aggTrade", "E": AT_MS, "s": "BTCUSDT", "a": number, "p": "61800.20", "q": "0.507", "f": 1, "l": 2,
        "T": AT_MS, "m": True,
    }, separators=(",", ":")).encode()


def diff(number: int) -> bytes:
    """Return a diff of ten levels a side."""
    levels = [[f"{61_800 + step / 10:.2f}", "0.507"] for step in range(10)]
    return json.dumps({
        "e": "depthUpdate", "E": AT_MS, "T": AT_MS, "s": "BTCUSDT", "U": number, "u": number, "pu": number - 1,
        "b": levels, "a": levels,
    }, separators=(",", ":")).encode()


def bench_reading() -> dict[str, float]:
    """Return ns of processor time to read one message of each kind."""
    number = iter(range(1, 1 << 40))
    made = {"bookTicker": quote, "aggTrade": trade, "depth, 20 levels": diff}
    batches = {name: [make(next(number)) for _ in range(1000)] for name, make in made.items()}

    def run(name: str) -> None:
        reader = Reader({"BTCUSDT"}, lambda read: None)
        for raw in batches[name]:
            reader.hear(raw, AT_MS)

    found = medians({name: (lambda name=name: run(name)) for name in made})  # type: ignore[misc]
    return {name: spent / 1000 for name, spent in found.items()}


async def bench_wire() -> dict[str, float]:
    """Return the delays (ns) and the processor time of the whole process for quotes over one socket."""
    from tests.adapters.feed_kit import loopback, until

    delays: list[int] = []
    clock = SystemClock()

    def tell(event: MarketEvent) -> None:
        if type(event) is Quote:
            delays.append(time.perf_counter_ns())

    async with loopback() as venue:
        settings = BinanceFeedSettings.at(venue.base, ("BTCUSDT",), streams=("bookTicker",), touches=False)
        feed = asyncio.create_task(BinanceFeed(settings, Outside(clock=clock, tell=tell)).run())
        await until(venue.subscribed)
        waits = []
        for number in range(1, 2001):
            sent = time.perf_counter_ns()
            await venue.say("btcusdt@bookTicker", quote(number).decode())
            while len(delays) < number:
                await asyncio.sleep(0)
            waits.append(delays[-1] - sent)
        told, begun, spent = len(delays), time.perf_counter_ns(), time.process_time_ns()
        for number in range(3000, 3000 + MESSAGES):
            await venue.say("btcusdt@bookTicker", quote(number).decode())
        while len(delays) < told + MESSAGES:
            await asyncio.sleep(0)
        wall, spent = time.perf_counter_ns() - begun, time.process_time_ns() - spent
        feed.cancel()
        await asyncio.wait({feed})
    cuts = statistics.quantiles(waits, n=100)
    return {"p50": cuts[49], "p99": cuts[98], "wall each": wall / MESSAGES, "processor each": spent / MESSAGES}


def bench() -> None:
    """Print what a live message costs."""
    print("live feeds")
    for name, spent in bench_reading().items():
        print(f"  reading {name}: {nanoseconds(spent)} (checked, ordered, counted, told)")
    wire = asyncio.run(bench_wire())
    print(f"  quote, sent to told on loopback, both ends in one process: p50 {nanoseconds(wire['p50'])}, "
          f"p99 {nanoseconds(wire['p99'])}")
    print(f"  a burst of {MESSAGES:,}: {nanoseconds(wire['wall each'])} each on the wall, "
          f"{nanoseconds(wire['processor each'])} of processor for both ends")


if __name__ == "__main__":
    bench()
