"""One event, from what we know to what is done about it. The only way the state changes.

Timers that were due come first, each at its own instant and on what was known before the
event. Then the signals, the rules, the policy; only on a settled policy does anyone
propose, so no order is ever reviewed against a stale restraint.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from engine.core.announced import tell_admitted
from engine.core.asking import ask_event, ask_timer, end_spin
from engine.core.asking import due as strategies_due
from engine.core.command import COMMANDS, take_flags
from engine.core.health import tell_health
from engine.core.nightly import end_day, risk_now
from engine.core.noted import told_fill
from engine.core.orders import converge, dispatch, granted_at
from engine.core.overrides import begin_waiting, end_due
from engine.core.settle import rehold, rejoin, settle
from engine.core.state import UNKNOWN, WARM_UP, State
from engine.model.answers import (
    AccountReported,
    AccountStream,
    IncomeReported,
    OrderAbsent,
    OrderFound,
    ProbeAnswered,
    QueryFailed,
    TradesReported,
)
from engine.model.boundary import boundary_after
from engine.model.effects import BoundaryCrossed, Effect, Notify
from engine.model.events import (
    CancelRejected,
    Input,
    InstrumentDefined,
    OrderAccepted,
    OrderCancelled,
    OrderFilled,
    OrderRejected,
    OrderTriggered,
    OrderUncertain,
    OrderWithheld,
    Start,
)
from engine.model.fills import Liquidity
from engine.model.history import MarkKind
from engine.model.samples import Derived
from engine.risk.prices import HEARD

_ORDER_EVENTS = frozenset(
    {
        OrderAccepted, OrderRejected, OrderCancelled, CancelRejected, OrderTriggered, OrderFilled,
        OrderWithheld, OrderUncertain, OrderFound, OrderAbsent, AccountReported, TradesReported, IncomeReported,
        ProbeAnswered, QueryFailed, AccountStream,
    }
)


_ROUNDS = 256
"""How often timers may be due again at one instant before it is asked whether a strategy never ends."""


class Step(NamedTuple):
    """What one input led to, in order, and when the core next wants to be woken (ns, or None)."""

    effects: Sequence[Effect]
    wake_at: int | None


def step(state: State, item: Input) -> Step:
    """Take `item` in and return what to do. `item.at` never goes back: the loop sees to it."""
    out: list[Effect] = []
    if type(item.event) is Start:
        # While no process listened nobody was silent; what was due meanwhile must not take it for that.
        state.reducers.begin(item.at, item.event.venues)
    _fire_until(state, item.at, out)
    state.at = state.look.at = item.at
    state.seq = item.seq
    state.tally.events += 1
    command = COMMANDS.get(type(item.event))
    if command is None:
        _take(state, item, out)
    else:
        command(state, item, out)
        state.stirred = True
        settle(state, item.at, (), out)
        converge(state, item.at, out)
    tell_health(state, item.at, out)
    state.wake_at = _next_due(state, out)
    return Step(out, state.wake_at)


def wake(state: State, at: int) -> Step:
    """Fire what is due up to `at`. A wake-up carries nothing, takes no seq and is not recorded."""
    out: list[Effect] = []
    _fire_until(state, at, out)
    return Step(out, state.wake_at)


def _take(state: State, item: Input, out: list[Effect]) -> None:
    event, at = item.event, item.at
    kind = type(event)
    if state.overrides.waiting or state.flags.waiting:
        begin_waiting(state, at, out)
    state.reducers.fold(item)
    derived: list[Derived] = []
    if kind in HEARD:
        derived += state.prices.on_event(event, at, state.look.flags)
    is_order = kind in _ORDER_EVENTS
    if is_order:
        derived += state.execution.on_event(item, state.look)
        if derived and isinstance(event, OrderFilled):
            # A fill told twice gives samples once.
            _count_fill(state, event)
            state.offenders.on_fill(event.fill.symbol, derived)
            derived += risk_now(state, at)
        elif kind is AccountReported:
            # What the venue holds may have been taken over, and prices have moved since the last fill.
            derived += risk_now(state, at)
    elif isinstance(event, InstrumentDefined):
        state.look.instruments[event.instrument.venue, event.instrument.symbol] = event.instrument
        tell_admitted(state, at, (event.instrument,))
        state.stops.on_instrument(event.instrument)
        state.stirred = True
        derived += state.execution.on_event(item, state.look)
    if state.guardian.interested(event):
        derived += state.guardian.on_event(item, state.look)
    if is_order or state.funding.interested(event):
        hedges = state.execution.hedges.usd(state.look)
        derived += state.funding.on_event(item, state.look, state.reducers.funding, hedges)
    if is_order:
        derived += state.stops.on_event(item, state.look, state.execution)
        state.offenders.hear(derived)
    routing = is_order or state.router.interested(event)
    if routing:
        state.stirred = True
        derived += state.router.on_event(item, state.look, state.execution)
    settle(state, at, derived, out)
    if is_order:
        rehold(state, at, out)
    if routing:
        # Before the strategies: what becomes of an order that is worked is part of how far their wish has come.
        dispatch(state, at, state.router.after_event(at, state.look, state.execution, granted_at(state, at)), out)
    ask_event(state, item, is_order, out)
    if is_order:
        dispatch(state, at, state.execution.after_event(at, state.look), out)
        dispatch(state, at, state.stops.after_event(at, state.look, state.execution), out)
    _hear(state, at, out)
    converge(state, at, out)


def _hear(state: State, at: int, out: list[Effect]) -> None:
    """Let the rules hear what was told with wishes and refusals."""
    if not state.snapshot.settled():
        settle(state, at, (), out)


def _count_fill(state: State, event: OrderFilled) -> None:
    state.tally.fills += 1
    state.snapshot.note(state.at, MarkKind.FILL, told_fill(event.fill))
    if event.fill.liquidity is Liquidity.TAKER:
        state.tally.taker_fills += 1
        state.tally.taker_slippage_sum += event.fill.slippage_bps()


def _next_due(state: State, out: list[Effect]) -> int | None:
    failed = len(state.broken)
    strategic = strategies_due(state, out)
    if len(state.broken) != failed:
        # Asked before the others are: one that failed over the question halts, and that moves them.
        _hear(state, state.at, out)
        tell_health(state, state.at, out)
    soonest = state.boundary_at or None
    candidate = state.candidate
    for due in (
        None if candidate is None else candidate.book.next_due(), state.reducers.next_due(), state.book.next_due(),
        state.flags.next_due(), state.guardian.next_due(), state.funding.next_due(), state.session.due,
        state.denials_end_at, state.overrides.next_due(), _work_due(state),
    ):
        if due is not None and (soonest is None or due < soonest):
            soonest = due
    state.others_due = _sooner(soonest, strategic)
    return _sooner(state.others_due, state.snapshot.next_due())


def _sooner(one: int | None, other: int | None) -> int | None:
    return one if other is None or (one is not None and one <= other) else other


def _work_due(state: State) -> int | None:
    """Return when orders and stops are next to be looked at: asked of those who work them only after they stirred."""
    if state.stirred:
        state.stirred = False
        dues = (state.execution.next_due(), state.stops.next_due(), state.router.next_due())
        state.work_due = min((due for due in dues if due is not None), default=None)
    return state.work_due


def _fire_until(state: State, at: int, out: list[Effect]) -> None:
    # Between two steps nothing changes, so what was due first after the last one still is.
    due, rounds = state.wake_at, 0
    while due is not None and due <= at:
        # A clock that stood still may leave something due in the past: it fires now, never earlier.
        now = max(due, state.at)
        rounds = rounds + 1 if now == state.at else 0
        if rounds > _ROUNDS:
            end_spin(state, now, out)
            rounds = 0
        if state.others_due == UNKNOWN or (state.others_due is not None and state.others_due <= now):
            _fire(state, now, out)
            due = state.wake_at = _next_due(state, out)
            continue
        # Most wake-ups find that a sample is not old yet: then nothing changed, and nobody has to be asked.
        state.at = state.look.at = now
        state.snapshot.fire(now)
        if state.snapshot.settled():
            due = state.wake_at = _sooner(state.others_due, state.snapshot.next_due())
        else:
            _fire(state, now, out)
            due = state.wake_at = _next_due(state, out)


def _fire(state: State, at: int, out: list[Effect]) -> None:
    state.at = state.look.at = at
    if state.boundary_at and state.boundary_at <= at:
        _cross_boundary(state, at, out)
    if state.denials_end_at is not None and state.denials_end_at <= at:
        state.watch_denials()
        rejoin(state, at, out)
    end_due(state, at, out)
    state.snapshot.fire(at)
    state.reducers.fire(at)
    flag_changes = state.flags.fire(at)
    if flag_changes:
        out += flag_changes
        take_flags(state, at, flag_changes, out)
    settle(state, at, (), out)
    state.book.fire(at)
    if state.candidate is not None:
        state.candidate.book.fire(at)
    due = _work_due(state)
    working = due is not None and due <= at
    derived = state.session.on_timer(at, state.mode, state.flags.values)
    derived += state.guardian.on_timer(at, state.look)
    funding_due = state.funding.next_due()
    if funding_due is not None and funding_due <= at:
        hedges = state.execution.hedges.usd(state.look)
        derived += state.funding.on_timer(at, state.look, state.reducers.funding, hedges)
    if working:
        derived += state.execution.on_timer(at, state.look)
        derived += state.stops.on_timer(at, state.look, state.execution)
        derived += state.router.on_timer(at)
        state.offenders.hear(derived)
    settle(state, at, derived, out)
    if working:
        rehold(state, at, out)
    ask_timer(state, at, out)
    if working:
        _work(state, at, out)
    _hear(state, at, out)
    converge(state, at, out)
    tell_health(state, at, out)


def _work(state: State, at: int, out: list[Effect]) -> None:
    """Let execution, the stop validator and the router do what is due."""
    state.stirred = True
    dispatch(state, at, state.execution.due(at, state.look), out)
    dispatch(state, at, state.stops.due(at, state.look, state.execution), out)
    dispatch(state, at, state.router.due(at, state.look, state.execution, granted_at(state, at)), out)
    state.stirred = True


def _cross_boundary(state: State, at: int, out: list[Effect]) -> None:
    day, state.boundary_at = boundary_after(at, state.flags.values)
    if day <= state.boundary_day:
        # The reset flags were changed after this local day had begun: a loss limit is reset once a day.
        return
    state.boundary_day = day
    state.snapshot.note(at, MarkKind.BOUNDARY, {"day": day})
    next_at = state.boundary_at
    out.append(BoundaryCrossed(at=at, day=day, next_at=next_at))
    settle(state, at, end_day(state, at, day, out), out)
    # Told before latches end: a rule that saw yesterday's loss must not hold the new day for it.
    settle(state, at, state.guardian.on_boundary(at, state.look), out)
    note = state.guardian.baseline_note()
    if note:
        out.append(Notify(at=at, to="digest", rule="engine.guardian", text=note))
    state.book.on_boundary(at)
    if state.candidate is not None:
        state.candidate.book.on_boundary(at)
    rejoin(state, at, out)


__all__ = ["WARM_UP", "Step", "step", "wake"]
