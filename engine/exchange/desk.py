"""One instrument's desk: its book, our orders on it, and what each does to the other.

Everything here happens at one instant, handed in; the way there and back is the clerk's.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_FLOOR, Decimal

from engine.exchange import conditional, filters
from engine.exchange.agenda import FundingDue, OrderArrives
from engine.exchange.book import Book, exact
from engine.exchange.clerk import Clerk
from engine.exchange.matching import Walk, crosses, look, overrun, reached, walk
from engine.exchange.orders import Execution, Reason, Working
from engine.exchange.queue_model import join
from engine.model.codec import Data, from_data, to_data
from engine.model.effects import PlaceOrder
from engine.model.fills import Liquidity, Position
from engine.model.instruments import Instrument, MarketKind
from engine.model.market import DepthDelta, DepthSnapshot, FundingRate, Quote, Trade
from engine.model.orders import CONDITIONAL_KINDS, OrderKind, Side
from engine.model.reports import IncomeKind

_FINEST = Decimal("0.00000001")


class Desk:
    """Our orders on one instrument. `live` is false while a market event can do nothing but change the book."""

    __slots__ = (
        "_asks", "_bids", "_clerk", "_stops", "book", "funding", "funding_due", "instrument", "live",
        "symbol", "venue",
    )

    def __init__(self, clerk: Clerk, venue: str, symbol: str) -> None:
        self._clerk = clerk
        self.venue = venue
        self.symbol = symbol
        self.book = Book(lifetime=clerk.settings.remember_taken)
        self.instrument: Instrument | None = None
        self.live = False
        self.funding: FundingRate | None = None
        """The last funding rate the market told."""
        self.funding_due = 0
        """When funding is next paid (ns); in the past while no rate has been told since."""
        self._bids: list[Working] = []
        self._asks: list[Working] = []
        self._stops: list[Working] = []

    def mark(self) -> Decimal | None:
        """Return the mark price in quote currency: the mid, which one trade cannot move; None without a market."""
        mid = self.book.mid()
        return mid if mid is not None else self.book.contract_price()

    def on_funding(self, event: FundingRate, at: int) -> None:
        """Take in what funding will cost, and when it is paid next; what only a payment tells is paid with it."""
        if event.paid:
            if self.funding is None or self.funding.paid:
                self.funding = event
                if self._clerk.settings.funding:
                    self.pay_funding(at)
            return
        self.funding = event
        if self._clerk.settings.funding and self.funding_due <= at and event.interval > 0:
            self.funding_due = event.next_at if event.next_at > at else (at // event.interval + 1) * event.interval
            self._clerk.agenda.put(self.funding_due, FundingDue(self.venue, self.symbol))

    def pay_funding(self, at: int) -> None:
        """Settle funding on what is held: longs pay shorts a positive rate."""
        held, mark, event, instrument = self._position().quantity, self.mark(), self.funding, self.instrument
        # Written so that NaN fails too.
        if not held or mark is None or event is None or instrument is None or not abs(event.rate) < 1:
            return
        due = -held * mark * instrument.contract_size * exact(event.rate)
        amount = due.quantize(_FINEST, ROUND_FLOOR)
        self._clerk.account.pay(instrument.quote, amount)
        self._clerk.moved(IncomeKind.FUNDING, instrument, amount, at)
        self._clerk.report(instrument.quote, at)

    def arrive(self, arrival: OrderArrives, at: int) -> None:
        """Judge an order on arrival, fill what can be filled, let the rest stand or cancel it."""
        instrument, order = self.instrument, arrival.order
        reason = self._refusal(order, at, on_mark=arrival.on_mark)
        if reason is not None or instrument is None:
            self._clerk.reject(order, reason or Reason.UNKNOWN_INSTRUMENT, at)
            return
        working = self._clerk.accept(order, arrival.sent_at, at)
        working.on_mark = arrival.on_mark
        if order.kind in CONDITIONAL_KINDS:
            self._stops.append(working)
        else:
            if order.close_position:
                working.remaining = abs(self._position().quantity)
            self._take(working, instrument, at)
        self._note()

    def _refusal(self, order: PlaceOrder, at: int, *, on_mark: bool) -> Reason | None:
        clerk, instrument, settings = self._clerk, self.instrument, self._clerk.settings
        if order.client_id in clerk.working:
            return Reason.DUPLICATE_CLIENT_ID
        if instrument is None:
            return Reason.UNKNOWN_INSTRUMENT
        self.book.refresh(at)
        mid, position = self.book.mid(), self._position().quantity
        standing = filters.Standing(position=position, mid=mid, price_band_bps=settings.price_band_bps)
        reason = filters.refusal(order, instrument, standing)
        price = self.mark() if on_mark else self.book.contract_price()
        if reason is not None or mid is None or price is None:
            return reason or Reason.NO_MARKET
        if order.kind in CONDITIONAL_KINDS:
            if sum(working.conditional for working in clerk.working.values()) >= settings.max_conditional:
                return Reason.TOO_MANY_ORDERS
            return conditional.refusal(order, price, self._stops, one_close_per_side=settings.one_close_per_side)
        if order.post_only and order.limit_price is not None and crosses(self.book, order.side, order.limit_price):
            return Reason.POST_ONLY
        if order.quantity is not None and not order.reduce_only:
            cost = order.limit_price or mid
            if not clerk.account.affords(instrument, signed=order.quantity * order.side.sign, price=cost):
                spot = instrument.kind is MarketKind.SPOT
                return Reason.INSUFFICIENT_BALANCE if spot else Reason.INSUFFICIENT_MARGIN
        return None

    def _take(self, working: Working, instrument: Instrument, at: int) -> None:
        order, settings, before = working.order, self._clerk.settings, self._position()
        mid = self.book.mid()
        if mid is not None:
            self._walk(working, instrument, mid, at)
        if order.client_id in self._clerk.working:
            if working.reduces and self._room(order.side) == 0:
                self._clerk.end(working, Reason.POSITION_CLOSED, at)
            elif order.kind is OrderKind.LIMIT and order.limit_price is not None and not order.immediate:
                bids, working.limit = order.side is Side.BUY, float(order.limit_price)
                working.place = join(self.book, bids=bids, price=working.limit, unseen=settings.unseen_queue)
                side = self._bids if bids else self._asks
                side.append(working)
                side.sort(key=lambda other: (-other.limit if bids else other.limit, other.number))
            else:
                self._clerk.end(working, Reason.IOC, at)
        self._settled(before, instrument, at)

    def _walk(self, working: Working, instrument: Instrument, mid: Decimal, at: int) -> None:
        order, settings = working.order, self._clerk.settings
        worst = filters.band_limit(order.side, mid, settings.price_band_bps)
        if order.limit_price is not None:
            worst = min(worst, order.limit_price) if order.side is Side.BUY else max(worst, order.limit_price)
        quantity = min(working.remaining, self._room(order.side)) if working.reduces else working.remaining
        asked = Walk(side=order.side, quantity=quantity, worst=worst, impact_bps=settings.impact_bps, now=at)
        for price, part in walk(self.book, instrument, asked):
            got = Execution(price=price, quantity=part, liquidity=Liquidity.TAKER, reference=mid)
            self._clerk.fill(working, instrument, got, at)

    def on_quote(self, event: Quote, at: int) -> None:
        """React to a quote already in the book. Called only while `live`."""
        self._moved(event.venue_at, at)

    def on_depth(self, event: DepthDelta | DepthSnapshot, at: int) -> None:
        """Take depth in and react where an order of ours is concerned."""
        if self.book.on_depth(event) and self.live:
            self._moved(event.venue_at, at)

    def _moved(self, venue_at: int, at: int) -> None:
        self.book.refresh(at)
        instrument = self.instrument
        if instrument is not None:
            for working in (*self._bids, *self._asks):
                if working.order.client_id not in self._clerk.working:
                    continue
                look(working, self.book, venue_at)
                got = overrun(self.book, instrument, working, at)
                if got > 0:
                    self._made(working, instrument, got, at)
            self._pull_triggers(at)
        self._note()

    def on_trade(self, event: Trade, at: int) -> None:
        """React to a trade already in the book. Called only while `live`."""
        instrument, given = self.instrument, Decimal(0)
        if instrument is None:
            return
        for working in tuple(self._asks if event.aggressor_buys else self._bids):
            if working.order.client_id in self._clerk.working:
                quantity = reached(working, instrument, event, given)
                given += quantity
                self._made(working, instrument, quantity, at)
        self._pull_triggers(at)
        self._note()

    def _made(self, working: Working, instrument: Instrument, quantity: Decimal, at: int) -> None:
        order, before = working.order, self._position()
        if working.reduces:
            quantity = min(quantity, self._room(order.side))
        if quantity <= 0 or order.limit_price is None:
            return
        price = order.limit_price
        got = Execution(price=price, quantity=quantity, liquidity=Liquidity.MAKER, reference=price)
        self._clerk.fill(working, instrument, got, at)
        self._sweep()
        self._settled(before, instrument, at)

    def _pull_triggers(self, at: int) -> None:
        if not self._stops:
            return
        last, mark = self.book.contract_price(), None
        for working in self._stops:
            if working.on_mark and mark is None:
                mark = self.mark()
            price = mark if working.on_mark else last
            if price is not None and not working.triggered and conditional.triggers(working.order, price):
                self._clerk.trigger(working, price, at)

    def execute(self, working: Working, at: int) -> None:
        """Let the market order of a triggered conditional order meet the book."""
        self._stops.remove(working)
        self._clerk.become_market(working)
        instrument, order = self.instrument, working.order
        self.book.refresh(at)
        room = self._room(order.side)
        if instrument is None or (working.reduces and room == 0):
            self._clerk.end(working, Reason.POSITION_CLOSED, at)
        else:
            if order.close_position:
                working.remaining = room
            self._take(working, instrument, at)
        self._note()

    def cancel(self, working: Working, at: int, why: Reason = Reason.REQUESTED) -> None:
        """Take an order back."""
        self._clerk.end(working, why, at)
        self._sweep()
        self._note()

    def _position(self) -> Position:
        return self._clerk.account.position(self.venue, self.symbol)

    def _room(self, side: Side) -> Decimal:
        """Return how much an order of `side` can reduce the position, in base."""
        return max(Decimal(0), -self._position().quantity * side.sign)

    def _settled(self, before: Position, instrument: Instrument, at: int) -> None:
        """After fills: tell the balances, and end what only the position that was `before` could need."""
        after = self._position()
        if after == before:
            return
        was, now = before.quantity, after.quantity
        if was and (now == 0 or (now > 0) != (was > 0)):
            for working in (*self._bids, *self._asks, *self._stops):
                # A reduce-only stop with its own quantity stays, as it does on a real venue.
                tied = working.order.close_position or (working.reduces and not working.conditional)
                if tied and not working.triggered and working.order.client_id in self._clerk.working:
                    self._clerk.end(working, Reason.POSITION_CLOSED, at)
            self._sweep()
        assets = (instrument.base, instrument.quote) if instrument.kind is MarketKind.SPOT else (instrument.quote,)
        for asset in assets:
            self._clerk.report(asset, at)

    def _sweep(self) -> None:
        """Drop the orders that are no longer alive."""
        alive = self._clerk.working
        for held in (self._bids, self._asks, self._stops):
            held[:] = [working for working in held if working.order.client_id in alive]

    def _note(self) -> None:
        self.live = bool(self._bids or self._asks or self._stops or self.book.remembers())

    def dump(self) -> Data:
        """Return the desk as JSON data; its orders are the clerk's."""
        return {
            "venue": self.venue, "symbol": self.symbol, "book": self.book.dump(),
            "instrument": to_data(self.instrument), "live": self.live, "funding": to_data(self.funding),
            "funding_due": self.funding_due,
        }

    def load(self, data: Data, held: Iterable[Working]) -> None:
        """Become what `dump` saw; `held` are the clerk's live orders, of which ours are picked."""
        self.book.load(data["book"])
        self.instrument = from_data(Instrument, data["instrument"]) if data["instrument"] is not None else None
        self.live, self.funding_due = data["live"], data["funding_due"]
        self.funding = from_data(FundingRate, data["funding"]) if data["funding"] is not None else None
        ours = [item for item in held if (item.order.venue, item.order.symbol) == (self.venue, self.symbol)]
        resting = [item for item in ours if not item.conditional]
        self._stops = [item for item in ours if item.conditional]
        self._bids = sorted((i for i in resting if i.order.side is Side.BUY), key=lambda i: (-i.limit, i.number))
        self._asks = sorted((i for i in resting if i.order.side is Side.SELL), key=lambda i: (i.limit, i.number))
