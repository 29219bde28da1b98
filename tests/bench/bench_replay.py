"""Two rule sets over generated history: the core of `engine rules diff`, by columns and step by step.

`python -m tests.bench.bench_replay [--days N] [--symbols N] [--rules N]`; two days without words,
30 days of 20 symbols at a sample a second with 100 rules is what the goals are for. The
history is written to a temporary directory, which takes 0.5 GB for 30 days, and removed.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from engine.adapters.history_parquet import ParquetHistory, ParquetHistoryWriter
from engine.model.history import HistoryHeader, Row
from engine.model.restraints import Level, Restraint
from engine.model.time import DAY, MS, SECOND, parse_instant
from engine.ports.history import SeriesColumn
from engine.ruleset.ruling import Ruling
from engine.ruleset.spec import Latching, RuleKind, RuleSet, RuleSpec
from engine.signals.catalogue import Catalogue
from engine.workbench.fast import FastReplay, fast_replay_told
from engine.workbench.history_memory import MemoryHistory
from engine.workbench.replay import ReplayOptions, replay
from tests.ruleset.notation import rule, signal

BEGIN = parse_instant("2026-01-01T00:00:00Z")
SECONDS, NANOSECONDS, MEMORY = 120.0, 10.0, 2.0
STEPPED = 200_000
"""Records of the step by step replay: it is measured on a part, and told as a rate."""
CATALOGUE = Catalogue([
    signal("premium_bps", ("venue", "symbol"), max_age=10 * SECOND, producer="feed.market", resolution=0.01),
    signal("spread_bps", ("venue", "symbol"), max_age=180 * SECOND, producer="feed.market", resolution=0.01),
])


@dataclass(frozen=True, slots=True)
class Size:
    """How much is replayed."""

    days: int
    symbols: int
    rules: int

    @property
    def rows(self) -> int:
        """Samples of the signal that every rule reads."""
        return self.days * self.symbols * 86_400


def header(size: Size) -> HistoryHeader:
    """Return what the generated history covers: every sample is there."""
    return HistoryHeader(
        name="generated", first_at=BEGIN, last_at=BEGIN + size.days * DAY, producers=("feed.market",),
        complete=tuple(CATALOGUE.specs), decimated=(), catalogue_digest=CATALOGUE.digest, rules_digest="",
        has_rearms=False,
    )


def generate(path: Path, size: Size) -> None:
    """Write the history: a walk of a premium a symbol at 1 Hz, with an outage a day, and a spread each minute."""
    draw = np.random.default_rng(7)
    writer = ParquetHistoryWriter(path, header(size))
    last = np.zeros(size.symbols)
    number = batch = 0
    for day in range(size.days):
        begin = BEGIN + day * DAY
        for symbol in range(size.symbols):
            labels = ("paper", f"S{symbol:02d}USDT")
            walk = last[symbol] + np.cumsum(draw.normal(0.0, 0.25, 86_400) - 0.00002 * last[symbol])
            last[symbol] = walk[-1] * 0.9
            at = begin + symbol * MS + np.arange(86_400, dtype=np.int64) * SECOND
            places = np.arange(86_400, dtype=np.int64) * (size.symbols * 2) + symbol * 2
            status = np.zeros(86_400, np.uint8)
            out = int(draw.integers(1_000, 80_000))
            status[out:out + 60] = 1
            column = SeriesColumn(
                at=at, batch=batch + places, value=np.round(walk, 2).astype(np.float64), status=status, event_at=at
            )
            writer.add_column(("premium_bps", labels), column, number + places)
            minutes = places[::60] + 1
            spread = np.round(np.abs(draw.normal(5.0, 2.0, 1_440)), 2).astype(np.float64)
            column = SeriesColumn(
                at=at[::60] + MS // 2, batch=batch + minutes, value=spread, status=np.zeros(1_440, np.uint8),
                event_at=at[::60],
            )
            writer.add_column(("spread_bps", labels), column, number + minutes)
        number += 86_400 * size.symbols * 2
        batch += 86_400 * size.symbols * 2
        writer.flush(day + 1)
    writer.close()


def ruling(size: Size, raised: float) -> Ruling:
    """Return the rules, each by venue and symbol, their thresholds times `raised`."""
    rules = tuple(sorted((_rule(place, raised) for place in range(size.rules)), key=lambda one: one.id))
    return Ruling(
        rules=RuleSet(rules=rules, digest=str(raised), files=("rules/bench.yaml",)), catalogue=CATALOGUE,
        flag_specs={}, flag_file={}, flag_environment={},
    )


def _rule(place: int, raised: float) -> RuleSpec:
    limit = (120.0 + 2 * place) * raised
    fields: dict[str, Any] = {
        "id": f"guard.r{place:03d}", "by": ("venue", "symbol"), "unknown_grace": 20, "min_clear": 5,
        "restrain": Restraint(level=Level.ENTRIES_PAUSED),
    }
    match place % 10:
        case 0:
            return rule(f"abs(premium_bps) >= {limit} and spread_bps > 8", hold_for=30, **fields)
        case 1:
            return rule(f"held(premium_bps >= {limit}, 60)", **fields)
        case 2:
            return rule(f"premium_bps >= {limit}", clear_expr=f"premium_bps < {limit / 2}", cooldown=600, **fields)
        case 3:
            return rule(f"premium_bps <= {-limit}", latch=Latching.MANUAL, **{**fields, "kind": RuleKind.KILL})
        case 4:
            return rule(f"premium_bps / 100 > {limit / 100} or premium_bps / 100 < {-limit / 100}", **fields)
    return rule(f"premium_bps >= {limit}", hold_for=10, keep_firing_for=60, **fields)


def processor_seconds() -> float:
    """Return how long this process and those it waited for held a core."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def peak() -> float:
    """Return GB of memory that this process and two workers held at most, as if all three peaked together."""
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return (own + 2 * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) / 1e6


