"""`engine flags`: what is told of a flag is so, and everything that an operator asks of one is told."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest

from engine.cli.flags import flag_lines, table_lines
from engine.cli.text import PLAIN
from engine.model.time import HOUR
from engine.runtime.config import load_config
from engine.runtime.flag_table import Row, flag_table
from engine.runtime.statedir import StateDir
from tests.cli.conftest import Engine
from tests.conftest import ROOT

CONFIG = load_config(ROOT, {"WARMUP_SEC": "90", "TELEGRAM_ENABLED": "true"})
BY_HAND = {"ENTRY_MAX_SPREAD_BPS": {"value": 40.0, "until": 3 * HOUR, "reason": "thin week", "actor": "ann"}}


def rows() -> dict[str, Row]:
    return {row["name"]: row for row in flag_table(CONFIG, BY_HAND, HOUR)}


def test_every_flag_is_in_its_group_and_the_groups_in_the_order_of_the_file() -> None:
    told = flag_table(CONFIG, {}, 0)
    assert {row["name"] for row in told} == set(CONFIG.flag_specs)
    groups = [row["group"] for row in told]
    assert list(dict.fromkeys(groups)) == [group for at, group in enumerate(groups) if group not in groups[:at]]
    assert groups[0] == "core trading" and groups[-1] == "experimental"
    # A group is one stretch: nothing of it stands elsewhere.
    assert sum(one != two for one, two in pairwise(groups)) == len(set(groups)) - 1


def test_a_flag_is_told_with_its_layer_what_it_masks_and_who_reads_it() -> None:
    found = rows()
    assert (found["WARMUP_SEC"]["shown"], found["WARMUP_SEC"]["unit"]) == ("90 s", "s")
    assert found["WARMUP_SEC"]["masks"] == [{"layer": "default", "value": "60"}]
    assert found["WARMUP_SEC"]["rules"] == ["guard.warmup"] and found["WARMUP_SEC"]["engine"].startswith("run mode")
    spread = found["ENTRY_MAX_SPREAD_BPS"]
    assert (spread["layer"], spread["value"], spread["left_ns"]) == ("operator", 40.0, 2 * HOUR)
    assert (spread["reason"], spread["actor"], spread["rules"]) == ("thin week", "ann", ["entry.spread"])
    assert found["DEX_EXEC_ENABLED"]["planned"] == "refuses" and "planned" in found["TELEGRAM_ENABLED"]["note"]
    assert found["DEPEG_EXIT_RISK"]["bounds"] == "false, dry_run, true"


def test_a_time_that_has_not_begun_is_told_as_such(engine: Engine, after_demo: Path) -> None:
    """Set while no engine runs, its hours are those after the next start, here and in the status."""
    done = engine("flag", "set", "ENTRY_MAX_SPREAD_BPS", "40", "--ttl", "2h", "--state", after_demo)
    assert done.code == 0 and "40 bps until 2h after the run goes on" in done.out, done.text
    for words in (("flags", "ENTRY_MAX_SPREAD_BPS"), ("flags",), ("overrides",)):
        assert "2h from the next start" in engine(*words, "--state", after_demo).out


def test_of_an_engine_that_runs_its_own_environment_is_told_and_not_that_of_the_shell_that_asks(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever looks at night has not typed what the session was started with."""
    monkeypatch.setenv("WARMUP_SEC", "90")
    tape = ROOT / "examples" / "tapes" / "review.tape.gz"
    ran = engine("run", "--tape", tape, "--speed", "max", "--state", tmp_path / "state")
    assert ran.code == 0, ran.text
    monkeypatch.setenv("WARMUP_SEC", "7")
    held = StateDir.acquire(tmp_path / "state", now=HOUR)
    try:
        running = engine("flags", "WARMUP_SEC", "--state", tmp_path / "state")
    finally:
        held.release()
    over = engine("flags", "WARMUP_SEC", "--state", tmp_path / "state")
    assert "value     90 s from environment" in running.out, running.text
    assert "value     7 s from environment" in over.out, over.text


def test_the_table_and_the_page_say_it_in_words() -> None:
    lines = table_lines(list(rows().values()), PLAIN)
    (spread,) = [line for line in lines if " ENTRY_MAX_SPREAD_BPS " in line]
    assert "40 bps" in spread and "operator over 50, 2h left" in spread and spread.endswith("entry.spread")
    (chat,) = [line for line in lines if " TELEGRAM_ENABLED " in line]
    assert "environment over false" in chat and chat.endswith("planned")
    assert lines.index("guardian") < lines.index("depeg")
    page = "\n".join(flag_lines(rows()["ENTRY_MAX_SPREAD_BPS"], PLAIN))
    for words in ("40 bps from operator, 2h left", "ann: thin week", "50 from default", "at most 10000 bps", "down",
                  "entry.spread", "does not read it"):
        assert words in page, page
    page = "\n".join(flag_lines(rows()["DEX_EXEC_ENABLED"], PLAIN))
    assert "it cannot be changed" in page and "true, false" in page


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("warmup_sec",), 0, "guard.warmup"), (("WARMUP_SECS",), 2, "did you mean WARMUP_SEC"),
        (("WARMUP_SEC", "--format", "json"), 0, '"rules": ["guard.warmup"]'),
    ],
)
def test_one_flag_is_asked_for_by_name(
    engine: Engine, tmp_path: Path, words: tuple[str, ...], code: int, said: str
) -> None:
    found = engine("flags", *words, "--state", tmp_path)
    assert found.code == code and said in found.text, found.text
    if "json" in words:
        assert json.loads(found.out)["name"] == "WARMUP_SEC"


def test_what_is_planned_cannot_be_switched_on_by_hand(engine: Engine, after_demo: Path) -> None:
    refused = engine("flag", "set", "DEX_EXEC_ENABLED", "true", "--reason", "now", "--state", after_demo)
    assert refused.code == 1 and "does not exist yet" in refused.out, refused.text
    told = engine("flag", "set", "TELEGRAM_ENABLED", "true", "--state", after_demo)
    assert told.code == 0 and "nothing comes of it yet" in told.out, told.text
    assert engine("flag", "unset", "TELEGRAM_ENABLED", "--state", after_demo).code == 0
