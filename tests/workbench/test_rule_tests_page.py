"""The page about tests shows a rule that works, and names what there is."""

from __future__ import annotations

import re

from engine.ruleset.load import load_rules
from engine.ruleset.test_demands import TEST_CODES, demand_tests
from engine.ruleset.testcase import Deed
from engine.workbench.test import failures, run_tests
from tests.conftest import ROOT
from tests.rules.timelines import shipped

PAGE = (ROOT / "docs" / "rule-tests.md").read_text(encoding="utf-8")


def test_the_example_loads_passes_and_meets_the_demands() -> None:
    found = re.search(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    loaded = shipped()
    assert found is not None and loaded.catalogue is not None
    files = {"page.yaml": found[1].encode()}
    read = load_rules(files, loaded.catalogue, loaded.flag_specs)
    assert read.rules is not None, read.findings
    results = run_tests(read.rules, loaded.catalogue, loaded.flag_specs)

    assert len(results) == 2 and list(failures(results)) == []
    assert demand_tests(read.rules, files) == ()


def test_every_event_and_every_demand_is_named() -> None:
    for deed in Deed:
        assert f"| `{deed}` |" in PAGE
    for code in TEST_CODES:
        assert f"`{code}`" in PAGE
