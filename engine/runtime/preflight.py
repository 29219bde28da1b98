"""The checklist before a session: what this machine, this configuration and the venue are ready for.

Every line is ok, warn or fail, and a fail says what to do. Nothing here raises for what it
finds; what cannot be told is a warning, never an ok.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.model.effects import PlaceOrder
from engine.model.events import RunMode
from engine.ports.journal import JournalError
from engine.ports.venue import Check, VenueRefused
from engine.ruleset.diagnostics import Severity
from engine.ruleset.reading import signals_of
from engine.runtime.config import Config, load_config
from engine.runtime.halt_file import HaltFile
from engine.runtime.modes import decided
from engine.runtime.options import RunOptions
from engine.runtime.preflight_flags import FAIL, OK, WARN, flag_lines, in_force, mode_lines
from engine.runtime.statedir import HALT, JOURNAL, holder
from engine.runtime.strategies import is_installed, make_strategies
from engine.runtime.wiring import steady_clock
from engine.runtime.wiring_journal import read_journal
from engine.runtime.wiring_live import producers_of
from engine.runtime.world import Ears
from engine.signals.catalogue import unwired_signals


def preflight(options: RunOptions, state_dir: Path) -> tuple[Check, ...]:
    """Return every line of the checklist for a run with `options` on `state_dir`. Never raises."""
    config = load_config(options.root, options.environment)
    lines = [*_configuration(config), *_state(state_dir, config)]
    if config.catalogue is not None and config.flag_specs:
        by_hand = _set_by_hand(state_dir)
        lines += [*flag_lines(options.root, config, by_hand), *mode_lines(options.mode, config, by_hand)]
    return (*lines, *asyncio.run(_venue(options, config, _set_by_hand(state_dir))))


def _configuration(config: Config) -> list[Check]:
    wrong = [found for found in config.findings if found.severity is Severity.ERROR]
    if wrong:
        return [Check(name="configuration", verdict=FAIL, what=str(one), fix=one.fix) for one in wrong[:5]]
    rules = () if config.rules is None else config.rules.rules
    read = f"{len(rules)} rules and {len(config.flag_specs)} flags read"
    lines = [Check(name="configuration", verdict=OK, what=read)]
    if not rules:
        return [Check(name="configuration", verdict=FAIL, what="there are no rules", fix="restore rules/")]
    assert config.catalogue is not None
    missing = unwired_signals(config.catalogue, producers_of(config.settings.live))
    lame = [rule.id for rule in rules if missing.intersection(signals_of(rule.expr, rule.clear_expr))]
    if lame:
        lines.append(Check(
            name="producers", verdict=FAIL, what=f"nobody feeds what {', '.join(lame)} read",
            fix="name peg_pairs and announcements under `live` in conf/engine.yaml",
        ))
    else:
        lines.append(Check(name="producers", verdict=OK, what="every rule is fed"))
    lines += _strategies(config)
    if config.provenance.dirty:
        lines.append(Check(
            name="commit", verdict=WARN, what="rules or settings differ from the last commit",
            fix="commit them, so that what decides can be reviewed",
        ))
    return lines


def _strategies(config: Config) -> list[Check]:
    made, findings = make_strategies(config.strategies)
    if findings:
        return [Check(name="strategies", verdict=FAIL, what=str(one), fix=one.fix) for one in findings[:5]]
    names = ", ".join(str(one) for one in made) or "none: nothing is going to be entered"
    where = "" if is_installed() else "; not installed, so those of this checkout itself are taken"
    return [Check(name="strategies", verdict=OK if made else WARN, what=names + where)]


def _state(path: Path, config: Config) -> list[Check]:
    lines: list[Check] = []
    place = path
    while not place.exists() and place != place.parent:
        place = place.parent
    free, room = shutil.disk_usage(place).free, config.settings.run.free_disk
    enough = free >= room
    lines.append(Check(
        name="disk", verdict=OK if enough else FAIL, what=f"{free // 2**20} MiB free, {room // 2**20} needed",
        fix="" if enough else "free some space, or give a --state on another disk",
    ))
    held = holder(path)
    if held is not None:
        lines.append(Check(name="state", verdict=WARN, what=f"an engine (pid {held.pid}) runs on {path} now"))
    if (path / JOURNAL).exists():
        lines.append(_journal(path))
    else:
        lines.append(Check(name="journal", verdict=OK, what=f"{path} is new: nothing to go on from"))
    if HaltFile(path / HALT).present():
        lines.append(Check(
            name="HALT file", verdict=WARN, what=f"{path / HALT} is there: the engine starts halted",
            fix="remove it, then engine resume",
        ))
    return lines


def _journal(path: Path) -> Check:
    try:
        reader = read_journal(path)
        try:
            broken = reader.verify()
        finally:
            reader.close()
    except JournalError as error:
        return Check(name="journal", verdict=FAIL, what=error.what, fix=error.fix)
    if broken:
        return Check(name="journal", verdict=FAIL, what=broken, fix="keep it for a report and give another --state DIR")
    return Check(name="journal", verdict=OK, what="whole; the run goes on from it")


def _set_by_hand(path: Path) -> list[Mapping[str, Any]]:
    """Return what an operator set in the run of `path`: it holds for the session, whatever the files say."""
    if not (path / JOURNAL).exists():
        return []
    try:
        reader = read_journal(path)
        try:
            return list((reader.get_status() or {}).get("overrides", ()))
        finally:
            reader.close()
    except JournalError:
        # That it cannot be read has its own line.
        return []


def _mode(options: RunOptions, config: Config, by_hand: Sequence[Mapping[str, Any]], venue: str) -> Check:
    """Return which mode a session would have, and what holds it down."""
    decision = decided(options.mode, config, in_force(config, by_hand), options.verdict)
    money = decision.mode is not RunMode.DRY_RUN
    why = f" ({'; '.join(one.why for one in decision.held)})" if decision.held else ""
    return Check(
        name="mode", verdict=OK if money and not decision.held else WARN,
        what=f"{decision.mode.value}: orders go to {venue if money else 'paper'}{why}",
        fix="; ".join(one.lifted_by for one in decision.held),
    )


async def _venue(
    options: RunOptions, config: Config, by_hand: Sequence[Mapping[str, Any]]
) -> tuple[Check, ...]:
    live = config.settings.live.at(options.environment)
    first = _mode(options, config, by_hand, live.venue)
    ears = Ears(
        clock=steady_clock(), tell=lambda event: None, tell_market=lambda event: None, gate=_nothing_leaves,
        environment=options.environment, trades=True, listen=False,
        checks=True,
    )
    try:
        world = options.world(live, ears)
    except VenueRefused as refused:
        return first, Check(name="venue", verdict=FAIL, what=refused.what, fix=refused.fix)
    try:
        await world.venue.open()
    except VenueRefused as refused:
        return first, Check(name="venue", verdict=FAIL, what=refused.what, fix=refused.fix)
    try:
        return (first, *await world.venue.preflight())
    finally:
        await world.venue.close(1.0)


def _nothing_leaves(order: PlaceOrder) -> str:
    return "this is a checklist"
