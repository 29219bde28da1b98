"""The corpus of broken and hostile files: each is told what is wrong, in little time and room."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from engine.ruleset.diagnostics import Severity, format_text, has_errors
from engine.ruleset.lints import LINTS
from engine.ruleset.load import load_rules
from engine.ruleset.source import read_yaml
from tests.ruleset.corpus import BROKEN, Case, cases, look, spell
from tests.ruleset.oversized import OVERSIZED
from tests.ruleset.world import ANCHORS, CATALOGUE, FLAGS

ROOT = Path(__file__).parents[2]
CASES = list(cases())
SMALL = [case for case in CASES if case.name not in OVERSIZED]
ODD_BUT_SOUND = {"yaml_minus_zero", "yaml_subnormal", "expr_call_nest"}
"""These say something odd that can mean only one thing."""
ITEMS = {*range(1, 24), 26, 30}
"""The items of the catalogue of bad inputs that are about what files say."""


@pytest.fixture(scope="module")
def told() -> dict[str, dict[str, Any]]:
    """What a process that reads every file under hard limits says of each."""
    child = subprocess.run(
        [sys.executable, "-m", "tests.ruleset.corpus"], cwd=ROOT, capture_output=True, text=True, timeout=300,
        check=False,
    )
    assert child.returncode == 0, child.stderr[-2000:]
    return {row["name"]: row for row in map(json.loads, child.stdout.splitlines())}


def test_no_file_takes_long_or_much_or_gets_out(told: dict[str, dict[str, Any]]) -> None:
    assert [name for name, row in told.items() if "escaped" in row] == []
    assert set(told) == {case.name for case in CASES}


def test_every_file_gets_exactly_its_findings(told: dict[str, dict[str, Any]]) -> None:
    wrong = {
        case.name: told[case.name]["lines"] for case in CASES
        if told[case.name]["lines"] != case.expected.read_text(encoding="utf-8").splitlines()
    }

    assert wrong == {}


def test_only_warnings_get_in(told: dict[str, dict[str, Any]]) -> None:
    """At least 150 files have an error, and nothing of them is used."""
    loaded = {name for name, row in told.items() if row["loaded"]}
    broken = {name for name, row in told.items() if any(" error " in line for line in row["lines"])}

    assert not loaded & broken
    assert loaded | broken == set(told)
    assert all(told[name]["lines"] for name in loaded - ODD_BUT_SOUND)
    assert len(broken) >= 150


@pytest.mark.parametrize("case", SMALL, ids=lambda case: case.name)
def test_what_is_told_can_be_read(case: Case) -> None:
    """In one process after others, as a long-lived engine reads them; each finding has its place, fact and fix."""
    loaded, findings = look(case)

    assert spell(case, findings) == case.expected.read_text(encoding="utf-8").splitlines()
    assert loaded is not has_errors(findings)
    assert all(one.message and one.fix and one.line > 0 and one.column > 0 for one in findings)
    assert "\x1b" not in format_text(findings)


def test_each_item_of_the_catalogue_has_its_files() -> None:
    rows = re.findall(r"^\| (\d+) \| [^|]+ \| ([^|]+) \|$", (BROKEN / "README.md").read_text(encoding="utf-8"), re.M)
    listed = {int(item): set(re.findall(r"`([^`]+)`", files)) for item, files in rows}
    names = {case.name + ("/" if case.kind == "set" else "") for case in CASES}

    assert set(listed) == ITEMS and all(listed.values())
    assert set().union(*listed.values()) == names
    assert {path.name.removesuffix(".expected") for path in BROKEN.glob("*.expected")} == {case.name for case in CASES}


def test_the_corpus_shows_every_code_that_can_be_made() -> None:
    """A mistake nobody wrote down is a message nobody has read."""
    made: set[str] = set()
    for path in (ROOT / "engine" / "ruleset").glob("*.py"):
        if path.stem not in ("lints", "lint_unused", "test_demands"):
            made |= set(re.findall(
                r'"((?:yaml|schema|expr|unit|rule|test|lint|polarity|silence|signal|flag)-[a-z-]+)"',
                path.read_text(encoding="utf-8"),
            ))
    shown = {line.split()[2] for case in CASES for line in case.expected.read_text(encoding="utf-8").splitlines()}

    # These guard against what the checks before let through, or are shown where they are made.
    elsewhere = {"schema-other", "schema-key", "expr-node", "signal-unreadable", "lint-silence-idle",
                 "lint-silence-over"}
    assert made - shown <= elsewhere
    assert {code for code in shown if code.startswith("lint-")} <= set(LINTS)


def test_all_mistakes_of_all_files_are_told_in_order() -> None:
    files = {name: text for case in SMALL if case.kind == "rules" for name, text in case.read().items()}
    loaded = load_rules(files, CATALOGUE, FLAGS, anchors=ANCHORS)

    assert loaded.rules is None
    assert list(loaded.findings) == sorted(loaded.findings)
    assert {one.file for one in loaded.findings} >= {
        f"{case.name}.yaml" for case in SMALL if case.kind == "rules" and case.name not in ODD_BUT_SOUND
    }


@pytest.mark.skipif(not hasattr(yaml, "CSafeLoader"), reason="PyYAML was built without libyaml: there is one parser")
@pytest.mark.parametrize("case", [case for case in SMALL if case.kind == "rules"], ids=lambda case: case.name)
def test_both_yaml_parsers_read_the_same(case: Case) -> None:
    """What stands where is the same with libyaml and without; of broken syntax both say that it is."""
    name, text = next(iter(case.read().items()))
    fast, found = read_yaml(text, name)
    slow, also_found = read_yaml(text, name, loader=yaml.SafeLoader)
    unread = {"yaml-syntax", "yaml-tab"}
    if unread & {one.code for one in (*found, *also_found)}:
        assert any(one.severity is Severity.ERROR for one in found)
        assert any(one.severity is Severity.ERROR for one in also_found)
        return

    assert found == also_found
    assert (fast is None) is (slow is None)
    if fast is not None and slow is not None:
        assert _placed(fast) == _placed(slow)


def _placed(node: Any) -> list[Any]:
    """Return everything a node says, with its places, so that two of them can be compared."""
    told = [(node.kind, node.line, node.col, node.style, node.text, repr(node.scalar), node.comment_col, node.spot(0))]
    told += [(name, *_placed(key), *_placed(value)) for name, key, value in node.pairs()]
    return told + [_placed(item) for item in node.items]
