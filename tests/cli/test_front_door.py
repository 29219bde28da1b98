"""The table of commands: whose each is, and that asking for one does not pay for the others."""

from __future__ import annotations

import argparse
import subprocess
import sys
from importlib import import_module

import pytest

from engine.cli.main import COMMANDS, groups_for
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
