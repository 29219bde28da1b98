"""Which run mode is in force, of what was asked for and what may be: the most restrictive wins.

Orders cost money only where they were asked to, where no switch holds them back, and, without
the caps of a limited session, only where the very code and rules that decide were let through
a gate. What holds a mode down says what lifts it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.model.events import RunMode
from engine.model.flags import FlagValue

DRY_RUN_FLAG = "ENGINE_DRY_RUN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """What decides: the commit of the code, whether it differs from that commit, the digest of the rules."""

    commit: str
    rules: str
    dirty: bool = False

    def __str__(self) -> str:
        commit = self.commit[:10] or "without a commit"
        return f"code {commit}{' with uncommitted changes' if self.dirty else ''}, rules {self.rules[:12]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """That a version was let through to full-live."""

    version: Version


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Why a mode is not the one that was asked for, and what would lift it."""

    why: str
    lifted_by: str

    def __str__(self) -> str:
        return f"{self.why}; {self.lifted_by}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModeInForce:
    """The mode a run begins with. `held` is empty where it is the one that was `asked` for."""

    asked: RunMode
    mode: RunMode
    held: tuple[Held, ...] = ()


def dry_run_on(values: Mapping[str, FlagValue]) -> bool:
    """Whether the switch that keeps every order in this machine is on. No other `*_DRY_RUN` flag is of the run."""
    return values.get(DRY_RUN_FLAG) is True


def mode_in_force(asked: RunMode, *, dry_run: bool, version: Version, verdict: Verdict | None) -> ModeInForce:
    """Return the mode in force where `asked` was asked for.

    Each of two things holds it down, and both are told: the switch `dry_run`, and a version
    without a `verdict` of its own, which is never let further than limited-live. A version
    that is dirty is nobody's: no verdict can be of it.
    """
    mode, held = asked, []
    if asked is RunMode.FULL_LIVE and (verdict is None or verdict.version != version or version.dirty):
        mode = RunMode.LIMITED_LIVE
        held.append(Held(
            why=f"{asked.value} needs a gate's verdict for this version ({version}), and there is none",
            lifted_by=f"{mode.value} is in force until a gate has let this very version through",
        ))
    if asked is not RunMode.DRY_RUN and dry_run:
        mode = RunMode.DRY_RUN
        held.append(Held(
            why=f"{DRY_RUN_FLAG} is on", lifted_by=f"set {DRY_RUN_FLAG}=false for the start of a session with money",
        ))
    return ModeInForce(asked=asked, mode=mode, held=tuple(held))
