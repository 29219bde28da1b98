"""Events a second through the whole run: tape decode, exchange, rules, journal and digest included.

`python -m tests.bench.bench_run [TAPE ...]`; without words the demo and, where the recordings
are beside the checkout, the Binance USD-M tape. Each run is a process of its own; the median
of three counts, because a shared core is noisy.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.simulation.command import ROOT, command, environment

RECORDING = ROOT.parent / "shared/data/market_data/binance_usdm_btcusdt_20240808_raw.jsonl.gz"
GOAL = 30_000
ROUNDS = 3


def run_once(tape: str, state: Path) -> dict[str, Any]:
    """Return the summary of one run of `tape` at full speed."""
    done = subprocess.run(
        command("run", "--tape", tape, "--speed", "max", "--format", "json", "--state", str(state)),
        cwd=ROOT, env=environment(PYTHONHASHSEED="0"), capture_output=True, text=True, check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def bench(tape: str, place: Path) -> None:
    """Print one row for `tape`."""
    runs = [run_once(tape, place / f"{Path(tape).name}-{turn}") for turn in range(ROUNDS)]
    speed = statistics.median(run["events_per_second"] for run in runs)
    last = runs[-1]
    work = last.get("work", {})
    thousand = last["events"] / 1000
    pause = last.get("checkpoint_pause_ms", {})
    print(
        f"{Path(tape).name:<28}{last['events']:>9,} events {speed:>9,.0f}/s  {speed / GOAL:>5.2f}x goal  "
        f"per 1,000 events: {work.get('evaluations', 0) / thousand:,.1f} rules evaluated, "
        f"{work.get('window_updates', 0) / thousand:,.1f} window updates, {last['orders'] / thousand:.2f} orders;  "
        f"checkpoint p99 {pause.get('p99', 0):.1f} ms of {pause.get('count', 0)}"
    )


def main() -> None:
    """Bench what is named, or the usual two."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        tapes = sys.argv[1:] or ["demo"]
        if len(sys.argv) == 1 and RECORDING.exists():
            tape = place / "binance_usdm.tape"
            subprocess.run(
                command("tape", "import", str(RECORDING), "-o", str(tape)),
                cwd=ROOT, env=environment(), check=True, capture_output=True,
            )
            tapes.append(str(tape))
        for name in tapes:
            bench(name, place)


if __name__ == "__main__":
    main()
