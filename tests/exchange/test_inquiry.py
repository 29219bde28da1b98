"""What can be asked for, and what the answer proves."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.exchange.exchange import SimulatedExchange
from engine.exchange.faults import Chance, Fault, FaultKind, FaultPlan, QueryFault, Silence
from engine.exchange.orders import Reason
from engine.exchange.settings import ExchangeSettings
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
from engine.model.codec import canonical
from engine.model.effects import AskVenue
from engine.model.events import OrderCancelled, OrderFilled, OrderRejected
from engine.model.market import FundingRate
from engine.model.orders import OrderState, Side
from engine.model.reports import IncomeKind, OrderReport, Query, Rejection
from engine.model.time import HOUR, SECOND
from tests.exchange.kit import NOON, STEADY, SYMBOL, VENUE, WAY, XYZ, Floor, bought, cancel, order, quote, stop, trade
from tests.exchange.test_laws import play, spelled, story


def ask(floor: Floor, query: Query, **other: Any) -> int:
    """Ask now and wait for the answer; return the question's number."""
    number = len(floor.told) + 1
    floor.exchange.ask(
        AskVenue(at=floor.now, ask=number, query=query, venue=VENUE, symbol=SYMBOL, **other), floor.now)
    floor.let(4 * WAY)
    return number


def found(floor: Floor, client_id: str, *, conditional: bool = False) -> OrderReport | None:
    """Return what a lookup finds now, None where that book does not know the order."""
    number = ask(floor, Query.ORDER, client_id=client_id, conditional=conditional)
    answer = floor.told[-1][1]
    assert isinstance(answer, OrderFound | OrderAbsent)
    assert answer.ask == number
    return answer.report if isinstance(answer, OrderFound) else None


def faulty(*faults: Fault, **other: Any) -> Floor:
    floor = Floor(faults=FaultPlan(faults, **other))
    floor.market(quote(99.9, 50, 100.1, 50))
    return floor


def test_an_order_is_found_in_its_own_book_while_it_lives_and_after() -> None:
    floor = bought("2")
    floor.send(order("rest", Side.SELL, "1", limit_price="110"), stop("guard", Side.SELL, "98"))

    rest, entry = found(floor, "rest"), found(floor, "entry")
    assert rest is not None and (rest.state, rest.remaining) == (OrderState.OPEN, Decimal(1))
    assert entry is not None and (entry.state, entry.executed, entry.average_price) == (
        OrderState.FILLED, Decimal(2), Decimal("100.1"))
    assert found(floor, "guard") is None
    guard = found(floor, "guard", conditional=True)
    assert guard is not None and guard.close_position and guard.remaining is None
    assert found(floor, "never") is None

    floor.exchange.cancel(cancel("rest"), floor.now)
    floor.let(4 * WAY)
    gone = found(floor, "rest")
    assert gone is not None and (gone.state, gone.reason) == (OrderState.CANCELLED, "requested")


def test_a_triggered_stop_names_the_order_it_became() -> None:
    floor = bought("2")
    floor.send(stop("guard", Side.SELL, "98"))
    floor.market(trade(97.9, 1, buys=False), quote(97.8, 50, 98.0, 50))
    floor.let(4 * WAY)

    report = found(floor, "guard", conditional=True)
    assert report is not None
    assert (report.state, report.child_id, report.executed) == (OrderState.FILLED, "sim-3", Decimal(2))


def test_an_account_is_told_whole_and_as_of_the_question() -> None:
    floor = bought("2")
    floor.send(order("rest", Side.SELL, "1", limit_price="110"), stop("guard", Side.SELL, "98"))
    asked_at = floor.now
    ask(floor, Query.ACCOUNT)

    told = floor.events(AccountReported)[0]
    assert (told.as_of, told.venue_at) == (asked_at, asked_at + WAY)
    assert [(held.symbol, held.quantity, held.mark_price, held.leverage) for held in told.positions] == [
        (SYMBOL, Decimal(2), Decimal(100), Decimal(20))]
    assert [(item.client_id, item.conditional) for item in told.orders] == [("rest", False), ("guard", True)]
    assert [(item.asset, item.total) for item in told.balances] == [("USDT", floor.exchange.balance("USDT"))]
    assert told.balances[0].free < told.balances[0].total


def test_trades_are_told_again_under_their_own_ids() -> None:
    floor = bought("2")
    since = floor.now
    floor.send(order("more", Side.BUY, "1"))
    first = list(floor.fills())
    number = ask(floor, Query.TRADES, since=since)

    end = floor.events(TradesReported)[0]
    assert (end.ask, end.count, end.since) == (number, 1, since)
    again = [event for _, event in floor.told if isinstance(event, OrderFilled) and event.remaining is None]
    assert [event.fill for event in again] == first[-1:]

    ask(floor, Query.TRADES)
    assert floor.events(TradesReported)[-1].count == len(first)


