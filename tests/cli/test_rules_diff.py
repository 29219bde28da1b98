"""`engine rules diff` as a reviewer, a hook and a workflow call it."""

from __future__ import annotations

import gzip
import json
import re
import runpy
import shutil
from pathlib import Path
from typing import Any

import pytest

from engine.runtime.config import load_config
from engine.runtime.history import tape_history
from engine.runtime.wiring_history import history_writer
from engine.runtime.wiring_tapes import named_tape
from tests.cli.conftest import ROOT, Engine, Said
from tests.runtime.test_revisions import git

TAPE = ROOT / "examples/tapes/review.tape.gz"
DEPEG = "rules/guards/depeg.yaml"


@pytest.fixture
def repository(project: Path) -> Path:
    """The project in a repository of its own, one commit on `main`."""
    git(project, "init", "-q", "-b", "main")
    git(project, "add", "-A")
    git(project, "commit", "-q", "-m", "first")
    return project


def edit(root: Path, before: str, after: str, name: str = DEPEG) -> None:
    path = root / name
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after, 1))


def data(said: Said) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(said.out)
    return found


def told(report: dict[str, Any], rule: str) -> dict[str, Any]:
    return next(one for one in report["rules"] if one["id"] == rule)


def test_an_edit_that_is_not_committed_is_compared_with_the_last_commit(engine: Engine, repository: Path) -> None:
    edit(repository, "level: halted", "level: reduce_only")

    said = engine("rules", "diff", "HEAD", ".", "--tape", TAPE, "--format", "json")

    report = data(said)
    assert said.code == 1 and report["verdict"] == "loosening"
    assert (report["base"]["name"], report["head"]["name"]) == ("HEAD", ".")
    assert report["base"]["commit"] == git(repository, "rev-parse", "HEAD") and report["head"]["commit"] is None
    one = told(report, "guard.depeg.usdt")
    assert one["verdict"] == "looser" and one["looser_s"] > 60
    assert one["instances"][0]["less"][0]["head"] == "level reduce_only"


def test_nothing_changed_passes_and_still_says_what_was_not_exercised(engine: Engine, repository: Path) -> None:
    said = engine("rules", "diff", "HEAD", "main", "--tape", TAPE)

    assert said.code == 0
    assert "changes no rule, flag or signal" in said.out
    assert re.search(r"kill\.daily_loss +not exercised", said.out)
    assert said.out.splitlines()[0].startswith("history  review")
    assert said.out.index("coverage") < said.out.index("kill.")


def test_a_comment_and_a_summary_loosen_nothing(engine: Engine, repository: Path) -> None:
    edit(repository, "summary: USDT has left its peg", "summary: the peg is gone  # for good")

    assert engine("rules", "diff", "HEAD", ".", "--tape", TAPE).code == 0


def test_a_tightening_asks_for_nothing(engine: Engine, repository: Path) -> None:
    edit(repository, "- name: DEPEG_CONFIRM_WINDOWS", "- name: DEPEG_CONFIRM_WINDOWS\n    value: 1", "conf/flags.yaml")

    said = engine("rules", "diff", "HEAD", ".", "--tape", TAPE, "--format", "json")

    assert said.code == 0 and told(data(said), "guard.depeg.usdt")["stricter_s"] > 0


def test_a_rule_that_is_deleted_names_its_minutes(engine: Engine, repository: Path) -> None:
    (repository / DEPEG).unlink()
    git(repository, "commit", "-qam", "no depeg guard")

    said = engine("rules", "diff", "HEAD~1", "HEAD", "--tape", TAPE, "--format", "json")

    one = told(data(said), "guard.depeg.usdt")
    assert said.code == 1 and (one["became"], one["verdict"]) == ("removed", "looser")


def test_every_form_can_be_written_at_once(engine: Engine, repository: Path) -> None:
    edit(repository, "unknown_grace: 2m", "unknown_grace: 1m")
    names = ("r.txt", "r.md", "r.html", "r.json")
    words = [word for name in names for word in ("-o", name)]

    said = engine("rules", "diff", "HEAD", ".", "--tape", TAPE, *words)

    text, markdown, html, data = ((repository / name).read_text() for name in names)
    assert said.code == 0 and said.out.startswith("r.txt, r.md, r.html, r.json: passed")
    assert text.startswith("history  review") and markdown.startswith("## ") and html.startswith("<!doctype html>")
    assert json.loads(data)["passed"] and all("guard.depeg.usdt" in one for one in (text, markdown, html))


