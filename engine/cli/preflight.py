"""`engine preflight`: the runbook's checklist before a session, a line each: ok, warn or fail."""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any

from engine.cli.shared import CHECK_FAILED, FINE, add_shared, home, print_json, state_dir
from engine.cli.text import Paint, colour_wanted, columns
from engine.model.codec import to_data
from engine.model.events import RunMode
from engine.runtime.options import RunOptions
from engine.runtime.preflight import preflight

_COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


def add_parser(subparsers: Any) -> None:
    """Add `preflight` to `subparsers` of the command line."""
    parser = subparsers.add_parser(
        "preflight", help="The checklist before a session; exit 1 if a line fails.  Places a far stop, takes it back.",
        description="Checks configuration, state, disk, flags against the standard session, and at the venue: clock, "
        "key, position mode, leverage, filters, and whether a stop can be had.",
    )
    parser.add_argument(
        "--mode", default=RunMode.LIMITED_LIVE.value, choices=[mode.value for mode in RunMode],
        help="what the session is to be (default: limited-live)",
    )
    add_shared(parser)


def run(args: argparse.Namespace) -> int:
    """Go through the checklist and return the exit code."""
    options = RunOptions(root=home(), mode=RunMode(args.mode), environment=dict(os.environ))
    checks = preflight(options, state_dir(args))
    failed = sum(check.verdict == "fail" for check in checks)
    if args.format == "json":
        print_json({"ready": not failed, "checks": [to_data(check) for check in checks]})
    else:
        paint = Paint(colour_wanted(sys.stdout))
        rows = [(paint(f"{check.verdict:4}", _COLOURS[check.verdict]), check.name, check.what) for check in checks]
        for line, check in zip(columns(rows), checks, strict=True):
            print(line)
            if check.fix:
                print(f"        fix: {check.fix}")
        print("ready" if not failed else f"not ready: {failed} of {len(checks)} lines fail")
    return CHECK_FAILED if failed else FINE
