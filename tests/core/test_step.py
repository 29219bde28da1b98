"""One input at a time: what was due comes first, at its own instant, and a wake-up changes nothing but when we look."""

from __future__ import annotations

from decimal import Decimal

import pytest

from engine.core.checkpoint import dump_state
from engine.core.step import Step, step, wake
from engine.model.codec import canonical, encode
from engine.model.effects import CancelOrder, Effect, LatchSet, PlaceOrder, PolicyChanged, RuleMoved
from engine.model.events import Input, InstrumentDefined
from engine.model.instruments import Instrument
from engine.model.time import MINUTE, MS, SECOND
from tests.core.kit import ORACLE, Core, Drive, demo, moves


def test_what_was_due_fires_at_its_own_instant_and_before_the_event() -> None:
    """A quote that ends a silence comes too late to hide it: the pause stands in the story, at the second it began."""
    core = Core()
    last = core.calm()
    effects = core.quote(last + 45 * SECOND)
    due = core.begin + last + 30 * SECOND
    assert moves(effects, "guard.feed.stale")[0] == (due, "firing")
    instants = [effect.at for effect in effects]
    assert instants == sorted(instants)
    assert next(one for one in effects if isinstance(one, PolicyChanged)).at == due


def test_timers_see_the_snapshot_before_the_event() -> None:
    """Three windows under the peg are over at 3 min; the sound round of that very instant comes behind them."""
    core = Core()
    begin = core.calm()
    for round_at in range(1, 4):
        core.peg(begin + round_at * MINUTE, 0.98)
    at = begin + 4 * MINUTE
    effects = core.peg(at, 1.0)
    assert moves(effects, ORACLE)[0] == (core.begin + at, "firing")
    fired = next(one for one in effects if isinstance(one, RuleMoved) and one.rule == ORACLE)
    assert ("peg_usdt_usd", "0.98") in fired.inputs
    assert any(isinstance(one, LatchSet) for one in effects)


def test_timers_of_one_instant_go_in_order_and_of_two_by_time() -> None:
    """However long nobody looked: the story is told in the order in which it became true."""
    core = Core()
    begin = core.calm()
    effects = core.quote(begin + 20 * MINUTE)
    told = [one.at for one in effects]
    assert told == sorted(told)
    assert len({*told}) > 3


def test_a_clock_that_stood_still_fires_what_is_due_and_never_goes_back() -> None:
    core = Core()
    begin = core.calm()
    core.wake(begin + 40 * SECOND)
    assert core.state.at <= core.begin + begin + 40 * SECOND
    before = core.state.at
    assert core.wake(begin) == []
    assert core.state.at == before


@pytest.mark.parametrize("stride", [1, 997 * MS, 7 * SECOND])
def test_waking_and_stepping_give_the_same(stride: int) -> None:
    """Woken at each due instant, at odd moments or never, the core says the same and is the same."""
    lazy, eager = Core(), Core()
    lazy.calm()
    last = eager.calm()
    said: list[Effect] = []
    for _ in range(400):
        due = eager.state.wake_at
        assert due is not None
        at = max(due, eager.state.at + stride) - eager.begin
        if at >= last + 5 * MINUTE:
            break
        said += eager.wake(at)
    said += eager.peg(last + 5 * MINUTE, 0.99)
    quiet = lazy.peg(last + 5 * MINUTE, 0.99)
    assert [encode(one) for one in said] == [encode(one) for one in quiet]
    assert canonical(dump_state(eager.state)) == canonical(dump_state(lazy.state))


def test_a_wake_up_takes_no_number_and_is_no_event() -> None:
    core = Core()
    last = core.calm()
    seq, events = core.state.seq, core.state.tally.events
    core.wake(last + MINUTE)
    assert (core.state.seq, core.state.tally.events) == (seq, events)


def test_the_core_says_when_it_wants_to_be_woken() -> None:
    """Never in the past, and never later than anything that moves by itself."""
    core = Core()
    last = core.calm()
    made = Step((), core.state.wake_at)
    while made.wake_at is not None and made.wake_at < core.begin + last + 10 * MINUTE:
        early = wake(core.state, made.wake_at - 1)
        assert early.effects == [] and early.wake_at == made.wake_at
        due = made.wake_at
        made = wake(core.state, due)
        assert all(effect.at == due for effect in made.effects)
        assert made.wake_at is not None and made.wake_at > due


def test_an_order_decided_by_a_timer_carries_the_due_instant() -> None:
    """On the demo: exits whose time had come while no event did. None is dated at the event that came after."""
    drive = Drive({})
    timed: list[tuple[int, PlaceOrder | CancelOrder]] = []
    drive.on_wake = lambda at, effects: timed.extend(
        (at, one) for one in effects if isinstance(one, PlaceOrder | CancelOrder)
    )
    drive.until(45_000)
    assert any(isinstance(order, PlaceOrder) for _, order in timed)
    assert all(order.at == at for at, order in timed)
    assert all(order.at <= drive.at for _, order in timed)


def test_an_event_that_comes_late_finds_the_orders_of_the_timers_before_it() -> None:
    """Without wake-ups the same orders are decided at the same instants; only the venue hears of them later."""
    woken = Drive({}).until(12_000)
    due = woken.state.wake_at
    assert due is not None
    at = due + 90 * SECOND
    late = Drive({}, woken.payload())
    by_wake = [encode(one) for one in wake(woken.state, at).effects]
    event = InstrumentDefined(instrument=other(), venue_at=at)
    by_step = [encode(one) for one in step(late.state, Input(late.seq + 1, at, event)).effects]
    assert by_wake == by_step[: len(by_wake)] and by_wake


def other() -> Instrument:
    """Return metadata of a symbol nobody trades: an event that says nothing to anyone."""
    known = demo().header.instruments[0]
    return Instrument(
        venue=known.venue, symbol="NONEUSDT", base="NONE", quote="USDT", kind=known.kind, tick=known.tick,
        step=known.step, min_quantity=known.min_quantity, max_quantity=known.max_quantity, min_notional=Decimal(5),
    )
