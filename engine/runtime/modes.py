"""The run mode a start may have, from what was asked, the switch, and the version that decides."""

from __future__ import annotations

from collections.abc import Mapping

from engine.model.events import RunMode
from engine.model.flags import FlagValue
from engine.model.run_mode import ModeInForce, Verdict, Version, dry_run_on, mode_in_force
from engine.runtime.config import Config


def version_of(config: Config) -> Version:
    """Return what decides in a run on `config`; where nobody can tell whether the code was changed, it was."""
    rules = "" if config.rules is None else config.rules.digest
    known = config.provenance
    return Version(commit=known.commit, rules=rules, dirty=known.dirty is not False)


def decided(
    asked: RunMode, config: Config, values: Mapping[str, FlagValue], verdict: Verdict | None
) -> ModeInForce:
    """Return the mode in force where `asked` was asked for, flags have `values`, and gates said `verdict`."""
    return mode_in_force(asked, dry_run=dry_run_on(values), version=version_of(config), verdict=verdict)
