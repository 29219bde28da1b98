"""What the night leaves on the disk, and how an edited denylist comes into force."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from engine.model.effects import BoundaryCrossed
from engine.model.nightly import DayResult, HeldAtRisk, Offence, OffendersJudged, RiskMeasured
from engine.model.time import HOUR, parse_instant
from engine.ruleset.evaluate import RuleBook
from engine.ruleset.loosening import loosening
from engine.runtime.blast import Running
from engine.runtime.candidate import Asked, Candidate, Refused, prepare
from engine.runtime.config import DENYLIST, load_config
from engine.runtime.nightly import Nightly
from engine.signals.snapshot import Snapshot
from tests.runtime.reload_kit import QUICK, make_root

AT = parse_instant("2026-03-03T00:00:00Z")
RISK = RiskMeasured(
    at=AT, day="2026-03-03", var_usd=Decimal("12.34"), confidence_pct=99.0, lookback_days=250,
    quantile="loss 2 of 2 in rising order, not interpolated", unknown_usd=Decimal("2.34"),
    held=(HeldAtRisk(venue="paper", symbol="AUSDT", notional_usd=Decimal(-100), returns=2, basis="history"),),
    results=(DayResult(day="2026-03-01", usd=Decimal("-10.00")), DayResult(day="2026-03-02", usd=Decimal(5))),
)
JUDGED = OffendersJudged(
    at=AT, day="2026-03-03", offences=(Offence(symbol="PINEUSDT", until=AT + 72 * HOUR, reason="2 bad days of 5"),)
)


def test_a_day_has_its_file_and_the_same_again_is_the_same(tmp_path: Path) -> None:
    told: list[str] = []
    nightly = Nightly(tmp_path, told.append)
    nightly.hear(BoundaryCrossed(at=AT, day="2026-03-03", next_at=AT + 24 * HOUR))
    assert os.listdir(tmp_path) == []
    nightly.hear(RISK)
    first = (tmp_path / "var" / "2026-03-03.json").read_bytes()
    nightly.hear(RISK)
    assert os.listdir(tmp_path / "var") == ["2026-03-03.json"]
    assert (tmp_path / "var" / "2026-03-03.json").read_bytes() == first
    said = json.loads(first)
    assert said["method"].startswith("historical simulation")
    assert {name: said[name] for name in said if name != "method"} == {
        "day": "2026-03-03", "at": "2026-03-03T00:00:00Z", "var_usd": "12.34", "confidence_pct": 99.0,
        "quantile": "loss 2 of 2 in rising order, not interpolated", "lookback_days": 250, "days": 2,
        "unknown_usd": "2.34",
        "positions": [
            {"venue": "paper", "symbol": "AUSDT", "notional_usd": "-100", "returns": 2, "basis": "history"}
        ],
        "results": [{"day": "2026-03-01", "usd": "-10"}, {"day": "2026-03-02", "usd": "5"}],
    }
    assert told == []


def test_a_run_that_is_no_reason_to_edit_the_denylist_does_not(tmp_path: Path) -> None:
    (tmp_path / "conf").mkdir()
    Nightly(tmp_path / "state", lambda text: None).hear(JUDGED)
    assert os.listdir(tmp_path / "conf") == []
    Nightly(tmp_path / "state", lambda text: None, tmp_path).hear(JUDGED)
    assert "PINEUSDT until=2026-03-06T00:00:00Z" in (tmp_path / DENYLIST).read_text()


@pytest.mark.parametrize("effect", [RISK, JUDGED])
def test_a_disk_that_cannot_be_written_is_told_and_ends_nothing(
    tmp_path: Path, effect: RiskMeasured | OffendersJudged
) -> None:
    told: list[str] = []
    Nightly(tmp_path / "is not", told.append, tmp_path / "is not").hear(effect)
    assert len(told) == 1
    assert told[0].startswith(f"the night's {type(effect).__name__} could not be written: ")


def test_a_mistake_in_the_denylist_and_what_cannot_be_written_are_told(tmp_path: Path) -> None:
    (tmp_path / "conf").mkdir()
    (tmp_path / DENYLIST).write_text("what is this\n")
    told: list[str] = []
    nightly = Nightly(tmp_path / "state", told.append, tmp_path)
    nightly.hear(JUDGED)
    (tmp_path / DENYLIST).write_text("PINEUSDT until=2026-03-01T00:00:00Z\n")
    nightly.hear(JUDGED)
    assert [one.split(":")[0] for one in told] == [
        "the night's OffendersJudged could not be written",
        "PINEUSDT offends (2 bad days of 5), and line 1 of event_denylist.txt has ended",
    ]


def read_at(root: Path, at: int, base: Candidate | None) -> Candidate | Refused:
    """Read what stands under `root` as an engine does at `at`; `base` is what it has in force."""
    before = load_config(root, {}) if base is None else base.config
    assert before.catalogue is not None
    ruling = before.ruling()
    snapshot = Snapshot(ruling.catalogue)
    book = RuleBook(ruling.rules, ruling.catalogue, snapshot, ruling.flag_values(), at=at)
    running = Running(at=at, snapshot=snapshot.dump(), book=book.dump(), flags=ruling.flag_book().dump(), in_force=())
    return prepare(root, {}, before, Asked(settings=replace(QUICK, unsafe_modes="warn"), running=running))


def test_lines_of_the_night_come_and_go_without_anybodys_leave(tmp_path: Path) -> None:
    """A new line tightens, one that has ended denies nothing; to take one out before asks for an acknowledgement."""
    root = make_root(tmp_path)
    empty = read_at(root, AT, None)
    assert isinstance(empty, Candidate)
    Nightly(tmp_path / "state", lambda text: None, root).hear(JUDGED)
    denied = read_at(root, AT, empty)
    assert isinstance(denied, Candidate)
    assert [one.symbol for one in denied.ruling.denylist] == ["PINEUSDT"]
    assert not loosening(denied.changes)
    until = AT + 72 * HOUR
    Nightly(tmp_path / "state", lambda text: None, root).hear(replace(JUDGED, at=until, offences=()))
    assert "PINEUSDT" not in (root / DENYLIST).read_text()
    ended = read_at(root, until, denied)
    assert isinstance(ended, Candidate)
    assert ended.ruling.denylist == ()
    sooner = read_at(root, until - 1, denied)
    assert isinstance(sooner, Refused)
    assert "--allow-loosening" in sooner.command
