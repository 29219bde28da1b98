"""What an operator asked for, done inside the core so that it is ordered, journalled and replayed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

from engine.core.announced import ADMITTED_FLAG, tell_admitted, tell_maintenance
from engine.core.asking import ask_begin, ask_flags
from engine.core.broken import give_up
from engine.core.guarded import end_unguarded
from engine.core.nightly import risk_now
from engine.core.noted import note_flags, note_rearms, told_reload
from engine.core.orders import dispatch
from engine.core.overrides import OVERRIDES, begin_waiting
from engine.core.reload import refuse, swap
from engine.core.settle import account_level, fault, rejoin, settle
from engine.core.state import NOT_TAKEN_UP, STOPPING, OperatorHalt, State
from engine.model.boundary import boundary_after, day_began
from engine.model.codec import decimal_text
from engine.model.effects import AskVenue, CommandAnswered, Effect, FlagChanged, RulingChanged
from engine.model.events import (
    FlattenCommand,
    HaltCommand,
    Input,
    RearmCommand,
    ReconcileCommand,
    RecoveryBroken,
    Reload,
    ReloadRefused,
    ResumeCommand,
    SetFlagCommand,
    Start,
    StopCommand,
    StrategyFailed,
    UnsetFlagCommand,
)
from engine.model.history import MarkKind

Handler = Callable[[State, Input, list[Effect]], None]


def _start(state: State, item: Input, out: list[Effect]) -> None:
    event = cast(Start, item.event)
    state.mode, state.asked, state.mode_held = event.mode, event.asked or event.mode, event.held
    state.unguarded, state.unguarded_by, state.unguarded_since = event.unguarded, event.unguarded_by, item.at
    # A new process is the restart that a fault asks for, and the end of the halt under which the old one stopped.
    # But a run that was not taken up as it stood has orders that nobody decided here: a person says when to go on.
    state.faults = {what: since for what, since in state.faults.items() if what.startswith(NOT_TAKEN_UP)}
    state.halts.pop(STOPPING, None)
    state.execution.begin(event.epoch, item.at, event.venues)
    state.stops.begin(item.at, event.venues)
    state.prices.begin()
    state.held = (*state.execution.holds(), *state.stops.holds())
    _begin_counting(state, item.at)
    day, state.boundary_at = boundary_after(item.at, state.flags.values)
    # A restart under other reset flags opens no day a second time.
    state.boundary_day = max(state.boundary_day, day)
    state.guardian.begin(day_began(item.at, state.flags.values), event.venues)
    state.watch_denials()
    settle(state, item.at, state.session.begin(item.at, state.mode, state.flags.values), out)
    settle(state, item.at, risk_now(state, item.at), out)
    rejoin(state, item.at, out)
    dispatch(state, item.at, state.execution.reconcile_now(item.at), out)
    ask_begin(state, item.at, out)
    tell_maintenance(state, item.at, active=state.overrides.maintenance is not None)
    begin_waiting(state, item.at, out)


def _begin_counting(state: State, at: int) -> None:
    """Begin a process's own warm-up, which counts as no restriction; the time in which none ran is nobody's."""
    tally = state.tally
    if not tally.started_at:
        state.level_changed_at = at
    tally.warm_at, tally.started_at, tally.level_since = 0, at, at


def _halt(state: State, item: Input, out: list[Effect]) -> None:
    event = cast(HaltCommand, item.event)
    known = state.halts.get(event.source)
    if known is None:
        state.halts[event.source] = OperatorHalt(event.source, event.actor, event.reason, item.at)
    rejoin(state, item.at, out)
    done = "halted" if known is None else "was halted already"
    ends = "the next start ends it" if event.source == STOPPING else "`engine resume` clears it"
    _answer(out, item.at, "halt", True, f"{done}; {ends}")


def _flatten(state: State, item: Input, out: list[Effect]) -> None:
    event = cast(FlattenCommand, item.event)
    # Halted first: whatever was about to be opened must not be closed behind.
    state.halts.setdefault(
        "flatten", OperatorHalt("flatten", event.actor, event.reason or "everything is being closed", item.at)
    )
    rejoin(state, item.at, out)
    held = state.look.positions()
    dispatch(state, item.at, state.execution.flatten(item.at, state.look, event.reason or "engine flatten"), out)
    what = ", ".join(f"{decimal_text(one.quantity)} {one.symbol}" for one in held) or "no position is open"
    _answer(out, item.at, "flatten", True, f"halted; closing {what}" if held else f"halted; {what}")


def _reconcile(state: State, item: Input, out: list[Effect]) -> None:
    wishes = state.execution.reconcile_now(item.at)
    dispatch(state, item.at, wishes, out)
    venues = sorted({wish.venue for wish in wishes if isinstance(wish, AskVenue)})
    text = f"asked {', '.join(venues)}" if venues else "there is no venue to ask: orders stay in this process"
    _answer(out, item.at, "reconcile", True, text)


def _recovery_broken(state: State, item: Input, out: list[Effect]) -> None:
    event = cast(RecoveryBroken, item.event)
    for order in event.orders:
        state.execution.remember(item.at, order)
    fault(state, item.at, f"{NOT_TAKEN_UP}: {event.what}", out)


def _strategy_failed(state: State, item: Input, out: list[Effect]) -> None:
    event = cast(StrategyFailed, item.event)
    give_up(state, item.at, event.name, event.what, out)


def _resume(state: State, item: Input, out: list[Effect]) -> None:
    lifted = bool(state.halts)
    kept = [what for what in state.faults if what.startswith(NOT_TAKEN_UP)]
    if not lifted:
        # Only for who sees that it is this that they end: beside a halt of their own it would be lifted unseen.
        for what in kept:
            del state.faults[what]
    state.halts.clear()
    rejoin(state, item.at, out)
    if kept:
        _answer(out, item.at, "resume", True, _taken_up(kept[0], lifted=lifted))
        return
    still = "; ".join(held.instance for held in state.policy.in_force if held.restraint.level > 0)
    text = "operator halt cleared" if lifted else "there was no operator halt"
    _answer(out, item.at, "resume", True, f"{text}; still restrained by {still}" if still else text)


def _taken_up(what: str, *, lifted: bool) -> str:
    if lifted:
        return (
            f"operator halt cleared; still halted: {what}. Compare `engine orders` and `engine positions` with the "
            f"venue's own pages, then `engine resume` once more"
        )
    return f"goes on from what the venue says now; {what}"


def _rearm(state: State, item: Input, out: list[Effect]) -> None:
    event = cast(RearmCommand, item.event)
    accepted, text = state.book.rearm(item.at, event.latch, event.actor)
    if state.candidate is not None:
        # What the operator ends here they would have ended there too; a latch that only it has stays and is shown.
        state.candidate.book.rearm(item.at, event.latch, event.actor)
    before = len(out)
    rejoin(state, item.at, out)
    note_rearms(state, item.at, out[before:])
    _answer(out, item.at, "rearm", accepted, text)


def _set_flag(state: State, item: Input, out: list[Effect]) -> None:
    event = cast(SetFlagCommand, item.event)
    until = item.at + event.ttl if event.ttl and not event.offline else 0
    accepted, text, changes = state.flags.set_operator(
        item.at, event.name, event.value, reason=event.reason, actor=event.actor, until=until,
        waits=event.ttl if event.offline else 0,
    )
    _apply_flags(state, item.at, changes, out)
    _answer(out, item.at, "flag set", accepted, text)


def _unset_flag(state: State, item: Input, out: list[Effect]) -> None:
    event = cast(UnsetFlagCommand, item.event)
    accepted, text, changes = state.flags.unset_operator(item.at, event.name, actor=event.actor)
    _apply_flags(state, item.at, changes, out)
    _answer(out, item.at, "flag unset", accepted, text)


def _apply_flags(state: State, at: int, changes: Sequence[FlagChanged], out: list[Effect]) -> None:
    if changes:
        out.extend(changes)
        take_flags(state, at, changes, out)


def take_flags(state: State, at: int, changes: Sequence[FlagChanged], out: list[Effect]) -> None:
    """Let everyone know that flags have other values: those that `changes` tell."""
    values = state.flags.values
    state.look.flags = values
    day, state.boundary_at = boundary_after(at, values)
    # A day that the change of zone skipped ahead to has no reset of its own: nobody gets a fresh loss limit that way.
    state.boundary_day = max(state.boundary_day, day)
    state.reducers.on_flags(at, values)
    state.session.on_flags(at, state.mode, values)
    note_flags(state, at, changes)
    state.book.on_flags(at, values)
    if state.candidate is not None:
        state.candidate.book.on_flags(at, values)
    if any(change.name == ADMITTED_FLAG for change in changes):
        tell_admitted(state, at, state.look.instruments.values())
    end_unguarded(state, at, out, {change.name for change in changes})
    rejoin(state, at, out)
    ask_flags(state, at, out)


def _reload(state: State, item: Input, out: list[Effect]) -> None:
    event = cast(Reload, item.event)
    ruling = state.offered.get(event.ruling)
    if ruling is None:
        fault(state, item.at, f"a reload names ruling {event.ruling[:12]}, which nobody offered", out)
        _answer(out, item.at, "reload", False, "internal fault: the ruling was not offered")
        return
    if event.base != state.ruling.digest:
        _answer(out, item.at, "reload", False, "another ruling took over meanwhile: the change is judged again")
        return
    before = state.snapshot.catalogue
    changes = swap(state, ruling, event, item.at, out)
    state.snapshot.note(item.at, MarkKind.RELOAD, told_reload(state, before))
    out.extend(changes)
    end_unguarded(state, item.at, out)
    if changes:
        take_flags(state, item.at, changes, out)
    else:
        rejoin(state, item.at, out)
    told = next((one.state[0] for one in reversed(out) if isinstance(one, RulingChanged) and one.state), "")
    _answer(out, item.at, "reload", True, f"generation {state.generation} is in force; {told}")


def _refuse_reload(state: State, item: Input, out: list[Effect]) -> None:
    event = cast(ReloadRefused, item.event)
    refuse(state, event, item.at, out)
    _answer(out, item.at, "reload", False, f"{event.what}; generation {state.generation} stays in force")


def _stop(state: State, item: Input, out: list[Effect]) -> None:
    event = cast(StopCommand, item.event)
    account_level(state, state.policy, item.at)
    if state.candidate is not None:
        state.candidate.account(item.at)
    _answer(out, item.at, "stop", True, event.reason)


def _answer(out: list[Effect], at: int, verb: str, accepted: bool, text: str) -> None:
    out.append(CommandAnswered(at=at, verb=verb, accepted=accepted, text=text))


COMMANDS: dict[type, Handler] = {
    Start: _start, HaltCommand: _halt, ResumeCommand: _resume, RearmCommand: _rearm,
    FlattenCommand: _flatten, ReconcileCommand: _reconcile, SetFlagCommand: _set_flag, UnsetFlagCommand: _unset_flag,
    Reload: _reload, ReloadRefused: _refuse_reload,
    RecoveryBroken: _recovery_broken, StrategyFailed: _strategy_failed, StopCommand: _stop, **OVERRIDES,
}
