"""What the night writes into conf/event_denylist.txt: who offends, with an end and a reason, below one heading.

    # refreshed 2026-03-03: lines below whose reason begins with `refreshed:` come and go by themselves
    PINEUSDT until=2026-03-06T00:00:00Z reason=refreshed: 2 bad days of 5, last: stops repaired 3 times

Only such lines are ever changed. What a person wrote stays byte for byte where it is, below the
heading too. No line ends sooner than it said: who still offends gets a later end, and a line
goes when it has ended.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.model.nightly import Offence
from engine.model.time import SECOND, format_second
from engine.ruleset.diagnostics import has_errors
from engine.ruleset.ruling import Denied
from engine.runtime.denylist import read_denylist
from engine.runtime.whole_file import put_whole

HEADING, MARK = "# refreshed ", "refreshed: "
_SAYS = "lines below whose reason begins with `refreshed:` come and go by themselves"
_TRIES = 3


class RefreshError(Exception):
    """The file cannot be refreshed: what is wrong, and what to do about it."""

    def __init__(self, what: str, fix: str) -> None:
        self.what, self.fix = what, fix
        super().__init__(f"{what}; fix: {fix}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Refreshed:
    """What a refresh makes of a file."""

    data: bytes
    changed: bool
    added: tuple[str, ...]
    """Symbols that are denied now and were not."""
    extended: tuple[str, ...]
    ended: tuple[str, ...]
    notes: tuple[str, ...]
    """What a person should know: who offends and could not be written down."""


def refreshed(data: bytes, name: str, offences: Sequence[Offence], day: str, now: int) -> Refreshed:
    """Return the file `name` with `offences` in it, as of `now` (ns). RefreshError where a line cannot be read."""
    denied = _read(data, name)
    lines = data.decode("utf-8").split("\n")
    heading = next((number for number, line in enumerate(lines, 1) if line.startswith(HEADING)), 0)
    ours = {one.symbol: one for one in denied if heading and one.line > heading and one.reason.startswith(MARK)}
    theirs = {one.symbol: one for one in denied if one.symbol not in ours}
    notes: list[str] = []
    wanted = {symbol: (one.until, one.reason) for symbol, one in ours.items() if one.until > now or not one.until}
    for one in offences:
        said = theirs.get(one.symbol)
        if said is not None:
            if 0 < said.until <= now:
                notes.append(f"{one.symbol} offends ({one.reason}), and line {said.line} of {name} has ended: edit it")
            continue
        until = one.until - one.until % SECOND
        if not _fits(_line(one.symbol, until, MARK + one.reason)):
            notes.append(f"{one.symbol} offends ({one.reason}) and cannot be written into {name}: `engine deny` it")
            continue
        before = ours.get(one.symbol)
        if before is None or before.until and before.until < until:
            wanted[one.symbol] = (until, MARK + one.reason)
    now_have = {symbol: (one.until, one.reason) for symbol, one in ours.items()}
    made = Refreshed(
        data=data, changed=wanted != now_have, notes=tuple(notes),
        added=tuple(sorted(set(wanted) - set(ours))), ended=tuple(sorted(set(ours) - set(wanted))),
        extended=tuple(sorted(symbol for symbol in wanted if symbol in ours and wanted[symbol] != now_have[symbol])),
    )
    if not made.changed:
        return made
    taken = {one.line for one in ours.values()}
    new = [_line(symbol, *wanted[symbol]) for symbol in sorted(wanted)]
    return Refreshed(
        data=_written(lines, heading, taken, [f"{HEADING}{day}: {_SAYS}", *new]), changed=True, added=made.added,
        extended=made.extended, ended=made.ended, notes=made.notes,
    )


def refresh_file(path: Path, offences: Sequence[Offence], day: str, now: int) -> Refreshed:
    """Refresh the file at `path`; whoever reads it sees it whole, before or after. RefreshError, OSError."""
    real = Path(os.path.realpath(path))
    for _ in range(_TRIES):
        before = _bytes(real)
        made = refreshed(before, path.name, offences, day, now)
        if not made.changed:
            return made
        _read(made.data, path.name)
        # Somebody may have saved it meanwhile: what they wrote is never lost.
        if _swap(real, before, made.data):
            return made
    raise RefreshError(f"{path.name} is being edited", "refresh it again when the editing is over")


def _read(data: bytes, name: str) -> tuple[Denied, ...]:
    denied, findings = read_denylist(data, name)
    if has_errors(tuple(findings)):
        raise RefreshError(f"{findings[0]}", findings[0].fix)
    return denied


def _fits(line: str) -> bool:
    return not has_errors(tuple(read_denylist(line.encode(), "")[1]))


def _line(symbol: str, until: int, reason: str) -> str:
    end = f" until={format_second(until)}" if until else ""
    return f"{symbol}{end} reason={reason}"


def _written(lines: Sequence[str], heading: int, taken: set[int], new: Sequence[str]) -> bytes:
    """Return the lines with those of numbers `taken` gone and `new`, whose first is the heading, in its place."""
    end = "\r" if lines and lines[0].endswith("\r") else ""
    ours = [one + end for one in new]
    if not heading:
        body = list(lines)
        if body and body[-1] == "":
            body.pop()
        elif body and end:
            body[-1] += end
        return "\n".join([*body, *ours, ""]).encode()
    kept: list[str] = []
    for number, line in enumerate(lines, 1):
        if number == heading:
            kept += ours
        elif number not in taken:
            kept.append(line)
    return "\n".join(kept).encode()


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def _swap(path: Path, before: bytes, after: bytes) -> bool:
    """Put `after` in the place of `before`, down to the disk; False where the file is not `before` any more."""
    mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else 0o644
    return put_whole(path, after, mode=mode, still=lambda: _bytes(path) == before)
