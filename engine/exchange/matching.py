"""Which volume is ours: for a taker from the book, for a maker from what the market does to its level.

Nothing here is ever more than the market showed: a taker has each displayed level once, a
maker shares one trade's volume with our other orders and is filled through a crossed
quote only by the size that quote displays.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from engine.exchange.book import Book, exact
from engine.exchange.orders import Working
from engine.model.instruments import Instrument
from engine.model.market import Trade
from engine.model.orders import Side

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """What a taker asks: `quantity` in base, no price worse than `worst`, at `now` (ns)."""

    side: Side
    quantity: Decimal
    worst: Decimal
    impact_bps: Decimal
    now: int


def walk(book: Book, instrument: Instrument, asked: Walk) -> list[tuple[Decimal, Decimal]]:
    """Take `asked` from `book`; return the (price, quantity) parts, best first.

    All that comes from assumed liquidity is one part at its average price, rounded to the
    tick against us.
    """
    parts: list[tuple[Decimal, Decimal]] = []
    left, cost, assumed = asked.quantity, _ZERO, _ZERO
    for offer in book.offers(asked.side, instrument, asked.impact_bps):
        if left <= 0 or (offer.price - asked.worst) * asked.side.sign > 0:
            break
        quantity = min(left, offer.size)
        book.take(asked.side, offer, quantity, asked.now)
        left -= quantity
        if offer.shown is None:
            cost += offer.price * quantity
            assumed += quantity
        else:
            parts.append((offer.price, quantity))
    if assumed:
        rounding = ROUND_CEILING if asked.side is Side.BUY else ROUND_FLOOR
        parts.append(((cost / assumed / instrument.tick).to_integral_value(rounding) * instrument.tick, assumed))
    return parts


def crosses(book: Book, side: Side, limit: Decimal) -> bool:
    """Whether an order of `side` at `limit` would meet an offer at once."""
    best = book.best(bids=side is Side.SELL)
    return best is not None and (exact(best[0]) - limit) * side.sign <= 0


def overrun(book: Book, instrument: Instrument, working: Working, now: int) -> Decimal:
    """Return what a resting order gets because offers now stand at or beyond its limit; they are taken."""
    side, got = working.order.side, _ZERO
    best = book.displayed(bids=side is Side.SELL)
    if best is None or (best[0] > working.limit if side is Side.BUY else best[0] < working.limit):
        return got
    limit = exact(working.limit)
    for offer in book.offers(side, instrument, Decimal(1)):
        beyond = (offer.price - limit) * side.sign > 0
        if beyond or offer.shown is None or got >= working.remaining:
            break
        quantity = min(working.remaining - got, offer.size)
        book.take(side, offer, quantity, now)
        got += quantity
    return got


def reached(working: Working, instrument: Instrument, trade: Trade, given: Decimal) -> Decimal:
    """Return what a resting order gets of `trade`, of which our orders ahead of it already had `given`."""
    place, limit = working.place, working.limit
    bids = working.order.side is Side.BUY
    if place is None or (trade.price > limit if bids else trade.price < limit):
        return _ZERO
    size = exact(trade.size)
    if trade.price == limit:
        past = place.trades(size, trade.venue_at)
    else:
        place.passed()
        past = size
    return instrument.floor_quantity(min(working.remaining, max(_ZERO, past - given)))


def look(working: Working, book: Book, venue_at: int) -> None:
    """Show a resting order what its level displays, as of the venue's stamp `venue_at` (ns)."""
    if working.place is not None:
        size = book.queue_at(bids=working.order.side is Side.BUY, price=working.limit)
        if size is not None:
            working.place.shows(size, venue_at)
