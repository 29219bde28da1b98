"""The denylist is read whole or not used: the line that is wrong may be the one that denies."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.model.time import parse_instant
from engine.ruleset.ruling import Denied
from engine.runtime.config import DENYLIST, load_config
from engine.runtime.denylist_file import read_denylist

ROOT = Path(__file__).parents[2]


def test_a_line_says_what_until_when_and_why() -> None:
    text = b"# for people\n\nABCUSDT\nDEFUSDT 2026-12-01T00:00:00Z # unlock\r\n  GHIUSDT\t# thin\n"
    denied, findings = read_denylist(text, "d")
    assert findings == []
    assert denied == (
        Denied(symbol="ABCUSDT", until=0, reason="", line=3),
        Denied(symbol="DEFUSDT", until=parse_instant("2026-12-01T00:00:00Z"), reason="unlock", line=4),
        Denied(symbol="GHIUSDT", until=0, reason="thin", line=5),
    )


@pytest.mark.parametrize(("text", "code", "line", "column"), [
    (b"abcusdt\n", "deny-symbol", 1, 1),
    (b"\nABC/USDT\n", "deny-symbol", 2, 1),
    (b"ABCUSDT tomorrow\n", "deny-until", 1, 9),
    (b"ABCUSDT 2026-12-01T00:00:00\n", "deny-until", 1, 9),
    (b"ABCUSDT 2026-12-01T00:00:00Z why\n", "deny-words", 1, 30),
    (b"ABCUSDT\n ABCUSDT\n", "deny-duplicate", 2, 2),
    (b"ABCUSDT\n\xff\n", "deny-encoding", 2, 1),
    (b"ABCUSDT # \x1b[2J\n", "deny-character", 1, 1),
    (b"# x\n" * 10_001, "deny-too-long", 10_001, 1),
])
def test_what_is_wrong_is_told_with_its_place(text: bytes, code: str, line: int, column: int) -> None:
    _, findings = read_denylist(text, "d")
    assert [(one.code, one.line, one.column) for one in findings] == [(code, line, column)]


@given(st.binary(max_size=200))
def test_no_bytes_make_it_raise(text: bytes) -> None:
    denied, findings = read_denylist(text, "d")
    assert all(one.symbol.isascii() for one in denied) and all(one.fix for one in findings)


def test_it_is_part_of_the_configuration(tmp_path: Path) -> None:
    """A denial decides, so it enters the ruling's digest; its reason does not."""
    for name in ("conf", "rules"):
        shutil.copytree(ROOT / name, tmp_path / name)
    before = load_config(tmp_path, {}).ruling
    (tmp_path / DENYLIST).write_text("ABCUSDT # one reason\n")
    after = load_config(tmp_path, {}).ruling
    assert [one.symbol for one in after.denylist] == ["ABCUSDT"] and after.digest != before.digest
    (tmp_path / DENYLIST).write_text("# a line more\nABCUSDT # another\n")
    assert load_config(tmp_path, {}).ruling.digest == after.digest
    (tmp_path / DENYLIST).write_text("abc\n")
    assert not load_config(tmp_path, {}).usable
