"""`engine rules mutate` and the demands of `engine rules check`, as a person or a pipeline meets them."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.cli.conftest import Engine

DEPEG = Path("rules/guards/depeg.yaml")
BLUNT = """    tests:
      - name: it fires, it clears and it doubts
        step: 60s
        series: {peg_usdt_usd: "_*2 0.9*6 1.0*4"}
        expect: [{at: 1m, state: held}, {at: 7m, state: firing}, {at: 11m, state: inactive}]
"""


def blunt(project: Path) -> None:
    """Leave the depeg guard one test that shows everything and says little."""
    rule = (project / DEPEG).read_text().split("    tests:\n")[0]
    (project / DEPEG).write_text(rule + BLUNT)


def test_a_survivor_is_told_with_its_place_its_change_and_what_would_kill_it(engine: Engine, project: Path) -> None:
    blunt(project)

    said = engine("rules", "mutate", "--rule", "guard.depeg.usdt", "--workers", "1")

    assert said.code == 1, said.text
    assert re.search(str(DEPEG) + r":\d+:\d+: guard\.depeg\.usdt: expr: >= -> >", said.out)
    after = said.out.split("expr: >= -> >\n")[1]
    assert after.startswith("    fix: a sample exactly at the limit")
    assert engine("rules", "check").code == 0


def test_as_data_each_mutant_has_its_verdict_and_the_sums_agree(engine: Engine, project: Path) -> None:
    blunt(project)

    said = engine("rules", "mutate", "--rule", "guard.depeg.usdt", "--format", "json", "--workers", "1")

    found = json.loads(said.out)
    (rule,) = found["rules"]
    assert said.code == 1 and found["passed"] is False and rule["rule"] == "guard.depeg.usdt"
    for verdict in ("killed", "survived", "equivalent", "invalid"):
        assert found[verdict] == rule[verdict] == sum(one["verdict"] == verdict for one in rule["mutants"])
    assert found["survived"] > 5
    assert {one["file"] for one in rule["mutants"]} == {str(DEPEG)}


def test_a_rule_that_is_not_there_and_a_file_that_does_not_load_are_exit_2(engine: Engine, project: Path) -> None:
    unknown = engine("rules", "mutate", "--rule", "guard.depeg.usd")
    (project / DEPEG).write_text((project / DEPEG).read_text().replace("peg_usdt_usd - 1", "peg_usd - 1"))
    broken = engine("rules", "mutate")

    assert unknown.code == 2 and "did you mean guard.depeg.usdt?" in unknown.text
    assert broken.code == 2 and "expr-unknown-signal" in broken.text
    assert engine("rules", "mutate", "--workers", "0").code == 2


def test_a_rule_whose_test_fails_says_so_first(engine: Engine, project: Path) -> None:
    blunt(project)
    (project / DEPEG).write_text((project / DEPEG).read_text().replace("state: firing}", "state: pending}"))

    said = engine("rules", "mutate", "--rule", "guard.depeg.usdt")

    assert said.code == 1 and "it fires, it clears and it doubts: mend this test first" in said.out


def test_check_wants_to_see_a_guard_fire_clear_and_doubt(engine: Engine, project: Path) -> None:
    rule = (project / DEPEG).read_text().split("    tests:\n")[0]
    (project / DEPEG).write_text(rule)
    none = engine("rules", "check")
    (project / DEPEG).write_text(rule + BLUNT.replace("{at: 7m, state: firing}, ", ""))
    some = engine("rules", "check", "--format", "json")

    assert none.code == 2 and re.search(str(DEPEG) + r":\d+:5: test-missing: guard\.depeg\.usdt has no test", none.out)
    found = [json.loads(line) for line in some.out.splitlines()]
    assert some.code == 2
    assert [(one["code"], one["severity"], one["line"]) for one in found] == [
        ("test-no-clearing", "error", 6), ("test-no-firing", "error", 6),
    ]


def test_the_tests_of_one_rule_can_be_run_alone(engine: Engine, project: Path) -> None:
    blunt(project)
    one = engine("rules", "test", "--rule", "guard.depeg.usdt")

    assert one.code == 0 and one.out.splitlines()[-1] == "1 passed, 0 failed"
    assert engine("rules", "test", "--rule", "guard.depeg").code == 2
