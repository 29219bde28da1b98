"""Orders of unknown fate: looked up until they are proven to be there, or proven not to be.

An order without an answer is waited for, then looked up by its id in its own book, in the
other one, among the trades, and at last the position is compared. Only when all of that
was empty twice, and long enough after the order left, is it proven absent. A question
that failed proves nothing. Nothing here is ever sent again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from engine.model.answers import AccountReported, OrderAbsent
from engine.model.codec import Data, from_data, to_data
from engine.model.effects import AskVenue
from engine.model.ledger import OrderRecord
from engine.model.reports import Query
from engine.model.terms import ExecutionTerms
from engine.model.time import MINUTE, SECOND

BEFORE_SENT = MINUTE
"""Trades are asked for from this long before the order was sent: clocks differ."""
UNANSWERED = 30 * SECOND
"""A question without even a failure for this long is asked again."""
SHARED = SECOND
"""A question for the account or for trades that another search asked this recently is the answer to both."""
PROOFS = 2
"""How often both books and the trades must have been empty."""
UNTOLD = 8
"""How often all trades were told without those that an ended order must have had, before the position is compared."""

Number = Callable[[AskVenue], AskVenue]
Find = Callable[[str], OrderRecord | None]


class Where(StrEnum):
    """Where the answer is looked for."""

    WAITING = "waiting"
    """It may still come by itself."""
    OWN = "own"
    OTHER = "other"
    TRADES = "trades"
    ACCOUNT = "account"


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """The search for one order. Instants in ns; `asked` is the number of the question under way, 0 for none."""

    client_id: str
    since: int
    due_at: int
    wait: int
    where: Where
    asked: int = 0
    asked_at: int = 0
    round_at: int = 0
    """When the present round began."""
    absences: int = 0
    """Rounds in which neither the books nor the trades knew the order."""


class Doubts:
    """The searches under way, by client id."""

    def __init__(self, terms: ExecutionTerms, number: Number, find: Find) -> None:
        self._terms, self._number, self._find = terms, number, find
        self._doubts: dict[str, Doubt] = {}
        self._soonest: int | None = None

    def of(self, client_id: str) -> Doubt | None:
        """Return the search for one order, or None."""
        return self._doubts.get(client_id)

    def await_answer(self, client_id: str, at: int) -> None:
        """Expect an answer of its own accord within `in_flight`; a search that is under way is over."""
        self._put(Doubt(
            client_id=client_id, since=at, due_at=at + self._terms.in_flight, wait=self._patience(client_id),
            where=Where.WAITING,
        ))

    def begin(self, client_id: str, at: int, *, fetch: bool = False) -> None:
        """Look for the order from now on; a search under way goes on. With `fetch` its trades are asked for now."""
        known = self._doubts.get(client_id)
        if known is None or known.where is Where.WAITING:
            wait = self._patience(client_id)
            known = Doubt(client_id=client_id, since=at, due_at=at + wait, wait=wait, where=Where.OWN)
            self._put(known)
        if fetch and not known.asked:
            self._put(replace(known, where=Where.TRADES, due_at=min(known.due_at, at)))

    def _patience(self, client_id: str) -> int:
        """Return how long to wait before the first question: longer where one doubt follows the other."""
        known = self._doubts.get(client_id)
        return self._terms.first_lookup if known is None else known.wait

    def end(self, client_id: str) -> None:
        """The fate of the order is known."""
        if self._doubts.pop(client_id, None) is not None:
            self._measure()

    def ask_anew(self, at: int) -> None:
        """The process that asked is gone, and the answers with it."""
        for doubt in list(self._doubts.values()):
            if doubt.asked:
                self._put(replace(doubt, asked=0, where=Where.OWN, due_at=at))

    def overdue(self, at: int) -> list[OrderRecord]:
        """Return the orders for whose answer was waited long enough; they are looked for from now on."""
        late: list[OrderRecord] = []
        for doubt in self._ripe(at):
            record = self._find(doubt.client_id)
            if doubt.where is Where.WAITING and record is not None:
                self._put(replace(doubt, where=Where.OWN, since=at, due_at=at))
                late.append(record)
        return late

    def due(self, at: int) -> list[AskVenue]:
        """Return the questions that are due."""
        if self._soonest is None or self._soonest > at:
            return []
        asks: list[AskVenue] = []
        for doubt in self._ripe(at):
            record = self._find(doubt.client_id)
            if record is None:
                self.end(doubt.client_id)
            elif doubt.asked:
                # Nobody answered, not even with a failure: what was asked then means nothing now.
                self._later(doubt, at)
            elif doubt.where is not Where.WAITING:
                asks += self._ask(doubt, record, at)
        return asks

    def on_found(self, ask: int, at: int) -> None:
        """The order was found: what it says of the order's fate is for others to judge."""
        for doubt in self._asked(ask):
            self._later(doubt, at)

    def on_absent(self, event: OrderAbsent, at: int) -> list[AskVenue]:
        """One book does not know the order: ask the next place."""
        asks: list[AskVenue] = []
        for doubt in self._asked(event.ask):
            record = self._find(doubt.client_id)
            if record is not None and doubt.where in (Where.OWN, Where.OTHER):
                where = Where.OTHER if doubt.where is Where.OWN else Where.TRADES
                asks += self._ask(replace(doubt, where=where), record, at)
        return asks

    def on_trades(self, ask: int, at: int) -> list[AskVenue]:
        """All trades of an order's symbol were told; if that had settled the matter there were no doubt any more."""
        return [question for doubt in self._asked(ask) for question in self._without_trades(doubt, at)]

    def _without_trades(self, doubt: Doubt, at: int) -> list[AskVenue]:
        record = self._find(doubt.client_id)
        if record is None:
            return []
        if record.state.final and record.unseen > 0 and doubt.where is Where.TRADES:
            doubt = replace(doubt, absences=doubt.absences + 1)
            if doubt.absences >= UNTOLD:
                return self._ask(replace(doubt, where=Where.ACCOUNT), record, at)
        if record.state.final or record.unseen > 0 or doubt.where is not Where.TRADES:
            self._later(doubt, at)
            return []
        doubt = replace(doubt, absences=doubt.absences + 1)
        known_since = max(record.sent_at, doubt.since) + self._terms.absent_grace
        if doubt.absences >= PROOFS and doubt.round_at >= known_since:
            return self._ask(replace(doubt, where=Where.ACCOUNT), record, at)
        self._later(doubt, at)
        return []

    def on_account(self, event: AccountReported, at: int, agrees: Callable[[OrderRecord], bool]) -> list[OrderRecord]:
        """Return the orders that are now proven absent, or the trades of one that ended: all is as we count it."""
        absent: list[OrderRecord] = []
        for doubt in self._asked(event.ask):
            record = self._find(doubt.client_id)
            if record is None or doubt.where is not Where.ACCOUNT:
                continue
            if agrees(record):
                self.end(doubt.client_id)
                absent.append(record)
            else:
                self._later(doubt, at)
        return absent

    def on_failed(self, ask: int, at: int) -> None:
        """A question got no answer: the same again, later."""
        for doubt in self._asked(ask):
            self._put(replace(
                doubt, asked=0, due_at=at + doubt.wait, wait=min(2 * doubt.wait, self._terms.longest_lookup)
            ))

    def next_due(self) -> int | None:
        """Return when something is due (ns), or None."""
        return self._soonest

    def _ask(self, doubt: Doubt, record: OrderRecord, at: int) -> list[AskVenue]:
        """Return the question that comes next; none where another search asks just that."""
        where = doubt.where
        if record.state.final and where is not Where.ACCOUNT:
            # What happened to it is known; only fills are missing.
            where = Where.TRADES
        doubt = replace(doubt, where=where, round_at=at if where is Where.OWN else doubt.round_at)
        other = self._same_question(doubt, record, at)
        if other is not None:
            self._put(replace(doubt, asked=other.asked, asked_at=other.asked_at, due_at=other.due_at))
            return []
        ask = self._number(_question(where, record, at))
        self._put(replace(doubt, asked=ask.ask, asked_at=at, due_at=at + UNANSWERED))
        return [ask]

    def _same_question(self, doubt: Doubt, record: OrderRecord, at: int) -> Doubt | None:
        if doubt.where not in (Where.TRADES, Where.ACCOUNT):
            return None
        for other in self._doubts.values():
            asked = self._find(other.client_id) if other.asked and other.where is doubt.where else None
            if asked is None or asked.venue != record.venue or other.asked_at < max(at - SHARED, doubt.round_at):
                continue
            if doubt.where is Where.ACCOUNT or (asked.symbol == record.symbol and asked.sent_at <= record.sent_at):
                return other
        return None

    def _later(self, doubt: Doubt, at: int) -> None:
        self._put(replace(
            doubt, where=Where.OWN, asked=0, due_at=at + doubt.wait,
            wait=min(2 * doubt.wait, self._terms.longest_lookup),
        ))

    def _asked(self, ask: int) -> list[Doubt]:
        return [doubt for doubt in self._doubts.values() if ask and doubt.asked == ask]

    def _ripe(self, at: int) -> list[Doubt]:
        ripe = [doubt for doubt in self._doubts.values() if doubt.due_at <= at]
        return sorted(ripe, key=lambda doubt: (doubt.due_at, doubt.client_id))

    def _put(self, doubt: Doubt) -> None:
        self._doubts[doubt.client_id] = doubt
        self._measure()

    def _measure(self) -> None:
        self._soonest = min((doubt.due_at for doubt in self._doubts.values()), default=None)

    def dump(self) -> Data:
        """Return every search, in the order in which they began."""
        return [to_data(doubt) for doubt in self._doubts.values()]

    def load(self, data: Data) -> None:
        """Become what `dump` wrote."""
        doubts: list[Doubt] = [from_data(Doubt, item) for item in data]
        self._doubts = {doubt.client_id: doubt for doubt in doubts}
        self._measure()


def _question(where: Where, record: OrderRecord, at: int) -> AskVenue:
    query = {Where.TRADES: Query.TRADES, Where.ACCOUNT: Query.ACCOUNT}.get(where, Query.ORDER)
    of_order = query is Query.ORDER
    return AskVenue(
        at=at, ask=0, query=query, venue=record.venue, symbol=record.symbol,
        client_id=record.client_id if of_order else "",
        conditional=of_order and record.conditional is (where is Where.OWN),
        since=max(record.sent_at - BEFORE_SENT, 0) if query is Query.TRADES else 0,
        why=f"{record.client_id} is {record.state.value}",
    )
