"""One ruling for another, between two events.

The new ruling takes over what the old one knew: every instance that still exists keeps its
state, every latch stays whatever became of its rule, and a rule that is new begins in
doubt. No event is judged by two rulings: the swap is an input of its own.
"""

from __future__ import annotations

from engine.core.announced import tell_maintenance
from engine.core.state import ReloadFault, State
from engine.model.effects import Effect, FlagChanged, Notify, ReloadFailed, RulingChanged
from engine.model.events import Reload, ReloadRefused
from engine.model.flag_values import flag_text
from engine.model.flagbook import FlagBook
from engine.ruleset.evaluate import RuleBook
from engine.ruleset.ruling import Ruling
from engine.ruleset.saved import renames
from engine.ruleset.spec import RuleKind
from engine.ruleset.state_plan import plan_of
from engine.signals.catalogue import unwired_signals
from engine.signals.reduce import Reducers, ReducerSettings
from engine.signals.transplant import transplant

MOST_LINES = 40
"""Lines of what becomes of the rules' state that are kept."""
BUILT_IN = "engine.reload_failed"
"""The rule that no file holds: what stands on the disk is not what runs."""


def swap(state: State, ruling: Ruling, event: Reload, at: int, out: list[Effect]) -> list[FlagChanged]:
    """Let `ruling` decide from here on; return which flags have another value now."""
    old = state.book.dump()
    flags = ruling.flag_book()
    lost = flags.load(state.flags.dump())
    changes = _changes(state.flags, flags, at)
    _take_catalogue(state, ruling, flags, at)
    unwired = unwired_signals(ruling.catalogue, state.producers)
    state.snapshot.set_unwired(unwired)
    book = RuleBook(ruling.rules, state.snapshot.catalogue, state.snapshot, flags.values, unwired=unwired, at=at)
    # Loaded under the flags of now: those it was dumped under decided until here.
    book.load({**old, "flags": dict(sorted(flags.values.items()))})
    fates = plan_of(old, ruling.rules, catalogue=ruling.catalogue, flags=flags.values, unwired=unwired)
    carried = sum(len(rule.instances) for rule in fates.rules)
    state.ruling, state.flags, state.book, state.book_version = ruling, flags, book, -1
    state.look.flags = flags.values
    state.overrides.rename(
        renames({rule.id: rule.formerly for rule in ruling.rules.rules}),
        {rule.id: rule.kind is RuleKind.KILL for rule in ruling.rules.rules},
    )
    tell_maintenance(state, at, active=state.overrides.maintenance is not None)
    if state.candidate is not None and state.candidate.ruling.catalogue.digest != ruling.catalogue.digest:
        # It was written for other signals: what it would have done can no longer be told.
        state.candidate = None
    state.generation += 1
    state.watch_denials()
    out.append(
        RulingChanged(
            at=at, generation=state.generation, digest=ruling.digest, actor=event.actor,
            acknowledged_by=event.acknowledged_by, changed=(*event.changed, *lost), carried=carried,
            begun=max(0, len(book.keys()) - carried), orphaned=tuple(latch.name for latch in fates.orphaned),
            state=fates.lines()[:MOST_LINES],
        )
    )
    _recover(state, at, out)
    book.reconsider(at)
    return changes


def refuse(state: State, event: ReloadRefused, at: int, out: list[Effect]) -> None:
    """Say that what stands on the disk did not take over. The same again is not told again."""
    before = state.reload_fault
    if before is not None and before.what == event.what:
        return
    state.reload_fault = ReloadFault(event.what, event.fix, at if before is None else before.since)
    out.append(ReloadFailed(at=at, what=event.what, fix=event.fix))
    _notify(state, at, f"reload refused, generation {state.generation} stays in force: {event.what}", out)


def _recover(state: State, at: int, out: list[Effect]) -> None:
    if state.reload_fault is not None:
        state.reload_fault = None
        _notify(state, at, f"the files are good again: generation {state.generation} is in force", out)


def _notify(state: State, at: int, text: str, out: list[Effect]) -> None:
    state.tally.notifications += 1
    out.append(Notify(at=at, to="alert", rule=BUILT_IN, text=text))


def _take_catalogue(state: State, ruling: Ruling, flags: FlagBook, at: int) -> None:
    """Move what is known under another catalogue, where it is another one."""
    if ruling.catalogue.digest == state.snapshot.catalogue.digest:
        return
    reducers = state.reducers.dump()
    state.snapshot = transplant(state.snapshot, ruling.catalogue, at, fresh=state.fresh)
    state.reducers = Reducers(state.snapshot, ReducerSettings.from_flags(flags.values))
    state.reducers.load(reducers)


def _changes(before: FlagBook, after: FlagBook, at: int) -> list[FlagChanged]:
    changes = []
    for name in sorted({*before.values, *after.values}):
        was, now = before.values.get(name), after.values.get(name)
        if was != now:
            changes.append(
                FlagChanged(
                    at=at, name=name, before="" if was is None else flag_text(was),
                    after="" if now is None else flag_text(now),
                    layer=after.flag(name).layer.value if name in after.specs else "", actor="reload", reason="",
                )
            )
    return changes

