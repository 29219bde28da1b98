"""The lifecycle is one total table: every state, every reading, every timer due or not."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.model.time import SECOND
from engine.ruleset.lifecycle import (
    IN_EPISODE,
    TABLE,
    Grip,
    Reading,
    Standing,
    State,
    Timer,
    Timing,
    advance,
    due_at,
    grip,
    next_due,
    rearmed,
    stopped,
)
from engine.ruleset.spec import OnUnknown

AT = 1_000
STARTED = 500
DUE, NOT_DUE = 100, 5_000

# What each cell comes to, written out once more: (state, reading, the timers that are due).
# F for, D doubt, C clear, K known, L lockout; a cooldown of 0 and an open latch are tested below.
EXPECTED: dict[tuple[str, str], Callable[[frozenset[str]], str]] = {
    ("inactive", "true"): lambda due: "firing" if "F" in due else "pending",
    ("inactive", "unknown"): lambda due: "held" if "D" in due else "inactive",
    ("inactive", "wait"): lambda due: "inactive",
    ("inactive", "clear"): lambda due: "inactive",
    ("pending", "true"): lambda due: "firing" if "F" in due else "pending",
    ("pending", "unknown"): lambda due: "held" if "D" in due else "pending",
    ("pending", "wait"): lambda due: "inactive",
    ("pending", "clear"): lambda due: "inactive",
    ("firing", "true"): lambda due: "firing",
    ("firing", "unknown"): lambda due: "firing",
    ("firing", "wait"): lambda due: "clearing",
    ("firing", "clear"): lambda due: "cooldown" if "C" in due else "clearing",
    ("clearing", "true"): lambda due: "firing",
    ("clearing", "unknown"): lambda due: "firing",
    ("clearing", "wait"): lambda due: "clearing",
    ("clearing", "clear"): lambda due: "cooldown" if "C" in due else "clearing",
    ("cooldown", "true"): lambda due: "firing" if "F" in due else "pending" if "L" in due else "cooldown",
    ("cooldown", "unknown"): lambda due: "held" if "D" in due and "L" in due else "cooldown",
    ("cooldown", "wait"): lambda due: "inactive" if "L" in due else "cooldown",
    ("cooldown", "clear"): lambda due: "inactive" if "L" in due else "cooldown",
    ("held", "true"): lambda due: "firing" if "F" in due else "pending" if "K" in due else "held",
    ("held", "unknown"): lambda due: "held",
    ("held", "wait"): lambda due: "inactive" if "K" in due else "held",
    ("held", "clear"): lambda due: "inactive" if "K" in due else "held",
}


def timing(due: frozenset[str]) -> Timing:
    return Timing(
        hold_for=DUE if "F" in due else NOT_DUE, keep_firing_for=DUE if "C" in due else NOT_DUE, cooldown=60,
        unknown_grace=DUE if "D" in due else NOT_DUE, min_clear=DUE if "K" in due else NOT_DUE,
    )


def standing(state: State, reading: Reading, due: frozenset[str]) -> Standing:
    known = reading is not Reading.UNKNOWN
    lockout = (AT - 1 if "L" in due else AT + 1) if state is State.COOLDOWN else None
    return Standing(
        state=state, since=STARTED, reading=reading, answered=True, unknown_since=None if known else STARTED,
        known_since=STARTED if known else None, true_since=STARTED if reading is Reading.TRUE else None,
        clear_since=STARTED if reading is Reading.CLEAR else None, locked_until=lockout,
    )


def test_every_cell_of_the_table() -> None:
    """24 cells, and in each every combination of timers that are due and timers that are not."""
    walked = 0
    for state, reading in itertools.product(State, Reading):
        for size in range(6):
            for chosen in itertools.combinations("FDCKL", size):
                due = frozenset(chosen)
                after = advance(standing(state, reading, due), reading, timing(due), AT)
                assert after.state.value == EXPECTED[state.value, reading.value](due), (state, reading, due)
                assert after.since == (STARTED if after.state is state else AT)
                walked += 1

    assert walked == len(TABLE) * 32 == 24 * 32


def test_the_table_has_every_cell_and_always_an_answer() -> None:
    assert set(TABLE) == set(itertools.product(State, Reading))
    for cell in TABLE.values():
        assert cell[-1][0] is None
        assert all(timer is not None for timer, _ in cell[:-1])


def test_next_due_is_the_instant_at_which_the_cell_moves() -> None:
    """One nanosecond earlier nothing moves; at that instant it does. In every cell with a running timer."""
    for state, reading in itertools.product(State, Reading):
        rules = timing(frozenset())
        rest = advance(standing(state, reading, frozenset()), reading, rules, AT)
        due = next_due(rest, rules, AT)
        if due is None:
            assert len(TABLE[rest.state, reading]) == 1
            continue
        assert advance(rest, reading, rules, due - 1) is rest
        assert advance(rest, reading, rules, due).state is not rest.state, (state, reading)


def run(rules: Timing, *readings: tuple[int, Reading], latched: bool = False) -> list[str]:
    """Return the state after each reading; seconds. Timers in between fire at their instants."""
    states, now = [], Standing()
    for at, reading in readings:
        due = next_due(now, rules, now.since)
        while due is not None and due < at * SECOND:
            now = advance(now, now.reading, rules, due, latched=latched)
            due = next_due(now, rules, due)
        now = advance(now, reading, rules, at * SECOND, latched=latched)
        states.append(now.state.value)
    return states


T, U, W, C = Reading.TRUE, Reading.UNKNOWN, Reading.WAIT, Reading.CLEAR
FOR_60 = Timing(hold_for=60 * SECOND, unknown_grace=30 * SECOND, min_clear=10 * SECOND)


@pytest.mark.parametrize(
    ("name", "rules", "readings", "states"),
    [
        ("a flicker restarts the climb", FOR_60, [(0, T), (50, T), (55, C), (60, T), (119, T), (120, T)],
         "pending pending inactive pending pending firing"),
        ("a climb goes on through short doubt", FOR_60, [(0, T), (40, U), (60, U), (65, T)],
         "pending pending pending firing"),
        ("doubt never fires", FOR_60, [(0, T), (40, U), (69, U), (70, U), (500, U)],
         "pending pending pending held held"),
        ("a climb that lasted through doubt fires on the first known-true", FOR_60,
         [(0, T), (10, U), (100, U), (101, T)], "pending pending held firing"),
        ("start-up spends the grace at once", FOR_60, [(0, U), (1, C), (10, C), (11, C)],
         "held held held inactive"),
        ("a rule known from the first moment was never in doubt", FOR_60, [(0, C)], "inactive"),
        ("held ends when known for min_clear, whatever the answer", FOR_60, [(0, U), (1, T), (10, C), (11, T)],
         "held held held pending"),
        ("held starts anew when doubt returns", FOR_60, [(0, U), (1, C), (9, U), (12, C), (21, C), (22, C)],
         "held held held held held inactive"),
        ("firing stays through doubt and the clear timer starts anew",
         replace(FOR_60, hold_for=0, keep_firing_for=60 * SECOND),
         [(0, T), (10, C), (40, U), (100, U), (110, C), (169, C), (170, C)],
         "firing clearing firing firing clearing clearing inactive"),
        ("clearing waits for clear_expr", replace(FOR_60, hold_for=0), [(0, T), (10, W), (500, W), (501, C)],
         "firing clearing clearing inactive"),
        ("the same episode goes on when it is true again while clearing",
         replace(FOR_60, hold_for=30 * SECOND, keep_firing_for=60 * SECOND),
         [(0, T), (30, T), (40, C), (50, T)], "pending firing clearing firing"),
        ("a lockout runs from the clear", replace(FOR_60, hold_for=0, cooldown=60 * SECOND),
         [(0, T), (10, C), (69, C), (70, C)], "firing cooldown cooldown inactive"),
        ("what is true in a lockout climbs, and fires", replace(FOR_60, cooldown=60 * SECOND, hold_for=20 * SECOND),
         [(0, T), (20, T), (30, C), (40, T), (59, T), (60, T)],
         "pending firing cooldown cooldown cooldown firing"),
        ("a lockout that ends in doubt is held, and only an answer ends it",
         replace(FOR_60, hold_for=0, cooldown=60 * SECOND),
         [(0, T), (10, C), (20, U), (69, U), (71, U), (80, C), (90, C)],
         "firing cooldown cooldown cooldown held held inactive"),
        ("a lockout that ends in doubt within the grace waits", replace(FOR_60, hold_for=0, cooldown=60 * SECOND),
         [(0, T), (10, C), (65, U), (75, U), (80, C)], "firing cooldown cooldown cooldown inactive"),
    ],
    ids=lambda value: value if isinstance(value, str) and " " in value and "inactive" not in value else None,
)
def test_timelines(name: str, rules: Timing, readings: list[tuple[int, Reading]], states: str) -> None:
    assert run(rules, *readings) == states.split(), name


def test_while_a_latch_is_open_the_lockout_waits_for_the_rearm() -> None:
    rules = Timing(cooldown=60)
    fired = advance(Standing(), T, rules, 0, latched=False)
    cleared = advance(fired, C, rules, 10, latched=True)
    assert cleared.state is State.INACTIVE

    locked = rearmed(cleared, rules, 100)
    assert (locked.state, locked.locked_until) == (State.COOLDOWN, 160)
    assert advance(locked, C, rules, 160).state is State.INACTIVE


def test_a_rearm_before_the_clear_starts_the_lockout_then() -> None:
    rules = Timing(cooldown=60, keep_firing_for=30)
    clearing = advance(advance(Standing(), T, rules, 0), C, rules, 10, latched=True)
    early = rearmed(clearing, rules, 20)
    assert early.state is State.CLEARING

    after = advance(early, C, rules, 40)
    assert (after.state, after.locked_until) == (State.COOLDOWN, 80)


def test_a_switch_or_doubt_in_between_does_not_shorten_a_lockout() -> None:
    locked = Standing(state=State.COOLDOWN, reading=C, answered=True, known_since=0, locked_until=100)
    again = advance(stopped(locked, 20), C, Timing(cooldown=60), 30)
    assert again.state is State.COOLDOWN

    held = replace(locked, state=State.HELD)
    assert advance(held, C, Timing(cooldown=60), 50).state is State.COOLDOWN


def test_raising_for_never_unfires() -> None:
    fired = advance(Standing(), T, Timing(), 0)
    assert advance(fired, T, Timing(hold_for=10**9), 1).state is State.FIRING


@pytest.mark.parametrize(
    ("mode", "first", "later"),
    [(OnUnknown.RESTRICT, "held", "held"), (OnUnknown.CUTBACK, "held", "held"), (OnUnknown.HOLD, "held", "inactive"),
     (OnUnknown.IGNORE, "inactive", "inactive")],
)
def test_on_unknown(mode: OnUnknown, first: str, later: str) -> None:
    """`hold` keeps what was known, so it holds only while nothing ever was."""
    rules = Timing(on_unknown=mode, unknown_grace=10)
    assert advance(Standing(), U, rules, 0).state.value == first

    known = advance(advance(Standing(), C, rules, 0), U, rules, 5)
    assert advance(known, U, rules, 100).state.value == later


def test_ttl_ends_what_the_episode_imposes_counted_from_the_last_known_true() -> None:
    rules = Timing(ttl=100, unknown_grace=30, keep_firing_for=1_000)
    fired = advance(Standing(), T, rules, 0)
    assert grip(fired, rules, 10_000) is Grip.FIRING

    clearing = advance(fired, C, rules, 50)
    assert next_due(clearing, rules, 50) == 150
    assert (grip(clearing, rules, 149), grip(clearing, rules, 150)) == (Grip.FIRING, Grip.NONE)


def test_doubt_is_not_bound_by_a_ttl() -> None:
    """Else a gap in the data would end a restraint that the data would have kept."""
    rules = Timing(ttl=100, unknown_grace=30)
    doubted = advance(advance(Standing(), T, rules, 0), U, rules, 50)
    assert [grip(doubted, rules, at) for at in (60, 149, 150)] == [Grip.FIRING, Grip.FIRING, Grip.HELD]

    short = replace(rules, ttl=10)
    assert [grip(doubted, short, at) for at in (59, 60, 80)] == [Grip.FIRING, Grip.NONE, Grip.HELD]
    assert next_due(doubted, short, 50) == 60 and next_due(doubted, short, 60) == 80

    ignored = replace(rules, on_unknown=OnUnknown.IGNORE)
    assert grip(doubted, ignored, 150) is Grip.NONE


_STEP = st.tuples(st.integers(0, 40), st.sampled_from(list(Reading)))
_TIMING = st.builds(
    Timing, hold_for=st.integers(0, 60), keep_firing_for=st.integers(0, 60), cooldown=st.integers(0, 60),
    unknown_grace=st.integers(0, 60), min_clear=st.integers(0, 60), ttl=st.sampled_from((0, 30)),
)


@settings(max_examples=300, deadline=None)
@given(_TIMING, st.lists(_STEP, max_size=12))
def test_advancing_twice_at_one_instant_changes_nothing(rules: Timing, steps: list[tuple[int, Reading]]) -> None:
    """So it does not matter how often an instance is looked at."""
    now, at = Standing(), 0
    for wait, reading in steps:
        at += wait
        once = advance(now, reading, rules, at)
        assert advance(once, reading, rules, at) == once
        due = next_due(once, rules, at)
        assert due is None or due > at
        now = once


@settings(max_examples=300, deadline=None)
@given(_TIMING, st.lists(_STEP, max_size=12))
def test_only_a_known_truth_fires_and_only_a_known_falsehood_clears(
    rules: Timing, steps: list[tuple[int, Reading]]
) -> None:
    now, at = Standing(), 0
    for wait, reading in steps:
        at += wait
        after = advance(now, reading, rules, at)
        if after.state is State.FIRING and now.state not in IN_EPISODE:
            assert reading is Reading.TRUE
        if now.state in IN_EPISODE and after.state not in IN_EPISODE:
            assert reading is Reading.CLEAR
        if reading is Reading.UNKNOWN and now.state in (State.COOLDOWN, State.HELD):
            assert after.state in (State.COOLDOWN, State.HELD)
        now = after


def test_a_timer_whose_clock_does_not_run_is_never_due() -> None:
    for timer in (Timer.FOR, Timer.DOUBT, Timer.DOUBT_AFTER_LOCKOUT, Timer.CLEAR, Timer.KNOWN):
        assert due_at(Standing(), timer, Timing()) is None
