"""What strategies, risk and execution see of the core: a read-only look at one instant."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING

from engine.model.fills import Position
from engine.model.flags import FlagValue
from engine.model.instruments import Instrument
from engine.model.market import Levels, Quote
from engine.model.orders import Intent
from engine.model.restraints import Level
from engine.model.sizing import Sized
from engine.policy.quotes import quote_left

if TYPE_CHECKING:
    from engine.core.state import State


class Look:
    """The `View` of a state. It holds no data of its own; `at` is set by the step that lends it."""

    def __init__(self) -> None:
        self._state: State | None = None
        self.at = 0
        self.account = ""
        self.flags: Mapping[str, FlagValue] = {}
        self.instruments: dict[tuple[str, str], Instrument] = {}

    def of(self, state: State) -> None:
        """Look at `state` from now on."""
        self._state = state
        self.account = state.account
        self.flags = state.flags.values

    def quote(self, venue: str, symbol: str) -> Quote | None:
        """Return the last quote, or None before the first."""
        assert self._state is not None
        return self._state.reducers.quote(venue, symbol)

    def depth(self, venue: str, symbol: str) -> tuple[Levels, Levels]:
        """Return (bids, asks), best first."""
        assert self._state is not None
        return self._state.reducers.depth(venue, symbol)

    def instrument(self, venue: str, symbol: str) -> Instrument | None:
        """Return the metadata, or None."""
        return self.instruments.get((venue, symbol))

    def position(self, venue: str, symbol: str) -> Position:
        """Return the net position."""
        assert self._state is not None
        return self._state.execution.position(self.account, venue, symbol)

    def positions(self) -> tuple[Position, ...]:
        """Return every position that is not flat."""
        assert self._state is not None
        return tuple(one for one in self._state.execution.positions() if one.quantity != 0)

    def level(self, venue: str, symbol: str, intent: str) -> Level:
        """Return the level in force for such an order, rules without an instance for it included."""
        assert self._state is not None
        state = self._state
        level = state.policy.restraint((self.account, venue, symbol, intent)).level
        unmet = state.book.unmet(account=self.account, venue=venue, symbol=symbol, intent=intent)
        for item in state.overrides.lift(unmet):
            level = max(level, item.restraint.level)
        return level

    def in_quote(self, symbol: str) -> str:
        """Return the symbol to enter in place of `symbol`, where its quote is denied and another is left."""
        assert self._state is not None
        state = self._state
        for (venue, name), known in self.instruments.items():
            if name != symbol:
                continue
            denied = state.policy.restraint((self.account, venue, symbol, Intent.ENTRY.value)).deny_quotes
            left = quote_left(state.quote_preference, denied)
            if known.quote not in denied or left is None:
                return symbol
            return next((
                other.symbol for (where, _), other in self.instruments.items()
                if (where, other.base, other.quote, other.kind) == (venue, known.base, left, known.kind)
            ), symbol)
        return symbol

    def sized(self, venue: str, symbol: str, usual: Decimal) -> Sized:
        """Return what an entry of the usual size is to be worth."""
        assert self._state is not None
        return self._state.prices.sized((venue, symbol), usual, self.at, self.flags)
