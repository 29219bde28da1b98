"""Everything that is asked of venues, and what the answers do: doubts, reconciliation, gaps, income, flatten."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.execution.account import Account
from engine.execution.audit import Audit
from engine.execution.converge import Targets
from engine.execution.fills import OVERLAP, Gaps
from engine.execution.flatten import Flatten
from engine.execution.income import IncomeLedger
from engine.execution.reconcile import Reconciler
from engine.execution.standing import Standing
from engine.execution.unowned import untold
from engine.model.answers import (
    AccountReported,
    AccountStream,
    IncomeReported,
    OrderAbsent,
    OrderFound,
    QueryFailed,
    TradesReported,
)
from engine.model.codec import Data
from engine.model.events import Input
from engine.model.ledger import OrderRecord
from engine.model.orders import OrderState
from engine.model.reports import Query
from engine.model.restraints import InForce
from engine.model.time import SECOND, format_duration
from engine.model.view import View
from engine.model.wishes import Wish

_UNDER_WAY = frozenset({OrderState.INTENDED, OrderState.SENT, OrderState.CANCELLING})
CLOCKS = 5 * SECOND
"""How far the venue's clock and ours may be apart at most."""


@dataclass(frozen=True, slots=True)
class _Parts:
    """One report held against what we count: the parts of it that the search for an order needs."""

    account: Account
    event: AccountReported
    owner: str

    def agrees(self, record: OrderRecord) -> bool:
        """Whether the position of the order's symbol is as counted, and nothing happened there meanwhile."""
        key = (record.venue, record.symbol)
        told = sum(one.quantity for one in self.event.positions if one.symbol == record.symbol)
        counted = self.account.positions.of(self.owner, *key).quantity + self.account.apart.get(key, 0)
        return record.venue == self.event.venue and counted == told and self.account.quiet(key, self.event.as_of)


