"""A strategy from a package of its own: installed as anybody would, it trades on a tape under the shipped rules."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.simulation.command import ROOT, command, environment
from tests.strategies.tapes import coin, configuration, write_tape

PACKAGE = ROOT / "examples" / "strategy_new_high"
RISING = (*((2.0 * step, 25.0 * step - 10.0 * (step % 2)) for step in range(16)), (31.0, 360.0), (45.0, 200.0))
PARAMETERS = "{symbols: [RISEUSDT], window: 5m, hold: 4m, stop_pct: 1}"
NAMED = f"- name: event_breakout\n- name: new_high\n  parameters: {PARAMETERS}"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The package installed into a folder, a configuration that names its strategy, and a tape that rises."""
    place = tmp_path_factory.mktemp("world")
    installed = place / "installed"
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index",
         "--disable-pip-version-check", "--target", str(installed), str(PACKAGE)],
        capture_output=True, text=True, timeout=120, check=False, cwd=place,
    )
    assert done.returncode == 0, done.stderr
    return {
        "installed": installed, "root": configuration(place / "root", NAMED),
        "tape": write_tape(place / "rising.tape", [coin("RISE", RISING)], 45.0), "states": place,
    }


def run(world: dict[str, Path], state: str, *words: str, installed: bool = True) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command("run", "--tape", str(world["tape"]), "--speed", "max", "--format", "json", "--state",
                str(world["states"] / state), *words),
        cwd=world["root"], env=around(world, installed=installed), capture_output=True, text=True, timeout=120,
        check=False,
    )


def around(world: dict[str, Path], *, installed: bool = True) -> dict[str, str]:
    """The engine's environment, in which the package is, or is not, installed."""
    path = [str(ROOT), str(world["installed"])] if installed else [str(ROOT)]
    return environment(PYTHONPATH=os.pathsep.join(path))


def test_it_trades_on_a_tape_and_a_kill_changes_nothing(world: dict[str, Path]) -> None:
    whole = run(world, "whole")
    assert whole.returncode == 0, whole.stderr
    summary = json.loads(whole.stdout.strip().splitlines()[-1])
    with sqlite3.connect(world["states"] / "whole" / "journal.sqlite") as journal:
        effects = [json.loads(row[0]) for row in journal.execute("select payload from effects order by n")]
        start = json.loads(journal.execute("select payload from inputs where seq = 1").fetchone()[0])
    orders = [one for one in effects if one.get("purpose", "").startswith("RISEUSDT/") and "client_id" in one]
    told = [one for one in effects if one.get("strategy") == "new_high"]

    assert {one["intent"] for one in orders} == {"ENTRY", "STOP", "EXIT"}
    assert [one["state"] for one in told].count("closed") >= 2 and summary["positions"] == []
    assert any("new_high (runbook-new-high 0.1.0)" in name for name in start["strategies"])
    child = subprocess.Popen(
        command("run", "--tape", str(world["tape"]), "--speed", "60", "--format", "json", "--state",
                str(world["states"] / "cut")),
        cwd=world["root"], env=around(world), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    wait_for(world["states"] / "cut" / "engine.sock")
    time.sleep(1.0)
    child.send_signal(signal.SIGKILL)
    child.wait()
    resumed = run(world, "cut", "--resume")
    assert resumed.returncode == 0, resumed.stderr
    assert json.loads(resumed.stdout.strip().splitlines()[-1])["digest"] == summary["digest"]


def wait_for(path: Path) -> None:
    for _ in range(600):
        if path.exists():
            return
        time.sleep(0.05)
    raise AssertionError(f"{path} never came")


def test_without_the_package_nothing_is_begun_and_the_place_is_named(world: dict[str, Path]) -> None:
    done = run(world, "missing", installed=False)

    assert done.returncode == 2 and not (world["states"] / "missing").exists()
    found = json.loads(done.stdout)["error"]["findings"][0]
    assert (found["file"], found["line"], found["column"]) == ("conf/strategies.yaml", 4, 11)
    assert found["message"] == "there is no strategy new_high here" and found["fix"].startswith("install its package")


def test_a_run_is_not_resumed_without_the_strategies_that_it_began_with(world: dict[str, Path]) -> None:
    begun = run(world, "known")
    assert begun.returncode == 0, begun.stderr
    done = run(world, "known", "--resume", installed=False)

    assert done.returncode == 2 and "new_high" in done.stdout + done.stderr
