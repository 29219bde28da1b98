"""The table of commands: whose each is, and that asking for one does not pay for the others."""

from __future__ import annotations

import argparse
import subprocess
import sys
from importlib import import_module

import pytest

from engine.cli.main import COMMANDS, groups_for, main
from tests.cli.conftest import ROOT


@pytest.mark.parametrize("module", COMMANDS)
def test_each_module_adds_just_the_commands_that_the_table_gives_it(module: str) -> None:
    commands = argparse.ArgumentParser().add_subparsers()

    import_module(f"engine.cli.{module}").add_parser(commands)

    assert tuple(commands.choices) == COMMANDS[module]


def test_every_module_with_a_command_is_in_the_table() -> None:
    rooms = (ROOT / "engine/cli").glob("*.py")
    assert {one.stem for one in rooms if "\ndef add_parser(" in one.read_text()} == set(COMMANDS)


def test_a_word_that_is_no_command_is_looked_for_in_all() -> None:
    assert len(groups_for("fly")) == len(groups_for("")) == len(COMMANDS)
    assert len(groups_for("flag")) == 1


def test_a_look_at_a_run_needs_neither_rules_nor_venues() -> None:
    asked = (
        "import sys\nfrom engine.cli.main import main\ntry: main(sys.argv[1:])\nexcept SystemExit: pass\n"
        "sys.exit(any(name.startswith(('engine.ruleset', 'engine.exchange', 'engine.core')) for name in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", asked, "status", "--help"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def said(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as left:
        main(words)
    assert left.value.code == 2
    return capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("statsu", "argument COMMAND: there is no 'statsu': did you mean status?"),
        ("rules chekc", "argument VERB: there is no 'chekc': did you mean check?"),
        ("run --mode limitedlive", "argument --mode: there is no 'limitedlive': did you mean limited-live?"),
        ("flag", "say which: engine flag set|unset"),
        ("venue serve --from -5m", "argument --from: '-5m' is not a duration: write a number and ms, s, m, h or d"),
        ("deny", "the following arguments are required: SYMBOL"),
    ],
)
def test_a_typing_error_is_told_with_what_was_meant(
    words: str, meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert meant in said(words.split(), capsys)


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_list_of_commands_fits_the_terminal(width: int) -> None:
    environment = {"PATH": "/usr/bin:/bin", "COLUMNS": str(width)}
    asked = [sys.executable, "-m", "engine", "--help"]
    shown = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True, env=environment).stdout

    assert max(map(len, shown.splitlines())) <= width, shown
    listed = {line.split()[0] for line in shown.splitlines() if line.startswith("  ") and line[2] != " "}
    assert listed >= {name for names in COMMANDS.values() for name in names}
