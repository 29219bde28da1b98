"""The sides of a comparison: what git has, what a directory has, and that reading either touches nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from engine.runtime.config import load_config
from engine.runtime.revisions import RevisionError, read_revision

ROOT = Path(__file__).resolve().parents[2]
DEPEG = "rules/guards/depeg.yaml"


def git(place: Path, *words: str) -> str:
    """Run git in `place` as a person without a configuration of their own would, and return what it printed."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    who = {f"GIT_{role}_{what}": "t@example.org" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    done = subprocess.run(
        ["git", "-C", str(place), *words], capture_output=True, text=True, check=True,
        env={**kept, **who, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull},
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository whose root is a configuration, with one commit on `main`."""
    place = tmp_path / "repository"
    place.mkdir()
    for name in ("conf", "rules"):
        shutil.copytree(ROOT / name, place / name)
    shutil.copy(ROOT / "RUNBOOK.md", place)
    git(place, "init", "-q", "-b", "main")
    git(place, "add", "-A")
    git(place, "commit", "-q", "-m", "first")
    return place


def test_a_commit_is_the_configuration_that_was_committed(repository: Path) -> None:
    committed = load_config(repository, {})
    (repository / DEPEG).write_text("nonsense: [")
    shutil.rmtree(repository / "conf")

    found = read_revision(repository, "HEAD")

    assert found.config.usable
    assert found.config.ruling().digest == committed.ruling().digest
    assert found.config.rule_files == committed.rule_files
    assert found.commit == git(repository, "rev-parse", "main") == found.config.provenance.commit


def test_reading_a_revision_changes_neither_the_index_nor_the_working_tree(repository: Path) -> None:
    (repository / DEPEG).touch()
    index = repository / ".git/index"
    before = index.read_bytes(), index.stat().st_mtime_ns, (repository / DEPEG).stat().st_mtime_ns
    (repository / ".git/index.lock").write_text("somebody else is committing")

    assert read_revision(repository, "HEAD").config.usable

    assert (repository / ".git/index.lock").read_text() == "somebody else is committing"
    assert (index.read_bytes(), index.stat().st_mtime_ns, (repository / DEPEG).stat().st_mtime_ns) == before


def test_the_repository_of_a_hook_that_runs_us_is_not_mistaken_for_ours(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(tmp_path, "init", "-q", "elsewhere")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere/.git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "elsewhere/.git/index"))

    assert read_revision(repository, "main").config.usable


def test_a_configuration_may_lie_deeper_in_the_repository(repository: Path) -> None:
    deeper = repository / "trading"
    deeper.mkdir()
    for name in ("conf", "rules", "RUNBOOK.md"):
        git(repository, "mv", name, "trading")
    git(repository, "commit", "-q", "-m", "deeper")

    assert sorted(read_revision(deeper, "HEAD").config.rule_files) == sorted(load_config(deeper, {}).rule_files)


def test_a_broken_commit_is_told_with_its_findings(repository: Path) -> None:
    (repository / DEPEG).write_text("version: 1\nrules:\n  - id: guard.x\n    kind: gard\n")
    git(repository, "commit", "-qam", "broken")

    found = read_revision(repository, "HEAD").config

    assert not found.usable
    assert {finding.file for finding in found.findings} >= {DEPEG}


def test_a_link_is_followed_inside_the_root_and_nowhere_else(repository: Path) -> None:
    (repository / "rules/again.yaml").symlink_to("guards/depeg.yaml")
    (repository / "rules/away.yaml").symlink_to("../../away.yaml")
    (repository / "rules/absolute.yaml").symlink_to("/etc/hostname")
    (repository / "rules/loop.yaml").symlink_to("loop.yaml")
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", "links")

    found = read_revision(repository, "HEAD").config

    links = {finding.file for finding in found.findings if finding.code == "file-link"}
    assert links == {"rules/away.yaml", "rules/absolute.yaml", "rules/loop.yaml"}
    assert found.rule_files["rules/again.yaml"] == found.rule_files[DEPEG]


def test_what_editors_leave_and_what_is_hidden_is_no_rule(repository: Path) -> None:
    for name in ("rules/.hidden.yaml", "rules/guards/depeg.yaml~", "rules/.old/x.yaml", "rules/notes.txt"):
        (repository / name).parent.mkdir(exist_ok=True)
        (repository / name).write_text("nonsense: [")
    git(repository, "add", "-A", "-f")
    git(repository, "commit", "-q", "-m", "left behind")

    assert read_revision(repository, "HEAD").config.usable


def test_a_directory_is_a_whole_configuration_or_rules_alone(repository: Path, tmp_path: Path) -> None:
    whole = read_revision(repository, str(repository))
    rules = tmp_path / "candidate"
    shutil.copytree(repository / "rules", rules)
    alone = read_revision(repository, str(rules))

    assert whole.config.usable and not whole.conf_from
    assert alone.config.usable and alone.conf_from == str(repository)
    assert whole.config.ruling().digest == alone.config.ruling().digest


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("no-such-branch", "there is no revision or directory no-such-branch"),
        ("--upload-pack=x", "there is no revision or directory --upload-pack=x"),
        ("", "there is no revision or directory "),
        ("HEAD:rules", "there is no revision or directory HEAD:rules"),
    ],
)
def test_what_is_neither_is_refused(repository: Path, name: str, says: str) -> None:
    with pytest.raises(RevisionError) as failure:
        read_revision(repository, name)

    assert failure.value.what == says and failure.value.fix


def test_a_name_that_means_both_is_refused(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repository / "main").mkdir()
    monkeypatch.chdir(repository)

    with pytest.raises(RevisionError, match="main is a directory and a git revision"):
        read_revision(repository, "main")
    assert read_revision(repository, "heads/main").commit
