"""What is planned, what becomes of it, and what it leaves us with."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.model.effects import CancelOrder, PlaceOrder
from engine.model.events import (
    CancelRejected,
    OrderAccepted,
    OrderCancelled,
    OrderRejected,
    OrderTriggered,
    OrderUncertain,
)
from engine.model.orders import Intent, OrderKind, OrderState, Side
from engine.model.restraints import Level
from engine.model.time import MS
from tests.execution.kit import ENTRY, EXIT, STOP, Desk

EVENTS = ("accepted", "rejected", "cancelled", "cancel_rejected", "triggered", "withheld", "uncertain")


def test_an_order_that_left_is_exposure_before_anybody_accepted_it() -> None:
    """Sent is never mistaken for accepted, nor for not sent."""
    desk = Desk()
    order = desk.place(ENTRY)
    assert desk.state(order) is OrderState.SENT
    assert desk.exposure().open_buys == 10


def test_client_ids_carry_the_epoch_and_never_come_back() -> None:
    """A restart begins a new epoch and goes on counting: neither alone would have to be unique."""
    desk = Desk()
    first = desk.place(ENTRY)
    desk.cut()
    desk.execution.begin("t2", 0, ())
    second = desk.place(replace(ENTRY, purpose="other"))
    assert (first.client_id, second.client_id) == ("rb-t1-1", "rb-t2-2")


@pytest.mark.parametrize("epoch", ["", "a" * 21, "a b", "a-b", "ä"])
def test_an_epoch_that_makes_an_illegal_id_is_refused(epoch: str) -> None:
    """36 characters are all a venue takes."""
    with pytest.raises(ValueError, match="epoch"):
        Desk().execution.begin(epoch, 0, ())


def test_nothing_is_planned_before_the_first_epoch() -> None:
    """An id without one could come back after a restart."""
    with pytest.raises(ValueError, match="no epoch"):
        Desk(epoch="").place(ENTRY)


def test_an_entry_of_one_purpose_is_planned_once() -> None:
    """Whatever the first one's fate is, but for proof that it bought nothing."""
    desk = Desk()
    order = desk.place(ENTRY)
    assert desk.plan(ENTRY) == []
    desk.tell(OrderUncertain(client_id=order.client_id, reason="timeout", venue_at=desk.at))
    assert desk.plan(ENTRY) == []
    assert desk.state(order) is OrderState.UNKNOWN
    assert desk.exposure().open_buys == 10
    desk.tell(OrderRejected(client_id=order.client_id, code="X", reason="no", venue_at=desk.at))
    assert desk.exposure().open_buys == 0
    again = desk.place(ENTRY)
    desk.fill(again, "3", left="7")
    desk.tell(OrderCancelled(client_id=again.client_id, remaining=Decimal(7), reason="ioc", venue_at=desk.at))
    assert desk.plan(ENTRY) == []


def test_a_fill_counts_once_however_often_it_is_told() -> None:
    """Streams are joined again and venues repeat."""
    desk = Desk()
    order = desk.place(ENTRY)
    first = desk.fill(order, "4", left="6", trade="t1")
    assert [sample.name for sample in first] == [
        "fill_slippage_bps", "symbol_slippage_bps", "exec_slippage_bps", "fill_ms",
    ]
    assert desk.fill(order, "4", left="6", trade="t1") == []
    assert desk.held() == 4
    assert desk.exposure().open_buys == 6


def test_a_fill_before_the_acceptance_is_proof_of_it() -> None:
    """Two streams, one order: the fill may win the race."""
    desk = Desk()
    order = desk.place(ENTRY)
    desk.fill(order, "4", left="6")
    desk.tell(OrderAccepted(client_id=order.client_id, venue_order_id="v", venue_at=desk.at))
    assert desk.state(order) is OrderState.PARTLY_FILLED


def test_a_fill_after_the_cancel_was_exposure_all_along() -> None:
    """The cancel said that 3 remained, so 7 were bought; 4 of them had not reached us."""
    desk = Desk()
    order = desk.place(ENTRY)
    desk.fill(order, "3", left="7")
    desk.tell(OrderCancelled(client_id=order.client_id, remaining=Decimal(3), reason="requested", venue_at=desk.at))
    assert desk.held() == 3 and desk.exposure().open_buys == 4
    desk.fill(order, "4", left="3")
    assert desk.held() == 7 and desk.exposure().open_buys == 0
    assert desk.state(order) is OrderState.CANCELLED
    assert desk.execution.live("paper", "XYZUSDT") == ()


def test_fills_out_of_order_leave_the_missing_one_counted() -> None:
    """The last fill says nothing remains, but the first has not arrived."""
    desk = Desk()
    order = desk.place(ENTRY)
    desk.fill(order, "6", left="0", trade="t2")
    assert desk.state(order) is OrderState.PARTLY_FILLED
    assert desk.exposure().open_buys == 4
    desk.fill(order, "4", left="6", trade="t1")
    assert desk.state(order) is OrderState.FILLED
    assert desk.held() == 10 and desk.exposure().open_buys == 0


