"""Whatever a strategy does wrong, wherever it is asked: one fault, a halt, and a run that can be cut anywhere."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, cast

import pytest

from engine.core.asking import insist_on_dumps
from engine.core.broken import Unsaid
from engine.core.checkpoint import dump_state, load_state
from engine.core.step import step
from engine.model.codec import Data, canonical
from engine.model.effects import HealthChanged, InternalFault
from engine.model.events import Event, Input, SetFlagCommand, StrategyFailed
from engine.model.ledger import OrdersView
from engine.model.market import Quote
from engine.model.orders import Intent, OrderKind, Proposal, Side
from engine.model.restraints import Level
from engine.model.samples import Derived
from engine.model.strategy import Strategy
from engine.model.time import SECOND
from engine.model.view import StrategyView
from engine.model.wishes import Wish
from engine.ports.feed import Tape
from engine.runtime.wiring import Wired
from tests.core.kit import START, Drive, fresh

SYMBOL, FIRST, CUT, END = "NOVAUSDT", 40, 200, 400
FLAG = SetFlagCommand(actor="ann", name="ENTRY_MAX_SPREAD_BPS", value=45.0, reason="", ttl=0)
STRATEGY_METHODS = [name for name, member in vars(Strategy).items() if inspect.isfunction(member) and name[0] != "_"]


class Odd(Strategy):
    """Does nothing but count quotes, and from `FIRST` of them on what `wrong` says in the method named `where`."""

    def __init__(self, where: str, wrong: Callable[[], Any]) -> None:
        self.where, self.wrong = where, wrong
        self.quotes, self.asked = 0, 0

    def _or(self, where: str, fine: Any) -> Any:
        if where != self.where or (self.quotes < FIRST and where not in ("begin", "load")):
            return fine
        self.asked += 1
        return self.wrong()

    @property
    def name(self) -> str:
        return cast(str, self._or("name", "odd"))

    def begin(self, at: int, view: StrategyView) -> Sequence[Wish]:
        return cast(Sequence[Wish], self._or("begin", ()))

    def interested(self, event: Event) -> bool:
        return cast(bool, self._or("interested", type(event) is Quote))

    def on_event(self, item: Input, view: StrategyView, orders: OrdersView) -> Sequence[Wish]:
        self.quotes += 1
        fine = (buying(item.at),) if self.where == "on_refused" and self.quotes == FIRST else ()
        return cast(Sequence[Wish], self._or("on_event", fine))

    def on_flags(self, at: int, view: StrategyView, orders: OrdersView) -> Sequence[Wish]:
        return cast(Sequence[Wish], self._or("on_flags", ()))

    def on_timer(self, at: int, view: StrategyView, orders: OrdersView) -> Sequence[Wish]:
        return cast(Sequence[Wish], self._or("on_timer", ()))

    def on_refused(self, at: int, proposal: Proposal, reason: str) -> Sequence[Wish]:
        return cast(Sequence[Wish], self._or("on_refused", ()))

    def next_due(self) -> int | None:
        return cast("int | None", self._or("next_due", None))

    def dump(self) -> Data:
        return self._or("dump", self.quotes)

    def load(self, data: Data) -> None:
        self._or("load", None)
        self.quotes = data


def buying(at: int, **odd: Any) -> Proposal:
    asked: dict[str, Any] = {
        "proposer": "odd", "purpose": f"{at}/entry", "intent": Intent.ENTRY, "venue": "paper", "symbol": SYMBOL,
        "side": Side.BUY, "kind": OrderKind.MARKET, "quantity": Decimal(1), "reference_price": Decimal(1),
    }
    return Proposal(**{**asked, **odd})


def explode() -> Any:
    raise RuntimeError(f"no weights in <model object at {hex(id(object()))}>")


class Untrue:
    def __bool__(self) -> bool:
        raise ValueError("the truth of an array is ambiguous")


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError("not even that")


def mute() -> Any:
    raise Mute


SAID = "RuntimeError: no weights in <model object at 0x>"
RAISES = [(where, explode, SAID) for where in ("name", *STRATEGY_METHODS) if where not in ("dump", "load")]
ODD: list[tuple[str, Callable[[], Any], str]] = [
    *RAISES,
    ("on_event", mute, "Mute: it cannot say why"),
    ("on_event", Untrue, "ValueError: the truth of an array"),
    ("on_timer", Untrue, "ValueError: the truth of an array"),
    ("on_timer", lambda: ["buy"], "TypeError: a wish of type str"),
    ("on_refused", lambda: None, "TypeError: 'NoneType' object is not iterable"),
    ("on_refused", lambda: [3], "TypeError: a wish of type int"),
    ("next_due", lambda: 1.5, "TypeError: next_due is a float"),
    ("next_due", lambda: "soon", "TypeError: next_due is a str"),
    ("next_due", lambda: 1, "RuntimeError: next_due stays at an instant that is over"),
    ("on_event", lambda: [buying(1, quantity=1.0)], "TypeError: a proposal whose quantity is a float"),
    ("on_event", lambda: [buying(1, quantity=Decimal("nan"))], "ValueError: a proposal whose quantity is NaN"),
    ("on_event", lambda: [buying(1, quantity=Decimal(-1))], "ValueError: a proposal whose quantity is -1"),
    ("on_event", lambda: [buying(1, reference_price=None)], "whose reference_price is a NoneType"),
    ("on_event", lambda: [buying(1, intent="ENTRY")], "TypeError: a proposal whose intent is a str"),
    ("on_event", lambda: [buying(1, facts=(("order_late_chase_bps", "3"),))], "with a fact that is a str"),
    ("on_event", lambda: [Derived("maker_fill", ("a", "b", "c"), 1.0, cast(int, 1.5))], "maker_fill"),
]


def driven(odd: Odd, payload: bytes | None = None) -> Drive:
    def made(tape: Tape) -> Wired:
        wired = fresh(tape)
        wired.state.strategies = (odd,)
        return wired

    return Drive({100: FLAG}, payload, made=made)


def faults(run: Drive) -> list[str]:
    return [one.what for one in run.effects if isinstance(one, InternalFault)]


def test_the_table_has_every_method_that_a_strategy_has() -> None:
    """A method that is added must be added here."""
    assert {where for where, _, _ in RAISES} | {"dump", "load"} == {"name", *STRATEGY_METHODS}


@pytest.mark.parametrize(("where", "wrong", "said"), ODD, ids=[f"{one[0]}: {one[2][:44]}" for one in ODD])
def test_it_halts_once_is_asked_no_more_and_a_cut_changes_nothing(
    where: str, wrong: Callable[[], Any], said: str
) -> None:
    odd = Odd(where, wrong)
    whole = driven(odd).until(END)
    assert len(faults(whole)) == 1 and said in faults(whole)[0], faults(whole)
    assert whole.state.policy.overall.level is Level.HALTED
    assert [one.state for one in whole.effects if isinstance(one, HealthChanged)][-1] == 2, "health tells of it too"
    if where != "name":
        assert whole.state.broken == {"odd"} and odd.asked <= 300

    before = driven(Odd(where, wrong)).until(CUT)
    after = driven(Odd(where, wrong), before.payload()).until(END)
    assert before.heard + after.heard == whole.heard
    if where != "name":
        assert after.payload() == whole.payload()


@pytest.mark.parametrize(
    ("wrong", "said"), [(explode, SAID), (lambda: {1, 2}, "TypeError"), (lambda: float("nan"), "ValueError")],
)
def test_one_that_cannot_say_what_it_remembers_is_given_up_by_an_input(wrong: Callable[[], Any], said: str) -> None:
    run = driven(Odd("dump", wrong)).until(CUT)
    with pytest.raises(Unsaid) as unsaid:
        canonical_or_blame(run)
    failed = StrategyFailed(actor="engine", name=unsaid.value.name, what=unsaid.value.what)
    told = step(run.state, Input(run.seq + 1, run.at, failed)).effects
    (fault,) = [one.what for one in told if isinstance(one, InternalFault)]
    assert fault.startswith("strategy odd failed (of dump: ") and said in fault
    kept = canonical_or_blame(run)
    assert json.loads(kept)["strategies"] == {"odd": None}


def canonical_or_blame(run: Drive) -> bytes:
    """Return the state in bytes as a checkpoint has it."""
    try:
        return canonical(dump_state(run.state))
    except (TypeError, ValueError):
        insist_on_dumps(run.state)
        raise


def test_one_that_cannot_take_up_what_it_remembered_halts_with_the_start_and_nothing_is_lost() -> None:
    """It would not know what it holds. What it remembered waits for a version that can read it."""
    before = driven(Odd("", explode)).until(CUT)
    core = json.loads(before.payload())["core"]
    odd = Odd("load", explode)
    run = driven(odd)
    load_state(run.state, core)
    again = dump_state(run.state)
    assert again["strategies"] == core["strategies"] and core["strategies"]["odd"] > FIRST
    asked = odd.asked
    told = step(run.state, Input(run.state.seq + 1, run.state.at + SECOND, START)).effects
    (fault,) = [one.what for one in told if isinstance(one, InternalFault)]
    assert fault.startswith("strategy odd failed (of load, so that it does not know what it holds: " + SAID)
    assert run.state.policy.overall.level is Level.HALTED and odd.asked == asked
    assert dump_state(run.state)["strategies"] == core["strategies"]


def test_wishes_that_can_be_counted_only_once_are_done_all_the_same() -> None:
    once = iter([buying(5)])
    run = driven(Odd("on_event", lambda: (one for one in once))).until(CUT)
    assert not faults(run) and run.state.tally.refused == 1
