"""`engine restrict`, `deny`, `waive`, `maintenance` and what ends them; `engine overrides` lists all of it.

Forbidding more takes no option that must be there. Letting more through takes a reason and
ends by itself.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

from engine.cli.override_lines import override_lines
from engine.cli.shared import FINE, add_shared, called_as, print_json, state_dir, state_flag
from engine.cli.status import Page, last_status
from engine.cli.text import Paint, colour_wanted
from engine.cli.verbs import ask
from engine.model.overrides import ALL

_WORDS = ("symbol", "venue", "intent", "level", "size_mult", "mute", "max_notional_usd", "maker_off", "ttl", "reason")
_LISTED = ("overrides", "restrictions", "denials", "denied_by_file", "waivers", "maintenance", "lapsing")


def add_parser(subparsers: Any) -> None:
    """Add the verbs to `subparsers` of the command line."""
    overrides = subparsers.add_parser(
        "overrides", help="What is laid over the rules, the time left and what ends it.  Sends nothing."
    )
    restrict = subparsers.add_parser(
        "restrict", help="Forbid more than the rules do, for all or for a symbol.  May send cancels.",
        description="Forbids more than the rules do. Says nothing of how, and no new entries are let in.",
    )
    _add_restrict(restrict)
    unrestrict = subparsers.add_parser("unrestrict", help="End restrictions of `restrict`.  Orders may follow.")
    which = unrestrict.add_mutually_exclusive_group()
    which.add_argument("which", nargs="?", default="", metavar="SYMBOL|NUMBER", help="default: those about no symbol")
    which.add_argument("--all", action="store_true", help="every restriction")
    deny = subparsers.add_parser("deny", help="No entries in a symbol, until `undeny`.  Sends nothing.")
    deny.add_argument("symbol", metavar="SYMBOL")
    _add_ttl(deny)
    undeny = subparsers.add_parser("undeny", help="End a denial of `deny`.  Orders may follow.")
    undeny.add_argument("symbol", metavar="SYMBOL")
    waive = subparsers.add_parser("waive", help="Lift what a rule forbids, for at most 4 h.  Orders may follow.")
    waive.add_argument("rule", metavar="RULE[/INSTANCE]", help="a rule, or one instance of it: guard.x/paper,PINEUSDT")
    waive.add_argument("--for", dest="lasts", required=True, metavar="TIME", help="how long, such as 30m; at most 4h")
    waive.add_argument("--reason", required=True, metavar="TEXT", help="why more may be let through")
    unwaive = subparsers.add_parser("unwaive", help="End a waiver before its time.  May send cancels.")
    ended = unwaive.add_mutually_exclusive_group(required=True)
    ended.add_argument("rule", nargs="?", metavar="RULE[/INSTANCE]", help="as it was waived")
    ended.add_argument("--all", action="store_true", help="every waiver")
    maintenance = subparsers.add_parser(
        "maintenance", help="Expect to be degraded: pause entries, latch nothing for it.  Sends nothing.",
    )
    how = maintenance.add_mutually_exclusive_group(required=True)
    how.add_argument("--until", metavar="INSTANT", help="with its zone: 2026-03-02T21:00:00Z; at most 4h away")
    how.add_argument("--for", dest="lasts", metavar="TIME", help="how long, such as 30m; at most 4h")
    how.add_argument("--end", action="store_true", help="it is over")
    maintenance.add_argument("--reason", default="", metavar="TEXT", help="for the journal and the next on duty")
    for parser in (overrides, restrict, unrestrict, deny, undeny, waive, unwaive, maintenance):
        add_shared(parser)


def _add_restrict(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("symbol", nargs="?", default="", metavar="SYMBOL", help="default: every symbol")
    parser.add_argument("--venue", default="", metavar="VENUE", help="only there")
    parser.add_argument("--intent", default="", metavar="INTENT", help="only orders of this intent, such as SCALP")
    parser.add_argument(
        "--level", default="", metavar="LEVEL", help="entries_paused (where nothing else is said), reduce_only, halted"
    )
    parser.add_argument("--size-mult", metavar="X", help="cut new orders to this fraction of their size")
    parser.add_argument("--max-notional-usd", metavar="USD", help="no new order may be worth more")
    parser.add_argument("--mute", nargs="+", metavar="INTENT", help="no new orders of these intents")
    parser.add_argument("--maker-off", action="store_true", help="no order rests as a maker, whatever gates grant")
    _add_ttl(parser)


def _add_ttl(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--ttl", default="", metavar="TIME", help="how long, such as 30m (default: until it is ended)")
    parser.add_argument("--reason", default="", metavar="TEXT", help="for the journal and the next on duty")


def run(args: argparse.Namespace) -> int:
    """Do what `args` ask and return the exit code: 0 done, 1 refused, 2 not understood or nobody to ask."""
    return _show(args) if args.command == "overrides" else ask(request_of(args), args)


def request_of(args: argparse.Namespace) -> dict[str, Any]:
    """Return what `args` ask of an engine, as it goes over the wire; what was not said is left out."""
    said: dict[str, Any]
    if args.command in ("restrict", "deny"):
        said = {word: getattr(args, word, None) for word in _WORDS}
    elif args.command == "unrestrict":
        said = {"which": ALL if args.all else args.which}
    elif args.command in ("waive", "unwaive"):
        every = getattr(args, "all", False)
        said = {"rule": ALL if every else args.rule, "for": getattr(args, "lasts", ""), "reason": _reason(args)}
    elif args.command == "maintenance":
        said = {"for": args.lasts, "until": args.until, "end": args.end, "reason": args.reason}
    else:
        said = {"symbol": args.symbol}
    return {"verb": args.command, **{word: value for word, value in said.items() if value not in (None, "", False)}}


def _reason(args: argparse.Namespace) -> str:
    return str(getattr(args, "reason", ""))


def _show(args: argparse.Namespace) -> int:
    status = last_status(state_dir(args))
    if args.format == "json":
        listed = {name: status.get(name) for name in _LISTED}
        print_json({"at": status["at"], "running": status["running"], **listed})
        return FINE
    page = Page(command=called_as(), flags=state_flag(args), paint=Paint(colour_wanted(sys.stdout)))
    if not status["running"]:
        print("No engine is running here; this is what the last one knew.")
    for line in override_lines(status, page.paint, page.pasted) or ["nothing is laid over the rules"]:
        print(line)
    return FINE
