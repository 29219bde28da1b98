"""What is wrong in a file that a person wrote: the place, the fact and the fix.

Reading never stops at the first mistake and never raises: whoever reads adds findings to
a list, and `settle` puts them in reading order at the end.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from engine.model.codec import Data

MOST_IN_A_FILE = 100
"""More findings of one file than this are counted, not listed."""


class Severity(StrEnum):
    """Whether the file may be used (warning, info) or not (error)."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Finding:
    """One thing wrong; lines and columns count from 1, as editors do. `source_line` is the line itself, unchanged."""

    file: str
    line: int
    column: int
    code: str
    severity: Severity
    message: str
    fix: str
    source_line: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.code}: {self.message}"


def has_errors(findings: Iterable[Finding]) -> bool:
    """Return whether any finding forbids using the file."""
    return any(finding.severity is Severity.ERROR for finding in findings)


def settle(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings in reading order, each once, without the echoes of a character that must not be there.

    An invisible character on a line breaks names on that line in ways that cannot be seen, so
    only the character itself is reported there.
    """
    ordered = sorted(set(findings))
    spoiled = {(one.file, one.line) for one in ordered if one.code == "yaml-character"}
    kept = [one for one in ordered if one.code == "yaml-character" or (one.file, one.line) not in spoiled]
    return tuple(_capped(kept))


def _capped(findings: list[Finding]) -> Iterable[Finding]:
    by_file: dict[str, list[Finding]] = {}
    for finding in findings:
        by_file.setdefault(finding.file, []).append(finding)
    for found in by_file.values():
        if len(found) <= MOST_IN_A_FILE:
            yield from found
            continue
        yield from found[: MOST_IN_A_FILE - 1]
        left = found[MOST_IN_A_FILE - 1 :]
        yield replace(
            left[0], code="too-many", severity=_worst(left), fix="mend the ones above and check again",
            message=f"{len(left)} more findings in this file are not listed",
        )


def _worst(findings: list[Finding]) -> Severity:
    """Return how bad the worst of `findings` is: many warnings forbid no more than one."""
    found = {finding.severity for finding in findings}
    return next(one for one in (Severity.ERROR, Severity.WARNING, Severity.INFO) if one in found)


def format_text(findings: Iterable[Finding]) -> str:
    """Return findings for reading: place, code, fact, the line with a caret under the place, and the fix."""
    return "\n".join(_block(finding) for finding in findings)


def to_json(findings: Iterable[Finding]) -> list[Data]:
    """Return findings as JSON data, one object each."""
    return [
        {
            "file": one.file, "line": one.line, "column": one.column, "code": one.code,
            "severity": one.severity.value, "message": one.message, "fix": one.fix,
        }
        for one in findings
    ]


def _block(finding: Finding) -> str:
    lines = [_seen(str(finding))]
    if finding.source_line.strip():
        shown, caret = _window(finding.source_line, finding.column - 1)
        lines += [f"    {shown}", f"    {caret}^"]
    lines.append(f"    fix: {_seen(finding.fix)}")
    return "\n".join(lines)


def _window(line: str, offset: int) -> tuple[str, str]:
    """Return the part of a line around `offset` that fits a terminal, and the blanks before the caret."""
    start = max(0, offset - 90) if len(line) > 110 else 0
    part = line[start:start + 110]
    if part.lstrip().startswith("::"):
        # Build servers take a line that begins so, blanks or not, for a command to them.
        part = part.replace("::", "\N{MODIFIER LETTER COLON}:", 1)
    shown = "".join(_visible(char) for char in part)
    before = "".join(_visible(char) for char in part[:offset - start])
    return shown, " " * sum(_cells(char) for char in before)


def _seen(text: str) -> str:
    return "".join(map(_visible, text))


def _visible(char: str) -> str:
    """Return one printable character for any: nothing in a file may steer the terminal."""
    if char == "\t":
        return " "
    return char if char.isprintable() else "\N{REPLACEMENT CHARACTER}"


def _cells(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1
