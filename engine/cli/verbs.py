"""`engine halt`, `flatten`, `resume`, `rearm`, `reload`, `reconcile`: the operator's hands on an engine.

A running engine is asked over its socket and answers with what is in force then. With
none running the command is journalled under the lock, so that the next start obeys it.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.cli.override_lines import waived_line
from engine.cli.shared import (
    CHECK_FAILED,
    FINE,
    INVALID,
    add_shared,
    called_as,
    home,
    print_json,
    state_dir,
    state_flag,
)
from engine.cli.status import Page, last_status, restraint_lines
from engine.model.time import SECOND
from engine.runtime.control_client import NoEngine, call
from engine.runtime.offline import journal_command
from engine.runtime.wiring import system_clock

_LOOK_S = 0.25


def add_parser(subparsers: Any) -> None:
    """Add the verbs to `subparsers` of the command line."""
    halt = subparsers.add_parser("halt", help="Stop everything that adds risk, now. Needs no reason.  Sends cancels.")
    halt.add_argument("--reason", default="", metavar="TEXT", help="for the journal and the next on duty")
    resume = subparsers.add_parser("resume", help="End the operator's own halt; nothing else.  Orders may follow.")
    rearm = subparsers.add_parser("rearm", help="End a latch whose rule is known to be false.  Orders may follow.")
    which = rearm.add_mutually_exclusive_group(required=True)
    which.add_argument("latch", nargs="?", metavar="LATCH", help="its number or name, as `engine status` lists it")
    which.add_argument("--cleared", action="store_true", help="every latch whose rule is known to be false")
    reload = subparsers.add_parser(
        "reload", help="Read rules/ and conf/ now, and say what became of it.  Orders may follow."
    )
    reload.add_argument(
        "--allow-loosening", default="", metavar="PAIR", help="the 16 hex digits of a change that protects less"
    )
    flatten = subparsers.add_parser(
        "flatten", help="Halt, take entries back, close every position, then the stops.  Sends orders."
    )
    flatten.add_argument("--reason", default="", metavar="TEXT", help="for the journal and the next on duty")
    flatten.add_argument(
        "--wait", type=float, default=60.0, metavar="SECONDS", help="how long to wait until all is flat (default: 60)"
    )
    reconcile = subparsers.add_parser(
        "reconcile", help="Ask every venue now how orders and positions stand.  Sends questions."
    )
    for parser in (halt, resume, rearm, reload, flatten, reconcile):
        add_shared(parser)


def run(args: argparse.Namespace) -> int:
    """Do what `args` ask and return the exit code: 0 done, 1 refused, 2 nobody to ask."""
    request: dict[str, Any] = {"verb": args.command}
    if args.command in ("halt", "flatten") and args.reason:
        request["reason"] = args.reason
    if args.command == "flatten":
        done = ask(request, args)
        return _until_flat(args) if done == FINE else done
    if args.command == "reload" and args.allow_loosening:
        request["allow"] = args.allow_loosening
    if args.command == "rearm":
        request["latch"] = "--cleared" if args.cleared else args.latch
    return ask(request, args)


def ask(request: Mapping[str, Any], args: argparse.Namespace) -> int:
    """Have `request` done by the engine of the state directory, show its answer, return the exit code."""
    where = state_dir(args)
    reply = done_by(where, request)
    if args.format == "json":
        print_json(reply)
    else:
        for line in answer_lines(reply, Page(command=called_as(), flags=state_flag(args))):
            print(line)
    if not reply.get("ok"):
        return INVALID
    return FINE if reply.get("accepted", True) else CHECK_FAILED


def _until_flat(args: argparse.Namespace) -> int:
    """Tell how the positions go until none is left and no stop either; 1 where that takes longer than was waited."""
    clock = system_clock()
    ends, told = clock.monotonic() + round(args.wait * SECOND), ""
    while clock.monotonic() < ends:
        status = last_status(state_dir(args))
        left = [f"{row['quantity']} {row['symbol']}" for row in status["positions"]]
        orders = status["orders"]["open"]
        if not left and not orders and not status.get("flattening"):
            _say(args, "flat: no position and no order is left")
            return FINE
        now = f"left: {', '.join(left) or 'no position'}, {orders} orders"
        if now != told:
            _say(args, now)
            told = now
        if not status["running"]:
            _say(args, "the engine stopped; start it again on this --state: it goes on closing")
            return CHECK_FAILED
        time.sleep(_LOOK_S)
    _say(args, "not flat yet; it goes on closing, `engine positions` tells how far it is")
    return CHECK_FAILED


def _say(args: argparse.Namespace, text: str) -> None:
    print(text, file=sys.stderr if args.format == "json" else sys.stdout, flush=True)


def done_by(where: Path, request: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answer of the running engine in `where`, or of its journal when none runs."""
    try:
        return call(where, request)
    except NoEngine:
        reply: dict[str, Any] = journal_command(where, request, root=home(), now=system_clock().now())
        return reply


def answer_lines(reply: Mapping[str, Any], page: Page) -> list[str]:
    """Return what was done or why not, and what is in force now."""
    if not reply.get("ok"):
        return [f"not done: {reply.get('error', '')}", f"    fix: {reply.get('fix', '')}"]
    lines = [("done: " if reply.get("accepted", True) else "refused: ") + str(reply.get("text", ""))]
    lines += _reloaded(reply.get("reload") or {}, done=bool(reply.get("accepted", True)))
    status = reply.get("status")
    if status:
        lines.append(f"now: {status['line']}: {status['why']}")
        waived = waived_line(status, page.paint)
        lines += [waived] if waived else []
        lines += restraint_lines(status, page)
    return lines


def _reloaded(told: Mapping[str, Any], *, done: bool) -> list[str]:
    """Return what a reload changed or what keeps it from being taken."""
    if done:
        return [f"    {line}" for line in (*told.get("changed", ()), *told.get("warnings", ()))]
    lines = [f"    {line}" for line in told.get("findings", ())]
    return [*lines, f"    fix: {told['fix']}"] if told.get("fix") else lines
