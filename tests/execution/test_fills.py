"""Every fill once, with what we know of it, and none lost because no stream told it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from engine.execution.income import REMEMBERED as INCOME_REMEMBERED
from engine.execution.income import IncomeLedger
from engine.execution.positions import REMEMBERED, Booking, Positions
from engine.model.effects import FillBooked, IncomeBooked, Notify
from engine.model.events import OrderFilled
from engine.model.fills import Fill, Liquidity
from engine.model.orders import Intent, Side
from engine.model.reports import Income, IncomeKind, Query
from engine.model.time import HOUR, MINUTE, MS, SECOND
from tests.execution.floor import Floor
from tests.execution.kit import ENTRY, EXIT

FILL = Fill(
    client_id="by-hand", trade_id="x1", venue="paper", symbol="XYZUSDT", side=Side.BUY, price=Decimal("2.02"),
    quantity=Decimal(3), fee=Decimal("0.01"), liquidity=Liquidity.TAKER, reference_price=Decimal(0), intent=Intent.EXIT,
    venue_at=0, sent_at=0,
)
FUNDING = Income(
    venue="paper", kind=IncomeKind.FUNDING, transfer_id="1", asset="USDT", amount=Decimal("-0.5"), symbol="XYZUSDT"
)


def test_a_fill_is_told_once_with_what_the_venue_does_not_know() -> None:
    """The price at the decision, when it was sent, for what, and what it left."""
    floor = Floor()
    order = floor.order(replace(ENTRY, reference_price=Decimal("1.99")))
    sent = floor.at
    floor.run(SECOND)
    floor.arrive(OrderFilled(fill=fill, remaining=None) for fill in floor.venue.trades * 3)
    floor.run(SECOND)
    (told,) = floor.made(FillBooked)
    assert (told.purpose, told.decided_price, told.position) == ("entry", Decimal("1.99"), Decimal(10))
    assert told.slippage_bps == pytest.approx(50.25, abs=0.01)
    assert (told.fill.reference_price, told.fill.sent_at, told.fill.intent) == (Decimal("1.99"), sent, Intent.ENTRY)
    assert told.fill.client_id == order.client_id
    assert sum(one.name == "fill_slippage_bps" for one in floor.samples) == 1


def test_a_strangers_fill_is_told_and_counted_without_a_purpose() -> None:
    """It moved our position, whoever sent it."""
    floor = Floor()
    floor.hear(OrderFilled(fill=replace(FILL, venue_at=floor.at), remaining=None))
    (told,) = floor.made(FillBooked)
    assert (told.purpose, told.decided_price, told.slippage_bps, told.position) == ("", Decimal(0), 0.0, Decimal(3))
    assert floor.held() == 3


def test_what_is_remembered_is_bounded_and_what_is_forgotten_is_refused() -> None:
    """By symbol: a busy one does not make us forget a quiet one."""
    positions = Positions()
    quiet = replace(FILL, symbol="QUIET", venue_at=1)
    assert positions.book("main", quiet) is Booking.COUNTED
    fills = [replace(FILL, trade_id=f"x{n}", venue_at=n) for n in range(1, REMEMBERED + 101)]
    assert {positions.book("main", fill) for fill in fills} == {Booking.COUNTED}
    again = [positions.book("main", fill) for fill in fills]
    assert again == [Booking.TOO_OLD] + [Booking.KNOWN] * 99 + [Booking.KNOWN] * REMEMBERED
    assert positions.book("main", quiet) is Booking.KNOWN
    assert positions.of("main", "paper", "XYZUSDT").quantity == 3 * len(fills)
    assert len(positions.dump()["memories"][1]["seen"]) == REMEMBERED


def test_a_fill_that_is_too_old_to_be_known_is_told_to_a_person() -> None:
    """Not counted, and not silently."""
    floor = Floor()
    for n in range(REMEMBERED + 1):
        floor.hear(OrderFilled(fill=replace(FILL, trade_id=f"y{n}", venue_at=floor.at + n), remaining=None))
    held = floor.held()
    floor.hear(OrderFilled(fill=replace(FILL, trade_id="late", venue_at=floor.at), remaining=None))
    floor.hear(OrderFilled(fill=replace(FILL, trade_id="later", venue_at=floor.at), remaining=None))
    assert floor.held() == held
    assert [note.to for note in floor.made(Notify)] == ["alert"]


def test_a_gap_is_filled_from_before_the_last_fill_that_was_seen() -> None:
    """Days of it, told again, change nothing."""
    floor = Floor()
    floor.holding()
    floor.run(3 * 24 * HOUR)
    floor.stream_is(False)
    order = floor.resting(EXIT)
    floor.fill(order, "4")
    floor.out.clear()
    last = floor.venue.trades[0].venue_at
    floor.stream_is(True)
    (ask,) = floor.asked(Query.TRADES)
    assert ask.since == last - MINUTE
    floor.run(10 * SECOND)
    assert floor.held() == 6


def test_a_gap_that_cannot_be_filled_is_asked_for_until_it_can() -> None:
    """With pauses."""
    floor = Floor()
    floor.holding()
    floor.stream_is(False)
    order = floor.resting(EXIT)
    floor.fill(order, "4")
    floor.deaf = True
    floor.stream_is(True)
    floor.run(MINUTE)
    assert floor.held() == 10
    assert 5 < len(floor.asked(Query.TRADES)) < 40
    floor.deaf = False
    floor.run(20 * SECOND)
    assert floor.held() == 6


def test_income_is_asked_for_every_hour_and_booked_once() -> None:
    """Told again with every answer, because the answers overlap."""
    floor = Floor()
    floor.venue.income.append(replace(FUNDING, venue_at=floor.at + MINUTE))
    floor.run(3 * HOUR + MINUTE)
    assert 3 <= len(floor.asked(Query.INCOME)) <= 5
    (told,) = floor.made(IncomeBooked)
    assert told.entry.amount == Decimal("-0.5")
    assert floor.execution.income() == [
        {"venue": "paper", "kind": "funding", "asset": "USDT", "amount": "-0.5"}]


def test_income_is_one_movement_by_venue_kind_and_id() -> None:
    """A venue uses one id for a fee and for the profit it was taken from."""
    ledger = IncomeLedger()
    fee = replace(FUNDING, kind=IncomeKind.FEE)
    assert len(ledger.book(0, [FUNDING, fee, FUNDING, replace(FUNDING, venue="other")])) == 3
    assert ledger.funding("paper", "XYZUSDT") == Decimal("-0.5")
    other = IncomeLedger()
    other.load(ledger.dump())
    assert other.book(0, [FUNDING, fee]) == [] and other.sums() == ledger.sums()


def test_income_that_is_forgotten_is_not_booked_again() -> None:
    """The memory is bounded, the money is not."""
    ledger = IncomeLedger()
    entries = [replace(FUNDING, transfer_id=str(n), venue_at=n * MS) for n in range(INCOME_REMEMBERED + 50)]
    assert len(ledger.book(0, entries)) == len(entries)
    assert ledger.book(0, entries) == []
