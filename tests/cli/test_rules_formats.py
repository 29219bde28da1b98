"""What programs read of `rules check` and `rules test`: whole whatever a rule file says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from engine.cli.format_github import annotations_of
from engine.cli.format_junit import findings_report, results_report
from engine.cli.format_sarif import sarif
from engine.cli.rules_formats import failed
from engine.ruleset.diagnostics import Finding, Severity
from engine.ruleset.spec import Place
from engine.workbench.test import TestResult
from tests.cli.conftest import Engine

MESSAGE = {
    "type": "object", "required": ["text"], "properties": {"text": {
        # 3.11.5: a brace outside a placeholder is doubled; nothing here has arguments, so none is single.
        "type": "string", "minLength": 1, "pattern": r"^([^{}]|\{\{|\}\})*$", "not": {"pattern": r"\]\("},
    }},
}
SARIF: dict[str, Any] = {
    "type": "object", "required": ["$schema", "version", "runs"],
    "properties": {
        "version": {"const": "2.1.0"},
        "runs": {"type": "array", "items": {
            "type": "object", "required": ["tool", "results", "columnKind"],
            "properties": {
                "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                "tool": {"type": "object", "required": ["driver"], "properties": {"driver": {
                    "type": "object", "required": ["name"],
                    "properties": {"name": {"type": "string", "minLength": 1}, "rules": {"type": "array", "items": {
                        "type": "object", "required": ["id"],
                        "properties": {"id": {"type": "string"}, "shortDescription": MESSAGE, "help": MESSAGE},
                    }, "uniqueItems": True}},
                }}},
                "results": {"type": "array", "items": {
                    "type": "object", "required": ["message"], "additionalProperties": False,
                    "properties": {
                        "ruleId": {"type": "string"}, "ruleIndex": {"type": "integer", "minimum": 0},
                        "level": {"enum": ["none", "note", "warning", "error"]}, "message": MESSAGE,
                        "locations": {"type": "array", "items": {
                            "type": "object", "required": ["physicalLocation"],
                            "properties": {"physicalLocation": {"type": "object", "properties": {
                                "artifactLocation": {"type": "object", "properties": {"uri": {
                                    # 3.10: a URI reference (RFC 3986), so none of what that does not know.
                                    "type": "string", "pattern": r"^[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]*$",
                                }}},
                                "region": {"type": "object", "required": ["startLine"], "properties": {
                                    "startLine": {"type": "integer", "minimum": 1},
                                    "startColumn": {"type": "integer", "minimum": 1},
                                }},
                            }}},
                        }},
                    },
                }},
            },
        }},
    },
}
"""What SARIF 2.1.0 (OASIS, 3.13 to 3.30) asks of the properties that are written here."""

HOSTILE = st.one_of(st.text(max_size=60), st.lists(st.sampled_from([
    "::error file=x::", "::set-output name=a::b", "##[command]", "%0A", "%", "\n", "\r", "\x1b[31m", "\x00", "\ufffe",
    "<script>", "]]>", "&amp;", '"', "'", "{0}", "[click](http://x)", "\u202e", "\ud7ff", ",", ":", "=", "é", "a b",
]), max_size=8).map("".join))
FINDINGS = st.builds(
    Finding, file=HOSTILE.filter(bool), line=st.integers(1, 9), column=st.integers(1, 9), code=HOSTILE,
    severity=st.sampled_from(Severity), message=HOSTILE, fix=HOSTILE, source_line=HOSTILE,
)
UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e]")


@settings(max_examples=50, deadline=None)
@given(st.lists(FINDINGS, max_size=4))
def test_sarif_is_what_the_specification_asks_for(found: list[Finding]) -> None:
    log = json.loads(json.dumps(sarif(found)))

    Draft202012Validator(SARIF).validate(log)
    run = log["runs"][0]
    assert len(run["results"]) == len(found)
    for one, result in zip(found, run["results"], strict=True):
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"] == one.code
        assert not UNSEEN.search(result["message"]["text"])


@settings(max_examples=50, deadline=None)
@given(st.lists(FINDINGS, max_size=4))
def test_an_annotation_is_one_line_and_one_command(found: list[Finding]) -> None:
    """Decoded the way the runner does, it says what the finding says."""
    lines = annotations_of(found)

    assert len("\n".join(lines).splitlines()) == len(found)
    for one, line in zip(found, lines, strict=True):
        match = re.fullmatch(r"::(error|warning|notice) ((?:[a-z]+=[^,:]*)(?:,[a-z]+=[^,:]*)*)::([^\r\n]*)", line)
        assert match is not None
        said = dict(part.split("=", 1) for part in match[2].split(","))
        assert list(said) == ["file", "line", "col", "title"]
        assert (said["line"], said["col"]) == (str(one.line), str(one.column))
        name = said["file"].replace("%2C", ",").replace("%3A", ":").replace("%0A", "\n")
        assert name.replace("%25", "%") == "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in one.file)
        assert not UNSEEN.search(line)


@settings(max_examples=50, deadline=None)
@given(st.lists(FINDINGS, max_size=4), st.lists(HOSTILE, max_size=2))
def test_junit_of_findings_can_be_parsed_and_counted(found: list[Finding], files: list[str]) -> None:
    told = [one for one in found if one.severity is not Severity.INFO]
    root = ElementTree.fromstring(findings_report(found, files))

    assert len(root.findall("./testsuite/testcase/failure")) == len(told)
    for suite in root:
        assert int(suite.get("tests", "")) == len(suite) and len(suite) > 0
        assert int(suite.get("failures", "")) == len(suite.findall("testcase/failure"))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.builds(
    TestResult, rule=HOSTILE, test=HOSTILE, place=st.builds(Place, HOSTILE, st.integers(0, 9), st.integers(0, 9)),
    error=HOSTILE,
), max_size=4))
def test_junit_of_tests_can_be_parsed_and_counted(results: list[TestResult]) -> None:
    root = ElementTree.fromstring(results_report(results))

    assert len(root.findall("./testsuite/testcase")) == len(results)
    assert len(root.findall("./testsuite/testcase/failure")) == sum(not result.passed for result in results)
    Draft202012Validator(SARIF).validate(sarif(failed(results)))


BAD_RULE = """version: 1
rules:
  - id: guard.health.halted
    kind: guard
    summary: "::error::x %0A <b>"
    runbook: RUNBOOK.md#nowhere
    expr: health_measurd >= 2
    restrain: {level: halted}
