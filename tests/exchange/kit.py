"""A small market to trade on: one instrument, orders with defaults, and a driver that keeps time."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any, TypeVar

from engine.exchange.exchange import SimulatedExchange
from engine.exchange.faults import NO_FAULTS, FaultPlan
from engine.exchange.settings import ExchangeSettings, Span
from engine.model.effects import CancelOrder, PlaceOrder
from engine.model.events import OrderFilled, VenueEvent
from engine.model.fills import Fill
from engine.model.instruments import Instrument, MarketKind
from engine.model.market import DepthDelta, DepthSnapshot, Levels, Quote, Trade
from engine.model.orders import Intent, OrderKind, Side
from engine.model.time import MS

VENUE, SYMBOL = "paper", "XYZUSDT"
NOON = 1_700_000_000_000_000_000
WAY = 20 * MS
"""How long every message travels here."""

XYZ = Instrument(
    venue=VENUE, symbol=SYMBOL, base="XYZ", quote="USDT", kind=MarketKind.PERPETUAL, tick=Decimal("0.1"),
    step=Decimal("0.01"), min_quantity=Decimal("0.01"), max_quantity=Decimal(1000), min_notional=Decimal(5),
)
SPOT = replace(XYZ, symbol="SPOTUSDT", base="SPOT", kind=MarketKind.SPOT)
STEADY = ExchangeSettings(
    order_travel=Span(low=WAY, high=WAY), answer_travel=Span(low=WAY, high=WAY),
    trigger_travel=Span(low=WAY, high=WAY),
)
EventOf = TypeVar("EventOf")


def dec(text: str) -> Decimal:
    """Return `text` as Decimal; tests are full of them."""
    return Decimal(text)


def order(client_id: str = "a", side: Side = Side.BUY, quantity: str | None = "1", **other: Any) -> PlaceOrder:
    """Return a market order, or whatever `other` makes of it; prices as text."""
    for name in ("limit_price", "trigger_price"):
        if isinstance(other.get(name), str):
            other[name] = Decimal(other[name])
    kind = other.pop("kind", OrderKind.LIMIT if other.get("limit_price") is not None else OrderKind.MARKET)
    fields: dict[str, Any] = {
        "at": NOON, "account": "main", "venue": VENUE, "symbol": SYMBOL, "intent": Intent.ENTRY, "limit_price": None,
        "trigger_price": None, "reference_price": Decimal(100), "reduce_only": False, "close_position": False,
        "post_only": False, "purpose": f"test/{client_id}", "policy_version": 0,
    }
    return PlaceOrder(
        client_id=client_id, side=side, kind=kind, quantity=None if quantity is None else Decimal(quantity),
        **{**fields, **other},
    )


def stop(client_id: str, side: Side, trigger: str, quantity: str | None = None, **other: Any) -> PlaceOrder:
    """Return a stop on the whole position, or on `quantity` of it, reduce-only."""
    whole = quantity is None
    return order(
        client_id, side, quantity, kind=other.pop("kind", OrderKind.STOP_MARKET), trigger_price=trigger,
        close_position=whole, reduce_only=not whole, intent=Intent.STOP, **other,
    )


def cancel(client_id: str, *, conditional: bool = False) -> CancelOrder:
    """Return a wish to cancel."""
    return CancelOrder(at=NOON, client_id=client_id, venue=VENUE, symbol=SYMBOL, conditional=conditional, why="test")


def quote(bid: float, bid_size: float, ask: float, ask_size: float, at: int = NOON) -> Quote:
    """Return a quote of XYZ."""
    return Quote(VENUE, SYMBOL, bid, bid_size, ask, ask_size, at, at)


def trade(price: float, size: float, *, buys: bool, at: int = NOON) -> Trade:
    """Return a trade of XYZ; `buys` is the aggressor."""
    return Trade(VENUE, SYMBOL, price, size, buys, "t", at, at)


def snapshot(bids: Levels, asks: Levels, last_id: int = 100, at: int = NOON) -> DepthSnapshot:
    """Return a whole book of XYZ."""
    return DepthSnapshot(VENUE, SYMBOL, bids, asks, last_id, at, at)


def delta(bids: Levels, asks: Levels, ids: tuple[int, int, int], at: int = NOON) -> DepthDelta:
    """Return changes of XYZ's book; `ids` are first, last and previous."""
    return DepthDelta(VENUE, SYMBOL, bids, asks, *ids, at, at)


class Floor:
    """A simulated exchange and its clock. Markets and orders are given at `now`; `let` lets time pass."""

    def __init__(self, settings: ExchangeSettings = STEADY, faults: FaultPlan = NO_FAULTS) -> None:
        self.exchange = SimulatedExchange(settings, faults)
        self.exchange.define(XYZ)
        self.now = NOON
        self.told: list[tuple[int, VenueEvent]] = []

    def market(self, *events: Quote | Trade | DepthDelta | DepthSnapshot) -> None:
        """Show `events` now, each 1 ms after the one before; those stamped NOON get the present stamp."""
        for event in events:
            self.let(MS)
            stamped = replace(event, venue_at=self.now, received_at=self.now) if event.venue_at == NOON else event
            self.exchange.on_market(stamped, self.now)

    def send(self, *orders: PlaceOrder) -> None:
        """Send `orders` and wait until all answers are here."""
        for placed in orders:
            self.exchange.submit(placed, self.now)
        self.let(4 * WAY)

    def let(self, pass_ns: int) -> None:
        """Let time pass."""
        self.now += pass_ns
        while (due := self.exchange.next_due()) is not None and due <= self.now:
            self.told += self.exchange.pop_due(due)

    def events(self, kind: type[EventOf], client_id: str | None = None) -> list[EventOf]:
        """Return what was told so far of one kind (and of one order)."""
        found = [event for _, event in self.told if isinstance(event, kind)]
        return [event for event in found if client_id is None or _client(event) == client_id]

    def fills(self, client_id: str | None = None) -> list[Fill]:
        """Return the fills told so far."""
        return [event.fill for event in self.events(OrderFilled, client_id)]

    def words(self, client_id: str) -> list[str]:
        """Return the names of all that was told about an order, in order."""
        return [type(event).__name__ for _, event in self.told if _client(event) == client_id]

    def held(self) -> Decimal:
        """Return the position."""
        return self.exchange.position(VENUE, SYMBOL).quantity

    def open_ids(self) -> list[str]:
        """Return the client ids of the live orders."""
        return [working.order.client_id for working in self.exchange.open_orders()]


def _client(event: object) -> str:
    return event.fill.client_id if isinstance(event, OrderFilled) else getattr(event, "client_id", "")


def bought(quantity: str = "1") -> Floor:
    """Return a floor at 99.9/100.1 on which `quantity` is held, bought at 100.1, and the book is fresh again."""
    floor = Floor()
    floor.market(quote(99.9, 50, 100.1, 50))
    floor.send(order("entry", Side.BUY, quantity))
    floor.market(quote(99.9, 51, 100.1, 51))
    return floor
