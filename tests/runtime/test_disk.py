"""What is read stood on the disk at one moment, is of bounded size and lies where it was looked for."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from engine.runtime.anchors import anchors_of
from engine.runtime.disk import Read, Wanted, read_disk, read_files


def tree(root: Path, **files: str) -> None:
    for name, text in files.items():
        path = root / name.replace("__", "/")
        path = path.with_name(path.name.replace("_yaml", ".yaml"))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def wanted(root: Path) -> Wanted:
    return Wanted(files={"conf/a.yaml": root / "conf" / "a.yaml"}, folders={"rules": root / "rules"}, within=(root,))


def codes(root: Path) -> dict[str, str]:
    return {one.file: one.code for one in read_disk(wanted(root)).findings}


def test_files_and_folders_are_read_by_name(tmp_path: Path) -> None:
    """Every YAML file at any depth, in the order of the names; what editors leave behind is passed over."""
    tree(tmp_path, conf__a_yaml="1", rules__b_yaml="2", rules__deep__er__c_yaml="3", rules__README="x")
    (tmp_path / "rules" / "d.yml").write_text("4")
    for left in (".b.yaml.swp", ".#b.yaml", "b.yaml~", ".hidden/e.yaml"):
        (tmp_path / "rules" / left).parent.mkdir(exist_ok=True)
        (tmp_path / "rules" / left).write_text("x")
    read = read_disk(wanted(tmp_path))
    assert read.findings == []
    assert list(read.files.items()) == [
        ("conf/a.yaml", b"1"), ("rules/b.yaml", b"2"), ("rules/d.yml", b"4"), ("rules/deep/er/c.yaml", b"3"),
    ]


def test_a_file_that_is_missing_is_left_out_and_a_folder_is_missed(tmp_path: Path) -> None:
    read = read_disk(wanted(tmp_path))
    assert read.files == {} and [(one.file, one.code) for one in read.findings] == [("rules", "file-missing")]


def test_links_may_not_lead_out(tmp_path: Path) -> None:
    """One inside is followed, one to a file or folder elsewhere is told and not read."""
    root, elsewhere = tmp_path / "root", tmp_path / "elsewhere"
    tree(root, rules__b_yaml="2", conf__a_yaml="1")
    tree(elsewhere, secret_yaml="s")
    (root / "rules" / "inside.yaml").symlink_to("b.yaml")
    (root / "rules" / "out.yaml").symlink_to(elsewhere / "secret.yaml")
    (root / "rules" / "far").symlink_to(elsewhere)
    (root / "rules" / "dead.yaml").symlink_to("nowhere.yaml")
    (root / "conf" / "a.yaml").unlink()
    (root / "conf" / "a.yaml").symlink_to(elsewhere / "secret.yaml")
    read = read_disk(wanted(root))
    assert read.files == {"rules/b.yaml": b"2"}
    assert {one.file: one.code for one in read.findings} == {
        "conf/a.yaml": "file-link", "rules/dead.yaml": "file-missing", "rules/far": "file-link",
        "rules/out.yaml": "file-link",
    }


def test_a_root_that_is_itself_a_link_is_fine(tmp_path: Path) -> None:
    tree(tmp_path / "real", rules__b_yaml="2", conf__a_yaml="1")
    (tmp_path / "link").symlink_to("real")
    assert len(read_disk(wanted(tmp_path / "link")).files) == 2


def test_what_is_no_regular_file_is_told_and_never_waited_for(tmp_path: Path) -> None:
    tree(tmp_path, conf__a_yaml="1", rules__b_yaml="2")
    os.mkfifo(tmp_path / "rules" / "pipe.yaml")
    (tmp_path / "rules" / "folder.yaml").mkdir()
    assert codes(tmp_path) == {"rules/pipe.yaml": "file-type"}
    (tmp_path / "conf" / "a.yaml").unlink()
    (tmp_path / "conf" / "a.yaml").mkdir()
    assert codes(tmp_path)["conf/a.yaml"] == "file-type"


def test_size_and_number_are_bounded(tmp_path: Path) -> None:
    tree(tmp_path, conf__a_yaml="1", rules__b_yaml="2")
    with (tmp_path / "rules" / "huge.yaml").open("wb") as file:
        file.truncate(10**12)
    assert codes(tmp_path) == {"rules/huge.yaml": "file-size"}
    one = replace(wanted(tmp_path), most_files=1)
    assert "file-too-many" in [found.code for found in read_disk(one).findings]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_told(tmp_path: Path) -> None:
    tree(tmp_path, conf__a_yaml="1", rules__b_yaml="2")
    (tmp_path / "rules" / "b.yaml").chmod(0)
    assert codes(tmp_path) == {"rules/b.yaml": "file-unreadable"}


def test_a_folder_and_a_file_in_it_are_read_once(tmp_path: Path) -> None:
    tree(tmp_path, rules__b_yaml="2")
    both = Wanted(
        folders={"rules": tmp_path / "rules", "again": tmp_path / "rules" / "b.yaml"}, within=(tmp_path,)
    )
    assert list(read_disk(both).files) == ["rules/b.yaml"]


class Editor:
    """Changes a file after each of the first `times` readings, as an editor saving over and over does."""

    def __init__(self, path: Path, times: int) -> None:
        self.path, self.left = path, times

    def __call__(self, wanted: Wanted) -> Read:
        found = read_files(wanted)
        if self.left:
            self.left -= 1
            self.path.write_text("x" * (100 + self.left))
        return found


def test_files_that_change_meanwhile_are_read_again(tmp_path: Path) -> None:
    """Until they stand still; where they never do, it is an error."""
    tree(tmp_path, conf__a_yaml="1", rules__b_yaml="2")
    target = tmp_path / "rules" / "b.yaml"
    read = read_disk(wanted(tmp_path), read_once=Editor(target, 2))
    assert read.findings == [] and read.files["rules/b.yaml"] == target.read_bytes()
    never_still = read_disk(wanted(tmp_path), read_once=Editor(target, 99))
    assert [one.code for one in never_still.findings] == ["file-changing"]


def test_anchors_are_those_that_code_hosts_make() -> None:
    page = b"""# USDT wobbly
text
## Feed: *silent* (again) ##
## Feed silent again
```
# no heading
```
### [Linked](http://x) heading
# Twice
# Twice
   ## \xc3\x9cber alles_und mehr
<a id="by-hand"></a>
#nothing
"""
    assert anchors_of(page) == {
        "usdt-wobbly", "feed-silent-again", "feed-silent-again-1", "linked-heading", "twice", "twice-1",
        "über-alles_und-mehr", "by-hand",
    }
    assert anchors_of(b"") == anchors_of(b"\xff\xfe# \xff") - {""} == frozenset()
