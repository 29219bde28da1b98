"""`engine rules diff`: what a change of rules changes, over recorded history. Sends nothing."""

from __future__ import annotations

import argparse
import json
import os
import pwd
import re
import shlex
import sys
import time
from pathlib import Path
from typing import Any

from engine.cli.rules_diff_text import report_lines
from engine.cli.shared import CHECK_FAILED, FINE, INVALID, Failure, add_shared, home, print_json, show_failure
from engine.cli.text import PLAIN, Paint, Progress, colour_wanted
from engine.model.time import parse_instant
from engine.ports.feed import TapeError
from engine.ports.history import HistoryError
from engine.ruleset.diagnostics import Finding, format_text, has_errors, to_json
from engine.runtime.comparing import Answer, Comparison, Pair, acks_of, answered, over_history, over_tape
from engine.runtime.revisions import Revision, RevisionError, read_revision
from engine.runtime.wiring_tapes import named_tape
from engine.workbench.diff_html import report_html
from engine.workbench.diff_json import report_data
from engine.workbench.diff_markdown import report_markdown
from engine.workbench.diff_report import Report
from engine.workbench.diff_words import headline

_STEPS = 5
_FORMS = {".md": "markdown", ".html": "html", ".json": "json", ".txt": "text"}
_PAIR = re.compile(r"[0-9a-f]{16}")


def add_verb(verbs: Any) -> None:
    """Add `diff` to the verbs of `engine rules`."""
    parser = verbs.add_parser(
        "diff", help="What a change of rules changes, over recorded history. Exit 1 on a loosening nobody answers for.",
        description="BASE and HEAD are git revisions or directories; `.` is the configuration as it lies here.",
    )
    parser.add_argument("base", metavar="BASE", help="what is in force: a git revision, or a directory")
    parser.add_argument("head", metavar="HEAD", help="what is proposed, likewise")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--tape", metavar="FILE", help="a tape, demo or normal-day")
    source.add_argument("--history", metavar="DIR", help="recorded history, such as state/history")
    parser.add_argument(
        "--rearm", choices=("recorded", "on-clear", "never"),
        help="what ends latches (default: recorded re-arms, on-clear where there are none)",
    )
    parser.add_argument("--from", dest="begin", metavar="TIME", help="compare from this instant on (default: all)")
    parser.add_argument("--until", metavar="TIME", help="compare up to this instant")
    parser.add_argument("--exact", action="store_true", help="replay history step by step: slow, keeps what was read")
    parser.add_argument("--workers", type=_count, default=2, metavar="N", help="processes for --history (default: 2)")
    parser.add_argument("--symbol", action="append", default=[], metavar="NAME", help="only this symbol; repeatable")
    parser.add_argument("--allow-loosening", metavar="PAIR", help="answer for the loosening of exactly this pair")
    parser.add_argument("--acks", metavar="FILE", help="acknowledgements (default: acks.yaml of HEAD)")
    parser.add_argument(
        "-o", "--output", action="append", default=[], metavar="FILE",
        help="write the report there instead of printing it: .md, .html, .json and .txt name a form; repeatable",
    )
    add_shared(parser, ("text", "json", "markdown", "html"))
    parser.set_defaults(verb=_run)


def _run(args: argparse.Namespace) -> int:
    wanted = Comparison(
        rearm=args.rearm, symbols=frozenset(args.symbol), begin=_instant("--from", args.begin),
        end=_instant("--until", args.until), asked=_asked(args),
        exact=args.exact, workers=args.workers,
    )
    if args.allow_loosening is not None and not _PAIR.fullmatch(args.allow_loosening):
        raise Failure(f"{args.allow_loosening} is no pair", "give the 16 digits that the report prints")
    sides = [_side(name) for name in (args.base, args.head)]
    broken = [side for side in sides if not side.config.usable]
    if broken:
        return _show_broken(broken, args)
    bar, done = Progress(_STEPS), 0

    def told(what: str) -> None:
        nonlocal done
        bar.show(done, what)
        done += 1

    pair = Pair(base=sides[0], head=sides[1])
    try:
        if args.tape is not None:
            report = over_tape(pair, named_tape(args.tape), wanted, told)
        else:
            report = over_history(pair, Path(args.history), wanted, told)
    except TapeError as error:
        bar.clear()
        show_failure(f"{error.place}: {error.what}", error.fix, args)
        return INVALID
    except HistoryError as error:
        raise Failure(error.what, error.fix) from None
    finally:
        bar.clear()
    told_of = _answered(report, pair, args)
    if told_of is None:
        return INVALID
    _tell(told_of, args)
    return FINE if told_of.passed else CHECK_FAILED


