"""Rule files as text, for tests that change one thing about a good rule."""

from __future__ import annotations

from engine.ruleset.diagnostics import Finding
from tests.ruleset.world import load

GOOD: dict[str, str | None] = {
    "id": "cutback.a", "kind": "cutback", "summary": "A thing", "runbook": "RUNBOOK.md#test",
    "expr": "health_measured >= 2", "restrain": "{size_mult: 0.5}",
}


def rule(**changes: str | None) -> str:
    """Return one rule as an item of a list; a key that is None is left out, `for_` is `for`."""
    keys = {**GOOD, **{name.rstrip("_"): value for name, value in changes.items()}}
    lines = [f"{key}: {value}" for key, value in keys.items() if value is not None]
    return "  - " + "\n    ".join(lines) + "\n"


def file_of(*rules: str) -> str:
    """Return a rule file."""
    return "version: 1\nrules:\n" + "".join(rules)


def findings(**changes: str | None) -> tuple[Finding, ...]:
    """Return what is said of one changed rule."""
    return load(file_of(rule(**changes))).findings


def codes(**changes: str | None) -> list[str]:
    """Return the codes of what is said of one changed rule."""
    return [one.code for one in findings(**changes)]
