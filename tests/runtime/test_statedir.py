"""One engine a state directory, and nothing of anybody else's is touched."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from engine.runtime.statedir import HALT, JOURNAL, LOCK, MARK, StateDir, StateError, check_room, holder, open_for_run

ROOT = Path(__file__).parents[2]
NOON = 1_767_614_400_000_000_000


@contextmanager
def another_engine(path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the directory until it is killed."""
    program = (
        "import sys, time; from pathlib import Path; from engine.runtime.statedir import StateDir\n"
        f"held = StateDir.acquire(Path(sys.argv[1]), now={NOON}); print('held', flush=True); time.sleep(60)"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", program, str(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert child.stdout is not None
    try:
        assert child.stdout.readline() == "held\n"
        yield child
    finally:
        child.kill()
        child.communicate()


def run_in(path: Path | None, root: Path, **options: bool) -> StateDir:
    return open_for_run(path, root=root, resume=options.get("resume", False), now=NOON, room=1)


def test_it_is_made_for_its_user_alone(tmp_path: Path) -> None:
    where = tmp_path / "deep" / "state"
    with StateDir.acquire(where, now=NOON) as held:
        assert stat.S_IMODE(where.stat().st_mode) == 0o700 == stat.S_IMODE(where.parent.stat().st_mode)
        assert stat.S_IMODE((where / LOCK).stat().st_mode) == 0o600
        assert held.journal == where / JOURNAL and held.halt == where / HALT and not held.used


def test_a_second_engine_is_refused_and_told_who_has_it(tmp_path: Path) -> None:
    """In another process and in the same; and whoever only asks does no harm."""
    with another_engine(tmp_path / "state") as other:
        with pytest.raises(StateError, match=f"in use by process {other.pid}, since 2026-01-05T12:00:00Z") as caught:
            StateDir.acquire(tmp_path / "state", now=NOON)
        assert "--state" in caught.value.fix
        found = holder(tmp_path / "state")
        assert found is not None and (found.pid, found.since) == (other.pid, NOON)
    with StateDir.acquire(tmp_path / "mine", now=NOON), pytest.raises(StateError, match=f"process {os.getpid()}"):
        StateDir.acquire(tmp_path / "mine", now=NOON)


def test_the_lock_of_a_dead_engine_does_not_block(tmp_path: Path) -> None:
    """SIGKILL leaves the file with its text; the kernel has let go."""
    where = tmp_path / "state"
    with another_engine(where) as other:
        other.send_signal(signal.SIGKILL)
        other.wait()
        assert str(other.pid) in (where / LOCK).read_text()
        assert holder(where) is None
        with StateDir.acquire(where, now=NOON) as held:
            assert holder(where) is not None
            held.release()
            assert holder(where) is None
            StateDir.acquire(where, now=NOON).release()


def test_a_lock_file_that_says_nothing_still_locks(tmp_path: Path) -> None:
    with StateDir.acquire(tmp_path, now=NOON):
        for text in ("", "[]", "\x00", '{"pid": "x", "since": 1}'):
            (tmp_path / LOCK).write_text(text)
            with pytest.raises(StateError, match="in use by another process"):
                StateDir.acquire(tmp_path, now=NOON)


def test_a_removed_lock_file_is_made_anew(tmp_path: Path) -> None:
    StateDir.acquire(tmp_path, now=NOON).release()
    (tmp_path / LOCK).unlink()
    assert holder(tmp_path) is None
    StateDir.acquire(tmp_path, now=NOON).release()


def test_asking_who_holds_it_makes_nothing(tmp_path: Path) -> None:
    assert holder(tmp_path / "nowhere") is None
    assert list(tmp_path.iterdir()) == []


def test_a_used_directory_needs_resume_and_an_unused_one_must_not_have_it(tmp_path: Path) -> None:
    where = tmp_path / "state"
    with pytest.raises(StateError, match="no run to resume"):
        run_in(where, tmp_path, resume=True)
    with run_in(where, tmp_path) as held:
        held.journal.touch()
    with pytest.raises(StateError, match="already holds a run") as caught:
        run_in(where, tmp_path)
    assert "--resume" in caught.value.fix
    assert (where / JOURNAL).exists()
    run_in(where, tmp_path, resume=True).release()


def test_a_refusal_lets_go_of_the_lock(tmp_path: Path) -> None:
    with pytest.raises(StateError):
        run_in(tmp_path / "state", tmp_path, resume=True)
    assert holder(tmp_path / "state") is None


def test_tape_runs_begin_with_nothing_old(tmp_path: Path) -> None:
    """All is gone but the marks, folders and links included; what a link leads to stays."""
    kept = tmp_path / "kept.txt"
    kept.write_text("mine")
    with run_in(None, tmp_path) as held:
        held.journal.touch()
        held.halt.touch()
        (held.path / "var").mkdir()
        (held.path / "var" / "x").touch()
        (held.path / "link").symlink_to(kept)
        (held.path / "folder-link").symlink_to(tmp_path)
        where = held.path
    assert where == tmp_path / "state" / "tape"
    with run_in(None, tmp_path):
        assert sorted(entry.name for entry in where.iterdir()) == [LOCK, MARK]
    assert kept.read_text() == "mine"


def test_a_tape_run_can_be_resumed(tmp_path: Path) -> None:
    with run_in(None, tmp_path) as held:
        held.journal.write_text("x")
    with run_in(None, tmp_path, resume=True) as held:
        assert held.journal.read_text() == "x"


def test_a_directory_that_an_engine_holds_is_never_emptied(tmp_path: Path) -> None:
    with run_in(None, tmp_path) as held:
        held.journal.touch()
        with pytest.raises(StateError, match="in use by"):
            run_in(None, tmp_path)
        assert held.journal.exists()


@pytest.mark.parametrize("kind", ["foreign", "state", "link", "file"])
def test_a_directory_that_was_not_made_for_tapes_is_never_emptied(tmp_path: Path, kind: str) -> None:
    """Somebody's folder, a real state directory of that name, a link to either, or no folder at all."""
    where = tmp_path / "state" / "tape"
    elsewhere = tmp_path / "elsewhere"
    if kind == "state":
        StateDir.acquire(where, now=NOON).release()
        (where / JOURNAL).touch()
    elif kind == "link":
        where.parent.mkdir()
        elsewhere.mkdir()
        (elsewhere / "precious").touch()
        where.symlink_to(elsewhere)
    elif kind == "foreign":
        where.mkdir(parents=True)
        (where / "precious").touch()
    else:
        where.parent.mkdir()
        where.touch()
    with pytest.raises(StateError, match="not made for tape runs|not a directory"):
        run_in(None, tmp_path)
    assert kind != "state" or (where / JOURNAL).exists()
    assert kind != "link" or (elsewhere / "precious").exists()
    assert kind != "foreign" or (where / "precious").exists()
    assert holder(where) is None


def test_a_link_to_a_directory_for_tapes_is_not_emptied_either(tmp_path: Path) -> None:
    """Its mark is right, but we did not make the link."""
    run_in(None, tmp_path / "other").release()
    (tmp_path / "other" / "state" / "tape" / "x").touch()
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "tape").symlink_to(tmp_path / "other" / "state" / "tape")
    with pytest.raises(StateError, match="not made for tape runs"):
        run_in(None, tmp_path)
    assert (tmp_path / "other" / "state" / "tape" / "x").exists()