def _count(text: str) -> int:
    """Return `text` as a count of at least one; argparse tells of the ValueError."""
    count = int(text)
    if count < 1:
        raise ValueError(text)
    return count


def _asked(args: argparse.Namespace) -> str:
    """Return the options that decide what is compared, as they would be typed again."""
    pairs = [
        ("--tape", args.tape), ("--history", args.history), ("--rearm", args.rearm), ("--from", args.begin),
        ("--until", args.until), *(("--symbol", symbol) for symbol in args.symbol),
    ]
    words = [word for option, value in pairs if value is not None for word in (option, value)]
    return shlex.join([*words, *(["--exact"] if args.exact else [])])


def _side(name: str) -> Revision:
    try:
        return read_revision(home(), name)
    except RevisionError as error:
        raise Failure(error.what, error.fix) from None


def _instant(option: str, text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return parse_instant(text)
    except ValueError as error:
        raise Failure(f"{option}: {error}", "write an instant such as 2026-03-02T18:00:00Z") from None


def _show_broken(sides: list[Revision], args: argparse.Namespace) -> int:
    for side in sides:
        if args.format != "json":
            print(f"engine: {side.name} cannot be used", file=sys.stderr)
        _show_findings(side.config.findings, args, side=side.name)
    return INVALID


def _show_findings(findings: tuple[Finding, ...], args: argparse.Namespace, **more: str) -> None:
    if args.format == "json":
        for finding in to_json(findings):
            print_json({**more, **finding})
    else:
        print(format_text(findings), file=sys.stderr)


def _answered(report: Report, pair: Pair, args: argparse.Namespace) -> Report | None:
    """Return `report` with who answers for it; None where the acknowledgements cannot be read, having said so."""
    data = None
    if args.acks is not None:
        try:
            data = Path(args.acks).read_bytes()
        except OSError as error:
            raise Failure(f"{args.acks} cannot be read: {error.strerror}", "give another --acks") from None
    acks, findings = acks_of(pair, data, args.acks or "")
    if has_errors(findings):
        _show_findings(findings, args)
        return None
    typed = args.allow_loosening or ""
    if typed and typed != report.pair and report.loosenings:
        print(f"engine: {typed} acknowledges another pair; this one is {report.pair}", file=sys.stderr)
    return answered(report, Answer(typed=typed, by=_who(), acks=acks, now=time.time_ns()))


def _who() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"


def _tell(report: Report, args: argparse.Namespace) -> None:
    if not args.output:
        paint = Paint(colour_wanted(sys.stdout))
        print(_rendered(report, args.format, paint, indent=None), end="")
        return
    for name in args.output:
        form = _FORMS.get(Path(name).suffix, args.format)
        try:
            Path(name).write_text(_rendered(report, form, PLAIN, indent=1), encoding="utf-8")
        except OSError as error:
            raise Failure(f"{name} cannot be written: {error.strerror}", "give another --output") from None
    written = {"written": args.output, "passed": report.passed, "pair": report.pair, "loosenings": report.loosenings}
    if args.format == "json":
        print_json(written)
        return
    verdict = "passed" if report.passed else "failed"
    print(f"{', '.join(args.output)}: {verdict}: the change {headline(report)}; pair {report.pair}")


def _rendered(report: Report, form: str, paint: Paint, indent: int | None) -> str:
    if form == "markdown":
        return report_markdown(report)
    if form == "html":
        return report_html(report)
    if form == "json":
        return json.dumps(report_data(report), ensure_ascii=False, indent=indent, allow_nan=False) + "\n"
    return "\n".join(report_lines(report, paint)) + "\n"
