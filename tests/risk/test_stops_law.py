"""The validator against a venue that forgets, lies in its lists, loses answers and refuses.

Whatever the venue does: the validator never fights a stop that stands, never spends more
than its budget, is never asleep while a position is bare, and once the venue behaves a
position has exactly one whole stop or is being closed.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from engine.model.effects import AskVenue
from engine.model.orders import Cancellation, Closing, OrderState, Proposal
from engine.model.reports import Query, Rejection
from engine.model.time import HOUR, SECOND
from tests.risk.stops_kit import SYMBOL, VENUE, World

REFUSALS = st.sampled_from([
    Rejection.OTHER, Rejection.WOULD_TRIGGER, Rejection.CAPABILITY, Rejection.TOO_MANY, Rejection.LIMITED,
    Rejection.NOT_REDUCING, Rejection.CLOCK,
])
GRACE = 10


class Forgetful(RuleBasedStateMachine):
    """A venue with a truth of its own, beside what the ledger believes."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.world.cutting = True
        self.truth: set[str] = set()
        """Whole stops that really stand."""
        self.hidden: set[str] = set()
        """Of those, what lists and lookups do not show."""
        self.read = 0
        self.world.reported()
        self.world.probed(able=True)
        self._serve(answer=False)

    # What the venue does with what it is sent.

    def _serve(self, *, answer: bool = True, refusal: Rejection | None = None) -> None:
        """Take in what was wished since the last look; answer it, refuse it, or leave it without an answer."""
        world = self.world
        while self.read < len(world.wishes):
            wish = world.wishes[self.read]
            self.read += 1
            if isinstance(wish, Proposal):
                self._place(next(one.client_id for one in world.records.values() if one.purpose == wish.purpose),
                            answer=answer, refusal=refusal)
            elif isinstance(wish, Cancellation) and answer:
                self.truth.discard(wish.client_id)
                world.cancelled(wish.client_id, "requested")
            elif isinstance(wish, AskVenue) and answer:
                self._answer(wish)
            elif isinstance(wish, Closing) and answer:
                self._close()

    def _place(self, name: str, *, answer: bool, refusal: Rejection | None) -> None:
        if self.truth:
            refusal = Rejection.CLOSE_EXISTS
        if refusal is None:
            self.truth.add(name)
        if not answer:
            self.world.doubt(name)
        elif refusal is None:
            self.world.accept(name)
        else:
            self.world.reject(name, refusal)

    def _answer(self, ask: AskVenue) -> None:
        if ask.query is Query.ACCOUNT:
            self._report()
        elif ask.query is Query.PROBE:
            self.world.probed(able=True)
        elif ask.client_id in self.truth - self.hidden:
            self.world.found(ask.client_id)
        else:
            self.world.absent(ask.client_id)

    def _report(self) -> None:
        shown = [name for name in sorted(self.truth - self.hidden) if self.world.records[name].live]
        self.world.reported(*shown)

    def _close(self) -> None:
        held = self.world.position(VENUE, SYMBOL).quantity
        if held:
            self.world.fills(str(-held), name="exit")
        for name in sorted(self.truth):
            # A venue ends by itself what closes a position that is closed.
            self.world.cancelled(name, "position_closed")
        self.truth.clear()
        self.hidden.clear()

    # What happens.

    @precondition(lambda self: not self.world.positions())
    @rule(size=st.integers(1, 20), short=st.booleans())
    def opens(self, size: int, short: bool) -> None:
        self.world.fills(str(-size if short else size))

    @precondition(lambda self: self.world.positions() and not self.truth)
    @rule(answered=st.booleans())
    def strategy_places(self, answered: bool) -> None:
        held = self.world.position(VENUE, SYMBOL).quantity
        name = f"own{self.world.numbered}"
        record = self.world.order_of(name)
        if held < 0:
            self.world.records[name] = replace(record, side=record.side.opposite, trigger_price=Decimal(103))
        self._place(name, answer=answered, refusal=None)

    @precondition(lambda self: self.world.positions())
    @rule()
    def closes(self) -> None:
        self._close()

    @rule(seconds=st.floats(0.01, 40), answer=st.booleans(), refusal=st.none() | REFUSALS)
    def waits(self, seconds: float, answer: bool, refusal: Rejection | None) -> None:
        self.world.passes(seconds)
        self._serve(answer=answer, refusal=refusal)

    @precondition(lambda self: self.truth)
    @rule()
    def forgets(self) -> None:
        self.hidden |= self.truth

    @rule()
    def remembers(self) -> None:
        self.hidden.clear()
        self._report()

    @precondition(lambda self: self.truth)
    @rule(told=st.booleans())
    def loses(self, told: bool) -> None:
        """The stop is gone, whether or not the stream says so."""
        for name in sorted(self.truth):
            if told:
                self.world.cancelled(name)
        self.truth.clear()

    @rule(query=st.sampled_from([Query.ACCOUNT, Query.PROBE]))
    def fails(self, query: Query) -> None:
        self.world.failed(query)

    @rule()
    def resolves(self) -> None:
        """Execution finds out what became of orders of unknown fate."""
        for name, record in tuple(self.world.records.items()):
            if record.state is OrderState.UNKNOWN and name in self.truth:
                self.world.accept(name)
            elif record.state is OrderState.UNKNOWN:
                self.world.reject(name)

    @rule()
    def restarts(self) -> None:
        self.world.validator.begin(self.world.at, (VENUE,))
        for name, record in tuple(self.world.records.items()):
            if record.state is OrderState.SENT:
                self.world.doubt(name)

    @rule()
    def behaves(self) -> None:
        """From here the venue answers everything truthfully: then the position is protected, or it is closed."""
        self.hidden.clear()
        self._serve()
        self.resolves()
        for _ in range(60):
            self.world.passes(1)
            self._serve()
            if self.world.records:
                self.resolves()
        if self.world.positions():
            standing = [
                name for name in self.truth if self.world.records[name].working
                and (self.world.records[name].side.sign < 0) == (self.world.position(VENUE, SYMBOL).quantity > 0)
            ]
            assert len(standing) == 1, self.truth
            assert self.world.unprotected() == 0.0

    # What always holds.

    @invariant()
    def stops_only_protect(self) -> None:
        for one in self.world.placed():
            assert one.close_position and one.quantity is None and (one.trigger_price or 0) > 0

    @invariant()
    def the_budget_is_kept(self) -> None:
        """In any hour no more stops than the budget, and one more for each the venue took the word of."""
        sent = [one.sent_at for one in self.world.records.values() if one.proposer == "stops"]
        words = self.world.story().count("found")
        for first in sent:
            assert sum(first <= one < first + HOUR for one in sent) <= 5 + words

    @invariant()
    def what_is_bare_is_looked_at_within_a_second(self) -> None:
        due = self.world.validator.next_due()
        bare = [one for one in self.world.validator.report(self.world)["positions"] if one["unprotected_since"]]
        assert due is not None and due > self.world.at - 1
        assert not bare or due <= self.world.at + SECOND

    @invariant()
    def a_standing_stop_is_never_swept_from_an_open_position_without_another(self) -> None:
        for name in self.world.swept():
            record = self.world.records[name]
            if record.state is OrderState.CANCELLING and self.world.positions():
                held = self.world.position(VENUE, SYMBOL).quantity
                others = [one for one in self.world.live_of(SYMBOL) if one.working and one.client_id != name]
                wrong = (record.side.sign > 0) == (held > 0)
                assert others or wrong


Forgetful.TestCase.settings = settings(
    max_examples=40, stateful_step_count=30, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestForgetful = Forgetful.TestCase
