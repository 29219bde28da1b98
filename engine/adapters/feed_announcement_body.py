"""What the body of an announcement adds to its title: the pairs, and when trading in them starts.

A body comes as JSON of nested nodes, as HTML or as plain text. Only a sentence that opens trading at one
stated minute in UTC is believed; two different minutes, or one that lies nowhere near the announcement, say
nothing for sure.
"""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime
from typing import Any, NamedTuple

from engine.adapters.feed_outside import read_json
from engine.model.time import DAY, HOUR, SECOND

LONGEST = 1 << 20
DEEPEST = 200
EARLIEST, LATEST = HOUR, 31 * DAY
"""How long before and after the announcement trading can start."""
_OPENS = re.compile(
    r"\bopen(?:ing)? trading for (?:the following (?:new )?spot trading pairs?"
    r"|the [^\s/]{1,20}/[^\s/]{1,20} (?:trading )?pair)"
    r" at (?P<when>\d{4}-\d{2}-\d{2} \d{2}:\d{2}) \(UTC\)"
)
_PAIRS = re.compile(r"New Spot Trading Pairs?: (?P<pairs>[^.:]{3,400}?)(?=\.| Users| Note|$)")
_PAIR = re.compile(r"\b([^\W_a-z]{1,20})/([A-Z0-9]{2,6})\b")
_TAG = re.compile(r"<[^>]{0,2000}>")


class Start(NamedTuple):
    """When trading starts (ns since the epoch; 0 where that is not sure) and why it is not known."""

    at: int
    why: str


def text_of(body: Any) -> str:
    """Return the words of a body in any of its forms, white space made single; empty where there are none."""
    if not isinstance(body, str) or len(body) > LONGEST:
        return ""
    if body.lstrip().startswith("{"):
        try:
            parts = list[str]()
            _gather(read_json(body), parts, 0)
            return " ".join(" ".join(parts).split())
        except (ValueError, RecursionError):
            return ""
    return " ".join(html.unescape(_TAG.sub(" ", body)).split())


def _gather(node: Any, parts: list[str], depth: int) -> None:
    if depth > DEEPEST or not isinstance(node, dict):
        return
    if isinstance(node.get("text"), str):
        parts.append(node["text"])
    children = node.get("child")
    for child in children if isinstance(children, list) else ():
        _gather(child, parts, depth + 1)


def start_of(text: str, announced_at: int) -> Start:
    """Return when trading starts by `text`, the words of an announcement of `announced_at` (ns)."""
    stated = {match["when"] for match in _OPENS.finditer(" ".join(text.split()))}
    if not stated:
        return Start(0, "no sentence opens trading at a stated time")
    if len(stated) > 1:
        return Start(0, f"trading opens at {' and at '.join(sorted(stated))}")
    (when,) = stated
    try:
        at = int(datetime.strptime(when, "%Y-%m-%d %H:%M").replace(tzinfo=UTC).timestamp()) * SECOND
    except ValueError:
        return Start(0, f"{when} is no time")
    if not announced_at - EARLIEST <= at <= announced_at + LATEST:
        return Start(0, f"{when} is nowhere near the announcement")
    return Start(at, "")


def symbols_of(text: str, symbols: tuple[str, ...]) -> tuple[str, ...]:
    """Return those of `symbols` that the body's own list of pairs has; all of them where it lists none."""
    listed = _PAIRS.search(" ".join(text.split()))
    if listed is None:
        return symbols
    pairs = {base + quote for base, quote in _PAIR.findall(listed["pairs"])}
    return tuple(symbol for symbol in symbols if symbol in pairs)
