"""The denylist of a run that lasts: an edit comes with SIGHUP alone, and the command does what the night would."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from engine.adapters.tape_writer import TapeWriter
from engine.model.market import Quote
from engine.model.time import MINUTE, parse_instant
from engine.runtime.config import DENYLIST
from tests.simulation.command import command, environment
from tests.simulation.editing import Run, make_root, running, wait_for


def test_a_line_is_in_force_after_a_sighup_though_nothing_is_watched(tmp_path: Path) -> None:
    root = make_root(tmp_path)
    settings = root / "conf" / "engine.yaml"
    text = settings.read_text()
    assert text.count("enabled: true") == 1
    settings.write_text(text.replace("enabled: true", "enabled: false"))
    with running(root, "--speed", "60") as run:
        assert run.status()["deny"] == []
        with (root / DENYLIST).open("a") as file:
            file.write("OAKUSDT until=2099-01-01T00:00:00Z reason=a test\n")
        os.kill(run.child.pid, signal.SIGHUP)
        wait_for(lambda: run.status()["deny"] == ["OAKUSDT"])
        summary = run.stop()
    assert summary["generation"] == 2


@pytest.fixture(scope="module")
def over(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return a run that is over: over midnight a machine walks a price up and down, each minute."""
    root = make_root(tmp_path_factory.mktemp("nights"))
    flags = root / "conf" / "flags.yaml"
    name, default = "  - name: DENYLIST_ENTROPY_MINUTES", "    default: 300\n"
    before, after = flags.read_text().split(name)
    flags.write_text(before + name + after.replace(default, "    default: 40\n", 1))
    tape = root / "night.tape.gz"
    begin = parse_instant("2026-03-02T23:10:00Z")
    with TapeWriter(tape, source="a machine") as writer:
        for minute in range(55):
            at, price = begin + minute * MINUTE, 100.0 + minute % 2
            writer.write(Quote("paper", "MOSSUSDT", price, 1.0, price + 0.1, 1.0, at, at), at)
    run = Run(root, "--speed", "max", tape=str(tape))
    run.end()
    return run


def refresh(run: Run, *words: str, **flags: str) -> subprocess.CompletedProcess[str]:
    """Call `engine denylist refresh` beside a run."""
    told = command("denylist", "refresh", "--state", str(run.state), *words)
    return subprocess.run(
        told, cwd=run.root, env=environment(**flags), capture_output=True, text=True, check=False, timeout=60
    )


def test_the_command_shows_writes_and_then_has_nothing_to_do(over: Run) -> None:
    path = over.root / DENYLIST
    before = path.read_text()
    strict = {"DENYLIST_DAYS": "1"}
    usual = refresh(over)
    assert (usual.returncode, usual.stdout) == (0, f"{DENYLIST} has what it needs: nothing to change\n")

    dry = refresh(over, "--dry-run", **strict)
    assert dry.returncode == 0, dry.stderr
    assert dry.stdout.endswith(f"{DENYLIST}: not written, this was a dry run\n")
    added = [line for line in dry.stdout.splitlines() if line.startswith("+MOSSUSDT until=2026-03-0")]
    assert len(added) == 1
    assert "reason=refreshed: 1 bad days of 5, last: entropy 0.34 bits a minute over 47 minutes" in added[0]
    assert path.read_text() == before

    wet = refresh(over, "--format", "json", **strict)
    told = json.loads(wet.stdout)
    assert (wet.returncode, told["written"], told["added"], told["day"]) == (0, True, ["MOSSUSDT"], "2026-03-03")
    assert path.read_text().startswith(before)
    assert added[0].removeprefix("+") in path.read_text().splitlines()

    again = json.loads(refresh(over, "--format", "json", **strict).stdout)
    assert (again["changed"], again["written"], again["diff"]) == (False, False, [])


def test_the_night_left_its_file(over: Run) -> None:
    (file,) = (over.state / "var").iterdir()
    said = json.loads(file.read_text())
    assert (file.name, said["day"], said["confidence_pct"]) == ("2026-03-03.json", "2026-03-03", 99.0)


def test_without_a_run_it_says_what_is_missing(over: Run, tmp_path: Path) -> None:
    told = command("denylist", "refresh", "--state", str(tmp_path / "none"))
    done = subprocess.run(
        told, cwd=over.root, env=environment(), capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 2
    assert "no engine has run in" in done.stderr


def test_a_mistake_in_the_file_is_told_and_nothing_is_written(over: Run) -> None:
    path = over.root / DENYLIST
    before = path.read_text()
    path.write_text(f"{before}what is this\n")
    try:
        done = refresh(over, DENYLIST_DAYS="1")
        assert done.returncode == 2
        assert "event_denylist.txt" in done.stderr
        assert path.read_text() == f"{before}what is this\n"
    finally:
        path.write_text(before)
