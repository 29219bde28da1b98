"""`engine denylist refresh`: what the night writes into conf/event_denylist.txt, by hand."""

from __future__ import annotations

import argparse
import difflib
import os
from typing import Any

from engine.cli.shared import FINE, Failure, add_shared, home, print_json, state_dir
from engine.cli.status import last_status
from engine.model.codec import to_data
from engine.ruleset.diagnostics import format_text, has_errors
from engine.runtime.config import DENYLIST, Config, load_config
from engine.runtime.denylist_offline import Remembered, remembered
from engine.runtime.denylist_refresh import Refreshed, RefreshError, refresh_file, refreshed
from engine.runtime.wiring_journal import read_journal


def add_parser(subparsers: Any) -> None:
    """Add `denylist` to `subparsers` of the command line."""
    denylist = subparsers.add_parser(
        "denylist", help="Bring the denylist up to date with who offends, by the days on record.  Sends nothing."
    )
    verbs = denylist.add_subparsers(dest="denylist_verb", required=True, metavar="VERB")
    refresh = verbs.add_parser("refresh", help="Write what the daily refresh would write, and show what that changes.")
    refresh.add_argument("--dry-run", action="store_true", help="show what would change, and write nothing")
    add_shared(refresh)


def run(args: argparse.Namespace) -> int:
    """Refresh the file, or show how, and return the exit code."""
    config = load_config(home(), os.environ)
    if not config.flag_specs or has_errors(config.findings):
        raise Failure("the configuration has errors:\n" + format_text(config.findings), "mend it and ask again")
    path = home() / DENYLIST
    try:
        known = _known(args, config)
        before = path.read_bytes() if path.exists() else b""
        if args.dry_run:
            made = refreshed(before, path.name, known.offences, known.day, known.at)
        else:
            made = refresh_file(path, known.offences, known.day, known.at)
    except RefreshError as error:
        raise Failure(error.what, error.fix) from error
    _show(args, known, made, before)
    return FINE


def _known(args: argparse.Namespace, config: Config) -> Remembered:
    where = state_dir(args)
    last_status(where)
    reader = read_journal(where)
    try:
        return remembered(reader, config.flag_book().values)
    finally:
        reader.close()


def _show(args: argparse.Namespace, known: Remembered, made: Refreshed, before: bytes) -> None:
    diff = list(
        difflib.unified_diff(
            before.decode().splitlines(), made.data.decode().splitlines(), DENYLIST, f"{DENYLIST}, refreshed",
            lineterm="", n=1,
        )
    )
    if args.format == "json":
        print_json(
            {
                "day": known.day, "changed": made.changed, "written": made.changed and not args.dry_run,
                "offences": [to_data(one) for one in known.offences],
                "added": made.added, "extended": made.extended, "ended": made.ended, "notes": made.notes, "diff": diff,
            }
        )
        return
    for note in made.notes:
        print(f"note: {note}")
    if not made.changed:
        print(f"{DENYLIST} has what it needs: nothing to change")
        return
    print("\n".join(diff))
    print(f"{DENYLIST}: not written, this was a dry run" if args.dry_run else f"{DENYLIST}: written")
