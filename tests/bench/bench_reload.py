"""From the save of a rule file to a candidate that may take over, with 100 rules; and where the time goes.

`python -m tests.bench.bench_reload`. Wall clock, because that is what somebody who saves a file
waits for: a busy neighbour counts. The first table ends with the candidate; the second is of a
real run, and ends when the journal says that the new rules are in force.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from engine.runtime.candidate import Asked, Candidate, prepare, warm
from engine.runtime.config import load_config
from engine.runtime.settings import ReloadSettings
from engine.runtime.tested import Passed
from engine.runtime.watch import RuleWatch
from engine.runtime.wiring_watch import file_hints
from tests.runtime.reload_kit import ROOT, make_root
from tests.simulation.editing import inputs, running, taken_over

GOAL_MS, CANDIDATE_GOAL_MS = 500.0, 450.0
RULES, SAVES, LIVE_SAVES = 100, 40, 40

_TEST = """    tests:
      - name: bad health cuts
        step: 1m
        series: {{health_measured: "0 {over} {over} 0"}}
        expect:
          - {{at: 1m, state: firing, restrain: {{size_mult: {size}}}}}
      - name: doubt cuts
        step: 1m
        series: {{health_measured: "0 0 stale*5"}}
        expect:
          - {{at: 6m, state: held, truth: unknown}}
"""


@dataclass(slots=True)
class Course:
    """100 rules in so many files, and how long each step of each save took (ms)."""

    files: int
    waits: list[float] = field(default_factory=list)
    """From the save to the candidate."""
    steps: dict[str, list[float]] = field(default_factory=dict)


def rule(number: int, size: float) -> str:
    """Return one rule as an item of a list, with two tests."""
    return (
        f"  - id: cutback.r{number:03}\n    kind: cutback\n    summary: Rule {number}\n    runbook: RUNBOOK.md#test\n"
        f"    by: [venue]\n    expr: >-\n      age(feed_messages) >= {number + 20}\n"
        f"      or count_over(fill_slippage_bps, '6h', liquidity='taker') >= {number + 1}\n"
        f"      and avg_over(fill_slippage_bps, '6h', liquidity='taker') > {number + 3}\n"
        f"    restrain: {{size_mult: {size}}}\n"
    ) if number % 2 else (
        f"  - id: cutback.r{number:03}\n    kind: cutback\n    summary: Rule {number}\n    runbook: RUNBOOK.md#test\n"
        f"    expr: health_measured >= {1 + number / 1000}\n    restrain: {{size_mult: {size}}}\n"
        + _TEST.format(over=2, size=size)
    )


def write(root: Path, files: int, edited: int, size: float) -> None:
    """Write the rule file number `edited`, whose first rule cuts to `size`; all files where it is negative."""
    each = RULES // files
    for number in range(files):
        if edited in (-1, number):
            first = rule(number * each, size)
            text = "version: 1\nrules:\n" + first + "".join(rule(number * each + one, 0.95) for one in range(1, each))
            (root / "rules" / f"f{number:03}.yaml").write_text(text)


async def measure(course: Course, root: Path) -> None:
    """Edit one rule of a file of `course` again and again, each time a little stricter, and take what comes of it."""
    base = load_config(root, {})
    assert base.usable, [str(one) for one in base.findings][:5]
    settings, passed, size = ReloadSettings(unsafe_modes="warn"), Passed(), 0.9
    warm(base, passed)
    async with RuleWatch(root, settings, hints=file_hints, source=base.blobs.source) as watch:
        for turn in range(SAVES):
            settled = asyncio.create_task(watch.settled())
            await asyncio.sleep(0.25)
            size = round(size - 0.01, 3)
            write(root, course.files, turn % course.files, size)
            saved = time.perf_counter()
            notice = await settled
            told = time.perf_counter()
            assert notice is not None
            found = await asyncio.to_thread(prepare, root, {}, base, Asked(settings=settings, passed=passed))
            course.waits.append((time.perf_counter() - saved) * 1e3)
            assert isinstance(found, Candidate), found.reason
            assert not found.same
            watch.judged(found.fingerprint)
            base = found.config
            quiesced = notice.quiesced / 1e6
            steps = {"noticed": (told - saved) * 1e3 - quiesced, "quiesce": quiesced}
            steps |= {step: ns / 1e6 for step, ns in found.timings.items()}
            for step, ms in steps.items():
                course.steps.setdefault(step, []).append(ms)


def in_force(files: int, place: Path) -> list[float]:
    """Return how long (ms) saves take to be in force in a real run with 100 rules in so many files."""
    root = make_root(place / "root")
    for old in (root / "rules").rglob("*.yaml"):
        old.unlink()
    write(root, files, -1, 0.95)
    waits, size = [], 0.9
    with running(root, "--speed", "60") as run:
        time.sleep(4.0)
        for turn in range(LIVE_SAVES):
            time.sleep(0.3)
            before = len(taken_over(run.state))
            size = round(size - 0.01, 3)
            write(root, files, turn % files, size)
            saved = time.perf_counter()
            while len(taken_over(run.state)) == before:
                assert time.perf_counter() - saved < 20, inputs(run.state, "ReloadRefused")[-1:]
                time.sleep(0.01)
            waits.append((time.perf_counter() - saved) * 1e3)
    return waits


def percentile(values: list[float], share: float) -> float:
    """Return the value below which `share` of `values` lie."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def bench() -> list[Course]:
    """Print a row a course and return the courses."""
    courses = [Course(files) for files in (100, 10, 1)]
    for course in courses:
        with tempfile.TemporaryDirectory() as place:
            root = make_root(Path(place) / "root")
            for old in (root / "rules").rglob("*.yaml"):
                old.unlink()
            write(root, course.files, -1, 0.95)
            asyncio.run(measure(course, root))
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg()[:2])
    print(f"\na saved rule file of {RULES} rules to a candidate, {SAVES} saves each, wall clock; "
          f"load {load} on {os.cpu_count()} cores")
    names = list(courses[0].steps)
    steps = " ".join(f"{one:>8}" for one in names)
    print(f"  {'rules in':14} {'p50':>8} {'p99':>8} {'quiesce':>8}   medians: {steps}")
    for course in courses:
        middle = statistics.median(course.waits)
        share = statistics.median(course.steps["quiesce"]) / middle
        medians = " ".join(f"{statistics.median(course.steps[one]):>8.1f}" for one in names)
        print(f"  {course.files:>3} files{'':5} {middle:>5.0f} ms {percentile(course.waits, 0.99):>5.0f} ms "
              f"{share:>8.0%}{'':12} {medians}")
    print(f"  goal: in force within {GOAL_MS:.0f} ms of the save, so a candidate within {CANDIDATE_GOAL_MS:.0f} ms")
    print(f"  in force, in a run of the demo at 60 x, {LIVE_SAVES} saves each")
    for course in courses[:2]:
        with tempfile.TemporaryDirectory() as folder:
            waits = in_force(course.files, Path(folder))
        share = ReloadSettings().quiesce / 1e6 / statistics.median(waits)
        print(f"  {course.files:>3} files{'':5} {statistics.median(waits):>5.0f} ms {percentile(waits, 0.99):>5.0f} ms "
              f"{share:>8.0%}")
    return courses


if __name__ == "__main__":
    assert ROOT.is_dir()
    bench()
