"""`engine tape`: what it prints and how it ends."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from engine.cli import tape as command
from tests.adapters.test_tape_file import _quotes, _write
from tests.adapters.test_tape_import import QUOTE, _hft, _in


def _engine(*words: str) -> int:
    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers())
    return command.run(parser.parse_args(["tape", *words]))


def test_import_accounts_for_each_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = _hft(tmp_path / "a.gz", _in(QUOTE), {"result": None}, "{")
    assert _engine("import", str(source), "-o", str(tmp_path / "a.tape")) == 0
    out = capsys.readouterr().out

    words = [" ".join(line.split()) for line in out.splitlines()]
    assert "unaccounted for 0" in words
    assert "skipped 1 not a market message" in words
    assert f"{source}:3" in out


def test_import_speaks_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = _hft(tmp_path / "a.gz", _in(QUOTE))
    assert _engine("import", str(source), "-o", str(tmp_path / "a.tape"), "--format", "json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["lines"], told["used"], told["unaccounted"], told["events"]) == (1, {"bookTicker": 1}, 0, 3)


def test_info_says_what_is_on_a_tape(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = _write(tmp_path / "a.tape", _quotes(5))
    assert _engine("info", str(path)) == 0
    assert "5 read of 5" in capsys.readouterr().out
    assert _engine("info", str(path), "--format", "json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["events"], told["read"], told["damaged"], told["symbols"]) == (5, 5, [], ["C0", "C1", "C2"])


def test_info_of_a_generated_tape_counts_and_names_chapters(capsys: pytest.CaptureFixture[str]) -> None:
    assert _engine("info", "demo", "--format", "json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["events"] == told["read"] > 100_000
    assert told["chapters"][0]["name"] == "a quiet evening"


def test_a_damaged_line_fails_the_check_and_a_broken_file_is_invalid(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = _write(tmp_path / "a.tape", _quotes(5))
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], b"?\n", *lines[3:]]))
    assert _engine("info", str(path)) == 1
    assert "line 3: the checksum does not fit" in capsys.readouterr().out
    path.write_bytes(b"".join(lines[:-1]))
    assert _engine("info", str(path)) == 2
    assert "fix:" in capsys.readouterr().out


@pytest.mark.parametrize("form", ["text", "json"])
def test_bad_input_ends_with_2_and_a_fix(tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str) -> None:
    (tmp_path / "empty").touch()
    for words in (
        ("info", str(tmp_path)), ("info", str(tmp_path / "none")), ("info", str(tmp_path / "empty")),
        ("import", str(tmp_path), "-o", str(tmp_path / "t")),
        ("import", str(tmp_path / "empty"), "-o", str(tmp_path / "t")),
    ):
        assert _engine(*words, "--format", form) == 2
        told = capsys.readouterr()
        assert "fix" in (told.out if form == "json" else told.err)
        assert form == "text" or str(tmp_path) in json.loads(told.out)["error"]["what"]
