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
from engine.runtime.denylist import MOST_LINES, read_denylist

ROOT = Path(__file__).parents[2]


def test_a_line_says_what_until_when_and_why() -> None:
    text = b"# for people\n\nABCUSDT\nDEFUSDT until=2026-12-01T00:00:00Z reason=the unlock\r\n  GHIUSDT reason=thin\n"
    denied, findings = read_denylist(text, "d")
    assert findings == []
    assert denied == (
        Denied(symbol="ABCUSDT", until=0, reason="", line=3),
        Denied(symbol="DEFUSDT", until=parse_instant("2026-12-01T00:00:00Z"), reason="the unlock", line=4),
        Denied(symbol="GHIUSDT", until=0, reason="thin", line=5),
    )


@pytest.mark.parametrize(("text", "line", "column"), [
    (b"\n?ABC\n", 2, 1),
    (b"ABCUSDT until=tomorrow\n", 1, 15),
    (b"ABCUSDT until=2026-12-01T00:00:00\n", 1, 15),
    (b"ABCUSDT until=2026-12-01T00:00:00Z why\n", 1, 36),
    (b"ABCUSDT\n ABCUSDT\n", 2, 1),
    (b"ABCUSDT\n\xff\n", 2, 1),
    (b"ABCUSDT reason=\x1b[2J\n", 1, 1),
    (b"# x\n" * (MOST_LINES + 1), MOST_LINES, 1),
])
def test_what_is_wrong_is_told_with_its_place(text: bytes, line: int, column: int) -> None:
    _, findings = read_denylist(text, "d")
    assert [(one.code, one.line, one.column) for one in findings] == [("denylist", line, column)]


@given(st.binary(max_size=200))
def test_no_bytes_make_it_raise(text: bytes) -> None:
    denied, findings = read_denylist(text, "d")
    assert all(one.symbol.isascii() for one in denied) and all(one.fix for one in findings)


def test_it_is_part_of_the_configuration(tmp_path: Path) -> None:
    """A denial decides, so it enters the ruling's digest; its reason does not."""
    for name in ("conf", "rules"):
        shutil.copytree(ROOT / name, tmp_path / name)
    before = load_config(tmp_path, {}).ruling()
    (tmp_path / DENYLIST).write_text("ABCUSDT reason=one\n")
    after = load_config(tmp_path, {}).ruling()
    assert [one.symbol for one in after.denylist] == ["ABCUSDT"] and after.digest != before.digest
    (tmp_path / DENYLIST).write_text("# a line more\nABCUSDT reason=another\n")
    assert load_config(tmp_path, {}).ruling().digest == after.digest
    (tmp_path / DENYLIST).write_text("?\n")
    assert not load_config(tmp_path, {}).usable
