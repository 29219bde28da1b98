"""What comes back when a venue was asked, and what becomes of the stream of our own orders.

Events like any other, journalled before anyone reacts. Instants are ns; `ask` is the number
of the question that an answer belongs to.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.model.reports import BalanceReport, Income, OrderReport, PositionReport, Query


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderFound:
    """The order that was asked for is, or was, at the venue. `ask` is the question's number."""

    ask: int
    client_id: str
    report: OrderReport
    venue_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderAbsent:
    """One book, asked for one order by its id, does not know it now. The other book may, or this one a moment later."""

    ask: int
    client_id: str
    conditional: bool
    """Which book said so."""
    venue_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountReported:
    """All positions and all open orders of both books, whole: what is not in it was not there.

    `as_of` is our instant (ns) at which the first of its questions was sent: what we did or
    heard of later may be missing, and what happened before it is in.
    """

    ask: int
    venue: str
    positions: tuple[PositionReport, ...]
    orders: tuple[OrderReport, ...]
    balances: tuple[BalanceReport, ...]
    as_of: int
    venue_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TradesReported:
    """Every trade of ours on `symbol` since `since` was told before this, each as an `OrderFilled`."""

    ask: int
    venue: str
    symbol: str
    since: int
    count: int
    venue_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class IncomeReported:
    """Movements of the balance since `since`, oldest first; some may have been told before."""

    ask: int
    venue: str
    entries: tuple[Income, ...]
    since: int
    venue_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeAnswered:
    """Whether a stop could be placed, found in its book and taken back; `what` says how it went."""

    ask: int
    venue: str
    symbol: str
    able: bool
    what: str
    venue_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryFailed:
    """A question got no answer. It says nothing: a failed query is never flat and never absent."""

    ask: int
    query: Query
    venue: str
    reason: str
    venue_at: int
    symbol: str = ""
    client_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountStream:
    """The stream of our own orders and fills began or broke. What it missed must be asked for."""

    venue: str
    alive: bool
    reason: str
    venue_at: int