def test_a_folder_full_of_other_things_is_not_taken_over(tmp_path: Path) -> None:
    (tmp_path / "letters.txt").touch()
    with pytest.raises(StateError, match="not empty and not a state directory"):
        StateDir.acquire(tmp_path, now=NOON)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["letters.txt"]


def test_a_folder_made_by_hand_to_halt_in_is_taken_over_and_closed(tmp_path: Path) -> None:
    """`mkdir state; touch state/HALT` before the first start must halt it; tape runs may have been there too."""
    where = tmp_path / "state"
    where.mkdir(mode=0o755)
    (where / HALT).touch()
    (where / ".gitkeep").touch()
    run_in(None, tmp_path).release()
    with StateDir.acquire(where, now=NOON) as held:
        assert held.halt.exists()
        assert stat.S_IMODE(where.stat().st_mode) == 0o700


def test_a_disk_without_room_is_said_before_the_run(tmp_path: Path) -> None:
    free = shutil.disk_usage(tmp_path).free
    check_room(tmp_path, free // 2)
    with pytest.raises(StateError, match="MiB free, and a run needs") as caught:
        open_for_run(tmp_path / "state", root=tmp_path, resume=False, now=NOON, room=free * 2)
    assert "free some space" in caught.value.fix
    assert holder(tmp_path / "state") is None


def test_what_is_no_directory_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for where in (tmp_path / "file", tmp_path / "file" / "state", Path("/proc/nowhere/state")):
        with pytest.raises(StateError):
            StateDir.acquire(where, now=NOON)
