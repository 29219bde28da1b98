"""What an entry order came to, told once it is over: a miss, a fill, or nothing that would be evidence."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from engine.model.events import OrderCancelled, VenueEvent
from engine.model.orders import Intent, OrderKind, Proposal
from engine.model.samples import Derived
from tests.execution.kit import ENTRY, EXIT, Desk

LIMIT = replace(ENTRY, kind=OrderKind.LIMIT, limit_price=Decimal(2), immediate=True)


def missed(samples: list[Derived]) -> list[tuple[tuple[str, ...], float | bool | str]]:
    return [(one.labels, one.value) for one in samples if one.name == "entry_missed"]


def ended(desk: Desk, client_id: str, left: str, reason: str = "expired") -> list[Derived]:
    event: VenueEvent = OrderCancelled(
        client_id=client_id, remaining=Decimal(left), reason=reason, venue_at=desk.at,
    )
    return desk.tell(event)


@pytest.mark.parametrize("intent", [Intent.ENTRY, Intent.SCALP])
def test_an_entry_that_expires_without_a_fill_is_a_miss_of_its_intent(intent: Intent) -> None:
    desk = Desk()
    order = desk.place(replace(LIMIT, intent=intent))
    desk.accept(order)

    assert missed(ended(desk, order.client_id, "10")) == [(("paper", "XYZUSDT", intent.value), 1.0)]
    assert missed(ended(desk, order.client_id, "10")) == [], "told twice it is still one"


def test_an_entry_that_was_filled_in_part_is_no_miss() -> None:
    desk = Desk()
    order = desk.place(LIMIT)
    assert missed(desk.fill(order, "4", left="6")) == [], "it is not over"

    assert missed(ended(desk, order.client_id, "6")) == [(("paper", "XYZUSDT", "ENTRY"), 0.0)]


def test_an_entry_whose_fill_has_not_reached_us_is_no_evidence_yet() -> None:
    """The venue says that 3 were executed; what is not over is not judged."""
    desk = Desk()
    order = desk.place(LIMIT)
    desk.accept(order)

    assert missed(ended(desk, order.client_id, "7")) == []


def test_what_we_took_or_held_back_ourselves_says_nothing_about_the_market() -> None:
    desk = Desk()
    order = desk.place(replace(LIMIT, immediate=False))
    desk.accept(order)
    desk.cancel(order)
    assert missed(ended(desk, order.client_id, "10", "requested")) == []

    held = desk.place(replace(LIMIT, purpose="entry/2"))
    desk.event("withheld", held)
    assert missed(desk.execution.on_timer(desk.at, desk)) == []


@pytest.mark.parametrize("other", [replace(LIMIT, immediate=False, post_only=True), EXIT])
def test_makers_and_exits_are_not_asked(other: Proposal) -> None:
    desk = Desk()
    desk.fill(desk.place(replace(ENTRY, purpose="before")), "10", left="0")
    order = desk.place(other)
    desk.accept(order)

    assert missed(ended(desk, order.client_id, "10")) == []
