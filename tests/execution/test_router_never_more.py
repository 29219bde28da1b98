"""Whatever is lost, repeated or overtaken on the way: never more fills than was asked for, and cuts change nothing."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.model.effects import CancelOrder
from engine.model.orders import Intent, Proposal
from engine.model.terms import Route, Style
from engine.model.time import SECOND
from tests.execution.kit import ENTRY, EXIT
from tests.execution.router_kit import Bench, Truth

ROUTE = Route(
    intent=Intent.ENTRY, style=Style.MAKER, cap_bps=500.0, reprice_after=2 * SECOND, reprices=4, timeout=12 * SECOND,
    then=Style.CAPPED,
)
FATES = ("accepted", "accepted", "accepted", "would_take", "lost", "silent")
MOVES = st.one_of(
    st.tuples(st.just("quote"), st.integers(-5, 12)),
    st.tuples(st.just("wait"), st.integers(1, 6)),
    st.tuples(st.just("arrive"), st.integers(0, 5)),
    st.tuples(st.just("match"), st.integers(1, 60)),
    st.tuples(st.just("cancel"), st.integers(0, 9)),
    st.tuples(st.just("deliver"), st.integers(0, 7)),
    st.tuples(st.just("deliver"), st.integers(0, 7)),
    st.tuples(st.just("repeat"), st.integers(0, 7)),
    st.tuples(st.just("lose"), st.integers(0, 7)),
    st.tuples(st.just("grant"), st.integers(0, 1)),
    st.tuples(st.just("again"), st.just(0)),
    st.tuples(st.just("cut"), st.just(0)),
)


class Play:
    """A bench and the truth it cannot see, moved by what hypothesis makes up."""

    def __init__(self, wish: Proposal, *, cuts: bool = True) -> None:
        self.bench = Bench(replace(ROUTE, intent=wish.intent))
        self.truth = Truth()
        self.wish = wish
        self.cuts = cuts
        self.known_orders = self.known_cancels = 0
        if wish.reduce_only:
            bought = self.bench.want(replace(ENTRY, purpose="held", intent=Intent.HEDGE, quantity=Decimal(10)))
            assert bought is not None
            self.bench.fill("10", "0")
            self.known_orders = 1
        self.bench.want(wish)
        self._send()

    def _send(self) -> None:
        for order in self.bench.placed[self.known_orders:]:
            self.truth.send(order)
        self.known_orders = len(self.bench.placed)
        new: list[CancelOrder] = self.bench.cancelled[self.known_cancels:]
        self.truth.requests += new
        self.known_cancels = len(self.bench.cancelled)

    def move(self, what: str, much: int) -> None:
        bench, truth = self.bench, self.truth
        if what == "quote":
            bench.quote(round(1.99 + much / 100, 2), round(2.01 + much / 100, 2))
        elif what == "wait":
            bench.wait(much * SECOND)
        elif what == "arrive":
            truth.arrive(0, bench.at, FATES[much])
        elif what == "match":
            truth.match(much, Decimal(much) / 10, bench.at)
        elif what == "cancel":
            truth.cancel(0, bench.at, lost=much == 9)
        elif what == "grant":
            bench.granted_now = bool(much)
        elif what == "again":
            bench.want(self.wish)
        elif what == "cut" and self.cuts:
            bench.cut()
        elif truth.mail and what in ("deliver", "repeat", "lose"):
            message = truth.mail[much % len(truth.mail)]
            if what != "repeat":
                truth.mail.remove(message)
            if what != "lose":
                bench.tell(message)
        self._send()

    def check(self) -> None:
        """The law, at the venue and in what we count."""
        asked = self.wish.quantity
        assert asked is not None and self.truth.at_most() <= asked, "the venue may fill more than was asked for"
        progress = self.bench.desk.execution.progress(self.wish.proposer, self.wish.purpose)
        assert progress.filled + progress.live <= asked, "we count on more than was asked for"
        live = [one for one in self.bench.desk.execution.attempts(self.wish.proposer, self.wish.purpose) if one.live]
        assert len(live) <= 1


@pytest.mark.parametrize("wish", [ENTRY, replace(ENTRY, intent=Intent.SCALP), EXIT], ids=["entry", "scalp", "exit"])
@settings(max_examples=120, deadline=None)
@given(moves=st.lists(MOVES, max_size=60))
def test_never_more_than_was_asked_for(wish: Proposal, moves: list[tuple[str, int]]) -> None:
    """The sum of what was executed and of what still may be stays within the wish, after every event."""
    play = Play(wish)
    for what, much in moves:
        play.move(what, much)
        play.check()


@settings(max_examples=60, deadline=None)
@given(moves=st.lists(MOVES, max_size=50))
def test_a_cut_changes_nothing_that_follows(moves: list[tuple[str, int]]) -> None:
    """Dump and load between any two events: the same orders, cancels and words."""
    whole, cut = Play(ENTRY, cuts=False), Play(ENTRY)
    for what, much in moves:
        whole.move(what, much)
        cut.move(what, much)
    assert whole.bench.placed == cut.bench.placed and whole.bench.cancelled == cut.bench.cancelled
    assert whole.bench.said == cut.bench.said and whole.bench.samples == cut.bench.samples


def test_the_moves_reach_every_kind_of_end() -> None:
    """The law above would be cheap if nothing ever went on: a play that follows, fills in part and takes the rest."""
    play = Play(ENTRY)
    for what, much in (
        ("arrive", 0), ("deliver", 0), ("quote", 1), ("wait", 2), ("match", 40), ("cancel", 0), ("deliver", 1),
        ("deliver", 0), ("arrive", 3), ("deliver", 0), ("arrive", 0), ("deliver", 0), ("wait", 6), ("wait", 6),
        ("cancel", 0), ("deliver", 0), ("arrive", 0),
    ):
        play.move(what, much)
        play.check()
    assert [(order.post_only, order.immediate, str(order.quantity)) for order in play.bench.placed] == [
        (True, False, "10.0"), (True, False, "6.0"), (True, False, "6.0"), (False, True, "6.0"),
    ]
