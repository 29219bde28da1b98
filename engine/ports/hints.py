"""What an operating system says of files that may have changed. A hint, never the truth."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Protocol


class Hints(Protocol):
    """Says that something may have changed below folders."""

    def __call__(self, folders: Sequence[Path], *, recursive: bool) -> AsyncGenerator[None, None]:
        """Yield whenever something in `folders` (or, where `recursive`, anywhere below) may have changed.

        Raises OSError or RuntimeError where the system cannot tell, at any time; may miss
        changes and may tell of none. Closing it, or cancelling who waits for it, ends it.
        """
        ...
