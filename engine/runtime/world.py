"""The outside of a run on the real clock: the venue, the feeds, and how they reach the engine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from engine.model.effects import Effect, FillBooked, PlaceOrder, PositionAdopted
from engine.model.flags import FlagValue
from engine.model.instruments import Instrument, MarketKind
from engine.ports.clock import Clock
from engine.ports.live_feed import LiveFeed, TellMarket
from engine.ports.venue import Gate, LiveVenue, Tell
from engine.risk.sizer import SPAN
from engine.risk.wanted import wanted
from engine.runtime.settings_live import LiveSettings

Watch = Callable[[tuple[str, ...]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ears:
    """What the outside is given of the engine. `trades` says whether real orders are to leave."""

    clock: Clock
    tell: Tell
    tell_market: TellMarket
    gate: Gate
    environment: Mapping[str, str]
    trades: bool
    listen: bool
    """Whether the account's stream is listened to."""
    bars: tuple[str, ...] = ()
    """Lengths of the bars that sizes and risks are made of, such as 1h."""
    checks: bool = False
    """Whether it is all for a checklist, and over then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The outside. `watch` has the market of further symbols told; `resync` a book of which something was dropped."""

    venue: LiveVenue
    feeds: tuple[LiveFeed, ...]
    watch: Watch
    resync: Callable[[str], None]


def bars_wanted(flags: Mapping[str, FlagValue]) -> tuple[str, ...]:
    """Return which bars the core makes use of: those that sizes are made of, and days."""
    return tuple(dict.fromkeys((str(wanted(flags, SPAN)), "1d")))


def of_same_coins(symbols: Sequence[str], known: Iterable[Instrument]) -> tuple[str, ...]:
    """Return `symbols` and every perpetual of the same coins in another quote, which may be traded in their place."""
    listed = tuple(known)
    coins = {one.base for one in listed if one.symbol in symbols}
    others = sorted(one.symbol for one in listed if one.base in coins and one.kind is MarketKind.PERPETUAL)
    return tuple(dict.fromkeys((*symbols, *others)))


def willing(watch: Watch, warn: Callable[[str], None]) -> Watch:
    """Return `watch` that never raises: a name that no market can be asked for must not end what guards the others."""
    def watching(symbols: tuple[str, ...]) -> None:
        try:
            watch(symbols)
        except ValueError as error:
            warn(f"not watched: {error}")

    return watching


def held_or_ordered(effect: Effect) -> str:
    """Return the symbol that `effect` orders, fills or takes over, empty where it does none: its market is needed."""
    if isinstance(effect, FillBooked):
        return effect.fill.symbol
    return effect.symbol if isinstance(effect, PlaceOrder | PositionAdopted) else ""


Builder = Callable[[LiveSettings, Ears], World]
"""Makes the outside from its settings; VenueRefused where that cannot be."""
