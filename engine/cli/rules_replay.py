"""`engine rules replay`: what rules would have done over recorded history, step by step. Sends nothing."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from engine.cli.rules_replay_text import replay_lines
from engine.cli.shared import FINE, Failure, add_shared, home, print_json
from engine.cli.text import Paint, Progress, colour_wanted
from engine.model.time import format_second
from engine.ports.history import ColumnarHistory, History
from engine.ruleset.ruling import Ruling
from engine.ruleset.suggest import fix_for
from engine.runtime.config import Config, load_config
from engine.runtime.configured import ConfigError
from engine.runtime.history import tape_history
from engine.runtime.rewind import moment_of
from engine.runtime.wiring_history import open_history
from engine.runtime.wiring_tapes import named_tape
from engine.workbench.fast import fast_replay
from engine.workbench.replay import ReplayOptions, default_rearm, replay
from engine.workbench.replay_report import Replayed, covered, replay_data
from engine.workbench.timeline import Timeline

_STEPS = 3
WORKERS = 2
"""Processes that share the days and symbols of a history."""


def add_verb(verbs: Any) -> None:
    """Add `replay` to the verbs of `engine rules`."""
    parser = verbs.add_parser(
        "replay", help="What the rules would have done over a tape or a history: when, for how long, restraining what.",
        description="TIME is an instant such as 2026-03-02T23:25:00Z, a time of the first day such as 23:25, or +1h20m "
        "from the beginning. What was known and latched before --from is replayed all the same.",
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--tape", metavar="FILE", help="a tape, demo or normal-day: the rules run on it, in memory")
    source.add_argument("--history", metavar="DIR", help="recorded history, such as state/history")
    parser.add_argument("paths", nargs="*", metavar="PATH", help="files or folders of rules (default: rules)")
    parser.add_argument("--rule", action="append", default=[], metavar="ID", help="only this rule; repeatable")
    parser.add_argument("--symbol", action="append", default=[], metavar="NAME", help="only this symbol; repeatable")
    parser.add_argument("--from", dest="begin", metavar="TIME", help="tell of what happened from here on")
    parser.add_argument("--to", "--until", dest="end", metavar="TIME", help="end here")
    parser.add_argument(
        "--rearm", choices=("recorded", "on-clear", "never"),
        help="what ends manual latches (default: recorded re-arms, on-clear where there are none)",
    )
    parser.add_argument(
        "--exact", action="store_true",
        help="take a history step by step, as a tape always is: slower, and each move says what it read",
    )
    add_shared(parser)
    parser.set_defaults(verb=_run)


def _run(args: argparse.Namespace) -> int:
    config = load_config(home(), {}, rules=[Path(path) for path in args.paths] or None)
    if not config.usable:
        raise ConfigError(config.findings)
    ruling = _chosen(config.ruling(), args.rule)
    bar = Progress(_STEPS)
    try:
        history = _history(config, args, bar)
        options = _options(history, args)
        bar.show(1, "the rules over it")
        timeline = _replayed(ruling, history, options, exact=args.exact or args.history is None)
        bar.show(2, "what was known of it")
        coverage, symbols = covered(ruling, history, timeline)
    finally:
        bar.clear()
    found = Replayed(
        ruling=ruling, header=history.header, options=options, timeline=timeline, coverage=coverage, symbols=symbols,
        chosen=f" of {len(config.ruling().rules.rules)}" if args.rule else "",
    )
    if args.format == "json":
        print_json(replay_data(found))
        return FINE
    for line in replay_lines(found, Paint(colour_wanted(sys.stdout))):
        print(line)
    return FINE


def _history(config: Config, args: argparse.Namespace, bar: Progress) -> History:
    if args.history is not None:
        return open_history(Path(args.history))
    tape = named_tape(args.tape)
    # Before the tape is taken, which may be long.
    _instant("--from", args.begin, tape.header.first_at)
    _instant("--to", args.end, tape.header.first_at)
    bar.show(0, "the tape")
    return tape_history(config, tape)


def _replayed(ruling: Ruling, history: History, options: ReplayOptions, *, exact: bool) -> Timeline:
    """Replay by columns what lies in columns: the same moves, episodes and restraints, in a hundredth of the time."""
    if exact:
        return replay(ruling, history, options=options)
    return fast_replay(ruling, cast(ColumnarHistory, history), options=options, workers=WORKERS)


def _options(history: History, args: argparse.Namespace) -> ReplayOptions:
    header = history.header
    begin, end = (
        _instant(name, text, header.first_at) for name, text in (("--from", args.begin), ("--to", args.end))
    )
    first, last = begin or header.first_at, end or header.last_at
    if not header.first_at <= first < last <= header.last_at:
        covers = f"it covers {format_second(header.first_at)} to {format_second(header.last_at)}"
        raise Failure(
            f"{header.name} has nothing from {format_second(first)} to {format_second(last)}",
            f"ask for a stretch within it: {covers}",
        )
    return ReplayOptions(
        rearm=args.rearm or default_rearm(header), symbols=frozenset(args.symbol), begin=begin, end=end,
    )


def _instant(option: str, text: str | None, begin: int) -> int | None:
    if text is None:
        return None
    try:
        return moment_of(text, begin)
    except ValueError as error:
        raise Failure(f"{option} {text}: {error}", "write 2026-03-02T23:25:00Z, 23:25 or +1h20m") from None


def _chosen(ruling: Ruling, wanted: list[str]) -> Ruling:
    """Return `ruling` with the wanted rules alone, or as it is where none is named."""
    if not wanted:
        return ruling
    known = [spec.id for spec in ruling.rules.rules]
    for name in wanted:
        if name not in known:
            raise Failure(f"there is no rule {name!r}", fix_for(name, known))
    rules = tuple(spec for spec in ruling.rules.rules if spec.id in wanted)
    return replace(ruling, rules=replace(ruling.rules, rules=rules))
