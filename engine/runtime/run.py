"""One run from its first word to its last: open, wire, drive, close.

Whatever can be wrong with the tape, the configuration or the state directory is found
before the first event is taken.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from engine.core.candidate import stand_beside
from engine.core.state import State
from engine.model.digest import GENESIS
from engine.model.events import Start
from engine.model.flag_values import planned_notes
from engine.ports.clock import Clock
from engine.ports.feed import Tape
from engine.ports.journal import Journal
from engine.runtime.cold_start import Beginning, beginning
from engine.runtime.config import Config
from engine.runtime.configured import config_of, journalled_config, offer, shadow_config
from engine.runtime.drive import Drive, Setting
from engine.runtime.history import TAPE_EPOCH, Recording, fresh_with, recording_of, tape_identity
from engine.runtime.last_good import NAME as LAST_GOOD
from engine.runtime.last_good import keep_last_good
from engine.runtime.modes import decided
from engine.runtime.options import PAPER, Observer, RunError, RunInfo, RunOptions
from engine.runtime.record import Diverged, Record
from engine.runtime.reload import InForce
from engine.runtime.saved import Standing, commands_after, restore, unpack
from engine.runtime.statedir import check_room, open_for_run, run_path
from engine.runtime.strategies import other_strategies
from engine.runtime.wiring import guarded, strategies_of, system_clock, wire
from engine.runtime.wiring_journal import open_journal
from engine.runtime.wiring_tapes import named_tape
from engine.signals.catalogue import Catalogue
from engine.signals.snapshot import Snapshot

HISTORY = "history"
"""Where a state directory keeps history."""


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """What `run_engine` was given and what it opened."""

    options: RunOptions
    observer: Observer
    tape: Tape
    tape_id: str
    journal: Journal
    clock: Clock
    path: Path
    shadow: Config | None = None
    recording: Recording | None = None


def run_engine(options: RunOptions, observer: Observer) -> dict[str, Any]:
    """Run as `options` say, telling `observer`, and return the summary.

    Raises RunError, ConfigError, TapeError, StateError or JournalError, each with what is
    wrong and a fix.
    """
    if options.shadow is not None and options.resume:
        raise RunError("a run that goes on keeps the shadow it began with", "leave --shadow out, or begin a new run")
    if options.venue != PAPER:
        raise RunError(f"a tape is not played to {options.venue!r}", "leave --venue out: a tape is traded on paper")
    clock = system_clock()
    tape = named_tape(options.tape)
    begun = None
    if not options.resume:
        begun = beginning(options.root, options.environment, run_path(options.state_dir, options.root) / LAST_GOOD)
        # What was asked for, not what a dry-run flag makes of it: a start that would be refused is no rehearsal.
        guarded(begun.config, tape.header.producers, options.mode)
    shadow = None if options.shadow is None else shadow_config(options.root, options.environment, options.shadow)
    with open_for_run(options.state_dir, root=options.root, resume=options.resume, now=clock.now()) as where:
        if begun is not None:
            check_room(where.path, begun.config.settings.run.free_disk)
        journal = open_journal(where.path)
        try:
            asked = _Asked(
                options=options, observer=observer, tape=tape, tape_id=tape_identity(tape), journal=journal,
                clock=clock, path=where.path, shadow=shadow,
            )
            setting, config, notes = _resumed(asked) if begun is None else _fresh(asked, begun)
            observer.start(_info(asked, config, setting, where.path, notes))
            summary = asyncio.run(Drive(setting).go(where))
        except Diverged as error:
            raise RunError(str(error), "keep this directory for a report and start a new run", exit_code=5) from error
        finally:
            journal.close()
    observer.finish(summary)
    return summary


Opened = tuple[Setting, Config, tuple[str, ...]]
"""The setting of a run, its configuration, and what is worth a warning."""


def _fresh(asked: _Asked, begun: Beginning) -> Opened:
    config = begun.config
    values = config.flag_book().values
    mode = decided(asked.options.mode, config, values, asked.options.verdict)
    journal, blobs = asked.journal, config.blobs
    asked = _recorded(asked, config)
    shadow = "" if asked.shadow is None else journal.put_blob(asked.shadow.blobs.source)
    held = tuple(str(one) for one in mode.held)
    start = Start(
        mode=mode.mode, asked=mode.asked, held=held, epoch=asked.tape_id[:TAPE_EPOCH],
        rules_digest=journal.put_blob(blobs.rules),
        catalogue_digest=journal.put_blob(blobs.catalogue), flags_digest=journal.put_blob(blobs.flags),
        settings_digest=journal.put_blob(blobs.settings), source_digest=journal.put_blob(blobs.source),
        shadow_digest=shadow, strategies=tuple(str(one) for one in strategies_of(config)),
    )
    setting = _setting(asked, config, start, _beginning(asked, start.source_digest))
    setting.refused = begun.refused
    if asked.shadow is not None:
        stand_beside(setting.wired.state, asked.shadow.ruling())
    warnings = tuple(f"{found.file}:{found.line}: {found.message}" for found in config.findings)
    lost = "" if begun.trouble else keep_last_good(asked.path / LAST_GOOD, blobs.source)
    notes = (*held, lost, *begun.trouble, *begun.notes, *warnings, *planned_notes(config.flag_specs, values))
    return setting, config, tuple(note for note in notes if note)


def _resumed(asked: _Asked) -> Opened:
    journal = asked.journal
    root = asked.options.root
    start, config = journalled_config(journal, root)
    asked = _recorded(asked, config)
    found = journal.last_checkpoint()
    if found.checkpoint is None:
        # Killed before its first checkpoint: the whole run again, compared with what it had written.
        setting = _setting(asked, config, start, _beginning(asked, start.source_digest))
        _shadow_again(setting.wired.state, journal, root, start)
    else:
        standing, data = unpack(found.checkpoint)
        config = config_of(journal, root, standing.source)
        if standing.tape != asked.tape_id:
            raise RunError(f"{asked.options.tape} is not the tape that this run was on", "give that tape to --tape")
        setting = _setting(asked, config, None, standing)
        _shadow_again(setting.wired.state, journal, root, start)
        restore(data, setting.wired.state, setting.wired.venue)
    setting.record.continue_from(setting.standing.effect_n, setting.standing.digest)
    setting.replay = commands_after(journal, setting.standing.seq)
    offered = offer(setting.wired.state, (command for _, command in setting.replay.values()), journal, root)
    setting.known |= {ruling: InForce(config=later, source=source) for ruling, (later, source) in offered.items()}
    changed = other_strategies(start.strategies, strategies_of(config))
    return setting, config, (*found.damaged, *changed)


def _shadow_again(state: State, journal: Journal, root: Path, start: Start) -> None:
    if start.shadow_digest:
        stand_beside(state, config_of(journal, root, start.shadow_digest).ruling())


def _recorded(asked: _Asked, config: Config) -> _Asked:
    """Return `asked` with what records the run, where `config`, with which it began, wants that."""
    return replace(asked, recording=recording_of(config, asked.tape, asked.path / HISTORY, asked.options.history))


def _beginning(asked: _Asked, source: str) -> Standing:
    return Standing(
        seq=0, at=asked.tape.header.first_at, effect_n=0, digest=GENESIS, tape=asked.tape_id, source=source,
        feed_index=0, taken=0, ended=False, producers=tuple(sorted(asked.tape.header.producers)),
    )


def _setting(asked: _Asked, config: Config, start: Start | None, standing: Standing) -> Setting:
    mode = asked.options.mode if start is None else start.mode
    fresh: Callable[[Catalogue], Snapshot] = Snapshot
    if asked.recording is not None:
        # What was kept of inputs behind the checkpoint is recorded again as they are taken again.
        asked.recording.writer.forget_after(standing.seq)
        fresh = fresh_with(asked.recording.recorder)
    wired = wire(config, asked.tape, mode, at=asked.tape.header.first_at, fresh=fresh)
    return Setting(
        wired=wired, tape=asked.tape, tape_id=asked.tape_id, journal=asked.journal, record=Record(asked.journal),
        observer=asked.observer, clock=asked.clock, checkpoint_every=config.settings.run.checkpoint_every,
        market_queue=config.settings.run.market_queue, speed=asked.options.speed, standing=standing, start=start,
        history=None if asked.recording is None else asked.recording.writer,
        provenance={
            "venue": asked.options.venue, "tape": asked.tape.header.name,
            "unwired": [list(item) for item in wired.unwired],
        },
        known={wired.state.ruling.digest: InForce(config=config, source=standing.source)}, root=asked.options.root,
        environment=asked.options.environment,
    )


def _info(asked: _Asked, config: Config, setting: Setting, path: Path, notes: tuple[str, ...]) -> RunInfo:
    header = asked.tape.header
    return RunInfo(
        mode=setting.start.mode if setting.start else setting.wired.state.mode, venue=asked.options.venue,
        tape=header.name, rules=setting.wired.rules, flags=len(config.flag_specs), state_dir=path,
        events=header.events, first_at=header.first_at, last_at=header.last_at, chapters=header.chapters,
        resumed_from_seq=setting.standing.seq, unwired=setting.wired.unwired, warnings=notes,
    )
