"""One run on the real clock, from its first word to its last: check, recover, start, drive.

Whatever can be wrong with the configuration, the state directory, the keys or the venue is
found before the first order could leave. A run always goes on from what its state directory
holds: starting and recovering are the same.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.model.events import Command, RunMode
from engine.model.flag_values import planned_notes
from engine.model.flags import Layer
from engine.model.run_mode import DRY_RUN_FLAG
from engine.ports.clock import Clock
from engine.ports.journal import Journal
from engine.ports.venue import VenueRefused
from engine.runtime.cold_start import Beginning, beginning
from engine.runtime.config import Config
from engine.runtime.guards import Missing, guards_missed, unguarded
from engine.runtime.last_good import NAME as LAST_GOOD
from engine.runtime.last_good import keep_last_good
from engine.runtime.live_drive import LiveDrive, LiveSetting
from engine.runtime.modes import decided
from engine.runtime.options import Observer, RunError, RunInfo, RunOptions
from engine.runtime.recover import Recovered, begin_or_recover, start_of
from engine.runtime.settings_live import LiveSettings
from engine.runtime.statedir import JOURNAL, StateDir, check_room
from engine.runtime.wiring import guarded, steady_clock
from engine.runtime.wiring_live import local_bus, producers_of, told_notifier

STATE = "state"
EPOCH_BYTES = 5
RARER = 4
"""How many times rarer than on a tape the state is kept by number of events; by time it is kept every minute."""


def run_live(options: RunOptions, observer: Observer) -> dict[str, Any]:
    """Run as `options` say on a real market until stopped, telling `observer`; return the last status.

    Raises RunError, ConfigError, StateError or JournalError, each with what is wrong and a fix.
    """
    clock = steady_clock()
    path = options.state_dir or options.root / STATE
    begun = beginning(options.root, options.environment, path / LAST_GOOD)
    live = begun.config.settings.live.at(options.environment)
    _checked(options, live)
    producers = producers_of(live)
    # Whether a run that goes on has something open is only known once it was recovered.
    guarded(begun.config, producers, options.mode, insist=not (path / JOURNAL).exists())
    with StateDir.acquire(path, now=clock.now()) as where:
        check_room(where.path, begun.config.settings.run.free_disk)
        journal = options.journal(where.path)
        try:
            run = begin_or_recover(journal, begun.config, producers, clock.now())
            setting, info = _set_up(options, observer, (begun, run, live), (journal, clock), where)
            observer.start(info)
            last = asyncio.run(_driven(setting, where))
        except VenueRefused as refused:
            raise RunError(f"{live.venue} cannot be used: {refused.what}", refused.fix) from refused
        finally:
            journal.close()
    observer.finish(last)
    return last


async def _driven(setting: LiveSetting, where: StateDir) -> dict[str, Any]:
    return await LiveDrive(setting).go(where)


def _checked(options: RunOptions, live: LiveSettings) -> None:
    if options.venue != live.venue:
        raise RunError(
            f"there is no venue {options.venue!r}",
            f"conf/engine.yaml names {live.venue!r} under `live`; leave --venue out for paper on a tape",
        )
    if options.shadow is not None:
        raise RunError("a candidate in shadow runs on tapes", "leave --shadow out")


def check_same_money(run: Recovered, mode: RunMode) -> None:
    """Raise RunError where a run that was on paper would go on with money, or the other way round."""
    if not run.seq:
        return
    was_paper, is_paper = run.state.mode is RunMode.DRY_RUN, mode is RunMode.DRY_RUN
    if was_paper is not is_paper:
        raise RunError(
            f"the state directory holds a run in mode {run.state.mode.value}, and this one is {mode.value}",
            "give each its own --state DIR: what is held on paper is not held at the venue",
        )


def stopped_by_hand(run: Recovered) -> str:
    """Return what to tell where an operator set ENGINE_DRY_RUN in a run with money that goes on; else empty."""
    flag = run.state.flags.flag(DRY_RUN_FLAG)
    if not run.seq or run.state.mode is RunMode.DRY_RUN or flag.layer is not Layer.OPERATOR or flag.value is not True:
        return ""
    return f"{DRY_RUN_FLAG} was set by hand: nothing is begun until `engine flag unset {DRY_RUN_FLAG}`"


def missed_guards(mode: RunMode, config: Config, run: Recovered) -> tuple[Missing, ...]:
    """Return the guards that do not guard as `run` goes on, on what stands on disk (`config`) or its own.

    RunError where nothing is open: no position, and no order that may become one.
    """
    on_disk = unguarded(config, config.flag_book().values)
    missing = tuple(dict.fromkeys((*on_disk, *unguarded(run.config, run.state.flags.values))))
    book = run.state.execution
    open_ = any(one.quantity for one in book.positions()) or bool(book.all_live())
    return guards_missed(mode, missing, open_=open_)


Parts = tuple[Beginning, Recovered, LiveSettings]
Kept = tuple[Journal, Clock]


def _set_up(
    options: RunOptions, observer: Observer, parts: Parts, kept: Kept, where: StateDir
) -> tuple[LiveSetting, RunInfo]:
    (begun, run, live), (journal, clock) = parts, kept
    values = run.state.flags.values
    stopped = stopped_by_hand(run)
    # Who threw the switch while money was out wants nothing begun; what is open is still theirs to be guarded.
    judged = {**values, DRY_RUN_FLAG: False} if stopped else values
    decision = decided(options.mode, run.config, judged, options.verdict)
    missed = missed_guards(options.mode, begun.config, run)
    unheld = tuple(one.line() for one in missed)
    mode, held = decision.mode, tuple(str(one) for one in decision.held)
    check_same_money(run, mode)
    if mode is not RunMode.DRY_RUN:
        # Real orders go to the real venue: nothing on paper is a part of this run.
        run.paper = None
    start = replace(
        start_of(journal, run, mode, epoch=os.urandom(EPOCH_BYTES).hex(), venues=(live.venue,)),
        asked=decision.asked, held=held, unguarded=unheld if mode is not RunMode.DRY_RUN else (),
        unguarded_by=tuple(one.key for one in missed) if mode is not RunMode.DRY_RUN else (),
    )
    first: tuple[Command, ...] = tuple(one for one in (run.broken, begun.refused) if one is not None)
    lost = "" if begun.trouble else keep_last_good(where.path / LAST_GOOD, begun.config.blobs.source)
    lame = guarded(run.config, frozenset(run.producers), RunMode.DRY_RUN)
    planned = planned_notes(run.config.flag_specs, values)
    told = (stopped, *held, *unheld, lost, *begun.trouble, *begun.notes, *run.notes, *planned)
    notes = tuple(note for note in told if note)
    setting = LiveSetting(
        run=run, start=start, live=live, builder=options.world, journal=journal, clock=clock, observer=observer,
        notifier=told_notifier(), bus=local_bus(), root=options.root, environment=options.environment,
        provenance={"venue": live.venue, "tape": "live", "unwired": [list(item) for item in lame]},
        checkpoint_every=RARER * run.config.settings.run.checkpoint_every,
        market_queue=run.config.settings.run.market_queue, first=first, warn=observer.warn,
    )
    return setting, _info(run, live, mode, where.path, (lame, notes))


Shown = tuple[tuple[tuple[str, str], ...], tuple[str, ...]]


def _info(run: Recovered, live: LiveSettings, mode: RunMode, path: Path, shown: Shown) -> RunInfo:
    rules = run.state.ruling.rules.rules
    return RunInfo(
        mode=mode, venue=live.venue, tape="", rules=len(rules), flags=len(run.config.flag_specs), state_dir=path,
        events=-1, first_at=run.at, last_at=run.at, chapters=(), resumed_from_seq=run.seq, unwired=shown[0],
        warnings=shown[1],
    )
