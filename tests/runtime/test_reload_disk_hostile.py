"""What lies in the folder and is no rule file never blocks, never escapes and never loosens."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from engine.runtime.candidate import Asked, Candidate, Refused, prepare
from engine.runtime.config import load_config
from engine.runtime.last_good import keep_last_good, load_last_good
from engine.runtime.wiring_watch import file_hints
from tests.runtime.reload_kit import NEW, OLD, digest_of, make_root, rule, taking, write_rules

NOBODY = 65534


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        # The name of a socket is short, and a test's folder is long.
        here = os.getcwd()
        os.chdir(path.parent)
        try:
            one.bind(path.name)
        finally:
            os.chdir(here)


def _outside(path: Path) -> None:
    elsewhere = path.parents[2] / "elsewhere.yaml"
    elsewhere.write_text(rule("far", NEW))
    path.symlink_to(elsewhere)


def _outside_folder(path: Path) -> None:
    elsewhere = path.parents[2] / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "far.yaml").write_text(rule("far", NEW))
    path.symlink_to(elsewhere)


def _loop(path: Path) -> None:
    path.symlink_to(path.name)


def _dangling(path: Path) -> None:
    path.symlink_to("nowhere.yaml")


def _large(path: Path) -> None:
    with open(path, "wb") as file:
        file.truncate(1 << 40)


def _zeros(path: Path) -> None:
    path.write_bytes(bytes(1000))


@pytest.mark.parametrize(("put", "code"), [
    (_fifo, "file-type"), (_socket, "file-unreadable"), (_outside, "file-link"), (_outside_folder, "file-link"),
    (_loop, "file-unreadable"), (_dangling, "file-missing"), (_large, "file-size"), (_zeros, "yaml-"),
], ids=lambda value: value.__name__.strip("_") if callable(value) else "")
def test_it_is_refused_and_the_set_in_force_stays(tmp_path: Path, put: Callable[[Path], None], code: str) -> None:
    """While it lies there nothing takes over, good edits included; once it is gone they do."""
    root = make_root(tmp_path / "root")
    known = {"old": digest_of(OLD, tmp_path / "o"), "new": digest_of(NEW, tmp_path / "n")}

    async def play() -> None:
        async with taking(root, known, hints=file_hints) as taker:
            put(root / "rules" / "x.yaml")
            await taker.refused()
            refused = taker.handed[-1]
            assert isinstance(refused, Refused) and refused.fix and refused.command == ""
            assert any(one.code.startswith(code) and one.file == "rules/x.yaml" for one in refused.findings), refused
            write_rules(root, NEW)
            await taker.refused(2)
            assert taker.in_force == "old"
            (root / "rules" / "x.yaml").unlink()
            await taker.until("new")

    asyncio.run(play())


def test_a_folder_named_like_a_file_is_a_folder(tmp_path: Path) -> None:
    root = make_root(tmp_path / "root")
    base = load_config(root, {})
    (root / "rules" / "x.yaml").mkdir()
    found = prepare(root, {}, base, Asked())
    assert isinstance(found, Candidate) and found.same
    (root / "rules" / "x.yaml" / "y.yaml").write_text(rule("y", NEW))
    found = prepare(root, {}, base, Asked())
    assert isinstance(found, Candidate) and [one.rule for one in found.changes] == ["cutback.y"]


@contextmanager
def _as_nobody() -> Iterator[None]:
    """Be a user whom modes hold: they do not hold root."""
    if os.geteuid():
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def open_root() -> Iterator[Path]:
    """A configuration that another user may read."""
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        yield make_root(Path(place) / "root")


@pytest.mark.parametrize(("name", "mode"), [
    ("rules/a.yaml", 0o000), ("rules/deep/c.yaml", 0o000), ("rules/deep", 0o000), ("conf/flags.yaml", 0o000),
    ("rules", 0o000),
])
def test_what_may_not_be_read_is_missed_and_not_forgotten(open_root: Path, name: str, mode: int) -> None:
    """Without its file a rule would be gone: that is a mistake to tell, not a smaller set to load."""
    base = load_config(open_root, {})
    path = open_root / name
    before = path.stat().st_mode
    path.chmod(mode)
    try:
        with _as_nobody():
            found = prepare(open_root, {}, base, Asked())
    finally:
        path.chmod(before)
    assert isinstance(found, Refused)
    assert {one.file for one in found.findings if one.severity == "error"} == {name}, found.findings
    assert not found.command
    assert isinstance(prepare(open_root, {}, base, Asked()), Candidate)


def test_a_change_of_mode_alone_is_no_news(tmp_path: Path) -> None:
    root = make_root(tmp_path / "root")
    known = {"old": digest_of(OLD, root)}

    async def play() -> None:
        async with taking(root, known, hints=file_hints) as taker:
            for mode in (0o600, 0o640, 0o644):
                (root / "rules" / "a.yaml").chmod(mode)
                await taker.nothing(for_s=0.2)

    asyncio.run(play())


def _file_codes(found: Candidate) -> list[tuple[str, str]]:
    return [(one.code, one.file) for one in found.warnings if one.code.startswith("file-")]


@pytest.mark.parametrize("name", ["rules", "rules/deep", "rules/a.yaml", "conf", "conf/flags.yaml"])
def test_what_everybody_may_write_is_refused(tmp_path: Path, name: str) -> None:
    root = make_root(tmp_path / "root")
    base = load_config(root, {})
    path = root / name
    before = path.stat().st_mode
    path.chmod(before | 0o002)
    found = prepare(root, {}, base, Asked())
    assert isinstance(found, Refused) and [one.code for one in found.findings] == ["file-mode"]
    assert found.fix == f"chmod o-w {name}" and name in found.reason
    if path.is_dir():
        # A mounted volume is often so: everybody may add, nobody may replace what is another's.
        path.chmod(before | 0o1002)
        assert isinstance(prepare(root, {}, base, Asked()), Candidate)
    path.chmod(before | 0o002)
    text = (root / "conf" / "engine.yaml").read_text()
    (root / "conf" / "engine.yaml").write_text(text.replace("unsafe_modes: refuse", "unsafe_modes: warn"))
    warned = load_config(root, {})
    found = prepare(root, {}, warned, Asked(settings=warned.settings.reload))
    assert isinstance(found, Candidate) and _file_codes(found) == [("file-mode", name)]


def test_a_strange_owner_is_told(tmp_path: Path) -> None:
    if os.geteuid():
        pytest.skip("only root can give a file away")
    root = make_root(tmp_path / "root")
    os.chown(root / "rules" / "b.yaml", NOBODY, NOBODY)
    found = prepare(root, {}, load_config(root, {}), Asked())
    assert isinstance(found, Candidate)
    assert _file_codes(found) == [("file-owner", "rules/b.yaml")]


def test_out_of_descriptors_is_no_empty_set(tmp_path: Path) -> None:
    """EMFILE makes every folder look empty to whoever does not ask why."""
    root = make_root(tmp_path / "root")
    base = load_config(root, {})
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    top = max(int(one) for one in os.listdir("/proc/self/fd"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (top + 1, hard))
    held: list[int] = []
    try:
        while True:
            try:
                held.append(os.open("/dev/null", os.O_RDONLY))
            except OSError:
                break
        found = prepare(root, {}, base, Asked())
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for one in held:
            os.close(one)
    assert isinstance(found, Refused) and "Too many open files" in found.reason and not found.command


def test_a_full_disk_keeps_the_older_last_good(tmp_path: Path) -> None:
    """On a file system of its own that has room for one small file only."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k,mode=700", "tmpfs", str(place)], capture_output=True, check=False,
    )
    if mounted.returncode:
        pytest.skip("this user may not mount; the limit on a file's size is tried elsewhere")
    try:
        path = place / "last_good"
        assert keep_last_good(path, b"x" * 20_000) == ""
        said = keep_last_good(path, b"y" * 60_000)
        assert "there is no room" in said
        assert load_last_good(path) == (b"x" * 20_000, "") and os.listdir(place) == ["last_good"]
        assert keep_last_good(path, b"z" * 20_000) == "" and load_last_good(path)[0] == b"z" * 20_000
    finally:
        subprocess.run(["umount", str(place)], check=True, capture_output=True)
