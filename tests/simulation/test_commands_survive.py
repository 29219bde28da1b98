"""What an operator said before a crash is said again at the same place, and only once."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import time
from pathlib import Path

import pytest

from tests.simulation.command import ROOT, command, environment, run_json
from tests.simulation.test_kill_and_resume import await_socket

DAY = ("run", "--tape", "normal-day", "--format", "json")


@pytest.mark.parametrize("wait_s", [0.5, 1.7, 3.1])
def test_a_halt_and_a_flag_outlive_the_process_that_heard_them(tmp_path: Path, wait_s: float) -> None:
    """Killed right after the answer, the run goes on halted, and a second resumption agrees with the first."""
    state = tmp_path / "state"
    child = subprocess.Popen(
        command(*DAY, "--speed", "900", "--state", str(state)), cwd=ROOT, env=environment(),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    await_socket(state / "engine.sock", child)
    time.sleep(wait_s)
    for words in (("flag", "set", "ENTRY_MAX_SPREAD_BPS", "40"), ("halt", "--reason", "a drill")):
        told = command(*words, "--state", str(state))
        subprocess.run(told, cwd=ROOT, env=environment(), check=True, capture_output=True)
    child.send_signal(signal.SIGKILL)
    child.wait()

    resumed = run_json(*DAY[:3], "--speed", "max", "--resume", "--state", str(state))
    assert (resumed["level"], resumed["orders"]) == ("halted", 0)
    assert inputs(state) == {"Start": 1, "SetFlagCommand": 1, "HaltCommand": 1, "StopCommand": 1}
    again = run_json(*DAY[:3], "--speed", "max", "--resume", "--state", str(state))
    assert (again["digest"], again["state_digest"]) == (resumed["digest"], resumed["state_digest"])


def inputs(state: Path) -> dict[str, int]:
    """Return how many inputs of each kind the journal holds."""
    found: dict[str, int] = {}
    with sqlite3.connect(state / "journal.sqlite") as journal:
        for (payload,) in journal.execute("select payload from inputs order by seq"):
            kind = json.loads(payload)["type"]
            found[kind] = found.get(kind, 0) + 1
    return found
