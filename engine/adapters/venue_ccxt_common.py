"""Any other venue of ccxt, in ccxt's common words: market and limit orders, balances, trades.

Less is known here than of Binance futures: only a code of the venue's own proves a refusal, and on
a venue whose codes are not known here every failed order is uncertain. Stops are not placed: a spot
stop closes no position. Whoever asks whether one can be had is told no.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from engine.adapters.venue_binance_codes import Cause, Outcome, Trouble, judged
from engine.adapters.venue_binance_payloads import TradePart
from engine.adapters.venue_binance_reading import Reader
from engine.adapters.venue_ccxt_asks import Incomplete
from engine.adapters.venue_ccxt_checks import clock_line, errand_of, guarded_line, refusal
from engine.adapters.venue_ccxt_common_words import balances_of, instruments_of, order_of, trade_of
from engine.adapters.venue_ccxt_hearing import Hearing
from engine.adapters.venue_ccxt_lanes import TurnMissed
from engine.adapters.venue_ccxt_orders import NotSendable, lane_of, limit_text, quantity_text
from engine.adapters.venue_ccxt_rate import Cost, SendLane
from engine.adapters.venue_ccxt_refusals import Refusals
from engine.adapters.venue_ccxt_terms import seconds, to_ms
from engine.adapters.venue_ccxt_wire import Endpoint, Errand, Wire, WireTrouble, Withheld
from engine.model.answers import AccountReported, OrderAbsent, OrderFound, ProbeAnswered, TradesReported
from engine.model.codec import Data
from engine.model.effects import AskVenue, CancelOrder, PlaceOrder
from engine.model.events import (
    CancelRejected,
    OrderAccepted,
    OrderCancelled,
    OrderWithheld,
    VenueEvent,
)
from engine.model.instruments import Instrument
from engine.model.orders import CONDITIONAL_KINDS, OrderKind, OrderState
from engine.model.reports import BalanceReport, OrderReport, PositionReport, Query, Rejection
from engine.ports.venue import Check, Gate, VenueRefused

PLACE = Endpoint(method="create_order", cost=Cost(weight=1, orders=1))
CANCEL = Endpoint(method="cancel_order")
ORDER = Endpoint(method="fetch_order", cost=Cost(weight=4))
OPEN_ORDERS = Endpoint(method="fetch_open_orders", cost=Cost(weight=6))
BALANCE = Endpoint(method="fetch_balance", cost=Cost(weight=20))
TRADES = Endpoint(method="fetch_my_trades", cost=Cost(weight=20))
TICKER = Endpoint(method="fetch_ticker", cost=Cost(weight=2))
MARKETS = Endpoint(method="load_markets", cost=Cost(weight=20))
_ENDED = (OrderState.CANCELLED, OrderState.EXPIRED)
_ZERO = Decimal(0)
_PAGE = 500
_PAGES = 100
NO_STOPS = "stops are not placed at this venue: a spot stop closes no position"


class CommonDesk:
    """Places, cancels and asks in ccxt's common words."""

    def __init__(self, wire: Wire, hearing: Hearing, gate: Gate) -> None:
        self._wire, self._hearing, self._gate = wire, hearing, gate
        self._refusals = Refusals(hearing, wire.clock.now)
        self._venue = wire.terms.venue
        self._names: dict[str, str] = {}
        """Our symbol -> ccxt's."""
        self._patient = Errand(lane=SendLane.DATA, patience=seconds(wire.terms.query_patience_s))

    async def opened(self) -> dict[str, Instrument]:
        """Prove clock, symbols and key; return what can be traded. Raises VenueRefused."""
        errand = errand_of(self._wire.terms)
        wanted = self._wire.terms.symbols
        if not wanted:
            raise VenueRefused(f"no symbols for {self._venue}", "name what may be traded in `symbols`")
        try:
            await self._wire.measure(errand)
            markets = await self._wire.call(MARKETS, (), errand)
            found, self._names = instruments_of(markets, self._venue)
            await self._wire.call(BALANCE, (), errand)
        except WireTrouble as error:
            raise refusal(self._wire.terms, error.trouble) from None
        except (TurnMissed, Withheld) as error:
            raise VenueRefused(f"{self._venue}: {error}", "wait until the venue listens again") from None
        missing = [symbol for symbol in wanted if symbol not in found]
        if missing:
            raise VenueRefused(f"{self._venue} trades no {', '.join(missing)}", "write the symbol as BTCUSDT")
        return {symbol: found[symbol] for symbol in wanted}

    async def listed(self) -> dict[str, Instrument]:
        """Return what trades now, by symbol, of what may be traded. Raises one of `FAILURES`."""
        found, names = instruments_of(await self._wire.call(MARKETS, (True,), self._patient), self._venue)
        self._names |= names
        return {symbol: found[symbol] for symbol in self._wire.terms.symbols if symbol in found}

    async def placed(self, order: PlaceOrder) -> tuple[VenueEvent, ...]:
        """Send an order once; return what became of it."""
        terms = self._wire.terms
        try:
            params = self._params(order)
        except NotSendable as error:
            return (self._refusals.rejected(order, "", error.what, error.kind),)
        lane = lane_of(order)
        patience = terms.entry_patience_s if lane is SendLane.ENTRY else terms.order_patience_s
        errand = Errand(lane=lane, patience=seconds(patience), gate=self._leaving(order))
        try:
            reply = await self._wire.call(PLACE, params, errand)
            report = order_of(reply, self._venue, order.symbol)
        except Withheld as error:
            return (OrderWithheld(client_id=order.client_id, reason=error.reason, venue_at=self._now()),)
        except TurnMissed as error:
            return (self._refusals.rejected(order, "", str(error), Rejection.LIMITED),)
        except WireTrouble as error:
            return (self._refusals.troubled(order, error.trouble),)
        if not report.venue_order_id:
            return (self._refusals.uncertain(order.client_id, "the reply has no order id"),)
        self._hearing.saw(report)
        told: tuple[VenueEvent, ...] = (
            OrderAccepted(client_id=order.client_id, venue_order_id=report.venue_order_id, venue_at=self._now()),
        )
        if report.state in _ENDED:
            reason = "ioc" if order.immediate else "expired"
            told += (self._gone(order.client_id, report, reason),)
        return told

    def _params(self, order: PlaceOrder) -> tuple[Data, ...]:
        """Return the arguments of ccxt's create_order; NotSendable."""
        if order.kind in CONDITIONAL_KINDS or order.close_position:
            raise NotSendable(NO_STOPS, Rejection.CAPABILITY)
        instrument = self._hearing.instruments.get(order.symbol)
        if instrument is None:
            raise NotSendable(f"{order.symbol} is no instrument of this venue's settings")
        price, more = None, {"clientOrderId": order.client_id}
        if order.kind is OrderKind.LIMIT:
            if order.limit_price is None or (order.post_only and order.immediate):
                raise NotSendable("a limit order needs a price, and is not both post-only and immediate")
            price = limit_text(order.limit_price, order.side, instrument)
            more |= {"timeInForce": "PO" if order.post_only else "IOC" if order.immediate else "GTC"}
        quantity = quantity_text(order, instrument)
        return (self._names[order.symbol], order.kind.value, order.side.value, quantity, price, more)

    def _leaving(self, order: PlaceOrder) -> Callable[[], str]:
        def gate() -> str:
            why = self._gate(order)
            if not why:
                self._hearing.sent(order)
            return why

        return gate

    def _gone(self, client_id: str, report: OrderReport, reason: str) -> OrderCancelled:
        self._hearing.ended(client_id)
        return OrderCancelled(
            client_id=client_id, remaining=report.remaining or _ZERO, reason=reason, venue_at=self._now()
        )

    def _now(self) -> int:
        return self._wire.clock.now()

    async def cancelled(self, order: CancelOrder) -> tuple[VenueEvent, ...]:
        """Ask for an order back, then look how it stands: what a cancel replies differs from venue to venue."""
        errand = Errand(lane=SendLane.SAFETY, patience=seconds(self._wire.terms.order_patience_s))
        words = (None, self._names.get(order.symbol), {"clientOrderId": order.client_id})
        try:
            await self._wire.call(CANCEL, words, errand)
            report = await self._report(order.symbol, order.client_id)
        except (TurnMissed, Withheld) as error:
            return (CancelRejected(client_id=order.client_id, reason=str(error), venue_at=self._now()),)
        except WireTrouble as error:
            verdict = judged(error.trouble, "cancel")
            if verdict.outcome is Outcome.UNKNOWN and error.trouble.code not in (-2011, -2013):
                return (self._refusals.uncertain(order.client_id, f"the cancel: {verdict.text}"),)
            return (CancelRejected(client_id=order.client_id, reason=verdict.text, venue_at=self._now()),)
        if report.state in _ENDED:
            return (self._gone(order.client_id, report, "requested"),)
        if report.state is OrderState.FILLED:
            return (CancelRejected(client_id=order.client_id, reason="it had filled before", venue_at=self._now()),)
        return (self._refusals.uncertain(order.client_id, f"after the cancel it is still {report.state.value}"),)

    async def _report(self, symbol: str, client_id: str) -> OrderReport:
        words = (None, self._names.get(symbol), {"clientOrderId": client_id})
        report = order_of(await self._wire.call(ORDER, words, errand_of(self._wire.terms)), self._venue, symbol)
        if report.client_id != client_id:
            raise WireTrouble(Trouble(cause=Cause.BAD_BODY, text="the answer is about another order"))
        self._hearing.saw(report)
        return report

    async def answered(self, ask: AskVenue) -> tuple[VenueEvent, ...]:
        """Return the answer to a question, whole; raise where there is none."""
        if ask.query is Query.ORDER:
            return await self._order(ask)
        if ask.query is Query.ACCOUNT:
            return await self._account(ask)
        if ask.query is Query.TRADES:
            return await self._trades(ask)
        if ask.query is Query.PROBE:
            return (ProbeAnswered(ask=ask.ask, venue=self._venue, symbol=ask.symbol, able=False, what=NO_STOPS,
                                  venue_at=self._now()),)
        raise Incomplete("this venue tells no income")

    async def _order(self, ask: AskVenue) -> tuple[VenueEvent, ...]:
        absent = OrderAbsent(ask=ask.ask, client_id=ask.client_id, conditional=ask.conditional, venue_at=self._now())
        if ask.conditional:
            # There is no such book here, so it does not know the order.
            return (absent,)
        try:
            report = await self._report(ask.symbol, ask.client_id)
        except WireTrouble as error:
            if judged(error.trouble, "query").outcome is Outcome.ABSENT:
                return (absent,)
            raise
        return (OrderFound(ask=ask.ask, client_id=ask.client_id, report=report, venue_at=self._now()),)

    async def _account(self, ask: AskVenue) -> tuple[VenueEvent, ...]:
        errand, as_of = errand_of(self._wire.terms), self._now()
        orders: list[OrderReport] = []
        for symbol in self._hearing.instruments:
            rows = await self._wire.call(OPEN_ORDERS, (self._names[symbol],), errand)
            if not isinstance(rows, list):
                raise Incomplete("the open orders are no list")
            orders += [order_of(row, self._venue, symbol) for row in rows]
        held = balances_of(await self._wire.call(BALANCE, (), errand))
        for report in orders:
            self._hearing.saw(report)
        positions = [found for one in self._hearing.instruments.values() if (found := await self._held(one, held))]
        return (AccountReported(
            ask=ask.ask, venue=self._venue, positions=tuple(positions), orders=tuple(orders), balances=held,
            as_of=as_of, venue_at=self._now(),
        ),)

    async def _held(self, instrument: Instrument, held: tuple[BalanceReport, ...]) -> PositionReport | None:
        """Return what is held of a pair's base as a position, at the last price: spot knows no entry price."""
        total = sum((one.total for one in held if one.asset == instrument.base), _ZERO)
        quantity = instrument.floor_quantity(total)
        if quantity < max(instrument.min_quantity, instrument.step):
            return None
        words = (self._names[instrument.symbol],)
        ticker = Reader(await self._wire.call(TICKER, words, errand_of(self._wire.terms)), "ticker")
        last = ticker.positive("last")
        return PositionReport(
            venue=self._venue, symbol=instrument.symbol, quantity=quantity, entry_price=last, mark_price=last
        )

    async def _trades(self, ask: AskVenue) -> tuple[VenueEvent, ...]:
        found = await self._all_trades(ask.symbol, ask.since)
        for order_id in dict.fromkeys(trade.order_id for trade in found):
            if self._hearing.owner(order_id) is None:
                words = (order_id, self._names.get(ask.symbol))
                reply = await self._wire.call(ORDER, words, errand_of(self._wire.terms))
                self._hearing.saw(order_of(reply, self._venue, ask.symbol))
        told = self._hearing.filled_all(found)
        return (*told, TradesReported(ask=ask.ask, venue=self._venue, symbol=ask.symbol, since=ask.since,
                                      count=len(told), venue_at=self._now()))

    async def _all_trades(self, symbol: str, since: int) -> list[TradePart]:
        start = self._wire.venue_ms(since)
        found: dict[str, TradePart] = {}
        for _ in range(_PAGES):
            words = (self._names.get(symbol), start, _PAGE)
            rows = await self._wire.call(TRADES, words, errand_of(self._wire.terms))
            if not isinstance(rows, list):
                raise Incomplete("the trades are no list")
            page = [trade_of(row, symbol) for row in rows]
            found |= {trade.trade_id: trade for trade in page}
            if len(page) < _PAGE:
                return list(found.values())
            last = max(to_ms(trade.venue_at) for trade in page)
            if last <= start:
                raise Incomplete("a whole page of trades in one ms: the next page cannot be asked for")
            start = last
        raise Incomplete(f"more than {_PAGES} pages of trades")

    async def checks(self) -> tuple[Check, ...]:
        """Return the checklist's lines; never raise."""
        errand = errand_of(self._wire.terms)
        return (
            await guarded_line("clock offset", self._wire, lambda: clock_line(self._wire, errand)),
            Check(name="key rights", verdict="warn", what="cannot be told in ccxt's common words",
                  fix="look at the key on the venue's API page: trade only, no withdrawals, bound to this address"),
            Check(name="stop probe", verdict="fail", what=NO_STOPS, fix="trade events on binanceusdm"),
        )
