"""Runs the real command in a process of its own, as an operator would."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def command(*words: str) -> list[str]:
    """Return the argument vector of `engine WORDS` in this interpreter."""
    return [sys.executable, "-m", "engine", *words]


def environment(**extra: str) -> dict[str, str]:
    """Return the environment of a child: ours, without any flag or state directory."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("ENGINE_", "EVENT_", "DEPEG_"))}
    return {**kept, "PYTHONPATH": str(ROOT), **extra}


def run_json(*words: str, seed: str = "0", timeout: float = 300) -> dict[str, Any]:
    """Return the last line that `engine WORDS --format json` printed, as data; asserts exit 0."""
    done = subprocess.run(
        [*command(*words), "--format", "json"], cwd=ROOT, env=environment(PYTHONHASHSEED=seed),
        capture_output=True, text=True, timeout=timeout, check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found
