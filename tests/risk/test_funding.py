"""A cost is ours: by the side of the position, while it is open, as far as its rate is believed, and nothing else."""

from __future__ import annotations

from decimal import Decimal

import pytest

from engine.model.answers import AccountReported
from engine.model.events import Event, Input
from engine.model.fills import Position
from engine.model.market import FundingRate, Heartbeat
from engine.model.time import HOUR, MINUTE, SECOND
from engine.risk.funding import EVERY, Belief, FundingCost, cost_pct, silence
from engine.signals.funding import Known, follow
from tests.execution.kit import Desk

NOON = 1_758_542_400 * SECOND
BELIEF = Belief(silent=10 * MINUTE, paid=15 * MINUTE)
KEY = ("paper", "XYZUSDT")


def held(quantity: int, opened_at: int = NOON - HOUR) -> Position:
    return Position(account="main", venue="paper", symbol="XYZUSDT", quantity=Decimal(quantity), opened_at=opened_at)


def predicting(rate: float, at: int = NOON) -> Known:
    return Known(rate=rate, interval=8 * HOUR, told_at=at, heard_at=at)


@pytest.mark.parametrize(("quantity", "rate", "cost"), [
    (5, 0.003, 0.3), (-5, 0.003, -0.3), (5, -0.003, -0.3), (-5, -0.003, 0.3),
])
def test_a_long_pays_what_a_short_receives(quantity: int, rate: float, cost: float) -> None:
    assert cost_pct(held(quantity), predicting(rate), NOON, BELIEF) == pytest.approx(cost)


def test_a_prediction_is_believed_for_so_long_and_then_nobody_knows() -> None:
    known = predicting(0.003)

    assert cost_pct(held(1), known, NOON + BELIEF.silent, BELIEF) is not None
    assert cost_pct(held(1), known, NOON + BELIEF.silent + 1, BELIEF) is None


def just_paid(known: Known, at: int) -> Known:
    return follow(known, FundingRate(*KEY, 0.01, 8 * HOUR, at, at, paid=True), at)


def test_what_was_just_paid_counts_beside_the_prediction_for_a_while_and_only_who_held_paid_it() -> None:
    known = just_paid(predicting(0.0001), NOON)

    assert cost_pct(held(1), known, NOON + 9 * MINUTE, BELIEF) == pytest.approx(1.0)
    assert cost_pct(held(1, opened_at=NOON + 1), known, NOON + 9 * MINUTE, BELIEF) == pytest.approx(0.01)
    fresh = follow(known, FundingRate(*KEY, 0.0001, 8 * HOUR, NOON + 15 * MINUTE, 0), NOON + 15 * MINUTE)
    assert cost_pct(held(1), fresh, NOON + 15 * MINUTE, BELIEF) == pytest.approx(0.01)


def test_where_only_payments_are_told_the_last_counts_until_the_next_is_overdue() -> None:
    known = just_paid(Known(), NOON)
    late = NOON + 8 * HOUR + BELIEF.silent

    assert cost_pct(held(1, opened_at=NOON + 1), known, late - 1, BELIEF) == pytest.approx(1.0)
    assert cost_pct(held(1), known, late, BELIEF) is None


def test_silence_runs_from_the_last_prediction_or_from_when_the_next_payment_was_due() -> None:
    assert silence(predicting(0.001), NOON + MINUTE) == MINUTE
    assert silence(just_paid(Known(), NOON), NOON + 8 * HOUR + MINUTE) == MINUTE
    assert silence(just_paid(Known(), NOON), NOON + HOUR) == 0


class Ear(Desk):
    """A desk with rates, and what the cost of its positions is told as."""

    def __init__(self) -> None:
        super().__init__()
        self.flags = {"FUNDING_SILENT_SEC": 600.0, "FUNDING_PAID_SEC": 900.0}
        self.known: dict[tuple[str, str], Known] = {}
        self.cost = FundingCost()
        self.quantity = Decimal(0)

    def position(self, venue: str, symbol: str) -> Position:
        return Position(account="main", venue=venue, symbol=symbol, quantity=self.quantity, opened_at=1)

    def positions(self) -> tuple[Position, ...]:
        return (self.position(*KEY),) if self.quantity else ()

    def of(self, venue: str, symbol: str) -> Known | None:
        return self.known.get((venue, symbol))

    def rate(self, rate: float) -> dict[str, float]:
        event = FundingRate(*KEY, rate, 8 * HOUR, self.at, self.at)
        self.known[KEY] = follow(self.known.get(KEY, Known()), event, self.at)
        return self.take(event)

    def take(self, event: Event) -> dict[str, float]:
        samples = self.cost.on_event(Input(1, self.at, event), self, self, (0.0, 0.0))
        return {one.name: float(one.value) for one in samples}

    def later(self, ns: int) -> dict[str, float]:
        self.at += ns
        return {one.name: float(one.value) for one in self.cost.on_timer(self.at, self, self, (7.0, 5.0))}

    def hold(self, quantity: int) -> dict[str, float]:
        self.quantity = Decimal(quantity)
        return self.take(AccountReported(
            ask=1, venue="paper", as_of=self.at, venue_at=self.at, balances=(), positions=(), orders=(),
        ))


def test_the_account_is_told_from_the_first_event_on_and_no_symbol_that_was_never_held() -> None:
    ear = Ear()

    assert ear.cost.interested(Heartbeat("x", 0))
    told = ear.rate(0.01)

    assert told == {"funding_silent_s": 0.0, "hedge_wanted_usd": 0.0, "hedge_held_usd": 0.0}
    assert not ear.cost.interested(FundingRate(*KEY, 0.01, 8 * HOUR, 0, 0))


def test_a_cost_is_told_while_a_position_is_open_and_as_nothing_once_it_is_closed() -> None:
    ear = Ear()
    ear.rate(0.003)
    assert ear.hold(-5)["funding_cost_pct"] == pytest.approx(-0.3)
    assert ear.cost.interested(FundingRate(*KEY, 0.01, 8 * HOUR, 0, 0))
    assert ear.rate(-0.004) == {"funding_cost_pct": pytest.approx(0.4)}

    assert ear.hold(0)["funding_cost_pct"] == 0.0
    assert ear.later(EVERY)["funding_cost_pct"] == 0.0
    assert not ear.cost.interested(FundingRate(*KEY, 0.01, 8 * HOUR, 0, 0))


def test_a_rate_that_falls_silent_is_told_of_and_its_cost_no_more() -> None:
    ear = Ear()
    ear.rate(0.003)
    ear.hold(5)
    told = ear.later(11 * MINUTE)

    assert told == {"funding_silent_s": 660.0, "hedge_wanted_usd": 7.0, "hedge_held_usd": 5.0}
    ear.hold(0)
    assert ear.later(EVERY)["funding_silent_s"] == 0.0


def test_a_market_of_which_no_rate_was_ever_told_is_not_waited_for() -> None:
    ear = Ear()
    ear.hold(5)

    assert ear.later(HOUR)["funding_silent_s"] == 0.0


def test_what_it_remembers_comes_back() -> None:
    ear = Ear()
    ear.rate(0.003)
    ear.hold(5)
    again = FundingCost()
    again.load(ear.cost.dump())

    assert again.dump() == ear.cost.dump() and again.next_due() == ear.cost.next_due()
    assert again.interested(FundingRate(*KEY, 0.01, 8 * HOUR, 0, 0))
