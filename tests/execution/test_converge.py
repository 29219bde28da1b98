"""Toward a rule's target: reduce-only, computed once, tightest first, and never given up."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.model.effects import Notify, PlaceOrder, TargetOpened
from engine.model.instruments import MarketKind
from engine.model.orders import Intent, OrderKind, Proposal, Side
from engine.model.restraints import Scope
from engine.model.time import SECOND
from engine.policy.review import Approved
from engine.ruleset.latches import Episode
from engine.ruleset.spec import Action
from tests.execution.kit import ENTRY, EXIT, STOP, XYZ, Desk

EXIT_ALL = Action(exit_risk="true")


def episode(action: Action | None, number: int = 1, *, symbol: str = "") -> Episode:
    """Return the firing of a rule that does `action`."""
    return Episode(
        rule="guard.test", instance="guard.test", labels=(), number=number, name=f"guard.test/{number}", at=0,
        action=action, scope=Scope(symbol=symbol),
    )


def opened(desk: Desk, action: Action, number: int = 1, *, symbol: str = "") -> list[TargetOpened | Notify]:
    return desk.execution.open_targets(desk.at, episode(action, number, symbol=symbol), desk.flags)


def holding(quantity: str = "10") -> Desk:
    """Return a desk that holds `quantity`; below zero it is short."""
    desk, amount = Desk(), Decimal(quantity)
    side = Side.BUY if amount > 0 else Side.SELL
    desk.fill(desk.place(replace(ENTRY, quantity=abs(amount), side=side)), str(abs(amount)), left="0")
    return desk


def go_on(desk: Desk) -> list[PlaceOrder]:
    """Let the execution converge once; return what left, after review."""
    due = desk.execution.next_due()
    if due is not None and due <= desk.at:
        desk.execution.due(desk.at, desk)
    sent: list[PlaceOrder] = []
    for wish in desk.execution.converge(desk.at, desk):
        if not isinstance(wish, Proposal):
            continue
        verdict = desk.reviewed(wish)
        if isinstance(verdict, Approved):
            effects = desk.execution.plan(desk.at, (verdict,), (), 1)
            sent += [effect for effect in effects if isinstance(effect, PlaceOrder)]
        else:
            desk.execution.on_refused(desk.at, wish, verdict.reason)
    return sent


@pytest.mark.parametrize(("held", "side"), [("10", Side.SELL), ("-10", Side.BUY)])
def test_exit_risk_sells_what_is_held_and_no_more(held: str, side: Side) -> None:
    """One order, market, reduce-only; while it is under way there is no second."""
    desk = holding(held)
    (target,) = opened(desk, EXIT_ALL)
    assert isinstance(target, TargetOpened)
    assert (target.name, target.kind, target.quantity) == ("guard.test/1", "exit_risk", Decimal(0))
    (order,) = go_on(desk)
    assert (order.side, order.kind, order.quantity, order.reduce_only) == (side, OrderKind.MARKET, Decimal(10), True)
    assert order.intent is Intent.FLATTEN
    assert go_on(desk) == []
    desk.fill(order, "10", left="0")
    assert go_on(desk) == []
    assert not desk.execution.has_targets()


@pytest.mark.parametrize("word", ["false", "", "nonsense"])
def test_an_exit_that_is_off_does_nothing(word: str) -> None:
    """Only the two words act."""
    desk = holding()
    assert opened(desk, Action(exit_risk=word)) == []


@pytest.mark.parametrize("value", ["dry_run", True, "true", False])
def test_a_flag_decides_what_the_exit_does(value: str | bool) -> None:
    """`exit_risk: DEPEG_EXIT_RISK` means whatever the flag says when the episode opens."""
    desk = holding()
    desk.flags = {"DEPEG_EXIT_RISK": value}
    effects = opened(desk, Action(exit_risk="DEPEG_EXIT_RISK"))
    assert [type(effect).__name__ for effect in effects] == {
        "dry_run": ["TargetOpened", "Notify"], "true": ["TargetOpened"], "True": ["TargetOpened"], "False": [],
    }[str(value)]
    assert desk.execution.has_targets() is (str(value).lower() == "true")


def test_dry_run_only_tells() -> None:
    """The journal says what would have been done; no order leaves."""
    desk = holding()
    target, notice = opened(desk, Action(exit_risk="dry_run"))
    assert isinstance(target, TargetOpened) and target.dry_run
    assert isinstance(notice, Notify) and "nothing was sent" in notice.text
    assert go_on(desk) == []


def test_a_target_is_computed_once() -> None:
    """Trimmed by half is half of what was held when the episode opened, whatever was sold since."""
    desk = holding()
    opened(desk, Action(trim_pct=50.0))
    desk.fill(desk.place(replace(EXIT, quantity=Decimal(2))), "2", left="0")
    (order,) = go_on(desk)
    assert order.quantity == 3
    desk.fill(order, "3", left="0")
    assert go_on(desk) == [] and desk.held() == 5


def test_the_tightest_target_wins() -> None:
    """Whichever was opened first."""
    desk = holding()
    opened(desk, Action(trim_pct=80.0), 1)
    opened(desk, Action(trim_pct=30.0), 2)
    (order,) = go_on(desk)
    assert order.quantity == 8


def test_an_episode_covers_its_own_symbol_only() -> None:
    """Without labels it covers everything."""
    desk = holding()
    desk.fill(desk.place(replace(ENTRY, symbol="ABC", purpose="abc")), "4", left="0")
    assert [t.symbol for t in opened(desk, EXIT_ALL, symbol="ABC") if isinstance(t, TargetOpened)] == ["ABC"]
    assert [t.symbol for t in opened(desk, EXIT_ALL) if isinstance(t, TargetOpened)] == ["ABC", "XYZUSDT"]


def test_an_entry_that_fills_after_the_target_is_sold_too() -> None:
    """It was under way, perhaps unknown, when the episode opened; the target waits for it."""
    desk = Desk()
    entry = desk.place(ENTRY)
    desk.event("uncertain", entry)
    assert len(opened(desk, EXIT_ALL)) == 1
    assert go_on(desk) == [] and desk.execution.has_targets()
    desk.fill(entry, "10", left="0")
    desk.at += 2 * SECOND
    (order,) = go_on(desk)
    assert order.quantity == 10


def test_what_another_exit_sells_already_is_not_sold_twice() -> None:
    """The strategy's exit of 4 is under way: 6 are left to sell."""
    desk = holding()
    desk.place(replace(EXIT, quantity=Decimal(4)))
    desk.accept(desk.place(STOP))
    opened(desk, EXIT_ALL)
    (order,) = go_on(desk)
    assert order.quantity == 6


