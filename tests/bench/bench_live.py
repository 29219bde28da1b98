"""Live orders over real sockets: `python -m tests.bench.bench_live [--quick]`, about five minutes on two idle cores.

This process is the venue (`live_venue`), the engine is a process of its own (`live_engine`), ccxt is
unmodified, the journal is on the disk and synced. Both stamp with the wall's clock of this machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench import live_report
from tests.bench.live_guest import Engine, started
from tests.bench.live_venue import DOWN, FLAT, NEAR, STEADY, UP, BenchVenue, memory_kb, until

BATCH, BATCH_S = 8, 1.7
READY_S = 60.0
AGAIN_S = 4.0


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is done: the whole bench, or a look at whether it works."""

    orders: int = 240
    halts: int = 20
    bursts: tuple[int, ...] = (1, 10, 50, 100)
    kills: int = 6
    idle_s: float = 10.0


QUICK = Sizes(orders=24, halts=2, bursts=(1, 10), kills=1, idle_s=3.0)


@asynccontextmanager
async def market(symbols: Iterable[str]) -> AsyncIterator[BenchVenue]:
    """A venue with a market that is alive; engines that were left at it are killed at the end."""
    async with BenchVenue((STEADY, *symbols)) as venue:
        steady = asyncio.create_task(venue.steady())
        try:
            yield venue
        finally:
            steady.cancel()
            for guest in venue.guests:
                if guest.returncode is None:
                    guest.kill()
            await asyncio.gather(steady, *(guest.wait() for guest in venue.guests), return_exceptions=True)


def named(letter: str, count: int) -> tuple[str, ...]:
    """Return names of symbols."""
    return tuple(f"{letter}{number:03}USDT" for number in range(count))


async def story(venue: BenchVenue, symbol: str, *, tries: int = 3) -> bool:
    """Bring one announced symbol from its trigger to its end; False where the engine bought nothing.

    The trigger is told again every few seconds, because a quote older than that is rightly no reason to buy.
    """
    stopped = venue.stopped[symbol]
    for turn in range(tries):
        venue.quote(symbol, UP + turn * 0.0001)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopped.wait(), AGAIN_S)
            break
        venue.again += 1
    await asyncio.sleep(0.4)
    await ended(venue, (symbol,))
    return stopped.is_set()


async def ended(venue: BenchVenue, symbols: Iterable[str]) -> None:
    """Have the price fall through the stops, and wait until nothing is left."""
    symbols = tuple(symbols)
    for symbol in symbols:
        venue.quote(symbol, DOWN)
    await until(lambda: all(venue.flat(symbol) for symbol in symbols), 30, f"{symbols[:3]} to be flat")
    for symbol in symbols:
        venue.quote(symbol, FLAT)


async def ready(venue: BenchVenue, engine: Engine) -> None:
    """Wait until the engine may enter: reconciled, its stop probe passed, its market heard."""
    begun = time.monotonic()
    while [key.split()[0] for _, kind, key in engine.now_rows() if kind == "policy"][-1:] != ["normal"]:
        if engine.process.returncode is not None or time.monotonic() - begun > READY_S:
            raise AssertionError(f"the engine does not come to trade: {engine.now_rows()[-3:]}")
        await asyncio.sleep(0.05)


async def near(venue: BenchVenue, symbols: Iterable[str]) -> None:
    """Bring prices just below the trigger, and give their books the time to be told."""
    await asyncio.sleep(0.1)
    for symbol in symbols:
        venue.quote(symbol, NEAR)
    await asyncio.sleep(0.5)


async def announced(venue: BenchVenue, engine: Engine, symbols: tuple[str, ...]) -> None:
    """Have symbols announced, and heard."""
    since = time.time_ns()
    groups = [symbols[at:at + BATCH] for at in range(0, len(symbols), BATCH)]
    for group in groups:
        venue.announce(group)
    for group in groups:
        await engine.heard(group, since)
    await near(venue, symbols)


