"""`engine flags` and `engine flag`: what the flags are, where each value comes from, and changing one."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engine.cli.shared import FINE, Failure, add_shared, home, print_json, state_dir
from engine.cli.status import last_status
from engine.cli.text import Paint, colour_wanted, columns, span
from engine.cli.verbs import ask
from engine.model.flag_values import unknown_flag
from engine.model.flags import REFUSES, WARNS, Layer
from engine.ruleset.diagnostics import format_text, has_errors
from engine.runtime.config import Config, load_config
from engine.runtime.flag_table import Row, flag_table
from engine.runtime.offline import config_in_force
from engine.runtime.statedir import JOURNAL, holder
from engine.runtime.wiring_journal import read_journal

_PLANNED = {
    WARNS: "what reads it does not exist yet: changed, it is told at a start and nothing comes of it",
    REFUSES: "what it would switch on does not exist yet: it cannot be changed",
}


def add_parser(subparsers: Any) -> None:
    """Add `flags` and `flag` to `subparsers` of the command line."""
    flags = subparsers.add_parser(
        "flags", help="Every flag: its value, the layer that set it, and who reads it.  Sends nothing."
    )
    flags.add_argument("name", nargs="?", default="", metavar="NAME", help="tell all about this one")
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
    putting.add_argument("--ttl", default="", metavar="D",
                         help="ends by itself after this long, such as 2h; with no engine running, from its next start")


def run(args: argparse.Namespace) -> int:
    """Do what `args` asks and return the exit code."""
    if args.command == "flags":
        return _one(args) if args.name else _list(args)
    request: dict[str, Any] = {"verb": f"flag {args.flag_verb}", "name": args.name.upper()}
    if args.flag_verb == "set":
        request["value"] = args.value
        request |= {word: getattr(args, word) for word in ("reason", "ttl") if getattr(args, word)}
    return ask(request, args)


def _list(args: argparse.Namespace) -> int:
    rows = flag_rows(_config(state_dir(args)), state_dir(args))
    if args.format == "json":
        print_json(rows)
        return FINE
    for line in table_lines(rows, Paint(colour_wanted(sys.stdout))):
        print(line)
    return FINE


def _one(args: argparse.Namespace) -> int:
    rows, name = flag_rows(_config(state_dir(args)), state_dir(args)), args.name.upper()
    found = next((row for row in rows if row["name"] == name), None)
    if found is None:
        raise Failure(unknown_flag(name, [row["name"] for row in rows]), "engine flags")
    if args.format == "json":
        print_json(found)
        return FINE
    for line in flag_lines(found, Paint(colour_wanted(sys.stdout))):
        print(line)
    return FINE


def _config(where: Path) -> Config:
    """Return what the engine that runs in `where` decides by, else what one started from this shell would."""
    if (where / JOURNAL).exists() and holder(where) is not None:
        reader = read_journal(where)
        try:
            return config_in_force(reader, home())
        finally:
            reader.close()
    config = load_config(home(), os.environ)
    if not config.flag_specs or has_errors(config.findings):
        raise Failure("the configuration has errors:\n" + format_text(config.findings), "mend it and ask again")
    return config


def flag_rows(config: Config, where: Path) -> list[Row]:
    """Return every flag of `config`, with the operator's values that the run in `where` holds."""
    if not (where / JOURNAL).exists():
        return flag_table(config, {}, 0)
    status = last_status(where)
    return flag_table(config, {item["flag"]: item for item in status["overrides"]}, status["at"])


def table_lines(rows: Sequence[Row], paint: Paint) -> list[str]:
    """Return `rows` as they are listed, under a heading for each group."""
    cells = columns([
        (row["name"], row["shown"], _whence(row), _readers(row) or _mark(row)) for row in rows
    ])
    lines: list[str] = []
    group = None
    for row, line in zip(rows, cells, strict=True):
        if row["group"] != group:
            group = row["group"]
            lines += [*([""] if lines else []), paint(group or "others", "bold")]
        lines.append(paint(line, "yellow") if row["note"] or row["layer"] == Layer.OPERATOR.value else line)
    return [*lines, "", "engine flags NAME tells all about one"]


def flag_lines(row: Row, paint: Paint) -> list[str]:
    """Return all about one flag."""
    facts = [
        ("value", f"{row['shown']} from {row['layer']}{_left(row)}"),
        ("set by", f"{row['actor']}: {row['reason']}".strip(": ")),
        ("masks", ", ".join(f"{one['value']} from {one['layer']}" for one in row["masks"])),
        ("may be", row["bounds"] or ("true, false" if row["kind"] == "bool" else "any word")),
        ("protects", f"more when {row['tightens']}" if row["tightens"] else "neither way more"),
        ("rules", ", ".join(row["rules"]) or "none"),
        ("engine", row["engine"] or "does not read it"),
        ("planned", _PLANNED.get(row["planned"], "")), ("note", row["note"]),
    ]
    lines = [paint(row["name"], "bold") + f": {row['summary']}"]
    return lines + columns([fact for fact in facts if fact[1]])


def _whence(row: Row) -> str:
    masks = f" over {row['masks'][0]['value']}" if row["masks"] else ""
    return f"{row['layer']}{masks}{_left(row)}"


def _left(row: Row) -> str:
    if row["waits_ns"] is not None:
        return f", {span(row['waits_ns'])} from the next start"
    return "" if row["left_ns"] is None else f", {span(row['left_ns'])} left"


def _readers(row: Row) -> str:
    return ", ".join([*row["rules"], *([f"engine: {row['engine']}"] if row["engine"] else [])])


def _mark(row: Row) -> str:
    return "planned" if row["planned"] else "nobody reads it"
