"""How the benches take time: medians of processor time over short interleaved rounds.

Processor time, because on a shared core the wall clock counts the neighbours too; short
and interleaved, because what they leave in the caches should hit all candidates alike.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping

Run = Callable[[], object]


def medians(candidates: Mapping[str, Run], *, rounds: int = 31, target_ms: float = 5.0) -> dict[str, float]:
    """Return the median ns of one call of each candidate; ratios inside one result are what counts."""
    counts = {name: _calibrate(run, target_ms * 1e6) for name, run in candidates.items()}
    samples: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(rounds):
        for name, run in candidates.items():
            samples[name].append(_timed(run, counts[name]))
    return {name: statistics.median(found) for name, found in samples.items()}


def _calibrate(run: Run, target_ns: float) -> int:
    run()
    count = 1
    while True:
        spent = _timed(run, count) * count
        if spent > target_ns / 4 or count > 1 << 22:
            return max(1, int(count * target_ns / max(spent, 1.0)))
        count *= 4


def _timed(run: Run, count: int) -> float:
    repeat = range(count)
    gc.disable()
    start = time.process_time_ns()
    for _ in repeat:
        run()
    spent = time.process_time_ns() - start
    gc.enable()
    return spent / count


def nanoseconds(value: float) -> str:
    """Return a duration as a person reads it."""
    if value < 1_000:
        return f"{value:,.1f} ns"
    return f"{value / 1e3:,.2f} us" if value < 1e6 else f"{value / 1e6:,.2f} ms"