def test_a_broken_side_is_invalid_and_told_with_its_findings(engine: Engine, repository: Path) -> None:
    edit(repository, "kind: guard", "kind: gard")

    text = engine("rules", "diff", "HEAD", ".", "--tape", TAPE)
    findings = engine("rules", "diff", ".", "HEAD", "--tape", TAPE, "--format", "json")

    assert text.code == findings.code == 2
    assert f"{DEPEG}:" in text.err and "engine: . cannot be used" in text.err
    assert any(json.loads(line)["side"] == "." for line in findings.out.splitlines())


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("HEAD", "no-such"), "there is no revision or directory no-such"),
        (("HEAD", DEPEG), "is a file"),
        (("HEAD", ".", "--allow-loosening", "yes"), "yes is no pair"),
        (("HEAD", ".", "--from", "yesterday"), "--from"),
        (("HEAD", ".", "--acks", "nowhere.yaml"), "nowhere.yaml cannot be read"),
        (("HEAD", ".", "-o", "no/such/folder"), "no/such/folder cannot be written"),
    ],
)
def test_what_cannot_be_done_is_said_with_a_fix(
    engine: Engine, repository: Path, words: tuple[str, ...], says: str
) -> None:
    edit(repository, "summary: USDT", "summary: the USDT")

    said = engine("rules", "diff", *words, "--tape", TAPE)

    assert said.code == 2 and says in said.err and "fix:" in said.err


def test_a_tape_or_a_history_that_is_not_there_is_invalid(engine: Engine, repository: Path) -> None:
    for source in (("--tape", "nowhere.tape"), ("--history", "nowhere")):
        said = engine("rules", "diff", "HEAD", ".", *source)
        assert said.code == 2 and "nowhere" in said.err and "fix:" in said.err


def test_the_environment_has_no_part_in_it(
    engine: Engine, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = engine("rules", "diff", "HEAD", ".", "--tape", TAPE, "--format", "json")
    monkeypatch.setenv("DEPEG_THRESHOLD_PCT", "40")

    assert engine("rules", "diff", "HEAD", ".", "--tape", TAPE, "--format", "json").out == plain.out


def test_recorded_history_says_by_columns_what_it_says_step_by_step(engine: Engine, repository: Path) -> None:
    pytest.importorskip("duckdb")
    history = tape_history(load_config(repository, {}), named_tape(str(TAPE)))
    writer = history_writer(repository / "history", history.header)
    for record in history.records():
        writer.add(record)
    writer.flush(1)
    writer.close()
    edit(repository, "usdt_usd - 1)) >= DEPEG_THRESHOLD_PCT", "usdt_usd - 1)) >= 0.8")

    words = ("rules", "diff", "HEAD", ".", "--history", "history", "--format", "json")
    columns, steps = (data(engine(*words, *more)) for more in (("--workers", "1"), ("--exact",)))

    assert told(columns, "guard.depeg.usdt")["instances"][0]["less"]
    assert columns["history"].pop("exact") is False and steps["history"].pop("exact") is True
    for report in (columns, steps):
        report["history"].pop("asked")
        report.pop("paste")
    assert columns == steps


def test_the_committed_tape_is_the_one_its_program_makes(tmp_path: Path) -> None:
    made = tmp_path / "made.tape.gz"

    runpy.run_path(str(ROOT / "examples/tapes/make.py"))["write"](made)

    assert gzip.decompress(made.read_bytes()) == gzip.decompress(TAPE.read_bytes())
    assert TAPE.stat().st_size < 300_000


def test_rule_files_alone_are_read_with_the_signals_of_here(engine: Engine, repository: Path, tmp_path: Path) -> None:
    for name in ("old", "new"):
        shutil.copytree(repository / "rules", repository / name)
    edit(repository, "unknown_grace: 2m", "unknown_grace: 1m", "new/guards/depeg.yaml")

    said = engine("rules", "diff", "old", "new", "--tape", TAPE, "--format", "json")

    assert said.code == 0 and data(said)["head"]["conf_from"] == str(repository)
