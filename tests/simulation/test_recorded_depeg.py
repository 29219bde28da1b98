"""The real depegs of USDT, 2021-02 to 2022-11, through the shipped guard: to the second."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

from engine.model.effects import RuleMoved
from engine.model.time import SECOND
from engine.runtime.wiring_tapes import ImportOptions, import_files
from tests.adapters.independent_depeg import episodes, rounds_of
from tests.shared_data import DEPEG, needs_shared
from tests.simulation.command import ROOT
from tests.simulation.watch import watched

RULE = "guard.depeg.usdt"
FILE = DEPEG / "chainlink_usdt_usd_202102_202211.parquet"


def root_with_old_oracle(place: Path) -> Path:
    """Return a copy of the configuration in which the peg may be 30 h old, as a daily oracle needs."""
    for name in ("conf", "rules"):
        shutil.copytree(ROOT / name, place / name)
    shutil.copy(ROOT / "RUNBOOK.md", place)
    signals = place / "conf/signals.yaml"
    text = signals.read_text()
    assert text.count("max_age: 150s") == 1
    signals.write_text(text.replace("max_age: 150s", "max_age: 30h"))
    return place


@needs_shared
def test_the_guard_fires_and_clears_when_a_few_independent_lines_say(tmp_path: Path) -> None:
    """Threshold 0.5 %, clear under 0.25 %, confirmed over three windows of 60 s."""
    tape = tmp_path / "peg.tape"
    import_files([str(FILE)], str(tape), ImportOptions(), None)
    watcher = watched(root_with_old_oracle(tmp_path / "root"), str(tape), tmp_path / "state")

    found: list[list[int | None]] = []
    for move in watcher.effects:
        if not isinstance(move, RuleMoved) or move.rule != RULE:
            continue
        if move.after == "firing" and move.before not in ("firing", "clearing"):
            found.append([move.at // SECOND, None])
        elif move.before in ("firing", "clearing") and move.after not in ("firing", "clearing"):
            found[-1][1] = move.at // SECOND
    expected = [[one.fired_s, one.cleared_s] for one in episodes(rounds_of(FILE))]
    assert found == expected
    days = {datetime.fromtimestamp(fired or 0, tz=UTC).date().isoformat() for fired, _ in found}
    assert days >= {"2021-04-18", "2021-05-19", "2022-05-12"}
