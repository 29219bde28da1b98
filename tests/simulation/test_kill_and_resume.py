"""Killed at any moment and resumed, a run ends as if nobody had touched it."""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
import time
from pathlib import Path

from tests.simulation.command import ROOT, command, environment, run_json

KILLS = 20


def test_twenty_kills_leave_the_digest_of_the_uncut_run(tmp_path: Path) -> None:
    """Each resumption starts at most one checkpoint interval back, and no client id is used twice."""
    uncut = run_json("run", "--tape", "demo", "--speed", "max", "--state", str(tmp_path / "uncut"))
    state = tmp_path / "cut"
    dice = random.Random(20260105)
    words = ["run", "--tape", "demo", "--speed", "max", "--state", str(state), "--format", "json"]
    landed, behind = 0, 0
    for _ in range(KILLS * 3):
        (state / "engine.sock").unlink(missing_ok=True)
        again = ["--resume"] if (state / "journal.sqlite").exists() else []
        child = subprocess.Popen(
            [*command(*words), *again], cwd=ROOT, env=environment(PYTHONHASHSEED=str(landed)),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        # The socket is there once the run takes events; from then on, lives so short that twenty fit into one tape.
        await_socket(state / "engine.sock", child)
        if landed % 5 == 4:
            # On a slow machine no short life reaches the next state that is kept, and a resumption is to have one.
            await_kept(state, child)
        time.sleep(dice.uniform(0.0, 0.35))
        child.send_signal(signal.SIGKILL)
        landed += child.wait() == -signal.SIGKILL
        behind = max(behind, to_do_again(state))
        if landed == KILLS:
            break
    assert landed == KILLS
    resumed = run_json(*words[:-2], "--resume", seed="7")

    assert (resumed["digest"], resumed["state_digest"]) == (uncut["digest"], uncut["state_digest"])
    assert resumed["resumed_from_seq"] > 0
    assert behind <= uncut["events"] * 0.05
    with sqlite3.connect(state / "journal.sqlite") as journal:
        ids = [row[0] for row in journal.execute("select client_id from client_ids")]
    assert len(ids) == len(set(ids)) == uncut["orders"]


def to_do_again(state: Path) -> int:
    """Return how many inputs lie between the last checkpoint and the last thing the journal knows of."""
    if not (state / "journal.sqlite").exists():
        return 0
    last = kept(state)
    with sqlite3.connect(state / "journal.sqlite") as journal:
        try:
            known = journal.execute("select max(seq) from effects").fetchone()[0] or 0
        except sqlite3.OperationalError:
            return 0
    return max(0, int(known) - last)


def await_kept(state: Path, child: subprocess.Popen[bytes]) -> None:
    """Wait until the run has kept its state once more than before, or has ended."""
    before = kept(state)
    for _ in range(2400):
        if kept(state) > before or child.poll() is not None:
            return
        time.sleep(0.025)
    raise AssertionError("the run never kept its state")


def kept(state: Path) -> int:
    """Return at which input the state was last kept, 0 before the first."""
    with sqlite3.connect(state / "journal.sqlite") as journal:
        try:
            return int(journal.execute("select max(seq) from checkpoints").fetchone()[0] or 0)
        except sqlite3.OperationalError:
            return 0


def await_socket(path: Path, child: subprocess.Popen[bytes]) -> None:
    """Wait until the run listens at `path`, or has ended."""
    for _ in range(1200):
        if path.exists() or child.poll() is not None:
            return
        time.sleep(0.05)
    raise AssertionError("the run never began")
