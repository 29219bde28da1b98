"""`touch state/HALT` halts once for each time it appears, and its going away resumes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.model.time import MS, SECOND
from engine.runtime.halt_file import EVERY, HaltFile


def test_it_halts_once_for_each_appearance(tmp_path: Path) -> None:
    path = tmp_path / "HALT"
    watched, now = HaltFile(path), 0

    def poll() -> bool:
        nonlocal now
        now += SECOND
        return watched.poll(now)

    assert not poll()
    path.touch()
    assert [poll(), poll(), poll()] == [True, False, False]
    path.unlink()
    assert not poll()
    path.touch()
    assert [poll(), poll()] == [True, False]


def test_a_file_that_was_there_before_the_start_halts(tmp_path: Path) -> None:
    (tmp_path / "HALT").touch()
    assert HaltFile(tmp_path / "HALT").poll(0)


def test_a_file_still_there_after_a_resume_halts_again(tmp_path: Path) -> None:
    """Else one `resume` would make the file mean nothing."""
    path = tmp_path / "HALT"
    path.touch()
    watched = HaltFile(path)
    assert watched.poll(0)
    watched.tell_again()
    assert watched.poll(MS)
    path.unlink()
    watched.tell_again()
    assert not watched.poll(SECOND)


def test_it_looks_at_most_every_100_ms(tmp_path: Path) -> None:
    path = tmp_path / "HALT"
    watched = HaltFile(path)
    assert not watched.poll(10 * SECOND)
    path.touch()
    assert not watched.poll(10 * SECOND + EVERY - 1)
    assert watched.poll(10 * SECOND + EVERY)


@pytest.mark.parametrize("kind", ["folder", "dangling link", "loop"])
def test_anything_of_that_name_halts(tmp_path: Path, kind: str) -> None:
    """In doubt it is there."""
    path = tmp_path / "HALT"
    if kind == "folder":
        path.mkdir()
    else:
        path.symlink_to("HALT" if kind == "loop" else "nowhere")
    assert HaltFile(path).present()


def test_where_it_cannot_be_told_it_is_there(tmp_path: Path) -> None:
    """A name that cannot be looked up is doubt; a directory that is gone is not."""
    assert HaltFile(tmp_path / ("x" * 300)).present()
    assert not HaltFile(tmp_path / "gone" / "HALT").present()
