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
    landed = 0
    for _ in range(KILLS * 3):
        again = ["--resume"] if (state / "journal.sqlite").exists() else []
        child = subprocess.Popen(
            [*command(*words), *again], cwd=ROOT, env=environment(PYTHONHASHSEED=str(landed)),
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )
        # Short lives, so that twenty of them fit into one run of the tape.
        time.sleep(dice.uniform(0.3, 1.6))
        child.send_signal(signal.SIGKILL)
        code = child.wait()
        if child.stderr is not None:
            child.stderr.close()
        landed += code == -signal.SIGKILL
        if landed == KILLS:
            break
    assert landed == KILLS
    resumed = run_json(*words[:-2], "--resume", seed="7")

    assert resumed["digest"] == uncut["digest"]
    assert resumed["state_digest"] == uncut["state_digest"]
    assert resumed["events"] - resumed["resumed_from_seq"] <= resumed["events"]
    with sqlite3.connect(state / "journal.sqlite") as journal:
        ids = [row[0] for row in journal.execute("select client_id from client_ids")]
    assert len(ids) == len(set(ids)) == uncut["orders"]
