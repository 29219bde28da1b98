"""Putting a file in another's place: whoever reads it reads all of the new one, or all of what was there before.

The new one is written beside it, under a name of this process, and then takes the name in one
step. A full disk or a crash leaves the older file, and at worst the unfinished one beside it.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path


def put_whole(
    path: Path, data: bytes, *, mode: int = 0o600, durable: bool = True, still: Callable[[], bool] = lambda: True
) -> bool:
    """Put `data` in the place of `path`; False, with nothing changed, where it is not `still` to be done by then.

    With `durable` both the content and the name are on the disk on return. OSError where the disk refuses.
    """
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with contextlib.suppress(FileNotFoundError):
            fresh.unlink()
        _write(fresh, data, mode, durable=durable)
        if not still():
            return False
        os.replace(fresh, path)
    finally:
        with contextlib.suppress(OSError):
            fresh.unlink()
    if durable:
        _sync_folder(path.parent)
    return True


def _write(path: Path, data: bytes, mode: int, *, durable: bool) -> None:
    """Write a file that was not there."""
    opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        left = memoryview(data)
        while left:
            left = left[os.write(opened, left):]
        os.fchmod(opened, mode)
        if durable:
            os.fsync(opened)
    finally:
        os.close(opened)


def _sync_folder(path: Path) -> None:
    """Bring the new name down to the disk; a file system that cannot is no reason to fail."""
    opened = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with contextlib.suppress(OSError):
            os.fsync(opened)
    finally:
        os.close(opened)
