"""`engine tape`: make tapes of recordings, and say what a tape holds. Sends nothing."""

from __future__ import annotations

import argparse
from typing import Any

from engine.cli.shared import CHECK_FAILED, FINE, INVALID, add_shared, called_as, print_json, show_failure
from engine.cli.text import Progress, columns
from engine.model.codec import decimal_text, to_data
from engine.model.instruments import Instrument
from engine.model.time import format_duration, format_instant
from engine.ports.feed import Tape, TapeError
from engine.runtime.wiring_tapes import Imported, ImportOptions, import_files, named_tape

NAMED_DAMAGE = 20
"""Damaged lines that the text form names; JSON has them all."""


def add_parser(subparsers: Any) -> None:
    """Add `tape` with its verbs to `subparsers` of the command line."""
    tape = subparsers.add_parser("tape", help="Make a tape of a recording, or say what one holds.  Sends nothing.")
    verbs = tape.add_subparsers(dest="tape_verb", required=True, metavar="VERB")
    making = verbs.add_parser(
        "import", help="Make a tape of recordings; every line is accounted for.",
        description="Reads hftbacktest lines, cryptofeed files and parquet tables; several files make one tape.",
    )
    making.add_argument("files", nargs="+", metavar="FILE", help="a recording; what it is, is found out")
    making.add_argument("-o", "--out", required=True, metavar="TAPE", help="the tape to make; .gz packs it")
    making.add_argument("--venue", metavar="NAME", help="the venue, where the recording does not say or says wrong")
    making.add_argument("--symbol", metavar="NAME", help="the symbol, likewise; ASSET/QUOTE for oracle rounds")
    telling = verbs.add_parser("info", help="Say what a tape holds, and check every line of it.")
    telling.add_argument("tape", metavar="TAPE", help="a file, demo or normal-day")
    for parser in (making, telling):
        add_shared(parser)


def run(args: argparse.Namespace) -> int:
    """Do what `args` asks and return the exit code: 0 fine, 1 damaged lines found, 2 unusable input."""
    try:
        return _import(args) if args.tape_verb == "import" else _info(args)
    except TapeError as error:
        show_failure(f"{error.place}: {error.what}", error.fix, args)
        return INVALID


def _import(args: argparse.Namespace) -> int:
    bar = Progress(1_000)
    try:
        done = import_files(
            args.files, args.out, ImportOptions(venue=args.venue, symbol=args.symbol),
            lambda share, lines: bar.show(round(share * 1_000), f"{lines:,} lines"),
        )
    finally:
        bar.clear()
    if args.format == "json":
        print_json(_import_data(args.out, done))
    else:
        print("\n".join(_import_text(args.out, done)))
    return FINE


def _import_data(out: str, done: Imported) -> dict[str, Any]:
    account = done.account
    return {
        "tape": out, "lines": account.lines, "used": dict(account.used), "skipped": dict(account.skipped),
        "damaged": account.damaged, "damage": account.damage, "unaccounted": account.unaccounted,
        "added": dict(account.added), "notes": account.notes, "events": done.header.events,
        "first_at": format_instant(done.header.first_at), "last_at": format_instant(done.header.last_at),
    }


def _import_text(out: str, done: Imported) -> list[str]:
    account, header = done.account, done.header
    span = format_duration(header.last_at - header.first_at)
    rows = [
        (title, f"{count:,}", what)
        for title, counts in (("used", account.used), ("skipped", account.skipped), ("added", account.added))
        for what, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    ]
    rows += [("damaged", f"{account.damaged:,}", ""), ("unaccounted for", f"{account.unaccounted:,}", "")]
    lines = [f"{out}: {header.events:,} events over {span} from {account.lines:,} lines"]
    lines += columns(rows, right=frozenset({1}))
    lines += [f"  {each}" for each in account.damage[:NAMED_DAMAGE]]
    lines += [f"  note: {note}" for note in account.notes]
    return [*lines, f"  run it: {called_as()} run --tape {out}"]


def _info(args: argparse.Namespace) -> int:
    tape = named_tape(args.tape)
    bar, read = Progress(max(tape.header.last_at - tape.header.first_at, 1)), 0
    for read, (at, _) in enumerate(tape.events(), start=1):
        if read % 20_000 == 0:
            bar.show(at - tape.header.first_at, f"{read:,} events")
    bar.clear()
    if args.format == "json":
        print_json(_info_data(tape, read))
    else:
        print("\n".join(_info_text(tape, read)))
    return _standing(tape)


def _standing(tape: Tape) -> int:
    if any(damage.ends_tape for damage in tape.damaged):
        return INVALID
    return CHECK_FAILED if tape.damaged else FINE


def _info_data(tape: Tape, read: int) -> dict[str, Any]:
    header = tape.header
    data: dict[str, Any] = to_data(header)
    data["first_at"], data["last_at"] = format_instant(header.first_at), format_instant(header.last_at)
    for chapter in data["chapters"]:
        chapter["start"], chapter["end"] = format_instant(chapter["start"]), format_instant(chapter["end"])
    data["events"] = header.events if header.events >= 0 else read
    return {**data, "read": read, "damaged": to_data(tape.damaged), "clamped": tape.clamped}


def _info_text(tape: Tape, read: int) -> list[str]:
    header = tape.header
    span = format_duration(header.last_at - header.first_at)
    lines = [f"{header.name}: {header.source}"]
    lines += columns([
        ("events", f"{read:,} read" + (f" of {header.events:,}" if header.events >= 0 else "")),
        ("time", f"{format_instant(header.first_at)} to {format_instant(header.last_at)}, {span}"),
        ("venues", ", ".join(header.venues) or "-"),
        ("symbols", ", ".join(header.symbols) or "-"),
        ("producers", ", ".join(sorted(header.producers))),
        *((kind, f"{count:,}") for kind, count in header.streams),
        ("damaged", f"{len(tape.damaged):,}"),
        *((f"{each.venue} {each.symbol}", _fineness(each)) for each in header.instruments),
    ])
    lines += columns([(format_instant(each.start), each.name) for each in header.chapters])
    if tape.clamped:
        lines.append(f"  {tape.clamped:,} events arrived before their predecessor and were moved to its instant")
    lines += [f"    line {damage.line}: {damage.what}" for damage in tape.damaged[:NAMED_DAMAGE]]
    if any(damage.ends_tape for damage in tape.damaged):
        lines.append("    fix: copy the tape again, or import it again; a run ends where it ends")
    return lines


def _fineness(instrument: Instrument) -> str:
    return f"{instrument.kind.value}, tick {decimal_text(instrument.tick)}, step {decimal_text(instrument.step)}"
