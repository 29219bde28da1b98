"""The operator's flatten: everything is taken back and closed, and the stops go last, when all is proven flat.

Flat is what the venue says after our last fill and what we count, both. Until then every
stop stays, and the closing goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from engine.execution.account import Account
from engine.execution.converge import PROPOSER
from engine.execution.evidence import PREFIX
from engine.execution.incidents import cancellation
from engine.execution.ledger import Key
from engine.model.answers import AccountReported
from engine.model.codec import Data, decimal_text, from_data, to_data
from engine.model.effects import AskVenue, Notify, PlanMade
from engine.model.fills import Position
from engine.model.ledger import OrderRecord
from engine.model.orders import Closing, Intent, OrderState
from engine.model.reports import Query
from engine.model.restraints import Level
from engine.model.time import MINUTE, SECOND
from engine.model.view import View
from engine.model.wishes import Wish

LOOK_AGAIN, LONGEST_LOOK = 2 * SECOND, 16 * SECOND
"""While it is not flat it is looked at again after the first; a venue is asked ever more slowly, up to the second.

A whole account is the dearest question there is: to ask without pause is to be silenced.
"""
STUCK, PAGE_AGAIN = 30 * SECOND, 10 * MINUTE
"""A position that is not smaller after so long is told to a person, and so often while it stays."""
_OVER = frozenset({OrderState.CANCELLING})


@dataclass(slots=True, kw_only=True)
class Left:
    """A position that is being closed: what it was when that last changed, and when (ns)."""

    quantity: Decimal
    since: int
    paged_at: int = 0


@dataclass(slots=True, kw_only=True)
class Flattening:
    """One flatten under way. Instants in ns."""

    number: int
    since: int
    why: str
    due_at: int
    asked_at: int = 0
    """When the venues were last asked whether they are flat."""
    wait: int = LOOK_AGAIN
    """How long until they are asked again."""
    stage: str = "closing"
    """closing, verifying or stops: which of these waits for what."""


class Flatten:
    """Closes all there is, when the operator says so."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._now: Flattening | None = None
        self._number = 0
        self._left: dict[Key, Left] = {}
        self._clear: dict[str, int] = {}
        """Venue -> as of when it last said that it holds no position of ours (ns)."""

    def begin(self, at: int, why: str) -> list[Wish]:
        """Begin, or say that it is under way."""
        if self._now is not None:
            return []
        self._number += 1
        self._left.clear()
        self._clear.clear()
        self._now = Flattening(number=self._number, since=at, why=why, due_at=at)
        return [_told(at, "flattening", f"closing everything: {why}")]

    def on_account(self, event: AccountReported) -> None:
        """Take a report as evidence that nothing is held, or that something is."""
        if self._now is None:
            return
        apart = self._account.apart
        held = any(one.quantity != apart.get((event.venue, one.symbol), 0) for one in event.positions)
        working = any(one.client_id.startswith(PREFIX) for one in event.orders)
        if held or (working and self._now.stage == "stops"):
            self._clear.pop(event.venue, None)
        else:
            self._clear[event.venue] = max(event.as_of, self._clear.get(event.venue, 0))

    def step(self, at: int, view: View, venues: Sequence[str]) -> list[Wish]:
        """Return what is to be done next. `venues` take real orders; others count where we traded."""
        if self._now is None:
            return []
        if view.level("", "", Intent.ENTRY.value) < Level.HALTED:
            self._now = None
            return [_told(at, "flatten_ended", "trading was resumed: the flatten closes nothing any more")]
        held = [one for one in self._account.positions.all() if one.quantity != 0]
        competing = [record for record in self._account.all_live() if _competes(record)]
        wishes: list[Wish] = [
            cancellation(record, "everything is being closed") for record in competing
            if record.state not in _OVER and not record.cancel_asked
        ]
        closing = any(record.proposer == PROPOSER for record in self._account.all_live())
        if held or competing or closing:
            self._now.stage = "closing"
            wishes += self._close(at, held)
            self._now.due_at, self._now.wait = at + LOOK_AGAIN, LOOK_AGAIN
            return wishes
        everywhere = sorted({*venues, *(venue for venue, _ in self._account.positions.traded())})
        unproven = [venue for venue in everywhere if self._clear.get(venue, -1) < self._touched(venue)]
        if unproven:
            self._now.stage = "stops" if self._now.stage == "stops" else "verifying"
            since_then = max(self._touched(venue) for venue in unproven)
            news = not self._now.asked_at or self._now.asked_at < since_then
            return self._verify(at, unproven) if news or self._now.due_at <= at else []
        return self._last(at)

    def _last(self, at: int) -> list[Wish]:
        """All is proven flat: take the stops back, and when there are none left it is done."""
        assert self._now is not None
        stops = self._account.all_live()
        self._now.stage = "stops"
        if stops:
            self._now.due_at = at + LOOK_AGAIN
            return [
                cancellation(record, "everything is flat") for record in stops
                if record.state not in _OVER and not record.cancel_asked
            ]
        why = self._now.why
        self._now = None
        return [_told(at, "flat", f"no position and no order is left, here and at the venue: {why}")]

    def _verify(self, at: int, venues: Sequence[str]) -> list[Wish]:
        assert self._now is not None
        self._now.due_at, self._now.asked_at = at + self._now.wait, at
        self._now.wait = min(2 * self._now.wait, LONGEST_LOOK)
        why = "flatten: is it flat"
        return [AskVenue(at=at, ask=0, query=Query.ACCOUNT, venue=venue, why=why, urgent=True) for venue in venues]

    def _close(self, at: int, held: Sequence[Position]) -> list[Wish]:
        assert self._now is not None
        wishes: list[Wish] = []
        keys = {(one.venue, one.symbol) for one in held}
        for gone in [key for key in self._left if key not in keys]:
            del self._left[gone]
        for one in held:
            key = (one.venue, one.symbol)
            left = self._left.get(key)
            if left is None or abs(one.quantity) != abs(left.quantity):
                self._left[key] = Left(
                    quantity=one.quantity, since=at, paged_at=0 if left is None else left.paged_at
                )
                wishes.append(Closing(
                    name=f"operator.flatten/{self._now.number}", venue=key[0], symbol=key[1], why=self._now.why
                ))
            elif at - left.since >= STUCK and (not left.paged_at or at - left.paged_at >= PAGE_AGAIN):
                left.paged_at = at
                wishes.append(Notify(at=at, to="page", rule="engine.flatten", text=(
                    f"{decimal_text(one.quantity)} {one.symbol} at {one.venue} is still open: no price, no market or "
                    "too little to sell. Its stop stays. Close it at the venue by hand, then engine reconcile"
                )))
                # A target that was given up as dust, or refused, is opened again: the market may take it by now.
                wishes.append(Closing(
                    name=f"operator.flatten/{self._now.number}", venue=key[0], symbol=key[1], why=self._now.why
                ))
        return wishes

    def _touched(self, venue: str) -> int:
        return max((at for key, at in self._account.touched.items() if key[0] == venue), default=0)

    def status(self) -> Data | None:
        """Return since when (ns) it goes on and what is left, or None."""
        if self._now is None:
            return None
        return {
            "since": self._now.since, "why": self._now.why, "stage": self._now.stage,
            "left": [
                {"venue": one.venue, "symbol": one.symbol, "quantity": decimal_text(one.quantity)}
                for one in self._account.positions.all() if one.quantity != 0
            ],
            "orders": [record.client_id for record in self._account.all_live()],
        }

    def next_due(self) -> int | None:
        """Return when it is looked at again (ns), or None."""
        return None if self._now is None else self._now.due_at

    def dump(self) -> Data:
        """Return everything as JSON data."""
        return {
            "now": None if self._now is None else to_data(self._now), "number": self._number,
            "left": [[*key, to_data(left)] for key, left in sorted(self._left.items())],
            "clear": dict(sorted(self._clear.items())),
        }

    def load(self, data: Data) -> None:
        """Become what `dump` wrote."""
        self._now = None if data["now"] is None else from_data(Flattening, data["now"])
        self._number, self._clear = data["number"], dict(data["clear"])
        self._left = {(venue, symbol): from_data(Left, item) for venue, symbol, item in data["left"]}


def _competes(record: OrderRecord) -> bool:
    """Whether `record` may open something, or stands in the way of what closes."""
    return record.proposer != PROPOSER and not (record.intent is Intent.STOP and record.reduces)


def _told(at: int, state: str, text: str) -> PlanMade:
    return PlanMade(at=at, strategy="operator", symbol="", state=state, text=text)
