"""Where changes of the configuration can come from: its folders, and what leads to them.

A link is swapped in the folder it lies in, not in the one it leads to. So beside the folders
themselves everything that holds a link on the way to them is watched.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from engine.runtime.config import RULES

_FOLDERS = (RULES, "conf")
_MOST_LINKS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Folders that are there: `flat` for what lies right in them, `deep` for all below."""

    flat: tuple[Path, ...]
    deep: tuple[Path, ...]


def watch_places(root: Path) -> Places:
    """Return what to watch for changes of `rules/`, `conf/` and the runbook under `root`."""
    flat, deep = {os.path.realpath(root)}, set()
    for name in _FOLDERS:
        real, holders = followed(os.path.abspath(root / name))
        flat |= holders
        if os.path.isdir(real):
            deep.add(real)
    return Places(
        flat=tuple(Path(one) for one in sorted(flat - deep) if os.path.isdir(one)),
        deep=tuple(Path(one) for one in sorted(deep)),
    )


def followed(path: str) -> tuple[str, set[str]]:
    """Return where an absolute path leads and the folders that hold a link on the way; a loop leads nowhere."""
    left = [part for part in reversed(path.split(os.sep)) if part]
    here, holders, links = os.sep, set(), 0
    while left:
        part = left.pop()
        if part == os.pardir:
            here = os.path.dirname(here)
            continue
        there = os.path.join(here, part)
        try:
            target = os.readlink(there)
        except OSError:
            here = there
            continue
        links += 1
        holders.add(here)
        if links > _MOST_LINKS:
            return "", holders
        if os.path.isabs(target):
            here = os.sep
        left += [part for part in reversed(target.split(os.sep)) if part not in ("", os.curdir)]
    return here, holders
