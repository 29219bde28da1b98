"""One run from its first word to its last: open, wire, drive, close.

Whatever can be wrong with the tape, the configuration or the state directory is found
before the first event is taken.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from engine.model.codec import canonical, to_data
from engine.model.digest import GENESIS
from engine.model.events import Start
from engine.model.flagbook import effective_mode
from engine.ports.clock import Clock
from engine.ports.feed import Tape
from engine.ports.journal import Journal
from engine.runtime.config import Config
from engine.runtime.configured import journalled_config, usable_config
from engine.runtime.drive import Drive, Setting
from engine.runtime.options import Observer, RunError, RunInfo, RunOptions
from engine.runtime.record import Diverged, Record
from engine.runtime.saved import Standing, commands_after, restore, unpack
from engine.runtime.statedir import check_room, open_for_run
from engine.runtime.wiring import guarded, system_clock, wire
from engine.runtime.wiring_journal import open_journal
from engine.runtime.wiring_tapes import named_tape

TAPE_EPOCH = 10
"""Characters of the nonce in client ids. On a tape it comes from the tape, so that two runs agree."""


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """What `run_engine` was given and what it opened."""

    options: RunOptions
    observer: Observer
    tape: Tape
    tape_id: str
    journal: Journal
    clock: Clock


def run_engine(options: RunOptions, observer: Observer) -> dict[str, Any]:
    """Run as `options` say, telling `observer`, and return the summary.

    Raises RunError, ConfigError, TapeError, StateError or JournalError, each with what is
    wrong and a fix.
    """
    if options.venue != "paper":
        raise RunError(f"there is no venue {options.venue!r}", "this engine trades on paper: leave --venue out")
    clock = system_clock()
    tape = named_tape(options.tape)
    config = None if options.resume else usable_config(options.root, options.environment)
    if config is not None:
        # What was asked for, not what a dry-run flag makes of it: a start that would be refused is no rehearsal.
        guarded(config, tape, options.mode)
    with open_for_run(options.state_dir, root=options.root, resume=options.resume, now=clock.now()) as where:
        if config is not None:
            check_room(where.path, config.settings.run.free_disk)
        journal = open_journal(where.path)
        try:
            asked = _Asked(
                options=options, observer=observer, tape=tape, tape_id=_identity(tape), journal=journal, clock=clock
            )
            setting, config, notes = _resumed(asked) if config is None else _fresh(asked, config)
            observer.start(_info(asked, config, setting, where.path, notes))
            summary = asyncio.run(Drive(setting).go(where))
        except Diverged as error:
            raise RunError(str(error), "keep this directory for a report and start a new run", exit_code=5) from error
        finally:
            journal.close()
    observer.finish(summary)
    return summary


def _identity(tape: Tape) -> str:
    return sha256(canonical(to_data(tape.header))).hexdigest()


Opened = tuple[Setting, Config, tuple[str, ...]]
"""The setting of a run, its configuration, and what is worth a warning."""


def _fresh(asked: _Asked, config: Config) -> Opened:
    mode, why = effective_mode(asked.options.mode, config.flag_book().values)
    journal, blobs = asked.journal, config.blobs
    start = Start(
        mode=mode, epoch=asked.tape_id[:TAPE_EPOCH], rules_digest=journal.put_blob(blobs.rules),
        catalogue_digest=journal.put_blob(blobs.catalogue), flags_digest=journal.put_blob(blobs.flags),
        settings_digest=journal.put_blob(blobs.settings), source_digest=journal.put_blob(blobs.source),
    )
    setting = _setting(asked, config, start, _beginning(asked))
    warnings = tuple(f"{found.file}:{found.line}: {found.message}" for found in config.findings)
    return setting, config, ((why, *warnings) if why else warnings)


def _resumed(asked: _Asked) -> Opened:
    journal = asked.journal
    start, config = journalled_config(journal, asked.options.root)
    found = journal.last_checkpoint()
    if found.checkpoint is None:
        # Killed before its first checkpoint: the whole run again, compared with what it had written.
        setting = _setting(asked, config, start, _beginning(asked))
    else:
        standing, data = unpack(found.checkpoint)
        if standing.tape != asked.tape_id:
            raise RunError(f"{asked.options.tape} is not the tape that this run was on", "give that tape to --tape")
        setting = _setting(asked, config, None, standing)
        restore(data, setting.wired.state, setting.wired.venue)
    setting.record.continue_from(setting.standing.effect_n, setting.standing.digest)
    setting.replay = commands_after(journal, setting.standing.seq)
    return setting, config, found.damaged


def _beginning(asked: _Asked) -> Standing:
    return Standing(
        seq=0, at=asked.tape.header.first_at, effect_n=0, digest=GENESIS, tape=asked.tape_id, feed_index=0, taken=0,
        ended=False, producers=tuple(sorted(asked.tape.header.producers)),
    )


def _setting(asked: _Asked, config: Config, start: Start | None, standing: Standing) -> Setting:
    mode = asked.options.mode if start is None else start.mode
    wired = wire(config, asked.tape, mode, at=asked.tape.header.first_at)
    known = config.provenance
    return Setting(
        wired=wired, tape=asked.tape, tape_id=asked.tape_id, journal=asked.journal, record=Record(asked.journal),
        observer=asked.observer, clock=asked.clock, checkpoint_every=config.settings.run.checkpoint_every,
        market_queue=config.settings.run.market_queue, speed=asked.options.speed, standing=standing, start=start,
        provenance={
            "venue": asked.options.venue, "tape": asked.tape.header.name, "generation": 1,
            "rules_digest": wired.rules_digest, "commit": known.commit, "dirty": known.dirty,
            "unwired": [list(item) for item in wired.unwired],
        },
    )


def _info(asked: _Asked, config: Config, setting: Setting, path: Path, notes: tuple[str, ...]) -> RunInfo:
    header = asked.tape.header
    return RunInfo(
        mode=setting.start.mode if setting.start else setting.wired.state.mode, venue=asked.options.venue,
        tape=header.name, rules=setting.wired.rules, flags=len(config.flag_specs), state_dir=path,
        events=header.events, first_at=header.first_at, last_at=header.last_at, chapters=header.chapters,
        resumed_from_seq=setting.standing.seq, unwired=setting.wired.unwired, warnings=notes,
    )
