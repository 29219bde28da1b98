"""An operator's evening: every override over the real socket, a crash, a resumption, and what is said to nobody."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.adapters.tape_writer import TapeWriter
from engine.cli.override_lines import override_lines, waived_line
from engine.cli.text import PLAIN, Paint
from engine.model.events import InstrumentDefined
from engine.model.market import Quote
from engine.model.time import MINUTE, SECOND
from tests.cli.conftest import ROOT, Engine
from tests.core.small import A, instrument
from tests.simulation.command import command, environment, run_json
from tests.simulation.test_kill_and_resume import await_socket

BEGINS = 1_772_474_400_000_000_000
LASTS = 30 * MINUTE


@pytest.fixture(scope="module")
def tape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A calm half hour of one symbol."""
    path = tmp_path_factory.mktemp("tape") / "calm.tape"
    with TapeWriter(path, source="a test") as writer:
        writer.write(InstrumentDefined(instrument=instrument(A), venue_at=BEGINS), BEGINS)
        for at in range(BEGINS, BEGINS + LASTS, 2 * SECOND):
            writer.write(Quote("paper", A, 99.99, 1.0, 100.01, 1.0, at, at), at)
    return path


@pytest.fixture
def running(tape: Path, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """An engine on it, slow enough to be talked to."""
    state = tmp_path / "state"
    child = subprocess.Popen(
        command("run", "--tape", str(tape), "--format", "json", "--speed", "10", "--state", str(state)), cwd=ROOT,
        env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    await_socket(state / "engine.sock", child)
    yield child, state
    if child.poll() is None:
        child.kill()
        child.wait()


def test_every_verb_over_the_socket_then_a_crash_and_a_resumption(
    running: tuple[subprocess.Popen[bytes], Path], engine: Engine, tape: Path
) -> None:
    child, state = running
    for words, code, said in (
        ("restrict", 0, "done: everything: level entries_paused; `engine unrestrict 1` ends it"),
        (f"restrict {A} --size-mult 0.5 --mute SCALP --maker-off --ttl 2h --reason thin", 0,
         "AUSDT: size x0.5, mute SCALP, no makers until"),
        ("deny bausdt --reason listing", 0, "no entries in BAUSDT; `engine undeny BAUSDT` ends it"),
        ("waive entry.notional --for 3h --reason checked", 0, "WAIVED: entry.notional (3h left)"),
        ("waive entry.notionl --for 1h --reason x", 1, "did you mean entry.notional?"),
        ("waive guard.stops.missing --for 1h --reason x", 1, "cannot be waived"),
        ("waive entry.notional --for 5h --reason x", 2, "at most 4h"),
        ("maintenance --for 90m --reason upgrade", 0, "operator:maintenance: level entries_paused"),
        ("maintenance --until 2026-03-02T21:00:00", 2, "has no time zone"),
        ("maintenance --until 2020-01-01T00:00:00Z", 1, "is past"),
        ("deny X --ttl soon", 2, "is not a duration"),
        ("unrestrict 9", 1, "no restriction is 9; in force: 1"),
        ("unrestrict", 0, "ended restriction 1"),
        ("undeny OAKUSDT", 1, "no command denied OAKUSDT"),
        ("status", 0, "WAIVED: entry.notional ("),
    ):
        answer = engine(*words.split(), "--state", state)
        assert (answer.code, said in answer.text) == (code, True), (words, answer.text)
    page = engine("overrides", "--state", state).out
    for line in (
        "WAIVED entry.notional: all that it forbids", "engine unwaive entry.notional", "maintenance: entries paused",
        "2  AUSDT: size x0.5, mute SCALP, no makers", "engine unrestrict 2", "no entries in BAUSDT",
        "engine undeny BAUSDT",
    ):
        assert line in page, (line, page)

    child.send_signal(signal.SIGKILL)
    child.wait()
    asked = inputs(state)
    resumed = run_json("run", "--tape", str(tape), "--speed", "max", "--resume", "--state", str(state))
    again = run_json("run", "--tape", str(tape), "--speed", "max", "--resume", "--state", str(state))
    assert (again["digest"], again["state_digest"]) == (resumed["digest"], resumed["state_digest"])
    assert inputs(state)[: len(asked)] == asked and inputs(state)[len(asked):] == ["StopCommand"]
    listed = json.loads(engine("overrides", "--state", state, "--format", "json").out)
    assert [one["number"] for one in listed["restrictions"]] == [2] and listed["restrictions"][0]["maker_off"]
    assert [one["symbol"] for one in listed["denials"]] == ["BAUSDT"]
    assert [one["name"] for one in listed["waivers"]] == ["entry.notional"]
    assert listed["maintenance"]["reason"] == "upgrade" and listed["running"] is False

    ended(engine, state)


def ended(engine: Engine, state: Path) -> None:
    """With no engine running what forbids more, or ends what an operator laid on, is journalled; a lease is not."""
    for words, code, said in (
        ("restrict --level reduce_only --ttl 1h", 0, "ends 1h after the run goes on"),
        ("deny OAKUSDT --ttl 1h", 0, "no entries in OAKUSDT, ends 1h after the run goes on"),
        ("waive guard.feed.stale --for 1h --reason x", 2, "start the engine on this --state"),
        ("maintenance --for 1h", 2, "start the engine on this --state"),
        ("maintenance --end", 0, "the maintenance is over"),
        ("undeny BAUSDT", 0, "ended the denial of BAUSDT"),
    ):
        answer = engine(*words.split(), "--state", state)
        assert (answer.code, said in answer.text) == (code, True), (words, answer.text)
    page = engine("overrides", "--state", state).out
    assert "no entries in OAKUSDT" in page and "1h from the next start" in page and "BAUSDT" not in page
    assert page.startswith("No engine is running here")
    assert engine("overrides", "--state", state / "never").code == 2


def inputs(state: Path) -> list[str]:
    """Return the kinds of the commands that the journal holds, in their order."""
    with sqlite3.connect(state / "journal.sqlite") as journal:
        rows = journal.execute("select payload from inputs order by seq").fetchall()
    return [json.loads(payload)["type"] for (payload,) in rows]


@pytest.mark.parametrize(
    "words", ["deny", "undeny", "waive guard.x", "waive guard.x --for 1h", "waive guard.x --reason x", "unwaive",
              "maintenance", "maintenance --end --for 1h", "unrestrict 1 --all", "restrict --mute"],
)
def test_a_word_that_is_missing_is_usage(words: str, engine: Engine) -> None:
    assert engine(*words.split()).code == 2


STATUS = {
    "at": BEGINS,
    "waivers": [{
        "name": "kill.x", "kill": True, "until": BEGINS + 90 * MINUTE, "actor": "ann", "reason": "known",
        "end": "engine unwaive kill.x",
        "holds_back": [{"instance": "kill.x[a]", "restraint": "level halted", "because": "latched"}],
    }],
    "lapsing": [
        {"instance": "cutback.x[a]", "restraint": "size x0.5", "until": 0, "ttl": 30 * MINUTE, "end": "engine waive x"},
        {"instance": "mute.x[a]", "restraint": "mute SCALP", "until": BEGINS + MINUTE, "end": "engine waive y"},
    ],
    "denied_by_file": {"count": 3, "first": [{"symbol": "OAKUSDT", "line": 4}]},
}


def test_the_page_says_what_is_lifted_how_long_and_what_a_rule_lets_lapse() -> None:
    lines = [" ".join(line.split()) for line in override_lines(STATUS, PLAIN, lambda command: f"{command} --state x")]
    assert lines == [
        "WAIVED kill.x: to reduce_only at most; it would restrain now: kill.x[a] (level halted, latched) 1h30m left "
        "ann: known engine unwaive kill.x --state x",
        "cutback.x[a]: size x0.5 30m after it was last true a rule engine waive x --state x",
        "mute.x[a]: mute SCALP 1m left a rule engine waive y --state x",
        "conf/event_denylist.txt denies OAKUSDT (line 4) and 2 more: edit it, then engine reload",
    ]
    painted = override_lines(STATUS, Paint(enabled=True), lambda command: command)
    assert painted[0].startswith("\x1b[31;1m") and not painted[1].startswith("\x1b")
    assert waived_line(STATUS, PLAIN) == "WAIVED: kill.x (1h30m left)"
    assert waived_line(STATUS, Paint(enabled=True)).startswith("\x1b[31;1m")
    assert waived_line({"at": 0}, PLAIN) == "" and override_lines({"at": 0}, PLAIN, str) == []
