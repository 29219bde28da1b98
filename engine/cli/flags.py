"""`engine flags` and `engine flag`: what the flags are, where each value comes from, and changing one."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from engine.cli.shared import FINE, Failure, add_shared, home, print_json, state_dir
from engine.cli.status import last_status
from engine.cli.text import columns, span
from engine.cli.verbs import ask
from engine.model.flag_values import bounds_text, flag_text, with_unit
from engine.model.flags import Layer
from engine.ruleset.diagnostics import format_text, has_errors
from engine.runtime.config import Config, load_config
from engine.runtime.statedir import JOURNAL


def add_parser(subparsers: Any) -> None:
    """Add `flags` and `flag` to `subparsers` of the command line."""
    flags = subparsers.add_parser("flags", help="Every flag, its value and the layer that set it.  Sends nothing.")
    add_shared(flags)
    flag = subparsers.add_parser("flag", help="Set or unset the operator's value of a flag.  May loosen a rule.")
    verbs = flag.add_subparsers(dest="flag_verb", required=True, metavar="VERB")
    putting = verbs.add_parser("set", help="Put a value over every other layer, in force within one event.")
    taking = verbs.add_parser("unset", help="Take the operator's value away, so that the layers below show again.")
    for parser in (putting, taking):
        parser.add_argument("name", metavar="NAME", help="as `engine flags` lists it")
        add_shared(parser)
    putting.add_argument("value", metavar="VALUE", help="a number, true, false or a word")
    putting.add_argument("--reason", default="", metavar="TEXT", help="needed where the value protects less")
    putting.add_argument("--ttl", default="", metavar="D", help="ends by itself after this long, such as 2h")


def run(args: argparse.Namespace) -> int:
    """Do what `args` asks and return the exit code."""
    if args.command == "flags":
        return _list(args)
    request: dict[str, Any] = {"verb": f"flag {args.flag_verb}", "name": args.name.upper()}
    if args.flag_verb == "set":
        request["value"] = args.value
        request |= {word: getattr(args, word) for word in ("reason", "ttl") if getattr(args, word)}
    return ask(request, args)


def _list(args: argparse.Namespace) -> int:
    config = load_config(home(), os.environ)
    if not config.flag_specs or has_errors(config.findings):
        raise Failure("the configuration has errors:\n" + format_text(config.findings), "mend it and ask again")
    rows = flag_rows(config, state_dir(args))
    if args.format == "json":
        print_json(rows)
        return FINE
    table = [
        (row["name"], row["shown"], row["layer"] + (f", {row['left']}" if row["left"] else ""), row["summary"])
        for row in rows
    ]
    for line in columns(table, indent=""):
        print(line)
    return FINE


def flag_rows(config: Config, where: Path) -> list[dict[str, Any]]:
    """Return every flag of `config`, with the operator's values that the run in `where` holds."""
    overrides: dict[str, dict[str, Any]] = {}
    now = 0
    if (where / JOURNAL).exists():
        status = last_status(where)
        now = status["at"]
        overrides = {item["flag"]: item for item in status["overrides"]}
    book = config.flag_book()
    rows: list[dict[str, Any]] = []
    for name, spec in book.specs.items():
        flag, override = book.flag(name), overrides.get(name)
        value = flag.value if override is None else override["value"]
        until = 0 if override is None else override.get("until") or 0
        rows.append(
            {
                "name": name, "value": value, "shown": with_unit(spec, value),
                "layer": flag.layer.value if override is None else Layer.OPERATOR.value,
                "below": [{"layer": layer.value, "value": flag_text(below)} for layer, below in book.layers(name)],
                "left": f"{span(until - now)} left" if until else "", "bounds": bounds_text(spec),
                "summary": spec.summary, "tightens": spec.tightens,
            }
        )
    return rows
