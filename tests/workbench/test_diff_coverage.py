"""How much of a history was known: by hand, and by columns as by going through every record."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.model.history import Mark, MarkKind, Row
from engine.model.samples import SignalKind
from engine.model.time import SECOND
from engine.workbench.diff_columns import count_columns
from engine.workbench.diff_coverage import Coverage, CoverageCount
from tests.ruleset.notation import signal
from tests.workbench.diff_world import BEGIN
from tests.workbench.fast_world import CATALOGUE, draw_world


def at(seconds: float) -> int:
    return BEGIN + round(seconds * SECOND)


def row(seconds: float, name: str, status: int = 0, labels: tuple[str, ...] = ()) -> Row:
    return Row(at(seconds), round(seconds * 10), name, labels, 1.0, status, at(seconds))


def counted(*records: Row | Mark, end: float = 100) -> dict[str, Coverage]:
    specs = [
        signal("peg", producer="feed.oracle"), signal("spread", ("venue", "symbol"), producer="feed.market"),
        signal("news", kind=SignalKind.EVENT, max_age=0, producer="feed.announcements"),
        signal("fills", ("venue",), kind=SignalKind.EVENT, max_age=0, producer="core.execution"),
    ]
    named = {spec.name: spec for spec in specs}
    count = CoverageCount(named, [*named, "not_in_the_catalogue"], BEGIN)
    for record in records:
        count.add(record)
    return {one.signal: one for one in count.covered(at(end))}


def test_a_signal_without_labels_counts_from_the_beginning_and_one_with_labels_from_when_it_was_heard() -> None:
    found = counted(
        row(50, "peg"), row(60, "spread", labels=("paper", "AUSDT")), row(70, "peg", 1),
        row(80, "spread", 1, labels=("paper", "AUSDT")), row(90, "spread", labels=("paper", "BUSDT")),
    )

    assert (found["peg"].known, found["peg"].series) == (0.2, 1)
    assert (found["spread"].series, found["spread"].known) == (2, 30 / 50)
    assert (found["spread"].worst, found["spread"].worst_labels) == (0.5, ("paper", "AUSDT"))


def test_events_are_known_while_their_producer_is_up_whatever_happens() -> None:
    found = counted(
        Mark(at(10), 1, MarkKind.PRODUCER, {"producer": "feed.announcements", "up": True}), row(20, "news"),
        Mark(at(60), 2, MarkKind.PRODUCER, {"producer": "feed.announcements", "signal": "news"}),
        row(80, "fills", labels=("paper",)),
    )

    assert found["news"].known == 0.5 and found["fills"].known == 1.0


def test_what_nobody_recorded_nobody_knew() -> None:
    found = counted(row(0, "peg"), Mark(at(40), 5, MarkKind.GAP, {"until": at(60)}), row(75, "peg"))

    assert found["peg"].known == 0.65
    assert counted()["peg"] == Coverage(signal="peg", series=1, known=0.0, worst=0.0, worst_labels=())
    assert counted()["spread"].series == 0


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 1 << 32), share=st.floats(0.1, 1.0))
def test_columns_say_what_the_records_say(seed: int, share: float) -> None:
    history = draw_world(Random(seed), rules=1, steps=80).history
    header, specs = history.header, CATALOGUE.specs
    begin = header.first_at + round((header.last_at - header.first_at) * (1 - share) / 2)
    end = header.last_at - round((header.last_at - header.first_at) * (1 - share) / 2)
    by_record, by_column = (CoverageCount(specs, specs, begin) for _ in range(2))

    for record in history.records():
        if record.at >= end:
            break
        by_record.add(record)
    count_columns(history, specs, by_column, end)

    assert by_column.covered(end) == by_record.covered(end)
    assert by_column.symbols == by_record.symbols
