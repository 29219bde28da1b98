"""A kill or guard whose tests do not show it firing, clearing and in doubt is said to, at its own line."""

from __future__ import annotations

import pytest

from engine.ruleset.diagnostics import Finding, Severity
from engine.ruleset.test_demands import TEST_CODES, demand_tests
from tests.rules.timelines import shipped
from tests.ruleset.rules_text import file_of, rule
from tests.ruleset.world import load

GUARD: dict[str, str | None] = {"id": "guard.a", "kind": "guard", "restrain": "{level: halted}"}
FIRES, CLEARS = "{at: 5s, state: firing}", "{at: 10s, state: inactive}"
DOUBT = "{at: 4s, state: held}"


def demanded(*tests: str, **changes: str | None) -> tuple[Finding, ...]:
    """Return what is demanded of one guard whose tests expect these things (each the inside of a list)."""
    items = [
        f"\n      - {{name: t{number}, step: 5s, series: {{health_measured: 0}}, {test}}}"
        for number, test in enumerate(tests)
    ]
    text = file_of(rule(**{**GUARD, "tests": "".join(items) or None, **changes}))
    loaded = load(text)
    assert loaded.rules is not None, loaded.findings
    return demand_tests(loaded.rules, {"rules.yaml": text.encode()})


def codes(*tests: str, **changes: str | None) -> list[str]:
    return [one.code for one in demanded(*tests, **changes)]


def expect(*claims: str) -> str:
    return f"expect: [{', '.join(claims)}]"


def test_all_three_in_one_test_or_in_several_are_enough() -> None:
    assert codes(expect(FIRES, CLEARS, DOUBT)) == []
    assert codes(expect(FIRES, CLEARS), expect(DOUBT)) == []
    assert codes("transitions: [5s firing, 10s clearing, 15s cooldown, 20s held]") == []


@pytest.mark.parametrize(("tests", "missing"), [
    ([expect(CLEARS, DOUBT)], ["test-no-clearing", "test-no-firing"]),
    ([expect(FIRES, DOUBT)], ["test-no-clearing"]),
    ([expect(FIRES, CLEARS)], ["test-no-unknown"]),
    ([expect(FIRES), expect(CLEARS, DOUBT)], ["test-no-clearing"]),
    ([expect(FIRES, "{at: 10s, state: clearing}", DOUBT)], ["test-no-clearing"]),
    ([expect("{at: 5s, latched: true}")], ["test-no-clearing", "test-no-firing", "test-no-unknown"]),
    ([expect("{at: 5s, state: inactive}", "{at: 10s, state: firing}", DOUBT)], ["test-no-clearing"]),
    ([], ["test-missing"]),
])
def test_what_is_not_shown_is_demanded(tests: list[str], missing: list[str]) -> None:
    assert codes(*tests) == missing


@pytest.mark.parametrize("doubt", [
    "{at: 5s, truth: unknown}", "{at: 5s, why: stale}", "{at: 5s, why: [firing, missing]}", "{at: 5s, state: held}",
])
def test_doubt_is_claimed_of_the_truth_its_reason_or_the_state(doubt: str) -> None:
    assert codes(expect(FIRES, CLEARS), expect(doubt)) == []


def test_clearing_is_of_the_instance_that_fired() -> None:
    by: dict[str, str | None] = {"expr": "daily_loss_pct >= 3", "by": "[account]"}
    claims = "{at: 5s, labels: {account: a}, state: firing}", "{at: 10s, labels: {account: b}, state: inactive}"
    text = f"{expect(*claims, DOUBT)}".replace("series: {health_measured: 0}", "series: {}")
    items = f"\n      - {{name: t, step: 5s, series: {{daily_loss_pct: 0}}, {text}}}"
    loaded = load(file_of(rule(**{**GUARD, **by, "tests": items})))
    assert loaded.rules is not None, loaded.findings

    assert [one.code for one in demand_tests(loaded.rules, {})] == ["test-no-clearing"]


def test_a_demand_stands_at_the_rule_with_its_line_and_a_fix() -> None:
    (found,) = demanded(expect(FIRES, DOUBT))

    assert (found.file, found.line, found.column, found.severity) == ("rules.yaml", 3, 5, Severity.ERROR)
    assert found.source_line.strip() == "- id: guard.a" and "state: inactive" in found.fix and found.code in TEST_CODES


def test_other_kinds_without_tests_are_warned_of_and_their_tests_are_their_own_affair() -> None:
    (found,) = demanded(id="cutback.a", kind="cutback", restrain="{size_mult: 0.5}")

    assert (found.code, found.severity) == ("test-missing", Severity.WARNING)
    assert codes(expect(CLEARS), id="cutback.a", kind="cutback", restrain="{size_mult: 0.5}") == []


def test_every_shipped_rule_meets_the_demands() -> None:
    loaded = shipped()
    assert loaded.rules is not None

    assert demand_tests(loaded.rules, loaded.rule_files) == ()
