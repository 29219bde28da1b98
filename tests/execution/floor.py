"""A desk on the floor of a model venue: the core's way with wishes, in virtual time, over a line that loses things."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from typing import TypeVar

from engine.execution.desk import Execution
from engine.model.answers import AccountStream
from engine.model.codec import canonical
from engine.model.effects import AskVenue, CancelOrder, PlaceOrder
from engine.model.events import Input, OrderUncertain, VenueEvent
from engine.model.orders import Cancellation, Closing, Proposal
from engine.model.reports import Query
from engine.model.samples import Derived
from engine.model.terms import ExecutionTerms
from engine.model.time import MS, SECOND
from engine.model.wishes import Wish
from engine.policy.review import Approved
from tests.execution.kit import ENTRY, T0, Desk
from tests.execution.model_venue import ModelVenue, failed

TRAVEL = 50 * MS
Kind = TypeVar("Kind")


class Floor(Desk):
    """A `Desk` that reconciles with a `ModelVenue`."""

    def __init__(self, terms: ExecutionTerms | None = None, *, agreed: bool = True) -> None:
        super().__init__(epoch="")
        self.terms = terms or ExecutionTerms()
        self.execution = Execution(self.terms)
        self.venue = ModelVenue()
        self.reply = "heard"
        """What becomes of orders and cancels: heard, lost (done, but nobody says so) or dropped (never done)."""
        self.deaf = False
        """Questions fail."""
        self.mute = False
        """Questions are not even failed."""
        self.stream = True
        """Whether fills and ends are told as they happen."""
        self.out: list[object] = []
        """Every effect but samples, in order."""
        self.samples: list[Derived] = []
        self._inbox: list[tuple[int, int, VenueEvent]] = []
        self._count = 0
        self._runs = 0
        self.start()
        if agreed:
            self.run(SECOND)
            assert self.execution.holds() == ()

    def start(self) -> None:
        """A process begins, as the core does it."""
        self._runs += 1
        self._inbox.clear()
        self.execution.begin(f"r{self._runs}", self.at, ("paper",))
        self.dispatch(self.execution.reconcile_now(self.at))

    # What the core does.

    def dispatch(self, wishes: Iterable[Wish]) -> None:
        for wish in wishes:
            if isinstance(wish, Proposal):
                verdict = self.reviewed(wish)
                if isinstance(verdict, Approved):
                    self.perform(self.execution.plan(self.at, (verdict,), (), 1))
                else:
                    self.execution.on_refused(self.at, wish, verdict.reason)
            elif isinstance(wish, Cancellation):
                self.perform(self.execution.plan(self.at, (), (wish,), 1))
            elif isinstance(wish, Closing):
                self.out += self.execution.close(self.at, wish)
            elif isinstance(wish, AskVenue):
                self.perform([self.execution.number(wish)])
            else:
                self.out.append(wish)

    def hear(self, event: VenueEvent) -> list[Derived]:
        """Let `event` arrive now."""
        self._count += 1
        samples = self.execution.on_event(Input(self._count, self.at, event), self)
        self.samples += samples
        self.dispatch(self.execution.after_event(self.at, self))
        self._converge()
        return samples

    def _converge(self) -> None:
        if self.execution.has_targets():
            self.dispatch(self.execution.converge(self.at, self))

    def run(self, duration: int) -> None:
        """Let time pass and everything happen that is due."""
        end = self.at + duration
        for _ in range(100_000):
            due = self.execution.next_due()
            arrives = self._inbox[0][0] if self._inbox else None
            soonest = min((one for one in (due, arrives) if one is not None), default=end + 1)
            if soonest > end:
                self.at = end
                return
            self.at = max(self.at, soonest)
            if due is not None and due <= self.at:
                self.samples += self.execution.on_timer(self.at, self)
                self.dispatch(self.execution.due(self.at, self))
                self._converge()
            else:
                self.hear(heapq.heappop(self._inbox)[2])
        raise AssertionError("time stands still")

    # What the line does.

    def perform(self, effects: Iterable[PlaceOrder | CancelOrder | AskVenue]) -> None:
        for effect in effects:
            self.out.append(effect)
            if isinstance(effect, AskVenue):
                if not self.mute:
                    answers = [failed(effect, self.at)] if self.deaf else self.venue.answer(effect, self.at)
                    self.arrive(answers)
                continue
            said: list[VenueEvent] = []
            if self.reply != "dropped" and isinstance(effect, PlaceOrder):
                said = self.venue.place(effect, self.at)
            elif self.reply != "dropped":
                said = self.venue.cancel(effect.client_id, self.at)
            if self.reply == "heard":
                self.arrive(said if self.stream else said[:1])
            else:
                self.arrive([OrderUncertain(client_id=effect.client_id, reason="timeout", venue_at=self.at)])

    def arrive(self, events: Iterable[VenueEvent]) -> None:
        """Put `events` on their way to us."""
        for event in events:
            self._count += 1
            heapq.heappush(self._inbox, (self.at + TRAVEL, self._count, event))

    def fill(self, order: PlaceOrder, quantity: str) -> None:  # type: ignore[override]
        """Let the venue execute `quantity`; the stream tells it if it is alive."""
        events = self.venue.fill(order.client_id, Decimal(quantity), self.at)
        if self.stream:
            self.arrive(events)

    def stream_is(self, alive: bool) -> None:
        self.stream = alive
        self.hear(AccountStream(venue="paper", alive=alive, reason="test", venue_at=self.at))

    def order(self, proposal: Proposal = ENTRY) -> PlaceOrder:
        """Send `proposal` over the line."""
        (order,) = self.plan(proposal)
        assert isinstance(order, PlaceOrder)
        self.perform([order])
        return order

    def resting(self, proposal: Proposal = ENTRY) -> PlaceOrder:
        """Send `proposal`, which fills only when the test says so."""
        self.venue.resting = True
        order = self.order(proposal)
        self.venue.resting = False
        return order

    def holding(self, quantity: str = "10") -> PlaceOrder:
        """Hold `quantity`, bought as usual."""
        order = self.order(replace(ENTRY, quantity=Decimal(quantity)))
        self.run(SECOND)
        assert self.held() == Decimal(quantity)
        return order

    def crash(self, down: int = SECOND) -> None:
        """The process dies with all that was on its way, and another one takes over after `down`."""
        self.cut()
        self.at += down
        self.start()

    def cut(self) -> None:
        data = self.execution.dump()
        text = canonical(data)
        self.execution = Execution(self.terms)
        self.execution.load(data)
        assert canonical(self.execution.dump()) == text

    # What came out.

    def made(self, kind: type[Kind]) -> list[Kind]:
        return [one for one in self.out if isinstance(one, kind)]

    def asked(self, query: Query) -> list[AskVenue]:
        return [ask for ask in self.made(AskVenue) if ask.query is query]


START = T0 + SECOND
"""When a floor that agreed begins to trade."""
