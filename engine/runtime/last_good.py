"""The last good configuration, kept beside the journal: what a cold start falls back on when the files are broken.

One line of JSON says the form, the length and the digest of the bytes that follow. The
file is replaced in one step or not at all, so a full disk or a crash leaves the older one.
Nothing that it may hold makes reading raise.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
from pathlib import Path

from engine.runtime.whole_file import put_whole

NAME = "last_good"
FORM = 1
LARGEST = 64 * 1024 * 1024
"""Bytes of a file that is looked at."""
_LONGEST_HEAD = 1_000


def keep_last_good(path: Path, source: bytes) -> str:
    """Replace the file at `path` by one that holds `source`; return why not, or an empty string.

    `source` is `Config.blobs.source`. Never raises for what a disk does: without room the
    older file stays, and the reload it belongs to is good all the same.
    """
    head = json.dumps({"form": FORM, "bytes": len(source), "sha256": hashlib.sha256(source).hexdigest()})
    try:
        put_whole(path, head.encode() + b"\n" + source)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            return f"there is no room for {path}; the older one stays"
        return f"{path} cannot be written: {error.strerror or error}; the older one stays"
    return ""


def load_last_good(path: Path) -> tuple[bytes | None, str]:
    """Return the `source` that `keep_last_good` wrote to `path`, or None and why it must not be used. Never raises."""
    try:
        data = _read(path)
    except FileNotFoundError:
        return None, f"there is no {path}: no reload was ever good here"
    except OSError as error:
        return None, f"{path} cannot be read: {error.strerror or error}"
    if data is None:
        return None, f"{path} is no regular file of at most {LARGEST} bytes"
    head, newline, source = data.partition(b"\n")
    if not newline or len(head) > _LONGEST_HEAD:
        return None, f"{path} is truncated or was not written by this engine"
    return _checked(path, head, source)


def _checked(path: Path, head: bytes, source: bytes) -> tuple[bytes | None, str]:
    try:
        said = json.loads(head)
        form, size, digest = said["form"], said["bytes"], said["sha256"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None, f"{path} does not begin as a file of this engine does"
    if form != FORM:
        newer = isinstance(form, int) and form > FORM
        return None, f"{path} has form {form!s:.20}, {'of a newer engine' if newer else 'which nobody reads'}"
    if size != len(source):
        return None, f"{path} is truncated: {len(source)} bytes of {size!s:.20}"
    if digest != hashlib.sha256(source).hexdigest():
        return None, f"{path} is damaged: its bytes do not have the digest it was written with"
    return source, ""


def _read(path: Path) -> bytes | None:
    """Return the bytes of a regular file, or None; OSError where it cannot be read."""
    # O_NONBLOCK: opening a pipe must not wait for a writer.
    opened = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    with open(opened, "rb") as file:
        found = os.fstat(opened)
        if not stat.S_ISREG(found.st_mode) or found.st_size > LARGEST:
            return None
        return file.read(LARGEST + 1)
