"""Commands while no engine runs: journalled under the lock, obeyed by the next start.

The lock is the proof that nobody runs: whoever holds it may write where an engine would.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.model.codec import Data
from engine.model.events import HaltCommand
from engine.runtime.control_protocol import BadRequest, failure, to_command
from engine.runtime.control_server import user_name
from engine.runtime.statedir import JOURNAL, StateDir
from engine.runtime.wiring_journal import open_journal


def journal_command(where: Path, request: Mapping[str, Any], *, now: int) -> Data:
    """Journal `request` in the state directory `where` and return a reply like a running engine's.

    `now` (ns, wall) only marks the lock. StateError and JournalError as opening says.
    """
    if not (where / JOURNAL).exists():
        return failure(f"no engine has run in {where}, so there is nobody to tell", "give its --state DIR")
    try:
        command = to_command(request, user_name(os.getuid()))
    except BadRequest as error:
        return failure(error.what, error.fix)
    if isinstance(command, HaltCommand):
        command = replace(command, source="offline")
    with StateDir.acquire(where, now=now) as held:
        journal = open_journal(held.path)
        try:
            tail = journal.tail()
            # The engine's own time, not the wall's: on a tape the two are years apart.
            journal.append_input(tail.seq + 1, tail.at, command)
            journal.commit(durable=True)
            status = journal.get_status()
        finally:
            journal.close()
    text = "journalled; no engine is running, so it is obeyed when one goes on: `engine run --resume`"
    return {"ok": True, "accepted": True, "text": text, "status": status}
