"""A start over broken files: the last good ones, or no rules and no entries; and never in silence."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from engine.adapters.tape_writer import TapeWriter
from engine.model.effects import CommandAnswered, Notify, PlaceOrder, ReloadFailed, RulingChanged
from engine.runtime.cold_start import beginning
from engine.runtime.config import load_config
from engine.runtime.configured import ConfigError
from engine.runtime.last_good import NAME as LAST_GOOD
from engine.runtime.last_good import keep_last_good
from engine.runtime.options import RunInfo, RunOptions
from engine.runtime.run import run_engine
from tests.conftest import ROOT
from tests.core.kit import told
from tests.simulation.watch import Watcher


@pytest.fixture(scope="module")
def tape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tape of the demo's first listings."""
    path = tmp_path_factory.mktemp("tape") / "listings.tape"
    header, events = told()
    with TapeWriter(path, source="the demo") as writer:
        for instrument in header.instruments:
            writer.define(instrument)
        for at, event in islice(events, 0, 6_000):
            writer.write(event, at)
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A copy of the shipped configuration."""
    for name in ("conf", "rules"):
        shutil.copytree(ROOT / name, tmp_path / name)
    shutil.copy(ROOT / "RUNBOOK.md", tmp_path / "RUNBOOK.md")
    return tmp_path


class Ear(Watcher):
    """Keeps what a run told before its first event, too."""

    def start(self, info: RunInfo) -> None:
        """Keep the warnings."""
        super().start(info)
        self.warnings = info.warnings


def run(root: Path, tape: Path, state: str) -> Ear:
    ear = Ear()
    run_engine(RunOptions(root=root, tape=str(tape), state_dir=root / state), ear)
    return ear


def spoil(root: Path) -> None:
    """Leave half of a rule file, as a full disk or an editor would."""
    path = root / "rules" / "guards" / "depeg.yaml"
    path.write_bytes(path.read_bytes()[:-200])


def test_a_good_start_keeps_what_it_began_with_and_a_broken_one_begins_with_that(root: Path, tape: Path) -> None:
    good = run(root, tape, "one")
    assert (root / "one" / LAST_GOOD).is_file()
    spoil(root)
    (root / "two").mkdir()
    shutil.copy(root / "one" / LAST_GOOD, root / "two" / LAST_GOOD)
    broken = run(root, tape, "two")
    about_files = [one for one in broken.effects if isinstance(one, ReloadFailed | CommandAnswered | Notify)]
    assert [one.what for one in about_files if isinstance(one, ReloadFailed)], "it shows until the files are mended"
    assert [one for one in broken.effects if one not in about_files] == [
        one for one in good.effects if not isinstance(one, CommandAnswered | Notify)
    ]
    assert any("last good files" in line for line in broken.warnings)
    assert any("rules/guards/depeg.yaml" in line for line in broken.warnings)


def test_without_a_last_good_set_the_run_goes_on_and_nobody_enters(root: Path, tape: Path) -> None:
    spoil(root)
    ear = run(root, tape, "state")
    assert ear.summary["level"] == "entries_paused"
    assert not [one for one in ear.effects if isinstance(one, PlaceOrder)]
    assert ear.summary["refused"] > 0
    assert any("entries stay paused" in line for line in ear.warnings)


def _a_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


SPOILT: dict[str, Callable[[Path], Any]] = {
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:1000]),
    "empty": lambda path: path.write_bytes(b""),
    "of a newer engine": lambda path: path.write_bytes(path.read_bytes().replace(b'"form": 1', b'"form": 2', 1)),
    "one byte another": lambda path: path.write_bytes(path.read_bytes()[:-2] + b"xx"),
    "a directory": _a_directory,
}


@pytest.mark.parametrize("how", SPOILT)
def test_a_damaged_last_good_set_is_not_used_and_the_reason_is_told(root: Path, how: str) -> None:
    path = root / LAST_GOOD
    assert keep_last_good(path, load_config(root, {}).blobs.source) == ""
    SPOILT[how](path)
    spoil(root)
    begun = beginning(root, {}, path)
    assert begun.config.rules is not None and begun.config.rules.rules == ()
    assert any(str(path) in line for line in begun.trouble)


def test_where_not_even_signals_can_be_read_there_is_nothing_to_run(root: Path) -> None:
    (root / "conf" / "signals.yaml").write_text("version: 1\nsignals: [\n")
    with pytest.raises(ConfigError) as told_of:
        beginning(root, {}, root / LAST_GOOD)
    assert any(one.file == "conf/signals.yaml" for one in told_of.value.findings)


def test_the_environment_sets_flags_over_the_last_good_files_too(root: Path) -> None:
    keep_last_good(root / LAST_GOOD, load_config(root, {"DEPEG_THRESHOLD_PCT": "0.4"}).blobs.source)
    spoil(root)
    begun = beginning(root, {"DEPEG_THRESHOLD_PCT": "0.3"}, root / LAST_GOOD)
    assert begun.config.flag_book().values["DEPEG_THRESHOLD_PCT"] == 0.3


def test_a_run_with_a_shadow_goes_on_from_a_checkpoint_and_decides_as_one_without(root: Path, tape: Path) -> None:
    plain = run(root, tape, "plain")
    candidate = root / "candidate"
    shutil.copytree(root / "rules", candidate)
    path = candidate / "entries" / "filters.yaml"
    path.write_text(path.read_text().replace("ENTRY_MAX_SPREAD_BPS\n", "ENTRY_MAX_SPREAD_BPS / 50\n"))
    ear = Ear()
    run_engine(RunOptions(root=root, tape=str(tape), state_dir=root / "beside", shadow=candidate), ear)
    assert ear.summary["digest"] == plain.summary["digest"]
    assert ear.summary["candidate"]["refused_more"]["entry.spread"] > 0
    assert not [one for one in ear.effects if isinstance(one, RulingChanged)]
