"""What a run looks at between two bursts: commands, the HALT file, its signals, the wall clock."""

from __future__ import annotations

from collections.abc import Callable

from engine.model.events import HaltCommand
from engine.runtime.queue import TwoLaneQueue


class Breathing:
    """Called by the loop; False ends the run in order. `now` reads a monotonic wall clock in ns."""

    def __init__(
        self, *, now: Callable[[], int], halt_file: Callable[[int], bool], queue: TwoLaneQueue,
        ready: Callable[[], bool] = lambda: True,
    ) -> None:
        """Look at the HALT file only while `ready`: a run that does again what it did takes nothing new in between."""
        self._now = now
        self._ready = ready
        self._halt_file = halt_file
        self._queue = queue
        self._stop = ""
        self.on_breath: list[Callable[[int], None]] = []
        """Called with the market time (ns): the status row, a progress bar."""

    def stop(self, why: str) -> None:
        """Ask the run to end before its next burst; safe in a signal handler."""
        self._stop = self._stop or why

    @property
    def stopped(self) -> str:
        """Why the run was asked to end, or an empty string."""
        return self._stop

    def __call__(self, at: int) -> bool:
        """Look once; `at` is the market time."""
        if self._ready() and self._halt_file(self._now()):
            self._queue.put_urgent(HaltCommand(actor="file", reason="the HALT file is there", source="file"))
        for look in self.on_breath:
            look(at)
        return not self._stop
