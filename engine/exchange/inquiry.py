"""What the exchange answers when it is asked: from what holds at the instant the question arrives.

A question and its answer are a connection of their own: an answer can overtake what the
stream of fills has yet to tell, as it does at a real venue.
"""

from __future__ import annotations

from decimal import ROUND_FLOOR, Decimal

from engine.exchange.agenda import AskArrives
from engine.exchange.clerk import Clerk
from engine.model.answers import (
    AccountReported,
    IncomeReported,
    OrderAbsent,
    OrderFound,
    ProbeAnswered,
    QueryFailed,
    TradesReported,
)
from engine.model.effects import AskVenue
from engine.model.events import OrderFilled, VenueEvent
from engine.model.fills import Position
from engine.model.reports import BalanceReport, OrderReport, PositionReport, Query

_FINEST = Decimal("0.00000001")


def failed(ask: AskVenue, reason: str, at: int) -> QueryFailed:
    """Return that `ask` got no answer, as known at `at` (ns)."""
    return QueryFailed(
        ask=ask.ask, query=ask.query, venue=ask.venue, reason=reason, venue_at=at, symbol=ask.symbol,
        client_id=ask.client_id,
    )


def answers(clerk: Clerk, asked: AskArrives, at: int, *, tradable: bool, marks: dict[str, Decimal]) -> list[VenueEvent]:
    """Return what is told, in order, about a question that arrives at `at`.

    `tradable` says whether its symbol has an instrument and a market; `marks` are the mark
    prices of its venue by symbol.
    """
    ask = asked.ask
    if ask.query is Query.ORDER:
        return [_order(clerk, ask, at)]
    if ask.query is Query.ACCOUNT:
        return [AccountReported(
            ask=ask.ask, venue=ask.venue, positions=_positions(clerk, ask.venue, marks),
            orders=open_reports(clerk, ask.venue, at), balances=_balances(clerk), as_of=asked.sent_at, venue_at=at,
        )]
    if ask.query is Query.TRADES:
        return _trades(clerk, ask, at)
    if ask.query is Query.INCOME:
        entries = tuple(
            entry for entry in clerk.records.income if entry.venue == ask.venue and entry.venue_at >= ask.since)
        return [IncomeReported(ask=ask.ask, venue=ask.venue, entries=entries, since=ask.since, venue_at=at)]
    if not tradable:
        # Before the first price nobody can tell: it proves nothing of stops, and is soon asked again.
        return [failed(ask, "no instrument or no market", at)]
    return [probed(clerk, ask, at)]


def _order(clerk: Clerk, ask: AskVenue, at: int) -> VenueEvent:
    working = clerk.working.get(ask.client_id)
    found: OrderReport | None = None
    if working is not None:
        found = working.report() if working.hidden_until <= at else None
    else:
        found = clerk.records.ended(ask.client_id, at)
    if found is None or found.conditional is not ask.conditional or found.venue != ask.venue:
        return OrderAbsent(ask=ask.ask, client_id=ask.client_id, conditional=ask.conditional, venue_at=at)
    return OrderFound(ask=ask.ask, client_id=ask.client_id, report=found, venue_at=at)


def open_reports(clerk: Clerk, venue: str | None, at: int) -> tuple[OrderReport, ...]:
    """Return every open order (of `venue`) that a list shows at `at`; both books, in order of arrival."""
    return tuple(
        working.report() for working in clerk.working.values()
        if venue in (None, working.order.venue) and working.hidden_until <= at
    )


def _positions(clerk: Clerk, venue: str, marks: dict[str, Decimal]) -> tuple[PositionReport, ...]:
    def told(position: Position) -> PositionReport:
        return PositionReport(
            venue=venue, symbol=position.symbol, quantity=position.quantity, entry_price=position.average_price,
            mark_price=marks.get(position.symbol, Decimal(0)),
            leverage=clerk.account.leverage(venue, position.symbol), updated_at=position.opened_at,
        )

    return tuple(told(held) for held in clerk.account.positions() if held.quantity and held.venue == venue)


def _balances(clerk: Clerk) -> tuple[BalanceReport, ...]:
    account = clerk.account
    return tuple(
        BalanceReport(
            asset=asset, free=account.free(asset).quantize(_FINEST, ROUND_FLOOR),
            total=amount.quantize(_FINEST, ROUND_FLOOR),
        )
        for asset, amount in sorted(account.balances.items())
    )


def _trades(clerk: Clerk, ask: AskVenue, at: int) -> list[VenueEvent]:
    fills = [
        item.fill for item in clerk.records.trades
        if (item.fill.venue, item.fill.symbol) == (ask.venue, ask.symbol)
        and item.fill.venue_at >= ask.since and item.hidden_until <= at
    ]
    # A list of trades does not say what their orders still have open.
    told: list[VenueEvent] = [OrderFilled(fill=fill, remaining=None) for fill in fills]
    return [*told, TradesReported(
        ask=ask.ask, venue=ask.venue, symbol=ask.symbol, since=ask.since, count=len(fills), venue_at=at)]


def probed(clerk: Clerk, ask: AskVenue, at: int, *, why: str = "") -> ProbeAnswered:
    """Return whether a stop could be had at `at`; `why` is a reason why not that is not the exchange's own."""
    waiting = sum(working.conditional for working in clerk.working.values())
    full = waiting >= clerk.settings.max_conditional
    own = f"{waiting} conditional orders wait" if full else ""
    what = why or own or "a stop can be had"
    return ProbeAnswered(
        ask=ask.ask, venue=ask.venue, symbol=ask.symbol, able=not (why or own), what=what, venue_at=at)
