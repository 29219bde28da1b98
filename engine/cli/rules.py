"""`engine rules`: check, test and evaluate rules. Sends nothing, needs no engine."""

from __future__ import annotations

import argparse
from typing import Any

from engine.cli.shared import add_shared


def add_parser(subparsers: Any) -> None:
    """Add `rules` with its verbs to `subparsers` of the command line."""
    rules = subparsers.add_parser("rules", help="Check, test and evaluate rules.  Sends nothing.")
    verbs = rules.add_subparsers(dest="rules_verb", required=True, metavar="VERB")
    check = verbs.add_parser("check", help="Every mistake of every file at once, each with its place and a fix.")
    test = verbs.add_parser("test", help="Run the tests that stand beside the rules.")
    weigh = verbs.add_parser("eval", help="What the rules say of one snapshot of signals.")
    for parser in (check, test, weigh):
        parser.add_argument("paths", nargs="*", default=["rules"], metavar="PATH", help="files or folders (default: rules)")
        add_shared(parser, state=False)
    weigh.add_argument("--snapshot", required=True, metavar="FILE", help="signals, flags and perhaps an order, as JSON; - for stdin")


def run(args: argparse.Namespace) -> int:
    """Do what `args` asks and return the exit code."""
    raise NotImplementedError(args.rules_verb)
