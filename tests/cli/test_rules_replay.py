"""`engine rules replay`: what was replayed comes first, what nobody can know is named, and it is the same each time."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path

import pytest

from engine.adapters.tape_writer import TapeWriter
from tests.cli.conftest import Engine
from tests.core.kit import told

BEGIN, COUNT = 138_000, 16_000
"""The stretch of the demo in which USDT leaves its peg and comes back."""


@pytest.fixture(scope="module")
def tape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tape of the hour of the break."""
    path = tmp_path_factory.mktemp("tape") / "break.tape"
    header, events = told()
    with TapeWriter(path, source="the demo") as writer:
        for instrument in header.instruments:
            writer.define(instrument)
        for at, event in islice(events, BEGIN, BEGIN + COUNT):
            writer.write(event, at)
    return path


def test_it_says_what_was_replayed_and_what_came_of_it(engine: Engine, tape: Path) -> None:
    said = engine("rules", "replay", "--tape", tape)
    assert said.code == 0, said.text
    head, _, rest = said.out.partition("\n\n")
    assert [line.split()[0] for line in head.splitlines()[:5]] == ["history", "symbols", "rules", "re-arms", "coverage"]
    assert "break.tape, 2026-03-03 " in head and "NOVAUSDT" in head and "on-clear" in head and "peg_usdt_usd" in head
    assert "guard.depeg.usdt  restrained " in rest and "of it for doubt alone" in rest
    assert "latched" in rest and "level halted" in rest and "exit risk" in rest
    assert "not exercised  " in rest and "kill.daily_loss" in rest
    assert engine("rules", "replay", "--tape", tape).out == said.out


def test_json_holds_every_move_of_the_rules_that_were_asked_for(engine: Engine, tape: Path) -> None:
    words = ("rules", "replay", "--tape", tape, "--rule", "guard.depeg.usdt", "--format", "json")
    whole = json.loads(engine(*words).out)
    (rule,) = whole["rules"]
    (one,) = rule["instances"]
    assert rule["standing"] == "exercised" and one["ever_true"]
    assert [move["after"] for move in one["transitions"]][:1] == ["held"]
    assert {"pending", "firing"} <= {move["after"] for move in one["transitions"]}
    assert one["episodes"][0]["number"] == 1 and one["episodes"][0]["action"] == "exit risk"
    latched = next(grip for grip in one["restraints"] if grip["because"] == "latched")
    assert latched["restrains"] == "level halted" and latched["seconds"] > 0
    assert 0 < rule["held_s"] < rule["restrained_s"] <= whole["history"]["seconds"]

    never = json.loads(engine(*words, "--rearm", "never").out)
    assert never["open_latches"] == ["guard.depeg.usdt/1"] and whole["open_latches"] == []
    assert never["rules"][0]["restrained_s"] >= rule["restrained_s"]

    first, last = one["episodes"][0]["begin"], one["episodes"][0]["end"]
    within = json.loads(engine(*words, "--from", first, "--to", last).out)
    assert (within["history"]["begin"], within["history"]["end"]) == (first, last)
    moves = within["rules"][0]["instances"][0]["transitions"]
    assert moves == [move for move in one["transitions"] if first <= move["at"] < last] and moves


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--rule", "guard.depeg"), "guard.depeg.usdt"), (("--from", "yesterday"), "2026-03-02T23:25:00Z"),
        (("--from", "+9h"), "ask for a stretch within it"), (("--from", "+50m", "--to", "+10m"), "ask for a stretch"),
        (("nowhere",), "nowhere"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_a_fix(
    words: tuple[str, ...], said: str, engine: Engine, tape: Path
) -> None:
    found = engine("rules", "replay", *words, "--tape", tape)
    assert found.code == 2 and said in found.text, found.text
    assert "Traceback" not in found.text


def test_a_history_that_is_not_there_is_refused(engine: Engine, tmp_path: Path) -> None:
    pytest.importorskip("duckdb")
    found = engine("rules", "replay", "--history", tmp_path / "none")
    assert found.code == 2 and "fix:" in found.err, found.text
    assert engine("rules", "replay").code == 2
    assert engine("rules", "replay", "--tape", "demo", "--history", tmp_path).code == 2


def test_a_recorded_run_can_be_replayed_from_its_state_directory(engine: Engine, project: Path, tape: Path) -> None:
    """The same as over the tape it was on: what it heard is all that its rules need."""
    pytest.importorskip("duckdb")
    settings = project / "conf" / "engine.yaml"
    settings.write_text(settings.read_text().replace("record: false", "record: true"))
    assert engine("run", "--tape", tape, "--speed", "max", "--state", project / "state").code == 0
    recorded = engine("rules", "replay", "--history", project / "state" / "history", "--format", "json")
    assert recorded.code == 0, recorded.text
    assert recorded.out == engine("rules", "replay", "--tape", tape, "--format", "json").out
