"""From an approved proposal to the order that leaves, and to the record we keep of it."""

from __future__ import annotations

from decimal import Decimal

from engine.model.codec import plain
from engine.model.effects import CancelOrder, PlaceOrder
from engine.model.ledger import OrderRecord
from engine.model.orders import OrderState, Proposal


def order_of(proposal: Proposal, *, at: int, client_id: str, policy_version: int) -> PlaceOrder:
    """Return the order to send for an approved `proposal`."""
    return PlaceOrder(
        at=at, client_id=client_id, account=proposal.account, venue=proposal.venue, symbol=proposal.symbol,
        side=proposal.side, kind=proposal.kind, intent=proposal.intent, quantity=proposal.quantity,
        limit_price=proposal.limit_price, trigger_price=proposal.trigger_price,
        reference_price=proposal.reference_price, reduce_only=proposal.reduce_only,
        close_position=proposal.close_position, post_only=proposal.post_only, purpose=proposal.purpose,
        policy_version=policy_version, immediate=proposal.immediate,
    )


def record_of(proposal: Proposal, *, at: int, client_id: str, number: int) -> OrderRecord:
    """Return the record of an order that leaves now: SENT, so exposure, until something is proven."""
    return OrderRecord(
        client_id=client_id, number=number, proposer=proposal.proposer, purpose=proposal.purpose,
        account=proposal.account, venue=proposal.venue, symbol=proposal.symbol, side=proposal.side,
        kind=proposal.kind, intent=proposal.intent, quantity=_plain(proposal.quantity),
        limit_price=_plain(proposal.limit_price), trigger_price=_plain(proposal.trigger_price),
        reduce_only=proposal.reduce_only, close_position=proposal.close_position, replaces=proposal.replaces,
        sent_at=at, moved_at=at, reference_price=plain(proposal.reference_price), post_only=proposal.post_only,
        immediate=proposal.immediate,
    )


def found_record(order: PlaceOrder, *, at: int, number: int) -> OrderRecord:
    """Return the record of an order that left, as far as it is known, when its own record was lost: of unknown fate."""
    return OrderRecord(
        client_id=order.client_id, number=number, proposer="recovery", purpose=order.purpose, account=order.account,
        venue=order.venue, symbol=order.symbol, side=order.side, kind=order.kind, intent=order.intent,
        quantity=_plain(order.quantity), limit_price=_plain(order.limit_price),
        trigger_price=_plain(order.trigger_price), reduce_only=order.reduce_only, close_position=order.close_position,
        replaces=None, sent_at=order.at, moved_at=at, state=OrderState.UNKNOWN,
        reference_price=plain(order.reference_price), post_only=order.post_only, immediate=order.immediate,
    )


def _plain(number: Decimal | None) -> Decimal | None:
    return None if number is None else plain(number)


def cancel_of(record: OrderRecord, *, at: int, why: str) -> CancelOrder:
    """Return the request to take `record` back, addressed to the book it is in."""
    return CancelOrder(
        at=at, client_id=record.client_id, venue=record.venue, symbol=record.symbol,
        conditional=record.conditional, why=why,
    )


def already_served(proposal: Proposal, attempts: tuple[OrderRecord, ...]) -> bool:
    """Whether an order for the same purpose makes this one a second helping.

    What adds risk is planned again only when every earlier order of its purpose is proven
    to have executed nothing. What reduces risk may follow an ended one, or replace a live one.
    What continues an order may follow it once nothing more can come of it, with what it left.
    """
    if proposal.continues is not None:
        return not _takes_over(proposal, attempts)
    if proposal.reduce_only or proposal.close_position:
        return any(record.live and record.client_id != proposal.replaces for record in attempts)
    return any(record.may_have_filled for record in attempts)


def _takes_over(proposal: Proposal, attempts: tuple[OrderRecord, ...]) -> bool:
    """Whether nothing but `proposal` can fill any more of its purpose, and it asks for no more than what is left.

    Only the last attempt can be continued: each rest is taken over once.
    """
    old = attempts[-1] if attempts else None
    if old is None or old.client_id != proposal.continues or old.side is not proposal.side:
        return False
    if old.quantity is None or proposal.quantity is None or any(record.live for record in attempts):
        return False
    return proposal.quantity <= old.quantity - old.filled
