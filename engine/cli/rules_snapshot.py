"""Reading a snapshot file for the commands that look at one moment."""

from __future__ import annotations

import sys
from pathlib import Path

from engine.cli.shared import Failure

MOST_SNAPSHOT = 16 * 1024 * 1024
"""Bytes of a snapshot file; one larger is a mistake."""


def read_snapshot(name: str) -> bytes:
    """Return the bytes of a snapshot file, of standard input for `-`; Failure for none and for one too large."""
    if name == "-":
        return sys.stdin.buffer.read(MOST_SNAPSHOT)
    path = Path(name)
    if not path.is_file():
        raise Failure(f"there is no snapshot {name}", 'write one: {"at": "2026-01-05T14:00:00Z", "signals": []}')
    if path.stat().st_size > MOST_SNAPSHOT:
        raise Failure(f"{name} is larger than 16 MiB", "a snapshot is one moment: give a smaller file")
    return path.read_bytes()
