"""The depeg episodes of a file of oracle rounds, computed from the file alone.

Shares no code with the engine: prices are the integers of the rounds, times are seconds.
The engine's guard.depeg.usdt must find the same list.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

PAR = 10**8
CONFIRMED_AFTER_S = 3 * 60


@dataclass(frozen=True)
class DepegEpisode:
    """Seconds since the epoch; `cleared_s` is None where the file ends before it."""

    broken_s: int
    fired_s: int
    cleared_s: int | None


def rounds_of(path: Path) -> list[tuple[int, int]]:
    """Return (updated_at in s, answer times 1e8) of a Chainlink parquet file, in order of time."""
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(path, columns=["updated_at_s", "answer_e8"])
    rows = zip(table["updated_at_s"].to_pylist(), table["answer_e8"].to_pylist(), strict=True)
    return sorted(rows, key=lambda row: row[0])


def episodes(rounds: list[tuple[int, int]], threshold_pct: float = 0.5) -> list[DepegEpisode]:
    """Return the episodes in order: away by the threshold (inclusive), back under half of it.

    A round holds until the next. 30 h without one make the value unknown, which neither
    ends a firing nor, being longer than the confirmation, can come before it.
    """
    fires_at, clears_below = round(PAR * threshold_pct / 100), round(PAR * threshold_pct / 200)
    found: list[DepegEpisode] = []
    broken_s: int | None = None
    fired_s: int | None = None
    for (at_s, answer), (next_s, _) in zip(rounds, [*rounds[1:], (2**62, 0)], strict=True):
        deviation = abs(answer - PAR)
        if fired_s is not None and broken_s is not None and deviation < clears_below:
            found.append(DepegEpisode(broken_s, fired_s, at_s))
            broken_s = fired_s = None
        if fired_s is None:
            broken_s = (at_s if broken_s is None else broken_s) if deviation >= fires_at else None
            # A timer due at the very second of the next round comes before that round.
            if broken_s is not None and broken_s + CONFIRMED_AFTER_S <= next_s:
                fired_s = broken_s + CONFIRMED_AFTER_S
    if broken_s is not None and fired_s is not None:
        found.append(DepegEpisode(broken_s, fired_s, None))
    return found
