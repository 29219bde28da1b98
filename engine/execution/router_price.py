"""At which price an order may be posted or may take, on the venue's ticks and never to our harm."""

from __future__ import annotations

from decimal import Decimal

from engine.model.instruments import Instrument
from engine.model.market import Quote
from engine.model.orders import Side
from engine.model.time import SECOND
from engine.model.view import View

OLDEST_QUOTE = 2 * SECOND
"""An older touch is no place to post at: the market may be on the other side of it by now."""
_BPS = Decimal(10_000)


def fresh_quote(at: int, view: View, venue: str, symbol: str) -> Quote | None:
    """Return the last quote if it is sound and young, else None."""
    quote = view.quote(venue, symbol)
    if quote is None or at - quote.received_at > OLDEST_QUOTE:
        return None
    # Comparisons with NaN are false: what is not a number is not sound.
    return quote if 0.0 < quote.bid < quote.ask < float("inf") else None


def touch(quote: Quote, side: Side, instrument: Instrument) -> Decimal | None:
    """Return the best price of our own side on the tick, which takes nothing; None where no tick is on that side."""
    if side is Side.BUY:
        price = instrument.price_down(Decimal(str(quote.bid)))
        return price if price > 0 else None
    return instrument.price_up(Decimal(str(quote.ask)))


def capped(reference: Decimal, side: Side, cap_bps: float, instrument: Instrument) -> Decimal | None:
    """Return the worst price within `cap_bps` of `reference`, on a tick and never beyond; None if there is none."""
    room = reference * Decimal(str(cap_bps)) / _BPS
    if side is Side.BUY:
        price = instrument.price_down(reference + room)
        return price if price > 0 else None
    return max(instrument.price_up(reference - room), instrument.tick)
