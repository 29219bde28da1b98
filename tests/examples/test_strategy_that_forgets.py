"""A strategy of a package that cannot say, or take up, what it remembers: the run goes on without it and can be cut."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import time
from pathlib import Path
from textwrap import dedent

import pytest

from tests.examples.test_strategy_new_high import wait_for
from tests.simulation.command import ROOT, command, environment
from tests.strategies.tapes import coin, configuration, write_tape

RISING = tuple((2.0 * step, 25.0 * step) for step in range(16))
PACKAGE = dedent("""
    import os

    from engine.model.market import Quote
    from engine.model.strategy import Strategy


    class Forgets(Strategy):
        name = "forgets"

        def __init__(self, section):
            self.after, self.quotes = section["after"], 0

        def interested(self, event):
            return type(event) is Quote

        def on_event(self, item, view, orders):
            self.quotes += type(item.event) is Quote
            return ()

        def on_refused(self, at, proposal, reason):
            return ()

        def dump(self):
            if self.quotes > self.after:
                raise LookupError("where was I?")
            return self.quotes

        def load(self, data):
            if "NEW_VERSION" in os.environ:
                raise KeyError("plans")
            self.quotes = data
""")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package, a configuration for each of two runs, and a tape."""
    place = tmp_path_factory.mktemp("world")
    about = place / "plug_forgets-1.0.dist-info"
    about.mkdir()
    (place / "plug_forgets.py").write_text(PACKAGE, encoding="utf-8")
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: plug-forgets\nVersion: 1.0\n", encoding="utf-8")
    points = "[runbook_engine.strategies]\nforgets = plug_forgets:Forgets\n"
    (about / "entry_points.txt").write_text(points, encoding="utf-8")
    for name, after in (("forgets", 300), ("knows", 1_000_000)):
        root = configuration(place / name, f"- name: forgets\n  parameters: {{after: {after}}}")
        settings = root / "conf" / "engine.yaml"
        text = settings.read_text(encoding="utf-8")
        assert "checkpoint_every: " in text
        lines = ["  checkpoint_every: 400" if "checkpoint_every: " in line else line for line in text.splitlines()]
        settings.write_text("\n".join(lines) + "\n", encoding="utf-8")
    write_tape(place / "rising.tape", [coin("RISE", RISING)], 45.0)
    return place


def words(world: Path, state: str, *more: str) -> tuple[str, ...]:
    return tuple(command(
        "run", "--tape", str(world / "rising.tape"), "--format", "json", "--state", str(world / state), *more
    ))


def around(world: Path, **more: str) -> dict[str, str]:
    return environment(PYTHONPATH=os.pathsep.join([str(ROOT), str(world)]), **more)


def run(world: Path, name: str, state: str, *more: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words(world, state, "--speed", "max", *more), cwd=world / name, env=around(world, **environ),
        capture_output=True, text=True, timeout=120, check=False,
    )


def killed(world: Path, name: str, state: str) -> None:
    child = subprocess.Popen(
        words(world, state, "--speed", "120"), cwd=world / name, env=around(world), stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_for(world / state / "engine.sock")
    time.sleep(2.0)
    child.send_signal(signal.SIGKILL)
    child.wait()


def test_a_dump_that_fails_is_an_input_and_the_run_ends_halted_wherever_it_was_cut(world: Path) -> None:
    whole = run(world, "forgets", "whole")
    assert whole.returncode == 0, whole.stderr
    summary = json.loads(whole.stdout.strip().splitlines()[-1])
    assert summary["level"] == "halted"
    with sqlite3.connect(world / "whole" / "journal.sqlite") as journal:
        failed = [json.loads(row[0]) for row in journal.execute(
            "select payload from inputs where kind = 'StrategyFailed'"
        )]
        (kept,) = journal.execute("select count(*) from checkpoints").fetchone()
    assert [(one["name"], one["what"]) for one in failed] == [("forgets", "of dump: LookupError: where was I?")]
    assert kept
    killed(world, "forgets", "cut")
    resumed = run(world, "forgets", "cut", "--resume")
    assert resumed.returncode == 0, resumed.stderr
    assert json.loads(resumed.stdout.strip().splitlines()[-1])["digest"] == summary["digest"]


def test_a_run_on_a_tape_is_not_resumed_with_a_strategy_that_cannot_take_it_up(world: Path) -> None:
    """It would be another run. Nothing is lost by trying."""
    assert run(world, "knows", "known").returncode == 0
    refused = run(world, "knows", "known", "--resume", NEW_VERSION="1")
    assert refused.returncode == 2
    assert "strategy forgets cannot take up what it remembered (KeyError: 'plans')" in refused.stdout + refused.stderr
    assert run(world, "knows", "known", "--resume").returncode == 0