def test_fees_and_funding_are_income() -> None:
    floor = Floor(ExchangeSettings(
        order_travel=STEADY.order_travel, answer_travel=STEADY.answer_travel, funding=True))
    floor.market(quote(99.9, 50, 100.1, 50))
    floor.exchange.on_market(FundingRate(VENUE, SYMBOL, 0.0001, 8 * HOUR, floor.now, floor.now), floor.now)
    floor.send(order("a", Side.BUY, "2"))
    before = floor.exchange.balance("USDT")
    floor.let(9 * HOUR)
    ask(floor, Query.INCOME)

    fee, funding = floor.events(IncomeReported)[0].entries
    assert (fee.kind, fee.amount, fee.transfer_id) == (IncomeKind.FEE, -floor.fills()[0].fee, "sim-t1")
    assert (funding.kind, funding.amount) == (IncomeKind.FUNDING, Decimal("-0.02"))
    assert funding.venue_at % (8 * HOUR) == 0
    assert floor.exchange.balance("USDT") == before + funding.amount


def test_shorts_are_paid_a_positive_rate() -> None:
    floor = Floor(ExchangeSettings(
        order_travel=STEADY.order_travel, answer_travel=STEADY.answer_travel, funding=True))
    floor.market(quote(99.9, 50, 100.1, 50))
    floor.exchange.on_market(FundingRate(VENUE, SYMBOL, 0.0001, HOUR, floor.now, floor.now), floor.now)
    floor.send(order("a", Side.SELL, "2"))
    floor.let(2 * HOUR)

    assert [entry.amount for entry in floor.exchange.income(VENUE)][1:] == [Decimal("0.02")]
    assert floor.exchange.next_due() is None


@pytest.mark.parametrize("rate", [float("nan"), float("inf"), 1.0])
def test_a_broken_funding_rate_moves_nothing(rate: float) -> None:
    floor = Floor(ExchangeSettings(funding=True))
    floor.market(quote(99.9, 50, 100.1, 50))
    floor.send(order("a", Side.BUY, "2"))
    floor.exchange.on_market(FundingRate(VENUE, SYMBOL, rate, HOUR, floor.now, floor.now), floor.now)
    floor.let(2 * HOUR)

    assert [entry.kind for entry in floor.exchange.income(VENUE)] == [IncomeKind.FEE]


def test_a_probe_says_whether_a_stop_can_be_had() -> None:
    floor = bought()
    ask(floor, Query.PROBE)
    full = Floor(ExchangeSettings(max_conditional=0))
    full.market(quote(99.9, 50, 100.1, 50))
    ask(full, Query.PROBE)
    full.let(SECOND)

    assert [floor.events(ProbeAnswered)[0].able, full.events(ProbeAnswered)[0].able] == [True, False]


def test_a_probe_before_the_first_price_proves_nothing() -> None:
    ask(nothing := Floor(), Query.PROBE)
    (failed,) = nothing.events(QueryFailed)
    assert (failed.query, failed.reason) == (Query.PROBE, "no instrument or no market")
    assert nothing.events(ProbeAnswered) == []


def test_a_lost_reply_is_found_by_who_asks() -> None:
    floor = faulty(Fault(kind=FaultKind.LOST_REPLY, nth=1))
    floor.send(order("a", limit_price="99"))
    report = found(floor, "a")
    assert report is not None and report.state is OrderState.OPEN


def test_an_invisible_order_is_worked_and_nobody_can_see_it_for_a_while() -> None:
    floor = faulty(Fault(kind=FaultKind.INVISIBLE, client_id="a", delay=8 * SECOND))
    floor.send(order("a"))
    floor.let(STEADY.uncertain_after)
    assert floor.held() == 1
    assert floor.words("a") == ["OrderUncertain"]
    assert found(floor, "a") is None
    ask(floor, Query.TRADES)
    ask(floor, Query.ACCOUNT)
    assert floor.events(TradesReported)[0].count == 0
    assert floor.events(AccountReported)[0].positions[0].quantity == 1

    floor.let(5 * SECOND)
    assert floor.words("a")[-1] == "OrderFilled"
    assert found(floor, "a") is not None


def test_what_cannot_be_seen_cannot_be_cancelled_yet() -> None:
    floor = faulty(Fault(kind=FaultKind.LAGGING, client_id="a", delay=2 * SECOND))
    floor.send(order("a", limit_price="99"))
    assert floor.words("a") == ["OrderAccepted"]
    ask(floor, Query.ACCOUNT)
    assert floor.events(AccountReported)[0].orders == ()
    floor.exchange.cancel(cancel("a"), floor.now)
    floor.let(3 * SECOND)
    assert floor.words("a")[-1] == "CancelRejected"
    floor.exchange.cancel(cancel("a"), floor.now)
    floor.let(SECOND)
    assert floor.words("a")[-1] == "OrderCancelled"


