"""The book of one instrument, as far as quotes, trades and depth together show it.

Quotes alone are enough to trade on; depth, where its ids hold together, says what stands
behind the touch. The touch is told by whichever is newer on the venue's own clock. A trade
newer than both moves it too: what trades at 99 can no longer be sold at 100.

Beyond what is displayed liquidity is assumed, never free: from the last displayed level on,
each further rung holds one touch size and is `impact_bps` (at least one tick) worse than the
rung before. Ten touch sizes thus cost about five rungs more on average than one.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from itertools import count
from typing import NamedTuple

from engine.exchange.depth import Depth
from engine.exchange.taken import Taken, Touch
from engine.model.codec import Data, from_data, to_data
from engine.model.instruments import Instrument
from engine.model.market import DepthDelta, DepthSnapshot, Quote, Trade
from engine.model.orders import Side

_BPS = Decimal(10_000)


def exact(value: float) -> Decimal:
    """Return the decimal number that `value` is written as: 0.1, not its binary neighbour."""
    return Decimal(repr(value))


class Offer(NamedTuple):
    """Liquidity a taker can have: `price` in quote, `size` in base after what we already took."""

    price: Decimal
    size: Decimal
    shown: Touch | None
    """The displayed level it comes from; None where it is assumed."""


class Book:
    """Everything the market said of one instrument that still counts."""

    __slots__ = ("_quote_after_depth", "_shown", "_taken", "_trade_last", "depth", "quote", "trade")

    def __init__(self, *, lifetime: int) -> None:
        """`lifetime` is how long liquidity we took is remembered at most (ns)."""
        self.depth = Depth()
        self.quote: Quote | None = None
        self.trade: Trade | None = None
        self._quote_after_depth = False
        self._trade_last = False
        self._shown: tuple[Touch | None, Touch | None] | None = None
        """The displayed touch (bid, ask), once somebody asked for it; every order of ours asks at every move."""
        self._taken = {True: Taken(bids=True, lifetime=lifetime), False: Taken(bids=False, lifetime=lifetime)}

    def on_quote(self, event: Quote) -> None:
        """Store `event`. Nothing else: this is the hot path of every symbol nobody trades."""
        self.quote = event
        self._shown = None
        self._quote_after_depth = True
        self._trade_last = False

    def on_trade(self, event: Trade) -> None:
        """Store `event`."""
        self.trade = event
        self._trade_last = True

    def on_depth(self, event: DepthDelta | DepthSnapshot) -> bool:
        """Take `event` in; False when it changed nothing."""
        depth = self.depth
        changed = depth.on_snapshot(event) if isinstance(event, DepthSnapshot) else depth.on_delta(event)
        # Also a message that only shows a gap changes what is believed.
        self._shown = None
        if changed:
            self._quote_after_depth = False
            self._trade_last = False
        return changed

    def _quote_governs(self) -> bool:
        quote, depth = self.quote, self.depth
        if quote is None or not depth.synced:
            return quote is not None
        newer = quote.venue_at > depth.at or (quote.venue_at == depth.at and self._quote_after_depth)
        return newer or depth.crossed()

    def displayed(self, *, bids: bool) -> Touch | None:
        """Return (price, size) of the best displayed level of one side; None when there is none."""
        shown = self._shown
        if shown is None:
            shown = self._shown = (self._touch(bids=True), self._touch(bids=False))
        return shown[0] if bids else shown[1]

    def _touch(self, *, bids: bool) -> Touch | None:
        quote = self.quote
        if self._quote_governs() and quote is not None:
            best = (quote.bid, quote.bid_size) if bids else (quote.ask, quote.ask_size)
        else:
            found = self.depth.best(bids=bids) if self.depth.synced else None
            if found is None or self.depth.crossed():
                return None
            best = found
        # Written so that NaN fails too.
        return best if best[0] > 0 and best[1] > 0 else None

    def best(self, *, bids: bool) -> Touch | None:
        """Return (price, size) that a taker meets first, moved to the last trade where that is newer and worse."""
        best, trade = self.displayed(bids=bids), self.trade
        if best is None or trade is None or not self._trade_last or trade.aggressor_buys is bids:
            return best
        price = min(best[0], trade.price) if bids else max(best[0], trade.price)
        return best if price == best[0] else (price, best[1])

    def mid(self) -> Decimal | None:
        """Return the middle of the best bid and ask, in quote currency; None while a side is empty."""
        bid, ask = self.best(bids=True), self.best(bids=False)
        return None if bid is None or ask is None else (exact(bid[0]) + exact(ask[0])) / 2

    def contract_price(self) -> Decimal | None:
        """Return what conditional orders trigger on, in quote currency.

        It is the last trade; moved into the present spread where quotes have left it behind,
        since the next trade cannot be outside; and the mid where no trade was ever seen.
        """
        trade = self.trade
        if trade is None:
            return self.mid()
        price = trade.price
        if not self._trade_last:
            bid, ask = self.displayed(bids=True), self.displayed(bids=False)
            price = max(price, bid[0]) if bid is not None else price
            price = min(price, ask[0]) if ask is not None else price
        return exact(price)

    def queue_at(self, *, bids: bool, price: float) -> float | None:
        """Return the size displayed at `price`, 0 where the level is known empty, None where it is not displayed."""
        best = self.displayed(bids=bids)
        if best is None:
            return None
        if price == best[0]:
            return best[1]
        if price > best[0] if bids else price < best[0]:
            return 0.0
        return self.depth.size_at(bids=bids, price=price) if self.depth.synced else None

    def ladder(self, *, bids: bool) -> Iterator[Touch]:
        """Yield the displayed levels a taker meets, best first: depth, under the touch of whatever is newer."""
        best = self.best(bids=bids)
        if best is None:
            return
        yield best
        if self.depth.synced:
            for level in self.depth.ladder(bids=bids):
                if level[0] < best[0] if bids else level[0] > best[0]:
                    yield level

    def offers(self, side: Side, instrument: Instrument, impact_bps: Decimal) -> Iterator[Offer]:
        """Yield what a taker of `side` finds, best first, the assumed rungs of a buyer without end."""
        bids = side is Side.SELL
        taken, touch, last = self._taken[bids], self.best(bids=bids), 0.0
        if touch is None:
            return
        for price, size in self.ladder(bids=bids):
            left, last = instrument.floor_quantity(exact(size) - taken.at(price, size)), price
            if left > 0:
                yield Offer(exact(price), left, (price, size))
        rung = max(instrument.step, instrument.floor_quantity(exact(touch[1])))
        yield from self._assumed(side, instrument, max(instrument.tick, exact(last) * impact_bps / _BPS), (last, rung))

    def _assumed(
        self, side: Side, instrument: Instrument, gap: Decimal, start: tuple[float, Decimal],
    ) -> Iterator[Offer]:
        used, base, rung = self._taken[side is Side.SELL].beyond, exact(start[0]), start[1]
        for number in count(1):
            raw = base + gap * number * side.sign
            if raw <= 0:
                return
            left, used = rung - used, max(Decimal(0), used - rung)
            if left > 0:
                yield Offer(instrument.price_up(raw) if side is Side.BUY else instrument.price_down(raw), left, None)

    def take(self, side: Side, offer: Offer, quantity: Decimal, now: int) -> None:
        """Remember that a taker of `side` had `quantity` of `offer`."""
        taken = self._taken[side is Side.SELL]
        if offer.shown is not None:
            taken.add(*offer.shown, quantity, now)
        else:
            taken.add_beyond(quantity, self.displayed(bids=taken.bids) or (0.0, 0.0), now)

    def remembers(self) -> bool:
        """Whether there is liquidity we took and must not take again."""
        return bool(self._taken[True].until or self._taken[False].until)

    def refresh(self, now: int) -> None:
        """Forget what the market has replaced since we took it."""
        for bids, taken in self._taken.items():
            if taken.until:
                taken.see_touch(self.displayed(bids=bids) or (0.0, 0.0), now)

    def dump(self) -> Data:
        """Return the book as JSON data."""
        return {
            "depth": self.depth.dump(), "quote": to_data(self.quote), "trade": to_data(self.trade),
            "quote_after_depth": self._quote_after_depth, "trade_last": self._trade_last,
            "taken": [self._taken[True].dump(), self._taken[False].dump()],
        }

    def load(self, data: Data) -> None:
        """Become what `dump` saw."""
        self.depth.load(data["depth"])
        self.quote = from_data(Quote, data["quote"]) if data["quote"] is not None else None
        self.trade = from_data(Trade, data["trade"]) if data["trade"] is not None else None
        self._quote_after_depth, self._trade_last = data["quote_after_depth"], data["trade_last"]
        self._shown = None
        self._taken[True].load(data["taken"][0])
        self._taken[False].load(data["taken"][1])

