"""A trace as text: the value of every part of an expression, one part a line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from engine.cli.text import columns

Part = Mapping[str, Any]


def trace_lines(trace: Iterable[Part] | None, *, indent: str) -> list[str]:
    """Return `trace` (parts with `text`, `value` and perhaps `depth`) as aligned lines; none for no trace."""
    rows = [("  " * int(part.get("depth", 0)) + str(part.get("text", "")), f"= {value_text(part.get('value'))}") for part in trace or ()]
    return columns(rows, indent=indent)


def value_text(value: Any) -> str:
    """Return a value of a trace as people read it; what is not known says why."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.10g}"
    if isinstance(value, list | tuple):
        return ", ".join(value_text(item) for item in value)
    return str(value)
