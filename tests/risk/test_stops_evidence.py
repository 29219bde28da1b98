"""What is believed of a stop that was there: lists that lack it, lookups that do not know it, and signs of life."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from itertools import product

import pytest

from engine.model.answers import AccountReported
from engine.model.fills import Position
from engine.model.orders import Intent, OrderKind, OrderState, Side
from engine.model.reports import OrderReport, PositionReport, Query, Rejection
from engine.model.time import SECOND
from engine.risk.stops_cover import WORD
from engine.risk.stops_evidence import convict
from engine.risk.stops_watch import Doubt, Watch
from tests.risk.stops_kit import SYMBOL, VENUE, World, protected, report_of


@pytest.mark.parametrize(("lists", "lookups", "wanted"), [*product(range(5), range(5), range(1, 5))])
def test_a_stop_is_gone_only_on_enough_evidence_of_which_one_is_a_lookup(lists: int, lookups: int, wanted: int) -> None:
    """The whole table: a list alone never proves absence, however often it lacks the stop."""
    watch = Watch(venue=VENUE, symbol="X", doubts={"s": Doubt(since=1, lists=lists, lookups=lookups)})
    convict(watch, wanted)
    assert watch.doubts["s"].gone is (lookups >= 1 and lists + lookups >= wanted)


def unlisted() -> World:
    world = protected()
    world.passes(1)
    world.reported()
    return world


def test_lists_alone_never_make_a_stop_missing() -> None:
    """P3: some venues forget a stop in their lists for minutes."""
    world = protected()
    for _ in range(40):
        world.passes(15)
        world.reported()
    assert world.placed() == [] and world.told("page") == [] and world.unprotected() == 0.0
    assert world.row()["doubted"] == ["stop"]


def test_what_the_list_lacks_is_looked_up_by_its_id_in_the_conditional_book_at_once() -> None:
    world = unlisted()
    (ask,) = world.asked(Query.ORDER)
    assert (ask.client_id, ask.conditional, ask.venue, ask.symbol, ask.at) == ("stop", True, VENUE, "XYZUSDT", world.at)


def test_a_stop_that_the_lookup_finds_is_not_missing() -> None:
    world = unlisted()
    for _ in range(20):
        world.found("stop")
        world.passes(15)
        world.reported()
    assert world.placed() == [] and world.told("page") == []


def test_list_and_lookup_together_make_it_missing_and_the_time_counts_from_the_first() -> None:
    world = unlisted()
    first = world.at
    world.passes(1)
    world.absent("stop")
    world.passes(0.1)
    assert world.row()["unprotected_since"] == first
    world.passes(8.8)
    assert world.placed() == []
    world.passes(0.2)
    (stop,) = world.placed()
    assert stop.trigger_price == Decimal(97)


def test_more_confirmations_take_more_lookups_which_are_asked_for_without_another_list() -> None:
    world = protected()
    world.set(VALIDATOR_CONFIRMATIONS=4)
    world.passes(1)
    world.reported()
    for count in range(3):
        assert world.row()["unprotected_since"] is None, count
        world.absent("stop")
        world.passes(2)
    assert world.row()["unprotected_since"] is not None
    assert len(world.asked(Query.ORDER)) == 3


def test_two_answers_of_one_instant_are_one_piece_of_evidence() -> None:
    world = protected()
    world.set(VALIDATOR_CONFIRMATIONS=3)
    world.passes(1)
    world.reported()
    for _ in range(5):
        world.absent("stop")
    assert world.row()["unprotected_since"] is None


def test_the_other_book_has_nothing_to_say_of_a_stop() -> None:
    world = unlisted()
    for _ in range(5):
        world.absent("stop", conditional=False)
        world.passes(3)
    assert world.row()["unprotected_since"] is None


def test_a_lookup_that_nobody_doubted_says_nothing() -> None:
    """Execution asks for its own reasons, and a book may lag behind the stream."""
    world = protected()
    for _ in range(5):
        world.absent("stop")
        world.passes(3)
    assert world.unprotected() == 0.0 and world.placed() == []


def test_a_failed_query_is_no_evidence_and_is_asked_again() -> None:
    world = unlisted()
    for _ in range(30):
        world.failed(Query.ORDER, "stop")
        world.failed(Query.ACCOUNT)
        world.passes(2)
    assert world.placed() == [] and world.unprotected() == 0.0
    assert 25 <= len(world.asked(Query.ORDER)) <= 32


def test_a_lookup_without_any_answer_is_asked_again() -> None:
    world = unlisted()
    world.passes(30)
    assert 3 <= len(world.asked(Query.ORDER)) <= 4


@pytest.mark.parametrize("sign", ["accept", "trigger", "listed", "found"])
def test_any_sign_of_life_voids_the_evidence(sign: str) -> None:
    lives: dict[str, Callable[[World], object]] = {
        "accept": lambda world: world.accept("stop"), "trigger": lambda world: world.trigger("stop"),
        "listed": lambda world: world.reported("stop"), "found": lambda world: world.found("stop"),
    }
    world = protected()
    world.set(VALIDATOR_CONFIRMATIONS=3)
    world.passes(1)
    world.reported()
    world.absent("stop")
    world.passes(3)
    lives[sign](world)
    world.at += 1
    world.reported()
    world.absent("stop")
    assert world.row()["unprotected_since"] is None


@pytest.mark.parametrize("state", [OrderState.CANCELLED, OrderState.EXPIRED, OrderState.REJECTED])
def test_a_lookup_that_finds_it_ended_is_proof(state: OrderState) -> None:
    world = unlisted()
    world.found("stop", state)
    assert world.row()["unprotected_since"] == world.at
    world.passes(10)
    assert len(world.placed()) == 1


def test_a_list_that_was_asked_for_before_the_stop_stood_does_not_lack_it() -> None:
    world = protected()
    world.reported(as_of=world.at - SECOND)
    world.passes(1)
    assert world.asked(Query.ORDER) == []


def test_a_triggered_stop_is_in_no_list_and_that_is_no_evidence() -> None:
    world = protected()
    world.trigger("stop")
    world.passes(1)
    world.reported()
    world.passes(1)
    assert world.asked(Query.ORDER) == []


def test_a_stop_that_comes_back_after_it_was_replaced_leaves_one() -> None:
    """P3: forgotten for half an hour, then listed again. The strategy's own stays."""
    world = unlisted()
    world.absent("stop")
    world.passes(10)
    world.accept(world.last())
    repair = world.last()
    world.passes(100)
    world.reported("stop", repair)
    world.passes(4)
    assert world.swept() == [repair]
    world.passes(5)
    assert world.row()["stop"] == "stop"


