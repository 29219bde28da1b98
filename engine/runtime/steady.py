"""Reading the configuration while somebody may be writing it: whole, from one moment, or not at all."""

from __future__ import annotations

import time
from pathlib import Path

from engine.runtime.config import wanted_files
from engine.runtime.disk import CHANGING, Read, Wanted, changing, read_disk
from engine.runtime.git_lock import git_is_writing

_LOOK_S = 0.02


def read_steady(root: Path, patience: int) -> Read:
    """Return all files of the configuration under `root` from one moment; waits for writers at most `patience` ns.

    Never raises: what could not be read, and that somebody went on writing, are findings.
    """
    wanted = wanted_files(root)
    end = time.monotonic_ns() + patience
    read = _read(root, wanted)
    while any(one.code == CHANGING for one in read.findings) and time.monotonic_ns() < end:
        time.sleep(_LOOK_S)
        read = _read(root, wanted)
    return read


def _read(root: Path, wanted: Wanted) -> Read:
    if not git_is_writing(root):
        read = read_disk(wanted)
        # A checkout that began and ended meanwhile wrote files, and that was seen; this sees one still at it.
        if not git_is_writing(root):
            return read
    return Read(findings=[changing(".git/index.lock", "git is changing the checkout", "wait until it is done")])
