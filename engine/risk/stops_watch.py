"""What the stop validator knows of one symbol, what it may do, and one look at both.

A watch outlives the position: how often a symbol was repaired within the hour must not be
forgotten because the position was closed and opened again. All instants are ns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from engine.model.fills import Position
from engine.model.flags import FlagValue
from engine.model.instruments import Instrument, MarketKind
from engine.model.ledger import OrderRecord, OrdersView
from engine.model.orders import Side
from engine.model.time import SECOND
from engine.model.view import View

PROPOSER = "stops"
RULE = "engine.stops"
"""Under this name the validator speaks to people and restrains."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the flags say. Durations in ns."""

    enabled: bool
    grace: int
    """How long whoever opened the position has for placing its stop."""
    interval: int
    repair: bool
    repair_tp: bool
    loss_pct: Decimal
    """Where a stop goes when nobody knows where the last one was, in percent of the entry price."""
    budget: int
    confirmations: int
    triggered: int
    probe: bool


DEFAULTS: Mapping[str, FlagValue] = {
    "STOP_VALIDATOR_ENABLED": True, "STOP_VALIDATOR_GRACE_SEC": 10.0, "STOP_VALIDATOR_INTERVAL_SEC": 15.0,
    "STOP_VALIDATOR_CONFIRMATIONS": 2.0, "STOP_VALIDATOR_REPAIR": True, "STOP_VALIDATOR_REPAIR_TP": False,
    "STOP_VALIDATOR_SL_PCT": 3.0, "STOP_VALIDATOR_BUDGET": 5.0, "STOP_TRIGGERED_SEC": 5.0, "STOP_PROBE_ENABLED": True,
}
"""As in conf/flags.yaml. A file that lacks one of them was not written to leave positions without stops."""


def settings_of(flags: Mapping[str, FlagValue]) -> Settings:
    """Return the settings that `flags` give."""
    def number(name: str) -> float:
        return float(flags.get(name, DEFAULTS[name]))

    def switch(name: str) -> bool:
        return bool(flags.get(name, DEFAULTS[name]))

    return Settings(
        enabled=switch("STOP_VALIDATOR_ENABLED"), grace=round(number("STOP_VALIDATOR_GRACE_SEC") * SECOND),
        interval=round(number("STOP_VALIDATOR_INTERVAL_SEC") * SECOND), repair=switch("STOP_VALIDATOR_REPAIR"),
        repair_tp=switch("STOP_VALIDATOR_REPAIR_TP"), loss_pct=Decimal(str(number("STOP_VALIDATOR_SL_PCT"))),
        budget=round(number("STOP_VALIDATOR_BUDGET")), confirmations=round(number("STOP_VALIDATOR_CONFIRMATIONS")),
        triggered=round(number("STOP_TRIGGERED_SEC") * SECOND), probe=switch("STOP_PROBE_ENABLED"),
    )


@dataclass(slots=True, kw_only=True)
class Doubt:
    """Evidence that a stop, which we take for live, is gone: consecutive, and void with the first sign of life."""

    since: int
    lists: int = 0
    """Reports of the whole account, in a row, that did not have it."""
    lookups: int = 0
    """Answers, in a row, that its book does not know its id."""
    counted_at: int = 0
    """When a lookup last counted: two answers to one question are one."""
    ask_at: int = 0
    """When it is to be looked up next."""
    gone: bool = False
    """Enough of it: it protects nobody until it is seen again."""


@dataclass(slots=True, kw_only=True)
class TakeProfit:
    """A take-profit order of the open position that is remembered, and since when nobody has it (0: it is there)."""

    client_id: str
    purpose: str
    gone_at: int = 0


