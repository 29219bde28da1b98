"""What a run on a real venue goes on from: always the same way, after a stop, a crash or never having run.

The newest checkpoint, then every input behind it once more, market events too, each effect
compared with the digest chain in the journal. Nothing is performed: what was sent was sent,
and what was not is found out by asking the venue. The `Start` behind it says that a new
process speaks from here on, so that every order without an answer is of unknown fate.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from engine.core.broken import Unsaid
from engine.core.checkpoint import dump_state, load_state
from engine.core.state import State
from engine.core.step import step, wake
from engine.model.codec import Data, canonical, decode
from engine.model.effects import Effect, PlaceOrder
from engine.model.events import Event, Input, RecoveryBroken, Reload, RunMode, Start
from engine.ports.journal import Checkpoint, Journal, JournalError
from engine.ports.venue import SimulatedVenue
from engine.runtime.config import SETTINGS, STRATEGIES, Config, config_from_source
from engine.runtime.configured import config_of
from engine.runtime.record import Diverged, Record
from engine.runtime.reload import InForce
from engine.runtime.saved import Standing, pack, unpack
from engine.runtime.wiring import rewire, strategies_of

LIVE = "live"
"""What stands in a checkpoint where a tape's identity would."""
Read = Callable[[str], Config]
"""Returns the configuration whose source is the blob of this digest."""


@dataclass(kw_only=True)
class Recovered:
    """A run as it stood, ready for the `Start` of a new process."""

    state: State
    record: Record
    seq: int
    at: int
    config: Config
    source: str
    """The blob of `config`."""
    known: dict[str, InForce]
    notes: tuple[str, ...] = ()
    broken: RecoveryBroken | None = None
    """What the core is to be told behind its `Start`, where the journal could not be run through again."""
    producers: tuple[str, ...] = ()
    again: int = 0
    """How many inputs were taken again."""
    paper: SimulatedVenue | None = None
    """Where the orders of a dry run go. It is not run through again: its account is asked, like any other."""


def begin_or_recover(
    journal: Journal, config: Config, producers: Iterable[str], at: int, read: Read | None = None
) -> Recovered:
    """Return the run in `journal` as it stood, or a fresh one of `config` that begins at `at` (ns).

    `config` is what stands on the disk: a run that goes on keeps the rules it had, which are
    reloaded like any other edit, and takes the settings. What it returns is checkpointed.
    JournalError where the journal holds a run on a tape, or was written by another version.
    """
    spoken = tuple(sorted(producers))
    if not journal.tail().seq and journal.last_checkpoint().checkpoint is None:
        return _kept(_fresh(journal, config, spoken, at), journal)
    found = recover(journal, read or (lambda digest: config_of(journal, config.root, digest)))
    return _kept(_resettled(found, journal, config, spoken), journal)


def _fresh(journal: Journal, config: Config, producers: tuple[str, ...], at: int) -> Recovered:
    source = journal.put_blob(config.blobs.source)
    state, paper = rewire(config, producers, at=at)
    return Recovered(
        state=state, paper=paper, record=Record(journal), seq=0, at=at, config=config, source=source,
        producers=producers, known={state.ruling.digest: InForce(config=config, source=source)},
    )


def recover(journal: Journal, read: Read) -> Recovered:
    """Return the run in `journal` as it stood when its last committed record was written."""
    newest = journal.last_checkpoint()
    if newest.checkpoint is None:
        raise JournalError("the journal holds a run that never stood still", "move the state directory away")
    try:
        standing, data = unpack(newest.checkpoint)
        if standing.tape != LIVE:
            raise JournalError("the state directory holds a run on a tape", "give another --state DIR")
        config = read(standing.source)
        state, paper = rewire(config, standing.producers, at=standing.at)
        if standing.seq:
            # Before its first input a core has moves to tell that no checkpoint holds: it is made anew.
            load_state(state, data["core"])
        if data["venue"] is not None:
            paper.load(data["venue"])
    except (KeyError, TypeError, ValueError) as error:
        what = f"the state at input {newest.checkpoint.seq} was written by another version of this engine ({error})"
        raise JournalError(what, "go on with the version that wrote it, or halt it there and begin anew") from error
    found = Recovered(
        state=state, record=Record(journal), seq=standing.seq, at=standing.at, config=config, source=standing.source,
        known={state.ruling.digest: InForce(config=config, source=standing.source)}, notes=newest.damaged,
        producers=standing.producers, paper=paper,
    )
    found.record.continue_from(standing.effect_n, standing.digest)
    try:
        _take_again(found, journal, read)
    except Diverged as error:
        _break_off(found, journal, standing.effect_n, str(error))
    return found


def _take_again(found: Recovered, journal: Journal, read: Read) -> None:
    state, record, tail = found.state, found.record, journal.tail()
    for item in journal.all_after(found.seq):
        event = decode(Event, item.payload)
        if isinstance(event, Reload):
            config = read(event.source_digest)
            state.offered[event.ruling] = config.ruling()
            found.known[event.ruling] = InForce(config=config, source=event.source_digest)
        made = step(state, Input(item.seq, item.at, event))
        found.seq, found.at = item.seq, item.at
        found.again += 1
        record.effects(item.seq, item.at, made.effects)
    if record.n < tail.effect_n:
        # Timers that fired behind the last input, and before anything else came.
        made = wake(state, tail.at)
        found.at = max(found.at, tail.at)
        record.effects(found.seq, tail.at, made.effects)
    if record.n < tail.effect_n:
        raise Diverged(f"effect {record.n + 1} stands in the journal and does not follow from its inputs")