def test_a_rejected_order_is_tried_again_ever_later_and_never_given_up() -> None:
    """1, 2, 4 ... 60 seconds, on a timer of its own."""
    desk = holding()
    opened(desk, EXIT_ALL)
    waits = []
    for _ in range(9):
        (order,) = go_on(desk)
        desk.event("rejected", order)
        assert go_on(desk) == []
        due = desk.execution.next_due()
        assert due is not None
        waits.append((due - desk.at) // SECOND)
        desk.at = due - 1
        assert go_on(desk) == []
        desk.at = due
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_an_order_of_unknown_fate_is_waited_for() -> None:
    """Its quantity may be sold already."""
    desk = holding()
    opened(desk, EXIT_ALL)
    (order,) = go_on(desk)
    desk.event("uncertain", order)
    desk.at += 3600 * SECOND
    assert go_on(desk) == []


def test_a_partial_fill_is_followed_at_once() -> None:
    """What the book did not take is offered again."""
    desk = holding()
    opened(desk, EXIT_ALL)
    (order,) = go_on(desk)
    desk.fill(order, "4", left="6")
    desk.event("cancelled", order)
    desk.fill(order, "4", left="2")
    (rest,) = go_on(desk)
    assert rest.quantity == 2


def test_large_positions_leave_in_pieces_the_venue_takes() -> None:
    """The maximum of one order is the venue's filter, not our limit."""
    desk = holding("2500")
    opened(desk, EXIT_ALL)
    sold = []
    for _ in range(3):
        (order,) = go_on(desk)
        assert order.quantity is not None
        sold.append(order.quantity)
        desk.fill(order, str(order.quantity), left="0")
    assert sold == [1000, 1000, 500]
    assert go_on(desk) == [] and not desk.execution.has_targets()


def test_dust_that_no_venue_takes_ends_the_target_in_words() -> None:
    """0.05 is below the step of 0.1: trying for ever would help nobody."""
    desk = holding()
    desk.fill(desk.place(replace(EXIT, quantity=Decimal(10))), "9.95", left="0")
    opened(desk, EXIT_ALL)
    told = desk.execution.converge(desk.at, desk)
    texts = [getattr(line, "text", "") for line in told]
    assert texts == ["guard.test/1: position is 0.05, 0.05 is too little to sell"]
    assert not desk.execution.has_targets()


def test_without_metadata_or_price_it_waits_and_asks_again() -> None:
    """Nothing can be sent against what is not known; the target stays."""
    desk = holding()
    desk.instruments.clear()
    opened(desk, EXIT_ALL)
    assert go_on(desk) == []
    due = desk.execution.next_due()
    assert due is not None and due > desk.at
    desk.instruments["paper", "XYZUSDT"] = XYZ
    desk.quotes.clear()
    desk.at = due
    (order,) = go_on(desk)
    assert order.reference_price == 2, "the average entry stands in for a price that nobody quotes"


def test_spot_sells_plainly_because_it_knows_no_reduce_only() -> None:
    """Review bounds it by what is held."""
    desk = holding()
    desk.instruments["paper", "XYZUSDT"] = replace(XYZ, kind=MarketKind.SPOT)
    opened(desk, EXIT_ALL)
    (order,) = go_on(desk)
    assert (order.reduce_only, order.quantity) == (False, Decimal(10))


_STEPS = st.lists(st.sampled_from(["converge", "fill", "reject", "uncertain", "wait", "target", "buy"]), max_size=20)


@given(_STEPS, st.integers(min_value=0, max_value=20))
def test_a_cut_changes_nothing_and_no_target_is_overshot(steps: list[str], cut: int) -> None:
    """The position never crosses zero, and whoever resumes does the same."""
    assert _played(steps, cut=cut) == _played(steps, cut=-1)


def _played(steps: list[str], *, cut: int) -> list[object]:
    desk = holding()
    made: list[object] = []
    sent: list[PlaceOrder] = []
    opened(desk, Action(trim_pct=40.0), 1)
    for number, step in enumerate(steps):
        if number == cut:
            desk.cut()
        _do(desk, step, number, sent)
        sent += go_on(desk)
        made.append((desk.held(), desk.execution.next_due(), desk.execution.has_targets()))
        assert desk.held() >= 0
        assert desk.exposure().open_sells <= max(desk.held(), Decimal(0))
    return [*made, sent, desk.execution.dump()]


def _do(desk: Desk, step: str, number: int, sent: list[PlaceOrder]) -> None:
    last = sent[-1] if sent and not desk.record(sent[-1]).state.final else None
    if step == "fill" and last is not None and last.quantity is not None:
        part = min(Decimal(1), last.quantity - desk.record(last).filled)
        desk.fill(last, str(part), left="1")
    elif step == "reject" and last is not None:
        desk.event("rejected", last)
    elif step == "uncertain" and last is not None:
        desk.event("uncertain", last)
    elif step == "wait":
        desk.at += 7 * SECOND
    elif step == "target":
        opened(desk, EXIT_ALL, number + 10)
    elif step == "buy":
        desk.fill(desk.place(replace(ENTRY, purpose=f"more{number}")), "10", left="0")
