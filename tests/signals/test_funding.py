"""Rates are told for eight hours whatever their interval, predicted and paid apart, and what cannot be is no rate."""

from __future__ import annotations

import pytest

from engine.model.events import Input
from engine.model.market import FeedDropped, FundingRate
from engine.model.samples import Status
from engine.model.time import HOUR, MINUTE, MS, SECOND
from engine.runtime.config import load_config
from engine.signals.funding import Known, follow
from engine.signals.reduce import Reducers, ReducerSettings
from engine.signals.snapshot import Snapshot
from tests.conftest import ROOT

NOON = 1_758_542_400 * SECOND
KEY = ("v", "XUSDT")


def paid(rate: float, at: int, interval: int = 0) -> FundingRate:
    return FundingRate(*KEY, rate, interval, at, at, paid=True)


def predicted(rate: float, at: int, *, interval: int = 8 * HOUR, next_at: int = 0) -> FundingRate:
    return FundingRate(*KEY, rate, interval, at, at, next_at=next_at)


def after(*events: FundingRate) -> Known:
    known = Known()
    for event in events:
        known = follow(known, event, event.received_at)
    return known


@pytest.mark.parametrize(("interval", "pct"), [(8 * HOUR, 1.0), (4 * HOUR, 2.0), (HOUR, 8.0)])
def test_a_rate_is_told_for_eight_hours(interval: int, pct: float) -> None:
    assert after(predicted(0.01, NOON, interval=interval)).predicted_pct() == pytest.approx(pct)
    assert after(paid(0.01, NOON, interval)).paid_pct() == pytest.approx(pct)


def test_the_interval_of_a_payment_is_the_time_since_the_one_before() -> None:
    """Stamps are some milliseconds off; the first payment has no interval, and nothing is made up for it."""
    first = after(paid(-0.001, NOON - 4 * HOUR))
    second = follow(first, paid(-0.02, NOON + 5 * MS), NOON)
    third = follow(second, paid(-0.0108, NOON + HOUR + 3 * MS), NOON + HOUR)

    assert first.paid_pct() is None
    assert second.paid_pct() == pytest.approx(-4.0)
    assert third.paid_pct() == pytest.approx(-8.64)


def test_a_hole_in_the_record_is_no_interval() -> None:
    known = after(paid(0.001, NOON), paid(0.001, NOON + HOUR), paid(0.001, NOON + 30 * HOUR))

    assert known.paid_interval == HOUR


def test_the_last_prediction_before_its_time_is_what_was_paid() -> None:
    due = NOON + HOUR
    known = after(
        predicted(0.003, due - SECOND, interval=4 * HOUR, next_at=due),
        predicted(0.0001, due + SECOND, interval=HOUR, next_at=due + HOUR),
    )

    assert (known.paid, known.paid_interval, known.paid_at) == (0.003, 4 * HOUR, due)
    assert known.predicted_pct() == pytest.approx(0.08)


def test_a_prediction_that_was_old_when_it_was_due_is_nothing_that_was_paid() -> None:
    due = NOON + HOUR
    known = after(
        predicted(0.003, due - 11 * MINUTE, next_at=due), predicted(0.0001, due + SECOND, next_at=due + 8 * HOUR)
    )

    assert known.paid is None


def test_a_payment_told_by_both_is_one_payment_with_one_interval() -> None:
    due = NOON + HOUR
    known = after(
        predicted(0.003, due - SECOND, interval=HOUR, next_at=due),
        predicted(0.0001, due + SECOND, interval=HOUR, next_at=due + HOUR), paid(0.0031, due),
    )

    assert (known.paid, known.paid_interval) == (0.0031, HOUR)


def test_what_is_older_than_what_is_known_changes_nothing() -> None:
    known = after(predicted(0.003, NOON), paid(0.002, NOON, HOUR))

    assert follow(known, predicted(0.9, NOON - 1), NOON) == known
    assert follow(known, paid(0.9, NOON - 1, HOUR), NOON) == known


class World:
    """Reducers over the shipped catalogue."""

    def __init__(self) -> None:
        config = load_config(ROOT, {})
        assert config.catalogue is not None
        self.snapshot = Snapshot(config.catalogue)
        self.reducers = Reducers(self.snapshot, ReducerSettings.from_flags(config.flag_book().values))

    def take(self, event: FundingRate | FeedDropped) -> None:
        self.reducers.fold(Input(1, event.received_at, event))

    def read(self, name: str) -> tuple[int, object]:
        slot = self.snapshot.base(name, KEY)
        return self.snapshot.status[slot], self.snapshot.values[slot]


def test_the_signals_follow_and_survive_a_dump() -> None:
    world = World()
    world.take(predicted(0.003, NOON, next_at=NOON + HOUR))
    world.take(paid(0.001, NOON, 4 * HOUR))

    assert world.read("funding_rate_pct") == (0, pytest.approx(0.3))
    assert world.read("funding_paid_pct") == (0, pytest.approx(0.2))
    other = World()
    other.snapshot.load(world.snapshot.dump())
    other.reducers.load(world.reducers.dump())
    assert other.reducers.funding.of(*KEY) == world.reducers.funding.of(*KEY) is not None
    assert other.reducers.dump() == world.reducers.dump()


@pytest.mark.parametrize("rate", [float("nan"), float("inf"), 1.0, -1.0])
def test_a_rate_that_cannot_be_is_invalid_and_forgotten(rate: float) -> None:
    world = World()
    world.take(predicted(0.003, NOON))
    world.take(predicted(rate, NOON + SECOND))

    assert world.read("funding_rate_pct")[0] == Status.INVALID
    known = world.reducers.funding.of(*KEY)
    assert known is not None and known.rate == 0.003


def test_lost_rates_are_missing_until_the_next() -> None:
    world = World()
    world.take(predicted(0.003, NOON))
    world.take(FeedDropped("v", "", "FundingRate", 3, NOON + SECOND))
    assert world.read("funding_rate_pct")[0] == Status.MISSING

    world.take(predicted(0.003, NOON + 2 * SECOND))
    assert world.read("funding_rate_pct")[0] == 0
