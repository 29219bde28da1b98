"""Which commit decides, and whether the checkout was changed since. For people and the audit, never for a digest."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """`commit` is empty where there is no checkout or no git; `dirty` is None where that cannot be told."""

    commit: str = ""
    dirty: bool | None = None


def provenance(root: Path) -> Provenance:
    """Return the commit of the checkout that `root` is the top of. Never raises."""
    # A checkout around us is not ours: an installation inside somebody's repository has no commit.
    if not (root / ".git").exists():
        return Provenance()
    commit = _git(root, "rev-parse", "--verify", "HEAD")
    if commit is None:
        return Provenance()
    changed = _git(root, "status", "--porcelain", "--untracked-files=normal")
    return Provenance(commit=commit.strip(), dirty=None if changed is None else bool(changed.strip()))


def _git(root: Path, *words: str) -> str | None:
    """Return what git prints, or None. It must not wait for a person, and must not touch the index's lock."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *words], capture_output=True, text=True, timeout=_TIMEOUT_S, check=False,
            stdin=subprocess.DEVNULL, env={**kept, "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"},
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return None
    return done.stdout if done.returncode == 0 else None
