"""Funding, fees and transfers: every movement of the balance once, never rewritten."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from engine.model.codec import Data, decimal_text, plain
from engine.model.effects import IncomeBooked
from engine.model.reports import Income, IncomeKind

REMEMBERED = 4096
"""Movements of one venue whose ids are kept."""


@dataclass(slots=True)
class _Memory:
    seen: dict[str, int] = field(default_factory=dict)
    floor: int = -1
    last_at: int = 0


class IncomeLedger:
    """Sums by (venue, kind, asset), funding by (venue, symbol), and the ids that made them."""

    def __init__(self) -> None:
        self._memories: dict[str, _Memory] = {}
        self._sums: dict[tuple[str, str, str], Decimal] = {}
        self._funding: dict[tuple[str, str], Decimal] = {}

    def book(self, at: int, entries: Sequence[Income]) -> list[IncomeBooked]:
        """Count each of `entries` that was not counted before; return what is told of them, in their order."""
        told: list[IncomeBooked] = []
        for entry in entries:
            if self._is_new(entry):
                self._add(entry)
                told.append(IncomeBooked(at=at, entry=entry))
        return told

    def _is_new(self, entry: Income) -> bool:
        memory = self._memories.setdefault(entry.venue, _Memory())
        name = f"{entry.kind.value}/{entry.transfer_id}"
        if name in memory.seen or entry.venue_at <= memory.floor:
            return False
        memory.seen[name] = entry.venue_at
        memory.last_at = max(memory.last_at, entry.venue_at)
        if len(memory.seen) > REMEMBERED:
            memory.floor = max(memory.floor, memory.seen.pop(next(iter(memory.seen))))
        return True

    def _add(self, entry: Income) -> None:
        key = (entry.venue, entry.kind.value, entry.asset)
        self._sums[key] = plain(self._sums.get(key, Decimal(0)) + entry.amount)
        if entry.kind is IncomeKind.FUNDING:
            place = (entry.venue, entry.symbol)
            self._funding[place] = plain(self._funding.get(place, Decimal(0)) + entry.amount)

    def last_at(self, venue: str) -> int:
        """Return the venue's instant of the newest movement (ns), 0 before the first."""
        memory = self._memories.get(venue)
        return 0 if memory is None else memory.last_at

    def sums(self) -> list[Data]:
        """Return the sums as an operator sees them: venue, kind, asset, amount; positive was received."""
        return [
            {"venue": venue, "kind": kind, "asset": asset, "amount": decimal_text(amount)}
            for (venue, kind, asset), amount in sorted(self._sums.items())
        ]

    def funding(self, venue: str, symbol: str) -> Decimal:
        """Return the funding received on `symbol`, negative where it was paid."""
        return self._funding.get((venue, symbol), Decimal(0))

    def dump(self) -> Data:
        """Return everything as JSON data."""
        return {
            "memories": [
                [venue, [[name, at] for name, at in memory.seen.items()], memory.floor, memory.last_at]
                for venue, memory in sorted(self._memories.items())
            ],
            "sums": [[*key, decimal_text(amount)] for key, amount in sorted(self._sums.items())],
            "funding": [[*key, decimal_text(amount)] for key, amount in sorted(self._funding.items())],
        }

    def load(self, data: Data) -> None:
        """Become what `dump` wrote."""
        self._memories = {
            venue: _Memory(seen=dict(map(tuple, seen)), floor=floor, last_at=last_at)
            for venue, seen, floor, last_at in data["memories"]
        }
        self._sums = {(venue, kind, asset): Decimal(amount) for venue, kind, asset, amount in data["sums"]}
        self._funding = {(venue, symbol): Decimal(amount) for venue, symbol, amount in data["funding"]}
