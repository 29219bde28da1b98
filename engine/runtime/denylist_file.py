"""`conf/event_denylist.txt`: symbols that may not be entered, a line each.

`SYMBOL [UNTIL] [# why]`, with UNTIL an instant such as 2026-12-01T00:00:00Z; without one the
denial is for good. What follows `#` says why, and a line may hold nothing else.
"""

from __future__ import annotations

import re

from engine.model.time import parse_instant
from engine.ruleset.diagnostics import Finding, Severity
from engine.ruleset.ruling import Denied

MOST_LINES = 10_000
_SYMBOL = re.compile(r"[A-Z0-9]{2,32}", re.ASCII)


def read_denylist(text: bytes, file: str) -> tuple[tuple[Denied, ...], list[Finding]]:
    """Return what a file with the bytes `text` denies, in the order of its lines, and all that is wrong with it.

    Never raises. A denylist with an error in it must not be used: the line that is wrong
    may be the one that denies.
    """
    findings: list[Finding] = []
    try:
        # Only what editors call a line: an exotic separator stays inside one, and is refused there.
        lines = [line.removesuffix("\r") for line in text.decode("utf-8").split("\n")]
    except UnicodeDecodeError as error:
        bad = text[:error.start].count(b"\n") + 1
        return (), [_finding(file, bad, 1, "deny-encoding", "the file is not UTF-8", "save it as UTF-8", "")]
    if len(lines) > MOST_LINES:
        message = f"there are more than {MOST_LINES} lines"
        return (), [_finding(file, MOST_LINES + 1, 1, "deny-too-long", message, "deny fewer symbols", "")]
    denied: list[Denied] = []
    seen: dict[str, int] = {}
    for number, line in enumerate(lines, start=1):
        said, _, why = line.partition("#")
        if not line.replace("\t", " ").isprintable():
            # What is shown in a status must not steer the terminal.
            message = "there is a character that cannot be seen"
            findings.append(_finding(file, number, 1, "deny-character", message, "type the line again", ""))
            continue
        if not said.strip():
            continue
        one = _denied(file, number, line, why.strip(), findings)
        if one is None:
            continue
        if one.symbol in seen:
            findings.append(_finding(
                file, number, line.index(one.symbol) + 1, "deny-duplicate",
                f"{one.symbol} is denied in line {seen[one.symbol]} already", "keep one of the two lines", line,
            ))
        seen.setdefault(one.symbol, number)
        denied.append(one)
    return tuple(denied), findings


def _denied(file: str, number: int, line: str, why: str, findings: list[Finding]) -> Denied | None:
    words = [(match[0], match.start() + 1) for match in re.finditer(r"\S+", line.partition("#")[0])]
    symbol, column = words[0]
    if not _SYMBOL.fullmatch(symbol):
        findings.append(_finding(
            file, number, column, "deny-symbol", f"{symbol[:40]!r} is no symbol", "write one such as BTCUSDT", line,
        ))
        return None
    if len(words) > 2:
        findings.append(_finding(
            file, number, words[2][1], "deny-words", "a line holds a symbol and an instant",
            "put a # before the reason", line,
        ))
        return None
    until = 0
    if len(words) == 2:
        try:
            until = parse_instant(words[1][0])
        except ValueError as error:
            findings.append(_finding(
                file, number, words[1][1], "deny-until", str(error), "write an instant such as 2026-12-01T00:00:00Z",
                line,
            ))
            return None
    return Denied(symbol=symbol, until=until, reason=why, line=number)


def _finding(file: str, line: int, column: int, code: str, message: str, fix: str, text: str) -> Finding:  # noqa: PLR0913
    return Finding(
        file=file, line=line, column=column, code=code, severity=Severity.ERROR, message=message, fix=fix,
        source_line=text,
    )
