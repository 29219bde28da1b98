"""The paper venue keeps the promise of `ports.venue` and adds nothing to the exchange behind it."""

from __future__ import annotations

import json
from decimal import Decimal

from engine.adapters.venue_paper import PaperVenue
from engine.exchange.faults import Fault, FaultKind, FaultPlan
from engine.model.codec import canonical
from engine.model.events import (
    InstrumentDefined,
    OrderAccepted,
    OrderCancelled,
    OrderFilled,
    OrderUncertain,
    VenueEvent,
)
from engine.model.orders import OrderKind, OrderState, Side
from engine.model.reports import OrderReport
from engine.model.time import SECOND
from engine.ports.venue import SimulatedVenue
from tests.exchange.kit import NOON, STEADY, SYMBOL, VENUE, WAY, XYZ, cancel, order, quote, stop


def paper(faults: FaultPlan | None = None) -> SimulatedVenue:
    """Return the paper venue as the loop sees it: a promise."""
    venue: SimulatedVenue = PaperVenue(STEADY, faults or FaultPlan())
    venue.on_market(InstrumentDefined(instrument=XYZ, venue_at=NOON), NOON)
    venue.on_market(quote(99.9, 50, 100.1, 50), NOON)
    return venue


def drain(venue: SimulatedVenue) -> list[VenueEvent]:
    told: list[VenueEvent] = []
    while (due := venue.next_due()) is not None:
        answers = venue.pop_due(due)
        assert all(at == due for at, _ in answers)
        told += [event for _, event in answers]
    return told


def test_sent_is_not_accepted() -> None:
    """Nothing is known before the answer has travelled both ways."""
    venue = paper()
    venue.place(order("a"), NOON)
    assert venue.next_due() == NOON + WAY
    assert venue.pop_due(NOON + WAY) == []

    assert venue.next_due() == NOON + 2 * WAY
    at, first = venue.pop_due(NOON + 2 * WAY)[0]
    assert at == NOON + 2 * WAY
    assert isinstance(first, OrderAccepted)
    assert first.venue_at == NOON + WAY


def test_what_is_open_is_told_from_both_books() -> None:
    venue = paper()
    venue.place(order("in", Side.BUY, "2"), NOON)
    drain(venue)
    venue.place(order("rest", Side.SELL, "2", limit_price="110"), NOON + SECOND)
    venue.place(stop("guard", Side.SELL, "98"), NOON + SECOND)
    drain(venue)

    rest, guard = venue.open_orders()
    assert rest == OrderReport(
        client_id="rest", venue_order_id="sim-2", venue=VENUE, symbol=SYMBOL, side=Side.SELL, kind=OrderKind.LIMIT,
        state=OrderState.OPEN, quantity=Decimal(2), limit_price=Decimal(110),
        updated_at=rest.updated_at,
    )
    assert rest.remaining == 2
    assert (guard.client_id, guard.remaining, guard.conditional) == ("guard", None, True)
    assert [position.quantity for position in venue.positions()] == [Decimal(2)]


def test_a_cancel_is_answered_as_an_event() -> None:
    venue = paper()
    venue.place(order("rest", Side.BUY, "2", limit_price="99"), NOON)
    drain(venue)
    venue.cancel(cancel("rest"), NOON + SECOND)

    assert [type(event) for event in drain(venue)] == [OrderCancelled]
    assert venue.open_orders() == ()


def test_a_checkpoint_holds_what_is_on_its_way() -> None:
    venue, other = paper(), PaperVenue(STEADY)
    venue.place(order("a"), NOON)
    other.load(json.loads(canonical(venue.dump())))

    told = drain(venue)
    assert [type(event) for event in told if isinstance(event, OrderFilled)] == [OrderFilled]
    assert drain(other) == told


def test_a_plan_of_faults_reaches_the_exchange() -> None:
    venue = paper(FaultPlan((Fault(kind=FaultKind.LOST_REPLY, nth=1),)))
    venue.place(order("a", Side.BUY, "2", limit_price="99"), NOON)

    assert [type(event) for event in drain(venue)] == [OrderUncertain]
    assert len(venue.open_orders()) == 1
