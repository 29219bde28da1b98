"""What all commands share: two options, where things lie, how a failure is said."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import engine

FINE, CHECK_FAILED, INVALID, LINT_ONLY, INCONCLUSIVE, INTERNAL = 0, 1, 2, 3, 4, 5


class Failure(Exception):
    """A command cannot do what was asked: what is wrong, and what to do about it."""

    def __init__(self, what: str, fix: str, *, exit_code: int = INVALID) -> None:
        self.what, self.fix, self.exit_code = what, fix, exit_code
        super().__init__(what)


def add_shared(parser: argparse.ArgumentParser, formats: Sequence[str] = ("text", "json")) -> None:
    """Add `--format` and `--state`: every command takes both, so that one line of a script fits all."""
    parser.add_argument("--format", choices=formats, default="text", help="for people, or for programs")
    parser.add_argument("--state", metavar="DIR", help="the state directory (default: $ENGINE_STATE or state)")


def state_dir(args: argparse.Namespace, environment: Mapping[str, str] = os.environ) -> Path:
    """Return the state directory that was asked for, by option, environment or custom."""
    return Path(args.state or environment.get("ENGINE_STATE") or "state")


def state_flag(args: argparse.Namespace) -> str:
    """Return what must follow a command, so that it speaks to the same state directory."""
    return f" --state {args.state}" if args.state else ""


def home() -> Path:
    """Return where `rules/` and `conf/` lie: here if one of them does, else beside the installed package."""
    here = Path.cwd()
    # One is enough: half a configuration is a mistake to be told, not a reason to use another one.
    if (here / "rules").is_dir() or (here / "conf").is_dir():
        return here
    return Path(engine.__file__).resolve().parents[1]


def called_as() -> str:
    """Return how this engine was called, so that a printed command can be pasted in the same shell."""
    script = Path(sys.argv[0])
    if script.name != "engine":
        return "python -m engine" if script.name == "__main__.py" else "engine"
    if shutil.which("engine") and Path(shutil.which("engine") or "").resolve() == script.resolve():
        return "engine"
    try:
        return str(script.relative_to(Path.cwd())) if script.is_absolute() else str(script)
    except ValueError:
        return str(script)


def print_json(data: Any) -> None:
    """Print `data` as one line of JSON."""
    print(json.dumps(data, ensure_ascii=False, sort_keys=False, allow_nan=False, default=str), flush=True)


def show_failure(what: str, fix: str, args: argparse.Namespace | None) -> None:
    """Say what is wrong: as an object where JSON was asked for, else as two lines on stderr."""
    if args is not None and getattr(args, "format", "text") == "json":
        print_json({"error": {"what": what, "fix": fix}})
        return
    print(f"engine: {what}", file=sys.stderr)
    if fix:
        print(f"    fix: {fix}", file=sys.stderr)
