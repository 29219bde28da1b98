"""`touch state/HALT` halts, also an engine that answers nobody else.

The file halts when it appears. Taking it away does not resume: a file can vanish by
accident, and going on must be somebody's decision.
"""

from __future__ import annotations

import os
from pathlib import Path

from engine.model.time import MS

EVERY = 100 * MS
"""Wall time between two looks, ns."""
RESUMES = "remove the HALT file, then `engine resume`"
"""What ends a halt by file, for whoever has to say it."""
STILL_THERE = "the HALT file is still there: remove it, then `engine resume`"
"""Why a resume is refused."""


class HaltFile:
    """Watches one file. Looks at most every 100 ms of wall time, so it may be asked before every burst of events."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._next = 0
        self._told = False

    def poll(self, now: int) -> bool:
        """Return True once for each time the file appeared; `now` is a monotonic clock in ns."""
        if now < self._next:
            return False
        self._next = now + EVERY
        there = self.present()
        appeared = there and not self._told
        self._told = there
        return appeared

    def present(self) -> bool:
        """Return whether the file is there; where that cannot be told, it is: doubt restrains."""
        try:
            os.lstat(self._path)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:
            return True
        return True

    def tell_again(self) -> None:
        """Forget that the file was told, so that one still there halts again: call it after a resume."""
        self._told = False
        self._next = 0
