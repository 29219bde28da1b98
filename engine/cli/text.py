"""How things look in a terminal: columns, colour, one progress bar.

Colour only where a person looks: on a terminal, without NO_COLOR and not on TERM=dumb.
Piped output is plain text, so that a test or a grep sees what a person would read.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TextIO
from zoneinfo import ZoneInfo

from engine.model.time import SECOND, format_duration, format_instant, format_second

_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "blue": "34", "cyan": "36"}


def colour_wanted(stream: TextIO, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether `stream` is a terminal whose owner has not asked for plain text."""
    if environment.get("NO_COLOR") or environment.get("TERM") == "dumb":
        return False
    return stream.isatty()


class Paint:
    """Wraps text in colour, or leaves it alone."""

    def __init__(self, enabled: bool) -> None:
        self._enabled = enabled

    def __call__(self, text: str, *styles: str) -> str:
        """Return `text` in the named `styles` (bold, dim, red, green, yellow, blue, cyan)."""
        if not self._enabled or not styles or not text:
            return text
        return f"\x1b[{';'.join(_CODES[style] for style in styles)}m{text}\x1b[0m"


PLAIN = Paint(enabled=False)


def columns(rows: Iterable[Sequence[str]], *, indent: str = "  ", right: frozenset[int] = frozenset()) -> list[str]:
    """Return `rows` as lines with aligned columns; the columns in `right` are aligned to the right."""
    rows = [tuple(row) for row in rows]
    count = max((len(row) for row in rows), default=0)
    widths = [max((len(row[i]) for row in rows if i < len(row)), default=0) for i in range(count)]
    lines: list[str] = []
    for row in rows:
        cells = [cell.rjust(widths[i]) if i in right else cell.ljust(widths[i]) for i, cell in enumerate(row)]
        lines.append((indent + "  ".join(cells)).rstrip())
    return lines


def shorten(text: str, width: int) -> str:
    """Return `text` in at most `width` characters; `...` stands for what is left out."""
    if len(text) <= width or width < 4:
        return text
    return text[: width - 3].rstrip() + "..."


def clock(ns: int) -> str:
    """Return the time of day of `ns`, UTC."""
    return format_instant(ns)[11:19]


def instant(ns: int | None) -> str:
    """Return `ns` as a date and a time of day to the second, UTC, or `never`."""
    return "never" if not ns else format_second(ns)


def local(ns: int, zone: str) -> str:
    """Return `ns` as wall time in `zone`, such as `2026-03-03 00:00 UTC`."""
    moment = datetime.fromtimestamp(ns // SECOND, tz=ZoneInfo(zone))
    return f"{moment:%Y-%m-%d %H:%M %Z}"


def span(ns: int) -> str:
    """Return a duration as people say it; below a second it is `now`."""
    return "0s" if 0 <= ns < SECOND else format_duration(ns - ns % SECOND)


def number(value: object) -> str:
    """Return a number with thousands set apart, and what is not a number as it is."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "-" if value is None else str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:,.2f}"


class Progress:
    """One line on stderr that says how far long work is. Silent unless stderr is a terminal."""

    def __init__(self, total: int, stream: TextIO | None = None) -> None:
        self._stream = stream if stream is not None else sys.stderr
        self._total = max(1, total)
        self._shown = ""
        self._enabled = self._stream.isatty() and os.environ.get("TERM") != "dumb"

    def show(self, done: int, note: str) -> None:
        """Draw the bar at `done` of the total, with `note` behind it."""
        if not self._enabled:
            return
        share = min(1.0, done / self._total)
        filled = round(share * 24)
        room = shutil.get_terminal_size().columns - 1
        line = f"[{'#' * filled}{'.' * (24 - filled)}] {share:4.0%}  {note}"[:room]
        if line != self._shown:
            self._stream.write("\r\x1b[K" + line)
            self._stream.flush()
            self._shown = line

    def clear(self) -> None:
        """Take the bar away, so that a line can be printed where it was."""
        if self._shown:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
            self._shown = ""
