"""The past that a rewind shows is the past that the run wrote down, or it is refused."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.adapters.tape_demo import START, demo_tape
from engine.adapters.tape_writer import TapeWriter
from engine.cli.main import main
from engine.core.checkpoint import dump_state
from engine.model.effects import Effect, PlaceOrder, RulingChanged
from engine.model.events import InstrumentDefined
from engine.model.time import DAY, HOUR, MINUTE, SECOND, format_instant, parse_instant
from engine.ports.feed import Tape
from engine.ports.journal import FoundCheckpoint, JournalReader
from engine.runtime.options import RunError, RunInfo, RunOptions
from engine.runtime.rewind import Past, moment_of, reached, rewind
from engine.runtime.run import run_engine
from engine.runtime.wiring_journal import open_journal, read_journal
from engine.runtime.wiring_tapes import named_tape
from tests.simulation.command import command, environment
from tests.simulation.test_kill_and_resume import await_socket

ROOT = Path(__file__).resolve().parents[2]
BEGIN, END = START + 421 * MINUTE, START + 441 * MINUTE
"""Of the demo: a listing, a position, and the depeg that closes it."""
HALT_AFTER = 2

Said = Callable[..., tuple[int, str]]


class Watcher:
    """Touches the HALT file once so many orders were placed, as a person would; shows nothing."""

    def __init__(self, halt: Path) -> None:
        self._halt = halt
        self._orders = 0

    def start(self, info: RunInfo) -> None:
        """Nothing to show."""

    def effect(self, effect: Effect) -> float:
        self._orders += isinstance(effect, PlaceOrder)
        if self._orders != HALT_AFTER or self._halt.exists():
            return 0.0
        self._halt.touch()
        # The engine looks for the file every 100 ms: let it look before the tape is over.
        return 0.25

    def progress(self, at: int, taken: int) -> None:
        """Nothing to show."""

    def warn(self, text: str) -> None:
        """Hear nothing: tapes have no outside."""

    def finish(self, summary: dict[str, Any]) -> None:
        """Nothing to show."""


@dataclass(frozen=True)
class Ran:
    state: Path
    tape: Path

    def past(self, at: int) -> Past:
        reader = read_journal(self.state)
        try:
            return rewind(reader, named_tape(str(self.tape)), ROOT, at)
        finally:
            reader.close()


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """A whole run on twenty minutes of the demo, with a halt by file in the middle."""
    folder = tmp_path_factory.mktemp("rewind")
    tape, state = folder / "peg.tape", folder / "state"
    with TapeWriter(tape, source="the demo, in part") as writer:
        for at, event in demo_tape().events():
            if isinstance(event, InstrumentDefined):
                writer.define(event.instrument)
            elif BEGIN <= at <= END:
                writer.write(event)
        for instrument in demo_tape().header.instruments:
            writer.define(instrument)
    options = RunOptions(root=ROOT, tape=str(tape), state_dir=state)
    run_engine(options, Watcher(state / "HALT"))
    return Ran(state, tape)


def moves(ran: Ran) -> list[dict[str, Any]]:
    with sqlite3.connect(ran.state / "journal.sqlite") as db:
        rows = db.execute("select payload from effects where kind = 'RuleMoved' order by n").fetchall()
    return [json.loads(row[0]) for row in rows]


def standing(past: Past) -> dict[str, str]:
    return {view.instance: view.state for view in past.state.book.views(past.at)}


def test_at_every_move_of_a_rule_the_past_is_what_the_journal_says(ran: Ran) -> None:
    """At its instant the rule has moved; a nanosecond before it had not."""
    told = moves(ran)
    assert {(move["instance"], move["after"]) for move in told} >= {
        ("guard.depeg.usdt", "held"), ("guard.depeg.usdt", "pending"), ("guard.depeg.usdt", "firing"),
    }
    instants = sorted({move["at"] for move in told})
    for at in instants:
        after = {move["instance"]: move["after"] for move in told if move["at"] <= at}
        assert after.items() <= standing(ran.past(at)).items(), format_instant(at)
        if at > instants[0]:
            before = {move["instance"]: move["after"] for move in told if move["at"] < at}
            assert before.items() <= standing(ran.past(at - 1)).items(), format_instant(at)


class WithoutCheckpoints:
    """A journal whose checkpoints are all lost."""

    def __init__(self, reader: JournalReader) -> None:
        self._reader = reader

    def last_checkpoint(self, *, until: int | None = None) -> FoundCheckpoint:
        return FoundCheckpoint(checkpoint=None, damaged=())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)


def test_from_a_checkpoint_and_from_the_beginning_it_is_one_past(ran: Ran) -> None:
    reader = read_journal(ran.state)
    with sqlite3.connect(ran.state / "journal.sqlite") as db:
        kept = [row[0] for row in db.execute("select at from checkpoints order by seq")]
    # The newest is the end's, those before are of the middle.
    assert len(kept) >= 2
    until = kept[0] + 30 * SECOND
    tape = named_tape(str(ran.tape))
    try:
        short, whole = (rewind(one, tape, ROOT, until) for one in (reader, WithoutCheckpoints(reader)))
    finally:
        reader.close()

    assert (short.from_seq > 0, whole.from_seq) == (True, 0)
    assert short.seq == whole.seq > short.from_seq
    assert dump_state(short.state) == dump_state(whole.state)


def test_a_command_of_the_past_is_obeyed_where_it_was(ran: Ran) -> None:
    with sqlite3.connect(ran.state / "journal.sqlite") as db:
        rows = db.execute("select at, payload from inputs order by seq").fetchall()
    halted_at = next(at for at, payload in rows if json.loads(payload)["type"] == "HaltCommand")

    assert not ran.past(halted_at - 1).state.halts
    assert set(ran.past(halted_at).state.halts) == {"file"}


def test_the_end_of_a_run_is_its_last_checkpoint(ran: Ran) -> None:
    reader = read_journal(ran.state)
    try:
        end = reader.tail().at
        checkpoint = reader.last_checkpoint().checkpoint
    finally:
        reader.close()
    assert checkpoint is not None
    assert json.loads(json.dumps(dump_state(ran.past(end).state))) == json.loads(checkpoint.payload)["core"]


def test_looking_back_writes_nothing_and_needs_no_lock(ran: Ran, tmp_path: Path) -> None:
    state = Path(shutil.copytree(ran.state, tmp_path / "state"))
    journal = open_journal(state)
    before = hashlib.sha256((state / "journal.sqlite").read_bytes()).hexdigest()
    try:
        Ran(state, ran.tape).past(BEGIN + 5 * MINUTE)
    finally:
        journal.close()

    assert hashlib.sha256((state / "journal.sqlite").read_bytes()).hexdigest() == before


def test_a_past_that_is_not_the_journals_is_refused_as_our_fault(ran: Ran, tmp_path: Path) -> None:
    state = Path(shutil.copytree(ran.state, tmp_path / "state"))
    with sqlite3.connect(state / "journal.sqlite") as db:
        db.execute("update effects set digest = zeroblob(32) where n = 20")

    with pytest.raises(RunError) as refused:
        Ran(state, ran.tape).past(BEGIN + 11 * MINUTE)
    assert refused.value.exit_code == 5
    assert "effect 20" in refused.value.what


def test_another_tape_and_another_time_are_refused(ran: Ran) -> None:
    other: Tape = named_tape("demo")
    reader = read_journal(ran.state)
    try:
        with pytest.raises(RunError, match="is not the tape that this run was on"):
            rewind(reader, other, ROOT, BEGIN + MINUTE)
        for at in (BEGIN - MINUTE, END + HOUR):
            with pytest.raises(RunError, match="was not under way"):
                rewind(reader, named_tape(str(ran.tape)), ROOT, at)
    finally:
        reader.close()


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Said:
    def call(*words: str | Path) -> tuple[int, str]:
        capsys.readouterr()
        code = main([str(word) for word in words])
        found = capsys.readouterr()
        return code, found.out + found.err

    return call


def test_explain_shows_every_part_the_timer_and_how_it_is_known(ran: Ran, said: Said) -> None:
    code, text = said("explain", "guard.depeg.usdt", "--at", "01:14", "--tape", ran.tape, "--state", ran.state)

    assert code == 0, text
    assert "stands pending, true" in text
    assert re.search(r"peg_usdt_usd +(\[.*\] +)?= 0\.98", text)
    assert "for, 1m" in text and "then firing" in text
    assert "the run was taken again on peg.tape" in text


def test_where_the_tape_is_not_at_hand_the_journal_speaks_and_says_so(
    ran: Ran, said: Said, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    code, text = said("explain", "guard.depeg.usdt", "--at", "01:14", "--state", ran.state)

    assert code == 0, text
    assert "inactive > pending" in text
    assert "the tape peg.tape of this run is not here; give it with --tape" in text
    assert "stands pending" not in text


def test_the_level_is_told_with_all_that_restrained_then(ran: Ran, said: Said) -> None:
    code, text = said(
        "explain", "--at", format_instant(END - MINUTE), "--tape", ran.tape, "--state", ran.state, "--format", "json"
    )
    found = json.loads(text)

    assert code == 0
    assert found["past"]["exact"] is True
    because = {item["instance"]: item["because"] for item in found["restrains"]}
    assert because["guard.depeg.usdt"] == "latched" and because["operator:file"] == "operator"


@pytest.mark.parametrize("words", [("+1h20",), ("25:00",), ("yesterday",), ("+",), ("2026-03-02T23:25:00",)])
def test_a_time_that_is_none_is_refused_with_examples(words: tuple[str], ran: Ran, said: Said) -> None:
    code, text = said("explain", "guard.depeg.usdt", "--at", *words, "--state", ran.state)

    assert code == 2
    assert "+1h20m" in text


@given(begin=st.integers(0, 10 * 365 * DAY), minute=st.integers(0, 1439))
def test_a_clock_time_is_the_first_such_time_of_the_run(begin: int, minute: int) -> None:
    at = moment_of(f"{minute // 60}:{minute % 60:02d}", begin)

    assert begin <= at < begin + DAY
    assert at % DAY == minute * MINUTE


@given(begin=st.integers(0, 10 * 365 * DAY), hours=st.integers(0, 99), seconds=st.integers(0, 3600))
def test_a_time_from_the_beginning_adds_up(begin: int, hours: int, seconds: int) -> None:
    assert moment_of(f"+{hours}h{seconds}s", begin) == begin + hours * HOUR + seconds * SECOND
    assert moment_of(format_instant(begin), 0) == parse_instant(format_instant(begin))


def test_why_not_answers_for_an_instant_of_the_past(ran: Ran, said: Said) -> None:
    """A minute before it fires: true already, `for` still runs, and what would still stop it."""
    asked = ("rules", "why-not", "guard.depeg.usdt", "--at", "01:14", "--tape", ran.tape, "--state", ran.state)
    code, text = said(*asked, "--format", "json")
    answer = json.loads(text)["answers"][0]

    assert code == 0
    assert (answer["state"], answer["truth"]) == ("pending", "true")
    fires = next(move["at"] for move in moves(ran) if move["after"] == "firing" and move["rule"] == "guard.depeg.usdt")
    assert [(one["timer"], one["until"], one["then"]) for one in answer["timers"]] == [("for", fires, "firing")]
    change = answer["conditions"][0]["parts"][0]["changes"][0]
    assert (change["makes"], change["edge"]) == ("false", pytest.approx(0.995))
    assert "with peg_usdt_usd above 0.995" in said(*asked)[1]


def test_why_not_says_where_the_tape_is_not_at_hand(
    ran: Ran, said: Said, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    code, text = said("rules", "why-not", "guard.depeg.usdt", "--at", "01:14", "--state", ran.state)

    assert code == 2
    assert "give it with --tape" in text


def test_why_not_judges_an_order_at_an_instant_of_the_past(ran: Ran, said: Said) -> None:
    where = ("--at", "01:09", "--tape", ran.tape, "--state", ran.state, "--format", "json")
    order = ("--order", "symbol=PINEUSDT", "venue=paper", "notional_usd=9")
    small = json.loads(said("rules", "why-not", "entry.notional", *order, *where)[1])["answers"][0]
    spread = json.loads(said("rules", "why-not", "entry.spread", *order, *where)[1])["answers"][0]

    assert small["why"] == "it refuses this order"
    assert spread["truth"] == "false" and spread["inputs"][0]["status"] == "ok"
    assert said("rules", "why-not", "entry.spread", "--order", "colour=red", *where)[0] == 2


class Editor(Watcher):
    """Tightens a flag of the project once the first order was placed, and waits until that is in force."""

    def __init__(self, root: Path) -> None:
        super().__init__(root / "HALT")
        self._flags = root / "conf" / "flags.yaml"
        self.changed_at = 0

    def effect(self, effect: Effect) -> float:
        if isinstance(effect, RulingChanged):
            self.changed_at = effect.at
        text = self._flags.read_text(encoding="utf-8")
        if "value: 0.4" in text:
            # A slow machine gets its time with every effect until the edit is in force.
            return 0.0 if self.changed_at else 0.5
        if isinstance(effect, PlaceOrder):
            head, name, rest = text.partition("- name: DEPEG_THRESHOLD_PCT\n")
            changed = head + name + rest.replace("default: 0.5\n", "default: 0.5\n    value: 0.4\n", 1)
            self._flags.write_text(changed, encoding="utf-8")
        return 0.0


def test_a_past_behind_a_reload_is_under_the_rules_that_were_in_force(ran: Ran, tmp_path: Path) -> None:
    root, state = tmp_path / "project", tmp_path / "state"
    for name in ("rules", "conf"):
        shutil.copytree(ROOT / name, root / name)
    shutil.copy(ROOT / "RUNBOOK.md", root)
    editor = Editor(root)
    run_engine(RunOptions(root=root, tape=str(ran.tape), state_dir=state), editor)
    assert editor.changed_at, "the edit did not come into force before the tape was over"

    again = Ran(state, ran.tape)
    before, after, last = (again.past(at) for at in (editor.changed_at - 1, editor.changed_at, END - MINUTE))
    limits = [past.state.flags.values["DEPEG_THRESHOLD_PCT"] for past in (before, after, last)]
    assert limits == [0.5, 0.4, 0.4]
    assert before.compared < after.compared
    firing = [move["at"] for move in moves(again) if (move["rule"], move["after"]) == ("guard.depeg.usdt", "firing")]
    assert standing(last)["guard.depeg.usdt"] == "firing" and firing[-1] <= last.at


def test_a_running_engine_is_looked_at_and_not_disturbed(ran: Ran, tmp_path: Path) -> None:
    """Another process trades on the tape meanwhile; its past is exact, and its journal comes out whole."""
    state = tmp_path / "state"
    words = command("run", "--tape", str(ran.tape), "--speed", "200", "--format", "json", "--state", str(state))
    child = subprocess.Popen(words, cwd=ROOT, env=environment(), stdout=subprocess.PIPE)
    try:
        await_socket(state / "engine.sock", child)
        reader = read_journal(state)
        try:
            while child.poll() is None and reached(reader) < BEGIN + 4 * MINUTE:
                time.sleep(0.05)
            assert child.poll() is None, "the run was over before it could be looked at"
            past = rewind(reader, named_tape(str(ran.tape)), ROOT, BEGIN + 3 * MINUTE)
            assert child.poll() is None
        finally:
            reader.close()
        out, _ = child.communicate(timeout=60)
    finally:
        child.kill()
        child.wait()

    assert child.returncode == 0
    assert json.loads(out.strip().splitlines()[-1])["orders"] > 0
    reader = read_journal(state)
    try:
        assert reader.verify() == ""
    finally:
        reader.close()
    assert standing(past) == standing(Ran(state, ran.tape).past(BEGIN + 3 * MINUTE))
