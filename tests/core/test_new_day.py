"""The daily boundary: boundary latches end exactly once a local day, manual ones never by themselves.

Over zones whose days have 23, 24 and 25 hours, through restarts, clocks that stand still and
changed reset flags. Between two instants nothing is waited for: the core is put there.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from engine.core.checkpoint import dump_state, load_state
from engine.core.settle import settle
from engine.model.boundary import boundary_of, day_began, zone
from engine.model.effects import BoundaryCrossed, Effect, LatchCleared
from engine.model.events import SetFlagCommand
from engine.model.market import Heartbeat
from engine.model.samples import Derived
from engine.model.time import HOUR, MINUTE, SECOND
from tests.core.kit import START, Core, demo, fresh

LOSS, EARLY = "kill.daily_loss", "kill.daily_loss.early"


class Days:
    """A core that lives through days in one zone."""

    def __init__(self, at: int, name: str, hour: int) -> None:
        self.core = Core()
        self.crossed: list[BoundaryCrossed] = []
        self.cleared: list[LatchCleared] = []
        self._put(at)
        self.flag("DAILY_RESET_TZ", name)
        self.flag("DAILY_RESET_HOUR", hour)
        state = self.core.state
        # As if it had begun here: the days between the tape and this one are nobody's.
        state.boundary_day = ""
        self.restart()
        self.crossed.clear()

    @property
    def at(self) -> int:
        return self.core.state.at

    def to(self, at: int) -> None:
        """Let time pass to `at`, every boundary at its own instant."""
        state = self.core.state
        while 0 < state.boundary_at <= at:
            self._put(max(state.boundary_at, state.at))
            self._hear(self.core.wake(state.at - self.core.begin))
        self._put(max(at, state.at))
        self._hear(self.core.wake(state.at - self.core.begin))

    def restart(self) -> None:
        """Be killed, and begin again from what was kept, at this very instant."""
        kept = dump_state(self.core.state)
        tape = demo()
        state = fresh(tape).state
        load_state(state, kept)
        self.core.state = state
        self._hear(self.core.tell(state.at - self.core.begin, START))

    def flag(self, name: str, value: str | float) -> None:
        self._hear(self.core.tell(
            self.at - self.core.begin, SetFlagCommand(actor="ann", name=name, value=value, reason="a test", ttl=0)
        ))

    def clock_stands(self, times: int) -> None:
        """The clock went back: the loop holds the instant until it has caught up."""
        for _ in range(times):
            self._hear(self.core.tell(self.at - self.core.begin, Heartbeat("feed.market", self.at)))

    def loses(self, *, hours_into_the_day: float) -> None:
        """Lose too much for as long as the rules want to see it, then be known to be well again."""
        state, out = self.core.state, list[Effect]()
        for lost in (4.0, 4.0, 4.0, 0.0):
            told = {"daily_loss_pct": lost, "daily_loss_usd": lost * 100, "session_age_h": hours_into_the_day}
            settle(state, state.at, [Derived(name, ("main",), value, state.at) for name, value in told.items()], out)
            self._put(state.at + 5 * SECOND)
            state.book.fire(state.at)
            settle(state, state.at, (), out)
        self._hear(out)

    def latched(self) -> set[str]:
        return {latch.rule for latch in self.core.state.book.latches() if latch.rule.startswith(LOSS)}

    def _put(self, at: int) -> None:
        state = self.core.state
        state.at = state.look.at = state.wake_at = at

    def _hear(self, effects: list[Effect]) -> None:
        self.crossed += [one for one in effects if isinstance(one, BoundaryCrossed)]
        self.cleared += [one for one in effects if isinstance(one, LatchCleared)]


def instant(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * SECOND


def expected(name: str, hour: int, since: int, until: int) -> list[tuple[str, int]]:
    """Return (day, instant) of every boundary in (since, until], from the calendar alone."""
    found: list[tuple[str, int]] = []
    day = datetime.fromtimestamp(since // SECOND, tz=UTC).date() - timedelta(days=2)
    last = datetime.fromtimestamp(until // SECOND, tz=UTC).date() + timedelta(days=2)
    while day <= last:
        begins = boundary_of(day, hour=hour, tz=zone(name))
        if begins is not None and since < begins <= until:
            found.append((day.isoformat(), begins))
        day += timedelta(days=1)
    return found


CHANGES = (
    ("Europe/Berlin", "2026-03-28T09:00:00"), ("Europe/Berlin", "2026-10-24T09:00:00"),
    ("America/New_York", "2026-03-07T12:00:00"), ("America/New_York", "2026-10-31T12:00:00"),
    ("Australia/Lord_Howe", "2026-04-04T03:00:00"), ("UTC", "2026-03-28T09:00:00"),
)


@pytest.mark.parametrize("hour", [0, 2, 3, 23])
@pytest.mark.parametrize(("name", "begin"), CHANGES)
def test_a_boundary_latch_ends_once_a_local_day_and_a_manual_one_never(name: str, begin: str, hour: int) -> None:
    """Lost anew every day around the change of clocks, restarted in between and across: once a day, at its instant."""
    since = instant(begin)
    days = Days(since, name, hour)
    for number, (_, begins) in enumerate(expected(name, hour, since, since + 60 * HOUR)):
        days.loses(hours_into_the_day=1.0 if number == 0 else 5.0)
        assert days.latched() == {LOSS, EARLY}
        days.to(begins - 1)
        if number % 2:
            days.restart()
        assert days.latched() == {LOSS, EARLY}, "not before"
        days.clock_stands(3)
        days.to(begins)
        days.clock_stands(3)
        days.restart()
        assert days.latched() == {EARLY}
        days.to(begins + 2 * HOUR)
    assert [(one.day, one.at) for one in days.crossed] == expected(name, hour, since, days.at)
    assert [one.latch.split("/")[0] for one in days.cleared] == [LOSS] * len(days.crossed)


_STEP = st.one_of(
    st.tuples(st.just("sleep"), st.integers(1, 40 * 60)), st.tuples(st.just("restart"), st.just(0)),
    st.tuples(st.just("stands"), st.integers(1, 3)),
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(CHANGES), st.integers(0, 23), st.lists(_STEP, min_size=3, max_size=9))
def test_every_day_begins_once_however_the_time_passes(
    change: tuple[str, str], hour: int, steps: list[tuple[str, int]]
) -> None:
    """Slept through, restarted across, with a clock that stands: the boundaries are those of the calendar."""
    name, begin = change
    days = Days(instant(begin), name, hour)
    since = days.at
    for what, amount in steps:
        if what == "sleep":
            days.to(days.at + amount * MINUTE)
        elif what == "restart":
            days.restart()
        else:
            days.clock_stands(amount)
    assert [(one.day, one.at) for one in days.crossed] == expected(name, hour, since, days.at)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(
    st.sampled_from(["UTC", "Asia/Tokyo", "America/New_York", "Pacific/Kiritimati"]), st.integers(0, 23),
    st.integers(1, 20 * 60), st.booleans(),
), min_size=2, max_size=7))
@example([("UTC", 12, 8 * 60, True), ("UTC", 0, 60, False)])
def test_nobody_gets_two_days_of_one_date_by_changing_the_flags(moves: list[tuple[str, int, int, bool]]) -> None:
    """Whatever zone and hour are set, and however often it restarts: no date begins twice, none before the last."""
    days = Days(instant("2026-05-05T05:00:00"), "UTC", 0)
    begun = days.core.state.boundary_day
    for name, hour, minutes, restarts in moves:
        days.flag("DAILY_RESET_TZ", name)
        days.flag("DAILY_RESET_HOUR", hour)
        if restarts:
            days.restart()
        days.to(days.at + minutes * MINUTE)
    told = [date.fromisoformat(one.day) for one in days.crossed]
    assert told == sorted(set(told)) and all(one.day > begun for one in days.crossed)


def test_a_restart_across_the_boundary_takes_the_baseline_there_as_best_known_and_says_so() -> None:
    """The prices are those that were heard last; the note stands in the status until the next day."""
    core = Core()
    core.calm()
    state = core.state
    boundary = state.boundary_at
    effects = core.tell(boundary + 3 * HOUR - core.begin, START)
    crossed = [one for one in effects if isinstance(one, BoundaryCrossed)]
    assert [one.at for one in crossed] == [boundary]
    told = state.guardian.report(state.look)
    assert told["baseline_at"] == boundary == told["day_began_at"] == day_began(state.at, state.flags.values)
    assert told["baseline_usd"] == 10_000.0