async def warmed(venue: BenchVenue, engine: Engine, symbol: str) -> None:
    """Have the engine live through one whole story."""
    await ready(venue, engine)
    await announced(venue, engine, (symbol,))
    if not await story(venue, symbol, tries=8):
        raise AssertionError(f"the engine does not enter: {engine.now_rows()[-5:]}")


# The parts.


async def many_stories(venue: BenchVenue, engine: Engine, sizes: Sizes) -> tuple[int, int]:
    """Play stories one after another, a few at a time; return from when to when (ns)."""
    symbols = named("L", 120)
    began, tasks = time.time_ns(), []
    following = [symbols[number % len(symbols)] for number in range(sizes.orders)]
    batches = [tuple(following[at:at + BATCH]) for at in range(0, len(following), BATCH)]
    venue.announce(batches[0])
    told = began
    for number, batch in enumerate(batches):
        await engine.heard(batch, told)
        await near(venue, batch)
        if number + 1 < len(batches):
            told = time.time_ns()
            venue.announce(batches[number + 1])
        for symbol in batch:
            tasks.append(asyncio.create_task(story(venue, symbol)))
            await asyncio.sleep(BATCH_S / BATCH)
    await asyncio.gather(*tasks)
    return began, time.time_ns()


async def halts(venue: BenchVenue, engine: Engine, sizes: Sizes) -> list[tuple[int, int]]:
    """Halt in the middle of a run of entries, again and again; return when each halt was sent and lifted (ns)."""
    symbols, found = named("H", 60), []
    for turn in range(sizes.halts):
        group = symbols[turn % 3 * 20:turn % 3 * 20 + 20]
        await announced(venue, engine, group)
        asked: asyncio.Task[tuple[int, Any]] | None = None
        for number, symbol in enumerate(group):
            venue.quote(symbol, UP)
            if number == 10:
                asked = asyncio.create_task(engine.ask("halt", reason="bench"))
            await asyncio.sleep(0.004)
        assert asked is not None
        sent, _ = await asked
        # Still above the trigger: whoever would enter after all has its time.
        await asyncio.sleep(0.4)
        lifted = time.time_ns()
        await ended(venue, group)
        await engine.ask("resume")
        await ready(venue, engine)
        found.append((sent, lifted))
    return found


async def burst(venue: BenchVenue, engine: Engine, symbols: tuple[str, ...]) -> dict[str, float]:
    """Trigger `symbols` at once; return orders a second until the last of them was sent, and who worked."""
    count = len(symbols)
    await announced(venue, engine, symbols)
    before, mine, theirs = len(venue.posts), time.process_time(), engine.processor_s()
    began, used, seen = time.time_ns(), (0.0, 0.0), 0
    for symbol in symbols:
        venue.quote(symbol, UP)
    ends = time.monotonic() + 20
    quiet = time.monotonic() + 5
    # Nothing within seconds, or nothing more for long, ends it too: then something was refused, and the row tells.
    while time.monotonic() < min(ends, quiet) and seen < 5 * count:
        await asyncio.sleep(0.005)
        if len(venue.posts) - before > seen:
            seen, quiet = len(venue.posts) - before, time.monotonic() + 3
            used = time.process_time() - mine, engine.processor_s() - theirs
    if not seen:
        raise AssertionError(f"no entry: {engine.now_rows()[-5:]}")
    took = (max(post.done for post in venue.posts[before:]) - began) / 1e9
    await ended(venue, [symbol for symbol in symbols if not venue.flat(symbol)])
    return {
        "at once": count, "orders": seen, "seconds": took, "venue": used[0], "engine": used[1], "began": began,
    }