def test_answers_come_twice_and_a_reply_is_overtaken_by_its_fill() -> None:
    floor = faulty(
        Fault(kind=FaultKind.DUPLICATE, client_id="a", delay=SECOND),
        Fault(kind=FaultKind.REORDERED, client_id="b", delay=SECOND),
    )
    floor.send(order("a"), order("b"))
    floor.let(2 * SECOND)

    assert floor.words("a") == ["OrderAccepted", "OrderFilled", "OrderAccepted", "OrderFilled"]
    assert len({fill.trade_id for fill in floor.fills("a")}) == 1
    assert floor.words("b") == ["OrderFilled", "OrderAccepted"]


def test_a_lost_cancel_is_done_and_uncertain() -> None:
    floor = faulty(Fault(kind=FaultKind.LOST_CANCEL, client_id="a"))
    floor.send(order("a", limit_price="99"))
    floor.exchange.cancel(cancel("a"), floor.now)
    floor.let(6 * SECOND)

    assert floor.words("a") == ["OrderAccepted", "OrderUncertain"]
    assert floor.open_ids() == []


def test_a_silent_stream_loses_fills_and_keeps_replies() -> None:
    silence = Silence(start=NOON, end=NOON + 60 * SECOND, venue=VENUE, noticed_after=20 * SECOND)
    floor = faulty(silences=(silence,))
    floor.send(order("a"))
    assert floor.words("a") == ["OrderAccepted"]
    floor.let(61 * SECOND)
    assert [event.alive for event in floor.events(AccountStream)] == [False, True]
    ask(floor, Query.TRADES)
    assert floor.events(TradesReported)[0].count == 1
    assert [fill.client_id for fill in floor.fills()] == ["a"]


def test_a_question_can_fail_and_then_says_nothing() -> None:
    floor = faulty(queries=(
        QueryFault(nth=1), QueryFault(query=Query.PROBE, probability=1.0, unable=True, reason="not here"),
    ))
    floor.send(order("a", limit_price="99"))
    ask(floor, Query.ACCOUNT)
    ask(floor, Query.PROBE)
    assert [event.query for event in floor.events(QueryFailed)] == [Query.ACCOUNT]
    assert floor.events(AccountReported) == []
    assert [(event.able, event.what) for event in floor.events(ProbeAnswered)] == [(False, "not here")]


def test_chances_are_drawn_alike_in_every_run() -> None:
    plan = FaultPlan(chances=(Chance(kind=FaultKind.LOST_REPLY, probability=0.3),), seed="7")
    drawn = [plan.of(f"o{number}", number) is not None for number in range(400)]
    assert drawn == [plan.of(f"o{number}", number) is not None for number in range(400)]
    assert 80 < sum(drawn) < 160
    other = FaultPlan(chances=plan.chances, seed="8")
    assert drawn != [other.of(f"o{number}", number) is not None for number in range(400)]


@pytest.mark.parametrize("make", [
    lambda: Chance(kind=FaultKind.DELAY, probability=1.5),
    lambda: Chance(kind=FaultKind.DELAY, probability=1, delay=-1),
    lambda: QueryFault(), lambda: QueryFault(nth=1, probability=0.5), lambda: QueryFault(nth=1, delay=-1),
    lambda: Silence(start=5, end=5),
])
def test_a_fault_that_means_nothing_is_refused(make: Any) -> None:
    with pytest.raises(ValueError, match=r"probability|question|silence"):
        make()


def test_what_an_ioc_cannot_have_is_taken_back() -> None:
    floor = Floor()
    floor.market(quote(99.9, 50, 100.1, 1))
    floor.send(order("a", Side.BUY, "3", limit_price="100.1", immediate=True))

    assert [fill.quantity for fill in floor.fills("a")] == [Decimal(1)]
    gone = floor.events(OrderCancelled)[0]
    assert (gone.reason, gone.remaining) == ("ioc", Decimal(2))
    floor.send(order("b", Side.BUY, "3", limit_price="99", immediate=True))
    assert [event.remaining for event in floor.events(OrderCancelled, "b")] == [Decimal(3)]
    floor.send(order("c", Side.BUY, "3", limit_price="99", immediate=True, post_only=True))
    assert floor.words("c") == ["OrderRejected"]


