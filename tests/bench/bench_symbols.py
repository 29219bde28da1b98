"""What a whole run does with fifty symbols, every shipped rule and every shipped strategy on.

`python -m tests.bench.bench_symbols [--quick]`. The market is generated: as many events
whatever the number of symbols, so that what differs is what one more symbol costs; then
the same with rules added, hot ones (by symbol, over a signal that every quote moves) and
cold ones (over a signal that moves once a minute). Processor time, medians, one process
each; the tape is a file, so its decoding is part of it. What one more costs is the slope
between a short tape and the long one: reading and compiling its rule at the start is no
cost of an event.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from engine.adapters.tape_demo import FIRM, PEG_NOISE, oracle, polls
from engine.adapters.tape_demo_shapes import RISE_IN_STEPS
from engine.adapters.tape_market_model import Coin, CoinFeed, Stage, told
from engine.adapters.tape_writer import TapeWriter
from engine.model.market import Announcement, FeedState
from engine.model.time import MINUTE, MS, SECOND, parse_instant
from engine.ports.feed import TapeEvent
from tests.bench.bench_run import processor_seconds
from tests.simulation.command import ROOT, command, environment

VENUE = "paper"
START = parse_instant("2026-03-04T09:00:00Z")
EVENTS = 150_000
SHORT = 5
"""The short tape has one event of so many."""
LISTED = 10
"""So many of the symbols are announced, one after the other."""
GOAL = 20_000
ADDED = 20
FLAGS = {
    "SCALP_ENABLED": "true", "RISK_PARITY_ENABLED": "true", "MAKER_GATE_ENABLED": "true", "DEPEG_SWITCH_QUOTE": "false",
}
_HOT = """  - id: cutback.made.n{number}
    kind: cutback
    summary: Made up, moved by every quote
    runbook: RUNBOOK.md#usdt-wobbly
    by: [venue, symbol]
    expr: spread_bps >= {limit} or mid_price <= 0
    restrain: {{size_mult: 0.5}}
    ttl: 30m
"""
_COLD = """  - id: guard.made.n{number}
    kind: guard
    summary: Made up, moved once a minute
    runbook: RUNBOOK.md#usdt-wobbly
    expr: pct(abs(peg_usdt_usd - 1)) >= {far}
    restrain: {{level: entries_paused}}
"""


@dataclass(frozen=True, slots=True)
class Case:
    """One run: how many symbols, and which rules beside the shipped ones."""

    name: str
    symbols: int
    rule: str = ""


CASES = (
    Case("25 symbols", 25), Case("50 symbols", 50), Case("100 symbols", 100),
    Case(f"50 symbols, {ADDED} hot rules more", 50, _HOT), Case(f"50 symbols, {ADDED} cold rules more", 50, _COLD),
)


def coins(symbols: int) -> list[Coin]:
    """Return `symbols` coins; the first LISTED rise after their announcements, ten minutes apart."""
    made = []
    for number in range(symbols):
        at = 10.0 + 10.0 * number
        path = tuple((at + minute, bps) for minute, bps in RISE_IN_STEPS) if number < LISTED else ((0.0, 0.0),)
        made.append(Coin(
            symbol=f"B{number:03}USDT", base=f"B{number:03}", price=10.0 + number, decimals=4, path=path,
            noise_bps=3.0, spread_bps=3.0, level_usd=5_000, level_bps=1.5, calm_s=2.0,
        ))
    return made


def write_tape(path: Path, symbols: int, events: int) -> None:
    """Write about `events` events of `symbols` coins."""
    length = int(events / symbols * 2.0 * SECOND)
    stage = Stage(venue=VENUE, start=START, end=START + length, seed=7)
    pegs = [oracle(stage, FIRM, PEG_NOISE, asset) for asset in ("USDT", "USDC", "FDUSD")]
    sources = [_connection(), _news(), polls(START, stage.end), *pegs]
    with TapeWriter(path, source="generated for a measurement", chapters=(), seed=7) as tape:
        for at, _, event in told([*sources, *(CoinFeed(coin, stage).events() for coin in coins(symbols))], stage.end):
            tape.write(event, at)


def _connection() -> Iterator[tuple[int, TapeEvent]]:
    yield START, FeedState(VENUE, True, "connected", START)


def _news() -> Iterator[tuple[int, TapeEvent]]:
    for number in range(LISTED):
        at, symbol = START + int((10.0 + 10.0 * number) * MINUTE), f"B{number:03}USDT"
        yield at, Announcement(VENUE, f"made-{number}", "listing", f"Will List {symbol}", (symbol,), at - 900 * MS, at)


def write_root(place: Path, case: Case) -> None:
    """Make `place` a configuration: the shipped one, with the scalp on every symbol and the case's rules."""
    for part in ("rules", "conf", "docs"):
        shutil.copytree(ROOT / part, place / part)
    shutil.copy(ROOT / "RUNBOOK.md", place)
    strategies = place / "conf" / "strategies.yaml"
    held: dict[str, Any] = yaml.safe_load(strategies.read_text(encoding="utf-8"))
    for one in held["strategies"]:
        if one["name"] == "scalp":
            one.setdefault("parameters", {})["symbols"] = [coin.symbol for coin in coins(case.symbols)[LISTED:]]
    strategies.write_text(yaml.safe_dump(held, sort_keys=False), encoding="utf-8")
    if case.rule:
        rules = "".join(
            case.rule.format(number=number, limit=900 + number, far=5 + number / 10) for number in range(ADDED)
        )
        (place / "rules" / "made.yaml").write_text(f"version: 1\nrules:\n{rules}", encoding="utf-8")


