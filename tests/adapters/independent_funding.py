"""The funding episodes of a file of payments, computed from the file alone.

Shares no code with the engine: rates are the file's numbers, times are milliseconds. The engine's
guard.funding.spike must find the same list for a position that is held all the time.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

H_MS, MIN_MS = 3_600_000, 60_000
CONFIRMED_MS, CLEARED_MS = MIN_MS, 30 * MIN_MS


def payments_of(path: Path) -> list[tuple[int, float]]:
    """Return (ms since the epoch, rate as a fraction) in order of time."""
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(path)
    time = next(name for name in ("ts_ms_utc", "funding_time_ms") if name in table.column_names)
    rows = zip(table[time].to_pylist(), table["funding_rate"].to_pylist(), strict=True)
    return sorted((row for row in rows if row[1] is not None), key=lambda row: row[0])


def per_eight_hours(payments: list[tuple[int, float]]) -> list[tuple[int, float, int]]:
    """Return (ms, per cent for eight hours, hours apart in ms) of every payment whose interval can be told.

    The interval is the time since the payment before, to the minute; more than eight hours are a hole in the
    file, and then it is the one before. Of the first payment it cannot be told.
    """
    found: list[tuple[int, float, int]] = []
    interval = 0
    for (before, _), (at, rate) in pairwise(payments):
        apart = round((at - before) / MIN_MS) * MIN_MS
        if 0 < apart <= 8 * H_MS:
            interval = apart
        if interval:
            found.append((at, rate * 8 * H_MS / interval * 100, interval))
    return found


def episodes(payments: list[tuple[int, float]], threshold_pct: float, side: int) -> list[int]:
    """Return the instants (ms) at which a position held all the time (`side` +1 long, -1 short) is trimmed.

    A payment counts until the next. At the threshold or over it for a minute is a spike, and half an hour
    under half of it ends it. So does nothing else: not a hole in the file.
    """
    known = per_eight_hours(payments)
    fired: list[int] = []
    on = False
    slack = 1e-9 * max(1.0, threshold_pct)
    for number, (at, rate, interval) in enumerate(known):
        cost = rate * side
        until = known[number + 1][0] if number + 1 < len(known) else at + interval
        # What is ten minutes late is not known any more.
        until = min(until, at + interval + 10 * MIN_MS)
        if not on and cost >= threshold_pct - slack and until - at >= CONFIRMED_MS:
            fired.append(at + CONFIRMED_MS)
            on = True
        elif on and cost < threshold_pct / 2 - slack and until - at >= CLEARED_MS:
            on = False
    return fired
