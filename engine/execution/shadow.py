"""Maker orders that are not posted: what would have become of them, as the market says.

Pessimistic like the queue of the simulated exchange: such an order stands behind all that
was displayed when it would have come; only trades use up what is ahead, or a level that
shows less than that; a cancel is taken for one behind. It fills when the market trades at
its price more than was ahead, or through it. Offers that are merely shown fill nothing.
It does not follow the touch, and a part that filled is no fill.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from engine.model.codec import Data, from_data, plain, to_data
from engine.model.effects import MakerShadowed, PlaceOrder
from engine.model.ledger import OrdersView
from engine.model.market import Quote, Trade
from engine.model.orders import Intent, Side
from engine.model.samples import Derived
from engine.model.time import MS

MOST = 32
"""Shadows at once: each looks at every quote and trade of its symbol."""
TRAVEL = 100 * MS
"""How long a real order would have been on its way: what trades meanwhile is not for it."""
LIQUIDITY = "maker_shadow"
"""The label of what shadows cost and took, apart from fills that happened."""
_ZERO = Decimal(0)


@dataclass(slots=True, kw_only=True)
class Shadow:
    """One order that was not posted. Quantities in base, prices in quote currency, times in ns."""

    client_id: str
    """The taker that left in its place."""
    venue: str
    symbol: str
    intent: Intent
    side: Side
    price: Decimal
    quantity: Decimal
    reference: Decimal
    """The price at the decision."""
    taker_touch: Decimal
    """What a taker would have paid then."""
    began_at: int
    ends_at: int
    ahead: Decimal
    """What must trade at the price before us; it never grows once we would have been there."""
    filled: Decimal = _ZERO
    cut: Decimal = _ZERO
    """How much of the way a shrinking level moved us, not yet explained by trades."""
    cut_at: int = 0
    """The venue's stamp of the message that moved us."""
    outcome: str = ""
    over_at: int = 0

    def on_quote(self, quote: Quote) -> None:
        """Take in what is displayed at the price."""
        best = _exact(quote.bid if self.side is Side.BUY else quote.ask)
        size = _exact(quote.bid_size if self.side is Side.BUY else quote.ask_size)
        behind = (self.price - best) * self.side.sign
        if behind < 0:
            # Somebody offers better: what stands at our price is not shown.
            return
        shown = size if behind == 0 else _ZERO
        if quote.venue_at <= self.began_at + TRAVEL:
            far = _exact(quote.ask if self.side is Side.BUY else quote.bid)
            self.ahead = shown
            if (far - self.price) * self.side.sign <= 0:
                self._end("would_take", quote.venue_at)
        elif shown < self.ahead:
            self.cut += self.ahead - shown
            self.cut_at = quote.venue_at
            self.ahead = shown

    def on_trade(self, trade: Trade) -> None:
        """Take in a trade: at the price behind those ahead, through it at once."""
        price = _exact(trade.price)
        beyond = (self.price - price) * self.side.sign
        if beyond < 0 or trade.venue_at <= self.began_at + TRAVEL:
            return
        size = _exact(trade.size)
        if beyond > 0:
            self.ahead = _ZERO
        else:
            size = self._past(size, trade.venue_at)
        self.filled = min(self.quantity, self.filled + size)
        if self.filled >= self.quantity:
            self._end("filled", trade.venue_at)

    def _past(self, size: Decimal, venue_at: int) -> Decimal:
        """Return how much of a trade at the price gets past those ahead."""
        if venue_at <= self.cut_at:
            # A shrunk level and the trade that shrank it are two messages: not both move us.
            known = min(size, self.cut)
            self.cut -= known
            size -= known
        used = min(size, self.ahead)
        self.ahead -= used
        return size - used

    def _end(self, outcome: str, at: int) -> None:
        self.outcome, self.over_at = outcome, at


