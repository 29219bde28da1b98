"""What a run was asked to do, and what it tells whoever watches it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from engine.model.effects import Effect
from engine.model.events import RunMode
from engine.model.history import HistoryHeader
from engine.model.run_mode import Verdict
from engine.ports.feed import Chapter
from engine.ports.history import HistoryWriter
from engine.ports.journal import Journal
from engine.runtime.wiring_history import history_writer
from engine.runtime.wiring_journal import open_journal
from engine.runtime.wiring_live import build_world
from engine.runtime.world import Builder

PAPER = "paper"
"""The venue of runs on tapes."""


class RunError(Exception):
    """The run cannot start or go on: what is wrong and what to do. Exit code 2 unless said otherwise."""

    def __init__(self, what: str, fix: str, *, exit_code: int = 2) -> None:
        self.what, self.fix, self.exit_code = what, fix, exit_code
        super().__init__(f"{what}\n    fix: {fix}")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """One `engine run`. `state_dir` None means a fresh `state/tape/`; `speed` None means as fast as possible."""

    root: Path
    tape: str = "demo"
    speed: float | None = None
    mode: RunMode = RunMode.DRY_RUN
    venue: str = PAPER
    state_dir: Path | None = None
    resume: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    verdict: Verdict | None = None
    """Which version gates have let through to full-live; None while none has."""
    shadow: Path | None = None
    """Rules that run in shadow beside the live ones; for a run that begins."""
    paced: bool = False
    """Wait after each shown decision so that a person can read it."""
    history: Callable[[Path, HistoryHeader], HistoryWriter] = history_writer
    """Opens what keeps the history in a directory, where the settings want one."""
    world: Builder = build_world
    """Makes the outside of a run on a real venue."""
    journal: Callable[[Path], Journal] = open_journal
    """Opens the journal in a state directory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInfo:
    """What a run is, told before its first event."""

    mode: RunMode
    venue: str
    tape: str
    rules: int
    flags: int
    state_dir: Path
    events: int
    """Events on the tape, or -1 when only the end will tell."""
    first_at: int
    last_at: int
    chapters: tuple[Chapter, ...]
    resumed_from_seq: int
    unwired: tuple[tuple[str, str], ...]
    """(rule, signals it misses) for rules outside the policy because nobody feeds them."""
    warnings: tuple[str, ...]


class Observer(Protocol):
    """Whoever watches a run: the narrator of the command line, a test."""

    def start(self, info: RunInfo) -> None:
        """Take what the run is, before its first event."""

    def effect(self, effect: Effect) -> float:
        """Take one effect; return how long to wait after it, in wall seconds."""

    def warn(self, text: str) -> None:
        """Take what is worth a person's look and is no decision: a part of the outside that broke or is refused."""

    def progress(self, at: int, events: int) -> None:
        """Take where the run stands: market time in ns, events so far."""

    def finish(self, summary: dict[str, Any]) -> None:
        """Take the summary, once, at the end."""
