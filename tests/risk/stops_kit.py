"""A stop validator, an account that the test writes, and a venue that does what the test tells it to do.

The ledger here is as plain as can be: a record changes when the venue says something, and
a cancel of the last stop of an open position is refused, as execution refuses it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from engine.model.answers import AccountReported, OrderAbsent, OrderFound, ProbeAnswered, QueryFailed
from engine.model.codec import canonical
from engine.model.effects import AskVenue, Notify, PlanMade
from engine.model.events import (
    Event,
    Input,
    OrderAccepted,
    OrderCancelled,
    OrderFilled,
    OrderRejected,
    OrderTriggered,
    OrderUncertain,
)
from engine.model.fills import Fill, Liquidity, Position
from engine.model.flags import FlagValue
from engine.model.instruments import Instrument, MarketKind
from engine.model.ledger import OrderRecord, Progress, progress_of
from engine.model.market import Levels, Quote
from engine.model.orders import Cancellation, Closing, Intent, OrderKind, OrderState, Proposal, Side
from engine.model.reports import OrderReport, PositionReport, Query, Rejection
from engine.model.restraints import InForce, Level
from engine.model.samples import Derived
from engine.model.time import MS, SECOND
from engine.model.wishes import Wish
from engine.risk.stops import StopValidator
from engine.risk.stops_watch import DEFAULTS

T0 = 1_000_000 * SECOND
VENUE, SYMBOL = "binanceusdm", "XYZUSDT"
XYZ = Instrument(
    venue=VENUE, symbol=SYMBOL, base="XYZ", quote="USDT", kind=MarketKind.PERPETUAL, tick=Decimal("0.1"),
    step=Decimal(1), min_quantity=Decimal(1), max_quantity=Decimal(1000), min_notional=Decimal(5),
)
STRATEGY = "event_breakout"


@dataclass
class World:
    """Everything the validator sees, and everything it wished."""

    live: bool = True
    at: int = T0
    account: str = "main"
    flags: Mapping[str, FlagValue] = field(default_factory=lambda: dict(DEFAULTS))
    validator: StopValidator = field(default_factory=StopValidator)
    instruments: dict[tuple[str, str], Instrument] = field(default_factory=lambda: {(VENUE, SYMBOL): XYZ})
    quotes: dict[str, Quote] = field(default_factory=dict)
    held: dict[str, Position] = field(default_factory=dict)
    records: dict[str, OrderRecord] = field(default_factory=dict)
    wishes: list[Wish] = field(default_factory=list)
    samples: dict[tuple[str, tuple[str, ...]], float | str | bool] = field(default_factory=dict)
    events: Counter[str] = field(default_factory=Counter)
    """How often each signal was told."""
    refuses: bool = False
    """Policy refuses every proposal."""
    cutting: bool = False
    """The validator is dumped and loaded after every step."""
    numbered: int = 0
    between: Callable[[], None] = field(default=lambda: None)
    """What execution does after the event, before the validator is asked what it wishes."""

    def __post_init__(self) -> None:
        self.shows(100)
        self.validator.on_instrument(XYZ)
        self.validator.begin(self.at, (VENUE,) if self.live else ())

    # The view and the orders.

    def quote(self, venue: str, symbol: str) -> Quote | None:
        return self.quotes.get(symbol)

    def depth(self, venue: str, symbol: str) -> tuple[Levels, Levels]:
        return (), ()

    def instrument(self, venue: str, symbol: str) -> Instrument | None:
        return self.instruments.get((venue, symbol))

    def position(self, venue: str, symbol: str) -> Position:
        return self.held.get(symbol, Position(account="main", venue=venue, symbol=symbol))

    def positions(self) -> tuple[Position, ...]:
        return tuple(one for one in self.held.values() if one.quantity != 0)

    def level(self, venue: str, symbol: str, intent: str) -> Level:
        return Level.NORMAL

    def order(self, client_id: str) -> OrderRecord | None:
        return self.records.get(client_id)

    def attempts(self, proposer: str, purpose: str) -> tuple[OrderRecord, ...]:
        return tuple(one for one in self.records.values() if (one.proposer, one.purpose) == (proposer, purpose))

    def latest(self, proposer: str, purpose: str) -> OrderRecord | None:
        return (self.attempts(proposer, purpose) or (None,))[-1]

    def live_of(self, symbol: str) -> tuple[OrderRecord, ...]:
        return tuple(one for one in self.records.values() if one.symbol == symbol and one.live)

    # What the test says.

    def shows(self, price: float) -> None:
        """Put a quote around `price` in force."""
        self.quotes[SYMBOL] = Quote(VENUE, SYMBOL, price - 0.05, 1.0, price + 0.05, 1.0, self.at, self.at)

    def set(self, **flags: FlagValue) -> None:
        """Set flags; their prefix STOP_ is left out."""
        self.flags = {**self.flags, **{f"STOP_{name}": value for name, value in flags.items()}}

    def order_of(self, name: str, **fields: object) -> OrderRecord:
        """Put an order of the strategy into the ledger: a stop on the whole long position, unless told otherwise."""
        self.numbered += 1
        made = OrderRecord(
            client_id=name, number=self.numbered, proposer=STRATEGY, purpose=name, account="main", venue=VENUE,
            symbol=SYMBOL, side=Side.SELL, kind=OrderKind.STOP_MARKET, intent=Intent.STOP, quantity=None,
            limit_price=None, trigger_price=Decimal(97), reduce_only=False, close_position=True, replaces=None,
            sent_at=self.at, moved_at=self.at, state=OrderState.SENT, venue_order_id=f"v-{name}",
        )
        self.records[name] = replace(made, **fields)  # type: ignore[arg-type]
        return self.records[name]

    def fills(self, signed: str, price: str = "100", name: str = "entry") -> None:
        """Let an execution of `signed` base arrive."""
        quantity = Decimal(signed)
        self.numbered += 1
        fill = Fill(
            client_id=name, trade_id=f"t{self.numbered}", venue=VENUE, symbol=SYMBOL,
            side=Side.BUY if quantity > 0 else Side.SELL, price=Decimal(price), quantity=abs(quantity), fee=Decimal(0),
            liquidity=Liquidity.TAKER, reference_price=Decimal(price), intent=Intent.ENTRY, venue_at=self.at,
            sent_at=self.at,
        )
        self.held[SYMBOL] = self.position(VENUE, SYMBOL).after(fill)
        self.take(OrderFilled(fill=fill, remaining=None))

    def accept(self, name: str) -> None:
        self._move(name, OrderState.OPEN)
        self.take(OrderAccepted(client_id=name, venue_order_id=f"v-{name}", venue_at=self.at))

    def cancelled(self, name: str, reason: str = "expired") -> None:
        self._move(name, OrderState.CANCELLED)
        self.take(OrderCancelled(client_id=name, remaining=Decimal(0), reason=reason, venue_at=self.at))

    def reject(self, name: str, kind: Rejection = Rejection.OTHER) -> None:
        self._move(name, OrderState.REJECTED)
        self.take(OrderRejected(client_id=name, code="-1", reason="no", venue_at=self.at, kind=kind))

    def trigger(self, name: str) -> None:
        self.take(OrderTriggered(client_id=name, trigger_price=Decimal(97), venue_at=self.at))

    def doubt(self, name: str) -> None:
        self._move(name, OrderState.UNKNOWN)
        self.take(OrderUncertain(client_id=name, reason="timeout", venue_at=self.at))

    def absent(self, name: str, *, conditional: bool = True) -> None:
        self.take(OrderAbsent(ask=1, client_id=name, conditional=conditional, venue_at=self.at))

    def found(self, name: str, state: OrderState = OrderState.OPEN) -> None:
        listed = report_of(self.records[name], state)
        self.take(OrderFound(ask=1, client_id=name, report=listed, venue_at=self.at))

    def failed(self, query: Query, name: str = "") -> None:
        self.take(QueryFailed(ask=1, query=query, venue=VENUE, reason="timeout", venue_at=self.at, client_id=name))

    def probed(self, able: bool, what: str = "") -> None:
        self.take(ProbeAnswered(ask=1, venue=VENUE, symbol=SYMBOL, able=able, what=what, venue_at=self.at))

    def reported(self, *names: str, strangers: Sequence[OrderReport] = (), as_of: int = 0) -> None:
        """Let the account be reported with the orders `names` open, and with the position as it is."""
        orders = tuple(report_of(self.records[name], OrderState.OPEN) for name in names)
        positions = tuple(
            PositionReport(venue=VENUE, symbol=one.symbol, quantity=one.quantity, entry_price=one.average_price)
            for one in self.positions()
        )
        self.take(AccountReported(
            ask=1, venue=VENUE, positions=positions, orders=(*orders, *strangers), balances=(),
            as_of=as_of or self.at, venue_at=self.at,
        ))

    def _move(self, name: str, state: OrderState) -> None:
        self.records[name] = replace(self.records[name], state=state, moved_at=self.at)

    # What the core does with the validator.

    def take(self, event: Event) -> list[Wish]:
        """Let `event` arrive; return what was wished because of it."""
        view = _View(self)
        self._note(self.validator.on_event(Input(1, self.at, event), self, view))
        self.between()
        return self._do(self.validator.after_event(self.at, self, view))

    def passes(self, seconds: float) -> list[Wish]:
        """Let time go by; return what was wished meanwhile."""
        end, began = self.at + round(seconds * SECOND), len(self.wishes)
        view, fired = _View(self), 0
        while (due := self.validator.next_due()) is not None and due <= end:
            self.at = max(self.at, due)
            self._note(self.validator.on_timer(self.at, self, view))
            self._do(self.validator.due(self.at, self, view))
            fired += 1
            assert fired < 100 + 3 * seconds, "the validator wants to be woken all the time"
        self.at = end
        return self.wishes[began:]

    def _note(self, samples: Sequence[Derived]) -> None:
        self.samples.update({(one.name, one.labels): one.value for one in samples})
        self.events.update(one.name for one in samples)

    def _do(self, wishes: list[Wish]) -> list[Wish]:
        self.wishes += wishes
        for wish in wishes:
            if isinstance(wish, Proposal) and self.refuses:
                self.validator.on_refused(self.at, wish, "test")
            elif isinstance(wish, Proposal):
                self._plan(wish)
            elif isinstance(wish, Cancellation):
                record = self.records[wish.client_id]
                self.records[wish.client_id] = replace(record, cancel_asked=True, state=OrderState.CANCELLING)
        if self.cutting:
            self.cut()
        return wishes

    def _plan(self, wish: Proposal) -> None:
        assert not self.attempts(wish.proposer, wish.purpose), "a purpose is planned once"
        self.order_of(
            f"rb-{self.numbered + 1}", proposer=wish.proposer, purpose=wish.purpose, side=wish.side, kind=wish.kind,
            intent=wish.intent, quantity=wish.quantity, limit_price=wish.limit_price,
            trigger_price=wish.trigger_price, reduce_only=wish.reduce_only, close_position=wish.close_position,
            replaces=wish.replaces,
        )

    def cut(self) -> None:
        """Replace the validator by what its dump loads."""
        data = self.validator.dump()
        text = canonical(data)
        self.validator = StopValidator()
        self.validator.load(data)
        assert canonical(self.validator.dump()) == text

    # What the test asks.

    def placed(self) -> list[Proposal]:
        return [one for one in self.wishes if isinstance(one, Proposal)]

    def last(self) -> str:
        """Return the client id of the last order that the validator placed."""
        return [one.client_id for one in self.records.values() if one.proposer == "stops"][-1]

    def closings(self) -> list[Closing]:
        return [one for one in self.wishes if isinstance(one, Closing)]

    def swept(self) -> list[str]:
        return [one.client_id for one in self.wishes if isinstance(one, Cancellation)]

    def told(self, to: str) -> list[str]:
        return [one.text for one in self.wishes if isinstance(one, Notify) and one.to == to]

    def story(self) -> list[str]:
        return [one.state for one in self.wishes if isinstance(one, PlanMade)]

    def asked(self, query: Query) -> list[AskVenue]:
        return [one for one in self.wishes if isinstance(one, AskVenue) and one.query is query]

    def holds(self) -> dict[str, InForce]:
        return {one.instance: one for one in self.validator.holds()}

    def unprotected(self) -> float | str | bool | None:
        return self.samples.get(("unprotected_s", (VENUE, SYMBOL)))

    def row(self) -> dict[str, object]:
        (row,) = self.validator.report(self)["positions"]
        return dict(row)


class _View:
    """The world as an `OrdersView`, whose `live` is a method."""

    def __init__(self, world: World) -> None:
        self.order, self.attempts, self.latest = world.order, world.attempts, world.latest
        self._world = world

    def live(self, venue: str, symbol: str) -> tuple[OrderRecord, ...]:
        return self._world.live_of(symbol) if venue == VENUE else ()

    def progress(self, proposer: str, purpose: str) -> Progress:
        return progress_of(self.attempts(proposer, purpose))


def report_of(record: OrderRecord, state: OrderState) -> OrderReport:
    """Return how the venue lists `record`."""
    return OrderReport(
        client_id=record.client_id, venue_order_id=record.venue_order_id, venue=record.venue, symbol=record.symbol,
        side=record.side, kind=record.kind, state=state, quantity=record.quantity, trigger_price=record.trigger_price,
        reduce_only=record.reduce_only, close_position=record.close_position, conditional=record.conditional,
    )


def protected(**options: bool) -> World:
    """Return a world with 10 held at 100, its stop at 97 acknowledged, and a venue that takes stops."""
    world = World(**options)  # type: ignore[arg-type]
    if world.live:
        world.reported()
        world.probed(able=True)
    world.order_of("entry", kind=OrderKind.MARKET, intent=Intent.ENTRY, close_position=False, quantity=Decimal(10),
                   state=OrderState.FILLED, filled=Decimal(10), side=Side.BUY, trigger_price=None)
    world.fills("10")
    world.order_of("stop")
    world.passes(0.1)
    world.accept("stop")
    world.at += MS
    return world
