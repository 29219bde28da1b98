"""What becomes of an order's state when the venue says something: one total table.

Events come late, twice and out of order. So no cell guesses: only proof ends an order,
a contradiction ends in UNKNOWN, and an order that ended stays ended unless a fill proves
that it did not. Fills are counted elsewhere, by trade id; here they are only evidence.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

from engine.model.codec import plain
from engine.model.ledger import OrderRecord
from engine.model.orders import OrderState


class Sign(StrEnum):
    """What the venue, or we ourselves, said of an order."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    CANCEL_REJECTED = "cancel_rejected"
    TRIGGERED = "triggered"
    FILLED_IN_PART = "filled_in_part"
    FILLED_WHOLE = "filled_whole"
    WITHHELD = "withheld"
    UNCERTAIN = "uncertain"
    CANCEL_ASKED = "cancel_asked"
    ABSENT = "absent"
    """Both books, the trades and the position have proven that there is no such order."""


_INTENDED, _SENT, _OPEN, _PARTLY, _CANCELLING, _UNKNOWN = (
    OrderState.INTENDED, OrderState.SENT, OrderState.OPEN, OrderState.PARTLY_FILLED, OrderState.CANCELLING,
    OrderState.UNKNOWN,
)
_FILLED, _CANCELLED, _REJECTED, _EXPIRED, _WITHHELD, _ABANDONED = (
    OrderState.FILLED, OrderState.CANCELLED, OrderState.REJECTED, OrderState.EXPIRED, OrderState.WITHHELD,
    OrderState.ABANDONED,
)

_COLUMNS = (
    _INTENDED, _SENT, _OPEN, _PARTLY, _CANCELLING, _UNKNOWN, _FILLED, _CANCELLED, _REJECTED, _EXPIRED, _WITHHELD,
    _ABANDONED,
)
_ROWS: dict[Sign, tuple[OrderState, ...]] = {
    # An acceptance after the end is merely late; after a rejection it contradicts, and someone must look.
    Sign.ACCEPTED: (
        _OPEN, _OPEN, _OPEN, _PARTLY, _CANCELLING, _OPEN,
        _FILLED, _CANCELLED, _UNKNOWN, _EXPIRED, _UNKNOWN, _UNKNOWN),
    # A conditional order may be rejected long after it was accepted: when it triggers.
    Sign.REJECTED: (
        _REJECTED, _REJECTED, _REJECTED, _CANCELLED, _REJECTED, _REJECTED,
        _FILLED, _CANCELLED, _REJECTED, _EXPIRED, _WITHHELD, _ABANDONED),
    Sign.CANCELLED: (
        _CANCELLED, _CANCELLED, _CANCELLED, _CANCELLED, _CANCELLED, _CANCELLED,
        _FILLED, _CANCELLED, _REJECTED, _EXPIRED, _WITHHELD, _ABANDONED),
    Sign.EXPIRED: (
        _EXPIRED, _EXPIRED, _EXPIRED, _EXPIRED, _EXPIRED, _EXPIRED,
        _FILLED, _CANCELLED, _REJECTED, _EXPIRED, _WITHHELD, _ABANDONED),
    # "Unknown order" on a cancel may mean filled, gone, or not there yet: nothing may be assumed.
    Sign.CANCEL_REJECTED: (
        _INTENDED, _SENT, _OPEN, _PARTLY, _UNKNOWN, _UNKNOWN,
        _FILLED, _CANCELLED, _REJECTED, _EXPIRED, _WITHHELD, _ABANDONED),
    Sign.TRIGGERED: (
        _OPEN, _OPEN, _OPEN, _PARTLY, _CANCELLING, _OPEN,
        _FILLED, _CANCELLED, _UNKNOWN, _EXPIRED, _UNKNOWN, _UNKNOWN),
    Sign.FILLED_IN_PART: (
        _PARTLY, _PARTLY, _PARTLY, _PARTLY, _CANCELLING, _PARTLY,
        _FILLED, _CANCELLED, _UNKNOWN, _EXPIRED, _UNKNOWN, _UNKNOWN),
    Sign.FILLED_WHOLE: (_FILLED,) * 12,
    # An order that is known to be at the venue was not withheld, whatever perform believes.
    Sign.WITHHELD: (
        _WITHHELD, _WITHHELD, _OPEN, _PARTLY, _WITHHELD, _WITHHELD,
        _FILLED, _CANCELLED, _REJECTED, _EXPIRED, _WITHHELD, _ABANDONED),
    # A lost answer to an order that was already seen at the venue changes nothing.
    Sign.UNCERTAIN: (
        _UNKNOWN, _UNKNOWN, _OPEN, _PARTLY, _UNKNOWN, _UNKNOWN,
        _FILLED, _CANCELLED, _REJECTED, _EXPIRED, _WITHHELD, _ABANDONED),
    Sign.CANCEL_ASKED: (
        _CANCELLING, _CANCELLING, _CANCELLING, _CANCELLING, _CANCELLING, _UNKNOWN,
        _FILLED, _CANCELLED, _REJECTED, _EXPIRED, _WITHHELD, _ABANDONED),
    # Given only after both books, the trades and the position were asked: see `doubts`.
    Sign.ABSENT: (
        _ABANDONED, _ABANDONED, _ABANDONED, _ABANDONED, _ABANDONED, _ABANDONED,
        _FILLED, _CANCELLED, _REJECTED, _EXPIRED, _WITHHELD, _ABANDONED),
}

TABLE: dict[tuple[OrderState, Sign], OrderState] = {
    (state, sign): after for sign, row in _ROWS.items() for state, after in zip(_COLUMNS, row, strict=True)
}
"""(state, sign) -> state, for every pair there is."""

_FILLED_BUT_ENDED = frozenset({OrderState.REJECTED, OrderState.WITHHELD, OrderState.ABANDONED})


def state_after(record: OrderRecord, sign: Sign) -> OrderState:
    """Return the state of `record` after `sign`, in agreement with what it has filled.

    The table speaks of states alone; an order with fills is neither merely open nor
    rejected: its remainder is what was accepted, refused or never sent.
    """
    after = TABLE[record.state, sign]
    if record.filled <= 0:
        return after
    if after is OrderState.OPEN:
        return OrderState.PARTLY_FILLED
    return OrderState.CANCELLED if after in _FILLED_BUT_ENDED else after


def executed_but_unseen(record: OrderRecord, remaining: Decimal) -> Decimal:
    """Return what an order that ended with `remaining` must have executed beyond the fills we saw, in base."""
    if record.quantity is None:
        return Decimal(0)
    return plain(max(record.quantity - remaining - record.filled, Decimal(0)))
