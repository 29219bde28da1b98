"""Reading files that a person may be editing: regular files, of bounded size, all from one moment.

What is read is what stood on the disk at one instant: if anything changed meanwhile, all
is read again. A link that leads out of where files are looked for is not followed.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from engine.model.codec import canonical
from engine.ruleset.diagnostics import Finding, Severity

LARGEST = 1_000_000
"""Bytes of one file."""
MOST_FILES = 2_000
LARGEST_TOTAL = 32_000_000
"""Bytes of all files together."""
CHANGING = "file-changing"
"""The code of what ends by itself: somebody is writing."""
SUFFIXES = (".yaml", ".yml")
_TRIES, _WAIT_S = 4, 0.05

Stamp = tuple[int, int, int, int]
"""(inode, bytes, times of the last writing and of the last change in ns): with the same stamp nothing was written."""


class _Unreadable(Exception):
    """A file cannot be used: code, message, fix."""

    def __init__(self, code: str, message: str, fix: str) -> None:
        self.code, self.message, self.fix = code, message, fix
        super().__init__(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to read. A path is looked up from the working directory; the name is what findings call it."""

    files: Mapping[str, Path] = field(default_factory=dict)
    """name -> path of files; one that is missing is left out of what is read."""
    folders: Mapping[str, Path] = field(default_factory=dict)
    """name -> path of folders in which every .yaml and .yml file is read, at any depth; or of single such files."""
    within: tuple[Path, ...] = ()
    """Folders, or single files, that everything must lie in once links are followed."""
    most_files: int = MOST_FILES


@dataclass(slots=True, kw_only=True)
class Read:
    """The bytes of each file by its name, in the order of the names, and what could not be read."""

    files: dict[str, bytes] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)


def read_disk(wanted: Wanted, *, read_once: Callable[[Wanted], Read] | None = None) -> Read:
    """Return everything `wanted`, as it stood at one moment. Never raises; what cannot be read is a finding.

    `read_once` does one reading; None for the disk itself.
    """
    reading = read_once or read_files
    read = Read()
    for turn in range(_TRIES):
        before = stamps(wanted)
        read = reading(wanted)
        if before == stamps(wanted):
            return read
        if turn + 1 < _TRIES:
            time.sleep(_WAIT_S)
    told = "the files kept changing while they were read"
    read.findings.append(changing(next(iter(read.files), "."), told, "wait until whatever writes them is done"))
    return read


def read_files(wanted: Wanted) -> Read:
    """Return everything `wanted`, read once, whatever happens to it meanwhile."""
    read = Read()
    within = tuple(os.path.realpath(place) for place in wanted.within)
    total = 0
    for name, path in _places(wanted):
        if total > LARGEST_TOTAL:
            message = f"the files have more than {LARGEST_TOTAL} bytes together"
            read.findings.append(_finding(name, "file-size", message, "give fewer or smaller ones"))
            break
        if len(read.files) >= wanted.most_files:
            message = f"there are more than {wanted.most_files} files"
            read.findings.append(_finding(name, "file-too-many", message, "give fewer"))
            break
        try:
            read.files[name] = _bytes(path, within)
            total += len(read.files[name])
        except FileNotFoundError:
            if name not in wanted.files:
                message = f"{name} is not there"
                read.findings.append(_finding(name, "file-missing", message, "give a path that is there"))
        except _Unreadable as error:
            read.findings.append(_finding(name, error.code, f"{name} {error.message}", error.fix))
        except OSError as error:
            what = error.strerror or str(error)
            read.findings.append(_finding(name, "file-unreadable", f"{name} cannot be read: {what}", "mend its rights"))
    read.files = dict(sorted(read.files.items()))
    return read


def _places(wanted: Wanted) -> Iterator[tuple[str, Path]]:
    """Yield (name, path) of every file, each once: a folder and a file in it may both have been asked for."""
    seen: set[str] = set()
    yield from wanted.files.items()
    for name, folder in wanted.folders.items():
        found = [(str(Path(name) / file.relative_to(folder)), file) for file in _yaml_in(folder)]
        for called, file in found if folder.is_dir() else [(name, folder)]:
            real = os.path.realpath(file)
            if real not in seen:
                seen.add(real)
                yield called, file


def _yaml_in(folder: Path) -> Iterator[Path]:
    """Yield the YAML files below `folder`; hidden ones and what editors leave behind are none."""
    shut: list[Path] = []
    for place, folders, files in os.walk(folder, onerror=lambda error: _note(error, shut)):
        # A linked folder is given on as if it were a file, so that it is refused aloud and not passed over.
        linked = [name for name in folders if Path(place, name).is_symlink()]
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in linked)
        for name in sorted([*files, *linked]):
            if not name.startswith(".") and (name.endswith(SUFFIXES) or name in linked):
                yield Path(place, name)
    # A folder that cannot be listed is given on too: what lies in it must be missed, not forgotten.
    yield from shut


def _note(error: OSError, shut: list[Path]) -> None:
    if not isinstance(error, FileNotFoundError):
        shut.append(Path(error.filename))


def _bytes(path: Path, within: Iterable[str]) -> bytes:
    real = os.path.realpath(path)
    if not any(os.path.commonpath((real, root)) == root for root in within):
        raise _Unreadable("file-link", f"leads to {real}, which is somewhere else", "put the file itself here")
    # O_NONBLOCK: opening a pipe must not wait for a writer.
    opened = os.open(real, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        found = os.fstat(opened)
        if not stat.S_ISREG(found.st_mode):
            raise _Unreadable("file-type", "is not a regular file", "put a file there, or remove it")
        if found.st_size > LARGEST:
            raise _Unreadable("file-size", f"has {found.st_size} bytes, more than {LARGEST}", "split it")
        with open(opened, "rb", closefd=False) as file:
            data = file.read(LARGEST + 1)
    finally:
        os.close(opened)
    if len(data) > LARGEST:
        raise _Unreadable("file-size", f"has more than {LARGEST} bytes", "split it")
    return data


def stamps(wanted: Wanted) -> dict[str, Stamp | None]:
    """Return the stamp of every file in `wanted`, None where there is none. Two that are equal: nothing was written."""
    found: dict[str, Stamp | None] = {}
    for name, path in _places(wanted):
        try:
            seen = path.stat()
            found[name] = (seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns)
        except OSError:
            found[name] = None
    return found


def fingerprint(read: Read) -> str:
    """Return the SHA-256 (hex) of all that was read and of what could not be: equal means nothing to read anew."""
    texts = {name: data.decode("utf-8", "replace") for name, data in read.files.items()}
    return _fingerprint(texts, sorted([one.file, one.code] for one in read.findings))


def fingerprint_of_texts(texts: Mapping[str, str]) -> str:
    """Return the fingerprint of a reading that found exactly the files `texts` (name -> text)."""
    return _fingerprint(texts, [])


def _fingerprint(texts: Mapping[str, str], wrong: list[list[str]]) -> str:
    return hashlib.sha256(canonical({"files": dict(texts), "wrong": wrong})).hexdigest()


def changing(name: str, message: str, fix: str) -> Finding:
    """Return the finding that `name` cannot be read now, and may be in a moment."""
    return _finding(name, CHANGING, message, fix)


def _finding(name: str, code: str, message: str, fix: str) -> Finding:
    return Finding(file=name, line=1, column=1, code=code, severity=Severity.ERROR, message=message, fix=fix)