def test_a_report_proves_the_stop_anew() -> None:
    world = protected()
    for _ in range(3):
        world.passes(15)
        world.reported("stop")
        assert world.row()["proven_at"] == world.at


def test_a_stop_on_the_whole_position_that_somebody_else_placed_counts() -> None:
    """P4: its quantity is null. Execution may or may not have taken it over."""
    world = protected()
    other = replace(report_of(world.records["stop"], OrderState.OPEN), client_id="", venue_order_id="77")
    world.cancelled("stop")
    world.passes(1)
    world.reported(strangers=[other])
    world.passes(12)
    assert world.placed() == [] and world.row()["stop"] == "77"
    world.reported()
    world.passes(10)
    assert len(world.placed()) == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"side": Side.BUY}, {"close_position": False}, {"conditional": False}, {"state": OrderState.CANCELLED},
        {"close_position": False, "reduce_only": True, "quantity": Decimal(9)}, {"kind": OrderKind.TAKE_PROFIT_MARKET},
        {"close_position": False, "reduce_only": True, "quantity": Decimal(12), "executed": Decimal(3)},
    ],
)
def test_what_does_not_cover_the_position_is_no_stop_of_it(fields: dict[str, object]) -> None:
    world = protected()
    other = replace(report_of(world.records["stop"], OrderState.OPEN), client_id="theirs")
    world.cancelled("stop")
    world.reported(strangers=[replace(other, **fields)])  # type: ignore[arg-type]
    world.passes(10)
    assert len(world.placed()) == 1


