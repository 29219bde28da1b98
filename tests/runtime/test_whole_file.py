"""A file is replaced whole or not at all, and nothing is left beside it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.runtime.whole_file import put_whole


@pytest.mark.parametrize("durable", [True, False])
def test_the_new_one_takes_the_place_with_its_rights(tmp_path: Path, durable: bool) -> None:
    path = tmp_path / "a file"
    for data, mode in ((b"one", 0o600), (b"", 0o644), (b"two\x00" * 300_000, 0o640)):
        assert put_whole(path, data, mode=mode, durable=durable)
        assert path.read_bytes() == data and path.stat().st_mode & 0o777 == mode
    assert os.listdir(tmp_path) == ["a file"]


def test_what_is_not_to_be_done_any_more_is_not_done(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("mine")
    assert not put_whole(path, b"theirs", still=lambda: False)
    assert path.read_text() == "mine" and os.listdir(tmp_path) == ["file"]


def test_what_a_disk_refuses_leaves_the_older_one(tmp_path: Path) -> None:
    path = tmp_path / "file"
    (path / "in the way").mkdir(parents=True)
    with pytest.raises(IsADirectoryError):
        put_whole(path, b"new")
    assert os.listdir(tmp_path) == ["file"]
    with pytest.raises(FileNotFoundError):
        put_whole(tmp_path / "nowhere" / "file", b"new")


def test_a_link_is_replaced_and_what_it_leads_to_stays(tmp_path: Path) -> None:
    path, elsewhere = tmp_path / "file", tmp_path / "elsewhere"
    elsewhere.write_text("mine")
    path.symlink_to(elsewhere)
    assert put_whole(path, b"new")
    assert elsewhere.read_text() == "mine" and path.read_bytes() == b"new" and not path.is_symlink()
