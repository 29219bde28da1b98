"""`engine rules diff` over the depeg of May 2022: the minutes that a wider threshold would no longer guard."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from engine.cli.main import main
from engine.runtime.wiring_tapes import ImportOptions, import_files
from tests.adapters.independent_depeg import PAR, rounds_of
from tests.shared_data import needs_shared
from tests.simulation.depeg_runs import FILES, root_with_old_oracle, set_flag

FILE, RULE = FILES["usdt"], "guard.depeg.usdt"
FROM_S, UNTIL_S = (int(datetime(2022, 5, day, tzinfo=UTC).timestamp()) for day in (11, 14))
GRACE_S = 3 * 60


def slice_of(source: Path, out: Path, from_s: int = FROM_S, until_s: int = UNTIL_S) -> Path:
    """Write the rounds of `source` between two instants (s) to `out`."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    table = pq.read_table(source)
    at = table["updated_at_s"]
    pq.write_table(table.filter(pc.and_(pc.greater_equal(at, from_s), pc.less(at, until_s))), out)
    return out


def broken_spells(rounds: list[tuple[int, int]], threshold_pct: float) -> list[tuple[int, int]]:
    """Return (fired, cleared) in s by a few lines that share no code with the engine."""
    fires, clears = round(PAR * threshold_pct / 100), round(PAR * threshold_pct / 200)
    found: list[tuple[int, int]] = []
    since = fired = None
    for (at, answer), (following, _) in zip(rounds, [*rounds[1:], (2**62, 0)], strict=True):
        away = abs(answer - PAR)
        if fired is not None and away < clears:
            found.append((fired, at))
            since = fired = None
        if fired is None:
            since = (since or at) if away >= fires else None
            fired = since + GRACE_S if since is not None and since + GRACE_S <= following else None
    return found


@pytest.fixture
def sides(tmp_path: Path) -> tuple[Path, Path, Path]:
    """Return base (threshold 0.5), head (0.8) and a tape of three days in May 2022."""
    base = root_with_old_oracle(tmp_path / "base")
    head = root_with_old_oracle(tmp_path / "head")
    set_flag(head, "DEPEG_THRESHOLD_PCT", 0.8)
    tape = tmp_path / "may.tape"
    import_files([str(slice_of(FILE, tmp_path / "may.parquet"))], str(tape), ImportOptions(symbol="USDT/USD"), None)
    return base, head, tape


def diff(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, dict[str, Any]]:
    """Return the exit code and the JSON report of `engine rules diff WORDS`."""
    capsys.readouterr()
    code = main(["rules", "diff", *map(str, words), "--format", "json"])
    return code, json.loads(capsys.readouterr().out)


def seconds(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


def rule_of(report: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(rule for rule in report["rules"] if rule["id"] == name)
    return found


@needs_shared
def test_a_wider_threshold_names_the_minutes_it_would_not_guard_and_fails(
    sides: tuple[Path, Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    base, head, tape = sides

    code, report = diff(capsys, base, head, "--tape", tape)

    assert code == 1 and report["verdict"] == "loosening" and not report["passed"]
    rule = rule_of(report, RULE)
    (one,) = rule["instances"]
    assert (rule["verdict"], rule["became"]) == ("looser", "changed")
    assert [(span["begin"], span["end"], span["base"], span["head"]) for span in one["less"]] == [
        ("2022-05-12T04:05:36Z", "2022-05-12T06:06:10Z", "level halted", "nothing"),
        # Here nothing but the hour's lockout after the base's later re-arm is lost.
        ("2022-05-12T15:43:17Z", "2022-05-12T16:43:17Z", "level halted", "nothing"),
    ]
    assert one["more"] == []
    assert one["less"][1]["base_because"] == ["cooldown"]
    assert rule["looser_s"] == (120 * 60 + 34) + 60 * 60
    parted = one["first_divergence"]
    assert parted["at"] == "2022-05-12T04:02:36Z"
    assert (parted["base_state"], parted["head_state"]) == ("pending", "inactive")
    price = float(parted["inputs"]["peg_usdt_usd"])
    assert 0.005 <= abs(price - 1) < 0.008


@needs_shared
def test_the_episodes_are_those_that_a_few_independent_lines_find(
    sides: tuple[Path, Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    base, head, tape = sides
    rounds = [one for one in rounds_of(FILE) if FROM_S <= one[0] < UNTIL_S]
    before, after = (set(broken_spells(rounds, threshold)) for threshold in (0.5, 0.8))
    assert before - after

    _, report = diff(capsys, base, head, "--tape", tape)

    changes = rule_of(report, RULE)["instances"][0]["episodes"]
    told = [
        {(seconds(one[side]["begin"]), seconds(one[side]["end"])) for one in changes if one[side] is not None}
        for side in ("base", "head")
    ]
    assert told == [before - after, after - before]
    assert {one["became"] for one in changes} == {"removed", "moved"}


@needs_shared
def test_the_reverse_passes(sides: tuple[Path, Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    base, head, tape = sides

    code, report = diff(capsys, head, base, "--tape", tape)

    assert code == 0 and report["passed"] and report["loosenings"] == []
    assert rule_of(report, RULE)["verdict"] == "stricter"


@needs_shared
def test_a_wider_threshold_of_a_rule_that_never_fired_fails_and_is_not_called_harmless(
    sides: tuple[Path, Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    base, _, tape = sides
    head = root_with_old_oracle(base.parent / "loss")
    set_flag(head, "DAILY_LOSS_LIMIT_PCT", 9.0)

    code, report = diff(capsys, base, head, "--tape", tape)

    rule = rule_of(report, "kill.daily_loss")
    assert code == 1 and not report["passed"]
    assert (rule["verdict"], rule["became"], rule["looser_s"]) == ("not exercised", "changed", 0)
    assert any("kill.daily_loss" in line for line in report["loosenings"])


@needs_shared
def test_an_acknowledgement_is_of_this_pair_and_of_no_other(
    sides: tuple[Path, Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    base, head, tape = sides
    words = (base, head, "--tape", tape)
    _, report = diff(capsys, *words)
    other = "0" * 16

    assert diff(capsys, *words, "--allow-loosening", other)[0] == 1
    code, typed = diff(capsys, *words, "--allow-loosening", report["pair"])
    assert code == 0 and typed["acknowledged"]["by"] and typed["verdict"] == "acknowledged loosening"

    (head / "acks.yaml").write_text("version: 1\nacks:\n" + report["paste"].replace("say why", "the desk saw: say why"))
    code, written = diff(capsys, *words)
    assert code == 0 and written["acknowledged"]["reason"].startswith("the desk saw")
    set_flag(base, "DAILY_LOSS_LIMIT_PCT", 2.0)
    assert diff(capsys, *words)[0] == 1
