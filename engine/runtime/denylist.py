"""conf/event_denylist.txt: symbols that no entry may trade, a line each, with an end and a reason.

    # why the file looks as it does
    PINEUSDT until=2026-12-24T00:00:00Z reason=stops repaired five times
    OAKUSDT reason=the book is empty on Sundays
"""

from __future__ import annotations

import re

from engine.model.time import parse_instant
from engine.ruleset.diagnostics import Finding, Severity
from engine.ruleset.ruling import Denied

MOST_LINES = 5_000
_SYMBOL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./:-]{0,63}", re.ASCII)
_LOOKS = "write SYMBOL, then until=2026-12-24T00:00:00Z if it ends, then reason=..."


class _Wrong(Exception):
    """A line cannot be read: the column (from 1) and what is wrong there."""

    def __init__(self, column: int, what: str) -> None:
        self.column, self.what = column, what
        super().__init__(what)


def read_denylist(data: bytes, name: str) -> tuple[tuple[Denied, ...], list[Finding]]:
    """Return the lines of the file `name` and what is wrong in it; a line with a mistake is an error, never skipped."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        at = data[: error.start].count(b"\n") + 1
        return (), [_finding(name, at, _Wrong(1, "this line is not UTF-8"), "")]
    denied: list[Denied] = []
    findings: list[Finding] = []
    lines = text.split("\n")
    if len(lines) > MOST_LINES:
        return (), [_finding(name, MOST_LINES, _Wrong(1, f"there are more than {MOST_LINES} lines"), "")]
    taken: dict[str, int] = {}
    for number, line in enumerate(lines, 1):
        line = line.removesuffix("\r")
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            one = _line(line, number)
            if one.symbol in taken:
                raise _Wrong(1, f"{one.symbol} is denied in line {taken[one.symbol]} already")
        except _Wrong as wrong:
            findings.append(_finding(name, number, wrong, line))
        else:
            taken[one.symbol] = number
            denied.append(one)
    return tuple(sorted(denied, key=lambda one: one.symbol)), findings


def _line(line: str, number: int) -> Denied:
    if not line.isprintable():
        raise _Wrong(1, "the line holds characters that cannot be seen")
    symbol, _, rest = line.strip().partition(" ")
    if not _SYMBOL.fullmatch(symbol):
        raise _Wrong(1, f"{symbol!r} is no symbol")
    until, rest = 0, rest.strip()
    if rest.startswith("until="):
        when, _, rest = rest.removeprefix("until=").partition(" ")
        try:
            until = parse_instant(when)
        except ValueError as error:
            raise _Wrong(line.index("until=") + 7, str(error)) from None
    rest = rest.strip()
    if rest and not rest.startswith("reason="):
        raise _Wrong(line.rindex(rest) + 1, f"`{rest}` is neither until= nor reason=")
    return Denied(symbol=symbol, until=until, reason=rest.removeprefix("reason="), line=number)


def _finding(name: str, number: int, wrong: _Wrong, line: str) -> Finding:
    return Finding(
        file=name, line=number, column=wrong.column, code="denylist", severity=Severity.ERROR, message=wrong.what,
        fix=_LOOKS, source_line=line,
    )
