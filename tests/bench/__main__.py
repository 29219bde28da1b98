"""`python -m tests.bench`: rules, events and whole runs, each against its goal, from one run.

Goals are printed and not enforced: what a shared core does is told, not judged.
"""

from __future__ import annotations

import platform
import sys
import tempfile
from pathlib import Path

from tests.bench import bench_feeds, bench_live, bench_load, bench_reload, bench_replay, bench_rules, bench_run

F1_GOAL, GROWTH_GOAL = 1.15, 4.0


def rules() -> None:
    """Bench what one evaluation costs."""
    found = bench_rules.bench_function()
    floor, peer = found["F1, the floor"], found["simpleeval, pre-parsed"]
    for name in (name for name in found if name not in ("F1, the floor", "simpleeval, pre-parsed")):
        print(f"  {name}, as the engine calls it: {found[name] / floor:.2f} x F1 (goal <= {F1_GOAL}), "
              f"{peer / found[name]:,.0f} x as fast as simpleeval")
    print("  there is no fused form: each instance has its own function, so F0 is no measure here")
    bench_rules.bench_unknown()
    bench_rules.bench_nobody()


def events() -> None:
    """Bench what one event costs as instances grow in number."""
    found = bench_rules.bench_events()
    smallest, largest = min(found), max(found)
    print(f"  growth from {smallest:,} to {largest:,} instances: {found[largest] / found[smallest]:.2f} x "
          f"(goal <= {GROWTH_GOAL:.0f})")


def main() -> None:
    """Run all benches, about ten minutes on two idle cores."""
    print(f"Python {sys.version.split()[0]} on {platform.machine()}; medians over interleaved rounds; "
          "ratios are what counts")
    rules()
    bench_load.bench()
    bench_reload.bench()
    bench_feeds.bench()
    bench_live.bench()
    with tempfile.TemporaryDirectory() as folder:
        bench_run.bench(bench_run.courses(Path(folder)), Path(folder))
    bench_replay.bench(bench_replay.Size(days=2, symbols=20, rules=100))
    # Last, because a hundred thousand instances leave this process large.
    events()


if __name__ == "__main__":
    main()