def _break_off(found: Recovered, journal: Journal, effect_n: int, why: str) -> None:
    """Keep the state as far as it went, and name every order that left since `effect_n`: it may be at the venue."""
    left = [decode(Effect, effect.payload) for effect in journal.effects_after(effect_n)]
    known = found.state.execution.order
    orders = tuple(one for one in left if isinstance(one, PlaceOrder) and known(one.client_id) is None)
    tail = journal.tail()
    found.broken = RecoveryBroken(what=why, orders=orders)
    found.seq, found.at = max(found.seq, tail.seq), max(found.at, tail.at)
    found.record.go_on_at(tail.effect_n, tail.digest)


def _resettled(found: Recovered, journal: Journal, disk: Config, producers: tuple[str, ...]) -> Recovered:
    """Let the settings on the disk hold for a run that goes on; rules are a matter of reloading."""
    decides = found.known[found.state.ruling.digest]
    found.config, found.source = decides.config, decides.source
    same = disk.blobs.settings == found.config.blobs.settings
    alike = _as_chosen(disk) == _as_chosen(found.config)
    if same and alike and found.producers == producers:
        return found
    _insist_on_owners(found.state, disk)
    config = with_settings(found.config, disk)
    source = journal.put_blob(config.blobs.source)
    state, _ = rewire(config, producers, at=found.at)
    state.offered = found.state.offered
    if found.seq:
        try:
            load_state(state, dump_state(found.state))
        except Unsaid as error:
            fix = f"go on with {SETTINGS} and {STRATEGIES} as they were, or mend its package"
            raise JournalError(str(error), fix) from error
    found.state, found.config, found.source, found.producers = state, config, source, producers
    found.known[state.ruling.digest] = InForce(config=config, source=source)
    if not same:
        found.notes = (*found.notes, f"{SETTINGS} was edited since: what it says now holds")
    if not alike:
        names = ", ".join(one.name for one in config.strategies) or "none"
        found.notes = (*found.notes, f"{STRATEGIES} was edited since: what runs now is {names}")
    return found


def _as_chosen(config: Config) -> list[tuple[str, Data]]:
    return [(one.name, dict(one.parameters)) for one in config.strategies]


def _insist_on_owners(state: State, disk: Config) -> None:
    """Refuse a start without a strategy that has orders: its stops would stay, and nobody would follow them."""
    names = {one.name for one in disk.strategies}
    for strategy in state.strategies:
        held = sorted({one.symbol for one in state.execution.all_live() if one.proposer == strategy.name})
        if strategy.name not in names and held:
            what = f"{STRATEGIES} no longer names {strategy.name}, which has orders on {', '.join(held)}"
            raise JournalError(what, "put it back, flatten or wait until it is flat, and take it out then")


def with_settings(config: Config, disk: Config) -> Config:
    """Return `config` with the settings and strategies files of `disk`."""
    kept, new = json.loads(config.blobs.source), json.loads(disk.blobs.source)
    mine = (SETTINGS, STRATEGIES)
    files = {name: text for name, text in kept["files"].items() if name not in mine}
    files |= {name: new["files"][name] for name in mine if name in new["files"]}
    return config_from_source(config.root, canonical({**kept, "files": files}))


def _kept(found: Recovered, journal: Journal) -> Recovered:
    """Checkpoint what a run begins or goes on with, so that a crash from here on has where to begin."""
    with suppress(Unsaid):
        # Where a strategy cannot say what it remembers, the running engine finds that out and gives it up.
        journal.write_checkpoint(live_checkpoint(found, found.seq, found.at))
    return found


def live_checkpoint(run: Recovered, seq: int, at: int) -> Checkpoint:
    """Return the checkpoint of a live run that took input `seq` at `at` last; its journal holds all that follows."""
    standing = Standing(
        seq=seq, at=at, effect_n=run.record.n, digest=run.record.digest, tape=LIVE,
        source=run.known[run.state.ruling.digest].source, feed_index=0, taken=0, ended=False, producers=run.producers,
    )
    return pack(standing, run.state, None if run.paper is None else run.paper.dump())


def start_of(
    journal: Journal, found: Recovered, mode: RunMode, *, epoch: str, venues: Sequence[str]
) -> Start:
    """Return the input by which a new process takes over; its blobs are in the journal."""
    blobs = found.config.blobs
    return Start(
        mode=mode, epoch=epoch, rules_digest=journal.put_blob(blobs.rules),
        catalogue_digest=journal.put_blob(blobs.catalogue), flags_digest=journal.put_blob(blobs.flags),
        settings_digest=journal.put_blob(blobs.settings), source_digest=journal.put_blob(blobs.source),
        venues=tuple(venues), strategies=tuple(str(one) for one in strategies_of(found.config)),
    )
