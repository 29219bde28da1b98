"""`python -m tests.bench.depeg_table`: the depegs on record, and when each threshold halts, as Markdown.

Run through the shipped rules and computed once more by a few lines that share no code with them; where the two
differ it says so and exits 1. Minutes are counted to the halt, from the first round that was at least the threshold
away since the coin was last within half of it (the three windows, and rounds that were back before they were over),
and from the first that was away by the smallest threshold: what waiting for a larger one costs.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from tests.adapters.independent_depeg import PAR, DepegEpisode, episodes, rounds_of
from tests.simulation.depeg_runs import FILES, fired, imported, root_with_old_oracle, set_flag

THRESHOLDS_PCT = (0.3, 0.5, 1.0, 2.0)


def first_breaks(rounds: Sequence[tuple[int, int]], found: Sequence[DepegEpisode], threshold_pct: float) -> list[int]:
    """Return when each episode's coin was first away (s), since it was last within half the threshold."""
    fires_at, calm = PAR * threshold_pct / 100, PAR * threshold_pct / 200
    broken: list[int] = []
    for one in found:
        first = one.fired_s
        for at_s, answer in reversed([row for row in rounds if row[0] <= one.fired_s]):
            if abs(answer - PAR) < calm:
                break
            if abs(answer - PAR) >= fires_at:
                first = at_s
        broken.append(first)
    return broken


def row(coin: str, threshold_pct: float, place: Path) -> tuple[str, bool]:
    """Return a line of the table, and whether the rules and the independent lines agree."""
    root = root_with_old_oracle(place / f"{coin}-{threshold_pct}")
    set_flag(root, "DEPEG_THRESHOLD_PCT", threshold_pct)
    rounds = rounds_of(FILES[coin])
    found, expected = fired(coin, root, imported(coin, place)), episodes(rounds, threshold_pct)
    waits, strays = (
        [(one.fired_s - first) / 60 for one, first in zip(found, first_breaks(rounds, found, pct), strict=True)]
        for pct in (threshold_pct, THRESHOLDS_PCT[0])
    )
    held = sum((one.cleared_s or rounds[-1][0]) - one.fired_s for one in found) / 3600
    days = ", ".join(dict.fromkeys(datetime.fromtimestamp(one.fired_s, tz=UTC).date().isoformat() for one in found))
    minutes = f"{_span(waits)} | {_span(strays)}"
    line = f"| {coin.upper()} | {threshold_pct:g} % | {len(found)} | {minutes} | {held:.1f} | {days} |"
    return line, found == expected


def _span(minutes: Sequence[float]) -> str:
    return f"{median(minutes):.0f} ({min(minutes):.0f} to {max(minutes):.0f})" if minutes else "none"


def main() -> int:
    """Print the table."""
    print(
        "| coin | threshold | episodes | minutes from the first break to the halt: median (least to most) "
        f"| from the first {THRESHOLDS_PCT[0]:g} % | hours away | days |"
    )
    print("|---|---|---|---|---|---|---|")
    agreed = True
    with tempfile.TemporaryDirectory() as folder:
        for coin in FILES:
            for threshold_pct in THRESHOLDS_PCT:
                line, same = row(coin, threshold_pct, Path(folder))
                agreed &= same
                print(line if same else f"{line} THE INDEPENDENT COMPUTATION DIFFERS")
    return 0 if agreed else 1


if __name__ == "__main__":
    sys.exit(main())
