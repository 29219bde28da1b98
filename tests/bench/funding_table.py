"""`python -m tests.bench.funding_table`: how often a held BTC position would have been trimmed for its funding, a year.

Prints the table of docs/evidence.md from the recorded payments, by the shipped rule.
"""

from __future__ import annotations

from datetime import UTC, datetime

from engine.model.time import DAY, SECOND
from tests.simulation.funding_runs import FUNDING, fired_alone, told

FILES = {
    "Binance, every 8 h": "supervik_binance_btcusdt_funding_2020_2024.parquet",
    "Binance, every 8 h, later": "yucheng_binance_btc_funding.parquet",
    "Bybit, every 8 h": "supervik_bybit_btcusdt_funding_2021_2024.parquet",
    "dYdX, every hour": "supervik_dydx_btcusdt_funding_2022_2024.parquet",
    "Hyperliquid, every hour": "yucheng_hyperliquid_btc_funding.parquet",
}
THRESHOLDS = (0.1, 0.2, 0.3, 0.5, 1.0)


def rows() -> list[str]:
    """Return the lines of the table."""
    lines = [
        "| venue | period | threshold | long: episodes (a year) | short: episodes (a year) |", "|---|---|---|---|---|",
    ]
    for venue, name in FILES.items():
        payments = told(FUNDING / name, "BTCUSDT")
        first, last = payments[0].venue_at, payments[-1].venue_at
        years = (last - first) / (365.25 * DAY)
        period = " to ".join(datetime.fromtimestamp(at // SECOND, tz=UTC).strftime("%Y-%m") for at in (first, last))
        for threshold in THRESHOLDS:
            counts = [len(fired_alone(payments, threshold, side)) for side in (1, -1)]
            told_counts = " | ".join(f"{count} ({count / years:.1f})" for count in counts)
            lines.append(f"| {venue} | {period} | {threshold:g} % | {told_counts} |")
    return lines


if __name__ == "__main__":
    print("\n".join(rows()))