@pytest.mark.parametrize(("reason", "kind"), [
    (Reason.WOULD_TRIGGER, Rejection.WOULD_TRIGGER), (Reason.POST_ONLY, Rejection.WOULD_TAKE),
    (Reason.REDUCE_ONLY, Rejection.NOT_REDUCING), (Reason.NO_POSITION, Rejection.NOT_REDUCING),
    (Reason.CLOSE_EXISTS, Rejection.CLOSE_EXISTS), (Reason.TICK, Rejection.FILTER),
    (Reason.INSUFFICIENT_MARGIN, Rejection.MARGIN), (Reason.PRICE_BAND, Rejection.PRICE_BAND),
    (Reason.TOO_MANY_ORDERS, Rejection.TOO_MANY), (Reason.BAD_ORDER, Rejection.OTHER),
])
def test_reasons_are_told_in_the_words_of_every_venue(reason: Reason, kind: Rejection) -> None:
    assert reason.rejection is kind


def test_a_rejection_names_its_kind() -> None:
    floor = bought()
    floor.send(stop("s", Side.SELL, "101"), order("out", Side.BUY, "1", reduce_only=True))
    assert [event.kind for event in floor.events(OrderRejected)] == [Rejection.WOULD_TRIGGER, Rejection.NOT_REDUCING]


@pytest.mark.parametrize(("on_mark", "triggers"), [(True, False), (False, True)])
def test_one_print_moves_the_contract_price_and_not_the_mark(on_mark: bool, triggers: bool) -> None:
    floor = bought()
    floor.exchange.submit(stop("s", Side.SELL, "98"), floor.now, on_mark=on_mark)
    floor.let(4 * WAY)
    floor.market(trade(97.9, 1, buys=False))
    floor.let(4 * WAY)
    assert bool(floor.fills("s")) is (triggers and not on_mark)

    floor.market(quote(97.7, 50, 97.9, 50))
    floor.let(4 * WAY)
    assert floor.held() == 0


def test_leverage_is_a_symbols_own() -> None:
    floor = bought("2")
    account = floor.exchange.account
    free = account.free("USDT")
    account.set_leverage(VENUE, SYMBOL, Decimal(5))
    assert account.free("USDT") < free
    floor.send(order("big", Side.BUY, "600"))
    assert [event.kind for event in floor.events(OrderRejected)] == [Rejection.MARGIN]


def test_only_the_last_of_what_is_over_is_remembered() -> None:
    floor = Floor(ExchangeSettings(
        order_travel=STEADY.order_travel, answer_travel=STEADY.answer_travel, remembered=3))
    floor.market(quote(99.9, 500.0, 100.1, 500.0))
    for number in range(6):
        floor.send(order(f"o{number}", Side.BUY, "1"))
        floor.exchange.dump() if number == 4 else None
    assert [found(floor, f"o{number}") is not None for number in range(6)] == [False] * 3 + [True] * 3

    saved = canonical(floor.exchange.dump())
    other = SimulatedExchange(STEADY)
    other.define(XYZ)
    other.load(json.loads(saved))
    assert canonical(other.dump()) == saved


TROUBLE = FaultPlan(
    chances=tuple(
        Chance(kind=kind, probability=0.12, delay=150_000_000) for kind in FaultKind if kind is not FaultKind.REJECT),
    queries=(QueryFault(probability=0.2, delay=70_000_000),),
    silences=(Silence(start=NOON + SECOND, end=NOON + 2 * SECOND, venue=VENUE, noticed_after=SECOND // 2),),
)


def troubled() -> SimulatedExchange:
    exchange = SimulatedExchange(ExchangeSettings(uncertain_after=SECOND // 2, remembered=8, funding=True), TROUBLE)
    exchange.define(XYZ)
    return exchange


def played(exchange: SimulatedExchange, seed: int, part: range) -> list[bytes]:
    """Play a part of the story of `seed`, with a question between its deeds, and return what was told."""
    told: list[tuple[int, Any]] = []
    deeds = story(seed, 200)
    for number in part:
        at = deeds[number][0]
        play(exchange, [deeds[number]], told)
        if number % 7 == 0:
            query = list(Query)[number // 7 % len(Query)]
            exchange.ask(AskVenue(
                at=at, ask=number, query=query, venue=VENUE, symbol=SYMBOL, client_id=f"o{number - 9}",
                conditional=number % 2 == 0,
            ), at)
        if number % 50 == 0:
            exchange.on_market(FundingRate(VENUE, SYMBOL, 0.001, SECOND, at, at), at)
    return spelled(told)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), cut=st.integers(0, 199))
def test_questions_and_trouble_go_on_byte_for_byte_after_a_cut(seed: int, cut: int) -> None:
    uncut, before, after = troubled(), troubled(), troubled()
    whole = played(uncut, seed, range(200))
    first = played(before, seed, range(cut))
    saved = canonical(before.dump())
    after.load(json.loads(saved))
    assert canonical(after.dump()) == saved

    assert [*first, *played(after, seed, range(cut, 200))] == whole
    assert canonical(after.dump()) == canonical(uncut.dump())
