"""Tells a run as it happens: what it is, each decision on one line, what came of it.

The story shows what an operator would want to have seen; what only follows from it (a
stop that trails, an order cancelled because its successor stands) is counted instead.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

from engine.cli.story import Line, told
from engine.cli.text import PLAIN, Paint, Progress, clock, columns, instant, number, shorten, span
from engine.model.effects import Effect, FillBooked, PolicyChanged
from engine.runtime.options import RunInfo

READING_S = 30.0
"""How long a whole story may wait for its reader, in seconds."""

_TIME, _WHO, _STATE, _WHY = 8, 28, 19, 54
_NAMED = 3
"""Damaged lines of a tape that the report names; `engine tape info` names more."""
_COUNTS = ("events", "seconds", "events_per_second", "transitions", "notifications", "orders", "fills", "refused")


class Narrator:
    """The observer that writes for people. `command` is how this engine is called, for pasting."""

    def __init__(
        self, *, command: str = "engine", paint: Paint = PLAIN, paced: bool = False, out: TextIO | None = None,
        width: int = 0,
    ) -> None:
        self._command = command
        self._paint = paint
        self._left = READING_S if paced else 0.0
        self._out = out if out is not None else sys.stdout
        self._width = width
        """Columns of the terminal; 0 for as wide as the text is."""
        self._info: RunInfo | None = None
        self._progress = Progress(1)
        self._state = ""
        self._chapter = 0
        self._counted: Counter[str] = Counter()
        self._told: set[tuple[str, str, str]] = set()
        self._stands: PolicyChanged | None = None
        """What the policy restrains, without who and when."""

    def start(self, info: RunInfo) -> None:
        """Say what this run is and that no money can move."""
        self._info = info
        self._state = _near(info.state_dir)
        self._progress = Progress(max(1, info.last_at - info.first_at))
        paint = self._paint
        resumed = f", resumed from event {info.resumed_from_seq}" if info.resumed_from_seq else ""
        live = info.mode.value != "dry-run"
        self._print(paint("Runbook Engine", "bold") + " " + paint(_promise(info), "red" if live else "green"))
        rows = [
            ("mode", info.mode.value + ("" if live else ": orders go to the simulated exchange in this process")),
            ("tape", f"{info.tape}, {_stretch(info)}") if info.tape else ("venue", f"{info.venue}, on the real clock"),
            ("rules", f"{info.rules} rules and {info.flags} flags loaded"),
            ("state", f"{self._state}{resumed}"),
            ("stop", f"Ctrl-C ends it in order; touch {self._state}/HALT halts it"),
        ]
        for line in columns(rows):
            self._print(line)
        for rule, missing in info.unwired:
            self._print(paint(f"  unwired: {rule} does not guard in this run, nobody feeds {missing}", "yellow"))
        for warning in info.warnings:
            self._print(paint(f"  warning: {warning}", "yellow"))

    def effect(self, effect: Effect) -> float:
        """Tell `effect` if it belongs to the story; return how long to wait for its reader (wall seconds)."""
        if isinstance(effect, FillBooked) and self._info is not None and self._info.tape:
            # On a tape what orders became of is told by plans; at a venue each fill is money.
            return 0.0
        found = told(effect)
        if found is None:
            return 0.0
        if isinstance(found, str):
            self._counted[found] += 1
            return 0.0
        self._open_chapters(found.at)
        if isinstance(effect, PolicyChanged):
            before, self._stands = self._stands, replace(effect, at=0, version=0, binding=(), stricter=False)
            # Only who restrains changed: to call that looser right behind a halt would be read as its end.
            found = replace(found, state="as strict") if self._stands == before else found
        if found.again:
            key = (found.who, found.state, found.effect)
            if key in self._told:
                self._counted[found.again] += 1
                return 0.0
            self._told.add(key)
        self._print(self._line(found))
        return self._wait(found.wait_s)

    def warn(self, text: str) -> None:
        """Say at once what a person should look at."""
        self._print(self._paint(f"  warning: {text}", "yellow"))

    def progress(self, at: int, events: int) -> None:
        """Move the bar: `at` is market time in ns, `events` how many so far."""
        self._open_chapters(at)
        if self._info is not None and self._info.tape:
            self._progress.show(at - self._info.first_at, f"{clock(at)}  {number(events)} events")

    def finish(self, summary: dict[str, Any]) -> None:
        """Report what came of it, and what to type next."""
        self._progress.clear()
        if self._info is not None and not self._info.tape:
            for line in left_behind(summary, self._paint):
                self._print(line)
            return
        for line in report(summary, self._counted, self._paint):
            self._print(line)
        state = f" --state {self._state}" if self._state else ""
        for line in go_on(summary, self._command, state, self._paint):
            self._print(line)

    def _open_chapters(self, at: int) -> None:
        chapters = () if self._info is None else self._info.chapters
        while self._chapter < len(chapters) and chapters[self._chapter].start <= at:
            chapter = chapters[self._chapter]
            self._chapter += 1
            self._told.clear()
            self._print("")
            self._print(self._paint(f"{clock(chapter.start)}  {chapter.name}", "bold"))

    def _line(self, line: Line) -> str:
        why_room = _WHY if not self._width else max(20, self._width - _TIME - _WHO - _STATE - 10 - len(line.effect))
        why = shorten(line.why, why_room) if self._width else line.why
        cells = [
            self._paint(clock(line.at), "dim"),
            self._paint(line.who.ljust(_WHO), line.colour),
            line.state.ljust(_STATE),
            why.ljust(min(_WHY, why_room)) if line.effect else why,
        ]
        if line.effect:
            cells.append(self._paint(f"=> {line.effect}", line.colour))
        return "  ".join(cells).rstrip()

    def _wait(self, wanted_s: float) -> float:
        # A share of what is left: a long story reads faster, and its end still gets its pause.
        wait = min(wanted_s, self._left / 40)
        self._left -= wait
        return wait

    def _print(self, text: str) -> None:
        self._progress.clear()
        try:
            print(text, file=self._out, flush=True)
        except OSError:
            # The reader has gone, or the disk of the log is full: no reason to leave positions alone.
            if self._out is sys.stdout:
                # What is still in its buffer must go somewhere when the process ends.
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            self._out = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 (as long as the process)


class JsonNarrator:
    """The observer for machines: one object at the end, progress on stderr."""

    def __init__(self) -> None:
        self._progress = Progress(1)
        self._first = 0

    def start(self, info: RunInfo) -> None:
        """Take the length of the run for the bar."""
        self._first = info.first_at
        self._progress = Progress(max(1, info.last_at - info.first_at))

    def effect(self, effect: Effect) -> float:
        """Say nothing, wait for nobody."""
        return 0.0

    def warn(self, text: str) -> None:
        """Say it on stderr: stdout is for the one object."""
        print(f"warning: {text}", file=sys.stderr, flush=True)

    def progress(self, at: int, events: int) -> None:
        """Move the bar."""
        self._progress.show(at - self._first, f"{clock(at)}  {number(events)} events")

    def finish(self, summary: dict[str, Any]) -> None:
        """Take the bar away; the caller prints `summary`."""
        self._progress.clear()


def report(summary: dict[str, Any], counted: Counter[str], paint: Paint) -> list[str]:
    """Return the final report of a run as lines."""
    latches = summary.get("latches") or []
    skips = summary.get("skips") or {}
    count = {name: number(summary.get(name)) for name in _COUNTS}
    rows = [
        ("events", f"{count['events']} in {count['seconds']} s, {count['events_per_second']} a second"),
        ("decisions", f"{count['transitions']} changes of a rule, {count['notifications']} messages to people"),
        ("orders", f"{count['orders']} sent, {count['fills']} fills, {count['refused']} refused"),
    ]
    if summary.get("stopped"):
        rows.insert(0, ("stopped", f"by {summary['stopped']}, before the tape was over: go on with --resume"))
    if skips:
        ordered = sorted(skips.items(), key=lambda item: (-item[1], item[0]))
        rows.append(("refused by", ", ".join(f"{reason} {times}" for reason, times in ordered)))
    if summary.get("taker_slippage_bps") is not None:
        slippage, fills = summary["taker_slippage_bps"], number(summary.get("taker_fills"))
        rows.append(("slippage", f"{slippage:.1f} bps a taker fill on average, {fills} of them"))
    rows.append(("PnL", f"{summary.get('pnl_usd') or 0.0:+,.2f} USD on paper, fees paid"))
    normal = 100 * (summary.get("normal_share") or 0.0)
    partly = 100 * (summary.get("partly_restrained_share") or 0.0)
    alone = f", with some symbol or intent restrained alone {partly:.1f} %" if partly else ""
    rows.append(("level", f"{summary.get('level')} now; normal {normal:.1f} % of the time{alone}"))
    rows.append(("digest", str(summary.get("digest", ""))[:16]))
    if summary.get("damaged_count"):
        rows.append(("damaged", f"{number(summary['damaged_count'])} lines of the tape, counted and passed over"))
        rows += [("", found) for found in summary["damaged"][:_NAMED]]
    if counted:
        rows.append(("not shown", ", ".join(f"{times} {what}" for what, times in sorted(counted.items()))))
    lines = ["", paint("What came of it", "bold"), *columns(rows)]
    for latch in latches:
        lines.append(paint(f"  latched     {_latch(latch)}", "red"))
    if not latches:
        lines.append("  latched     nothing")
    return lines


def left_behind(status: dict[str, Any], paint: Paint) -> list[str]:
    """Return what a live run leaves at its venue when it ends."""
    rows = [
        (row["symbol"], f"{row['quantity']} at {row['average_price']}, stop {row['stop'] or 'NONE'}")
        for row in status.get("positions") or []
    ]
    lines = ["", paint("Stopped", "bold") + ". Stops stay at the venue; entries were taken back."]
    lines += columns(rows) if rows else ["  no position is open"]
    orders = status.get("orders") or {}
    if orders.get("unknown"):
        lines.append(paint(f"  {orders['unknown']} orders of unknown fate: the next start looks them up", "red"))
    return [*lines, "  Started again on the same --state, it goes on from here."]


def go_on(summary: dict[str, Any], command: str, state: str, paint: Paint) -> list[str]:
    """Return three commands that work as they stand, and one line of a rule to edit."""
    latches = summary.get("latches") or []
    first = latches[0] if latches else {}
    rule = first.get("rule", "guard.feed.stale") if isinstance(first, dict) else "guard.feed.stale"
    rows = [
        (f"{command} status{state}", "what is restricted, and what clears it"),
        (f"{command} explain {rule}{state}", "why, with every value it read"),
    ]
    if latches:
        rearm = str(first.get("number", "--cleared")) if isinstance(first, dict) else "--cleared"
        rows.append((f"{command} rearm {rearm}{state}", "end the latch, as an operator would"))
    else:
        rows.append((f"{command} flags{state}", "every number that may be changed without touching a rule"))
    return [
        "", paint("Go on", "bold"), *columns(rows), "",
        "  Or change a rule and run again: in rules/guards/depeg.yaml write `for: 5 windows` in place of",
        "  `for: DEPEG_CONFIRM_WINDOWS`; the halt then comes two minutes later.",
    ]


def _latch(latch: Any) -> str:
    if not isinstance(latch, dict):
        return str(latch)
    since = f" since {instant(latch['since'])}" if latch.get("since") else ""
    return f"{latch.get('number', '')}  {latch.get('name', '')}: {latch.get('restraint', '')}{since}"


def _near(path: Path) -> str:
    """Return `path` as it is typed here: from this directory if it lies below it."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_absolute() and path.is_relative_to(here) else path)


def _promise(info: RunInfo) -> str:
    if info.venue == "paper":
        return "· paper venue, no keys, nothing leaves this machine"
    return f"· venue {info.venue}"


def _stretch(info: RunInfo) -> str:
    length = span(info.last_at - info.first_at)
    events = f"{number(info.events)} events, " if info.events >= 0 else ""
    return f"{events}{length} of market time from {instant(info.first_at)}"


__all__ = ["JsonNarrator", "Narrator", "go_on", "report"]
