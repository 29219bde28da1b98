"""`engine rules mutate`: make every small mistake, and see which the rules' own tests would let through."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from engine.cli.shared import CHECK_FAILED, FINE, INVALID, Failure, add_shared, home, print_json
from engine.cli.text import Paint, colour_wanted, columns
from engine.ruleset.diagnostics import format_text, to_json
from engine.ruleset.suggest import fix_for
from engine.runtime.rules_config import rules_config
from engine.workbench.mutate import Outcome, Verdict
from engine.workbench.mutate_run import MOST_EQUIVALENT_PCT, MutationReport, RuleReport, mutate
from engine.workbench.test_checks import when

_SHOWN = (Verdict.SURVIVED, Verdict.EQUIVALENT)


def add_verb(verbs: Any) -> None:
    """Add `mutate` to the verbs of `engine rules`."""
    parser = verbs.add_parser(
        "mutate", help="Make each small mistake in the rules, and see whether a test notices. Exit 1 if one survives.",
        description="A survivor is a mistake that the rule's own tests would let through.",
    )
    parser.add_argument("paths", nargs="*", metavar="PATH", help="files or folders of rules (default: rules)")
    parser.add_argument("--rule", action="append", default=[], metavar="ID", help="only this rule; repeatable")
    parser.add_argument(
        "--workers", type=int, default=min(2, os.cpu_count() or 1), metavar="N", help="processes (default: 2)",
    )
    add_shared(parser)
    parser.set_defaults(verb=_run)


def _run(args: argparse.Namespace) -> int:
    if args.workers < 1:
        raise Failure(f"--workers {args.workers} would do nothing", "give 1 or more")
    config = rules_config(home(), rules=[Path(path) for path in args.paths] or None)
    if not config.usable or config.rules is None or config.catalogue is None:
        if args.format == "json":
            for finding in to_json(config.findings):
                print_json(finding)
        else:
            print(format_text(config.findings), file=sys.stderr)
        return INVALID
    known = [spec.id for spec in config.rules.rules]
    for name in args.rule:
        if name not in known:
            raise Failure(f"there is no rule {name}", fix_for(name, known))
    began = time.monotonic()
    report = mutate(
        config.rule_files, config.catalogue, config.flag_specs, only=args.rule, workers=args.workers,
    )
    seconds = time.monotonic() - began
    if args.format == "json":
        print_json(_data(report, seconds))
    else:
        for line in _lines(report, seconds, Paint(colour_wanted(sys.stdout))):
            print(line)
    return FINE if report.passed else CHECK_FAILED


def _lines(report: MutationReport, seconds: float, paint: Paint) -> Iterator[str]:
    head = ("rule", *(verdict.value for verdict in Verdict), "step")
    rows = [
        (one.subject.spec.id, *(str(one.count(verdict)) for verdict in Verdict), when(one.subject.step))
        for one in report.rules
    ]
    counts = report.counts()
    total = ("all", *(str(counts[verdict]) for verdict in Verdict), "")
    yield from columns([head, *rows, total], right=frozenset(range(1, len(Verdict) + 1)))
    for rule, test in report.failing:
        yield f"{paint('FAIL', 'red')}  {rule}: {test}: mend this test first; its rule was not mutated"
    for one in report.rules:
        for verdict in _SHOWN:
            for outcome in one.of(verdict):
                yield ""
                yield f"{paint(verdict.value, 'red' if verdict is Verdict.SURVIVED else 'yellow')}  {outcome.mutant}"
                told = outcome.why if verdict is Verdict.EQUIVALENT else outcome.mutant.hint
                yield f"    {'because' if verdict is Verdict.EQUIVALENT else 'fix'}: {told}"
    yield ""
    yield (
        f"{counts[Verdict.KILLED]} killed, {counts[Verdict.SURVIVED]} survived, {counts[Verdict.EQUIVALENT]} equivalent"
        f" ({report.equivalent_pct:.1f} %, at most {MOST_EQUIVALENT_PCT:g} %), {counts[Verdict.INVALID]} invalid,"
        f" in {seconds:.1f} s"
    )


def _data(report: MutationReport, seconds: float) -> dict[str, Any]:
    counts = report.counts()
    return {
        "passed": report.passed, "seconds": round(seconds, 3), "equivalent_pct": round(report.equivalent_pct, 3),
        "most_equivalent_pct": MOST_EQUIVALENT_PCT, **{verdict.value: counts[verdict] for verdict in Verdict},
        "failing": [{"rule": rule, "test": test} for rule, test in report.failing],
        "rules": [_rule(one) for one in report.rules],
    }


def _rule(one: RuleReport) -> dict[str, Any]:
    return {
        "rule": one.subject.spec.id, "place": str(one.subject.spec.place), "step_s": one.subject.step / 1e9,
        **{verdict.value: one.count(verdict) for verdict in Verdict},
        "mutants": [_mutant(outcome) for verdict in Verdict for outcome in one.of(verdict)],
    }


def _mutant(outcome: Outcome) -> dict[str, Any]:
    mutant = outcome.mutant
    return {
        "verdict": outcome.verdict.value, "operator": mutant.operator, "key": mutant.key, "file": mutant.place.file,
        "line": mutant.place.line, "column": mutant.place.col, "before": mutant.before, "after": mutant.after,
        "why": outcome.why, "hint": mutant.hint,
    }
