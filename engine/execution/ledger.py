"""All our orders that still matter, found by id, by purpose and by symbol."""

from __future__ import annotations

from engine.model.codec import Data, from_data, to_data
from engine.model.ledger import OrderRecord, Progress, progress_of

KEEP_ENDED = 512
"""Ended orders kept for questions and late events, beside those of symbols with live orders."""

Key = tuple[str, str]
"""(venue, symbol)."""


class Ledger:
    """Order records and their indexes. An `OrdersView` with a pen."""

    def __init__(self) -> None:
        self._records: dict[str, OrderRecord] = {}
        self._live: dict[Key, dict[str, None]] = {}
        self._purposes: dict[tuple[str, str], list[str]] = {}

    def order(self, client_id: str) -> OrderRecord | None:
        """Return the record of `client_id`, or None."""
        return self._records.get(client_id)

    def put(self, record: OrderRecord) -> None:
        """Keep `record`, in place of the one with the same client id if there is one."""
        new = record.client_id not in self._records
        self._records[record.client_id] = record
        key = (record.venue, record.symbol)
        if record.live:
            self._live.setdefault(key, {})[record.client_id] = None
        elif key in self._live:
            self._live[key].pop(record.client_id, None)
            if not self._live[key]:
                del self._live[key]
        if new:
            self._purposes.setdefault((record.proposer, record.purpose), []).append(record.client_id)
            self._forget_old()

    def latest(self, proposer: str, purpose: str) -> OrderRecord | None:
        """Return the last order planned for `purpose`, or None."""
        attempts = self._purposes.get((proposer, purpose))
        return self._records[attempts[-1]] if attempts else None

    def attempts(self, proposer: str, purpose: str) -> tuple[OrderRecord, ...]:
        """Return every order planned for `purpose`, oldest first."""
        return tuple(self._records[client_id] for client_id in self._purposes.get((proposer, purpose), ()))

    def progress(self, proposer: str, purpose: str) -> Progress:
        """Return how far `purpose` has come, all its orders together."""
        return progress_of(self.attempts(proposer, purpose))

    def live(self, venue: str, symbol: str) -> tuple[OrderRecord, ...]:
        """Return the orders to which something may still happen, oldest first."""
        ids = self._live.get((venue, symbol))
        if not ids:
            return ()
        return tuple(sorted((self._records[client_id] for client_id in ids), key=_number))

    def live_keys(self) -> tuple[Key, ...]:
        """Return the (venue, symbol) pairs with live orders, sorted."""
        return tuple(sorted(self._live))

    def _forget_old(self) -> None:
        if len(self._records) <= 2 * KEEP_ENDED:
            return
        # An order of a symbol that is still being worked must be remembered however old: its
        # purpose must not be planned again.
        ended = [record for record in self._records.values() if (record.venue, record.symbol) not in self._live]
        ended.sort(key=_number)
        for record in ended[:-KEEP_ENDED]:
            del self._records[record.client_id]
            attempts = self._purposes[record.proposer, record.purpose]
            attempts.remove(record.client_id)
            if not attempts:
                del self._purposes[record.proposer, record.purpose]

    def dump(self) -> Data:
        """Return all records, in the order of planning."""
        return [to_data(record) for record in sorted(self._records.values(), key=_number)]

    def load(self, data: Data) -> None:
        """Become the ledger that `dump` wrote."""
        self._records, self._live, self._purposes = {}, {}, {}
        for item in data:
            record: OrderRecord = from_data(OrderRecord, item)
            self._records[record.client_id] = record
            self._purposes.setdefault((record.proposer, record.purpose), []).append(record.client_id)
            if record.live:
                self._live.setdefault((record.venue, record.symbol), {})[record.client_id] = None


def _number(record: OrderRecord) -> int:
    return record.number
