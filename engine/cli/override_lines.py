"""What an operator laid over the rules, in lines: what, how long it still holds, who and why, what ends it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from engine.cli.text import Paint, columns, span

Status = Mapping[str, Any]
Pasted = Callable[[str], str]
"""Makes of a command one that can be pasted in this place."""


def override_lines(status: Status, paint: Paint, pasted: Pasted) -> list[str]:
    """Return one line for each override of `status`, what lets more through first, in red; none where there is none."""
    at = int(status["at"])
    waivers, maintenance = status.get("waivers") or (), status.get("maintenance")
    rows: list[tuple[str, ...]] = [
        (f"WAIVED {one['name']}: {_lifts(one)}", *_told(one, at, pasted)) for one in waivers
    ]
    if maintenance:
        rows.append(("maintenance: entries paused", *_told(maintenance, at, pasted)))
    for one in status.get("restrictions") or ():
        rows.append((f"{one['number']}  {one['what']}", *_told(one, at, pasted)))
    for one in status.get("denials") or ():
        rows.append((f"no entries in {one['symbol']}", *_told(one, at, pasted)))
    for one in status.get("overrides") or ():
        told = {**one, "end": f"engine flag unset {one['flag']}"}
        rows.append((f"{one['flag']} = {one['value']}", *_told(told, at, pasted)))
    for one in status.get("lapsing") or ():
        rows.append((f"{one['instance']}: {one['restraint']}", _lapses(one, at), "a rule", pasted(one["end"])))
    lines = columns(rows)
    red = [paint(line, "red", "bold") for line in lines[: len(waivers)]]
    return [*red, *lines[len(waivers):], *_by_file(status.get("denied_by_file") or {})]


def waived_line(status: Status, paint: Paint) -> str:
    """Return the line that says what is waived, in red; empty where nothing is."""
    waivers = status.get("waivers") or ()
    if not waivers:
        return ""
    told = ", ".join(f"{one['name']} ({_left(one, int(status['at']))})" for one in waivers)
    return paint(f"WAIVED: {told}", "red", "bold")


def _lifts(waiver: Mapping[str, Any]) -> str:
    held = ", ".join(f"{one['instance']} ({one['restraint']}, {one['because']})" for one in waiver["holds_back"])
    what = "to reduce_only at most" if waiver["kill"] else "all that it forbids"
    return f"{what}; it would restrain now: {held}" if held else f"{what}; it does not restrain now"


def _told(one: Mapping[str, Any], at: int, pasted: Pasted) -> tuple[str, str, str]:
    reason = f"{one.get('actor', '')}: {one.get('reason', '')}".strip(": ")
    return _left(one, at), reason, pasted(one["end"])


def _left(one: Mapping[str, Any], at: int) -> str:
    if one.get("waits"):
        return f"{span(one['waits'])} from the next start"
    until = one.get("until")
    return f"{span(max(0, until - at))} left" if until else "no end"


def _lapses(one: Mapping[str, Any], at: int) -> str:
    if one.get("until"):
        return f"{span(max(0, one['until'] - at))} left"
    return f"{span(one['ttl'])} after it was last true"


def _by_file(denied: Mapping[str, Any]) -> list[str]:
    if not denied.get("count"):
        return []
    more = denied["count"] - len(denied["first"])
    named = ", ".join(f"{one['symbol']} (line {one['line']})" for one in denied["first"])
    rest = f" and {more} more" if more else ""
    return [f"  conf/event_denylist.txt denies {named}{rest}: edit it, then engine reload"]