def test_a_fill_of_an_order_we_do_not_know_still_moves_the_position() -> None:
    """What the account holds is what it holds, whoever bought it."""
    desk = Desk()
    order = desk.place(ENTRY)
    stranger = replace(order, client_id="web_1")
    assert desk.fill(stranger, "2", left="0") == []
    assert desk.held() == 2


def test_stops_and_take_profits_that_reduce_are_not_exposure() -> None:
    """They could never add to it, and counting them would refuse the exit."""
    desk = Desk()
    desk.fill(desk.place(ENTRY), "10", left="0")
    desk.place(STOP)
    desk.place(replace(EXIT, purpose="tp", intent=Intent.TAKE_PROFIT, kind=OrderKind.LIMIT, limit_price=Decimal(3)))
    assert desk.exposure().open_sells == 0
    desk.place(replace(EXIT, quantity=Decimal(4)))
    assert desk.exposure().open_sells == 4


def test_slippage_is_signed_and_latency_counts_from_the_sending() -> None:
    """Bought 1 % above the reference after 50 ms."""
    desk = Desk()
    order = desk.place(ENTRY)
    samples = desk.fill(order, "10", left="0", price="2.02", after=50 * MS)
    assert [(sample.name, sample.labels) for sample in samples] == [
        ("fill_slippage_bps", ("paper", "taker")), ("symbol_slippage_bps", ("paper", "XYZUSDT", "taker")),
        ("exec_slippage_bps", ("paper", "XYZUSDT", "ENTRY")), ("fill_ms", ("paper", "taker")),
        ("entry_missed", ("paper", "XYZUSDT", "ENTRY"))]
    assert [sample.value for sample in samples[:3]] == pytest.approx([100.0, 100.0, 100.0])
    assert samples[3].value == 50.0


def test_a_stop_is_slow_from_its_trigger_on() -> None:
    """It waited for hours on purpose."""
    desk = Desk()
    desk.fill(desk.place(ENTRY), "10", left="0")
    stop = desk.place(STOP)
    desk.at += 3_600_000 * MS
    desk.tell(OrderTriggered(client_id=stop.client_id, trigger_price=Decimal(1), venue_at=desk.at))
    samples = desk.fill(stop, "10", left="0", price="1.98", after=25 * MS)
    assert [sample.value for sample in samples if sample.name == "fill_ms"] == [25.0]
    assert samples[0].value == pytest.approx(100.0)


def test_the_old_stop_goes_only_when_the_new_one_is_there() -> None:
    """Between the two there must be no instant without."""
    desk = Desk()
    desk.fill(desk.place(ENTRY), "10", left="0")
    old = desk.place(STOP)
    desk.accept(old)
    new = desk.place(replace(STOP, purpose="stop/2", trigger_price=Decimal("1.6"), replaces=old.client_id))
    assert desk.cancelled == []
    desk.accept(new)
    assert desk.cancelled == [old.client_id]
    assert desk.execution.stop_of("paper", "XYZUSDT") == f"{new.client_id} @ 1.6"


@pytest.mark.parametrize("end", ["rejected", "withheld", "uncertain"])
def test_the_old_stop_stays_when_the_new_one_fails(end: str) -> None:
    """And the story says so, where it is certain."""
    desk = Desk()
    desk.fill(desk.place(ENTRY), "10", left="0")
    old = desk.place(STOP)
    desk.accept(old)
    new = desk.place(replace(STOP, purpose="stop/2", replaces=old.client_id))
    desk.event(end, new)
    assert desk.cancelled == []
    assert desk.state(old) is OrderState.OPEN
    assert [line.state for line in desk.story] == ([] if end == "uncertain" else ["kept"])


def test_the_last_stop_of_an_open_position_cannot_be_cancelled() -> None:
    """Nobody may unprotect a position, by mistake or on purpose; once it is flat the stop may go."""
    desk = Desk()
    desk.fill(desk.place(ENTRY), "10", left="0")
    stop = desk.place(STOP)
    desk.accept(stop)
    assert desk.cancel(stop) == []
    desk.fill(desk.place(EXIT), "10", left="0", side=Side.SELL)
    assert [effect.client_id for effect in desk.cancel(stop)] == [stop.client_id]
    assert desk.cancel(stop) == []


def test_a_conditional_order_is_cancelled_in_its_own_book() -> None:
    """The regular book does not know it."""
    desk = Desk()
    entry, stop = desk.place(replace(ENTRY, kind=OrderKind.LIMIT, limit_price=Decimal(2))), desk.place(STOP)
    assert [effect.conditional for effect in (*desk.cancel(entry), *desk.cancel(stop))] == [False, True]


