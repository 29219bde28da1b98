"""Findings as SARIF 2.1.0, the format of code scanning."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from engine.cli.plain import plain
from engine.ruleset.diagnostics import Finding, Severity
from engine.ruleset.lints import LINTS

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}


def sarif(findings: Sequence[Finding]) -> dict[str, Any]:
    """Return the log of one run that found `findings`. Columns count characters, as editors do."""
    codes = sorted({one.code for one in findings})
    places = {code: index for index, code in enumerate(codes)}
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": "engine rules", "rules": [_rule(code) for code in codes]}},
            "columnKind": "unicodeCodePoints",
            "results": [_result(one, places[one.code]) for one in findings],
        }],
    }


def _rule(code: str) -> dict[str, Any]:
    lint = LINTS.get(code)
    if lint is None:
        return {"id": code}
    return {"id": code, "shortDescription": {"text": _text(lint.finds)}, "help": {"text": _text(lint.fix)}}


def _result(one: Finding, place: int) -> dict[str, Any]:
    region: dict[str, Any] = {"startLine": max(one.line, 1), "startColumn": max(one.column, 1)}
    if one.source_line.strip():
        region["snippet"] = {"text": plain(one.source_line)}
    location = {"artifactLocation": {"uri": _uri(one.file)}, "region": region}
    return {
        "ruleId": one.code, "ruleIndex": place, "level": _LEVELS[one.severity],
        "message": {"text": _text(f"{one.message} - fix: {one.fix}")},
        "locations": [{"physicalLocation": location}],
    }


def _text(text: str) -> str:
    """Return `text` as a message: braces are doubled, because single ones hold arguments, and nothing is a link."""
    return plain(text).replace("{", "{{").replace("}", "}}").replace("](", "] (")


def _uri(file: str) -> str:
    """Return a file's name as a URI reference: whole where the name is, else relative to where the command ran."""
    path = PurePath(file)
    name = quote(path.as_posix(), errors="replace")
    return f"file://{name}" if path.is_absolute() else name
