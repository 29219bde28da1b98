"""What `explain --at` and `why-not --at` share: which instant is meant, which tape it was on, and the past itself."""

from __future__ import annotations

from pathlib import Path

from engine.cli.shared import Failure
from engine.ports.feed import Tape, TapeError
from engine.ports.journal import JournalReader
from engine.runtime.rewind import Past, began_at, fits, moment_of, rewind
from engine.runtime.wiring_tapes import named_tape


def asked_instant(reader: JournalReader, text: str | None) -> int | None:
    """Return the instant (ns) that `--at TEXT` means in the run of `reader`, None where it was not given; Failure."""
    if text is None:
        return None
    try:
        return moment_of(text, began_at(reader))
    except ValueError as error:
        fix = "write a date and a time such as 2026-03-02T23:25:00Z, a time of the run's day such as 23:25, or +1h20m"
        raise Failure(f"--at {text}: {error}", fix) from None


def tape_of(reader: JournalReader, given: str | None) -> Tape | str:
    """Return the tape that the run of `reader` was on, or why it is not at hand; a tape that was `given` must fit.

    TapeError and Failure are about a given tape only.
    """
    if given is not None:
        tape = named_tape(given)
        if not fits(reader, tape):
            raise Failure(f"{given} is not the tape that this run was on", "give that tape to --tape")
        return tape
    name = str((reader.get_status() or {}).get("tape") or "")
    if not name:
        return "the journal does not say which tape the run was on; give it with --tape"
    try:
        tape = named_tape(name)
    except (TapeError, OSError):
        return f"the tape {name} of this run is not here; give it with --tape"
    return tape if fits(reader, tape) else f"the {name} that is here is not the tape of this run; give that with --tape"


def past_of(reader: JournalReader, root: Path, until: int, tape: Tape | str) -> Past | None:
    """Return the past at `until` (ns), None where there is no tape to take the run again from; errors as `rewind`."""
    return None if isinstance(tape, str) else rewind(reader, tape, root, until)