def run_once(root: Path, tape: Path, state: Path) -> dict[str, Any]:
    """Return the summary of a run of `tape` under the configuration `root`, with its processor seconds."""
    before = processor_seconds()
    done = subprocess.run(
        command("run", "--tape", str(tape), "--speed", "max", "--format", "json", "--state", str(state)),
        cwd=root, env=environment(PYTHONHASHSEED="0", **FLAGS), capture_output=True, text=True, check=False,
    )
    if done.returncode:
        raise SystemExit(f"the run ended with {done.returncode}:\n{done.stdout[-1000:]}\n{done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    assert found["orders"] or found["events"] < EVENTS / 2, "nothing was traded: the rules of this case hold everything"
    return {**found, "processor_seconds": processor_seconds() - before}


def slope(short: list[dict[str, Any]], long: list[dict[str, Any]]) -> float:
    """Return what an event costs (ns of a core) once the run has begun: medians of pairs of runs."""
    costs: list[float] = [
        (more["processor_seconds"] - less["processor_seconds"]) / (more["events"] - less["events"]) * 1e9
        for less, more in zip(short, long, strict=True)
    ]
    return statistics.median(costs)


def bench(*, events: int = EVENTS, rounds: int = 3) -> None:
    """Print a row a case, and what one more rule and one more symbol cost."""
    core: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        for symbols in sorted({case.symbols for case in CASES}):
            write_tape(place / f"{symbols}.tape.gz", symbols, events)
            write_tape(place / f"{symbols}-short.tape.gz", symbols, events // SHORT)
        for at, case in enumerate(CASES):
            write_root(place / f"root-{at}", case)
        print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; median of {rounds}, turn by turn")
        runs: dict[str, list[dict[str, Any]]] = {case.name: [] for case in CASES}
        short: dict[str, list[dict[str, Any]]] = {case.name: [] for case in CASES}
        for turn in range(rounds):
            for at, case in enumerate(CASES):
                for into, name in ((short, f"{case.symbols}-short"), (runs, f"{case.symbols}")):
                    state = place / f"state-{at}-{turn}-{name}"
                    into[case.name].append(run_once(place / f"root-{at}", place / f"{name}.tape.gz", state))
    for case in CASES:
        done = runs[case.name]
        speed = statistics.median(run["events"] / run["seconds"] for run in done)
        core[case.name] = slope(short[case.name], done)
        last = done[-1]
        print(
            f"  {case.name:32} {last['events']:>9,} events {speed:>9,.0f}/s ({speed / GOAL:.2f}x goal)  "
            f"{core[case.name] / 1000:6.1f} us of a core each; {last['orders']} orders, {last['fills']} fills"
        )
    few, usual, many = (core[case.name] for case in CASES[:3])
    hot, cold = (core[case.name] for case in CASES[3:])
    print(f"  an event costs more: {(many - few) / 75:+.0f} ns for one more symbol, "
          f"{(hot - usual) / ADDED:+.0f} ns for one more hot rule, {(cold - usual) / ADDED:+.0f} ns for a cold one")


if __name__ == "__main__":
    quick = "--quick" in sys.argv[1:]
    bench(events=30_000 if quick else EVENTS, rounds=1 if quick else 3)
