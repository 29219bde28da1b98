"""The account of an import: every line is used, skipped for a reason, or damaged.

Nothing is dropped silently: `unaccounted` is computed from what was read, not from what
was counted, so that a forgotten case shows.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal

from engine.model.instruments import Instrument, MarketKind
from engine.model.market import DepthDelta, DepthSnapshot, Quote, Trade
from engine.ports.feed import TapeHeader

QUOTES = ("FDUSD", "USDT", "USDC", "BUSD", "TUSD", "USD", "EUR", "BTC", "ETH", "BNB")
"""Quote currencies by which a bare symbol is split, longest match first where they overlap."""
PERPETUAL_VENUES = ("binanceusdm",)
DEFAULT_MIN_NOTIONAL = Decimal(5)
DEFAULT_MAX_QUANTITY = Decimal(10_000_000)
FINEST = 8
"""Decimals at most: what is finer has been through arithmetic, not through a venue."""
MOST_NAMED = 100
"""Damaged places kept by name; the rest is counted."""


@dataclass(slots=True, kw_only=True)
class Account:
    """What became of every line (or row) of the imported files."""

    lines: int = 0
    used: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    damaged: int = 0
    damage: list[str] = field(default_factory=list)
    """`file:line: what`, the first MOST_NAMED."""
    added: Counter[str] = field(default_factory=Counter)
    """Events that no line held: instruments, the connection's opening."""
    notes: list[str] = field(default_factory=list)
    """What was assumed, and how to say otherwise."""

    @property
    def unaccounted(self) -> int:
        """Return how many lines are neither used, skipped nor damaged: always 0, or the importer is wrong."""
        return self.lines - self.used.total() - self.skipped.total() - self.damaged

    def damaged_at(self, place: str, what: str) -> None:
        """Count one damaged line and keep its place."""
        self.damaged += 1
        if len(self.damage) < MOST_NAMED:
            self.damage.append(f"{place}: {what}")

    def note(self, text: str) -> None:
        """Keep `text` once."""
        if text not in self.notes:
            self.notes.append(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOptions:
    """What the person says about the files; None to read it off them."""

    venue: str | None = None
    symbol: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """The result: the tape's header and the account."""

    header: TapeHeader
    account: Account


class Fineness:
    """The most decimals seen in prices and sizes of each instrument: its tick and step, if nobody says better."""

    def __init__(self) -> None:
        """Nothing is seen yet."""
        self._price: dict[tuple[str, str], int] = {}
        self._size: dict[tuple[str, str], int] = {}

    def see(self, venue: str, symbol: str, price: str, size: str) -> None:
        """Learn from one price and one size as they are written."""
        key = (venue, symbol)
        self._price[key] = max(self._price.get(key, 0), _decimals(price))
        self._size[key] = max(self._size.get(key, 0), _decimals(size))

    def see_event(self, event: Quote | Trade | DepthDelta | DepthSnapshot) -> None:
        """Learn from the shortest texts of an event's numbers."""
        if isinstance(event, Quote):
            pairs: tuple[tuple[float, float], ...] = ((event.bid, event.bid_size), (event.ask, event.ask_size))
        elif isinstance(event, Trade):
            pairs = ((event.price, event.size),)
        else:
            pairs = (*event.bids, *event.asks)
        for price, size in pairs:
            self.see(event.venue, event.symbol, plain(price), plain(size))

    def instruments(self) -> list[Instrument]:
        """Return an instrument for each thing seen: tick and step are one unit of the last decimal."""
        return [self._instrument(venue, symbol) for venue, symbol in self._price]

    def _instrument(self, venue: str, symbol: str) -> Instrument:
        base, quote = split_symbol(symbol)
        perpetual = venue in PERPETUAL_VENUES or symbol.lower().endswith("perp") or symbol.endswith(".perpetual")
        step = Decimal(1).scaleb(-self._size[(venue, symbol)])
        return Instrument(
            venue=venue, symbol=symbol, base=base, quote=quote,
            kind=MarketKind.PERPETUAL if perpetual else MarketKind.SPOT,
            tick=Decimal(1).scaleb(-self._price[(venue, symbol)]), step=step, min_quantity=step,
            max_quantity=DEFAULT_MAX_QUANTITY, min_notional=DEFAULT_MIN_NOTIONAL,
        )


def plain(value: float) -> str:
    """Return `value` without an exponent, as short as it reads back."""
    return format(Decimal(repr(value)), "f")


def _decimals(text: str) -> int:
    _, point, fraction = text.partition(".")
    return min(FINEST, len(fraction.rstrip("0"))) if point else 0


def split_symbol(symbol: str) -> tuple[str, str]:
    """Return (base, quote) of a symbol such as BTCUSDT or BTCPERP; the quote is USD where nothing tells."""
    symbol = symbol.partition(".")[0].removesuffix("PERP")
    for quote in QUOTES:
        if symbol.endswith(quote) and len(symbol) > len(quote):
            return symbol.removesuffix(quote), quote
    return symbol, "USD"
