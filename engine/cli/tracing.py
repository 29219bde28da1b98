"""A trace as text: the value of every part of an expression, one part a line; then timers and latches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from engine.cli.text import columns, instant, span


def trace_lines(trace: Iterable[Mapping[str, Any]] | None, *, indent: str) -> list[str]:
    """Return `trace` (parts with `text`, `depth`, `value`, `unknown`) as aligned lines; none for no trace."""
    rows = [("  " * int(part.get("depth", 0)) + str(part["text"]), f"= {_value(part)}") for part in trace or ()]
    return columns(rows, indent=indent)


def timer_lines(record: Mapping[str, Any], *, indent: str) -> list[str]:
    """Return the timers that run and the latches that are open of an explained instance, a line each."""
    at = record["at"]
    rows = [
        ("timer", f"{one['timer']}, {span(one['until'] - at)} to go, until {instant(one['until'])}: then {one['then']}")
        for one in record.get("timers") or ()
    ]
    rows += [
        ("latch", f"{one['number']} ({one['name']}) since {instant(one['since'])}: {one['restrains']}")
        for one in record.get("latches") or ()
    ]
    return columns(rows, indent=indent)


def _value(part: Mapping[str, Any]) -> str:
    value, doubts = part.get("value"), part.get("unknown") or ()
    if value is None:
        return f"unknown: {', '.join(doubts)}" if doubts else "unknown"
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.10g}" if isinstance(value, float) else str(value)