@dataclass(slots=True, kw_only=True)
class Watch:
    """One (venue, symbol): its position's side, its stop, and what was done about it."""

    venue: str
    symbol: str
    sign: int = 0
    """+1 long, -1 short, 0 flat (or too little to be sold)."""
    since: int = 0
    """Since when it has been so."""
    bare_since: int = 0
    """Since when no stop is proven; 0 while one is."""
    begun_at: int = 0
    """When this process began: what it has not heard yet is not missing, so the grace begins anew."""
    missing: bool = False
    """It was called missing, and has not come back."""
    stop: str = ""
    """Client id of the stop that protects, or venue id of one that only the venue's report knows."""
    trigger: Decimal | None = None
    """Where it is, or the last one was."""
    stop_since: int = 0
    proven_at: int = 0
    reported: str = ""
    """A stop of somebody else that covers the position, as the last report had it."""
    reported_trigger: Decimal | None = None
    word_at: int = 0
    """When the venue last refused a stop because there is one already: its word for one that we do not see."""
    doubts: dict[str, Doubt] = field(default_factory=dict)
    triggered: dict[str, int] = field(default_factory=dict)
    """Stops that triggered, and when we heard of it; until they are filled."""
    purpose: str = ""
    """Of the repair under way."""
    refused_as: str = ""
    """Why the venue refused it, a `Rejection`."""
    repairs: list[int] = field(default_factory=list)
    """When repairs were sent, within the hour."""
    numbered: int = 0
    retry_at: int = 0
    failures: int = 0
    """Repairs in a row that came to nothing."""
    exhausted: bool = False
    """The budget was spent, and half of it has not come back yet."""
    closing: str = ""
    """Name of the closing that was asked for."""
    closings: int = 0
    flat_at: int = 0
    """As of when the venue last said that nothing is held; 0 where this process was not told."""
    surplus_since: int = 0
    """Since when there are stops that must not be."""
    swept: dict[str, int] = field(default_factory=dict)
    """Stops that were asked back, and when."""
    missing_total: int = 0
    repaired_total: int = 0
    told_repaired: int = 0
    """How many of them were told as events."""
    takes: list[TakeProfit] = field(default_factory=list)
    takes_repaired: list[int] = field(default_factory=list)
    news: list[tuple[str, str]] = field(default_factory=list)
    """(page, alert or a word of the story; text): told with the next wishes."""

    @property
    def side(self) -> Side:
        """The side a stop of the position must have."""
        return Side.SELL if self.sign > 0 else Side.BUY

    @property
    def key(self) -> tuple[str, str]:
        """(venue, symbol)."""
        return self.venue, self.symbol

    def ready_at(self, grace: int) -> int:
        """Return when the missing stop may be called so (ns)."""
        return max(self.bare_since, self.begun_at) + grace


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One symbol at one instant. `live` is whether real orders go there, so that its venue can be asked."""

    at: int
    view: View
    orders: OrdersView
    settings: Settings
    live: bool
    position: Position
    instrument: Instrument | None
    records: tuple[OrderRecord, ...]
    """The live orders of the symbol, oldest first."""

    @property
    def held(self) -> Decimal:
        """How much is held, in base, without its sign."""
        return abs(self.position.quantity)

    def sign(self) -> int:
        """Return the side of the position, 0 when flat, on spot, and for what is too little to be sold."""
        quantity, instrument = self.position.quantity, self.instrument
        if instrument is not None:
            # On spot there is no reduce-only, and what is held may be held for good.
            sellable = instrument.floor_quantity(abs(quantity)) >= max(instrument.min_quantity, instrument.step)
            if instrument.kind is MarketKind.SPOT or not sellable:
                return 0
        return (quantity > 0) - (quantity < 0)

    def touch(self, side: Side) -> Decimal | None:
        """Return the price at which an order of `side` would fill now, or None before the first quote."""
        quote = self.view.quote(self.position.venue, self.position.symbol)
        if quote is None:
            return None
        return Decimal(str(quote.bid if side is Side.SELL else quote.ask))

    def reference(self) -> Decimal:
        """Return the mid price, else the entry price: what slippage is measured from; 0 if neither is known."""
        quote = self.view.quote(self.position.venue, self.position.symbol)
        if quote is None:
            return self.position.average_price
        return (Decimal(str(quote.bid)) + Decimal(str(quote.ask))) / 2
