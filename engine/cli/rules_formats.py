"""What `rules check` and `rules test` found, for programs: SARIF, GitHub's annotations, JUnit.

Every text may come from a rule file that somebody else wrote, so each format escapes what it
prints; a test that failed is a finding at the line of what it expected.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from engine.cli.format_github import annotations_of
from engine.cli.format_junit import findings_report, results_report
from engine.cli.format_sarif import sarif
from engine.cli.shared import print_json
from engine.ruleset.diagnostics import Finding, Severity, to_json
from engine.workbench.test import TestResult

FORMATS = ("text", "json", "sarif", "github", "junit")
"""What `--format` takes in these verbs."""


def show_findings(findings: Sequence[Finding], kind: str, files: Sequence[str] = ()) -> None:
    """Print findings in the format `kind`, any of FORMATS but text; `files` are those that were looked at."""
    if kind == "json":
        for one in to_json(findings):
            print_json(one)
    elif kind == "sarif":
        print_json(sarif(findings))
    elif kind == "github":
        _lines(annotations_of(findings))
    else:
        print(findings_report(findings, files))


def show_results(results: Sequence[TestResult], kind: str) -> None:
    """Print what became of tests in the format `kind`, any of FORMATS but text."""
    if kind == "json":
        for result in results:
            print_json(_result(result))
    elif kind == "junit":
        print(results_report(results))
    elif kind == "sarif":
        print_json(sarif(failed(results)))
    else:
        _lines(annotations_of(failed(results)))


def failed(results: Sequence[TestResult]) -> list[Finding]:
    """Return a finding for each expectation that was not met, and for each test that proves nothing."""
    found = []
    for result in results:
        about = f"{result.rule}: {result.test}"
        if result.error:
            found.append(_finding(result.place, f"{about}: {result.error}", "mend the test"))
        found += [
            _finding(
                one.place, f"{about}: {one.what} should be {one.expected}, but is {one.actual}",
                "mend the rule, or what the test expects",
            )
            for one in result.mismatches
        ]
    return found


def _finding(place: Any, message: str, fix: str) -> Finding:
    return Finding(
        file=place.file, line=max(place.line, 1), column=max(place.col, 1), code="test-failed",
        severity=Severity.ERROR, message=message, fix=fix,
    )


def _lines(lines: Sequence[str]) -> None:
    for line in lines:
        print(line)


def _result(result: TestResult) -> dict[str, Any]:
    return {
        "rule": result.rule, "test": result.test, "place": str(result.place), "passed": result.passed,
        "error": result.error,
        "mismatches": [
            {
                "place": str(found.place), "at_s": found.at / 1e9, "what": found.what, "expected": found.expected,
                "actual": found.actual,
            }
            for found in result.mismatches
        ],
    }
