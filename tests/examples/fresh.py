"""A Python that knows nothing of this process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def fresh_python(*words: str, where: Path, typed: str = "") -> subprocess.CompletedProcess[str]:
    """Run this interpreter with `words` in the folder `where`; `typed` is what a person types into it."""
    return subprocess.run(
        [sys.executable, *words], cwd=where, env={"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]},
        input=typed, capture_output=True, text=True, timeout=60, check=False,
    )
