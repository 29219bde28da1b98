"""What our fills left us with, each fill counted exactly once."""

from __future__ import annotations

from dataclasses import replace

from engine.model.codec import Data, from_data, plain, to_data
from engine.model.fills import Fill, Position

REMEMBERED = 8192
"""Fills whose ids are kept to recognise a second delivery; venues re-send minutes, not months."""

PositionKey = tuple[str, str, str]
"""(account, venue, symbol)."""


class Positions:
    """Net positions by key, and the trade ids that made them."""

    def __init__(self) -> None:
        self._positions: dict[PositionKey, Position] = {}
        self._seen: dict[str, None] = {}

    def book(self, account: str, fill: Fill) -> bool:
        """Add `fill` to its position; False, and nothing changes, when it was booked before."""
        trade = f"{fill.venue}/{fill.symbol}/{fill.trade_id}"
        if trade in self._seen:
            return False
        self._seen[trade] = None
        if len(self._seen) > REMEMBERED:
            del self._seen[next(iter(self._seen))]
        key = (account, fill.venue, fill.symbol)
        self._positions[key] = _plain(self.of(account, fill.venue, fill.symbol).after(fill))
        return True

    def of(self, account: str, venue: str, symbol: str) -> Position:
        """Return the position, flat if there never was one."""
        known = self._positions.get((account, venue, symbol))
        return known if known is not None else Position(account=account, venue=venue, symbol=symbol)

    def all(self) -> tuple[Position, ...]:
        """Return every position there ever was, flat ones included, in the order of their keys."""
        return tuple(self._positions[key] for key in sorted(self._positions))

    def dump(self) -> Data:
        """Return the positions and the remembered trade ids, oldest first."""
        return {"positions": [to_data(position) for position in self.all()], "seen": list(self._seen)}

    def load(self, data: Data) -> None:
        """Become what `dump` wrote."""
        self._positions = {}
        for item in data["positions"]:
            position: Position = from_data(Position, item)
            self._positions[position.account, position.venue, position.symbol] = position
        self._seen = dict.fromkeys(data["seen"])


def _plain(position: Position) -> Position:
    return replace(
        position, quantity=plain(position.quantity), average_price=plain(position.average_price),
        realized=plain(position.realized), fees=plain(position.fees),
    )
