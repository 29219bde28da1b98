"""The configuration is whole or is not used, and what is shipped is whole."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from engine.ruleset.diagnostics import Severity, format_text
from engine.runtime.config import FLAGS, RULES, RUNBOOK, SETTINGS, SIGNALS, Config, load_config
from engine.runtime.provenance import Provenance, provenance

ROOT = Path(__file__).parents[2]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The shipped configuration in a place where it can be broken."""
    for name in (SETTINGS, FLAGS, SIGNALS, RUNBOOK):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    shutil.copytree(ROOT / RULES, tmp_path / RULES)
    return tmp_path


def errors(config: Config) -> list[tuple[str, str]]:
    return [(one.file, one.code) for one in config.findings if one.severity is Severity.ERROR]


def test_the_shipped_configuration_can_be_run_on() -> None:
    config = load_config(ROOT, {})
    assert config.usable, format_text(config.findings)
    assert config.rules is not None and config.catalogue is not None
    assert config.flag_book().values["DEPEG_THRESHOLD_PCT"] == 0.5
    assert config.flag_book() is not config.flag_book()
    for name in ("rules", "catalogue", "flags", "settings"):
        assert config.blobs.digest(name) == hashlib.sha256(getattr(config.blobs, name)).hexdigest()
    assert sorted(json.loads(config.blobs.rules)) == sorted(config.rule_files)


def test_the_same_files_elsewhere_have_the_same_digests(copy: Path) -> None:
    """No path, host or time enters them."""
    here, there = load_config(ROOT, {}), load_config(copy, {})
    for name in ("rules", "catalogue", "flags", "settings"):
        assert here.blobs.digest(name) == there.blobs.digest(name)
    assert there.provenance == Provenance()


def test_the_environment_is_part_of_it(copy: Path) -> None:
    config = load_config(copy, {"DEPEG_THRESHOLD_PCT": "0.4"})
    assert config.usable and config.flag_book().values["DEPEG_THRESHOLD_PCT"] == 0.4
    assert config.blobs.flags != load_config(copy, {}).blobs.flags
    assert errors(load_config(copy, {"DEPEG_THRESHOLD_PCT": "much"})) == [("environment", "flag-environment")]


@pytest.mark.parametrize("name", [SETTINGS, FLAGS, SIGNALS])
def test_one_broken_file_forbids_the_run_and_is_alone_to_blame(copy: Path, name: str) -> None:
    """A broken catalogue does not make every rule that reads it wrong as well."""
    (copy / name).write_bytes(b"version: 1\nnonsense: {\n")
    config = load_config(copy, {})
    assert not config.usable and {file for file, _ in errors(config)} == {name}


@pytest.mark.parametrize("name", [FLAGS, SIGNALS, RULES])
def test_what_must_be_there_is_missed(copy: Path, name: str) -> None:
    gone = copy / name
    shutil.rmtree(gone) if gone.is_dir() else gone.unlink()
    config = load_config(copy, {})
    assert not config.usable and [file for file, _ in errors(config)] == [name]


def test_a_folder_without_a_rule_guards_nothing(copy: Path) -> None:
    shutil.rmtree(copy / RULES)
    (copy / RULES).mkdir()
    assert errors(load_config(copy, {})) == [(RULES, "config-missing")]


def test_settings_may_be_left_out(copy: Path) -> None:
    (copy / SETTINGS).unlink()
    assert load_config(copy, {}).usable


def test_every_mistake_of_every_file_is_found_in_one_reading(copy: Path) -> None:
    (copy / SETTINGS).write_text("version: 1\nrnu: {}\n")
    (copy / RULES / "guards" / "more.yaml").write_text("version: 1\nrules: 5\n")
    (copy / RULES / "kill" / "bad.yaml").write_text("version: on\nrules: [\n")
    found = errors(load_config(copy, {"SLIPPAGE_MIN_FILLS": "-1"}))
    assert {file for file, _ in found} == {SETTINGS, "rules/guards/more.yaml", "rules/kill/bad.yaml", "environment"}


def test_a_person_may_name_rules_that_lie_elsewhere(copy: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """They are called as they were named; the rest of the configuration stays."""
    elsewhere = tmp_path_factory.mktemp("mine")
    shutil.copy(copy / RULES / "kill" / "daily_loss.yaml", elsewhere / "mine.yaml")
    config = load_config(copy, {}, rules=[elsewhere / "mine.yaml"])
    assert config.rules is not None
    assert [rule.id for rule in config.rules.rules] == ["kill.daily_loss", "kill.daily_loss.early"]
    assert list(config.rule_files) == [str(elsewhere / "mine.yaml")]
    none = elsewhere / "none.yaml"
    assert errors(load_config(copy, {}, rules=[none])) == [(str(none), "file-missing")]


def test_a_checkout_says_its_commit_and_whether_it_was_changed(tmp_path: Path) -> None:
    """Only its own: an installation inside somebody's checkout has none."""
    assert provenance(tmp_path) == Provenance()
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run([*git, "init", "-q"], check=True)
    assert provenance(tmp_path) == Provenance()
    (tmp_path / "a").write_text("1")
    subprocess.run([*git, "add", "a"], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "a", "--no-gpg-sign"], check=True)
    clean = provenance(tmp_path)
    assert len(clean.commit) == 40 and clean.dirty is False
    (tmp_path / "a").write_text("2")
    assert provenance(tmp_path) == Provenance(commit=clean.commit, dirty=True)
    (tmp_path / "below").mkdir()
    assert provenance(tmp_path / "below") == Provenance()
