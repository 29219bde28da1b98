"""Whatever is wrong in a file, its place is said, the exit code is 2 and no traceback is shown."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import Engine

DEPEG, FLAGS, SIGNALS, SETTINGS = "rules/guards/depeg.yaml", "conf/flags.yaml", "conf/signals.yaml", "conf/engine.yaml"

BROKEN: dict[str, tuple[str, str, str]] = {
    "an unknown key": (DEPEG, "    kind: guard", "    knid: guard"),
    "an unknown signal": (DEPEG, "abs(peg_usdt_usd - 1)) >=", "abs(peg_usd_usdt - 1)) >="),
    "an unknown flag": (DEPEG, ">= DEPEG_THRESHOLD_PCT", ">= DEPEG_TRESHOLD_PCT"),
    "two units compared": (DEPEG, "and pct(abs(peg_usdt_usd - 1)) >=", "and bps(abs(peg_usdt_usd - 1)) >="),
    "a forbidden node": (DEPEG, "and pct(abs(peg_usdt_usd - 1)) >=", "and pct(abs(peg_usdt_usd ** 2)) >="),
    "an attribute": (DEPEG, "abs(peg_usdt_usd - 1)) >=", "abs(peg_usdt_usd.real - 1)) >="),
    "an unclosed bracket": (DEPEG, "pct(abs(peg_usdt_usd - 1)) >=", "pct(abs(peg_usdt_usd - 1) >="),
    "a duplicate key": (DEPEG, "    kind: guard", "    kind: guard\n    kind: kill"),
    "an anchor and an alias": (DEPEG, "    kind: guard", "    kind: &k guard"),
    "a tag": (DEPEG, "    kind: guard", "    kind: !!str guard"),
    "a YAML 1.1 boolean": (DEPEG, "enabled: DEPEG_GUARD_ENABLED", "enabled: yes"),
    "a tab for indentation": (DEPEG, "    kind: guard", "\tkind: guard"),
    "a bad duration": (DEPEG, "unknown_grace: 2m", "unknown_grace: two minutes"),
    "a bad level": (DEPEG, "restrain: {level: halted}\n    action", "restrain: {level: stopped}\n    action"),
    "the same id twice": ("rules/guards/feed.yaml", "id: guard.feed.stale", "id: guard.depeg.usdt"),
    "a second document": (DEPEG, "version: 1", "version: 1\n---\nversion: 1"),
    "a flag outside its range": (FLAGS, "    default: 0.5\n", "    default: 500\n"),
    "a flag without a unit": (FLAGS, "    unit: pct\n    default: 0.5\n", "    unit: parsec\n    default: 0.5\n"),
    "a flag twice": (FLAGS, "name: DEPEG_CONFIRM_WINDOWS", "name: DEPEG_THRESHOLD_PCT"),
    "a signal of an unknown kind": (SIGNALS, "kind: gauge", "kind: guage"),
    "a signal twice": (SIGNALS, "name: spread_bps", "name: mid_price"),
    "a signal with a bad range": (SIGNALS, "range: {low: 0, high: 10}", "range: {low: 10, high: 0}"),
    "an unknown setting": (SETTINGS, "  account: main", "  acount: main"),
    "a setting of the wrong type": (SETTINGS, "checkpoint_every: 5000", "checkpoint_every: often"),
}


def break_file(project: Path, case: str) -> str:
    name, before, after = BROKEN[case]
    path = project / name
    text = path.read_text()
    assert before in text, f"{name} no longer holds what this case breaks"
    path.write_text(text.replace(before, after, 1))
    return name


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_file_is_named_with_its_place_and_a_fix(case: str, project: Path, engine: Engine) -> None:
    name = break_file(project, case)

    said = engine("rules", "check")

    assert said.code == 2, said.text
    assert f"{name}:" in said.text
    assert "fix:" in said.text
    assert "Traceback" not in said.text


ONE_A_FILE = ["an unknown signal", "a flag outside its range", "a signal twice", "an unknown setting"]


def test_a_run_goes_on_over_a_broken_rule_file_but_nobody_enters(project: Path, engine: Engine) -> None:
    """A typo must not keep an engine from its positions; that it runs without rules is said first, with the place."""
    name = break_file(project, "an unknown signal")

    said = engine("run", "--speed", "max", "--state", project / "fresh")
    status = engine("status", "--state", project / "fresh")

    assert said.code == 0, said.text
    assert f"{name}:" in said.out and "entries stay paused" in said.out
    assert "engine.no_rules" in status.out and "engine.reload_failed" in status.out
    assert f"{name}:" in status.out


@pytest.mark.parametrize("case", [case for case in ONE_A_FILE if case != "an unknown signal"])
def test_a_run_does_not_begin_on_a_broken_file(case: str, project: Path, engine: Engine) -> None:
    name = break_file(project, case)

    said = engine("run", "--speed", "max", "--state", project / "fresh")

    assert said.code == 2, said.text
    assert f"{name}:" in said.err
    assert "Traceback" not in said.text


GARBAGE: dict[str, bytes] = {
    "nothing": b"", "a comment only": b"# nothing here\n", "no mapping": b"- 1\n- 2\n", "a word": b"rules\n",
    "not UTF-8": b"version: 1\nrules: [\xff\xfe]\n", "binary": bytes(range(256)), "no YAML": b"{{{{{",
    "a null byte": b"version: 1\x00\n", "deep": b"[" * 5000, "a very long line": b"version: " + b"9" * 200_000,
    "UTF-16": "version: 1\nrules: []\n".encode("utf-16"),
}


@pytest.mark.parametrize("content", GARBAGE)
@pytest.mark.parametrize("name", [DEPEG, FLAGS, SIGNALS, SETTINGS])
def test_garbage_in_any_file_is_said_and_never_a_traceback(
    name: str, content: str, project: Path, engine: Engine
) -> None:
    (project / name).write_bytes(GARBAGE[content])

    said = engine("rules", "check")

    assert said.code == 2, said.text
    assert name in said.text
    assert "Traceback" not in said.text


@pytest.mark.parametrize("name", [FLAGS, SIGNALS, "rules"])
def test_a_missing_file_is_missed(name: str, project: Path, engine: Engine) -> None:
    shutil.move(project / name, project / "elsewhere")

    said = engine("rules", "check", *([] if name == "rules" else ["rules"]))

    assert said.code == 2, said.text
    assert "Traceback" not in said.text


def test_every_mistake_is_told_in_one_run(project: Path, engine: Engine) -> None:
    (project / DEPEG).write_text((project / DEPEG).read_text().replace("peg_usdt_usd - 1", "peg_usd - 1"))
    path = project / "rules/kill/health.yaml"
    path.write_text(path.read_text().replace("latch: manual", "latch: forever"))

    said = engine("rules", "check", "--format", "json")

    findings = [json.loads(line) for line in said.out.splitlines()]
    assert {finding["file"] for finding in findings} == {DEPEG, "rules/kill/health.yaml"}
    assert all(
        set(finding) == {"file", "line", "column", "code", "severity", "message", "fix"} for finding in findings
    )
    assert said.code == 2


def test_a_broken_anchor_is_lint_and_no_error(project: Path, engine: Engine) -> None:
    """A page that is not there helps nobody at night, but the rule still guards."""
    path = project / DEPEG
    path.write_text(path.read_text().replace("RUNBOOK.md#usdt-wobbly", "RUNBOOK.md#usdt-wobly"))

    said = engine("rules", "check")

    assert said.code == 3, said.text
    assert f"{DEPEG}:" in said.text


SNAPSHOTS: dict[str, str] = {
    "nothing": "", "no JSON": "{at:", "a list": "[]", "no instant": '{"signals": []}',
    "a naive instant": '{"at": "2026-01-05T14:00:00", "signals": []}',
    "an unknown signal": '{"at": "2026-01-05T14:00:00Z", "signals": [{"name": "peg_usd", "value": 1}]}',
    "an unknown flag": '{"at": "2026-01-05T14:00:00Z", "flags": {"DEPEG": 1}, "signals": []}',
    "a missing label": '{"at": "2026-01-05T14:00:00Z", "signals": [{"name": "spread_bps", "value": 1}]}',
    "an unknown label":
        '{"at": "2026-01-05T14:00:00Z", "signals": [{"name": "peg_usdt_usd", "labels": {"venue": "x"}, "value": 1}]}',
    "a negative age":
        '{"at": "2026-01-05T14:00:00Z", "signals": [{"name": "peg_usdt_usd", "value": 1, "age_s": -1}]}',
    "an unknown key": '{"at": "2026-01-05T14:00:00Z", "signals": [], "sginals": []}',
}


@pytest.mark.parametrize("case", SNAPSHOTS)
def test_a_broken_snapshot_is_told_where(case: str, project: Path, engine: Engine) -> None:
    path = project / "moment.json"
    path.write_text(SNAPSHOTS[case])

    said = engine("rules", "eval", "--snapshot", path, "--format", "json")

    assert said.code == 2, said.text
    assert "moment.json" in said.text
    assert "Traceback" not in said.text


def test_a_missing_snapshot_is_told(project: Path, engine: Engine) -> None:
    said = engine("rules", "eval", "--snapshot", project / "none.json")

    assert said.code == 2
    assert "none.json" in said.err


TAPES: dict[str, bytes] = {
    "nothing": b"", "text": b"hello\n", "binary": bytes(range(256)) * 10, "JSON of something else": b'{"a": 1}\n',
    "a broken gzip": b"\x1f\x8b\x08\x00garbage",
}


@pytest.mark.parametrize("case", TAPES)
@pytest.mark.parametrize("verb", [("run", "--speed", "max", "--tape"), ("tape", "info")])
def test_a_file_that_is_no_tape_is_refused(case: str, verb: tuple[str, ...], project: Path, engine: Engine) -> None:
    path = project / "broken.tape"
    path.write_bytes(TAPES[case])

    said = engine(*verb, path)

    assert said.code == 2, said.text
    assert "broken.tape" in said.text
    assert "Traceback" not in said.text


def test_a_missing_tape_is_told(project: Path, engine: Engine) -> None:
    said = engine("run", "--tape", project / "none.tape")

    assert said.code == 2
    assert "none.tape" in said.err
