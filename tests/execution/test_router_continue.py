"""The desk lets an order be continued exactly when nothing more can come of it, and by no more than it left."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from engine.execution.plan import already_served, record_of
from engine.model.ledger import OrderRecord, progress_of
from engine.model.orders import Exposure, OrderState, Proposal, Side
from engine.model.restraints import EVERYTHING, InForce, Restraint
from engine.policy.join import Policy
from engine.policy.review import Approved, Circumstances, review
from tests.execution.kit import ENTRY, EXIT, XYZ, Desk

OLD = replace(
    record_of(ENTRY, at=0, client_id="rb-1", number=1), state=OrderState.CANCELLED, filled=Decimal(4), cost=Decimal(8),
)
REST = replace(ENTRY, quantity=Decimal(6), continues="rb-1")


@pytest.mark.parametrize("state", list(OrderState))
def test_only_an_order_that_has_ended_is_continued(state: OrderState) -> None:
    """UNKNOWN is not an end, nor is a cancel that was merely asked for."""
    assert already_served(REST, (replace(OLD, state=state),)) is not state.final


@pytest.mark.parametrize(
    ("proposal", "attempts"),
    [
        (REST, ()),
        (REST, (replace(OLD, unseen=Decimal(1)),)),
        (replace(REST, quantity=Decimal("6.1")), (OLD,)),
        (replace(REST, quantity=None), (OLD,)),
        (replace(REST, side=Side.SELL), (OLD,)),
        (replace(REST, continues="rb-0"), (OLD,)),
        (REST, (replace(OLD, quantity=None),)),
        (REST, (replace(OLD, client_id="rb-0", state=OrderState.UNKNOWN), OLD)),
        (REST, (OLD, replace(OLD, client_id="rb-2"))),
        (replace(REST, reduce_only=True), (replace(OLD, state=OrderState.OPEN),)),
    ],
    ids=[
        "nothing to continue", "a fill is not seen yet", "more than is left", "a whole position", "the other side",
        "another order", "a whole position before", "an older attempt is in doubt", "continued already",
        "an exit that still works",
    ],
)
def test_everything_else_is_a_second_helping(proposal: Proposal, attempts: tuple[OrderRecord, ...]) -> None:
    assert already_served(proposal, attempts)


@pytest.mark.parametrize("quantity", ["0.1", "6"])
def test_what_is_left_or_less_of_it_may_follow(quantity: str) -> None:
    assert not already_served(replace(REST, quantity=Decimal(quantity)), (OLD,))
    assert already_served(replace(ENTRY, quantity=Decimal(quantity)), (OLD,)), "a second helping"


@pytest.mark.parametrize(("cut", "allowed"), [(0.5, "3"), (0.35, "2.8"), (1.0, "3")])
def test_cutbacks_are_not_applied_twice(cut: float, allowed: str) -> None:
    """Half of ten was let through and two of it bought: three are left, not half of three; a deeper cut still cuts."""
    held = InForce(
        rule="cutback.test", instance="cutback.test", scope=EVERYTHING, restraint=Restraint(size_mult=cut),
        because="firing", since=0, ends="", clear_with="",
    )
    verdict = review(replace(ENTRY, quantity=Decimal(8), at_most=Decimal(3)), Circumstances(
        policy=Policy((held,), 1), instrument=XYZ, exposure=Exposure(), unmet=lambda key: (),
        judge=lambda order, labels: (), maker_granted=lambda venue, symbol, intent: (True, ()),
    ))
    assert isinstance(verdict, Approved) and verdict.proposal.quantity == Decimal(allowed)


def test_progress_is_the_sum_of_all_attempts() -> None:
    """And it has ended only when each of them has."""
    going = replace(
        OLD, client_id="rb-2", state=OrderState.OPEN, quantity=Decimal(6), filled=Decimal(1), cost=Decimal(3)
    )
    both = progress_of((OLD, going))
    assert (both.filled, both.cost, both.live, both.ended) == (Decimal(5), Decimal(11), Decimal(5), False)
    assert both.average_price == Decimal("2.2")
    done = progress_of((OLD, replace(going, state=OrderState.FILLED, filled=Decimal(6))))
    assert done.ended and done.live == 0
    none = progress_of(())
    assert not none.ended and none.filled == 0 and none.average_price == 0


def test_a_desk_answers_for_a_purpose() -> None:
    """In doubt and with a fill that was not seen, what may still come is in it."""
    desk = Desk()
    order = desk.place(ENTRY)
    desk.fill(order, "4", left="6")
    desk.event("cancelled", order)
    progress = desk.execution.progress("test", "entry")
    assert (progress.filled, progress.live, progress.ended) == (Decimal(4), Decimal(4), False)
    assert desk.execution.progress("test", EXIT.purpose).filled == 0
