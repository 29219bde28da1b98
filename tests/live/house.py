"""A home for an engine whose story is a minute long: the shipped files without what takes a minute to be sure."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.conftest import ROOT

SLOW = "depeg*.yaml"
"""A minute of a healthy peg before the first entry is right for money and long for a test."""


def house(where: Path) -> Path:
    """Copy settings, rules and runbook to `where` and return it. A live mode begins there: no guard is off."""
    if where.exists():
        return where
    where.mkdir(parents=True)
    for name in ("conf", "rules"):
        shutil.copytree(ROOT / name, where / name)
    shutil.copy(ROOT / "RUNBOOK.md", where / "RUNBOOK.md")
    for slow in (where / "rules" / "guards").glob(SLOW):
        slow.unlink()
    return where
