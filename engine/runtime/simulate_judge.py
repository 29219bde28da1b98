"""Who judges a simulation while it runs: from the venue's truth and from the wire, never from the engine's books.

What the engine counts is what is on trial, so nothing here asks it. The venue's own
position, orders and trades are the truth; the wire says what was sent, and when.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal

from engine.core.state import State
from engine.exchange.exchange import SimulatedExchange
from engine.exchange.orders import Working
from engine.model.effects import (
    AskVenue,
    CancelOrder,
    CommandAnswered,
    Effect,
    LatchCleared,
    LatchSet,
    Notify,
    PlaceOrder,
    TargetOpened,
)
from engine.model.events import (
    Command,
    FlattenCommand,
    HaltCommand,
    OrderCancelled,
    OrderRejected,
    ResumeCommand,
    VenueEvent,
)
from engine.model.orders import Intent, OrderKind, Side
from engine.model.time import SECOND
from engine.runtime.simulate_acted import EXIT, Acted
from engine.runtime.simulate_laws import (
    EXPOSURE,
    FLAT,
    FORBIDDEN,
    HALTED,
    HEDGED,
    IDS,
    LAPSED,
    NAKED,
    OFF,
    TRIMMED,
    UNPROTECTED,
    WAIVED,
    Seen,
    Violation,
)
from engine.runtime.simulate_plan import Bounds
from engine.runtime.simulate_told import Told

ON_ITS_WAY = 2 * SECOND
"""An order that is not at the venue this long after it was sent never will be."""
MOST = 2
"""So often a law is told of, in one run."""

_STOPS_ALL = ("halted", "reduce_only", "deny quotes USDT")
"""Each of these words in a restraint forbids every order that adds: here everything is bought with USDT."""

Span = tuple[int, int]
"""From and to, ns."""


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
        self.told = Told(bounds.cap_usd)
        self._answer: CommandAnswered | None = None
        self._acted = Acted(exchange, lambda name: self.told.flag(name, bounds.flags[name]))
        self._naked: int | None = None
        """How long (ns) a hedge has stood against nothing, while it does."""

    @property
    def watchful(self) -> bool:
        """Whether time alone can break a law now."""
        return bool(self._bare) or self._to_be_flat is not None or self._naked is not None

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

    def begun(self, opened: Sequence[TargetOpened]) -> None:
        """A process goes on from a journal in which these targets are."""
        self._acted.begun(opened)

    def lived(self, state: State) -> None:
        """Look at what the engine holds to be in force, once the time of an override is over."""
        end, at = self.told.next_end, state.at
        if end is None or at <= end:
            return
        operator_flags = frozenset(one.name for one in state.flags.overrides())
        for what in self.told.outlived(state.overrides, operator_flags, at):
            self.violation(LAPSED, at, f"{what} is still in force though its time is over")

    def command(self, command: Command) -> None:
        """The operator's `command` is about to be taken."""
        self.told.asked(command)
        self._answer = None
        if isinstance(command, HaltCommand | FlattenCommand):
            self._operator_halted = True
        elif isinstance(command, ResumeCommand):
            self._operator_halted = False

    def acknowledged(self, command: Command, at: int) -> None:
        """The operator was told, at `at`, that `command` was taken."""
        wrong = self.told.answered(command, at, self._answer)
        if wrong:
            self.violation(WAIVED, at, f"{wrong} was waived, which nobody may")
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
            if isinstance(effect, LatchSet) and any(word in effect.restrains for word in _STOPS_ALL):
                self._latches.add(effect.latch)
            elif isinstance(effect, LatchCleared):
                self._latches.discard(effect.latch)
            elif isinstance(effect, Notify) and effect.to == "page":
                self.seen.pages += 1
                self._to_be_flat = None
            elif isinstance(effect, CommandAnswered):
                self._answer = effect
            elif isinstance(effect, TargetOpened):
                wrong = self._acted.opened(effect)
                if wrong:
                    self.violation(OFF, at, wrong)
        if any(isinstance(one, TargetOpened) and one.kind == EXIT and not one.dry_run for one in effects):
            # What the rule's own message says is that it closes: no excuse for not closing.
            self._to_be_flat = 0 if self._exchange.positions() else None

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
            wrong = self._acted.reducing(order, at)
            if wrong:
                self.violation(TRIMMED, at, f"{_spelled(order)} {wrong}")
        elif "/target/" in order.purpose:
            self.violation(TRIMMED, at, f"{_spelled(order)} is to reduce and may add")
        else:
            self._adding(order, at)

    def _adding(self, order: PlaceOrder, at: int) -> None:
        """Judge an order that may add."""
        latches = [one for one in sorted(self._latches) if self._binds(one, order, at)]
        if self._operator_halted or latches:
            why = "the operator's halt" if self._operator_halted else ", ".join(latches)
            law = WAIVED if self.told.waives_any(at) else HALTED
            self.violation(law, at, f"{_spelled(order)} left in spite of {why}")
        forbidden, off = self.told.forbids(order, at), self.told.switched_off(order, at)
        if forbidden:
            self.violation(FORBIDDEN, at, f"{_spelled(order)} left in spite of {forbidden}")
        if off:
            self.violation(OFF, at, f"{_spelled(order)} left though {off} is off")
        if order.intent is Intent.HEDGE:
            # What it may come to is what its target says.
            wrong = self._acted.hedging(order, at)
            if wrong:
                self.violation(HEDGED, at, f"{_spelled(order)} {wrong}")
            return
        cost = self._cost(order, at)
        self._under_way[order.client_id] = (order, at)
        if cost > self._bounds.cap_usd:
            what = f"{_spelled(order)} makes {cost:.0f} USD that may be held, the cap is {self._bounds.cap_usd:.0f}"
            self.violation(EXPOSURE, at, what)

    def _binds(self, latch: str, order: PlaceOrder, at: int) -> bool:
        """Whether `latch` forbids `order`, which adds: a waiver lifts what is no kill, and no stop."""
        rule = latch.partition("/")[0]
        return rule.startswith("kill.") or not self.told.waives(rule, at)

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

    def heard(self, told: Sequence[tuple[int, VenueEvent]]) -> None:
        """Hear what the venue tells the engine."""
        for _, event in told:
            if isinstance(event, OrderRejected | OrderCancelled):
                self._acted.over(event.client_id)

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
            self._to_be_flat = self._naked = None
            return
        self._naked = (self._naked or 0) if self._acted.naked() else None
        self._acted.look(at)
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
        if self._naked is not None:
            before, self._naked = self._naked, self._naked + passed
            seen.worst_naked = max(seen.worst_naked, self._naked)
            if before <= bounds.naked < self._naked:
                what = f"a hedge of {self._acted.naked()} has stood against nothing for {self._naked / 1e9:.0f} s"
                self.violation(NAKED, at, what)
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
