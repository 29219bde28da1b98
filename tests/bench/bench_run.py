"""Events a second through the whole run: tape decode, exchange, rules, journal and digest included.

`python -m tests.bench.bench_run [TAPE ...]`; without words the demo, made while it runs and
from a file, and, where the recordings are beside the checkout, the Binance USD-M hour. Each
run is a process of its own. The tapes take turns and medians count, because a shared core is
noisy. The wall clock counts the neighbours too, so the rate per second of processor time,
start-up included, stands beside it.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.adapters.tape_demo import demo_tape
from engine.adapters.tape_writer import TapeWriter
from tests.simulation.command import ROOT, command, environment

RECORDING = ROOT.parent / "shared/data/market_data/binance_usdm_btcusdt_20240808_raw.jsonl.gz"
GOAL = 30_000
PAUSE_GOAL_MS = 20.0
ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Course:
    """A tape to run, and how to call it in a table."""

    name: str
    tape: str


def processor_seconds() -> float:
    """Return how long children of this process that have ended held a core."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def run_once(tape: str, state: Path) -> dict[str, Any]:
    """Return the summary of one run of `tape` at full speed, with `processor_seconds` of the whole process."""
    before = processor_seconds()
    done = subprocess.run(
        command("run", "--tape", tape, "--speed", "max", "--format", "json", "--state", str(state)),
        cwd=ROOT, env=environment(PYTHONHASHSEED="0"), capture_output=True, text=True, check=False,
    )
    if done.returncode:
        raise SystemExit(f"the run of {tape} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return {**found, "processor_seconds": processor_seconds() - before}


def write_demo(path: Path) -> None:
    """Write the demo into a tape file, so that its decoding is measured instead of its making."""
    tape = demo_tape()
    with TapeWriter(path, source=tape.header.source, chapters=tape.header.chapters, seed=tape.header.seed) as writer:
        for at, event in tape.events():
            writer.write(event, at)


def courses(place: Path) -> list[Course]:
    """Return the usual tapes, with their files in the directory `place`."""
    write_demo(place / "demo.tape.gz")
    found = [Course("demo, generated", "demo"), Course("demo, from a file", str(place / "demo.tape.gz"))]
    if not RECORDING.exists():
        print(f"the recording {RECORDING.name} is not beside the checkout: Binance is left out")
        return found
    tape = place / "binance.tape.gz"
    subprocess.run(
        command("tape", "import", str(RECORDING), "-o", str(tape)),
        cwd=ROOT, env=environment(), check=True, capture_output=True,
    )
    return [*found, Course("Binance USD-M, from a file", str(tape))]


def bench(chosen: list[Course], place: Path, rounds: int = ROUNDS) -> dict[str, float]:
    """Print one row a course and return events per second by its name."""
    runs: dict[str, list[dict[str, Any]]] = {course.name: [] for course in chosen}
    for turn in range(rounds):
        for course in chosen:
            runs[course.name].append(run_once(course.tape, place / f"{course.name}-{turn}"))
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg()[:2])
    print(f"\nwhole runs, median of {rounds}, one process and core each; load {load} on {os.cpu_count()} cores")
    print(f"  {'':27} {'':>9} {'events/s':>9} {'':>7} {'per second':>11}   {'per 1,000 events':^28}")
    print(f"  {'':27} {'events':>9} {'by clock':>9} {'x goal':>7} {'of the core':>11}   "
          f"{'rules':>8} {'windows':>10} {'orders':>8}   {'checkpoint p99':>17}")
    found: dict[str, float] = {}
    for name, done in runs.items():
        assert len({run["digest"] for run in done}) == 1, f"{name}: two runs disagree"
        found[name] = statistics.median(run["events_per_second"] for run in done)
        print(_row(name, found[name], done))
    print(f"  goals: {GOAL:,} events/s; a checkpoint pauses the run at most {PAUSE_GOAL_MS:.0f} ms at p99")
    return found


def _row(name: str, speed: float, done: list[dict[str, Any]]) -> str:
    last = done[-1]
    thousand, work = last["events"] / 1000, last["work"]
    pause = statistics.median(run["checkpoint_pause_ms"]["p99"] for run in done)
    core = statistics.median(run["events"] / run["processor_seconds"] for run in done)
    return (
        f"  {name:27} {last['events']:>9,} {speed:>9,.0f} {speed / GOAL:>6.2f}x {core:>11,.0f}   "
        f"{work['evaluations'] / thousand:>8,.1f} {work['window_updates'] / thousand:>10,.2f} "
        f"{last['orders'] / thousand:>8.2f}   {pause:>5.1f} ms of {last['checkpoint_pause_ms']['count']:>4}"
    )


def main() -> None:
    """Bench what is named, or the usual tapes."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        named = [Course(Path(tape).name, tape) for tape in sys.argv[1:]]
        bench(named or courses(place), place)


if __name__ == "__main__":
    main()
