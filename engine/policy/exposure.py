"""Whether an order can only make the position smaller.

Such an order is let through at every level: stopping an exit costs more than it saves.
So the test is strict, and where it cannot tell it says no.
"""

from __future__ import annotations

from decimal import Decimal

from engine.model.instruments import MarketKind
from engine.model.orders import Exposure, Proposal, Side


def largest(exposure: Exposure, *, buys: Decimal = Decimal(0), sells: Decimal = Decimal(0)) -> Decimal:
    """Return the largest position, in base and without a sign, that `exposure` may come to.

    `buys` and `sells` are orders beside those that are open.
    """
    up = exposure.position + exposure.open_buys + buys
    down = exposure.position - exposure.open_sells - sells
    return max(abs(exposure.position), abs(up), abs(down))


def reduces_exposure(proposal: Proposal, exposure: Exposure, kind: MarketKind) -> bool:
    """Whether `proposal` can neither raise |position + open same-side orders| nor cross zero.

    On futures the venue itself must hold it to that (reduce-only or close-position); on
    spot the free balance and what is already offered for sale bound it.
    """
    if kind is MarketKind.SPOT:
        return _reduces_on_spot(proposal, exposure)
    if not (proposal.reduce_only or proposal.close_position):
        return False
    against = exposure.position > 0 if proposal.side is Side.SELL else exposure.position < 0
    if not against:
        return False
    if proposal.close_position:
        return proposal.quantity is None
    if proposal.quantity is None or proposal.quantity <= 0:
        return False
    same_side = exposure.open_sells if proposal.side is Side.SELL else exposure.open_buys
    return proposal.quantity + same_side <= abs(exposure.position)


def _reduces_on_spot(proposal: Proposal, exposure: Exposure) -> bool:
    if proposal.side is not Side.SELL or proposal.quantity is None or proposal.quantity <= 0:
        return False
    held = max(exposure.position, Decimal(0))
    free = held if exposure.free_balance is None else min(held, exposure.free_balance)
    return proposal.quantity + exposure.open_sells <= free