async def kills(venue: BenchVenue, place: Path, sizes: Sizes) -> tuple[list[dict[str, float]], int]:
    """Kill the engine once the venue decided about its entry, before the reply leaves; how long until all is well.

    Return the durations (s) of each kill, and the memory (KiB) of an engine that has nothing to do.
    """
    symbols, found = named("K", sizes.kills + 1), []
    engine = await started(venue, place / "killed", "killed-0")
    await warmed(venue, engine, symbols[-1])
    await asyncio.sleep(sizes.idle_s)
    idle = memory_kb(engine.process.pid, "VmRSS")
    for turn in range(sizes.kills):
        symbol, victim = symbols[turn], engine.process
        dead: list[int] = []

        def kill(post: object, victim: asyncio.subprocess.Process = victim, dead: list[int] = dead) -> None:
            victim.kill()
            dead.append(time.time_ns())

        await ready(venue, engine)
        await announced(venue, engine, (symbol,))
        venue.on_entry = kill
        for _ in range(10):
            venue.quote(symbol, UP)
            with contextlib.suppress(AssertionError):
                await until(lambda dead=dead: bool(dead), AGAIN_S, "an entry")  # type: ignore[misc]
                break
        venue.on_entry = lambda post: None
        if not dead:
            raise AssertionError(f"no entry to be killed at: {engine.now_rows()[-5:]}")
        await victim.wait()
        engine = await started(venue, place / "killed", f"killed-{turn + 1}")
        await asyncio.wait_for(venue.stopped[symbol].wait(), 60)
        stop = next(post.done for post in venue.posts if post.stop and post.symbol == symbol and post.status == 200)
        rows = await _agreed(engine)
        found.append({
            name: (at - dead[0]) / 1e9 for name, at in (("begun", rows[0][0]), ("stop", stop), ("agreed", rows[-1][0]))
        })
        await ended(venue, (symbol,))
    await engine.stop()
    return found, idle


async def _agreed(engine: Engine) -> list[tuple[int, str, str]]:
    """Wait until the account is reconciled; return the stamps up to then."""
    ends = time.monotonic() + 60
    while time.monotonic() < ends:
        rows, restrained = engine.now_rows(), False
        for number, (_, kind, key) in enumerate(rows):
            level = key.split()[0] if kind == "policy" else ""
            if restrained and level in ("normal", "entries_paused"):
                return rows[:number + 1]
            restrained |= level in ("reduce_only", "halted")
        await asyncio.sleep(0.02)
    raise AssertionError(f"not reconciled: {engine.now_rows()}")


async def live(place: Path, sizes: Sizes) -> dict[str, Any]:
    """Run all parts; return what was found."""
    load = os.getloadavg()
    async with market((*named("W", 1), *named("L", 120), *named("H", 60), *named("T", sum(sizes.bursts)))) as venue:
        began = time.monotonic()
        engine = await started(venue, place / "state", "live")
        await warmed(venue, engine, "W000USDT")
        idle, used = time.time_ns(), [engine.processor_s()]
        await asyncio.sleep(5)
        used.append(engine.processor_s())
        span = await many_stories(venue, engine, sizes)
        used.append(engine.processor_s())
        halted = await halts(venue, engine, sizes)
        bursts = [
            await burst(venue, engine, named("T", sum(sizes.bursts))[sum(sizes.bursts[:turn]):][:count])
            for turn, count in enumerate(sizes.bursts)
        ]
        memory = {"peak": memory_kb(engine.process.pid, "VmHWM"), "after": memory_kb(engine.process.pid, "VmRSS")}
        lived = time.monotonic() - began
        await engine.stop()
        answered = Counter(post.status for post in venue.posts)
        posts, again = venue.posts, venue.again
    async with market(named("K", sizes.kills + 1)) as venue:
        killed, nothing = await kills(venue, place, sizes)
    return {
        "load": (load, os.getloadavg()), "posts": posts, "answered": answered, "marks": engine.found, "idle": idle,
        "used": used, "span": span, "halts": halted, "bursts": bursts, "kills": killed, "lived": lived,
        "memory": {**memory, "idle": nothing}, "again": again,
    }


def bench(sizes: Sizes | None = None) -> None:
    """Print what the live path takes."""
    with tempfile.TemporaryDirectory() as folder:
        live_report.show(asyncio.run(live(Path(folder), sizes or Sizes())))


if __name__ == "__main__":
    bench(QUICK if "--quick" in sys.argv[1:] else None)