def test_a_refusal_because_there_is_one_is_taken_for_one_and_does_not_loop() -> None:
    """-4130: the stop that lists and lookups have forgotten is there after all."""
    world = unlisted()
    world.absent("stop")
    world.passes(10)
    asked = len(world.asked(Query.ACCOUNT))
    world.reject(world.last(), Rejection.CLOSE_EXISTS)
    assert world.row()["unprotected_since"] is None
    world.passes(2)
    assert len(world.asked(Query.ACCOUNT)) == asked + 1
    assert world.row()["repairs_within_hour"] == 0
    for _ in range(15 * WORD // SECOND // 5):
        world.passes(5)
        if world.records[world.last()].state is OrderState.SENT:
            world.reject(world.last(), Rejection.CLOSE_EXISTS)
    assert world.closings() == [] and len(world.told("page")) == 1
    assert 15 <= len(world.placed()) <= 1 + 15, "asked for its word again every five minutes"


def test_the_venues_word_is_void_when_a_stop_on_the_whole_position_ends() -> None:
    world = unlisted()
    world.absent("stop")
    world.passes(10)
    world.reject(world.last(), Rejection.CLOSE_EXISTS)
    world.cancelled("stop")
    world.passes(0.5)
    assert world.row()["unprotected_since"] is not None
    world.passes(10)
    assert len(world.placed()) == 2


def test_the_venues_word_is_too_old_when_nobody_renews_it() -> None:
    world = unlisted()
    world.absent("stop")
    world.passes(10)
    world.reject(world.last(), Rejection.CLOSE_EXISTS)
    world.refuses = True
    world.passes(2 * WORD // SECOND - 20)
    assert world.row()["unprotected_since"] is None
    world.passes(40)
    assert world.row()["unprotected_since"] is not None


def test_a_refusal_for_another_reason_voids_the_venues_word() -> None:
    world = unlisted()
    world.absent("stop")
    world.passes(10)
    world.reject(world.last(), Rejection.CLOSE_EXISTS)
    world.passes(WORD // SECOND)
    assert len(world.placed()) == 2 and world.row()["unprotected_since"] is None
    world.reject(world.last(), Rejection.FILTER)
    world.passes(0.1)
    assert world.row()["unprotected_since"] is not None


def test_the_venues_word_is_not_asked_for_all_the_time_where_nobody_answers() -> None:
    world = unlisted()
    world.absent("stop")
    world.passes(10)
    world.reject(world.last(), Rejection.CLOSE_EXISTS)
    world.passes(2 * WORD // SECOND - 10)
    assert 3 <= len(world.placed()) - 1 <= 5 and world.closings() == []


def test_a_sweep_that_comes_to_nothing_is_tried_again_without_hurry() -> None:
    world = protected(live=False)
    world.order_of("extra", proposer="stops")
    world.accept("extra")
    for _ in range(60):
        world.passes(0.5)
        world.records["extra"] = replace(world.records["extra"], state=OrderState.OPEN, cancel_asked=False)
    assert 3 <= len(world.swept()) <= 4


def test_a_stop_for_less_than_is_held_is_replaced_by_one_that_covers() -> None:
    """After a scale-in; the new one is there before the old one goes."""
    world = World(live=False)
    world.fills("10")
    world.order_of("theirs", quantity=Decimal(10), reduce_only=True, close_position=False, foreign=True, proposer="")
    world.accept("theirs")
    assert world.row()["stop"] == "theirs"
    world.fills("5")
    world.passes(10)
    (stop,) = world.placed()
    assert (stop.quantity, stop.close_position, stop.replaces) == (None, True, "theirs")
    assert world.swept() == []


def test_a_stop_that_was_filled_in_part_covers_only_what_is_left_of_it() -> None:
    world = World(live=False)
    world.fills("10")
    world.order_of("part", quantity=Decimal(10), reduce_only=True, close_position=False, filled=Decimal(3),
                   state=OrderState.PARTLY_FILLED)
    world.passes(10)
    assert len(world.placed()) == 1


def test_the_venues_word_is_not_needed_any_more_once_a_stop_stands() -> None:
    world = unlisted()
    world.absent("stop")
    world.passes(10)
    world.reject(world.last(), Rejection.CLOSE_EXISTS)
    world.reported("stop")
    assert world.row()["stop"] == "stop"
    world.passes(1)
    world.reported()
    world.absent("stop")
    world.passes(0.1)
    assert world.row()["unprotected_since"] is not None


def test_a_stop_of_somebody_else_that_was_taken_over_counts_once() -> None:
    """Execution gives it a name of its own; once it is over, the last report does not vouch for it."""
    world = protected()
    world.cancelled("stop")
    theirs = replace(report_of(world.records["stop"], OrderState.OPEN), client_id="", venue_order_id="77")
    world.order_of("foreign-77", venue_order_id="77", foreign=True, proposer="foreign", state=OrderState.OPEN)
    world.passes(1)
    world.reported(strangers=[theirs])
    assert world.row()["stop"] == "foreign-77"
    world.cancelled("foreign-77")
    assert world.row()["unprotected_since"] == world.at


def test_a_stop_that_was_asked_back_by_others_is_their_affair() -> None:
    world = protected(live=False)
    world.order_of("extra", cancel_asked=True)
    world.records["stop"] = replace(world.records["stop"], number=99)
    world.accept("extra")
    world.passes(60)
    assert world.swept() == []


def test_a_strategys_own_smaller_stop_is_left_to_the_strategy() -> None:
    world = protected(live=False)
    world.order_of("trail", quantity=Decimal(4), reduce_only=True, close_position=False, trigger_price=Decimal(99))
    world.accept("trail")
    world.passes(60)
    assert world.swept() == [] and world.placed() == []
    world.cancelled("stop")
    world.passes(10)
    assert world.placed()[0].replaces is None and world.placed()[0].trigger_price == Decimal(97)


@pytest.mark.parametrize(
    "fields",
    [
        {"proposer": "stops"}, {"foreign": True}, {"side": Side.BUY}, {},
        {"quantity": Decimal(10), "reduce_only": True, "close_position": False, "foreign": True},
        {"quantity": Decimal(10), "reduce_only": True, "close_position": False, "proposer": "stops"},
        {"quantity": Decimal(2), "reduce_only": True, "close_position": False, "side": Side.BUY},
    ],
)
def test_what_must_not_stand_beside_the_stop_is_swept(fields: dict[str, object]) -> None:
    """A double on the whole position, one on the wrong side, one that nobody moves."""
    world = protected(live=False)
    world.order_of("extra", **fields)
    world.records["stop"] = replace(world.records["stop"], number=99)
    world.accept("extra")
    world.passes(1.9)
    assert world.swept() == []
    world.passes(0.2)
    assert world.swept() == ["extra"]
    world.passes(60)
    assert world.swept() == ["extra"] and world.placed() == []


def test_nothing_is_swept_while_nothing_protects() -> None:
    world = World(live=False)
    world.fills("10")
    world.order_of("wrong", side=Side.BUY)
    world.accept("wrong")
    world.passes(20)
    assert world.swept() == []
    world.accept(world.last())
    world.passes(2)
    assert world.swept() == ["wrong"]


def test_the_stops_of_a_closed_position_are_swept_after_the_venue_had_its_time() -> None:
    world = protected(live=False)
    world.fills("-10")
    world.passes(1.9)
    assert world.swept() == []
    world.passes(0.2)
    assert world.swept() == ["stop"]


def test_a_stop_that_the_venue_ended_by_itself_is_not_asked_back() -> None:
    world = protected(live=False)
    world.fills("-10")
    world.passes(1)
    world.cancelled("stop", "position_closed")
    world.passes(60)
    assert world.swept() == []


def test_on_a_real_venue_only_a_report_proves_that_nothing_is_held() -> None:
    """We may have missed a fill; the stop would be all that is left."""
    world = protected()
    before = world.at
    world.fills("-10")
    world.passes(60)
    assert world.swept() == [] and world.asked(Query.ACCOUNT)
    world.reported("stop", as_of=before)
    world.passes(60)
    assert world.swept() == []
    world.reported("stop")
    world.passes(1)
    assert world.swept() == ["stop"]


def test_that_nothing_is_held_must_be_told_after_the_stop_came() -> None:
    """Whoever placed it believed that something is held."""
    world = protected()
    world.fills("-10")
    world.cancelled("stop", "position_closed")
    world.passes(1)
    world.reported()
    world.order_of("late")
    world.accept("late")
    world.passes(20)
    assert world.swept() == []
    world.reported("late")
    assert world.swept() == ["late"]


def test_a_report_that_shows_a_position_we_count_as_closed_keeps_its_stop() -> None:
    """The venue is the truth; until execution takes it over, the stop is all that is left."""
    world = protected()
    world.fills("-10")
    world.passes(3)
    theirs = PositionReport(venue=VENUE, symbol=SYMBOL, quantity=Decimal(10), entry_price=Decimal(100))
    world.take(AccountReported(
        ask=1, venue=VENUE, positions=(theirs,), orders=(), balances=(), as_of=world.at, venue_at=world.at))
    world.passes(30)
    assert world.swept() == []


def test_what_the_last_process_was_told_proves_nothing_to_this_one() -> None:
    world = protected()
    world.fills("-10")
    world.passes(1)
    world.reported("stop")
    world.validator.begin(world.at, (VENUE,))
    world.passes(20)
    assert world.swept() == []
    world.reported("stop")
    assert world.swept() == ["stop"]


def stranger() -> OrderReport:
    listed = report_of(World().order_of("x"), OrderState.OPEN)
    return replace(listed, client_id="", venue_order_id="77")


def held(world: World) -> None:
    world.held[SYMBOL] = Position(
        account="main", venue=VENUE, symbol=SYMBOL, quantity=Decimal(10), average_price=Decimal(100))


def test_a_position_that_is_taken_over_from_a_report_has_the_stop_that_the_report_lists() -> None:
    world = World()
    held(world)
    world.reported(strangers=[stranger()])
    assert world.row()["stop"] == "77"
    world.passes(12)
    assert world.placed() == []


def test_one_that_is_taken_over_after_the_report_was_read_is_asked_for_again() -> None:
    """Its stop was in the report, but then there was no position for it to be of."""
    world = World()
    world.between = lambda: held(world)
    world.reported(strangers=[stranger()])
    world.between = lambda: None
    assert world.row()["unprotected_since"] == world.at
    world.passes(2.1)
    assert len(world.asked(Query.ACCOUNT)) == 1
    world.reported(strangers=[stranger()])
    assert world.row()["stop"] == "77"


def test_an_entry_that_may_still_fill_keeps_the_stops_of_a_flat_symbol() -> None:
    world = protected(live=False)
    world.order_of("more", kind=OrderKind.LIMIT, intent=Intent.ENTRY, side=Side.BUY, quantity=Decimal(5),
                   close_position=False, trigger_price=None, limit_price=Decimal(99))
    world.accept("more")
    world.fills("-10")
    world.passes(60)
    assert world.swept() == []
    world.cancelled("more")
    world.passes(3)
    assert world.swept() == ["stop"]
