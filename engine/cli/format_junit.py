"""Findings and tests as JUnit XML, which every build server shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from xml.etree import ElementTree

from engine.cli.plain import plain
from engine.ruleset.diagnostics import Finding, Severity
from engine.workbench.test import TestResult


def findings_report(findings: Sequence[Finding], files: Sequence[str]) -> str:
    """Return one suite for each of `files`: a failed case for each error or warning, a passed one where there is none.

    What is for information only is no failure, and is left out.
    """
    by_file: dict[str, list[Finding]] = {name: [] for name in sorted(files)}
    for one in findings:
        if one.severity is not Severity.INFO:
            by_file.setdefault(one.file, []).append(one)
    suites = ElementTree.Element("testsuites", name="engine rules check")
    for name, found in by_file.items():
        suite = _suite(suites, name, max(len(found), 1), len(found))
        if not found:
            _case(suite, {"classname": name, "name": "nothing to mend", "file": name})
        for one in found:
            case = _case(suite, {
                "classname": name, "name": f"{one.code} {one.line}:{one.column}", "file": name, "line": str(one.line),
            })
            _failure(case, one.code, one.message, [str(one), f"fix: {one.fix}"])
    return _written(suites)


def results_report(results: Sequence[TestResult]) -> str:
    """Return one suite for each rule, a case for each of its tests, and in a failed one a line for each mismatch."""
    by_rule: dict[str, list[TestResult]] = {}
    for result in results:
        by_rule.setdefault(result.rule, []).append(result)
    suites = ElementTree.Element("testsuites", name="engine rules test")
    for rule, own in by_rule.items():
        suite = _suite(suites, rule, len(own), sum(not result.passed for result in own))
        for result in own:
            place = result.mismatches[0].place if result.mismatches else result.place
            case = _case(suite, {
                "classname": rule, "name": result.test, "file": place.file, "line": str(place.line),
            })
            if not result.passed:
                lines = [f"{result.place}: {result.error}"] if result.error else []
                lines += [
                    f"{one.place}: {one.what} should be {one.expected}, but is {one.actual}"
                    for one in result.mismatches
                ]
                _failure(case, "test-failed", lines[0], lines)
    return _written(suites)


def _suite(suites: ElementTree.Element, name: str, tests: int, failures: int) -> ElementTree.Element:
    return _child(suites, "testsuite", {
        "name": name, "tests": str(tests), "failures": str(failures), "errors": "0", "skipped": "0",
    })


def _case(suite: ElementTree.Element, said: Mapping[str, str]) -> ElementTree.Element:
    return _child(suite, "testcase", said)


def _failure(case: ElementTree.Element, kind: str, message: str, lines: Sequence[str]) -> None:
    _child(case, "failure", {"type": kind, "message": message}).text = "\n".join(map(_text, lines))


def _child(parent: ElementTree.Element, tag: str, said: Mapping[str, str]) -> ElementTree.Element:
    return ElementTree.SubElement(parent, tag, {key: _text(value) for key, value in said.items()})


def _text(text: str) -> str:
    """Return `text` on one line and without what XML cannot hold; the library escapes the rest."""
    return " ".join(plain(text).splitlines()).replace("\ufffe", "\ufffd").replace("\uffff", "\ufffd")


def _written(root: ElementTree.Element) -> str:
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode")
