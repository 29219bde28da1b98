"""Reading the configuration while somebody may be writing it: whole, from one moment, or not at all."""

from __future__ import annotations

import time
from pathlib import Path

from engine.runtime.config import wanted_files
from engine.runtime.disk import Read, changing, read_disk
from engine.runtime.git_lock import git_is_writing

_LOOK_S = 0.02


def read_steady(root: Path, patience: int) -> Read:
    """Return all files of the configuration under `root` from one moment; waits for git at most `patience` ns.

    Never raises: what could not be read, and that git did not come to an end, are findings.
    """
    wanted = wanted_files(root)
    end = time.monotonic_ns() + patience
    read = None if git_is_writing(root) else read_disk(wanted)
    # A checkout that began and ended meanwhile wrote files, and that was seen; this sees one still at it.
    while read is None or git_is_writing(root):
        if time.monotonic_ns() >= end:
            return Read(findings=[changing(".git/index.lock", "git is changing the checkout", "wait until it is done")])
        time.sleep(_LOOK_S)
        read = None if git_is_writing(root) else read_disk(wanted)
    return read
