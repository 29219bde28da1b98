"""Unix sockets in directories with long names.

A socket's address has 108 bytes with its closing zero. Where the path is longer we hold
its directory open and name it through `/proc/self/fd`: the kernel follows that to the
same directory, so nothing is linked, copied or moved, and both sides may do it apart.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LONGEST = 107
"""Bytes of a path that still fit."""


@contextmanager
def short_address(path: Path) -> Iterator[str]:
    """Yield an address for the socket at `path` that fits; OSError where its directory cannot be opened."""
    plain = str(path)
    if len(os.fsencode(plain)) <= LONGEST:
        yield plain
        return
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)
