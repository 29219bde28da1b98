"""What a venue says of the whole account, held against what we count. The venue is the truth, but one list is no proof.

An order that a list lacks is looked up; a position that differs is first explained by the
trades, and taken over only when a later report says the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from engine.execution.account import RACE, Account
from engine.execution.evidence import PREFIX, stranger_record
from engine.execution.fills import OVERLAP, Gaps
from engine.execution.incidents import cancellation
from engine.execution.ledger import Key
from engine.execution.second import Second
from engine.model.answers import AccountReported
from engine.model.codec import Data, decimal_text, from_data, plain, to_data
from engine.model.effects import Notify, PositionAdopted
from engine.model.orders import OrderState
from engine.model.reports import OrderReport, PositionReport, Query
from engine.model.restraints import InForce, Restraint, Scope
from engine.model.terms import Foreign

PATIENCE = 4
"""A position that differs in so many reports is taken over though its trades could not be had."""
_BEFORE_A_REPORT = frozenset({OrderState.OPEN, OrderState.PARTLY_FILLED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Mismatch:
    """A position that was not as we count it: in how many reports, and as of when last (ns)."""

    as_of: int
    reports: int


class Audit:
    """Compares reports with the account and repairs the account."""

    def __init__(self, account: Account, gaps: Gaps) -> None:
        self._account, self._gaps = account, gaps
        self._mismatches: dict[Key, Mismatch] = {}
        self._told: dict[str, None] = {}
        """Strangers that were told of once: `venue/order id` and `venue/symbol`."""
        self._foreign: dict[Key, int] = {}
        """Where somebody else's order or position stops us from beginning anything, and since when (ns)."""
        self.second = Second()

    def take(self, event: AccountReported, at: int, owner: str) -> bool:
        """Take a whole report in; True if every position agrees with it, or was taken over from it."""
        strange = self._take_orders(event, at, owner)
        agreed = self._take_positions(event, at, owner)
        strange |= {key for key in self._account.apart if key[0] == event.venue}
        for key in [key for key in self._foreign if key[0] == event.venue and key not in strange]:
            del self._foreign[key]
            self._told.pop("/".join(key), None)
        for key in sorted(strange):
            self._foreign.setdefault(key, at)
        return agreed

    # Orders.

    def _take_orders(self, event: AccountReported, at: int, owner: str) -> set[Key]:
        """Apply each order's evidence; return where strangers add exposure that we do not count."""
        strange: set[Key] = set()
        listed: set[str] = set()
        unknown: list[str] = []
        for report in event.orders:
            record = self._account.ledger.order(report.client_id) if report.client_id else None
            if record is None:
                record = self._account.ledger.order(f"foreign-{report.venue_order_id}")
            if record is None and report.client_id.startswith(PREFIX):
                unknown.append(report.client_id)
            if record is not None:
                listed.add(record.client_id)
                self._account.on_report(record, report, at)
            elif self._stranger(report, at, owner):
                strange.add((report.venue, report.symbol))
            else:
                listed.add(report.client_id or f"foreign-{report.venue_order_id}")
        self._account.wishes += self.second.take(event.venue, at, unknown)
        for record in self._account.all_live():
            missing = record.venue == event.venue and record.client_id not in listed
            settled = max(record.sent_at, record.moved_at) < event.as_of - RACE
            if missing and settled and record.state in _BEFORE_A_REPORT:
                # A list never proves absence: the order itself is asked for.
                self._account.doubts.begin(record.client_id, at)
        return strange

    def _stranger(self, report: OrderReport, at: int, owner: str) -> bool:
        """Deal with an order that no record knows; True if it is left alone and may open something."""
        ours = report.client_id.startswith(PREFIX)
        reduces = report.reduce_only or report.close_position
        adopt = ours or self._account.terms.foreign_orders is Foreign.ADOPT
        what = f"{report.side.value} {report.kind.value} {report.client_id or report.venue_order_id} on {report.symbol}"
        if adopt:
            self._account.ids.issued += 1
            record = stranger_record(report, account=owner, at=at, number=self._account.ids.issued)
            self._account.ledger.put(record)
            if record.unseen > 0:
                self._account.doubts.begin(record.client_id, at, fetch=True)
            if ours and not reduces:
                self._account.wishes.append(cancellation(record, "left at the venue by a run that is not remembered"))
        if not ours:
            done = "it counts as ours from now on" if adopt else "it is left alone"
        else:
            done = "it is kept, for it only reduces" if reduces else "it is cancelled"
        whose = "of a run that is not remembered" if ours else "that is not ours"
        self._tell(f"{report.venue}/{report.venue_order_id}", at, f"there is an order {whose}, {what}: {done}")
        return not adopt and not reduces

    # Positions.

    def _take_positions(self, event: AccountReported, at: int, owner: str) -> bool:
        told = {report.symbol: report for report in event.positions if report.venue == event.venue}
        symbols = set(told)
        symbols |= {one.symbol for one in self._account.positions.all() if one.venue == event.venue and one.quantity}
        symbols |= {symbol for venue, symbol in (*self._account.apart, *self._mismatches) if venue == event.venue}
        agreed = True
        for symbol in sorted(symbols):
            report = told.get(symbol) or PositionReport(
                venue=event.venue, symbol=symbol, quantity=Decimal(0), entry_price=Decimal(0)
            )
            agreed &= self._take_position(event, report, at, owner)
        return agreed

    def _take_position(self, event: AccountReported, report: PositionReport, at: int, owner: str) -> bool:
        key = (event.venue, report.symbol)
        known = self._account.positions.of(owner, *key)
        if known.quantity + self._account.apart.get(key, Decimal(0)) == report.quantity:
            self._mismatches.pop(key, None)
            return True
        if not self._account.quiet(key, event.as_of):
            return False
        if self._is_foreign(key, known.quantity):
            self._set_apart(key, report.quantity, at)
            return True
        before = self._mismatches.get(key)
        if before is not None and event.as_of <= before.as_of:
            return False
        reports = 1 if before is None else before.reports + 1
        self._mismatches[key] = Mismatch(as_of=event.as_of, reports=reports)
        if before is None:
            self.fill_gap(key, at)
            return False
        if self._gaps.wanted(Query.TRADES, *key) and reports < PATIENCE:
            return False
        self._adopt(event, report, at, owner)
        return True

    def fill_gap(self, key: Key, at: int) -> None:
        """Have the trades of `key` told that the stream may have missed, if there can be any of ours."""
        last = self._account.positions.last_fill_at(*key)
        sent = [record.sent_at for record in self._account.ledger.live(*key)]
        if not last and not sent:
            return
        since = min(filter(None, (last, self._gaps.whole_until(*key), *sent)), default=at) - OVERLAP
        since = max(since, self._account.positions.forgotten_until(*key))
        self._gaps.want(Query.TRADES, *key, since=since, at=at)

    def _is_foreign(self, key: Key, ours: Decimal) -> bool:
        if self._account.terms.foreign_positions is Foreign.ADOPT or ours != 0:
            return False
        return key in self._account.apart or all(record.foreign for record in self._account.ledger.live(*key))

    def _set_apart(self, key: Key, quantity: Decimal, at: int) -> None:
        self._mismatches.pop(key, None)
        if quantity == 0:
            self._account.apart.pop(key, None)
            return
        self._account.apart[key] = plain(quantity)
        self._tell("/".join(key), at, f"there is a position that is not ours, {decimal_text(quantity)} {key[1]}: "
                   "it is left alone, and nothing is begun on its symbol while it is there")

    def _adopt(self, event: AccountReported, report: PositionReport, at: int, owner: str) -> None:
        key = (event.venue, report.symbol)
        known = self._account.positions.of(owner, *key)
        self._mismatches.pop(key, None)
        self._account.apart.pop(key, None)
        self._account.positions.adopt(
            known, quantity=report.quantity, entry_price=report.entry_price, as_of=event.as_of
        )
        why = "the trades do not explain the difference"
        self._account.wishes.append(PositionAdopted(
            at=at, venue=key[0], symbol=key[1], counted=known.quantity, quantity=plain(report.quantity),
            entry_price=plain(report.entry_price), why=why,
        ))
        text = (
            f"{key[1]}: {decimal_text(report.quantity)} is held at {key[0]} where {decimal_text(known.quantity)} was "
            f"counted, and {why}: the venue's position was taken over"
        )
        self._account.wishes.append(Notify(at=at, to="alert", rule="engine.reconcile", text=text))
        for record in self._account.ledger.live(*key):
            if record.unseen > 0 and record.moved_at < event.as_of - RACE:
                # What it executed is in the position by now.
                self._account.contain(record, report.entry_price)

    def _tell(self, name: str, at: int, text: str) -> None:
        if name not in self._told:
            self._told[name] = None
            self._account.wishes.append(Notify(at=at, to="alert", rule="engine.foreign", text=text))

    def mismatched(self, venue: str) -> bool:
        """Whether a position of `venue` is not as we count it."""
        return any(key[0] == venue for key in self._mismatches)

    def holds(self) -> tuple[InForce, ...]:
        """Return the symbols, and venues, on which nothing may be begun, because somebody else is there."""
        return self.second.holds() + tuple(
            InForce(
                rule="engine.foreign", instance=f"engine.foreign[{symbol}]", scope=Scope(venue=venue, symbol=symbol),
                restraint=Restraint(deny=frozenset({symbol})), because="foreign", since=since,
                ends="when the order or position that is not ours is gone from the venue",
                clear_with="engine reconcile",
            )
            for (venue, symbol), since in sorted(self._foreign.items())
        )

    def dump(self) -> Data:
        """Return everything as JSON data."""
        return {
            "mismatches": [[*key, to_data(item)] for key, item in sorted(self._mismatches.items())],
            "told": list(self._told), "foreign": [[*key, since] for key, since in sorted(self._foreign.items())],
            "second": self.second.dump(),
        }

    def load(self, data: Data) -> None:
        """Become what `dump` wrote."""
        self._mismatches = {(venue, symbol): from_data(Mismatch, item) for venue, symbol, item in data["mismatches"]}
        self._told = dict.fromkeys(data["told"])
        self._foreign = {(venue, symbol): since for venue, symbol, since in data["foreign"]}
        self.second.load(data.get("second", {"looked": [], "seen": []}))
