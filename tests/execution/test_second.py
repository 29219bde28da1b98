"""Two engines on one account: a person is told at once, nothing is begun, and what is held stays guarded."""

from __future__ import annotations

from dataclasses import replace

from engine.model.effects import Notify
from engine.model.orders import Intent, OrderKind
from engine.model.reports import Query
from engine.model.restraints import Level
from engine.model.time import MINUTE, SECOND
from tests.execution.floor import Floor
from tests.execution.kit import ENTRY
from tests.execution.test_reconcile import holds, stranger

HELD = "engine.second[paper]"


def pages(floor: Floor) -> list[str]:
    return [one.text for one in floor.made(Notify) if one.to == "page"]


def look(floor: Floor) -> None:
    """Have the account read now."""
    asked = len(floor.asked(Query.ACCOUNT))
    floor.dispatch(floor.execution.reconcile_now(floor.at))
    assert len(floor.asked(Query.ACCOUNT)) > asked
    floor.run(SECOND)


def test_an_order_of_our_form_that_appears_while_we_run_is_another_engines() -> None:
    floor = Floor()
    stranger(floor, "rb-other-7", intent=Intent.STOP, kind=OrderKind.STOP_MARKET, close_position=True)
    look(floor)
    (held,) = (one for one in floor.execution.holds() if one.instance == HELD)
    assert held.restraint.level is Level.ENTRIES_PAUSED and held.scope.venue == "paper"
    (text,) = pages(floor)
    assert "rb-other-7" in text and "stop one of them" in text
    look(floor)
    stranger(floor, "rb-other-9")
    look(floor)
    assert len(pages(floor)) == 1, "told once, however often it shows"


def test_it_ends_ten_minutes_after_the_last_of_its_orders_and_survives_a_checkpoint() -> None:
    floor = Floor()
    stranger(floor, "rb-other-7")
    look(floor)
    floor.run(6 * MINUTE)
    stranger(floor, "rb-other-8")
    look(floor)
    floor.cut()
    floor.run(9 * MINUTE)
    assert HELD in holds(floor)
    floor.run(6 * MINUTE)
    assert HELD not in holds(floor)


def test_what_stood_there_when_we_began_was_left_behind_by_a_run_before() -> None:
    floor = Floor()
    stranger(floor, "rb-before-3")
    floor.crash()
    floor.run(5 * SECOND)
    assert HELD not in holds(floor) and pages(floor) == []
    stranger(floor, "web_1")
    look(floor)
    assert HELD not in holds(floor), "a hand at the venue is no engine"


def test_our_own_orders_show_no_other_engine_not_even_after_a_crash() -> None:
    floor = Floor()
    floor.holding()
    floor.resting(replace(ENTRY, purpose="entry/2"))
    floor.crash()
    floor.run(MINUTE)
    look(floor)
    assert HELD not in holds(floor)
