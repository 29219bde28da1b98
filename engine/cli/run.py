"""`engine run`: start the engine, and tell what it decides while it does."""

from __future__ import annotations

import argparse
import math
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from engine.cli.narrator import JsonNarrator, Narrator
from engine.cli.shared import FINE, Failure, add_shared, called_as, home, print_json
from engine.cli.text import Paint, colour_wanted
from engine.model.events import RunMode
from engine.runtime.live import run_live
from engine.runtime.options import PAPER, RunOptions
from engine.runtime.run import run_engine


def add_parser(subparsers: Any) -> None:
    """Add `run` to `subparsers` of the command line."""
    parser = subparsers.add_parser(
        "run", help="Run the engine; on the demo tape unless told otherwise.  Sends orders only in a live mode.",
        description="Takes a tape or a live feed through signals, rules, policy and strategies. "
        "On a tape everything is simulated: no keys, no network, no orders to anyone.",
    )
    option = parser.add_argument
    option("--tape", metavar="FILE", help="a tape, or the generated demo or normal-day (default: demo)")
    option("--speed", metavar="max|N", help="max, or N times as fast as it happened (default: paced for reading)")
    option("--mode", default=RunMode.DRY_RUN.value, choices=[mode.value for mode in RunMode])
    option(
        "--venue", default=PAPER, metavar="NAME",
        help="the real venue that conf/engine.yaml names: its market, and in a live mode its orders (default: paper)",
    )
    option("--shadow", metavar="DIR", help="rules that run beside the live ones, restrain nothing and are compared")
    option("--resume", action="store_true", help="go on from the last checkpoint in the state directory")
    add_shared(parser)


def run(args: argparse.Namespace) -> int:
    """Run the engine as `args` say and return the exit code."""
    as_json = args.format == "json"
    speed, paced = _speed(args.speed, as_json)
    if args.venue != PAPER:
        for word, given in (("--tape", args.tape), ("--speed", args.speed), ("--resume", args.resume)):
            if given:
                raise Failure(f"{word} is for tapes", f"leave it out: a run on {args.venue} is on the real clock")
    state = args.state or os.environ.get("ENGINE_STATE")
    options = RunOptions(
        root=home(), tape=args.tape or "demo", speed=speed, mode=RunMode(args.mode), venue=args.venue,
        state_dir=Path(state) if state else None, resume=args.resume,
        shadow=Path(args.shadow) if args.shadow else None, environment=dict(os.environ), paced=paced,
    )
    runner = run_engine if options.venue == PAPER else run_live
    if as_json:
        print_json(runner(options, JsonNarrator()))
        return FINE
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
    runner(options, Narrator(command=called_as(), paint=Paint(colour_wanted(sys.stdout)), paced=paced, width=width))
    return FINE


def _speed(asked: str | None, as_json: bool) -> tuple[float | None, bool]:
    """Return (times as fast as it happened or None for no limit, whether to pause for a reader)."""
    if asked is None:
        return None, not as_json and sys.stdout.isatty()
    if asked == "max":
        return None, False
    try:
        speed = float(asked)
    except ValueError:
        speed = math.nan
    if not (math.isfinite(speed) and speed > 0):
        raise Failure(f"--speed {asked}: not a speed", "write max, or how many times as fast, such as 60")
    return speed, False
