"""What will happen at the exchange and when: a heap that the driver empties instant by instant.

Orders on their way, market orders of triggered stops, and answers on their way back are all
entries here. At one instant what was put down first happens first.
"""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heappop, heappush

from engine.model.codec import Data, from_data, to_data
from engine.model.effects import AskVenue, CancelOrder, PlaceOrder
from engine.model.events import VenueEvent


@dataclass(frozen=True, slots=True)
class OrderArrives:
    """`order` left at `sent_at` (ns) and meets the book now."""

    order: PlaceOrder
    sent_at: int
    on_mark: bool = False


@dataclass(frozen=True, slots=True)
class CancelArrives:
    """A wish to cancel meets the book now."""

    order: CancelOrder


@dataclass(frozen=True, slots=True)
class AskArrives:
    """A question that was sent at `sent_at` (ns) is answered from what holds now."""

    ask: AskVenue
    sent_at: int


@dataclass(frozen=True, slots=True)
class FundingDue:
    """Who holds a position now pays or receives the funding of one perpetual."""

    venue: str
    symbol: str


@dataclass(frozen=True, slots=True)
class TriggeredArrives:
    """The market order of a triggered conditional order meets the book now."""

    client_id: str


@dataclass(frozen=True, slots=True)
class OrderVanishes:
    """A fault takes an order out of its book."""

    client_id: str


@dataclass(frozen=True, slots=True)
class AnswerArrives:
    """`event` reaches us now."""

    event: VenueEvent


Entry = OrderArrives | CancelArrives | AskArrives | FundingDue | TriggeredArrives | OrderVanishes | AnswerArrives
_ENTRIES: dict[str, type[Entry]] = {
    kind.__name__: kind
    for kind in (OrderArrives, CancelArrives, AskArrives, FundingDue, TriggeredArrives, OrderVanishes)
}


class Agenda:
    """Entries in the order (due, put down first)."""

    __slots__ = ("_heap", "_number")

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Entry]] = []
        self._number = 0

    def put(self, due: int, entry: Entry) -> None:
        """Let `entry` happen at `due` (ns)."""
        self._number += 1
        heappush(self._heap, (due, self._number, entry))

    def next_due(self) -> int | None:
        """Return the instant of the next entry (ns), None when there is none."""
        return self._heap[0][0] if self._heap else None

    def take(self) -> tuple[int, Entry]:
        """Remove and return the next entry and its instant."""
        due, _, entry = heappop(self._heap)
        return due, entry

    def dump(self) -> Data:
        """Return all entries as JSON data, soonest first."""
        return {"number": self._number, "entries": [[due, n, _spell(entry)] for due, n, entry in sorted(self._heap)]}

    def load(self, data: Data) -> None:
        """Become what `dump` saw."""
        self._number = data["number"]
        # A sorted list is a heap.
        self._heap = [(due, n, _read(entry)) for due, n, entry in data["entries"]]


def _spell(entry: Entry) -> Data:
    noun = entry.event if isinstance(entry, AnswerArrives) else entry
    return {"type": type(noun).__name__, **to_data(noun)}


def _read(data: Data) -> Entry:
    kind = _ENTRIES.get(data["type"])
    if kind is not None:
        entry: Entry = from_data(kind, data)
        return entry
    for event in VenueEvent.__args__:
        if event.__name__ == data["type"]:
            return AnswerArrives(from_data(event, data))
    raise ValueError(f"{data['type']!r} cannot be on the agenda")