class Inquiries:
    """What is asked and what comes of it."""

    def __init__(self, account: Account) -> None:
        self._account, self._terms = account, account.terms
        self.reconciler = Reconciler(account.terms, account.number)
        self.gaps = Gaps(account.terms, account.number)
        self.audit = Audit(account, self.gaps)
        self.income = IncomeLedger()
        self.flatten = Flatten(account)
        self._income_due: dict[str, int] = {}
        """Venue -> when funding and fees are asked for next (ns)."""

    def begin(self, at: int, venues: Sequence[str]) -> None:
        """A run begins or goes on in a new process: nobody will answer what the one before asked."""
        account = self._account
        for record in account.all_live():
            if record.state in _UNDER_WAY:
                account.uncertain(record, "a new process began before the answer came", at)
        account.doubts.ask_anew(at)
        self.gaps.ask_anew(at)
        self.reconciler.begin(at, venues)
        self.audit.second.begin()
        for venue in venues:
            account.known_from.setdefault(venue, at - CLOCKS)
            self._catch_up(venue, at)
        self._income_due = {venue: due for venue, due in self._income_due.items() if venue in venues}

    def _catch_up(self, venue: str, at: int) -> None:
        """Have all told that a stream may have missed while it was silent or we were gone."""
        account = self._account
        keys = {key for key in (*account.positions.traded(), *account.ledger.live_keys()) if key[0] == venue}
        for key in sorted(keys):
            self.audit.fill_gap(key, at)
        self._ask_income(venue, at)

    def _ask_income(self, venue: str, at: int) -> None:
        last = self.income.last_at(venue)
        since = last - OVERLAP if last else self._account.known_from.get(venue, at)
        self.gaps.want(Query.INCOME, venue, "", since=since, at=at)
        self._income_due[venue] = at + self._terms.income_every

    def holds(self) -> tuple[InForce, ...]:
        """Return what is restrained until accounts agree, and where strangers are."""
        return (*self.reconciler.holds(), *self.audit.holds())

    def ask_now(self, at: int) -> list[Wish]:
        """Return the questions for every account, and for what the streams may have missed."""
        return [*self.reconciler.ask_now(at), *self.gaps.due(at)]

    def flatten_step(self, at: int, view: View) -> list[Wish]:
        """Return what the flatten under way, if there is one, does next."""
        return self.flatten.step(at, view, self.reconciler.venues())

    def on_answer(self, item: Input, owner: str, standing: Standing, targets: Targets) -> None:
        """Take an answer, or that there is none, or news of the stream of our own orders."""
        event, at, account = item.event, item.at, self._account
        if isinstance(event, OrderFound):
            account.doubts.on_found(event.ask, at)
            record = account.ledger.order(event.client_id)
            if record is not None:
                account.on_report(record, event.report, at)
        elif isinstance(event, OrderAbsent):
            account.wishes += account.doubts.on_absent(event, at)
        elif isinstance(event, AccountReported):
            self._on_account(event, at, owner)
            targets.on_account(event)
        elif isinstance(event, TradesReported):
            self.gaps.on_answer(event.ask, at)
            account.wishes += account.doubts.on_trades(event.ask, at)
        elif isinstance(event, IncomeReported):
            self.gaps.on_answer(event.ask, at)
            account.wishes += self.income.book(at, event.entries)
        elif isinstance(event, QueryFailed):
            standing.count_failure(event.venue)
            account.doubts.on_failed(event.ask, at)
            self.gaps.on_failed(event.ask, at)
            self.reconciler.on_failed(event.ask, at)
        elif isinstance(event, AccountStream):
            self.reconciler.on_stream(event, at)
            if event.alive:
                self._catch_up(event.venue, at)

    def _on_account(self, event: AccountReported, at: int, owner: str) -> None:
        account = self._account
        agrees = self.audit.take(event, at, owner)
        for record in account.doubts.on_account(event, at, _Parts(account, event, owner).agrees):
            if record.state.final:
                account.wishes += untold(account.ledger, record, at)
            else:
                account.prove_absent(record, at)
        self.flatten.on_account(event)
        live = [record for record in account.all_live() if record.venue == event.venue]
        held_from = self.reconciler.held_from(event.venue)
        old = any(record.state is OrderState.UNKNOWN and record.moved_at <= held_from for record in live)
        busy = bool(live) or bool(event.positions)
        self.reconciler.on_account(event, at, agrees=agrees and not old, busy=busy)

    def on_timer(self, at: int) -> None:
        """Doubt what nobody answered for too long: accounts and orders."""
        self.reconciler.on_timer(at)
        for record in self._account.doubts.overdue(at):
            waited = format_duration(self._terms.in_flight)
            self._account.uncertain(record, f"no answer for {waited}", at)
        for venue in [venue for venue, due in self._income_due.items() if due <= at]:
            self._ask_income(venue, at)

    def due(self, at: int) -> list[Wish]:
        """Return the questions that are due."""
        return [*self._account.doubts.due(at), *self.reconciler.due(at), *self.gaps.due(at)]

    def next_due(self) -> int | None:
        """Return when something is due (ns), or None."""
        dues = [
            self._account.doubts.next_due(), self.reconciler.next_due(), self.gaps.next_due(), self.flatten.next_due(),
            *self._income_due.values(),
        ]
        return min((due for due in dues if due is not None), default=None)

    def dump(self) -> Data:
        """Return everything as JSON data."""
        return {
            "reconciler": self.reconciler.dump(), "gaps": self.gaps.dump(), "audit": self.audit.dump(),
            "income": self.income.dump(), "flatten": self.flatten.dump(),
            "income_due": dict(sorted(self._income_due.items())),
        }

    def load(self, data: Data) -> None:
        """Become what `dump` wrote."""
        self.reconciler.load(data["reconciler"])
        self.gaps.load(data["gaps"])
        self.audit.load(data["audit"])
        self.income.load(data["income"])
        self.flatten.load(data["flatten"])
        self._income_due = dict(data["income_due"])
