"""A run that is recorded decides the same; cut anywhere and resumed, its history is that of a run nobody cut."""

from __future__ import annotations

import shutil
from functools import partial
from itertools import islice
from pathlib import Path

import pytest

from engine.adapters.tape_writer import TapeWriter
from engine.model.effects import Effect
from engine.model.history import Mark, MarkKind, Record
from engine.runtime.config import load_config
from engine.runtime.history import tape_history
from engine.runtime.options import RunOptions
from engine.runtime.run import run_engine
from engine.runtime.wiring_tapes import named_tape
from tests.conftest import ROOT
from tests.core.kit import told
from tests.runtime.history_lines import Lines, LinesWriter
from tests.simulation.watch import Watcher

BEGIN, COUNT = 0, 8_000
"""A stretch of the demo with orders, refusals and fills: which events, of all."""


class Cut(Exception):
    """The process was killed."""


class Killer(Watcher):
    """Kills its run at the `place`-th effect."""

    def __init__(self, place: int) -> None:
        super().__init__()
        self._place = place

    def effect(self, effect: Effect) -> float:
        """Keep `effect`, or die of it."""
        if len(self.effects) >= self._place:
            raise Cut
        return super().effect(effect)


@pytest.fixture(scope="module")
def tape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tape of the demo's first listings."""
    path = tmp_path_factory.mktemp("tape") / "listings.tape"
    header, events = told()
    with TapeWriter(path, source="the demo") as writer:
        for instrument in header.instruments:
            writer.define(instrument)
        for at, event in islice(events, BEGIN, BEGIN + COUNT):
            writer.write(event, at)
    return path


def root(path: Path, *, record: bool, every: int = 1000) -> Path:
    """Return a copy of the shipped configuration, with checkpoints often and its history kept or not."""
    for name in ("conf", "rules"):
        shutil.copytree(ROOT / name, path / name)
    shutil.copy(ROOT / "RUNBOOK.md", path / "RUNBOOK.md")
    settings = path / "conf" / "engine.yaml"
    text = settings.read_text().replace("checkpoint_every: 5000", f"checkpoint_every: {every}")
    settings.write_text(text.replace("record: false", f"record: {str(record).lower()}"))
    return path


def options(where: Path, tape: Path, state: str, *, resume: bool = False, cut_at: int = 0) -> RunOptions:
    return RunOptions(
        root=where, tape=str(tape), state_dir=where / state, resume=resume, history=partial(LinesWriter, cut_at=cut_at),
    )


def history(where: Path, state: str) -> list[Record]:
    return list(Lines(where / state / "history").records())


def test_recording_changes_no_decision(tape: Path, tmp_path: Path) -> None:
    """Not one effect, and a tape taken in memory has the history of the run."""
    silent, kept = Watcher(), Watcher()
    plain, recorded = root(tmp_path / "plain", record=False), root(tmp_path / "recorded", record=True)
    run_engine(options(plain, tape, "state"), silent)
    run_engine(options(recorded, tape, "state"), kept)
    assert kept.summary["digest"] == silent.summary["digest"]
    assert kept.effects == silent.effects and len(silent.effects) > 30
    assert not (plain / "state" / "history").exists()

    in_memory: list[Effect] = []
    made = tape_history(load_config(recorded, {}), named_tape(str(tape)), observe=in_memory.append)
    assert in_memory == silent.effects
    assert list(made.records()) == history(recorded, "state")
    assert made.header.last_at == made.kept[-1].at
    assert {record.kind for record in made.kept if isinstance(record, Mark)} >= {
        MarkKind.PRODUCER, MarkKind.PROPOSAL, MarkKind.FILL, MarkKind.END,
    }


@pytest.mark.parametrize(("place", "every"), [(25, 100_000), (25, 1000), (45, 1000)])
def test_a_run_that_was_killed_and_resumed_has_the_history_of_one_nobody_touched(
    place: int, every: int, tape: Path, tmp_path: Path
) -> None:
    """Killed before its first checkpoint or between two, then between a flush and its checkpoint, then no more."""
    where = root(tmp_path / "root", record=True, every=every)
    with pytest.raises(Cut):
        run_engine(options(where, tape, "cut"), Killer(place))
    with pytest.raises(RuntimeError, match="behind a flush"):
        run_engine(options(where, tape, "cut", resume=True, cut_at=1), Watcher())
    run_engine(options(where, tape, "cut", resume=True), Watcher())

    made = tape_history(load_config(where, {}), named_tape(str(tape)))
    assert history(where, "cut") == list(made.records())
