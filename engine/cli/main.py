"""The command line's front door: which command, and what its end means to the shell."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from textwrap import wrap
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, cast

import engine
from engine.cli.parser import Parser
from engine.cli.shared import INTERNAL, INVALID, Failure, print_json, show_failure
from engine.cli.text import columns

if TYPE_CHECKING:
    from engine.ruleset.diagnostics import Finding

_EXITS = "exit status: 0 fine, 1 check failed, 2 invalid input, 3 lint only, 4 inconclusive, 5 internal error"
_INTERRUPTED = 130
COMMANDS = {
    "run": ("run",),
    "preflight": ("preflight",),
    "status": ("status",),
    "account": ("positions", "orders"),
    "explain": ("explain",),
    "flags": ("flags", "flag"),
    "verbs": ("halt", "resume", "rearm", "reload", "flatten", "reconcile"),
    "overrides": ("overrides", "restrict", "unrestrict", "deny", "undeny", "waive", "unwaive", "maintenance"),
    "denylist": ("denylist",),
    "rules": ("rules",),
    "tape": ("tape",),
    "simulate": ("simulate",),
    "venue": ("venue",),
}
"""The commands of each module of this room, in the order of the help page. Only the module of the command that was
typed is imported: `engine status` answers in a sixth of the time that everything would take to import."""


class _FrontDoor(Parser):
    """Lists the commands one a line: what each does, and whether money can move."""

    commands: Any = None
    """The group of subcommands; argparse keeps their help only inside it."""

    def format_help(self) -> str:
        """Return the page that `engine --help` prints."""
        rows: list[tuple[str, ...]] = []
        for choice in self.commands._get_subactions() if self.commands else ():
            rows.append((choice.dest, *_halves(choice.help or "")))
        lines = columns(rows)
        width = shutil.get_terminal_size((120, 24)).columns
        if max(map(len, lines), default=0) > width:
            lines = list(_narrow(rows, width))
        rest = "  engine COMMAND --help tells the rest."
        return "\n".join(["A trading runbook that runs.", "", *lines, "", rest, *wrap(_EXITS, width), ""])


def _narrow(rows: Sequence[tuple[str, ...]], width: int) -> Iterator[str]:
    """Yield each row's name and behind it the rest, one sentence after the other, in the width that there is."""
    name_width = max(len(row[0]) for row in rows)
    for name, *rest in rows:
        told = wrap(" ".join(rest), max(20, width - name_width - 4)) or [""]
        yield from (f"  {name if not i else '':{name_width}}  {line}" for i, line in enumerate(told))


def _halves(text: str) -> tuple[str, ...]:
    what, _, money = text.partition("  ")
    return what, money.strip()


Runner = Callable[[argparse.Namespace], int]


class Group(Protocol):
    """A module of commands: it adds their parsers and runs any of them."""

    def add_parser(self, subparsers: Any, /) -> None:
        """Add the group's commands."""

    def run(self, args: argparse.Namespace, /) -> int:
        """Run one of them and return its exit code."""


def build_parser(groups: Sequence[Group]) -> tuple[argparse.ArgumentParser, dict[str, Runner]]:
    """Return the parser of `groups`, and who runs each command."""
    parser = _FrontDoor(prog="engine")
    parser.add_argument("--version", action="version", version=f"engine {engine.__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=Parser)
    parser.commands = commands
    runners: dict[str, Runner] = {}
    for group in groups:
        group.add_parser(commands)
        for name in commands.choices:
            runners.setdefault(name, group.run)
    return parser, runners


def groups_for(word: str) -> list[Group]:
    """Return the module whose command `word` is; every module if it is no command."""
    wanted = [module for module, names in COMMANDS.items() if word in names] or COMMANDS
    return [cast(Group, import_module(f"engine.cli.{module}")) for module in wanted]


def main(argv: Sequence[str] | None = None, groups: Sequence[Group] | None = None) -> int:
    """Run one command, of `groups` where they are given, and return its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    parser, runners = build_parser(groups_for(words[0] if words else "") if groups is None else groups)
    if not words:
        parser.print_help()
        return 2
    args = parser.parse_args(words)
    try:
        return runners[args.command](args)
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has had enough; that is no failure of ours.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as failure:
        place = f"{failure.filename}: " if failure.filename else ""
        show_failure(place + (failure.strerror or str(failure)), "check the path, its rights and the disk", args)
        return INVALID
    except Exception as failure:
        return _failed(failure, args)


def _failed(failure: Exception, args: argparse.Namespace) -> int:
    # Imported here: knowing every error by its class takes most of the engine, and most commands end well.
    from engine.ports.feed import TapeError
    from engine.ports.history import HistoryError
    from engine.ports.journal import JournalError
    from engine.runtime.configured import ConfigError
    from engine.runtime.control_client import ControlError
    from engine.runtime.options import RunError
    from engine.runtime.statedir import StateError

    if isinstance(failure, ConfigError):
        _show_findings(failure.findings, args)
        return INVALID
    if isinstance(failure, Failure | RunError | StateError | JournalError | TapeError | ControlError | HistoryError):
        place = f"{failure.place}: " if isinstance(failure, TapeError) else ""
        show_failure(place + failure.what, failure.fix, args)
        return getattr(failure, "exit_code", INVALID)
    return _internal(failure, args)


def _show_findings(findings: tuple[Finding, ...], args: argparse.Namespace) -> None:
    from engine.ruleset.diagnostics import format_text, to_json

    if getattr(args, "format", "text") == "json":
        print_json({"error": {"what": "the configuration has mistakes", "findings": to_json(findings)}})
    else:
        print(format_text(findings), file=sys.stderr)


def _internal(failure: Exception, args: argparse.Namespace) -> int:
    if os.environ.get("ENGINE_DEBUG"):
        traceback.print_exception(failure)
    last = traceback.extract_tb(failure.__traceback__)[-1]
    where = f"{os.path.basename(last.filename)}:{last.lineno}"
    show_failure(
        f"internal error, {type(failure).__name__} at {where}: {failure}",
        "this is a defect of the engine; run again with ENGINE_DEBUG=1 and report what it prints", args,
    )
    return INTERNAL


def entry() -> NoReturn:
    """Run the command line and leave the process with its exit code."""
    sys.exit(main())
