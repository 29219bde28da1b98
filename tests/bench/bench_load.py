"""What it costs to load and check a thousand rules, and again after one file was edited."""

from __future__ import annotations

import gc
import re
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from engine.ruleset.load import Loaded, load_rules
from engine.ruleset.loader import RuleLoader
from engine.runtime.anchors import anchors_of
from engine.runtime.config import RUNBOOK, load_config
from tests.bench.timing import nanoseconds

ROOT = Path(__file__).parents[2]
RULES, FILES, ROUNDS = 1000, 50, 5
GOAL_NS = 2e9
"""For all of a thousand rules with a test each, on one quiet core."""
_RULE = """  # What rule {number} watches is made up; its form is that of the shipped ones.
  - id: guard.made.n{number}
    kind: {kind}
    summary: Made up condition {number} holds
    runbook: RUNBOOK.md#usdt-wobbly
    enabled: DEPEG_GUARD_ENABLED
    expr: >-
      pct(abs(peg_usdt_usd - 1)) >= {limit:.4f}
      and (health_measured >= 1 or avg_over(peg_usdt_usd, "{window}m") < 0.9)
    clear_expr: pct(abs(peg_usdt_usd - 1)) < {limit:.4f} / 2
    for: 3 windows
    keep_firing_for: {window}m
    restrain: {restrain}
    notify: {{to: digest, text: "USDT at {{peg_usdt_usd:.4f}}"}}
"""
_TEST = """    tests:
      - name: a long break is told, a spike is not
        step: 60s
        series: {peg_usdt_usd: "1.0*3 0.5 1.0*3 0.5*6 _*3 1.0*9", health_measured: "2*24"}
        expect:
          - {at: 3m, state: pending}
          - {at: 4m, state: inactive}
          - {at: 12m, state: firing}
"""


def made(*, tests: bool) -> dict[str, bytes]:
    """Return RULES rules in FILES files."""
    texts = []
    for number in range(RULES):
        guard = number % 3 == 0
        texts.append(_RULE.format(
            number=number, kind="guard" if guard else "cutback", limit=1 + number / 97, window=5 + number % 40,
            restrain="{level: entries_paused}" if guard else f"{{size_mult: {0.1 + 0.8 * number / RULES:.4f}}}",
        ) + (_TEST if tests else ""))
    size = RULES // FILES
    return {
        f"made_{file:02}.yaml": ("version: 1\nrules:\n" + "".join(texts[file * size:(file + 1) * size])).encode()
        for file in range(FILES)
    }


def copies() -> dict[str, bytes]:
    """Return the shipped rules with all their tests, each copied under other ids until there are RULES."""
    shipped = {path.stem: path.read_text(encoding="utf-8") for path in sorted((ROOT / "rules").rglob("*.yaml"))}
    each = sum(text.count("  - id: ") for text in shipped.values())
    return {
        f"{stem}_{turn}.yaml": re.sub(r"(- id: \S+)", rf"\1_{turn}", text).encode()
        for turn in range(RULES // each) for stem, text in shipped.items()
    }


def bench() -> None:
    """Print what loading costs: all at once, nothing changed, one file changed."""
    config = load_config(ROOT, {})
    assert config.catalogue is not None
    catalogue, flags = config.catalogue, config.flag_specs
    anchors = anchors_of((ROOT / RUNBOOK).read_bytes())
    sets = {
        "with a test each": made(tests=True), "without tests": made(tests=False),
        "copies of the shipped ones with all their tests": copies(),
    }
    for name, files in sets.items():
        loader = RuleLoader()
        edited = dict(files)

        def once(files: dict[str, bytes] = files) -> Loaded:
            return load_rules(files, catalogue, flags, anchors=anchors)

        def again(loader: RuleLoader = loader, files: dict[str, bytes] = edited) -> Loaded:
            return loader.load(files, catalogue, flags, anchors=anchors)

        def after_edit(again: Callable[[], Loaded] = again, files: dict[str, bytes] = edited) -> Loaded:
            first = next(iter(files))
            files[first] += b"# edited\n"
            return again()

        text = sum(map(len, files.values()))
        goal = f" (goal < {nanoseconds(GOAL_NS)})" if name == "with a test each" else ""
        print(f"load and check {RULES:,} rules {name}, {len(files)} files, {text / 1e6:.1f} MB: "
              f"{nanoseconds(_median(once))}{goal}")
        print(f"  again, nothing changed: {nanoseconds(_median(again))}; one file changed: "
              f"{nanoseconds(_median(after_edit))}")


def _median(run: Callable[[], Loaded]) -> float:
    """Return the median ns of processor time, the collector included: an engine pays for it too."""
    found = []
    assert run().rules is not None
    for _ in range(ROUNDS):
        gc.collect()
        start = time.process_time_ns()
        run()
        found.append(time.process_time_ns() - start)
    return statistics.median(found)


if __name__ == "__main__":
    bench()
