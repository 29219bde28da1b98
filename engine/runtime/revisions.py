"""A side of a comparison: a revision of the repository, or a directory.

A revision is read from git's objects alone. The working tree, the index and its lock are
not touched, no filter and no hook runs, and nothing is fetched: what is compared is what
was committed, byte for byte. The environment's flags have no part in it.
"""

from __future__ import annotations

import os
import posixpath
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.ruleset.diagnostics import Finding, Severity
from engine.runtime.acks import ACKS
from engine.runtime.config import RULES, Config, config_from_read, load_config, wanted_files
from engine.runtime.disk import LARGEST, MOST_FILES, SUFFIXES, Read, Wanted, read_files
from engine.runtime.provenance import Provenance

_TIMEOUT_S = 30.0
_LINK, _FILES = "120000", ("100644", "100755")
_MOST_LINKS = 8


class RevisionError(Exception):
    """A side cannot be found or read: what, and a fix."""

    def __init__(self, what: str, fix: str) -> None:
        self.what, self.fix = what, fix
        super().__init__(what)


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """One side. `name` is as a person wrote it; `commit` is empty for a directory."""

    name: str
    commit: str
    config: Config
    conf_from: str = ""
    """Where signals and flags came from, if not from the side itself."""
    acks: bytes = b""
    """Its acks.yaml, empty where it has none: no part of its configuration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Blob:
    mode: str
    object: str
    size: int


def read_revision(root: Path, name: str) -> Revision:
    """Return the side called `name`; `root` holds the rules and configuration of here.

    A directory with `rules/` in it is a whole configuration; any other directory holds rule
    files only, which are read with signals and flags of `root`. Everything else is a git
    revision. RevisionError where it is neither, or both; what is wrong in its files is
    among `config.findings`.
    """
    path, commit = Path(name), _commit(root, name)
    if name and path.is_dir():
        if commit and _is_plain(name):
            raise RevisionError(f"{name} is a directory and a git revision", f"write ./{name}, or {commit[:12]}")
        return _directory(root, path, name)
    if name and path.exists():
        raise RevisionError(f"{name} is a file", "give a directory, or a git revision such as HEAD or main")
    if not commit:
        raise RevisionError(*_not_found(root, name))
    read = read_commit(root, commit)
    config = config_from_read(root, read, {}, Provenance(commit=commit, dirty=False))
    return Revision(name=name, commit=commit, config=config, acks=_committed(root, commit, ACKS))


def read_commit(root: Path, commit: str) -> Read:
    """Return the files that decide as `commit` (40 hex digits) has them below `root`. Never raises."""
    tree = _tree(root, commit)
    read = Read()
    wanted: dict[str, _Blob] = {}
    links = _contents(root, [blob.object for blob in tree.values() if blob.mode == _LINK])
    for path in sorted(_wanted(root, tree)):
        found = _followed(path, tree, links)
        if found is None:
            message = f"{path} leads somewhere that is no file of this commit"
            read.findings.append(_finding(path, "file-link", message, "put the file itself here"))
        elif found.size > LARGEST:
            message = f"{path} has {found.size} bytes, more than {LARGEST}"
            read.findings.append(_finding(path, "file-size", message, "split it"))
        elif len(wanted) >= MOST_FILES:
            message = f"there are more than {MOST_FILES} files"
            read.findings.append(_finding(path, "file-too-many", message, "give fewer"))
            break
        else:
            wanted[path] = found
    contents = _contents(root, [blob.object for blob in wanted.values()])
    for path, blob in wanted.items():
        data = contents.get(blob.object)
        if data is None:
            message = f"{path} cannot be read from the repository"
            read.findings.append(_finding(path, "file-unreadable", message, "fetch the whole commit: git fetch"))
        else:
            read.files[path] = data
    return read


def _directory(root: Path, path: Path, name: str) -> Revision:
    if (path / RULES).is_dir():
        return Revision(name=name, commit="", config=load_config(path, {}), acks=_acks_in(path))
    config = load_config(root, {}, rules=[path])
    return Revision(name=name, commit="", config=config, conf_from=str(root), acks=_acks_in(root))


def _acks_in(root: Path) -> bytes:
    return read_files(Wanted(files={ACKS: root / ACKS}, within=(root,))).files.get(ACKS, b"")


def _committed(root: Path, commit: str, path: str) -> bytes:
    """Return the file at `path` of `commit`, empty where there is none."""
    blob = _tree(root, commit).get(path)
    if blob is None or blob.mode not in _FILES or blob.size > LARGEST:
        return b""
    return _contents(root, [blob.object]).get(blob.object, b"")


def _is_plain(name: str) -> bool:
    """Whether `name` could mean either: `./main` and `a/../b` are paths to anybody."""
    return not name.startswith((".", "/")) and not name.endswith("/")


def _not_found(root: Path, name: str) -> tuple[str, str]:
    if _git(root, "rev-parse", "--git-dir") is None:
        return f"{name} is no directory, and git knows no repository here", "give a directory that holds rules/"
    shallow = (_git(root, "rev-parse", "--is-shallow-repository") or b"").strip() == b"true"
    fix = "fetch it: this clone is shallow (git fetch --unshallow)" if shallow else "see git log, or git branch --all"
    return f"there is no revision or directory {name}", fix


def _commit(root: Path, name: str) -> str:
    """Return the commit that `name` stands for, or an empty string."""
    if not name or "\0" in name:
        return ""
    found = _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    text = (found or b"").decode("ascii", "replace").strip()
    return text if re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", text) else ""


def _tree(root: Path, commit: str) -> dict[str, _Blob]:
    """Return every file of `commit` below `root` by its path from there."""
    listed = _git(root, "ls-tree", "-r", "-z", "-l", commit) or b""
    tree: dict[str, _Blob] = {}
    for entry in listed.split(b"\0"):
        about, tab, path = entry.partition(b"\t")
        words = about.split()
        if tab and len(words) == 4:
            mode, _, name, size = (word.decode("ascii") for word in words)
            tree[os.fsdecode(path)] = _Blob(mode=mode, object=name, size=int(size) if size.isdigit() else 0)
    return tree


def _wanted(root: Path, tree: Mapping[str, _Blob]) -> list[str]:
    """Return which files of `tree` decide: by the same names as on the disk."""
    found = [name for name in wanted_files(root).files if name in tree]
    for path in tree:
        parts = path.split("/")
        hidden = any(part.startswith(".") for part in parts)
        # What is neither a file nor named like one is a linked folder: refused aloud, as on the disk.
        read = parts[-1].endswith(SUFFIXES) or tree[path].mode not in _FILES
        if parts[0] == RULES and len(parts) > 1 and not hidden and read:
            found.append(path)
    return found


def _followed(path: str, tree: Mapping[str, _Blob], links: Mapping[str, bytes]) -> _Blob | None:
    """Return the file at `path`, or that a link there leads to within the tree, as on the disk; else None."""
    for _ in range(_MOST_LINKS):
        blob = tree.get(path)
        if blob is None or blob.mode in _FILES:
            return blob
        target = os.fsdecode(links.get(blob.object, b"/"))
        # An absolute target, or one above the root, is no path of the tree.
        path = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
    return None


def _contents(root: Path, objects: Sequence[str]) -> dict[str, bytes]:
    """Return the bytes of each blob of `objects` that the repository has."""
    asked = "".join(f"{name}\n" for name in dict.fromkeys(objects)).encode("ascii")
    told = _git(root, "cat-file", "--batch", given=asked) or b""
    found: dict[str, bytes] = {}
    place = 0
    while (end := told.find(b"\n", place)) >= 0:
        words = told[place:end].decode("ascii", "replace").split()
        place = end + 1
        if len(words) == 3 and words[1] == "blob":
            size = int(words[2])
            found[words[0]] = told[place:place + size]
            place += size + 1
    return found


def _git(root: Path, *words: str, given: bytes = b"") -> bytes | None:
    """Return what git prints, or None where it fails. It waits for nobody, locks nothing and fetches nothing."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    quiet = {
        "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_NO_LAZY_FETCH": "1", "GIT_ALLOW_PROTOCOL": "",
    }
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *words], capture_output=True, timeout=_TIMEOUT_S, check=False, input=given,
            env={**kept, **quiet},
        )
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    return done.stdout if done.returncode == 0 else None


def _finding(name: str, code: str, message: str, fix: str) -> Finding:
    return Finding(file=name, line=1, column=1, code=code, severity=Severity.ERROR, message=message, fix=fix)
