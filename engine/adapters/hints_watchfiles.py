"""Hints by watchfiles: inotify and its like, in a thread of its own that holds no lock of ours while it waits."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

from watchfiles import awatch

_STEP_MS, _DEBOUNCE_MS = 20, 100
"""How long a burst must pause to be told, and how long one is collected at most."""


async def file_hints(folders: Sequence[Path], *, recursive: bool) -> AsyncGenerator[None, None]:
    """See `engine.ports.hints.Hints`."""
    async for _ in awatch(
        *folders, watch_filter=None, debounce=_DEBOUNCE_MS, step=_STEP_MS, recursive=recursive, force_polling=False,
        ignore_permission_denied=True, debug=False,
    ):
        yield None
