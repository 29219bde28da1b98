"""The part of the wiring that knows the tapes: names to feeds, recordings to tapes.

Beside `wiring.py` the only place of the shell that names a tape adapter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from engine.adapters.tape_demo import demo_tape
from engine.adapters.tape_file import open_tape
from engine.adapters.tape_import import Progress, import_tape
from engine.adapters.tape_import_account import Account, Imported, ImportOptions
from engine.adapters.tape_normal_day import normal_day_tape
from engine.ports.feed import Tape

__all__ = ["GENERATED", "Account", "ImportOptions", "Imported", "import_files", "named_tape"]

GENERATED: dict[str, Callable[[], Tape]] = {"demo": demo_tape, "normal-day": normal_day_tape}
"""The tapes that need no file."""


def named_tape(name: str) -> Tape:
    """Return the generated tape called `name`, else the tape in the file `name`; TapeError if there is neither.

    `./demo` names a file that is called like a generated tape.
    """
    if name in GENERATED:
        return GENERATED[name]()
    return open_tape(Path(name))


def import_files(files: Sequence[str], out: str, options: ImportOptions, progress: Progress | None = None) -> Imported:
    """Make the tape `out` of `files`; see `adapters.tape_import.import_tape`."""
    return import_tape([Path(file) for file in files], Path(out), options, progress)