def fast(path: Path, size: Size, workers: int) -> float:
    """Print one row a rule set and the sum; return the seconds."""
    total, answers, before = 0.0, 0, processor_seconds()
    print(f"\nby columns, {workers} processes: {size.days} days x {size.symbols} symbols at 1 Hz "
          f"({size.rows:,} rows), {size.rules} rules by symbol")
    for name, raised in (("base", 1.0), ("head", 1.1)):
        begun = time.perf_counter()
        found: FastReplay = fast_replay_told(
            ruling(size, raised), ParquetHistory(path), options=ReplayOptions(rearm="on-clear"), workers=workers
        )
        seconds = time.perf_counter() - begun
        total, answers = total + seconds, answers + found.answers
        moves = sum(len(one.transitions) for one in found.timeline.instances.values())
        print(f"  {name}: {seconds:>7.1f} s  {found.answers:>15,} answers  {found.points:>10,} points replayed  "
              f"{moves:>9,} transitions  {len(found.exact)} rules step by step")
    held = processor_seconds() - before
    print(f"  both: {total:>7.1f} s by the clock (goal < {SECONDS:.0f} at 30 days), {held:.1f} s of the cores; "
          f"{held * 1e9 / answers:.1f} ns a row, rule and core (goal <= {NANOSECONDS:.0f}); {peak():.2f} GB at most "
          f"(goal < {MEMORY:.0f})")
    return total


def stepped(path: Path, size: Size) -> float:
    """Print and return events a second of the step by step replay, over the first rows."""
    history = ParquetHistory(path)
    records = list(islice(history.records(), STEPPED))
    part = MemoryHistory(header(size), records)
    begun = time.perf_counter()
    replay(ruling(size, 1.0), part, options=ReplayOptions(rearm="on-clear", end=records[-1].at + 1))
    seconds = time.perf_counter() - begun
    rate = len(records) / seconds
    whole = 2 * size.rows / rate
    rows = sum(isinstance(one, Row) for one in records)
    print(f"step by step: {rate:,.0f} events/s over {rows:,} rows; all of it would take {whole / 3600:.1f} h")
    return rate


def bench(size: Size, workers: int = 2) -> None:
    """Generate, replay by columns, and replay a part step by step."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "history"
        begun = time.perf_counter()
        generate(path, size)
        held = sum(file.stat().st_size for file in path.rglob("*") if file.is_file()) / 1e6
        print(f"\nhistory of {size.days} days generated in {time.perf_counter() - begun:.1f} s, {held:,.0f} MB; "
              f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
        fast(path, size, workers)
        stepped(path, size)


def main() -> None:
    """Bench as asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--days", type=int, default=2)
    parser.add_argument("--symbols", type=int, default=20)
    parser.add_argument("--rules", type=int, default=100)
    parser.add_argument("--workers", type=int, default=2)
    chosen = parser.parse_args()
    bench(Size(chosen.days, chosen.symbols, chosen.rules), chosen.workers)


if __name__ == "__main__":
    main()
