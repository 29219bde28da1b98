"""An observer for tests: it keeps every effect and shows nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engine.model.effects import Effect
from engine.runtime.options import RunInfo, RunOptions
from engine.runtime.run import run_engine


class Watcher:
    """Keeps what a run told."""

    def __init__(self) -> None:
        self.info: RunInfo | None = None
        self.effects: list[Effect] = []
        self.summary: dict[str, Any] = {}

    def start(self, info: RunInfo) -> None:
        """Keep `info`."""
        self.info = info

    def effect(self, effect: Effect) -> float:
        """Keep `effect` and wait for nobody."""
        self.effects.append(effect)
        return 0.0

    def progress(self, at: int, events: int) -> None:
        """Look away."""

    def warn(self, text: str) -> None:
        """Hear nothing: tapes have no outside."""

    def finish(self, summary: dict[str, Any]) -> None:
        """Keep `summary`."""
        self.summary = summary


def watched(root: Path, tape: str, state: Path) -> Watcher:
    """Return what a run of `tape` under the configuration of `root` told."""
    watcher = Watcher()
    run_engine(RunOptions(root=root, tape=tape, state_dir=state), watcher)
    return watcher
