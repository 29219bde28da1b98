"""The whole table of order states: every state met by every sign."""

from __future__ import annotations

from decimal import Decimal
from itertools import product

import pytest

from engine.execution.lifecycle import TABLE, Sign, executed_but_unseen, state_after
from engine.model.ledger import OrderRecord
from engine.model.orders import Intent, OrderKind, OrderState, Side

EVERY = list(product(OrderState, Sign))
LIVE = [state for state in OrderState if not state.final]
PROOF_OF_PRESENCE = (Sign.ACCEPTED, Sign.TRIGGERED, Sign.FILLED_IN_PART, Sign.FILLED_WHOLE)
PROOF_OF_END = (Sign.REJECTED, Sign.CANCELLED, Sign.EXPIRED, Sign.FILLED_WHOLE, Sign.ABSENT)


def record(state: OrderState = OrderState.SENT, filled: str = "0") -> OrderRecord:
    """Return an order of 10, of which `filled` was executed at 2."""
    return OrderRecord(
        client_id="rb-t-1", number=1, proposer="p", purpose="x", account="main", venue="paper", symbol="XYZUSDT",
        side=Side.BUY, kind=OrderKind.MARKET, intent=Intent.ENTRY, quantity=Decimal(10), limit_price=None,
        trigger_price=None, reduce_only=False, close_position=False, replaces=None, sent_at=0, moved_at=0,
        state=state, filled=Decimal(filled), cost=Decimal(filled) * 2,
    )


def test_the_table_is_total() -> None:
    """No event can meet an order in a state that nobody thought of."""
    assert set(TABLE) == set(EVERY)
    assert len(TABLE) == len(OrderState) * len(Sign)


@pytest.mark.parametrize(("state", "sign"), EVERY)
def test_a_sign_that_comes_twice_changes_nothing_more(state: OrderState, sign: Sign) -> None:
    """Venues deliver at least once. (An order that came back from the dead may be told alive by the second.)"""
    once = TABLE[state, sign]
    twice = TABLE[once, sign]
    assert twice is once or (once is OrderState.UNKNOWN and sign in PROOF_OF_PRESENCE and not twice.final)


@pytest.mark.parametrize(("state", "sign"), [(s, g) for s, g in EVERY if s.final])
def test_what_ended_stays_ended_unless_the_venue_contradicts(state: OrderState, sign: Sign) -> None:
    """A late acceptance is late; one after a rejection means that somebody is wrong, and that counts as exposure."""
    after = TABLE[state, sign]
    given_up = (OrderState.REJECTED, OrderState.WITHHELD, OrderState.ABANDONED)
    contradicted = state in given_up and sign in PROOF_OF_PRESENCE
    if sign is Sign.FILLED_WHOLE:
        assert after is OrderState.FILLED
    elif contradicted:
        assert after is OrderState.UNKNOWN
    else:
        assert after is state


@pytest.mark.parametrize(("state", "sign"), [(s, g) for s, g in EVERY if not s.final])
def test_only_proof_ends_a_live_order(state: OrderState, sign: Sign) -> None:
    """Anything else leaves it live, and so counted."""
    after = TABLE[state, sign]
    if sign in PROOF_OF_END:
        assert after.final
    elif sign is Sign.WITHHELD:
        assert after is (state if state in (OrderState.OPEN, OrderState.PARTLY_FILLED) else OrderState.WITHHELD)
    else:
        assert not after.final


@pytest.mark.parametrize("state", LIVE)
def test_an_uncertain_order_is_unknown_unless_it_was_seen_at_the_venue(state: OrderState) -> None:
    """A lost reply to an order we already saw there is no news."""
    seen = state in (OrderState.OPEN, OrderState.PARTLY_FILLED)
    assert TABLE[state, Sign.UNCERTAIN] is (state if seen else OrderState.UNKNOWN)


def test_a_cancel_that_was_rejected_proves_nothing() -> None:
    """Unknown to the venue may be filled, gone, or not there yet."""
    assert TABLE[OrderState.CANCELLING, Sign.CANCEL_REJECTED] is OrderState.UNKNOWN


@pytest.mark.parametrize(("state", "sign"), EVERY)
def test_a_state_agrees_with_what_was_filled(state: OrderState, sign: Sign) -> None:
    """What has fills is neither merely open nor rejected nor withheld."""
    after = state_after(record(state, filled="4"), sign)
    assert after not in (OrderState.OPEN, OrderState.REJECTED, OrderState.WITHHELD)


def test_a_cancel_that_overtakes_its_fills_leaves_them_counted() -> None:
    """The venue says 3 remain of 10 and we saw 4: another 3 were bought."""
    assert executed_but_unseen(record(OrderState.CANCELLED, filled="4"), Decimal(3)) == 3
    assert executed_but_unseen(record(OrderState.CANCELLED, filled="7"), Decimal(3)) == 0
