"""Whether git is changing the checkout right now: a tree between two commits is neither of them."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

ABANDONED_S = 60.0
"""A lock older than this was left by a git that died: it keeps nobody from reading."""


def git_is_writing(root: Path) -> bool:
    """Return whether git holds the index of the checkout that `root` is the top of."""
    folder = _git_folder(root)
    if folder is None:
        return False
    with contextlib.suppress(OSError):
        return time.time() - os.lstat(folder / "index.lock").st_mtime < ABANDONED_S
    return False


def _git_folder(root: Path) -> Path | None:
    """Return where git keeps the index; a linked worktree has a file there that says where."""
    git = root / ".git"
    try:
        with open(git, "rb") as file:
            said = file.read(4096)
    except IsADirectoryError:
        return git
    except OSError:
        return None
    _, _, where = said.partition(b"gitdir: ")
    return root / os.fsdecode(where.strip()) if where else None
