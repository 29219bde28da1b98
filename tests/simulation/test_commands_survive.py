"""What an operator said before a crash is said again at the same place, and only once."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import time
from pathlib import Path

import pytest

from engine.model.time import MINUTE
from tests.simulation.command import ROOT, command, environment, run_json
from tests.simulation.editing import write_part
from tests.simulation.test_kill_and_resume import await_socket

HOURS = 8
"""So much of a normal day lasts half a minute at its speed: longer than a slow machine takes for two commands."""


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """The words that run the first hours of a normal day."""
    tape = write_part(tmp_path_factory.mktemp("day") / "day.tape.gz", 0, HOURS * 3600, of="normal-day")
    return ("run", "--tape", tape)


@pytest.mark.parametrize("wait_s", [0.5, 1.7, 3.1])
def test_a_halt_and_a_flag_outlive_the_process_that_heard_them(
    tmp_path: Path, day: tuple[str, ...], wait_s: float
) -> None:
    """Killed right after the answer, the run goes on halted, and a second resumption agrees with the first."""
    state = tmp_path / "state"
    child = subprocess.Popen(
        command(*day, "--format", "json", "--speed", "900", "--state", str(state)), cwd=ROOT, env=environment(),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    await_socket(state / "engine.sock", child)
    time.sleep(wait_s)
    for words in (("flag", "set", "ENTRY_MAX_SPREAD_BPS", "40"), ("halt", "--reason", "a drill")):
        told = command(*words, "--state", str(state))
        subprocess.run(told, cwd=ROOT, env=environment(), check=True, capture_output=True)
    child.send_signal(signal.SIGKILL)
    child.wait()

    resumed = run_json(*day, "--speed", "max", "--resume", "--state", str(state))
    assert (resumed["level"], resumed["orders"]) == ("halted", 0)
    assert inputs(state) == {"Start": 1, "SetFlagCommand": 1, "HaltCommand": 1, "StopCommand": 1}
    again = run_json(*day, "--speed", "max", "--resume", "--state", str(state))
    assert (again["digest"], again["state_digest"]) == (resumed["digest"], resumed["state_digest"])


def test_the_hour_of_a_flag_set_after_a_crash_begins_where_the_run_goes_on(
    tmp_path: Path, day: tuple[str, ...]
) -> None:
    """It is obeyed there, so that is where its time begins; it ends once, as long after that as was said."""
    state = tmp_path / "state"
    child = subprocess.Popen(
        command(*day, "--format", "json", "--speed", "900", "--state", str(state)), cwd=ROOT, env=environment(),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    await_socket(state / "engine.sock", child)
    time.sleep(1.0)
    child.send_signal(signal.SIGKILL)
    child.wait()
    told = command("flag", "set", "ENTRY_MAX_SPREAD_BPS", "40", "--ttl", "20m", "--state", str(state))
    said = subprocess.run(told, cwd=ROOT, env=environment(), check=True, capture_output=True, text=True)
    assert "obeyed when this run goes on, and its 20m begin there" in said.stdout

    run_json(*day, "--speed", "max", "--resume", "--state", str(state))
    with sqlite3.connect(state / "journal.sqlite") as journal:
        changes = list(journal.execute("select at, payload from effects where kind = 'FlagChanged' order by n"))
    assert [json.loads(told)["after"] for _, told in changes] == ["40", "50"]
    (began, _), (ended, _) = changes
    assert 20 * MINUTE <= ended - began < 21 * MINUTE, "from the next event of the run on"


def test_a_halt_file_that_waits_for_a_resumption_halts_once_all_was_done_again(tmp_path: Path) -> None:
    """Killed between checkpoints with orders behind it, the run first does again what its journal holds."""
    state = tmp_path / "state"
    child = subprocess.Popen(
        command("run", "--tape", "demo", "--format", "json", "--speed", "1500", "--state", str(state)), cwd=ROOT,
        env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    await_socket(state / "engine.sock", child)
    done = 0
    while not done:
        assert child.poll() is None, "the run was over before it held anything behind a checkpoint"
        time.sleep(0.1)
        done = orders_behind_the_checkpoint(state)
    child.send_signal(signal.SIGKILL)
    child.wait()
    (state / "HALT").touch()

    resumed = run_json("run", "--tape", "demo", "--speed", "max", "--resume", "--state", str(state))
    assert resumed["level"] == "halted"
    held = inputs(state)
    assert held["HaltCommand"] == 1
    # What was sent before the crash was sent again by nobody, and nothing enters behind the halt.
    assert resumed["orders"] < 120


def orders_behind_the_checkpoint(state: Path) -> int:
    """Return how many inputs the journal of a running engine holds behind its newest checkpoint."""
    with sqlite3.connect(f"file:{state / 'journal.sqlite'}?mode=ro", uri=True, timeout=5) as journal:
        (newest,) = journal.execute("select coalesce(max(seq), 0) from checkpoints").fetchone()
        (count,) = journal.execute("select count(*) from inputs where seq > ? and seq > 1", (newest,)).fetchone()
    return int(count)


def inputs(state: Path) -> dict[str, int]:
    """Return how many inputs of each kind the journal holds."""
    found: dict[str, int] = {}
    with sqlite3.connect(state / "journal.sqlite") as journal:
        for (payload,) in journal.execute("select payload from inputs order by seq"):
            kind = json.loads(payload)["type"]
            found[kind] = found.get(kind, 0) + 1
    return found