class Shadows:
    """All shadows that are followed, the oldest first; never more than `MOST`."""

    def __init__(self) -> None:
        self._shadows: list[Shadow] = []
        self._over: list[Shadow] = []
        """Those that have ended since the last `take_told`."""

    def begin(self, at: int, order: PlaceOrder, quote: Quote, price: Decimal, timeout: int) -> bool:
        """Follow what `order`, which takes, would have become at `price`; False when there are too many already."""
        if len(self._shadows) >= MOST or order.quantity is None:
            return False
        bids = order.side is Side.BUY
        ours, size = (quote.bid, quote.bid_size) if bids else (quote.ask, quote.ask_size)
        self._shadows.append(Shadow(
            client_id=order.client_id, venue=order.venue, symbol=order.symbol, intent=order.intent, side=order.side,
            price=price, quantity=order.quantity, reference=order.reference_price,
            taker_touch=plain(_exact(quote.ask if bids else quote.bid)), began_at=at, ends_at=at + timeout,
            # Rounding to the tick may put us behind the touch; nobody is known there.
            ahead=_exact(size) if _exact(ours) == price else _ZERO,
        ))
        return True

    def symbols(self) -> set[str]:
        """Return the symbols whose quotes and trades matter."""
        return {shadow.symbol for shadow in self._shadows}

    def on_market(self, event: Quote | Trade) -> list[Derived]:
        """Let the shadows of one symbol see `event`; return the samples of those that it ends."""
        for shadow in self._shadows:
            if shadow.symbol == event.symbol and shadow.venue == event.venue and not shadow.outcome:
                if isinstance(event, Quote):
                    shadow.on_quote(event)
                else:
                    shadow.on_trade(event)
        return self._sweep()

    def on_timer(self, at: int) -> list[Derived]:
        """End the shadows whose time is over by `at`; return their samples."""
        for shadow in self._shadows:
            if not shadow.outcome and shadow.ends_at <= at:
                shadow.outcome, shadow.over_at = "timed_out", at
        return self._sweep()

    def revoke(self, at: int) -> None:
        """End all of them, because shadows are no longer wanted: no evidence either way."""
        for shadow in self._shadows:
            shadow.outcome, shadow.over_at = "revoked", at
        self._sweep()

    def _sweep(self) -> list[Derived]:
        ended = [shadow for shadow in self._shadows if shadow.outcome]
        if not ended:
            return []
        self._shadows = [shadow for shadow in self._shadows if not shadow.outcome]
        self._over += ended
        return [sample for shadow in ended for sample in _samples(shadow)]

    def take_told(self, at: int, orders: OrdersView) -> list[MakerShadowed]:
        """Return what became of those that ended, each once."""
        told = [_told(at, shadow, orders) for shadow in self._over]
        self._over.clear()
        return told

    def next_due(self) -> int | None:
        """Return when the next one's time is over (ns), or None."""
        return min((shadow.ends_at for shadow in self._shadows), default=None)

    def dump(self) -> Data:
        """Return all of them as JSON data."""
        return {
            "open": [to_data(shadow) for shadow in self._shadows], "over": [to_data(shadow) for shadow in self._over],
        }

    def load(self, data: Data) -> None:
        """Become what `dump` wrote."""
        self._shadows = [from_data(Shadow, item) for item in data["open"]]
        self._over = [from_data(Shadow, item) for item in data["over"]]


def _exact(number: float) -> Decimal:
    return Decimal(str(number))


def _samples(shadow: Shadow) -> list[Derived]:
    if shadow.outcome == "revoked":
        return []
    at, whole = shadow.over_at, shadow.outcome == "filled"
    order = (shadow.venue, shadow.symbol, shadow.intent.value)
    samples = [Derived("maker_shadow_fill", order, 1.0 if whole else 0.0, at)]
    if whole:
        labels = (shadow.venue, LIQUIDITY)
        edge = (shadow.price - shadow.reference) * shadow.side.sign / shadow.reference
        samples.append(Derived("fill_slippage_bps", labels, float(edge) * 10_000.0 + 0.0, at))
        samples.append(Derived("fill_ms", labels, max(0.0, (at - shadow.began_at) / MS), at))
    return samples


def _told(at: int, shadow: Shadow, orders: OrdersView) -> MakerShadowed:
    taker = orders.order(shadow.client_id)
    paid = taker.average_price if taker is not None and taker.filled > 0 else shadow.taker_touch
    return MakerShadowed(
        at=at, venue=shadow.venue, symbol=shadow.symbol, intent=shadow.intent, side=shadow.side,
        price=plain(shadow.price), quantity=plain(shadow.quantity), filled=plain(shadow.filled),
        waited=max(0, shadow.over_at - shadow.began_at), outcome=shadow.outcome, taker_price=plain(paid),
    )


__all__ = ["MOST", "Shadow", "Shadows"]
