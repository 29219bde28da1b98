"""The state directory: who holds it, whether it was used, whether it has room.

One engine a directory. The lock is the kernel's (`flock`), so the death of its holder
frees it whatever the file says; the text in the file only tells people who it is. Only a
directory that was marked as made for tapes is ever emptied, and only under its lock.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from engine.model.time import format_second
from engine.runtime.last_good import NAME as LAST_GOOD

JOURNAL, LOCK, HALT, SOCKET, MARK, TAPE = "journal.sqlite", "engine.lock", "HALT", "engine.sock", "engine.state", "tape"
ROOM_NEEDED = 256 * 1024 * 1024
"""Bytes that must be free before a run begins."""
_FOR_TAPES = "Made for tape runs by Runbook Engine, and emptied at the start of each.\n"
_FOR_GOOD = "A state directory of Runbook Engine.\n"
_LOCK_TRIES, _LOCK_WAIT_S = 5, 0.02
"""`holder` takes the lock for a moment to see whether it is free; a start waits such moments out."""


class StateError(Exception):
    """The state directory cannot be used: what is wrong and what to do. Exit code 2."""

    def __init__(self, what: str, fix: str) -> None:
        self.what, self.fix = what, fix
        super().__init__(f"{what}\n    fix: {fix}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """The process that holds a state directory; zeros where its lock file does not say. `since` in ns."""

    pid: int
    since: int

    def __str__(self) -> str:
        return f"process {self.pid}, since {format_second(self.since)}" if self.pid else "another process"


class StateDir:
    """A state directory under our lock: let go by `release`, by leaving `with`, or by the end of the process."""

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self._lock = lock

    @classmethod
    def acquire(cls, path: Path, *, now: int, mark: str = _FOR_GOOD) -> StateDir:
        """Make `path` (0700) where it is missing and lock it; `now` in ns. StateError says why not, and who has it."""
        with _told(path):
            _make(path, mark)
            held = cls(path, _lock(path))
        try:
            with _told(path):
                os.ftruncate(held._lock, 0)
                os.pwrite(held._lock, json.dumps({"pid": os.getpid(), "since": now}).encode(), 0)
        except BaseException:
            held.release()
            raise
        return held

    @property
    def journal(self) -> Path:
        """Where the journal is or will be."""
        return self.path / JOURNAL

    @property
    def socket(self) -> Path:
        """Where the control socket listens while an engine runs."""
        return self.path / SOCKET

    @property
    def halt(self) -> Path:
        """The file whose being there halts."""
        return self.path / HALT

    @property
    def last_good(self) -> Path:
        """Where the last good configuration is kept."""
        return self.path / LAST_GOOD

    @property
    def used(self) -> bool:
        """Whether a run has written here."""
        return self.journal.exists()

    def empty(self) -> None:
        """Remove everything but our marks and the last good files; StateError where it was not made for tapes."""
        with _told(self.path):
            if self.path.is_symlink() or _mark_of(self.path) != _FOR_TAPES:
                raise _not_ours(self.path)
            for entry in sorted(self.path.iterdir()):
                if entry.name in (LOCK, MARK, LAST_GOOD):
                    continue
                if entry.is_dir() and not entry.is_symlink():
                    shutil.rmtree(entry)
                else:
                    entry.unlink()

    def release(self) -> None:
        """Let go. The lock file stays: without it two engines could each hold a lock of the same name."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def __enter__(self) -> StateDir:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def run_path(path: Path | None, root: Path) -> Path:
    """Return the state directory of a run: `path`, or where runs on tapes go without one."""
    return root / "state" / TAPE if path is None else path


def open_for_run(path: Path | None, *, root: Path, resume: bool, now: int, room: int = ROOM_NEEDED) -> StateDir:
    """Return the locked state directory of a run that is about to begin at `now` (ns).

    None means `state/tape/` under `root`, emptied first unless resumed. StateError when it
    is held, when a used one is not resumed, when there is nothing to resume, and when fewer
    than `room` bytes are free.
    """
    ours = path is None
    where = run_path(path, root)
    held = StateDir.acquire(where, now=now, mark=_FOR_TAPES if ours else _FOR_GOOD)
    try:
        if ours and not resume:
            held.empty()
        if held.used and not resume:
            raise StateError(f"{where} already holds a run", "go on with --resume, or give an unused --state DIR")
        if resume and not held.used:
            raise StateError(f"{where} holds no run to resume", "leave --resume out, or give that run's --state DIR")
        check_room(where, room)
    except BaseException:
        held.release()
        raise
    return held


def check_room(path: Path, room: int) -> None:
    """Raise StateError unless `room` bytes are free on the disk of `path`."""
    with _told(path):
        free = shutil.disk_usage(path).free
    if free < room:
        raise StateError(
            f"the disk of {path} has {free / 2**20:.0f} MiB free, and a run needs {room / 2**20:.0f}",
            "free some space, or give a --state on another disk",
        )


def holder(path: Path) -> Holder | None:
    """Return who holds the state directory at `path` now, or None. Changes nothing."""
    try:
        lock = os.open(path / LOCK, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read_holder(lock)
    finally:
        os.close(lock)
    return None


def _read_holder(lock: int) -> Holder:
    try:
        data = json.loads(os.pread(lock, 256, 0))
        return Holder(pid=int(data["pid"]), since=int(data["since"]))
    except (OSError, ValueError, KeyError, TypeError):
        return Holder(pid=0, since=0)


def _lock(path: Path) -> int:
    name = path / LOCK
    for turn in range(_LOCK_TRIES):
        lock = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Somebody may have removed the file between opening and locking: then ours locks nothing.
            if os.path.samestat(os.fstat(lock), os.stat(name, follow_symlinks=False)):
                return lock
        except (BlockingIOError, FileNotFoundError):
            who = _read_holder(lock)
        except BaseException:
            os.close(lock)
            raise
        os.close(lock)
        if turn + 1 < _LOCK_TRIES:
            time.sleep(_LOCK_WAIT_S)
    raise StateError(f"{path} is in use by {who}", "stop that engine, or give this one another --state DIR")


def _make(path: Path, mark: str) -> None:
    """Make the directory, or see that the one that is there may be ours."""
    for missing in [place for place in reversed(path.parents) if not place.exists()]:
        missing.mkdir(mode=0o700, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=0o700)
    if not path.is_dir():
        raise StateError(f"{path} is not a directory", "give another --state DIR")
    if _mark_of(path) is None:
        if mark == _FOR_TAPES and (path.is_symlink() or any(path.iterdir())):
            raise _not_ours(path)
        strange = [entry.name for entry in path.iterdir() if entry.name not in (HALT, LOCK, TAPE, LAST_GOOD)]
        if any(not name.startswith(".") for name in strange):
            raise StateError(f"{path} is not empty and not a state directory", "give another --state DIR")
        (path / MARK).write_text(mark, encoding="utf-8")
    if path.stat().st_mode & 0o077:
        path.chmod(0o700)


def _mark_of(path: Path) -> str | None:
    try:
        return (path / MARK).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


def _not_ours(path: Path) -> StateError:
    return StateError(
        f"{path} was not made for tape runs, so it is not emptied", "move it away, or give an unused --state DIR"
    )


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StateError(f"the disk of {path} is full", "free some space") from error
        what = f"{path} cannot be used: {error.strerror or error}"
        raise StateError(what, "make it a directory this user may write in, or give another --state DIR") from error
