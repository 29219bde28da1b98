"""Questions to Binance futures and their answers: whole, or none.

Every part of an answer must have come and been understood, otherwise the question failed:
what half an answer leaves out would read as not there. Orders are asked for before positions, so
that what fills in between is seen twice rather than never.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from engine.adapters import venue_binance_payloads as payloads
from engine.adapters.venue_binance_codes import Outcome, judged
from engine.adapters.venue_binance_payloads import TradePart
from engine.adapters.venue_binance_reading import PayloadRefused
from engine.adapters.venue_ccxt_hearing import Hearing
from engine.adapters.venue_ccxt_rate import Cost, SendLane
from engine.adapters.venue_ccxt_terms import seconds, to_ms
from engine.adapters.venue_ccxt_wire import Endpoint, Errand, Wire, WireTrouble
from engine.model.answers import AccountReported, IncomeReported, OrderAbsent, OrderFound, TradesReported
from engine.model.effects import AskVenue
from engine.model.events import OrderFilled, VenueEvent
from engine.model.orders import OrderState
from engine.model.reports import Income, OrderReport

ORDER = Endpoint(method="fapiPrivateGetOrder")
ALGO_ORDER = Endpoint(method="fapiPrivateGetAlgoOrder")
OPEN_ORDERS = Endpoint(method="fapiPrivateGetOpenOrders", cost=Cost(weight=40))
OPEN_ALGO_ORDERS = Endpoint(method="fapiPrivateGetOpenAlgoOrders", cost=Cost(weight=40))
ALL_ALGO_ORDERS = Endpoint(method="fapiPrivateGetAllAlgoOrders", cost=Cost(weight=5))
POSITIONS = Endpoint(method="fapiPrivateV3GetPositionRisk", cost=Cost(weight=5))
ACCOUNT = Endpoint(method="fapiPrivateV3GetAccount", cost=Cost(weight=5))
TRADES = Endpoint(method="fapiPrivateGetUserTrades", cost=Cost(weight=5))
INCOME = Endpoint(method="fapiPrivateGetIncome", cost=Cost(weight=30))
_PAGE = 1000
_HOUR_MS = 3_600_000
_WEEK_MS = 7 * 24 * _HOUR_MS
_WEEKS = 4
"""How far back the stop is looked for whose child an unknown order may be."""
_PAGES = 200
"""More pages than this is no answer but a loop."""
OURS = "rb-"
"""How every client id of the engine begins."""
PROBE_ID = "rbprobe-"
"""How the client id of a probe begins: a stop with it, left behind by a crash, guards nothing."""


class Incomplete(Exception):
    """An answer that is not whole: it is treated as none."""


class Asking:
    """Carries questions over `wire`; what is learnt of orders and their children goes into `hearing`."""

    def __init__(self, wire: Wire, hearing: Hearing, saw: Callable[[OrderReport], None]) -> None:
        self._wire, self._hearing, self._saw = wire, hearing, saw
        self._venue = wire.terms.venue
        self._errand = Errand(lane=SendLane.QUERY, patience=seconds(wire.terms.query_patience_s))
        self._urgent = replace(self._errand, lane=SendLane.ENTRY)

    async def order(self, ask: AskVenue) -> tuple[VenueEvent, ...]:
        """Return the order or that this book does not know it. Raises on every other end."""
        now = self._wire.clock.now
        try:
            report = await self.report(ask.symbol, ask.client_id, conditional=ask.conditional)
        except WireTrouble as error:
            if judged(error.trouble, "query").outcome is not Outcome.ABSENT:
                raise
            return (OrderAbsent(ask=ask.ask, client_id=ask.client_id, conditional=ask.conditional, venue_at=now()),)
        return (OrderFound(ask=ask.ask, client_id=ask.client_id, report=report, venue_at=now()),)

    async def report(self, symbol: str, client_id: str, *, conditional: bool) -> OrderReport:
        """Return one order by its client id; of a triggered one, what its child says. WireTrouble with ABSENT."""
        if conditional:
            answer = await self._wire.call(ALGO_ORDER, {"clientAlgoId": client_id}, self._errand)
        else:
            answer = await self._wire.call(ORDER, {"symbol": symbol, "origClientOrderId": client_id}, self._errand)
        report = payloads.order_report(answer, venue=self._venue, conditional=conditional)
        if report.client_id != client_id:
            raise Incomplete(f"asked for {client_id}, the answer is about {report.client_id or 'an order without id'}")
        self._saw(report)
        return await self._with_child(report) if report.child_id else report

    async def _with_child(self, parent: OrderReport) -> OrderReport:
        try:
            answer = await self._wire.call(ORDER, {"symbol": parent.symbol, "orderId": parent.child_id}, self._errand)
        except WireTrouble as error:
            # A child that is not found proves nothing about the parent, which was.
            raise Incomplete(f"its market order {parent.child_id} cannot be read: {error.trouble.text}") from None
        return merged(parent, payloads.order_report(answer, venue=self._venue, conditional=False))

    async def account(self, ask: AskVenue) -> tuple[VenueEvent, ...]:
        """Return positions, open orders of both books and balances, all of them."""
        errand = self._urgent if ask.urgent else self._errand
        as_of, live = self._wire.clock.now(), self._hearing.live()
        waiting = payloads.order_reports(
            await self._wire.call(OPEN_ALGO_ORDERS, {}, errand), venue=self._venue, conditional=True)
        working = payloads.order_reports(
            await self._wire.call(OPEN_ORDERS, {}, errand), venue=self._venue, conditional=False)
        positions = payloads.position_reports(
            await self._wire.call(POSITIONS, {}, errand), venue=self._venue)
        balances = payloads.balances(await self._wire.call(ACCOUNT, {}, errand))
        # A probe guards nothing and opens nothing: it is neither ours to count nor a stranger's to be told of.
        waiting = tuple(report for report in waiting if not report.client_id.startswith(PROBE_ID))
        for report in (*waiting, *working):
            self._saw(report)
        self._hearing.not_open(live, frozenset(report.client_id for report in (*waiting, *working)))
        self._hearing.positions = {position.symbol: position.quantity for position in positions}
        return (AccountReported(
            ask=ask.ask, venue=self._venue, positions=positions, orders=self._under_parents(working, waiting) + waiting,
            balances=balances, as_of=as_of, venue_at=self._wire.clock.now(),
        ),)

    def _under_parents(
        self, working: tuple[OrderReport, ...], waiting: tuple[OrderReport, ...]
    ) -> tuple[OrderReport, ...]:
        """Name market orders that a triggered stop became after the stop; one that stands there itself is enough."""
        there = {report.client_id for report in waiting}
        named = [
            replace(report, client_id=self._hearing.owner(report.venue_order_id) or report.client_id)
            for report in working
        ]
        return tuple(report for report in named if not report.client_id or report.client_id not in there)

    async def trades(self, ask: AskVenue) -> tuple[VenueEvent, ...]:
        """Return every trade of ours on a symbol since an instant, then their number."""
        found = [trade for trade in await self._all_trades(ask.symbol, ask.since) if trade.symbol == ask.symbol]
        for order_id in dict.fromkeys(trade.order_id for trade in found):
            if self._hearing.owner(order_id) is None:
                await self._resolve(ask.symbol, order_id, min(t.venue_at for t in found if t.order_id == order_id))
        told: tuple[OrderFilled, ...] = self._hearing.filled_all(found)
        return (*told, TradesReported(
            ask=ask.ask, venue=self._venue, symbol=ask.symbol, since=ask.since, count=len(told),
            venue_at=self._wire.clock.now(),
        ))

    async def _all_trades(self, symbol: str, since: int) -> list[TradePart]:
        """Return all trades since `since` (ns), by windows of a week until the first, then by id to the end."""
        now = self._wire.venue_ms(self._wire.clock.now())
        start = self._wire.venue_ms(since) if since else now - _WEEK_MS
        found: dict[str, TradePart] = {}
        for _ in range(_PAGES):
            params: dict[str, object] = {"symbol": symbol, "limit": _PAGE}
            if found:
                params["fromId"] = max(map(int, found)) + 1
            else:
                params |= {"startTime": start, "endTime": start + _WEEK_MS - 1}
            page = payloads.trades(await self._wire.call(TRADES, params, self._errand))
            if any(not trade.trade_id.isdigit() for trade in page):
                raise Incomplete("a trade id is no number: the pages cannot be followed")
            before = len(found)
            found |= {trade.trade_id: trade for trade in page}
            if found and len(found) == before:
                return list(found.values())
            if not found:
                start += _WEEK_MS
                if start > now + 60_000:
                    return []
            elif len(page) < _PAGE and "fromId" in params:
                return list(found.values())
        raise Incomplete(f"more than {_PAGES} pages of trades")

    async def _resolve(self, symbol: str, order_id: str, at: int) -> None:
        """Learn whose order a venue's order id is: its own client id, or that of the stop whose child it is."""
        answer = await self._wire.call(ORDER, {"symbol": symbol, "orderId": order_id}, self._errand)
        report = payloads.order_report(answer, venue=self._venue, conditional=False)
        if report.venue_order_id != order_id:
            raise Incomplete(f"asked for order {order_id}, the answer is about {report.venue_order_id}")
        end, span = to_ms(at) + 1, _WEEK_MS
        oldest = end - _WEEKS * _WEEK_MS
        # Ours are known by their beginning; another may be the child of a stop, whose id the venue gave.
        while end > oldest and not report.client_id.startswith(OURS) and self._hearing.owner(order_id) is None:
            params = {"symbol": symbol, "startTime": end - span + 1, "endTime": end, "limit": _PAGE}
            rows = await self._wire.call(ALL_ALGO_ORDERS, params, self._errand)
            parents = payloads.order_reports(rows, venue=self._venue, conditional=True)
            for parent in parents:
                self._saw(parent)
            if len(parents) < _PAGE:
                end -= span
            elif span < _HOUR_MS:
                raise Incomplete(f"more than {_PAGE} conditional orders in an hour: they cannot all be looked at")
            else:
                # There are more than a page shows, and which ones it leaves out nobody says.
                span //= 2
        self._saw(report)

    async def income(self, ask: AskVenue) -> tuple[VenueEvent, ...]:
        """Return every movement of the balance since an instant, oldest first."""
        now = self._wire.venue_ms(self._wire.clock.now())
        start = self._wire.venue_ms(ask.since) if ask.since else now - _WEEK_MS
        found: dict[tuple[str, str], Income] = {}
        for _ in range(_PAGES):
            answer = await self._wire.call(INCOME, {"startTime": start, "limit": _PAGE}, self._errand)
            page = payloads.incomes(answer, venue=self._venue)
            found |= {(entry.kind.value, entry.transfer_id): entry for entry in page}
            if len(page) < _PAGE:
                entries = tuple(sorted(found.values(), key=lambda entry: entry.venue_at))
                return (IncomeReported(ask=ask.ask, venue=self._venue, entries=entries, since=ask.since,
                                       venue_at=self._wire.clock.now()),)
            last = max(to_ms(entry.venue_at) for entry in page)
            if last <= start:
                raise Incomplete("a whole page of movements in one ms: the next page cannot be asked for")
            start = last
        raise Incomplete(f"more than {_PAGES} pages of movements")


def merged(parent: OrderReport, child: OrderReport) -> OrderReport:
    """Return a triggered conditional order with what its market order really executed."""
    state = child.state
    if state is OrderState.OPEN and child.executed > 0:
        state = OrderState.PARTLY_FILLED
    return replace(
        parent, state=state, executed=child.executed, average_price=child.average_price,
        reason=child.reason or parent.reason, updated_at=max(parent.updated_at, child.updated_at),
    )


FAILURES = (WireTrouble, PayloadRefused, Incomplete)
