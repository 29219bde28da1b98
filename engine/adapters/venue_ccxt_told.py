"""Whether the account's stream tells what really happens: it is held against what REST answers say.

Pure. A stream that answers pings and is silent looks alive to every library. What counts here is
content: an order that a REST reply knows and the stream never mentions, or nothing at all for long
while something is open, proves it dead. Instants are ns of a monotonic clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from engine.model.orders import OrderState
from engine.model.reports import OrderReport

_REMEMBERED = 5_000
_SECOND = 1_000_000_000


@dataclass(frozen=True, slots=True)
class _Stand:
    """How far an order came: whether it ended, and what it executed."""

    ended: bool = False
    executed: Decimal = Decimal(0)

    def reaches(self, other: _Stand) -> bool:
        return self.ended >= other.ended and self.executed >= other.executed

    def joined(self, other: _Stand) -> _Stand:
        return _Stand(self.ended or other.ended, max(self.executed, other.executed))


class Told:
    """What the stream told since it began, and what it still owes."""

    def __init__(self, silence: int, within: int) -> None:
        self._silence, self._within = silence, within
        self._alive = False
        self._last = 0
        self._placed: set[str] = set()
        self._stands: dict[str, _Stand] = {}
        self._owed: dict[str, tuple[_Stand, int]] = {}

    def begin(self, at: int) -> None:
        """Note that a stream begins: it owes nothing of what was before."""
        self._alive, self._last = True, at
        self._placed.clear()
        self._stands.clear()
        self._owed.clear()

    def end(self) -> None:
        """Note that there is no stream: nobody owes anything."""
        self._alive = False
        self._owed.clear()

    def sent(self, client_id: str) -> None:
        """Note an order that leaves: from here on the stream must tell of it."""
        if self._alive and len(self._placed) < _REMEMBERED:
            self._placed.add(client_id)

    def content(self, at: int) -> None:
        """Note that the stream told anything at all."""
        self._last = at

    def streamed(self, client_id: str, report: OrderReport) -> None:
        """Note what the stream told of an order, under our client id."""
        if client_id in self._placed:
            self._stands[client_id] = self._stands.get(client_id, _Stand()).joined(_stand(report))
            owed = self._owed.get(client_id)
            if owed is not None and self._stands[client_id].reaches(owed[0]):
                del self._owed[client_id]

    def answered(self, client_id: str, report: OrderReport, at: int) -> None:
        """Note what a REST answer told of an order: the stream must say as much within its time."""
        if not self._alive or client_id not in self._placed:
            return
        stand, seen = _stand(report), self._stands.get(client_id)
        if seen is not None and seen.reaches(stand):
            return
        owed = self._owed.get(client_id)
        self._owed[client_id] = (stand, at + self._within) if owed is None else (owed[0].joined(stand), owed[1])

    def dead(self, at: int) -> str:
        """Return why the stream is dead at `at`; empty while nothing proves it."""
        if not self._alive:
            return ""
        for client_id, (_, due) in self._owed.items():
            if at > due:
                return f"it did not tell of order {client_id} what a REST answer did"
        return ""

    def silent(self, at: int, *, something_open: bool) -> str:
        """Return why the stream is to be changed for a new one at `at`; empty while it is not.

        Silence proves nothing: a position that nobody touches has nothing to tell.
        """
        if not self._alive:
            return ""
        if not something_open:
            self._last = max(self._last, at)
        if at - self._last > self._silence:
            return f"it told nothing for {(at - self._last) / _SECOND:.0f} s while an order or a position is open"
        return ""


def _stand(report: OrderReport) -> _Stand:
    return _Stand(report.state.final and report.state is not OrderState.ABANDONED, report.executed)
