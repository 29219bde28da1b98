"""Who judges a simulation while it runs: from the venue's truth and from the wire, never from the engine's books.

What the engine counts is what is on trial, so nothing here asks it. The venue's own
position, orders and trades are the truth; the wire says what was sent, and when.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from engine.exchange.exchange import SimulatedExchange
from engine.exchange.orders import Working
from engine.model.effects import AskVenue, CancelOrder, Effect, LatchCleared, LatchSet, Notify, PlaceOrder
from engine.model.events import Command, FlattenCommand, HaltCommand, ResumeCommand
from engine.model.orders import OrderKind, Side
from engine.model.time import SECOND
from engine.runtime.simulate_plan import Bounds

EXPOSURE, HALTED, UNPROTECTED, FILLS, FLAT, BOOKS, IDS, REPLAY = (
    "exposure", "halted", "unprotected", "fills", "flat", "books", "ids", "replay",
)
ORACLES = (EXPOSURE, HALTED, UNPROTECTED, FILLS, FLAT, BOOKS, IDS, REPLAY)
"""The laws, by name; each is told at most twice a run."""
INTERNAL = "internal"
"""No law, but an error that nobody expected: it ends the run and not the runs behind it."""
ON_ITS_WAY = 2 * SECOND
"""An order that is not at the venue this long after it was sent never will be."""
MOST = 2

Span = tuple[int, int]
"""From and to, ns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """A law that was broken: when (virtual ns), in words, and what came before."""

    oracle: str
    at: int
    what: str
    lines: tuple[str, ...] = ()


@dataclass(slots=True)
class Seen:
    """What a run met, for its summary. Durations in ns."""

    orders: int = 0
    cancels: int = 0
    asks: int = 0
    pages: int = 0
    worst_unprotected: int = 0
    worst_flat: int = 0
    violations: list[Violation] = field(default_factory=list)

    def told(self) -> tuple[object, ...]:
        """Return all of it but the lines, of which a trace may hold more or fewer."""
        broken = tuple((one.oracle, one.at, one.what) for one in self.violations)
        return (self.orders, self.cancels, self.asks, self.pages, self.worst_unprotected, self.worst_flat, broken)


