"""Orders that appeared after they had been proven to be nothing: told to a person, taken back, closed behind."""

from __future__ import annotations

from dataclasses import replace

from engine.execution.ledger import Ledger
from engine.model.codec import Data, plain
from engine.model.effects import Notify, PlanMade
from engine.model.fills import Fill, Position
from engine.model.ledger import OrderRecord
from engine.model.orders import Cancellation, Closing
from engine.model.wishes import Wish


class Incidents:
    """The orders that came against what was proven, for good."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._known: dict[str, None] = {}
        self._new: list[str] = []
        """Venues of those that were not counted yet."""

    def add(self, record: OrderRecord, at: int) -> list[Wish]:
        """Return what an order that appeared late makes necessary."""
        self._known[record.client_id] = None
        self._new.append(record.venue)
        done = "it only reduces and stays" if record.reduces else "it is cancelled, and what it opened is closed"
        what = f"{record.intent.value} {record.client_id} on {record.symbol}"
        text = f"{what} appeared after it had been given up: {done}"
        wishes: list[Wish] = [
            Notify(at=at, to="page", rule="engine.orders", text=text),
            PlanMade(at=at, strategy=record.proposer, symbol=record.symbol, state="incident", text=text),
        ]
        if not record.reduces and not record.state.final:
            # It may have been asked for before, when there was nothing yet to take back.
            self._ledger.put(replace(record, cancel_asked=False))
            wishes.append(cancellation(record, "it appeared after it had been given up"))
        return wishes

    def known(self, client_id: str) -> bool:
        """Whether the order is one of these."""
        return client_id in self._known

    def undo(self, fill: Fill, left: Position) -> list[Wish]:
        """Return what closes again what `fill` opened, if its order ought not to be there; `left` is after it."""
        record = self._ledger.order(fill.client_id)
        if record is None or record.reduces or fill.client_id not in self._known:
            return []
        before = plain(left.quantity - fill.quantity * fill.side.sign)
        if abs(before) >= abs(left.quantity):
            return []
        return [Closing(
            name=f"late/{fill.client_id}/{fill.trade_id}", venue=fill.venue, symbol=fill.symbol, quantity=before,
            why=f"{fill.client_id} filled though it had been given up",
        )]

    def take(self) -> list[str]:
        """Return the venues of the incidents since this was last asked."""
        taken, self._new = self._new, []
        return taken

    def dump(self) -> Data:
        """Return everything as JSON data."""
        return {"known": list(self._known), "new": list(self._new)}

    def load(self, data: Data) -> None:
        """Become what `dump` wrote."""
        self._known, self._new = dict.fromkeys(data["known"]), list(data["new"])


def cancellation(record: OrderRecord, why: str, *, again: bool = False) -> Cancellation:
    """Return the wish to take `record` back; `again` where it was asked for before."""
    return Cancellation(
        proposer=record.proposer, client_id=record.client_id, venue=record.venue, symbol=record.symbol, why=why,
        again=again,
    )
