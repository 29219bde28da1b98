"""The signals about our own orders: 0 while all is well, told before anybody could take their silence for doubt."""

from __future__ import annotations

from dataclasses import replace

from engine.execution.standing import REFRESH
from engine.model.events import Input, InstrumentDefined, OrderFilled
from engine.model.samples import Derived
from engine.model.time import MINUTE, SECOND
from tests.execution.floor import Floor
from tests.execution.kit import ENTRY, T0, XYZ, Desk


def unknown(samples: list[Derived]) -> list[tuple[tuple[str, ...], object]]:
    return [(one.labels, one.value) for one in samples if one.name == "orders_unknown"]


def test_a_venue_is_told_of_when_it_has_an_instrument_and_often_enough() -> None:
    """On a tape no venue is asked, and the rule about it must not be in doubt for that."""
    desk = Desk()
    assert desk.execution.next_due() is None
    first = desk.execution.on_event(Input(1, T0, InstrumentDefined(instrument=XYZ, venue_at=T0)), desk)
    assert unknown(first) == [(("paper",), 0.0)]
    assert desk.execution.next_due() == T0 + REFRESH
    assert desk.execution.on_event(Input(2, T0 + 1, InstrumentDefined(instrument=XYZ, venue_at=T0)), desk) == []
    assert unknown(desk.execution.on_timer(T0 + REFRESH, desk)) == [(("paper",), 0.0)]
    assert desk.execution.due(T0 + REFRESH, desk) == []


def test_an_order_in_doubt_is_counted_at_once_and_until_it_is_found() -> None:
    """And one that only waits for its answer is not."""
    floor = Floor()
    floor.samples.clear()
    floor.order()
    floor.run(SECOND)
    assert {value for _, value in unknown(floor.samples)} <= {0.0}
    floor.reply = "dropped"
    floor.order(replace(ENTRY, purpose="next"))
    floor.run(100_000_000)
    assert unknown(floor.samples)[-1] == (("paper",), 1.0)
    floor.run(MINUTE)
    assert unknown(floor.samples)[-1] == (("paper",), 0.0)


def test_a_fill_told_twice_gives_no_sample_at_all() -> None:
    """Others tell a new fill by its samples."""
    floor = Floor()
    floor.order()
    floor.run(SECOND)
    floor.deaf = True
    floor.run(20 * MINUTE)
    assert floor.hear(OrderFilled(fill=floor.venue.trades[0], remaining=None)) == []
