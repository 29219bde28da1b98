"""What each command says and returns, from an operator's chair."""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.adapters.tape_writer import TapeWriter
from engine.cli.main import main
from engine.model.market import Quote
from engine.runtime.statedir import StateDir
from tests.cli.conftest import ROOT, Engine

COMMANDS = ("run", "status", "explain", "flags", "flag", "halt", "resume", "rearm", "rules", "tape")


def test_help_lists_every_command_and_whether_money_can_move(engine: Engine) -> None:
    said = engine("--help")

    assert said.code == 0
    assert said.out.startswith("A trading runbook that runs.")
    for command in COMMANDS:
        assert re.search(rf"^  {command} ", said.out, re.MULTILINE), command
    assert said.out.rstrip().endswith("5 internal error")
    # Wherever the terminal's width breaks the line.
    assert "Sends orders only in a live mode." in " ".join(said.out.split())


@pytest.mark.parametrize(
    "words",
    [
        (), ("fly",), ("run", "--mode", "yolo"), ("rearm",), ("rules",), ("rules", "eval"), ("flag", "set"),
        ("status", "--format", "xml"), ("rearm", "1", "--cleared"), ("run", "--speed", "0"), ("run", "--speed", "fast"),
        ("run", "--speed", "nan"), ("run", "--venue", "binance"), ("explain", "x", "--at", "yesterday"),
    ],
)
def test_what_cannot_be_understood_is_exit_2(words: tuple[str, ...], engine: Engine, after_demo: Path) -> None:
    state = ("--state", str(after_demo)) if words and words[0] == "explain" else ()

    said = engine(*words, *state)

    assert said.code == 2, said.text
    assert "Traceback" not in said.text


@pytest.mark.parametrize("verb", ["status", "explain", "halt", "resume", "rearm 1", "flag unset X"])
def test_where_no_engine_ever_ran_nothing_pretends_to_be_done(verb: str, engine: Engine, tmp_path: Path) -> None:
    said = engine(*verb.split(), "--state", tmp_path / "never")

    assert said.code == 2, said.text
    assert "never" in said.text
    assert not (tmp_path / "never").exists()


def test_status_points_to_the_tape_run_one_folder_deeper(engine: Engine, tmp_path: Path, after_demo: Path) -> None:
    (tmp_path / "state").mkdir()
    after_demo.rename(tmp_path / "state/tape")

    said = engine("status", "--state", tmp_path / "state")

    assert said.code == 2
    assert f"--state {tmp_path}/state/tape" in said.err


