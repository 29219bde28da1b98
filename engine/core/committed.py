"""What the account has at stake, order by order: positions, and all that may still be filled.

An order whose fate is unknown may be filled, so it counts; an order that was approved in
this very step counts for the one behind it.
"""

from __future__ import annotations

from decimal import Decimal

from engine.core.state import State
from engine.policy.exposure import largest


def elsewhere_usd(state: State, account: str, apart: tuple[str, str]) -> Decimal | None:
    """Return what every (venue, symbol) of `account` but `apart` may come to, in USD-like quote currency.

    None where something is held, or may be, at a price that nobody knows.
    """
    total = Decimal(0)
    for venue, symbol in _keys(state, account):
        quantity = largest(state.execution.exposure(account, venue, symbol))
        if (venue, symbol) == apart or quantity == 0:
            continue
        price = _price(state, account, venue, symbol)
        if price is None:
            return None
        instrument = state.look.instrument(venue, symbol)
        total += quantity * price * (Decimal(1) if instrument is None else instrument.contract_size)
    return total


def _keys(state: State, account: str) -> list[tuple[str, str]]:
    """Return the (venue, symbol) of everything that is held or may be filled, sorted."""
    held = {(one.venue, one.symbol) for one in state.execution.positions() if one.account == account and one.quantity}
    return sorted(held | {(one.venue, one.symbol) for one in state.execution.all_live() if one.account == account})


def _price(state: State, account: str, venue: str, symbol: str) -> Decimal | None:
    """Return the mid; before the first quote what was paid, or the highest price that an order was made at."""
    quote = state.look.quote(venue, symbol)
    if quote is not None:
        return (Decimal(str(quote.bid)) + Decimal(str(quote.ask))) / 2
    position = state.execution.position(account, venue, symbol)
    if position.quantity != 0:
        return position.average_price
    prices = (order.limit_price or order.reference_price for order in state.execution.live(venue, symbol))
    return max((price for price in prices if price > 0), default=None)