"""


@pytest.mark.parametrize("kind", ["json", "sarif", "github", "junit"])
def test_a_broken_rule_is_told_in_every_format(engine: Engine, project: Path, kind: str) -> None:
    (project / "rules" / "guards" / "a b.yaml").write_text(BAD_RULE)
    said = engine("rules", "check", "--format", kind)

    assert said.code == 2
    assert "expr-unknown-signal" in said.out and "health_measured" in said.out
    if kind == "sarif":
        Draft202012Validator(SARIF).validate(json.loads(said.out))
        assert '"uri": "rules/guards/a%20b.yaml"' in said.out
    if kind == "junit":
        assert ElementTree.fromstring(said.out).find(".//failure") is not None


@pytest.mark.parametrize("kind", ["text", "json", "sarif", "github", "junit"])
def test_a_failing_test_is_told_in_every_format(engine: Engine, project: Path, kind: str) -> None:
    depeg = project / "rules" / "guards" / "depeg.yaml"
    depeg.write_text(depeg.read_text().replace("state: pending", "state: firing", 1))
    line = depeg.read_text()[:depeg.read_text().index("state: firing")].count("\n") + 1
    said = engine("rules", "test", "--format", kind)

    assert said.code == 1
    assert "guard.depeg.usdt" in said.out and str(line) in said.out
    if kind == "junit":
        case = ElementTree.fromstring(said.out).find(".//testcase[failure]")
        assert case is not None and (case.get("file"), case.get("line")) == ("rules/guards/depeg.yaml", str(line))
    if kind == "github":
        assert said.out.startswith(f"::error file=rules/guards/depeg.yaml,line={line},")


def test_the_shipped_set_has_nothing_to_mend(engine: Engine, project: Path) -> None:
    said = engine("rules", "check", "--format", "json")

    assert (said.code, said.out) == (0, "")


def test_a_flag_and_a_signal_that_nobody_reads_are_told(engine: Engine, project: Path) -> None:
    flags, signals = project / "conf" / "flags.yaml", project / "conf" / "signals.yaml"
    flags.write_text(flags.read_text() + "  - {name: NOBODY_ASKS, kind: bool, default: true, summary: x}\n")
    signals.write_text(re.sub(r"\n    lint: [^\n]*fill_ms[^\n]*|\n    lint: [^\n]*execution[^\n]*", "",
                              signals.read_text()))
    found = [json.loads(line) for line in engine("rules", "check", "--format", "json").out.splitlines()]

    assert [(one["file"], one["code"]) for one in found] == [
        ("conf/flags.yaml", "lint-unused-flag"), ("conf/signals.yaml", "lint-unused-signal"),
    ]
    assert engine("rules", "check").code == 3
    assert engine("rules", "check", "rules/guards").code == 0  # of a part nobody can say what none reads


def test_other_verbs_know_no_other_formats(engine: Engine) -> None:
    assert engine("rules", "eval", "--snapshot", "-", "--format", "sarif").code == 2
