"""The last good configuration survives a crash and a full disk whole, and is believed only whole."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.runtime.last_good import FORM, keep_last_good, load_last_good

ROOT = Path(__file__).parents[2]


def head(source: bytes, **said: object) -> bytes:
    whole = {"form": FORM, "bytes": len(source), "sha256": hashlib.sha256(source).hexdigest(), **said}
    return json.dumps(whole).encode() + b"\n"


def test_what_was_kept_is_read_back_and_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "last_good"
    for source in (b"one", b"", b"two\nlines\n\x00\xff"):
        assert keep_last_good(path, source) == ""
        assert load_last_good(path) == (source, "")
    assert os.listdir(tmp_path) == ["last_good"] and path.stat().st_mode & 0o777 == 0o600


def test_what_a_crash_left_is_in_nobodys_way(tmp_path: Path) -> None:
    """A half-written new file, even one that is a link to elsewhere, is replaced and never followed."""
    path, elsewhere = tmp_path / "last_good", tmp_path / "elsewhere"
    elsewhere.write_text("mine")
    (tmp_path / f".last_good.{os.getpid()}").symlink_to(elsewhere)
    assert keep_last_good(path, b"good") == "" and load_last_good(path) == (b"good", "")
    assert elsewhere.read_text() == "mine"


@pytest.mark.parametrize(("data", "why"), [
    (b"", "truncated"),
    (b"{}", "truncated"),
    (b"{}\nsource", "does not begin"),
    (b"[" * 900 + b"\nsource", "does not begin"),
    (b"[]\nsource", "does not begin"),
    (b"x" * 2000 + b"\n", "truncated"),
    (head(b"source", form=2) + b"source", "newer engine"),
    (head(b"source", form="1") + b"source", "nobody reads"),
    (head(b"source") + b"sourc", "truncated: 5 bytes of 6"),
    (head(b"source") + b"Source", "damaged"),
    (head(b"source", sha256=None) + b"source", "damaged"),
])
def test_what_is_not_whole_is_refused_with_a_reason(tmp_path: Path, data: bytes, why: str) -> None:
    (tmp_path / "last_good").write_bytes(data)
    found, said = load_last_good(tmp_path / "last_good")
    assert found is None and why in said


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(st.binary(max_size=60), st.data())
def test_no_cut_and_no_flipped_bit_is_believed(tmp_path: Path, source: bytes, data: st.DataObject) -> None:
    path = tmp_path / "last_good"
    keep_last_good(path, source)
    whole = path.read_bytes()
    cut = data.draw(st.integers(0, len(whole) - 1))
    path.write_bytes(whole[:cut])
    assert load_last_good(path)[0] is None
    place, bit = data.draw(st.integers(0, len(whole) - 1)), data.draw(st.integers(0, 7))
    path.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << bit]) + whole[place + 1:])
    # A bit of a blank or of a letter's case in the head may say the same; then what is read is what was written.
    assert load_last_good(path)[0] in (None, source)


def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    assert "no reload was ever good" in load_last_good(tmp_path / "nothing")[1]
    os.mkfifo(tmp_path / "pipe")
    assert "no regular file" in load_last_good(tmp_path / "pipe")[1]
    (tmp_path / "link").symlink_to("pipe")
    assert load_last_good(tmp_path / "link")[0] is None
    (tmp_path / "folder").mkdir()
    assert load_last_good(tmp_path / "folder")[0] is None
    assert "cannot be written" in keep_last_good(tmp_path / "folder", b"x")
    assert "cannot be written" in keep_last_good(tmp_path / "nowhere" / "last_good", b"x")


_NO_ROOM = """
import resource, signal, sys
from pathlib import Path
from engine.runtime.last_good import keep_last_good
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
print(keep_last_good(Path(sys.argv[1]), b"x" * 5000))
"""


def test_without_room_the_older_one_stays(tmp_path: Path) -> None:
    """The limit on a file's size makes `write` fail in the middle, as a full disk does."""
    path = tmp_path / "last_good"
    assert keep_last_good(path, b"older") == ""
    done = subprocess.run(
        [sys.executable, "-c", _NO_ROOM, str(path)], cwd=ROOT, capture_output=True, text=True, check=True, timeout=30,
    )
    assert "there is no room" in done.stdout and "the older one stays" in done.stdout
    assert load_last_good(path) == (b"older", "") and os.listdir(tmp_path) == ["last_good"]
