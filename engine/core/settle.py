"""From changed signals to a settled policy, in rounds that must end.

Samples derived by the rooms above go through the same rounds at the same instant, first
in first out. More than eight rounds means two rooms feed each other: that is our fault,
not the market's, and it halts.
"""

from __future__ import annotations

from collections.abc import Sequence

from engine.core.candidate import Candidate
from engine.core.depeg import tell_depeg
from engine.core.session import warm_up
from engine.core.state import WARM_UP, State
from engine.model.effects import Effect, InternalFault, Notify, PolicyChanged, RuleMoved
from engine.model.restraints import Level
from engine.model.samples import Derived
from engine.policy.join import Policy, binding

MAX_ROUNDS = 8


def settle(state: State, at: int, derived: Sequence[Derived], out: list[Effect]) -> None:
    """Evaluate what changed until nothing does, then join the policy anew if a restraint moved."""
    snapshot, book = state.snapshot, state.book
    for sample in derived:
        if sample.name not in snapshot.catalogue.specs:
            # A catalogue of its own, or of before, need not know all that can be told.
            continue
        snapshot.put_named(sample.name, sample.labels, sample.value, sample.event_at, at)
    # The round that is one too many is still evaluated: a fault halts, it does not make anybody blind.
    for _ in range(MAX_ROUNDS + 1):
        if snapshot.settled():
            break
        heard = snapshot.take_new_labels()
        for name, labels in heard:
            book.on_new_labels(at, name, labels)
        if state.candidate is None:
            changed = snapshot.take_changed()
            if changed:
                book.on_changed(at, changed)
        else:
            _settle_both(state, state.candidate, at, heard)
    else:
        fault(state, at, f"signals did not settle in {MAX_ROUNDS} rounds", out)
    if book.version != state.book_version:
        rejoin(state, at, out)
    else:
        _take_moves(state, out)
        _compare(state, at)


def _settle_both(state: State, candidate: Candidate, at: int, heard: Sequence[tuple[str, tuple[str, ...]]]) -> None:
    """Let the candidate make its instances first: what it binds changes with this round too."""
    candidate.settle(at, heard, ())
    changed = state.snapshot.take_changed()
    if changed:
        state.book.on_changed(at, changed)
        candidate.settle(at, (), changed)


def _compare(state: State, at: int) -> None:
    if state.candidate is not None:
        state.candidate.compare(at, state.policy, state.standing, state.overrides)


def fault(state: State, at: int, what: str, out: list[Effect]) -> None:
    """Halt, because the engine broke its own law. The same again is not told again: it may come with every event."""
    if what in state.faults:
        return
    state.faults[what] = at
    out.append(InternalFault(at=at, what=what))
    out.append(Notify(at=at, to="page", rule="engine.internal_fault", text=f"internal fault, halted: {what}"))
    state.tally.notifications += 1
    rejoin(state, at, out)


def rehold(state: State, at: int, out: list[Effect]) -> None:
    """Join again where what is held whatever the rules say has changed: an account unknown, stops not to be had."""
    held = (*state.execution.holds(), *state.stops.holds())
    if held != state.held:
        state.held = held
        rejoin(state, at, out)


def rejoin(state: State, at: int, out: list[Effect]) -> None:
    """Join everything in force again; cancel what the new policy no longer lets work."""
    _take_moves(state, out)
    before = state.policy
    state.book_version = state.book.version
    in_force = state.in_force()
    after = Policy(in_force, before.version + 1)
    state.policy = after
    tell_depeg(state, at)
    _count_level(state, before, after, at)
    _compare(state, at)
    if after.overall == before.overall and binding(before.in_force) == binding(after.in_force):
        return
    total = after.overall
    out.append(
        PolicyChanged(
            at=at, version=after.version, level=total.level.word, size_mult=total.size_mult,
            mute=tuple(sorted(total.mute)), deny=tuple(sorted(total.deny)),
            deny_quotes=tuple(sorted(total.deny_quotes)), max_notional_usd=total.max_notional_usd,
            binding=binding(in_force), stricter=not before.overall.covers(total),
        )
    )
    cancels = state.execution.on_policy(at, state.look)
    state.stirred = True
    out.extend(cancels)


def _take_moves(state: State, out: list[Effect]) -> None:
    for move in state.book.take_moves():
        if isinstance(move, RuleMoved):
            state.tally.transitions += 1
        elif isinstance(move, Notify):
            state.tally.notifications += move.told
        out.append(move)


def _count_level(state: State, before: Policy, after: Policy, at: int) -> None:
    tally = state.tally
    account_level(state, before, at)
    if tally.warm_at == 0 and after.general.level is Level.NORMAL:
        tally.warm_at = tally.level_since = at
    if before.general.level is not after.general.level:
        state.level_changed_at = at


def account_level(state: State, policy: Policy, at: int) -> None:
    """Add the time since the last change to the run's level under `policy`; warm-up is not counted, and ends by itself.

    Time in which some symbol or intent alone was restrained more than the run is counted beside it.
    """
    longest = max(WARM_UP, warm_up(state.flags.values))
    tally = state.tally
    if tally.warm_at == 0 and tally.started_at and at - tally.started_at > longest:
        tally.warm_at = tally.level_since = tally.started_at + longest
    if tally.warm_at:
        word, lasted = policy.general.level.word, max(0, at - tally.level_since)
        tally.in_level[word] = tally.in_level.get(word, 0) + lasted
        if policy.overall.level > policy.general.level:
            tally.in_part += lasted
        tally.level_since = at
