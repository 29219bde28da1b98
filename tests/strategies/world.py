"""A small world for the rooms of the upper floor: a simulated exchange, a real review, virtual time.

It does in a few lines what the core does in many: it orders events by their instants,
fires timers before them, reviews every proposal and sends what was planned.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal

from engine.exchange.exchange import SimulatedExchange
from engine.exchange.faults import NO_FAULTS, FaultPlan
from engine.exchange.settings import ExchangeSettings, Span
from engine.execution.desk import Execution
from engine.model.codec import Data, canonical, encode
from engine.model.effects import AskVenue, CancelOrder, Effect, OrderRefused, PlaceOrder, PlanMade
from engine.model.events import (
    Event,
    Input,
    InstrumentDefined,
    OrderFilled,
    OrderUncertain,
    OrderWithheld,
    VenueEvent,
)
from engine.model.fills import Position
from engine.model.flags import FlagValue
from engine.model.instruments import Instrument, MarketKind
from engine.model.market import Announcement, DepthSnapshot, Levels, MarketEvent, Quote
from engine.model.orders import Cancellation, Closing, OrderKind, Proposal
from engine.model.restraints import EVERYTHING, InForce, Level, Restraint
from engine.model.samples import Derived
from engine.model.sizing import Sized
from engine.model.time import MS, SECOND, parse_instant
from engine.model.truth import Truth
from engine.model.wishes import Wish
from engine.policy.join import Policy
from engine.policy.review import Approved, Circumstances, Verdict, review
from engine.risk.guardian import Guardian
from engine.strategies.event_breakout import EventBreakout

NOON = parse_instant("2026-03-02T12:00:00Z")
VENUE, SYMBOL = "paper", "XYZUSDT"
XYZ = Instrument(
    venue=VENUE, symbol=SYMBOL, base="XYZ", quote="USDT", kind=MarketKind.PERPETUAL, tick=Decimal("0.001"),
    step=Decimal("0.1"), min_quantity=Decimal("0.1"), max_quantity=Decimal(100_000), min_notional=Decimal(5),
)
FLAGS: dict[str, FlagValue] = {
    "EVENT_BREAKOUT_ENABLED": True, "EVENT_BREAKOUT_DRY_RUN": False, "EVENT_BREAKOUT_METRICS": True,
    "EVENT_BREAKOUT_SIZE_USD": 2000.0, "EVENT_BREAKOUT_HALF_SIZE_MINUTES": 5.0,
    "EVENT_BREAKOUT_WINDOW_MINUTES": 20.0, "EVENT_BREAKOUT_TRIGGER_BPS": 100.0, "EVENT_BREAKOUT_SL_PCT": 3.0,
    "EVENT_BREAKOUT_TRAIL_PCT": 2.0, "EVENT_BREAKOUT_TRAIL_START_PCT": 2.0, "EVENT_BREAKOUT_TRAIL_STEP_PCT": 0.5,
    "EVENT_BREAKOUT_TIME_STOP_MINUTES": 45.0, "EVENT_BREAKOUT_TP1_PCT": 3.0, "EVENT_BREAKOUT_TP2_PCT": 5.0,
    "EVENT_BREAKOUT_TP3_PCT": 8.0, "EVENT_BREAKOUT_TP_RUNG_PCT": 25.0, "ACCOUNT_EQUITY_USD": 10_000.0,
}
STEADY = ExchangeSettings(
    order_travel=Span(low=20 * MS, high=20 * MS), answer_travel=Span(low=10 * MS, high=10 * MS),
    trigger_travel=Span(low=5 * MS, high=5 * MS), uncertain_after=2 * SECOND, leverage=Decimal(20),
)


class World:
    """All of it, from quote to fill. It is the `View`, too. `size` is what each level of the book holds, base."""

    def __init__(self, *, flags: dict[str, FlagValue] | None = None, faults: FaultPlan = NO_FAULTS) -> None:
        self.account = "main"
        self.flags: Mapping[str, FlagValue] = FLAGS | (flags or {})
        self.at = NOON
        self.size = 1000.0
        self.exchange = SimulatedExchange(STEADY, faults)
        self.execution, self.breakout, self.guardian = Execution(), EventBreakout(), Guardian()
        self.execution.begin("t1", 0, ())
        self.policy = Policy((), 1)
        self.quotes_in_place: dict[str, str] = {}
        """What is entered in place of a symbol whose quote is denied."""
        self.refuses: Callable[[Proposal], bool] = lambda proposal: False
        self.withholds: Callable[[PlaceOrder], bool] = lambda order: False
        self.loses: Callable[[PlaceOrder], bool] = lambda order: False
        self.sizes: Callable[[Decimal], Sized] = lambda usual: Sized(notional=usual)
        self.effects: list[Effect] = []
        self.asked: list[Proposal] = []
        self.derived: list[Derived] = []
        self.seq = 0
        self._quotes: dict[tuple[str, str], Quote] = {}
        self._instruments: dict[tuple[str, str], Instrument] = {}
        self._told: list[VenueEvent] = []

    # The View.

    def quote(self, venue: str, symbol: str) -> Quote | None:
        return self._quotes.get((venue, symbol))

    def depth(self, venue: str, symbol: str) -> tuple[Levels, Levels]:
        quote = self._quotes.get((venue, symbol))
        return ((), ()) if quote is None else book(quote)

    def instrument(self, venue: str, symbol: str) -> Instrument | None:
        return self._instruments.get((venue, symbol))

    def position(self, venue: str, symbol: str) -> Position:
        return self.execution.position(self.account, venue, symbol)

    def positions(self) -> tuple[Position, ...]:
        return tuple(one for one in self.execution.positions() if one.quantity != 0)

    def level(self, venue: str, symbol: str, intent: str) -> Level:
        return self.policy.restraint((self.account, venue, symbol, intent)).level

    def in_quote(self, symbol: str) -> str:
        return self.quotes_in_place.get(symbol, symbol)

    def sized(self, venue: str, symbol: str, usual: Decimal) -> Sized:
        return self.sizes(usual)

    # What happens.

    def define(self, instrument: Instrument = XYZ) -> None:
        self.take(InstrumentDefined(instrument=instrument, venue_at=self.at))

    def announce(self, *symbols: str, age: int = SECOND, kind: str = "listing", name: str = "a1") -> None:
        self.take(Announcement(VENUE, name, kind, "news", symbols or (SYMBOL,), self.at - age, self.at))

    def price(self, mid: float, *, after: int = SECOND, spread_bps: float = 4.0, symbol: str = SYMBOL) -> None:
        """Let `after` ns pass, then show a book around `mid`."""
        self.pass_time(after)
        half = mid * spread_bps / 20_000.0
        bid, ask = round(mid - half, 3), round(mid + half, 3)
        shown = Quote(VENUE, symbol, bid, self.size, ask, self.size, self.at, self.at)
        bids, asks = book(shown)
        self.exchange.on_market(DepthSnapshot(VENUE, symbol, bids, asks, self.seq, self.at, self.at), self.at)
        self.take(shown)

    def tell_flags(self) -> None:
        """Let the strategy know that `flags` are others now."""
        self.dispatch(self.breakout.on_flags(self.at, self, self.execution))

    def impose(self, level: Level) -> None:
        held = InForce(
            rule="guard.test", instance="guard.test", scope=EVERYTHING, restraint=Restraint(level=level),
            because="firing", since=self.at, ends="", clear_with="",
        )
        self.policy = Policy((held,), self.policy.version + 1)
        self._perform(self.execution.on_policy(self.at, self))

    def pass_time(self, duration: int) -> None:
        """Let timers and the exchange's answers happen, each at its instant."""
        end = self.at + duration
        while True:
            instants = [due for due in (self.exchange.next_due(), self._next_due()) if due is not None and due <= end]
            if not instants:
                break
            self.at = max(self.at, min(instants))
            self._fire()
            self._hear()
            for reached_at, event in self.exchange.pop_due(self.at):
                assert reached_at <= self.at
                self.take(event)
        self.at = end

    def take(self, event: Event) -> None:
        """Take one event at this instant, as the core would."""
        self._fire()
        self.seq += 1
        item = Input(self.seq, self.at, event)
        if isinstance(event, Quote):
            self._quotes[event.venue, event.symbol] = event
        if isinstance(event, InstrumentDefined):
            self._instruments[event.instrument.venue, event.instrument.symbol] = event.instrument
        if isinstance(event, MarketEvent | InstrumentDefined):
            self.exchange.on_market(event, self.at)
        is_order = hasattr(event, "client_id") or isinstance(event, OrderFilled)
        if is_order:
            self.derived += self.execution.on_event(item, self)
        if self.guardian.interested(event):
            self.derived += self.guardian.on_event(item, self)
        if is_order or self.breakout.interested(event):
            self.dispatch(self.breakout.on_event(item, self, self.execution))
        if is_order:
            self.dispatch(self.execution.after_event(self.at, self))
        if self.execution.has_targets():
            self.dispatch(self.execution.converge(self.at, self))
        self._hear()

    def _hear(self) -> None:
        """Take what sending itself has to say."""
        told, self._told = self._told, []
        for answer in told:
            self.take(answer)

    def _next_due(self) -> int | None:
        instants = (self.breakout.next_due(), self.execution.next_due(), self.guardian.next_due())
        return min((due for due in instants if due is not None), default=None)

    def _fire(self) -> None:
        for _ in range(100):
            due = self._next_due()
            if due is None or due > self.at:
                return
            self.derived += self.guardian.on_timer(self.at, self)
            self.derived += self.execution.on_timer(self.at, self)
            self.dispatch(self.breakout.on_timer(self.at, self, self.execution))
            self.dispatch(self.execution.due(self.at, self))
            if self.execution.has_targets():
                self.dispatch(self.execution.converge(self.at, self))
        raise AssertionError(f"timers due at {self._next_due()} never end at {self.at}")

    def dispatch(self, wishes: Iterable[Wish]) -> None:
        for wish in wishes:
            if isinstance(wish, Proposal):
                self._review(wish)
            elif isinstance(wish, Cancellation):
                self._perform(self.execution.plan(self.at, (), (wish,), self.policy.version))
            elif isinstance(wish, Closing):
                self.effects += self.execution.close(self.at, wish)
            elif isinstance(wish, AskVenue):
                self._perform([self.execution.number(wish)])
            elif isinstance(wish, Derived):
                self.derived.append(wish)
            else:
                self.effects.append(wish)

    def _review(self, proposal: Proposal) -> None:
        self.asked.append(proposal)
        verdict = review(proposal, self._circumstances(proposal))
        if isinstance(verdict, Approved):
            self._perform(self.execution.plan(self.at, (verdict,), (), self.policy.version))
            return
        self.effects.append(OrderRefused(
            at=self.at, proposer=proposal.proposer, purpose=proposal.purpose, intent=proposal.intent,
            venue=proposal.venue, symbol=proposal.symbol, side=proposal.side, reason=verdict.reason,
            detail=verdict.detail(), rules=verdict.rules,
        ))
        self.dispatch(self.breakout.on_refused(self.at, proposal, verdict.reason))
        self.execution.on_refused(self.at, proposal, verdict.reason)

    def _circumstances(self, proposal: Proposal) -> Circumstances:
        verdict = Verdict(rule="entry.test", truth=Truth.TRUE, reasons=(), inputs=())
        return Circumstances(
            policy=self.policy, instrument=self.instrument(proposal.venue, proposal.symbol),
            exposure=self.execution.exposure(proposal.account, proposal.venue, proposal.symbol),
            unmet=lambda key: (), judge=lambda order, labels: (verdict,) if self.refuses(proposal) else (),
            maker_granted=lambda venue, symbol, intent: (False, ()),
        )

    def _perform(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            self.effects.append(effect)
            if isinstance(effect, PlaceOrder):
                if self.withholds(effect):
                    self._told.append(OrderWithheld(client_id=effect.client_id, reason="stricter", venue_at=self.at))
                elif self.loses(effect):
                    self._told.append(OrderUncertain(client_id=effect.client_id, reason="timeout", venue_at=self.at))
                else:
                    self.exchange.submit(effect, self.at)
            elif isinstance(effect, CancelOrder):
                self.exchange.cancel(effect, self.at)

    # What tests ask.

    def places(self, intent: str = "") -> list[PlaceOrder]:
        found = [effect for effect in self.effects if isinstance(effect, PlaceOrder)]
        return [order for order in found if not intent or order.intent.value == intent]

    def stops(self) -> list[PlaceOrder]:
        return [order for order in self.places("STOP") if order.kind is OrderKind.STOP_MARKET]

    def refusals(self) -> list[OrderRefused]:
        return [effect for effect in self.effects if isinstance(effect, OrderRefused)]

    def story(self) -> list[str]:
        return [effect.state for effect in self.effects if isinstance(effect, PlanMade)]

    def texts(self, state: str) -> list[str]:
        return [effect.text for effect in self.effects if isinstance(effect, PlanMade) and effect.state == state]

    def held(self, symbol: str = SYMBOL) -> Decimal:
        return self.position(VENUE, symbol).quantity

    def dump(self) -> Data:
        return {
            "execution": self.execution.dump(), "breakout": self.breakout.dump(), "guardian": self.guardian.dump(),
        }

    def cut(self) -> None:
        """Replace the rooms by what their dumps load: whoever follows must not notice."""
        data = self.dump()
        before = canonical(data)
        self.execution, self.breakout, self.guardian = Execution(), EventBreakout(), Guardian()
        self.execution.load(data["execution"])
        self.breakout.load(data["breakout"])
        self.guardian.load(data["guardian"])
        assert canonical(self.dump()) == before

    def record(self) -> list[bytes]:
        return [encode(effect) for effect in self.effects]


def book(quote: Quote) -> tuple[Levels, Levels]:
    """Return ten levels a side, 2 bps apart, each of the quote's size."""
    step = max(0.001, round(quote.bid * 0.0002, 3))
    bids = tuple((round(quote.bid - i * step, 3), quote.bid_size) for i in range(10))
    asks = tuple((round(quote.ask + i * step, 3), quote.ask_size) for i in range(10))
    return bids, asks


def listed(world: World, *, mid: float = 10.0) -> World:
    """Return `world` after quiet quotes at `mid` and the announcement of XYZUSDT."""
    world.define()
    for _ in range(3):
        world.price(mid)
    world.announce()
    return world


def entered(world: World) -> World:
    """Return `world` with the first half bought at a little above 10.1."""
    listed(world)
    world.price(10.05)
    world.price(10.15)
    world.pass_time(SECOND)
    return world


