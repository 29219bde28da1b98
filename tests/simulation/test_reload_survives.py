"""Whatever is done to the files of a running engine, and wherever it is killed, one whole set is in force."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.simulation.editing import (
    EXTRA,
    NAMES,
    NEW,
    OLD,
    Run,
    effects,
    extra,
    flood,
    inputs,
    known_rulings,
    last_good_ruling,
    make_root,
    ruling,
    running,
    taken_over,
    wait_for,
    write_extra,
    write_part,
)

STEPS: tuple[float | str, ...] = (0.0, 0.03, "journalled", 0.1, "kept", 0.15, "journalled", 0.25)
"""Where to kill: so long (s) after the save, or once that step is seen to be done."""


def _pieces(root: Path) -> None:
    """Truncate, then write in pieces."""
    for name in NAMES:
        with open(root / EXTRA.format(name), "w") as file:
            text = extra(name, NEW)
            for piece in (text[:30], text[30:90], text[90:]):
                file.write(piece)
                file.flush()
                time.sleep(0.01)


def _renamed(root: Path) -> None:
    for name in NAMES:
        path = root / EXTRA.format(name)
        (path.parent / f".{name}.swp").write_bytes(b"b0VIM")
        (path.parent / "4913").touch()
        (path.parent / "4913").unlink()
        path.with_suffix(".tmp").write_text(extra(name, NEW))
        os.replace(path.with_suffix(".tmp"), path)
        (path.parent / f".{name}.swp").unlink()


def _swapped(root: Path) -> None:
    """Turn the folder into a link that is swapped, as a mounted volume does."""
    new = root / "..new"
    shutil.copytree(root / "rules", new)
    for name in NAMES:
        (new / "extra" / f"{name}.yaml").write_text(extra(name, NEW))
    os.rename(root / "rules", root / "..old")
    (root / "..data").symlink_to("..old")
    (root / "rules").symlink_to("..data")
    time.sleep(0.4)
    (root / "..tmp").symlink_to("..new")
    os.replace(root / "..tmp", root / "..data")


def _made_again(root: Path) -> None:
    """Delete everything, and make it again after a while."""
    kept = root.parent / "kept"
    shutil.copytree(root / "rules", kept)
    shutil.rmtree(root / "rules")
    time.sleep(0.5)
    shutil.copytree(kept, root / "rules")
    write_extra(root, NEW)


@pytest.mark.parametrize("write", [_pieces, _renamed, _swapped, _made_again], ids=lambda one: one.__name__.strip("_"))
def test_written_this_way_the_new_set_comes_into_force_whole(tmp_path: Path, write: Callable[[Path], None]) -> None:
    root = make_root(tmp_path / "root")
    known = known_rulings(root)
    with running(root, "--speed", "500") as run:
        write(root)
        wait_for(lambda: taken_over(run.state)[-1:] == [known["new"]])
        assert set(taken_over(run.state)) == {known["new"]}
        wait_for(lambda: last_good_ruling(root, run.state) == known["new"])
        summary = run.stop()
    assert summary["stopped"] == "SIGTERM"
    restrained_less = [one for one in effects(root / "state") if one["type"] == "PolicyChanged" and not one["stricter"]]
    reloads = {one["seq"] for one in inputs(root / "state", "Reload")}
    assert not reloads & {one["seq"] for one in restrained_less}


def test_what_must_not_take_over_is_told_and_cleared_by_the_next_good_set(tmp_path: Path) -> None:
    """A pipe, a link that leads out, a typo, an emptied folder, a loosening: each is heard of, none restrains."""
    root = make_root(tmp_path / "root")
    known = known_rulings(root)
    stray = root / "rules" / "extra" / "x.yaml"
    secret = tmp_path / "secret.yaml"
    secret.write_text(extra("x", NEW))

    def pipe() -> None:
        os.mkfifo(stray)

    def link() -> None:
        stray.symlink_to(secret)

    def typo() -> None:
        stray.write_text("version: 1\nrules:\n  - idd: x\n")

    def emptied() -> None:
        os.rename(root / "rules", root / "away")
        (root / "rules").mkdir()

    with running(root, "--speed", "500") as run:
        level = run.reload()["text"]
        assert "nothing changed" in level
        for put in (pipe, link, typo, emptied):
            put()
            refused = run.reload()
            assert refused["accepted"] is False and refused["reload"]["fix"], refused
            wait_for(lambda: run.status()["reload_failed"] is not None)
            if (root / "away").exists():
                (root / "rules").rmdir()
                os.rename(root / "away", root / "rules")
            else:
                stray.unlink()
            assert run.reload()["accepted"] is True
            wait_for(lambda: run.status()["reload_failed"] is None)
        (root / EXTRA.format("a")).unlink()
        loosened = run.reload()
        assert loosened["accepted"] is False and loosened["reload"]["pair"]
        assert set(taken_over(run.state)) <= {known["old"]}
        let = run.reload(allow=loosened["reload"]["pair"])
        assert let["accepted"] is True, let
        assert inputs(run.state, "Reload")[-1]["acknowledged_by"]
        run.stop()
    said = effects(root / "state")
    refused_at = {one["seq"] for one in inputs(root / "state", "ReloadRefused")}
    assert len(refused_at) >= 5
    assert not refused_at & {one["seq"] for one in said if one["type"] in ("PolicyChanged", "RuleMoved", "LatchSet")}


def test_a_last_good_file_that_cannot_be_written_is_told_and_stops_nothing(tmp_path: Path) -> None:
    """As on a full disk: the reload itself is good, and whoever asked for it hears what was not kept."""
    root = make_root(tmp_path / "root")
    known = known_rulings(root)
    with running(root, "--speed", "500") as run:
        (run.state / "last_good").unlink()
        (run.state / "last_good").mkdir()
        write_extra(root, NEW)
        told: list[str] = []
        # The watch may have been quicker than whoever asked; then the next edit is asked for.
        for size in (0.7, 0.6, 0.5):
            write_extra(root, size)
            answer = run.reload()
            assert answer["accepted"] is True, answer
            told += answer.get("reload", {}).get("warnings", [])
        assert any("last_good" in one and "the older one stays" in one for one in told), told
        assert known["old"] not in taken_over(run.state) and len(taken_over(run.state)) >= 2
        run.stop()


def test_fifty_checkouts_and_a_flood_of_signals(tmp_path: Path) -> None:
    root = make_root(tmp_path / "root")
    known = known_rulings(root)

    def git(*words: str) -> None:
        subprocess.run(
            ["git", "-C", str(root), "-c", "user.name=t", "-c", "user.email=t@example.com", *words], check=True,
            capture_output=True, env={**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"},
        )

    (root / ".gitignore").write_text("state/\n")
    git("init", "-q", "-b", "old")
    git("add", "-A")
    git("commit", "-q", "-m", "old")
    git("checkout", "-q", "-b", "new")
    write_extra(root, NEW)
    git("commit", "-q", "-a", "-m", "new")
    with running(root, "--speed", "500") as run:
        for turn in range(50):
            git("checkout", "-q", ("old", "new")[turn % 2])
            if turn % 10 == 0:
                flood(run, 100)
        git("checkout", "-q", "new")
        answer = run.reload()
        assert answer["accepted"] is True, answer
        flood(run, 300)
        run.reload()
        run.stop()
    reloads = inputs(root / "state", "Reload")
    assert {one["ruling"] for one in reloads} <= set(known.values())
    assert all(len(one["commit"]) == 40 for one in reloads)
    # The run began with the new set; going back to the old one loosens, and nobody acknowledged that.
    assert all("nobody acknowledged" in one["what"] for one in inputs(root / "state", "ReloadRefused"))


def _wait_for_step(run: Run, step: str, before: int, written: str) -> None:
    def done() -> bool:
        # A run that broke is no run to wait for.
        assert run.child.poll() is None, run.child.communicate()
        if step == "journalled":
            return len(taken_over(run.state)) > before
        return last_good_ruling(run.root, run.state) == written

    wait_for(done, every=0.002)


def test_killed_at_any_step_of_a_reload(tmp_path: Path) -> None:
    """Before, in the middle of and after the reading, the journalling and the keeping of a reload."""
    root = make_root(tmp_path / "root", quiesce="20ms")
    known = known_rulings(root)
    tape = write_part(tmp_path / "part.tape.gz", 12_000, 17_000)
    size, allowed, later = OLD, {known["old"]}, 0
    for turn, step in enumerate(STEPS):
        run = Run(root, "--speed", "100", *(["--resume"] if turn else []), tape=tape)
        try:
            run.listens()
            size = round(size - 0.01, 3)
            before = len(taken_over(run.state))
            write_extra(root, size)
            written = ruling(root)
            allowed.add(written)
            if isinstance(step, float):
                time.sleep(step)
            else:
                _wait_for_step(run, step, before, written)
        finally:
            run.kill()
        # What was journalled is not lost by any later kill.
        assert len(taken_over(run.state)) >= max(before, later)
        later = len(taken_over(run.state))
        assert set(taken_over(run.state)) <= allowed
        assert last_good_ruling(root, run.state) in allowed
    resumed, again = (Run(root, "--speed", "max", "--resume", tape=tape).end() for _ in range(2))
    assert (again["digest"], again["state_digest"]) == (resumed["digest"], resumed["state_digest"])
    assert set(taken_over(root / "state")) <= allowed and len(taken_over(root / "state")) >= 3
    generations = [one["generation"] for one in effects(root / "state") if one["type"] == "RulingChanged"]
    assert generations == list(range(2, len(generations) + 2))
    assert last_good_ruling(root, root / "state") == taken_over(root / "state")[-1]
