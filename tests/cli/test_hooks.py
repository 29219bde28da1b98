"""What a team installs: the hook before a commit, the script of the workflow, and the workflow's own safety."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.cli.conftest import ROOT
from tests.runtime.test_revisions import git

TAPE = ROOT / "examples/tapes/review.tape.gz"
WORKFLOW = ROOT / ".github/workflows/rules.yml"


@pytest.fixture
def engine_command(tmp_path: Path) -> Path:
    """A command `engine` that is this interpreter and this engine."""
    command = tmp_path / "engine"
    command.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m engine "$@"\n')
    command.chmod(0o755)
    return command


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    place = tmp_path / "repository"
    place.mkdir()
    for name in ("conf", "rules", "hooks"):
        shutil.copytree(ROOT / name, place / name)
    shutil.copy(ROOT / "RUNBOOK.md", place)
    git(place, "init", "-q", "-b", "main")
    git(place, "add", "-A")
    git(place, "commit", "-q", "-m", "first")
    return place


def call(place: Path, command: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "ENGINE_"))}
    return subprocess.run(
        words, cwd=place, capture_output=True, text=True, timeout=120, check=False,
        env={**kept, "ENGINE": str(command), "RULES_TAPE": str(TAPE), **more},
    )


def wider(place: Path) -> None:
    path = place / "conf/flags.yaml"
    name = "- name: DEPEG_THRESHOLD_PCT"
    path.write_text(path.read_text().replace(name, f"{name}\n    value: 0.8"))


def test_the_hook_refuses_what_guards_less_until_somebody_answers_for_it(
    repository: Path, engine_command: Path
) -> None:
    wider(repository)
    git(repository, "add", "conf")
    # What is not staged is no part of the commit, broken as it may be.
    (repository / "rules/guards/depeg.yaml").write_text("nonsense: [")

    refused = call(repository, engine_command, "hooks/pre-commit")
    assert refused.returncode == 1 and "this commit guards less" in refused.stderr
    pasted = re.search(r'(?m)^  - pair: .*\n(?:    .*\n){3}', refused.stdout)
    assert pasted is not None

    (repository / "acks.yaml").write_text(f"version: 1\nacks:\n{pasted[0]}")
    git(repository, "add", "acks.yaml")
    answered = call(repository, engine_command, "hooks/pre-commit")
    assert answered.returncode == 0, answered.stderr
    assert "acknowledged by" in answered.stdout


def test_the_hook_refuses_rules_that_cannot_be_used_and_leaves_other_commits_alone(
    repository: Path, engine_command: Path
) -> None:
    (repository / "notes.txt").write_text("nothing to do with rules")
    git(repository, "add", "notes.txt")
    other = call(repository, engine_command, "hooks/pre-commit")
    assert (other.returncode, other.stdout) == (0, "")

    path = repository / "rules/guards/depeg.yaml"
    path.write_text(path.read_text().replace("kind: guard", "kind: gard"))
    git(repository, "add", "rules")
    assert call(repository, engine_command, "hooks/pre-commit").returncode == 1


def test_the_script_of_the_workflow_leaves_a_report_whatever_it_finds(
    repository: Path, engine_command: Path
) -> None:
    wider(repository)
    git(repository, "commit", "-qam", "wider")

    done = call(repository, engine_command, "hooks/review", "HEAD^1", "HEAD", "out", FINDINGS="github")
    assert done.returncode == 1, done.stderr
    assert sorted(path.name for path in (repository / "out").iterdir()) == ["report.html", "report.json", "report.md"]
    assert (repository / "out/report.md").read_text().startswith("## ❌ Rules: `HEAD^1` to `HEAD`")

    path = repository / "rules/guards/depeg.yaml"
    path.write_text(path.read_text().replace("kind: guard", "kind: gard"))
    broken = call(repository, engine_command, "hooks/review", "HEAD^1", "HEAD", "broken", FINDINGS="github")
    assert broken.returncode == 2 and "::error" in broken.stdout
    assert "cannot be used" in (repository / "broken/report.md").read_text()


def test_the_workflow_trusts_nothing_of_a_pull_request() -> None:
    text = WORKFLOW.read_text()
    flow = yaml.safe_load(text)
    triggers = flow[True]  # YAML 1.1 reads the key `on` so

    assert set(triggers) == {"pull_request"} and flow["permissions"] == {}
    used = re.findall(r"uses: (\S+)", text)
    assert used and all(re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", one) for one in used)
    review, comment = flow["jobs"]["review"], flow["jobs"]["comment"]
    assert set(review["permissions"].values()) == {"read"}
    assert comment["permissions"] == {"pull-requests": "write"}
    assert not any("checkout" in step.get("uses", "") for step in comment["steps"]), "it runs nothing of the request"
    assert "head.repo.full_name == github.repository" in comment["if"]
    scripts = [step["run"] for job in flow["jobs"].values() for step in job["steps"] if "run" in step]
    assert scripts and not any("${{" in script for script in scripts), "what a stranger names is never a script"


def test_the_hook_that_pre_commit_installs_is_there() -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    entry = ROOT / hook["entry"]

    assert os.access(entry, os.X_OK) and hook["pass_filenames"] is False
    assert all(re.search(hook["files"], name) for name in ("rules/guards/depeg.yaml", "conf/flags.yaml", "acks.yaml"))
    assert not re.search(hook["files"], "engine/rules.py")


def test_the_owners_named_in_the_example_own_what_there_is() -> None:
    lines = (ROOT / "CODEOWNERS.example").read_text().splitlines()
    owned = [line.split()[0] for line in lines if line and not line.startswith("#")]

    missing = [name for name in owned if not (ROOT / name.lstrip("/")).exists()]
    assert set(missing) <= {"/acks.yaml", "/conf/event_denylist.txt"}