def test_the_story_ends_with_commands_that_paste_and_work(tmp_path: Path) -> None:
    """The first thing a newcomer does next must not fail."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}

    def shell(line: str) -> subprocess.CompletedProcess[str]:
        words = [sys.executable if word == "python" else word for word in shlex.split(line)]
        return subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)

    story = shell(f"python -m engine run --tape demo --speed max --state {tmp_path}/state")
    assert story.returncode == 0, story.stderr
    pasted = re.findall(r"^  (python -m engine .*?)  ", story.stdout, re.MULTILINE)
    assert [line.split()[3] for line in pasted] == ["status", "explain", "rearm"]

    status, explain, rearm = (shell(line) for line in pasted)
    assert (status.returncode, explain.returncode, rearm.returncode) == (0, 0, 0), (status, explain, rearm)
    assert status.stdout.startswith("HALTED since ")
    assert "rules/guards/depeg" in explain.stdout
    assert "abs(peg_fdusd_usd" in explain.stdout
    assert rearm.stdout.startswith("done: ")
    assert f"{pasted[1].split()[4]}/1" not in shell(pasted[0]).stdout


def test_status_as_json_is_one_object_with_what_the_page_shows(engine: Engine, after_demo: Path) -> None:
    said = engine("status", "--state", after_demo, "--format", "json")

    status: dict[str, Any] = json.loads(said.out)
    assert said.code == 0
    assert status["line"] == "HALTED"
    assert status["running"] is False
    assert {"restrains", "positions", "daily_loss", "nearest", "stale", "overrides", "not_guarding"} <= set(status)


def test_a_latch_is_ended_once_and_then_is_no_more(engine: Engine, after_demo: Path) -> None:
    latch = "guard.depeg.usdt_quote/1"
    first = engine("rearm", latch, "--state", after_demo, "--format", "json")
    second = engine("rearm", latch, "--state", after_demo)

    assert first.code == 0, first.text
    assert json.loads(first.out)["accepted"] is True
    assert latch not in {one["name"] for one in json.loads(first.out)["status"]["latches"]}
    assert second.code == 1
    assert second.out.startswith("refused: ")


def test_halt_and_resume_without_an_engine_hold_and_let_go(engine: Engine, after_demo: Path) -> None:
    halted = engine("halt", "--reason", "lunch", "--state", after_demo)
    page = engine("status", "--state", after_demo)
    resumed = engine("resume", "--state", after_demo)
    after = engine("status", "--state", after_demo)

    assert (halted.code, resumed.code) == (0, 0)
    assert "operator:offline: level halted" in page.out
    assert "operator" not in after.out
    assert "kill.health" in resumed.out, "what still holds belongs into the answer"


def test_nobody_resumes_under_a_halt_file(engine: Engine, after_demo: Path) -> None:
    """The next start would halt again: the operator has to hear it now."""
    (after_demo / "HALT").touch()
    refused = engine("resume", "--state", after_demo)
    (after_demo / "HALT").unlink()
    done = engine("resume", "--state", after_demo)

    assert (refused.code, done.code) == (1, 0)
    assert "the HALT file is still there: remove it" in refused.out


def test_a_running_engine_does_not_resume_under_its_halt_file(engine: Engine, tmp_path: Path) -> None:
    state = tmp_path / "state"
    words = ("run", "--tape", "normal-day", "--speed", "2000", "--format", "json", "--state", str(state))
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, "-m", "engine", *words], env=environment, stdout=subprocess.PIPE) as child:
        try:
            _until(lambda: (state / "engine.sock").exists())
            (state / "HALT").touch()
            _until(lambda: "operator:file" in engine("status", "--state", state).text)
            refused = engine("resume", "--state", state)
            (state / "HALT").unlink()
            done = engine("resume", "--state", state)
        finally:
            child.terminate()

    assert child.returncode == 0
    assert (refused.code, done.code) == (1, 0), refused.text + done.text
    assert "now: HALTED: operator:file" in refused.out
    assert "operator:file" not in done.out


def _until(seen: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not seen():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.05)


def test_a_run_outlives_whoever_reads_its_story(engine: Engine, tmp_path: Path) -> None:
    """Positions are not left alone because a pager was closed."""
    words = ("run", "--speed", "max", "--state", str(tmp_path / "state"))
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-m", "engine", *words], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdout.close()
        told = child.stderr.read()
    status = json.loads(engine("status", "--state", tmp_path / "state", "--format", "json").out)

    assert (child.returncode, told) == (0, b"")
    assert status["line"] == "HALTED"
    assert status["counts"]["orders"] > 0


def test_a_run_cut_short_refuses_what_no_flag_can_be(engine: Engine, project: Path, tmp_path: Path) -> None:
    """Else it is said to be done, and the run that goes on refuses it unheard."""
    state = tmp_path / "state"
    words = ("run", "--speed", "600", "--format", "json", "--state", str(state))
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, "-m", "engine", *words], env=environment, stdout=subprocess.PIPE) as child:
        _until(lambda: (state / "engine.sock").exists())
        child.terminate()
    name = engine("flag", "set", "DEPEG_TRESHOLD_PCT", "0.2", "--state", state)
    value = engine("flag", "set", "DEPEG_THRESHOLD_PCT", "high", "--state", state)
    fine = engine("flag", "set", "DEPEG_THRESHOLD_PCT", "0.2", "--state", state)

    assert (name.code, value.code, fine.code) == (1, 1, 0), name.text + value.text + fine.text
    assert "did you mean DEPEG_THRESHOLD_PCT?" in name.out
    assert "journalled" in fine.out


def test_a_journal_without_a_beginning_takes_no_command(engine: Engine, after_demo: Path) -> None:
    (after_demo / "journal.sqlite").write_bytes(b"")

    assert engine("halt", "--state", after_demo).code == 2


def test_a_live_start_that_is_refused_names_the_rules_and_leaves_no_run_behind(
    engine: Engine, project: Path, tmp_path: Path
) -> None:
    """Also while a dry-run flag is on: who asks for a live mode wants to know what it would miss."""
    tape, state = tmp_path / "a.tape", tmp_path / "state"
    with TapeWriter(tape, source="a test") as writer:
        writer.write(Quote("paper", "NOVAUSDT", 1.0, 1.0, 2.0, 1.0, 0, 1_772_474_400_000_000_000))
    live = engine("run", "--tape", tape, "--mode", "limited-live", "--speed", "max", "--state", state)
    dry = engine("run", "--tape", tape, "--speed", "max", "--format", "json", "--state", state)

    assert live.code == 2
    assert "guard.depeg.usdt needs peg_usdt_usd" in live.err
    assert dry.code == 0, dry.text


def test_a_flag_is_set_listed_and_unset(engine: Engine, after_demo: Path) -> None:
    tighter = engine("flag", "set", "entry_max_spread_bps", "40", "--state", after_demo)
    looser = engine("flag", "set", "ENTRY_MAX_SPREAD_BPS", "70", "--state", after_demo)
    because = engine("flag", "set", "ENTRY_MAX_SPREAD_BPS", "70", "--reason", "a wide week", "--state", after_demo)
    rows = json.loads(engine("flags", "--state", after_demo, "--format", "json").out)
    back = engine("flag", "unset", "ENTRY_MAX_SPREAD_BPS", "--state", after_demo)

    assert (tighter.code, looser.code, because.code, back.code) == (0, 1, 0, 0)
    assert "--reason" in looser.out
    row = next(row for row in rows if row["name"] == "ENTRY_MAX_SPREAD_BPS")
    assert (row["value"], row["layer"], row["below"][0]) == (70.0, "operator", {"layer": "default", "value": "50"})
    assert "ENTRY_MAX_SPREAD_BPS  50 bps" in re.sub(" {3,}", "  ", engine("flags", "--state", after_demo).out)


@pytest.mark.parametrize(
    ("name", "value"), [("NO_SUCH_FLAG", "1"), ("DEPEG_THRESHOLD_PCT", "many"), ("DEPEG_THRESHOLD_PCT", "-1")]
)
def test_a_flag_that_does_not_fit_is_refused(name: str, value: str, engine: Engine, after_demo: Path) -> None:
    said = engine("flag", "set", name, "--state", after_demo, "--", value)

    assert said.code == 1, said.text
    assert name in said.out


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("", "why the level is what it is"), ("guard.depeg.usdt", "pending > firing"),
        ("guard.depeg.usdt/1", "LatchSet"), ("guard.funding.silent", "stands inactive, false"),
        ("entry.notional", "order_notional_usd > ENTRY_MAX_NOTIONAL_USD"), ("entry.spread", "spread_bps"),
        ("cutback.slippage[paper]", "size x0.5"), ("PINEUSDT", "OrderFilled"),
        ("12", "decision 12  "), ("engine.no_rules", "nothing was decided by it"),
        ("engine.stops", "MENDUSDT"), ("operator:restrict/9", "nothing restrains by that name"),
    ],
)
def test_explain_answers_for_rules_orders_and_the_level(
    what: str, words: str, engine: Engine, after_demo: Path
) -> None:
    said = engine("explain", *([what] if what else []), "--state", after_demo)

    assert said.code == 0, said.text
    assert words in said.out
    assert "rule set " in said.out


def test_explain_tells_of_an_order_and_of_the_policy_it_was_sent_under(engine: Engine, after_demo: Path) -> None:
    orders = json.loads(engine("explain", "NOVAUSDT", "--state", after_demo, "--format", "json").out)["decisions"]
    client_id = next(order["client_id"] for order in orders if order["type"] == "PlaceOrder")

    said = engine("explain", client_id, "--state", after_demo)

    assert said.code == 0
    assert "PlaceOrder" in said.out
    assert "policy then: level normal" in said.out


def test_explain_looks_back(engine: Engine, after_demo: Path) -> None:
    said = engine("explain", "guard.depeg.usdt", "--at", "2026-03-02T19:00:00Z", "--state", after_demo)

    assert said.code == 0
    assert "firing" not in said.out


def test_explain_of_something_unknown_says_what_can_be_asked(engine: Engine, after_demo: Path) -> None:
    near, far = (engine("explain", what, "--state", after_demo) for what in ("guard.depeg.eurc", "999999999"))

    assert (near.code, far.code) == (2, 2)
    assert "fix: did you mean guard.depeg.usdc? Or give a rule's id" in near.err
    assert "fix: give a rule's id" in far.err


def test_a_used_state_directory_needs_resume(engine: Engine, after_demo: Path) -> None:
    said = engine("run", "--speed", "max", "--state", after_demo)

    assert said.code == 2
    assert "--resume" in said.err


def test_a_locked_state_directory_stops_every_writer(engine: Engine, after_demo: Path) -> None:
    with StateDir.acquire(after_demo, now=1):
        run = engine("run", "--speed", "max", "--resume", "--state", after_demo)
        halt = engine("halt", "--state", after_demo)
        status = engine("status", "--state", after_demo)

    assert (run.code, halt.code) == (2, 2)
    assert "in use" in run.err
    assert status.code == 0, "looking never needs the lock"
    assert "No engine is running" not in status.out


def test_failures_are_objects_where_json_was_asked_for(engine: Engine, tmp_path: Path) -> None:
    said = engine("status", "--state", tmp_path / "never", "--format", "json")

    assert said.code == 2
    assert set(json.loads(said.out)["error"]) == {"what", "fix"}


def test_the_shipped_rules_are_without_findings_and_pass_their_tests(engine: Engine, project: Path) -> None:
    check, test = engine("rules", "check"), engine("rules", "test")

    assert (check.code, test.code) == (0, 0), check.text + test.text
    assert re.fullmatch(r"\d{2} rules in \d{2} files: fine\n", check.out), check.out
    assert test.out.splitlines()[-1].endswith(" passed, 0 failed")
    assert "has no test" not in test.out


def test_a_rule_that_was_changed_fails_its_test_with_the_place(engine: Engine, project: Path) -> None:
    """The line that the demo invites to edit."""
    path = project / "rules/guards/depeg.yaml"
    path.write_text(path.read_text().replace("for: DEPEG_CONFIRM_WINDOWS", "for: 5 windows"))

    check, test = engine("rules", "check"), engine("rules", "test")

    assert check.code == 0, check.text
    assert test.code == 1
    assert "FAIL  guard.depeg.usdt: a three-window break halts" in test.out
    assert re.search(r"rules/guards/depeg\.yaml:\d+:\d+: at 10m: state: expected firing, got pending", test.out)


def test_eval_says_what_each_rule_and_the_policy_make_of_a_moment(engine: Engine, project: Path) -> None:
    moment = {
        "at": "2026-01-05T14:00:00Z", "flags": {"DEPEG_THRESHOLD_PCT": 0.4},
        "signals": [
            {"name": "peg_usdt_usd", "value": 0.98, "age_s": 10},
            {"name": "health_measured", "value": 0, "age_s": 1},
        ],
    }
    path = project / "moment.json"
    path.write_text(json.dumps(moment))

    said = engine("rules", "eval", "--snapshot", path, "--format", "json")
    text = engine("rules", "eval", "--snapshot", path)

    found = json.loads(said.out)
    rules = {rule["instance"]: rule for rule in found["rules"]}
    assert (said.code, text.code) == (0, 0)
    assert set(rules["guard.depeg.usdt"]) >= {"id", "instance", "truth", "reasons", "inputs", "trace", "now", "if_held"}
    assert rules["guard.depeg.usdt"]["truth"] == "true"
    assert rules["guard.depeg.usdt"]["now"]["state"] == "pending"
    assert rules["guard.depeg.usdt"]["if_held"]["state"] == "firing"
    assert found["policy"]["level"] == "halted"
    assert "guard.depeg.usdt  true  (now pending, if held firing)" in text.out


def test_a_defect_of_ours_is_exit_5_and_says_how_to_tell_us(capsys: pytest.CaptureFixture[str]) -> None:
    class Broken:
        def add_parser(self, subparsers: Any, /) -> None:
            subparsers.add_parser("break", help="Breaks.  Sends nothing.")

        def run(self, args: argparse.Namespace, /) -> int:
            raise ZeroDivisionError("two by nought")

    assert main(["break"], (Broken(),)) == 5

    said = capsys.readouterr().err
    assert "internal error, ZeroDivisionError at test_commands.py:" in said
    assert "ENGINE_DEBUG=1" in said
    assert "Traceback" not in said


def test_a_reader_that_leaves_early_is_no_failure() -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    line = f"{shlex.quote(sys.executable)} -m engine rules test | head -n 1; exit ${{PIPESTATUS[0]}}"

    done = subprocess.run(["bash", "-c", line], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)

    assert done.returncode in (0, 141), done.stderr
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr
