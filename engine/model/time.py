"""Instants and durations: integer nanoseconds, and the words people write them with.

An instant is nanoseconds since the Unix epoch, UTC. A duration in a file is a number
and one unit (`90s`, `1.5h`, `250ms`); anything else is refused, never guessed.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal

US = 1_000
MS = 1_000_000
SECOND = 1_000_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
LONGEST = 366 * DAY

_UNITS = {"ms": MS, "s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}
_PART = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(ms|s|m|h|d)", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse_duration(text: str) -> int:
    """Return `text` (`250ms`, `90s`, `5m`, `6h`, `1d`) in ns; ValueError says what is wrong.

    Several parts are added up, the largest unit first and each of them once: `1h30m`, as `format_duration` writes it.
    """
    parts = _PART.findall(text)
    sizes = [_UNITS[unit] for _, unit in parts]
    if not parts or "".join(map("".join, parts)) != text or sizes != sorted(set(sizes), reverse=True):
        raise ValueError(f"{text!r} is not a duration: write a number and ms, s, m, h or d, such as 90s or 1h30m")
    ns = sum(int(Decimal(number) * _UNITS[unit]) for number, unit in parts)
    if ns > LONGEST:
        raise ValueError(f"{text!r} is longer than 366d")
    return ns


def format_duration(ns: int) -> str:
    """Return `ns` as people read it, two units at most: `1h30m`, `45s`, `250ms`."""
    if ns < 0:
        return "-" + format_duration(-ns)
    if ns < SECOND:
        return f"{ns // MS}ms"
    parts: list[str] = []
    for unit, size in (("d", DAY), ("h", HOUR), ("m", MINUTE), ("s", SECOND)):
        count, ns = divmod(ns, size)
        if count or parts:
            parts.append(f"{count}{unit}" if count else "")
        if len(parts) == 2:
            break
    return "".join(parts)


def parse_instant(text: str) -> int:
    """Return ISO 8601 `text` with a zone (`2026-01-05T14:00:00Z`) in ns; ValueError if naive or none at all."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no instant") from None
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone: end it with Z for UTC")
    delta = moment - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * SECOND + delta.microseconds * US


def format_instant(ns: int) -> str:
    """Return `ns` as `2026-01-05T14:00:00Z`, with the fraction only where there is one."""
    seconds, fraction = divmod(ns, SECOND)
    base = datetime.fromtimestamp(seconds, tz=UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{base}.{fraction:09d}".rstrip("0") + "Z" if fraction else base + "Z"


def format_second(ns: int) -> str:
    """Return `ns` as people read an end or a beginning: whole seconds, the fraction left out."""
    return format_instant(ns - ns % SECOND)