class Judge:
    """Watches one run. `lines` gives the last lines; `excused` are the outages of the venue."""

    def __init__(
        self, exchange: SimulatedExchange, bounds: Bounds, excused: Sequence[Span], lines: Callable[[], list[str]]
    ) -> None:
        self._exchange, self._bounds, self._excused, self._lines = exchange, bounds, tuple(excused), lines
        self.seen = Seen()
        self._ids: dict[str, int] = {}
        self._under_way: dict[str, tuple[PlaceOrder, int]] = {}
        self._operator_halted = False
        self._latches: set[str] = set()
        self._up = False
        self._looked_at = 0
        self._bare: dict[tuple[str, str], int] = {}
        """How long (ns) each position that has no stop has had none."""
        self._to_be_flat: int | None = None
        """How long (ns) ago everything was to be flattened, while it is not."""

    @property
    def watchful(self) -> bool:
        """Whether time alone can break a law now."""
        return bool(self._bare) or self._to_be_flat is not None

    def violation(self, oracle: str, at: int, what: str) -> None:
        """Tell that the law called `oracle` was broken."""
        found = self.seen.violations
        if sum(one.oracle == oracle for one in found) < MOST:
            found.append(Violation(oracle=oracle, at=at, what=what, lines=tuple(self._lines())))

    # -- the process and its operator --------------------------------------------------------------

    def engine(self, at: int, *, up: bool) -> None:
        """The engine began to run, or died."""
        self.look(at)
        self._up = up

    def command(self, command: Command) -> None:
        """The operator's `command` is about to be taken."""
        if isinstance(command, HaltCommand | FlattenCommand):
            self._operator_halted = True
        elif isinstance(command, ResumeCommand):
            self._operator_halted = False

    def acknowledged(self, command: Command) -> None:
        """The operator was told that `command` was taken."""
        if isinstance(command, FlattenCommand) and self._to_be_flat is None and self._exchange.positions():
            self._to_be_flat = 0

    def unheard(self, command: Command, before: bool) -> None:
        """The engine died over `command`: nobody can say whether it was taken. `before` is whether it was halted."""
        if isinstance(command, HaltCommand | FlattenCommand):
            self._operator_halted = before

    @property
    def operator_halted(self) -> bool:
        """Whether the operator was told of a halt that was not lifted."""
        return self._operator_halted

    # -- what is decided and sent --------------------------------------------------------------------

    def decided(self, at: int, effects: Sequence[Effect]) -> None:
        """Hear what was decided, as soon as it is on the disk and before it is done."""
        for effect in effects:
            if isinstance(effect, LatchSet) and "halted" in effect.restrains:
                self._latches.add(effect.latch)
            elif isinstance(effect, LatchCleared):
                self._latches.discard(effect.latch)
            elif isinstance(effect, Notify) and effect.to == "page":
                self.seen.pages += 1
                self._to_be_flat = None

    def sent(self, at: int, what: CancelOrder | AskVenue) -> None:
        """Hear a message that is no order."""
        if isinstance(what, CancelOrder):
            self.seen.cancels += 1
        else:
            self.seen.asks += 1

    def placed(self, order: PlaceOrder, at: int) -> None:
        """Judge an order as it leaves."""
        self.seen.orders += 1
        if order.client_id in self._ids:
            ago = (at - self._ids[order.client_id]) / 1e9
            self.violation(IDS, at, f"{order.client_id} was sent before, {ago:.3f} s ago")
        self._ids[order.client_id] = at
        if order.reduce_only or order.close_position:
            return
        if self._operator_halted or self._latches:
            why = "the operator's halt" if self._operator_halted else ", ".join(sorted(self._latches))
            self.violation(HALTED, at, f"{_spelled(order)} left in spite of {why}")
        cost = self._cost(order, at)
        self._under_way[order.client_id] = (order, at)
        if cost > self._bounds.cap_usd:
            what = f"{_spelled(order)} makes {cost:.0f} USD that may be held, the cap is {self._bounds.cap_usd:.0f}"
            self.violation(EXPOSURE, at, what)

    def _cost(self, order: PlaceOrder, at: int) -> float:
        """Return what the symbol may come to cost in USD with `order`: held, at the venue, and on the way there."""
        position = self._exchange.position(order.venue, order.symbol)
        working = {one.order.client_id: one for one in self._exchange.open_orders()}
        cost = abs(position.quantity) * position.average_price + _worth(order, order.quantity)
        for one in working.values():
            if (one.order.venue, one.order.symbol) == (order.venue, order.symbol) and not one.reduces:
                cost += _worth(one.order, one.remaining)
        traded = {fill.client_id for fill in self._exchange.trades()[-50:]}
        for client_id, (other, sent_at) in list(self._under_way.items()):
            if client_id in working or client_id in traded or at - sent_at > ON_ITS_WAY:
                del self._under_way[client_id]
            elif other.symbol == order.symbol:
                cost += _worth(other, other.quantity)
        return float(cost)

    # -- what is so ----------------------------------------------------------------------------------

    def look(self, at: int) -> None:
        """Look at the venue: between two looks nothing there changes, so that time is counted exactly."""
        passed = self._counted(self._looked_at, at)
        self._looked_at = max(at, self._looked_at)
        positions = self._exchange.positions()
        if passed:
            self._let_pass(passed, at)
        if not positions:
            self._bare.clear()
            self._to_be_flat = None
            return
        orders = self._exchange.open_orders()
        bare = {(one.venue, one.symbol) for one in positions if not _covered(one.symbol, one.quantity, orders)}
        self._bare = {key: self._bare.get(key, 0) for key in sorted(bare)}

    def _let_pass(self, passed: int, at: int) -> None:
        seen, bounds = self.seen, self._bounds
        for key, before in self._bare.items():
            now = self._bare[key] = before + passed
            seen.worst_unprotected = max(seen.worst_unprotected, now)
            if before <= bounds.unprotected < now:
                held = self._exchange.position(*key).quantity
                what = f"{held} {key[1]} has had no stop at the venue for {now / 1e9:.1f} s"
                self.violation(UNPROTECTED, at, what)
        if self._to_be_flat is not None:
            before, self._to_be_flat = self._to_be_flat, self._to_be_flat + passed
            seen.worst_flat = max(seen.worst_flat, self._to_be_flat)
            if before <= bounds.flat_within < self._to_be_flat:
                held_now = ", ".join(f"{one.quantity} {one.symbol}" for one in self._exchange.positions())
                what = f"{held_now} still open {self._to_be_flat / 1e9:.0f} s after flatten, and nobody was paged"
                self.violation(FLAT, at, what)

    def _counted(self, since: int, until: int) -> int:
        """Return how much (ns) of the time the engine was up and the venue within reach."""
        if not self._up or until <= since:
            return 0
        lost = sum(max(0, min(until, end) - max(since, start)) for start, end in self._excused)
        return max(0, until - since - lost)


def _covered(symbol: str, quantity: Decimal, orders: Sequence[Working]) -> bool:
    """Whether live stops of the right side cover `quantity`; one that has triggered is selling already."""
    side = Side.SELL if quantity > 0 else Side.BUY
    covered = Decimal(0)
    for one in orders:
        order = one.order
        if order.kind is not OrderKind.STOP_MARKET or order.symbol != symbol or order.side is not side:
            continue
        if order.close_position:
            return True
        covered += one.remaining
    return covered >= abs(quantity)


def _worth(order: PlaceOrder, quantity: Decimal | None) -> Decimal:
    return (quantity or Decimal(0)) * (order.limit_price or order.reference_price)


def _spelled(order: PlaceOrder) -> str:
    return f"{order.client_id} ({order.intent} {order.side} {order.quantity} {order.symbol})"
