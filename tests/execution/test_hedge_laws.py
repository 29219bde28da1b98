"""Whatever is lost, doubted, cut and killed: a hedge is filled once, and nothing of it is left when all is over."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.model.orders import OrderState, Side
from engine.model.time import MS, SECOND
from engine.model.truth import Truth
from tests.execution.hedge_floor import HedgeFloor, episode

SYMBOLS = ("XYZUSDT", "ABCUSDT")
MOVES = st.one_of(
    st.tuples(st.just("wait"), st.sampled_from([5, 40, 60, 120, 700, 4000, 40_000])),
    st.tuples(st.just("reply"), st.sampled_from(["heard", "lost", "dropped"])),
    st.tuples(st.just("deaf"), st.booleans()),
    st.tuples(st.just("stream"), st.booleans()),
    st.tuples(st.just("truth"), st.sampled_from([Truth.TRUE, Truth.TRUE, Truth.UNKNOWN])),
    st.tuples(st.just("refuses"), st.sampled_from(["", "", "level"])),
    st.tuples(st.just("crash"), st.sampled_from([10, 3000])),
    st.tuples(st.just("spike"), st.sampled_from(SYMBOLS)),
    st.tuples(st.just("end"), st.sampled_from(SYMBOLS)),
    st.tuples(st.just("stop"), st.just(0)),
    st.tuples(st.just("close"), st.sampled_from(SYMBOLS)),
)


class Play:
    """Two longs, a short of the strategy's own in the hedges' market, and what hypothesis makes of them."""

    def __init__(self, own: int) -> None:
        self.floor = floor = HedgeFloor()
        for symbol in SYMBOLS:
            floor.buy("40", symbol)
        if own:
            floor.buy(str(own), "BTCUSDT", Side.SELL)
        self.own = Decimal(-own)
        self.wanted: dict[str, Decimal] = {}
        self.numbers: Counter[str] = Counter()
        self.running: set[str] = set()

    def move(self, kind: str, what: object) -> None:
        """Make one move, and hold what must be true after every one."""
        getattr(self, kind)(what)
        self.check()

    def wait(self, ms: int) -> None:
        self.floor.run(ms * MS)

    def reply(self, word: str) -> None:
        self.floor.reply = word

    def deaf(self, deaf: bool) -> None:
        self.floor.deaf = deaf

    def stream(self, alive: bool) -> None:
        self.floor.stream_is(alive)

    def truth(self, truth: Truth) -> None:
        self.floor.truth = truth
        self.floor.version += 1

    def refuses(self, reason: str) -> None:
        self.floor.refuses = reason

    def crash(self, ms: int) -> None:
        self.floor.crash(ms * MS)

    def spike(self, symbol: str) -> None:
        """An episode opens, unless one of the symbol is on: a rule has one at a time."""
        if symbol in self.running:
            return
        self.numbers[symbol] += 1
        for opened in self.floor.spike(episode(self.numbers[symbol], symbol)):
            quantity = getattr(opened, "quantity", None)
            if quantity is not None:
                self.wanted[f"{symbol}/{self.numbers[symbol]}"] = quantity
        self.running.add(symbol)

    def end(self, symbol: str) -> None:
        if symbol in self.running:
            self.floor.end(self.numbers[symbol], symbol)
            self.running.discard(symbol)

    def stop(self, _: int) -> None:
        """The stop of a hedge fills at the venue: all that is held there is gone, the strategy's own too."""
        for order in self.floor.stops()[:1]:
            self.floor.arrive(self.floor.venue.fill(order.client_id, Decimal(10**6), self.floor.at))
            self.own = Decimal(0)

    def close(self, symbol: str) -> None:
        """Somebody closes what is hedged."""
        self.floor.sell_off(symbol)

    def check(self) -> None:
        """Hold that no hedge was filled twice, and that what the venue holds is never more than was asked for."""
        floor = self.floor
        per_purpose: Counter[str] = Counter()
        purposes = {order.client_id: order.purpose for order in floor.hedge_orders()}
        for fill in floor.hedge_fills():
            per_purpose[purposes[fill.client_id]] += 1
        assert max(per_purpose.values(), default=0) <= 1, "a hedge was filled twice"
        assert len(per_purpose) <= len(self.wanted)
        most = sum(self.wanted.values(), Decimal(0)) + min(self.own, Decimal(0))
        assert most <= floor.btc() <= 0, f"{floor.btc()} is held, {most} at the most"

    def settle(self, minutes: int = 12) -> None:
        """Let everything be heard and found out."""
        floor = self.floor
        floor.reply, floor.deaf, floor.refuses = "heard", False, ""
        floor.stream_is(True)
        self.truth(Truth.TRUE)
        floor.run(minutes * 60 * SECOND)
        self.check()


@given(own=st.sampled_from([0, 3, 30]), moves=st.lists(MOVES, min_size=4, max_size=12))
@settings(max_examples=120, deadline=None)
def test_a_hedge_is_filled_once_and_nothing_of_it_is_left(own: int, moves: list[tuple[str, object]]) -> None:
    play = Play(own)
    play.spike("ABCUSDT")
    play.wait(5)
    for kind, what in moves:
        play.move(kind, what)
    play.settle()
    for symbol in SYMBOLS:
        play.end(symbol)
    play.settle()

    floor = play.floor
    assert floor.btc() == play.own, "a hedge was left behind, or more was closed than it was"
    assert floor.held("BTCUSDT") == play.own, "the books do not agree"
    assert floor.execution.hedges.usd(floor) == (0.0, 0.0)
    assert not any(record.state is OrderState.UNKNOWN for record in floor.execution.all_live())


@given(moves=st.lists(MOVES.filter(lambda move: move[0] not in ("spike", "end", "stop", "close")), max_size=10))
@settings(max_examples=60, deadline=None)
def test_a_hedge_that_is_wanted_is_there_in_the_end(moves: list[tuple[str, object]]) -> None:
    play = Play(0)
    play.spike("XYZUSDT")
    wanted = dict(play.wanted)
    for kind, what in moves:
        play.move(kind, what)
    play.settle(30)

    assert play.floor.btc() == sum(wanted.values(), Decimal(0)) == -10
    assert len(play.floor.stops()) == 1
