"""A strategy that fails is our fault: the engine halts, once, and goes on guarding what is held."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, cast

import pytest

from engine.core.step import step
from engine.model.codec import Data
from engine.model.effects import InternalFault, OrderRefused, PlaceOrder
from engine.model.events import Event, Input
from engine.model.ledger import OrdersView
from engine.model.market import Quote
from engine.model.orders import Intent, OrderKind, Proposal, Side
from engine.model.restraints import Level
from engine.model.samples import Derived
from engine.model.strategy import Strategy
from engine.model.view import StrategyView
from engine.model.wishes import Wish
from engine.ports.feed import Tape
from engine.runtime.wiring import Wired
from tests.core.kit import START, Drive, fresh

SYMBOL, FIRST = "NOVAUSDT", 40


def buying(symbol: str, at: int) -> Proposal:
    return Proposal(
        proposer="odd", purpose=f"{symbol}/{at}/entry", intent=Intent.ENTRY, venue="paper", symbol=symbol,
        side=Side.BUY, kind=OrderKind.MARKET, quantity=Decimal(1), reference_price=Decimal(1), account="main",
    )


class Odd(Strategy):
    """Counts quotes, and does `what` at the first and at every later one from `FIRST` on."""

    def __init__(self, what: Callable[[int], Sequence[Wish]], refused: Callable[[], Sequence[Wish]] = tuple) -> None:
        self.what, self.refused = what, refused
        self.quotes = self.asked = 0

    @property
    def name(self) -> str:
        return "odd"

    def interested(self, event: Event) -> bool:
        return type(event) is Quote

    def on_event(self, item: Input, view: StrategyView, orders: OrdersView) -> Sequence[Wish]:
        self.quotes += 1
        if self.quotes < FIRST:
            return ()
        self.asked += 1
        return self.what(item.at)

    def on_refused(self, at: int, proposal: Proposal, reason: str) -> Sequence[Wish]:
        return self.refused()

    def dump(self) -> Data:
        return self.quotes

    def load(self, data: Data) -> None:
        self.quotes = data


def driven(odd: Odd, payload: bytes | None = None) -> Drive:
    def made(tape: Tape) -> Wired:
        wired = fresh(tape)
        wired.state.strategies = (odd,)
        return wired

    return Drive({}, payload, made=made)


def explode(at: int) -> Sequence[Wish]:
    raise RuntimeError("the model has no weights\nfor this symbol")


WRONG: dict[str, Callable[[int], Sequence[Wish]]] = {
    "RuntimeError: the model has no weights for this symbol": explode,
    "TypeError: a wish of type str": lambda at: cast(Any, ["buy"]),
    "TypeError: 'int' object is not iterable": lambda at: cast(Any, 7),
    "ValueError: maker_fill has the labels": lambda at: [Derived("maker_fill", ("paper",), 1.0, at)],
}


@pytest.mark.parametrize("said", list(WRONG))
def test_what_a_strategy_breaks_halts_once_and_it_is_asked_no_more(said: str) -> None:
    odd = Odd(WRONG[said])
    run = driven(odd).until(400)

    faults = [one for one in run.effects if isinstance(one, InternalFault)]
    assert len(faults) == 1 and said in faults[0].what and "its positions keep their stops" in faults[0].what
    assert odd.asked == 1 and run.state.policy.overall.level is Level.HALTED


def test_nobody_speaks_in_the_name_of_another() -> None:
    class Liar(Odd):
        @property
        def name(self) -> str:
            return "liar"

    liar = Liar(lambda at: [buying(SYMBOL, at)])
    run = driven(liar).until(200)

    fault = next(one for one in run.effects if isinstance(one, InternalFault))
    assert fault.what.startswith("strategy liar failed (ValueError: a wish in the name of 'odd'")
    assert not [one for one in run.effects if isinstance(one, PlaceOrder | OrderRefused)]


def test_what_it_does_with_a_refusal_cannot_be_a_crash_either() -> None:
    def broken() -> Sequence[Wish]:
        raise KeyError("plan")

    run = driven(Odd(lambda at: [buying(SYMBOL, at)], broken)).until(300)

    assert len([one for one in run.effects if isinstance(one, OrderRefused)]) == 1
    assert "KeyError: 'plan'" in next(one.what for one in run.effects if isinstance(one, InternalFault))


def test_a_signal_that_no_catalogue_lists_is_nobodys_loss() -> None:
    run = driven(Odd(lambda at: [Derived("odd_things_total", (), 1.0, at)])).until(200)

    assert not [one for one in run.effects if isinstance(one, InternalFault)]


def test_it_stays_broken_over_a_cut_and_is_asked_again_by_the_next_start() -> None:
    odd = Odd(explode)
    first = driven(odd).until(200)
    again = Odd(explode)
    second = driven(again, first.payload()).until(300)
    assert again.quotes == FIRST and again.asked == 0, "what it knew is there, and it is not asked"

    step(second.state, Input(second.seq + 1, second.at, START))
    look = second.state.look
    quote = next(quote for place in look.instruments if (quote := look.quote(*place)) is not None)
    told = step(second.state, Input(second.seq + 2, second.at, quote)).effects
    assert again.asked == 1 and [one for one in told if isinstance(one, InternalFault)]
