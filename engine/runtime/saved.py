"""What a checkpoint of a run holds, and how a run goes on from one.

State at n is checkpoint c and all inputs c+1..n. On a tape the market and the simulated
venue run again by themselves; only what came from outside, the operator's commands, is
taken from the journal, at the very place it had.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from engine.core.asking import insist_on_dumps
from engine.core.checkpoint import dump_state, load_state
from engine.core.state import State
from engine.model.codec import Data, canonical, decode
from engine.model.events import (
    Command,
    Event,
    FlattenCommand,
    HaltCommand,
    RearmCommand,
    ReconcileCommand,
    Reload,
    ReloadRefused,
    ResumeCommand,
    SetFlagCommand,
    StrategyFailed,
    UnsetFlagCommand,
)
from engine.model.override_commands import (
    DenyCommand,
    EndMaintenanceCommand,
    MaintenanceCommand,
    RestrictCommand,
    UndenyCommand,
    UnrestrictCommand,
    UnwaiveCommand,
    WaiveCommand,
)
from engine.ports.feed import TAPE_ACTOR
from engine.ports.journal import Checkpoint, JournalError, JournalReader
from engine.ports.venue import SimulatedVenue

FORMAT = 2
_FROM_OUTSIDE = (
    HaltCommand, ResumeCommand, RearmCommand, SetFlagCommand, UnsetFlagCommand, Reload, ReloadRefused, FlattenCommand,
    ReconcileCommand, RestrictCommand, UnrestrictCommand, DenyCommand, UndenyCommand, WaiveCommand, UnwaiveCommand,
    MaintenanceCommand, EndMaintenanceCommand, StrategyFailed,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a run stood when its checkpoint was written."""

    seq: int
    at: int
    effect_n: int
    digest: bytes
    tape: str
    """Which tape it was on; a resumption on another one is refused."""
    source: str
    """The journal's blob of the configuration in force then."""
    feed_index: int
    taken: int
    """Market events taken so far."""
    ended: bool
    producers: tuple[str, ...]
    """Who spoke on the tape: which signals were wired."""


def pack(standing: Standing, state: State, venue: Data) -> Checkpoint:
    """Return the checkpoint of a run as canonical, versioned bytes; `venue` is what a simulated one dumped, or None.

    Raises Unsaid where a strategy cannot say what it remembers: the core has to be told first.
    """
    data = {
        "format": FORMAT, "digest": standing.digest.hex(), "tape": standing.tape, "source": standing.source,
        "feed_index": standing.feed_index,
        "taken": standing.taken, "ended": standing.ended, "producers": list(standing.producers),
        "core": dump_state(state), "venue": venue,
    }
    try:
        payload = canonical(data)
    except Exception:
        insist_on_dumps(state)
        raise
    return Checkpoint(seq=standing.seq, at=standing.at, effect_n=standing.effect_n, payload=payload)


def unpack(checkpoint: Checkpoint) -> tuple[Standing, dict[str, Any]]:
    """Return where the run stood and the data of its parts; ValueError for a format we do not know."""
    data = json.loads(checkpoint.payload)
    if data.get("format") != FORMAT:
        raise ValueError(f"its format is {data.get('format')!r}, this engine reads {FORMAT}")
    standing = Standing(
        seq=checkpoint.seq, at=checkpoint.at, effect_n=checkpoint.effect_n, digest=bytes.fromhex(data["digest"]),
        tape=data["tape"], source=data["source"], feed_index=data["feed_index"], taken=data["taken"],
        ended=data["ended"], producers=tuple(data["producers"]),
    )
    return standing, data


def restore(data: dict[str, Any], state: State, venue: SimulatedVenue) -> None:
    """Make `state` and `venue`, freshly wired, what they were.

    JournalError where a strategy cannot take up what it remembered: without it the run would be another one.
    """
    load_state(state, data["core"])
    for name, (why, _) in sorted(state.unloaded.items()):
        what = f"strategy {name} cannot take up what it remembered ({why})"
        raise JournalError(what, "go on with the version of its package that wrote it")
    venue.load(data["venue"])


def commands_after(journal: JournalReader, seq: int) -> dict[int, tuple[int, Command]]:
    """Return the operator's commands behind `seq`: by their seq, (at, command).

    What the operator of a tape's story typed is the tape's to say again.
    """
    found: dict[int, tuple[int, Command]] = {}
    for item in journal.inputs_after(seq):
        event = decode(Event, item.payload)
        if isinstance(event, _FROM_OUTSIDE) and getattr(event, "actor", "") != TAPE_ACTOR:
            found[item.seq] = (item.at, event)
    return found
