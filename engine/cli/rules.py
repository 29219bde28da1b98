"""`engine rules`: check, test and evaluate rules. Sends nothing, needs no engine."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from engine.cli import rules_diff, rules_docs, rules_mutate, rules_replay, rules_why_not
from engine.cli.plain import one_line
from engine.cli.rules_formats import FORMATS, show_findings, show_results
from engine.cli.rules_snapshot import read_snapshot
from engine.cli.shared import CHECK_FAILED, FINE, INVALID, LINT_ONLY, Failure, add_shared, home, print_json
from engine.cli.text import Paint, colour_wanted, columns
from engine.cli.tracing import trace_lines
from engine.ruleset.diagnostics import Finding, Severity, format_text, has_errors, settle
from engine.ruleset.loader import RuleLoader
from engine.ruleset.suggest import fix_for
from engine.ruleset.test_demands import demand_tests
from engine.runtime.config import Config
from engine.runtime.rules_config import rules_config
from engine.workbench.evaluate_snapshot import evaluate_moment
from engine.workbench.snapshot_file import read_moment
from engine.workbench.test import run_tests

VERBS: tuple[Any, ...] = (rules_diff, rules_docs, rules_mutate, rules_replay, rules_why_not)
"""Modules of further verbs: `add_verb(verbs)` adds a parser whose default `verb` is what does it."""


def add_parser(subparsers: Any) -> None:
    """Add `rules` with its verbs to `subparsers` of the command line."""
    rules = subparsers.add_parser("rules", help="Check, test and evaluate rules.  Sends nothing.")
    verbs = rules.add_subparsers(dest="rules_verb", required=True, metavar="VERB")
    check = verbs.add_parser("check", help="Every mistake of every file at once, each with its place and a fix.")
    test = verbs.add_parser("test", help="Run the tests that stand beside the rules.")
    weigh = verbs.add_parser("eval", help="What the rules say of one snapshot of signals.")
    for parser in (check, test, weigh):
        parser.add_argument("paths", nargs="*", metavar="PATH", help="files or folders of rules (default: rules)")
        add_shared(parser, ("text", "json") if parser is weigh else FORMATS)
    weigh.add_argument("--snapshot", required=True, metavar="FILE", help="signals, flags, an order; - reads stdin")
    test.add_argument("--rule", action="append", default=[], metavar="ID", help="only this rule's tests; repeatable")
    for verb in VERBS:
        verb.add_verb(verbs)


def run(args: argparse.Namespace) -> int:
    """Do what `args` asks and return the exit code."""
    if "verb" in args:
        return int(args.verb(args))
    named = [Path(path) for path in args.paths] or None
    config = rules_config(home(), rules=named, loader=RuleLoader(today=datetime.now(UTC).date()))
    if args.rules_verb == "check":
        return _check(config, args)
    if not config.usable:
        _show(config.findings, args)
        return INVALID
    return _test(config, args) if args.rules_verb == "test" else _eval(config, args)


def _check(config: Config, args: argparse.Namespace) -> int:
    # Of a part of the rules nobody can say what none of them reads.
    unused = () if args.paths else config.unused
    demanded = () if config.rules is None else demand_tests(config.rules, config.rule_files)
    findings = settle((*config.findings, *unused, *demanded))
    _show(findings, args, files=list(config.rule_files))
    errors, lint = _counts(findings)
    if args.format == "text":
        count = len(config.rules.rules) if config.rules is not None else 0
        told = f"{count} rules in {len(config.rule_files)} files: fine" if not errors and not lint else ""
        print(told or f"{errors} errors, {lint} warnings")
    if errors or not config.usable:
        return INVALID
    return LINT_ONLY if lint else FINE


def _counts(findings: tuple[Finding, ...]) -> tuple[int, int]:
    errors = sum(finding.severity is Severity.ERROR for finding in findings)
    return errors, sum(finding.severity is Severity.WARNING for finding in findings)


def _show(findings: tuple[Finding, ...], args: argparse.Namespace, files: Sequence[str] = ()) -> None:
    if args.format != "text":
        show_findings(findings, args.format, files)
    elif findings:
        print(format_text(findings), file=sys.stderr if args.rules_verb != "check" else sys.stdout)


def _test(config: Config, args: argparse.Namespace) -> int:
    assert config.rules is not None and config.catalogue is not None
    known = [rule.id for rule in config.rules.rules]
    for name in args.rule:
        if name not in known:
            raise Failure(f"there is no rule {name}", fix_for(name, known))
    results = run_tests(config.rules, config.catalogue, config.flag_specs, only=args.rule)
    failed = [result for result in results if not result.passed]
    # A check that checked nothing has not passed.
    code = CHECK_FAILED if failed or not results else FINE
    if args.format != "text":
        show_results(results, args.format)
        return code
    paint = Paint(colour_wanted(sys.stdout))
    for result in results:
        word = paint("ok  ", "green") if result.passed else paint("FAIL", "red")
        print(f"{word}  {result.rule}: {one_line(result.test)}")
        for line in (result.error, *map(str, result.mismatches)):
            if line:
                print(f"        {one_line(line)}")
    tested = {result.rule for result in results}
    for rule in config.rules.rules:
        if rule.id not in tested and (not args.rule or rule.id in args.rule):
            print(f"      {rule.id} has no test")
    print(f"{len(results) - len(failed)} passed, {len(failed)} failed")
    return code


def _eval(config: Config, args: argparse.Namespace) -> int:
    assert config.rules is not None and config.catalogue is not None
    moment, findings = read_moment(read_snapshot(args.snapshot), args.snapshot, config.catalogue, config.flag_specs)
    if moment is None or has_errors(findings):
        _show(findings, args)
        return INVALID
    found = evaluate_moment(moment, config.rules, config.catalogue)
    if args.format == "json":
        print_json(found)
        return FINE
    for line in _weighed(found):
        print(line)
    return FINE


def _weighed(found: dict[str, Any]) -> list[str]:
    """Return what the rules said of a snapshot as text."""
    lines: list[str] = []
    for row in found["rules"]:
        reasons = f": {', '.join(row['reasons'])}" if row["reasons"] else ""
        standing = f"now {row['now']['state']}, if held {row['if_held']['state']}"
        lines.append(f"{row['instance']}  {row['truth']}{reasons}  ({standing})")
        lines += trace_lines(row["trace"], indent="    ")
    policy = found["policy"]
    rows = [(key, _word(value)) for key, value in policy.items() if key != "order" and value not in (None, [])]
    lines += ["", "policy, if this lasts", *columns(rows)]
    if "order" in policy:
        rows = [(key, _word(value)) for key, value in policy["order"].items() if value not in (None, [])]
        lines += ["for this order", *columns(rows)]
    return lines


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
