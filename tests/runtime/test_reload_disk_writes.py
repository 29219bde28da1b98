"""However files come to be written, what takes over is the old set or the new one, whole."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from engine.ports.hints import Hints
from engine.runtime.candidate import Candidate
from engine.runtime.config import DENYLIST, FLAGS, SETTINGS, SIGNALS
from engine.runtime.wiring_watch import file_hints
from tests.runtime.reload_kit import NAMES, NEW, OLD, SLOW_POLL, digest_of, make_root, rule, taking, write_rules


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_root(tmp_path / "root")


@pytest.fixture
def known(tmp_path: Path) -> dict[str, str]:
    return {"old": digest_of(OLD, tmp_path / "as_old"), "new": digest_of(NEW, tmp_path / "as_new")}


@pytest.mark.parametrize("hints", [file_hints, None], ids=["hints", "comparing"])
def test_truncated_and_written_in_pieces(root: Path, known: dict[str, str], hints: Hints | None) -> None:
    """The empty file, the half one and the mixture of both sets all stand on the disk for a while."""
    async def play() -> None:
        async with taking(root, known, hints=hints) as taker:
            for size, name in ((NEW, "new"), (OLD, "old")):
                for one in NAMES:
                    with open(root / "rules" / f"{one}.yaml", "w") as file:
                        text = rule(one, size)
                        for piece in (text[:7], text[7:70], text[70:]):
                            file.write(piece)
                            file.flush()
                            await asyncio.sleep(0.005)
                await taker.until(name)
            assert taker.refusals == []

    asyncio.run(play())


def test_a_prefix_that_is_a_good_file_with_fewer_rules_is_not_believed(root: Path) -> None:
    """A writer that stops in the middle for longer than anybody waits: rules that vanish are a loosening."""
    path = root / "rules" / "a.yaml"
    whole = rule("a", OLD) + rule("second", OLD).removeprefix("version: 1\nrules:\n")
    path.write_text(whole)
    known = {"whole": digest_of(OLD, root)}

    async def play() -> None:
        async with taking(root, known, hints=file_hints, loosens=True) as taker:
            with open(path, "w") as file:
                file.write(rule("a", OLD))
                file.flush()
                said = await taker.refused()
                assert "nobody acknowledged it" in said and "cutback.second" in said
                file.write(whole[len(rule("a", OLD)):])
            await taker.taken()
            last = taker.handed[-1]
            assert isinstance(last, Candidate) and last.same and last.changes == ()

    asyncio.run(play())


def test_renamed_over(root: Path, known: dict[str, str]) -> None:
    """Another inode under the same name: a watch on the file itself would be deaf from then on."""
    async def play() -> None:
        async with taking(root, known, settings=SLOW_POLL, hints=file_hints) as taker:
            for size, name in ((NEW, "new"), (OLD, "old"), (NEW, "new")):
                for one in NAMES:
                    fresh = root / "rules" / f"{one}.tmp"
                    fresh.write_text(rule(one, size))
                    os.replace(fresh, root / "rules" / f"{one}.yaml")
                await taker.until(name)
            assert taker.refusals == []

    asyncio.run(play())


def test_saved_as_editors_do(root: Path, known: dict[str, str]) -> None:
    """Swap files, lock links, backups and the probe `4913` come and go; only the save itself is read."""
    async def play() -> None:
        async with taking(root, known, hints=file_hints) as taker:
            rules = root / "rules"
            (rules / ".a.yaml.swp").write_bytes(b"b0VIM\0")
            (rules / ".#a.yaml").symlink_to("somebody@somewhere.1234:56")
            (rules / "4913").write_text("")
            (rules / "4913").unlink()
            (rules / "a.yaml~").write_text(rule("a", 0.9))
            (rules / "#a.yaml#").write_text(rule("a", 0.9))
            await taker.nothing()
            write_rules(root, NEW)
            # vim: the file becomes its own backup, and a new one takes its name.
            os.rename(rules / "a.yaml", rules / "a.yaml~")
            await asyncio.sleep(0.02)
            (rules / "a.yaml").write_text(rule("a", NEW))
            for left in (".a.yaml.swp", ".#a.yaml", "a.yaml~", "#a.yaml#"):
                (rules / left).unlink()
            await taker.until("new")
            assert taker.refusals == []

    asyncio.run(play())


def _publish(root: Path, size: float, stamp: str) -> None:
    """Do what a kubelet does: a folder with all files, then `..data` swapped to it in one step."""
    data = root / "rules" / f"..{stamp}"
    data.mkdir()
    for name in ("a", "b", "c"):
        (data / f"{name}.yaml").write_text(rule(name, size))
    (root / "rules" / "..data_tmp").symlink_to(data.name)
    before = root / "rules" / "..data"
    old = os.readlink(before) if before.is_symlink() else ""
    os.replace(root / "rules" / "..data_tmp", before)
    if old:
        shutil.rmtree(root / "rules" / old)


@pytest.mark.parametrize("hints", [file_hints, None], ids=["hints", "comparing"])
def test_the_link_of_a_mounted_volume_is_swapped(tmp_path: Path, hints: Hints | None) -> None:
    """Every file is a link into `..data`, which is a link itself: no file is written, and all of them change."""
    root, known = make_root(tmp_path / "root"), {}
    shutil.rmtree(root / "rules")
    (root / "rules").mkdir()
    for turn, (name, size) in enumerate((("new", NEW), ("old", OLD))):
        _publish(root, size, f"first{turn}")
        for one in ("a", "b", "c"):
            link = root / "rules" / f"{one}.yaml"
            if not link.is_symlink():
                link.symlink_to(f"..data/{one}.yaml")
        known[name] = digest_of(size, root)

    async def play() -> None:
        async with taking(root, known, hints=hints) as taker:
            for turn, (size, name) in enumerate(((NEW, "new"), (OLD, "old"), (NEW, "new"))):
                _publish(root, size, str(turn))
                await taker.until(name)
            assert taker.refusals == []

    asyncio.run(play())


def test_the_whole_folder_is_a_link_that_is_swapped(root: Path, known: dict[str, str]) -> None:
    """As git-sync does with worktrees; only hints are heard, so that the parent of the link must be watched."""
    other = make_root(root.parent / "other", NEW)
    shutil.move(root / "rules", root / "v1")
    shutil.copytree(other / "rules", root / "v2")
    (root / "current").symlink_to("v1")
    (root / "rules").symlink_to("current")

    async def play() -> None:
        async with taking(root, known, settings=SLOW_POLL, hints=file_hints) as taker:
            for target, name in (("v2", "new"), ("v1", "old"), ("v2", "new")):
                (root / "fresh").symlink_to(target)
                os.replace(root / "fresh", root / "current")
                await taker.until(name)
            assert taker.refusals == []

    asyncio.run(play())


def test_the_folder_is_deleted_and_made_again(root: Path, known: dict[str, str]) -> None:
    """While it is gone the last good set stays, and is not read as one without rules."""
    async def play() -> None:
        async with taking(root, known, settings=SLOW_POLL, hints=file_hints) as taker:
            for turn in (1, 2):
                shutil.rmtree(root / "rules")
                assert "rules" in await taker.refused(turn)
                assert taker.in_force == ("old" if turn == 1 else "new")
                write_rules(root, NEW)
                await taker.until("new")
                await asyncio.sleep(0.3)

    asyncio.run(play())


def test_an_emptied_set_never_takes_over(root: Path, known: dict[str, str]) -> None:
    """No file, only empty files, or files without rules: each is a mistake and none a rule set."""
    async def play() -> None:
        async with taking(root, known, hints=file_hints) as taker:
            for name in NAMES:
                (root / "rules" / f"{name}.yaml").unlink()
            await taker.refused(1)
            for name in NAMES:
                (root / "rules" / f"{name}.yaml").write_text("")
            await taker.refused(2)
            for name in NAMES:
                (root / "rules" / f"{name}.yaml").write_text("version: 1\nrules: []\n")
            await taker.refused(3)
            assert taker.in_force == "old"
            write_rules(root, NEW)
            await taker.until("new")

    asyncio.run(play())


@pytest.mark.parametrize("name", [FLAGS, SIGNALS, SETTINGS, DENYLIST])
def test_a_configuration_file_that_vanishes_stays_in_force(root: Path, known: dict[str, str], name: str) -> None:
    async def play() -> None:
        async with taking(root, known, hints=file_hints) as taker:
            text = (root / name).read_bytes()
            (root / name).unlink()
            assert name in await taker.refused()
            (root / name).write_bytes(text)
            await taker.taken()

    asyncio.run(play())


@contextmanager
def _in_git(root: Path) -> Iterator[None]:
    def git(*words: str) -> None:
        subprocess.run(
            ["git", "-C", str(root), "-c", "user.name=t", "-c", "user.email=t@example.com", *words], check=True,
            capture_output=True, env={**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"},
        )

    git("init", "-q", "-b", "old")
    git("add", "-A")
    git("commit", "-q", "-m", "old")
    git("checkout", "-q", "-b", "new")
    write_rules(root, NEW)
    git("commit", "-q", "-a", "-m", "new")
    git("checkout", "-q", "old")
    yield


def test_fifty_checkouts_between_two_branches(root: Path, known: dict[str, str]) -> None:
    """As fast as git can, then with pauses: what is read is one of the two commits, and the last one wins."""
    async def play() -> None:
        async with taking(root, known, hints=file_hints) as taker:
            for turn in range(50):
                branch = ("new", "old")[turn % 2]
                done = await asyncio.create_subprocess_exec("git", "-C", str(root), "checkout", "-q", branch)
                assert await done.wait() == 0
                if turn % 10 == 9:
                    await taker.until(branch)
            await taker.until("old")
            done = await asyncio.create_subprocess_exec("git", "-C", str(root), "checkout", "-q", "new")
            assert await done.wait() == 0
            await taker.until("new")
            last = taker.handed[-1]
            assert isinstance(last, Candidate) and len(last.provenance.commit) == 40 and last.provenance.dirty is False

    with _in_git(root):
        asyncio.run(play())


def test_a_checkout_that_takes_long_is_waited_for(root: Path, known: dict[str, str]) -> None:
    """Between two commits the tree is a mixture; git's own lock says so, also where nothing changes for a while."""
    async def play() -> None:
        async with taking(root, known, hints=file_hints) as taker:
            lock = root / ".git" / "index.lock"
            lock.write_text("")
            (root / "rules" / "a.yaml").write_text(rule("a", NEW))
            await taker.nothing(for_s=0.6)
            write_rules(root, NEW)
            lock.unlink()
            await taker.until("new")
            assert taker.refusals == []
            # One left by a git that died keeps nobody from reading.
            lock.write_text("")
            os.utime(lock, (0, 0))
            write_rules(root, OLD)
            await taker.until("old")

    with _in_git(root):
        asyncio.run(play())