@pytest.mark.parametrize("level", list(Level))
def test_working_entries_are_cancelled_from_reduce_only_on(level: Level) -> None:
    """And nothing that protects."""
    desk = Desk()
    entry = desk.place(replace(ENTRY, kind=OrderKind.LIMIT, limit_price=Decimal(2)))
    desk.fill(desk.place(replace(ENTRY, purpose="filled")), "10", left="0")
    stop = desk.place(STOP)
    desk.accept(stop)
    desk.level_now = level
    cancels = desk.execution.on_policy(desk.at, desk)
    assert [cancel.client_id for cancel in cancels] == ([entry.client_id] if level >= Level.REDUCE_ONLY else [])
    assert desk.execution.on_policy(desk.at, desk) == []


def test_an_entry_that_appears_after_its_cancel_is_cancelled_again() -> None:
    """The cancel overtook it and was rejected; the order came to life when it should not."""
    desk = Desk()
    entry = desk.place(replace(ENTRY, kind=OrderKind.LIMIT, limit_price=Decimal(2)))
    desk.level_now = Level.HALTED
    desk.execution.on_policy(desk.at, desk)
    desk.tell(CancelRejected(client_id=entry.client_id, reason="unknown", venue_at=desk.at))
    assert desk.state(entry) is OrderState.UNKNOWN
    desk.accept(entry)
    assert desk.cancelled == [entry.client_id]


def test_cancels_come_before_orders() -> None:
    """If we stop half-way the account holds less risk, never more."""
    desk = Desk()
    entry = desk.place(replace(ENTRY, kind=OrderKind.LIMIT, limit_price=Decimal(2)))
    effects = desk.execution.plan(
        desk.at, (desk.approved(replace(ENTRY, purpose="next")),), (desk.wish_cancel(entry),), 1)
    assert [type(effect) for effect in effects] == [CancelOrder, PlaceOrder]


_SCRIPT = st.lists(
    st.tuples(st.sampled_from(EVENTS), st.integers(min_value=0, max_value=2)), max_size=12
)
_FILLS = st.lists(st.tuples(st.integers(min_value=0, max_value=2), st.integers(min_value=1, max_value=4)), max_size=6)


@given(_SCRIPT, _FILLS, st.randoms(use_true_random=False))
def test_the_position_is_the_sum_of_the_distinct_fills(
    script: list[tuple[str, int]], fills: list[tuple[int, int]], shuffle: object
) -> None:
    """Whatever comes between, in whatever order, however often."""
    desk = Desk()
    orders = [desk.place(replace(ENTRY, purpose=f"p{n}")) for n in range(3)]
    happenings: list[tuple[str, int, int, int]] = [(kind, which, 0, 0) for kind, which in script]
    happenings += [("fill", which, size, number) for number, (which, size) in enumerate(fills)] * 2
    shuffle.shuffle(happenings)  # type: ignore[attr-defined]
    for kind, which, size, number in happenings:
        if kind == "fill":
            desk.fill(orders[which], str(size), left="1", trade=f"t{number}")
        else:
            desk.event(kind, orders[which])
        assert desk.exposure().open_buys >= 0
    assert desk.held() == sum(size for _, size in fills)


@given(_SCRIPT, st.integers(min_value=0, max_value=12))
def test_no_purpose_is_served_twice(script: list[tuple[str, int]], tries: int) -> None:
    """Between any events the entry is asked for again; never may two of its orders be able to fill."""
    desk = Desk()
    made: list[PlaceOrder] = []
    for kind, _ in [("ask", 0), *script]:
        if made and kind != "ask":
            desk.event(kind, made[-1])
        made += [effect for effect in desk.plan(ENTRY) if isinstance(effect, PlaceOrder)]
        may_fill = [order for order in made if desk.record(order).may_have_filled]
        assert len(may_fill) <= 1


@given(_SCRIPT, _FILLS, st.integers(min_value=0, max_value=18))
def test_a_cut_changes_nothing_that_follows(
    script: list[tuple[str, int]], fills: list[tuple[int, int]], cut: int
) -> None:
    """Dump and load at any point: the same effects, samples and state after it."""
    assert _played(script, fills, cut=cut) == _played(script, fills, cut=-1)


def _played(script: list[tuple[str, int]], fills: list[tuple[int, int]], *, cut: int) -> list[object]:
    desk = Desk()
    made: list[object] = []
    orders = [desk.place(replace(ENTRY, purpose=f"p{n}")) for n in range(2)]
    orders.append(desk.place(replace(STOP, replaces=orders[0].client_id)))
    steps = [(kind, which, 0) for kind, which in script] + [("fill", which, size) for which, size in fills]
    for number, (kind, which, size) in enumerate(steps):
        if number == cut:
            desk.cut()
        if kind == "fill":
            made += desk.fill(orders[which], str(size), left="1", trade=f"t{number}")
        else:
            desk.event(kind, orders[which])
        made += desk.plan(replace(ENTRY, purpose="p0"))
        made.append((desk.held(), desk.exposure(), desk.execution.count_orders()))
    return [*made, desk.cancelled, desk.story, desk.execution.dump()]
