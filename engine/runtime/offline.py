"""Commands and questions while no engine runs, answered from what the last one left.

The lock is the proof that nobody runs: whoever holds it may write where an engine would.
A run that is over takes a command at once, in the state it ended with. One that was cut
short has it journalled, and obeys it when it goes on.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.core.candidate import stand_beside
from engine.core.checkpoint import dump_state, load_state
from engine.core.report import status
from engine.core.state import State
from engine.core.step import step
from engine.model.codec import Data, canonical, decode
from engine.model.effects import CommandAnswered, Effect
from engine.model.events import (
    Command,
    Event,
    FlattenCommand,
    HaltCommand,
    Input,
    ReconcileCommand,
    Reload,
    ResumeCommand,
    SetFlagCommand,
    Start,
)
from engine.model.override_commands import (
    DenyCommand,
    MaintenanceCommand,
    RestrictCommand,
    WaiveCommand,
)
from engine.model.time import format_duration
from engine.ports.journal import Checkpoint, Journal, JournalError, JournalReader
from engine.runtime.config import Config
from engine.runtime.configured import config_of, journalled_config
from engine.runtime.control_protocol import BadRequest, ReloadRequest, failure, to_command
from engine.runtime.control_server import user_name
from engine.runtime.halt_file import STILL_THERE, HaltFile
from engine.runtime.record import Record
from engine.runtime.saved import Standing, unpack
from engine.runtime.statedir import JOURNAL, StateDir, StateError
from engine.runtime.wiring import rewire
from engine.runtime.wiring_journal import open_journal

_THEN: dict[type[Command], str] = {
    FlattenCommand: " and flatten then, or close by hand at the venue", ReconcileCommand: ": it asks first of all",
}


def journal_command(where: Path, request: Mapping[str, Any], *, root: Path, now: int) -> Data:
    """Have `request` done in the state directory `where` and return a reply like a running engine's.

    `root` is where the configuration lies; `now` (ns, wall) only marks the lock. StateError
    and JournalError as opening says.
    """
    if not (where / JOURNAL).exists():
        return failure(f"no engine has run in {where}, so there is nobody to tell", "give its --state DIR")
    try:
        command = to_command(request, user_name(os.getuid()))
    except BadRequest as error:
        return failure(error.what, error.fix)
    if isinstance(command, ReloadRequest):
        return failure("no engine is running, so there is nothing to reload", "a start reads the files: engine run")
    if isinstance(command, FlattenCommand | ReconcileCommand):
        what = "no engine is running, so nobody can close or ask anything; stops that are at the venue stay there"
        return failure(what, f"start it again on this --state{_THEN[type(command)]}")
    if isinstance(command, WaiveCommand | MaintenanceCommand):
        what = "no engine is running: a lease runs in an engine's time, and none passes here"
        return failure(what, "start the engine on this --state, then say it again")
    if isinstance(command, HaltCommand):
        command = replace(command, source="offline")
    if isinstance(command, RestrictCommand | DenyCommand | SetFlagCommand) and command.ttl:
        command = replace(command, offline=True)
    with StateDir.acquire(where, now=now) as held:
        journal = open_journal(held.path)
        try:
            if isinstance(command, ResumeCommand) and HaltFile(held.halt).present():
                return {"ok": True, "accepted": False, "text": STILL_THERE, "status": journal.get_status()}
            return {"ok": True, **_take(journal, command, root)}
        finally:
            journal.close()


def last_state(journal: JournalReader, root: Path) -> tuple[State, Standing, Data] | None:
    """Return the state of the newest checkpoint, where the run stood then, and its data; None before the first.

    JournalError where this version of the engine cannot read it.
    """
    found = journal.last_checkpoint().checkpoint
    if found is None:
        return None
    try:
        standing, data = unpack(found)
        config = config_of(journal, root, standing.source)
        # A halt must not wait for a package to be mended.
        state, _ = rewire(config, standing.producers, at=standing.at, trades=False)
        start, _ = journalled_config(journal, root)
        if start.shadow_digest:
            stand_beside(state, config_of(journal, root, start.shadow_digest).ruling())
        load_state(state, data["core"])
    except (KeyError, TypeError, ValueError, IndexError) as error:
        what = f"the state at input {found.seq} was written by another version of this engine"
        raise JournalError(what, "ask with the version that ran it") from error
    return state, standing, data


def config_in_force(journal: JournalReader, root: Path) -> Config:
    """Return the configuration that decides in the run of `journal`: its files and environment, not ours of now.

    JournalError where the journal does not say.
    """
    found = journal.last_checkpoint().checkpoint
    try:
        seq, sources = (0, []) if found is None else (found.seq, [unpack(found)[0].source])
    except (KeyError, TypeError, ValueError, IndexError) as error:
        what = "the state of this run was written by another version of this engine"
        raise JournalError(what, "ask with the version that runs it") from error
    events = (decode(Event, item.payload) for item in journal.inputs_after(seq))
    sources += [event.source_digest for event in events if isinstance(event, Start | Reload)]
    wanted = (journal.get_status() or {}).get("ruling")
    # The newest is not in force yet where its event is still on its way.
    for digest in reversed(sources[1:]):
        config = config_of(journal, root, digest)
        if config.ruling().digest == wanted:
            return config
    if not sources:
        raise JournalError("the journal has no beginning", "give the --state DIR of a run")
    return config_of(journal, root, sources[0])


def _take(journal: Journal, command: Command, root: Path) -> Data:
    tail = journal.tail()
    if not tail.seq:
        raise StateError("no run has begun here, so there is nobody to tell", "give the --state DIR of a run")
    try:
        last = last_state(journal, root)
    except JournalError:
        # A halt must be taken down also where nobody can say what it will meet.
        last = None
    if last is None or not last[1].ended or last[1].seq != tail.seq:
        if last is not None and isinstance(command, SetFlagCommand):
            # What no flag can be is said now, not when the run goes on: tried on a state that is thrown away.
            tried = _answer(step(last[0], Input(tail.seq + 1, max(tail.at, last[0].at), command)).effects)
            if tried is not None and not tried.accepted:
                return {"accepted": False, "text": tried.text, "status": journal.get_status()}
        # The engine's own time, not the wall's: on a tape the two are years apart.
        journal.append_input(tail.seq + 1, tail.at, command)
        journal.commit(durable=True)
        text = "journalled; no engine is running, so it is obeyed when this run goes on"
        if isinstance(command, RestrictCommand | DenyCommand | SetFlagCommand) and command.ttl:
            text += f", and its {format_duration(command.ttl)} begin there"
        return {"accepted": True, "text": text, "status": journal.get_status()}
    return _step(journal, command, *last)


def _step(journal: Journal, command: Command, state: State, standing: Standing, data: Data) -> Data:
    """Take `command` as the last input of a run that is over, and keep the state it leaves."""
    record = Record(journal)
    record.continue_from(standing.effect_n, standing.digest)
    seq, at = standing.seq + 1, max(standing.at, state.at)
    record.input(seq, at, command)
    effects = step(state, Input(seq, at, command)).effects
    record.effects(seq, at, effects)
    shown = {**(journal.get_status() or {}), **status(state), "running": False}
    journal.put_status(shown)
    payload = canonical({**data, "digest": record.digest.hex(), "core": dump_state(state)})
    journal.write_checkpoint(Checkpoint(seq=seq, at=at, effect_n=record.n, payload=payload))
    answer = _answer(effects)
    if answer is None:
        return {"accepted": True, "text": "done", "status": shown}
    return {"accepted": answer.accepted, "text": answer.text, "status": shown}


def _answer(effects: Sequence[Effect]) -> CommandAnswered | None:
    return next((effect for effect in effects if isinstance(effect, CommandAnswered)), None)
