"""Who else may write what decides. Whoever may write a rule may loosen it, so everybody must not."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from engine.ruleset.diagnostics import Finding, Severity
from engine.runtime.config import RULES


def unsafe_modes(root: Path, *, refuse: bool) -> list[Finding]:
    """Return a finding for each file and folder of the configuration under `root` that everybody may write.

    It is an error where `refuse`, else a warning. A file of another user than this one and
    root is a warning in any case: deploying as one user and running as another is usual.
    """
    severity = Severity.ERROR if refuse else Severity.WARNING
    findings: list[Finding] = []
    strangers: dict[int, str] = {}
    for name, path in _places(root):
        try:
            found = os.stat(path)
        except OSError:
            continue
        # In a folder with the sticky bit nobody replaces what is somebody else's.
        sticky = stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_ISVTX
        if found.st_mode & stat.S_IWOTH and not sticky:
            message = f"{name} may be written by everybody on this machine"
            findings.append(_finding(name, "file-mode", severity, message, f"chmod o-w {name}"))
        if found.st_uid not in (0, os.geteuid()):
            strangers.setdefault(found.st_uid, name)
    for user, name in sorted(strangers.items()):
        message = f"{name} belongs to user {user}, who is not the user that runs this engine"
        findings.append(_finding(name, "file-owner", Severity.WARNING, message, "see that this is meant"))
    return findings


def _places(root: Path) -> Iterator[tuple[str, str]]:
    for top in (RULES, "conf"):
        for place, folders, files in os.walk(root / top):
            folders[:] = sorted(one for one in folders if not one.startswith("."))
            inside = os.path.relpath(place, root)
            yield inside, place
            for file in sorted(files):
                if not file.startswith("."):
                    yield os.path.join(inside, file), os.path.join(place, file)


def _finding(name: str, code: str, severity: Severity, message: str, fix: str) -> Finding:
    return Finding(file=name, line=1, column=1, code=code, severity=severity, message=message, fix=fix)
