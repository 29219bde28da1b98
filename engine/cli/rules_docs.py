"""`engine rules docs`: the reference of rules, flags and signals, and whether the pages say what runs."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from engine.cli.shared import CHECK_FAILED, FINE, Failure, add_shared, home, print_json
from engine.ruleset.diagnostics import Finding, Severity, format_text, to_json
from engine.ruleset.ruling import Ruling
from engine.runtime.configured import ConfigError
from engine.runtime.rules_config import rules_config
from engine.workbench.docs import reference
from engine.workbench.runbook import check_runbook

PAGE = "docs/rules.md"


def add_verb(verbs: Any) -> None:
    """Add `docs` to the verbs of `engine rules`."""
    parser = verbs.add_parser(
        "docs", help="The reference of all rules, flags and signals as Markdown; --check holds the pages to what runs.",
        description=f"Prints the page. --check compares {PAGE}, and every number of the runbook, with the rules.",
    )
    parser.add_argument("--output", metavar="FILE", help=f"write it there; with --check, compare it ({PAGE})")
    parser.add_argument("--check", action="store_true", help="exit 1 where a page says anything else than what runs")
    add_shared(parser)
    parser.set_defaults(verb=_run)


def _run(args: argparse.Namespace) -> int:
    root = home()
    config = rules_config(root)
    if not config.usable:
        raise ConfigError(config.findings)
    ruling = config.ruling()
    page = reference(ruling)
    if args.check:
        return _check(args, [*_differs(args, root, page), *_runbooks(root, ruling)])
    if args.output:
        path = Path(args.output)
        if not path.parent.is_dir():
            raise Failure(f"there is no folder {path.parent}", "make it, or name another file")
        path.write_text(page, encoding="utf-8")
    if args.format == "json":
        print_json({"output": args.output, "markdown": page})
    elif not args.output:
        print(page, end="")
    return FINE


def _check(args: argparse.Namespace, findings: list[Finding]) -> int:
    if args.format == "json":
        for finding in to_json(tuple(findings)):
            print_json(finding)
    elif findings:
        print(format_text(tuple(findings)))
    else:
        print("the pages say what runs")
    return CHECK_FAILED if findings else FINE


def _differs(args: argparse.Namespace, root: Path, page: str) -> Iterator[Finding]:
    """Yield the first line in which the page on the disk is another than what runs."""
    path = Path(args.output) if args.output else root / PAGE
    name = args.output or PAGE
    again = f"run `engine rules docs --output {name}`"
    try:
        there = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        yield _finding(name, 1, f"{name} is not there, or cannot be read", again, "")
        return
    wanted = page.splitlines()
    if there == wanted:
        return
    line = next((n for n, pair in enumerate(zip(there, wanted, strict=False)) if pair[0] != pair[1]), None)
    line = min(len(there), len(wanted)) if line is None else line
    runs = wanted[line] if line < len(wanted) else "nothing"
    yield _finding(name, line + 1, f"what runs says here: {runs}", again, there[line] if line < len(there) else "")


def _runbooks(root: Path, ruling: Ruling) -> Iterator[Finding]:
    for name in sorted({rule.runbook.partition("#")[0] for rule in ruling.rules.rules}):
        path = root / name
        if path.is_file():
            yield from check_runbook(path.read_text(encoding="utf-8", errors="replace"), name, ruling)


def _finding(file: str, line: int, message: str, fix: str, source: str) -> Finding:
    return Finding(
        file=file, line=line, column=1, code="docs-drift", severity=Severity.ERROR, message=message, fix=fix,
        source_line=source,
    )
