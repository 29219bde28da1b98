"""Findings as GitHub workflow commands, which put each beside its line in a pull request."""

from __future__ import annotations

from collections.abc import Sequence

from engine.cli.plain import plain
from engine.ruleset.diagnostics import Finding, Severity

_WORDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}


def annotations_of(findings: Sequence[Finding]) -> list[str]:
    """Return a line for each finding. No text of a file can end the line or begin another command."""
    return [
        f"::{_WORDS[one.severity]} file={_property(one.file)},line={one.line},col={one.column},"
        f"title={_property(one.code)}::{_data(f'{one.message} - fix: {one.fix}')}"
        for one in findings
    ]


def _data(text: str) -> str:
    return plain(text).replace("%", "%25").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
