"""What our fills left us with, each fill counted exactly once."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum

from engine.model.codec import Data, from_data, plain, to_data
from engine.model.fills import Fill, Position

REMEMBERED = 1024
"""Fills of one symbol whose ids are kept. What is older than the oldest of them is not believed to be new."""

PositionKey = tuple[str, str, str]
"""(account, venue, symbol)."""


class Booking(StrEnum):
    """What became of a fill that was told."""

    COUNTED = "counted"
    KNOWN = "known"
    """It was told before."""
    CONTAINED = "contained"
    """New, but older than a position that was taken over from the venue, in which it is."""
    TOO_OLD = "too_old"
    """Older than everything that is remembered: whether it was counted cannot be told, so it is not counted.

    Said once until more is forgotten, and `KNOWN` of the others: a gap told again may hold hundreds of them.
    """


@dataclass(slots=True)
class Memory:
    """The fills of one (venue, symbol) that would be recognised, and from when on."""

    seen: dict[str, int] = field(default_factory=dict)
    """Trade id -> the venue's instant (ns), in the order of arrival."""
    floor: int = -1
    """Fills of this instant and older are forgotten (ns)."""
    refused_floor: int = -1
    """What `floor` was when a fill was last refused for it."""
    adopted_at: int = -1
    """The position was taken over as it was at this instant (ns)."""
    last_at: int = 0
    """The venue's instant of the newest fill (ns)."""


class Positions:
    """Net positions by key, and the trade ids that made them."""

    def __init__(self) -> None:
        self._positions: dict[PositionKey, Position] = {}
        self._memories: dict[tuple[str, str], Memory] = {}

    def book(self, account: str, fill: Fill, *, aside: bool = False) -> Booking:
        """Add `fill` to its position once; with `aside` only remember that it was told."""
        memory = self._memories.setdefault((fill.venue, fill.symbol), Memory())
        if fill.trade_id in memory.seen:
            return Booking.KNOWN
        if fill.venue_at <= memory.floor:
            told, memory.refused_floor = memory.refused_floor == memory.floor, memory.floor
            return Booking.KNOWN if told else Booking.TOO_OLD
        self._remember(memory, fill)
        if fill.venue_at <= memory.adopted_at:
            return Booking.CONTAINED
        if not aside:
            key = (account, fill.venue, fill.symbol)
            self._positions[key] = _plain(self.of(account, fill.venue, fill.symbol).after(fill))
        return Booking.COUNTED

    def _remember(self, memory: Memory, fill: Fill) -> None:
        memory.seen[fill.trade_id] = fill.venue_at
        memory.last_at = max(memory.last_at, fill.venue_at)
        if len(memory.seen) > REMEMBERED:
            memory.floor = max(memory.floor, memory.seen.pop(next(iter(memory.seen))))

    def adopt(self, known: Position, *, quantity: Decimal, entry_price: Decimal, as_of: int) -> None:
        """Take over `quantity` (signed base) as it was at the venue at `as_of` (ns) in place of `known`.

        What was realised and paid stays. Fills of before `as_of` that come yet are in it already.
        """
        opened_at = 0 if quantity == 0 else known.opened_at or as_of
        taken = replace(
            known, quantity=quantity, average_price=entry_price if quantity else Decimal(0), opened_at=opened_at
        )
        self._positions[known.account, known.venue, known.symbol] = _plain(taken)
        memory = self._memories.setdefault((known.venue, known.symbol), Memory())
        memory.adopted_at = max(memory.adopted_at, as_of)

    def last_fill_at(self, venue: str, symbol: str) -> int:
        """Return the venue's instant of the newest fill or of what was taken over (ns), 0 before the first."""
        memory = self._memories.get((venue, symbol))
        return 0 if memory is None else max(memory.last_at, memory.adopted_at, 0)

    def forgotten_until(self, venue: str, symbol: str) -> int:
        """Return up to when (ns) fills are not recognised any more: to have them told again is of no use."""
        memory = self._memories.get((venue, symbol))
        return 0 if memory is None else max(memory.floor, 0)

    def traded(self) -> tuple[tuple[str, str], ...]:
        """Return every (venue, symbol) that was ever filled or taken over, sorted."""
        return tuple(sorted(self._memories))

    def of(self, account: str, venue: str, symbol: str) -> Position:
        """Return the position, flat if there never was one."""
        known = self._positions.get((account, venue, symbol))
        return known if known is not None else Position(account=account, venue=venue, symbol=symbol)

    def all(self) -> tuple[Position, ...]:
        """Return every position there ever was, flat ones included, in the order of their keys."""
        return tuple(self._positions[key] for key in sorted(self._positions))

    def dump(self) -> Data:
        """Return the positions and what is remembered of fills, oldest first."""
        return {
            "positions": [to_data(position) for position in self.all()],
            "memories": [
                {
                    "venue": venue, "symbol": symbol, "seen": [[name, at] for name, at in memory.seen.items()],
                    "floor": memory.floor, "refused_floor": memory.refused_floor, "adopted_at": memory.adopted_at,
                    "last_at": memory.last_at,
                }
                for (venue, symbol), memory in sorted(self._memories.items())
            ],
        }

    def load(self, data: Data) -> None:
        """Become what `dump` wrote."""
        self._positions, self._memories = {}, {}
        for item in data["positions"]:
            position: Position = from_data(Position, item)
            self._positions[position.account, position.venue, position.symbol] = position
        for item in data["memories"]:
            self._memories[item["venue"], item["symbol"]] = Memory(
                seen=dict(map(tuple, item["seen"])), floor=item["floor"],
                refused_floor=item["refused_floor"], adopted_at=item["adopted_at"], last_at=item["last_at"],
            )


def _plain(position: Position) -> Position:
    return replace(
        position, quantity=plain(position.quantity), average_price=plain(position.average_price),
        realized=plain(position.realized), fees=plain(position.fees),
    )
