"""What strategies, risk and execution may look at: the core's state, read only."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Protocol

from engine.model.fills import Position
from engine.model.flags import FlagValue
from engine.model.instruments import Instrument
from engine.model.market import Quote
from engine.model.restraints import Level
from engine.model.sizing import Sized


class View(Protocol):
    """One consistent look at one instant."""

    at: int
    account: str
    flags: Mapping[str, FlagValue]

    def quote(self, venue: str, symbol: str) -> Quote | None:
        """Return the last quote, however old (see its `received_at`), or None before the first."""

    def depth(self, venue: str, symbol: str) -> tuple[tuple[tuple[float, float], ...], tuple[tuple[float, float], ...]]:
        """Return (bids, asks), best first, as deep as known; the quote alone where no depth is."""

    def instrument(self, venue: str, symbol: str) -> Instrument | None:
        """Return the metadata, or None: then nothing can be traded."""

    def position(self, venue: str, symbol: str) -> Position:
        """Return the net position, flat if there never was one."""

    def positions(self) -> tuple[Position, ...]:
        """Return every position that is not flat, by venue and symbol."""

    def level(self, venue: str, symbol: str, intent: str) -> Level:
        """Return the level that policy has in force for such an order."""


class StrategyView(View, Protocol):
    """What strategies see beside that: how large an entry may be, and against what."""

    def in_quote(self, symbol: str) -> str:
        """Return the symbol to enter in place of `symbol`: the same coin in the next preferred quote.

        That is `symbol` itself where its quote is not denied, and where the coin is not traded in what is left.
        """

    def sized(self, venue: str, symbol: str, usual: Decimal) -> Sized:
        """Return what an entry of the usual size `usual` (quote currency) is to be worth: risk parity, its caps."""
