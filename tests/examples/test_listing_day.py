"""The listing of ACX: told from recorded minutes, with what the bars do not say printed beside it."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from engine.model.time import MINUTE, SECOND
from examples.listing_day.bars import Day, Minute, Model, path_of, read_day
from examples.listing_day.picture import draw
from examples.listing_day.story import main, play, told
from tests.shared_data import SHARED, needs_shared

BARS = SHARED / "data/listing_day/coinbase_acxusd_1m_binance_listing_20241206.parquet"


def test_the_path_goes_through_every_price_of_a_bar_in_the_order_its_direction_says() -> None:
    rising, falling = Minute(0, 1.0, 1.3, 0.9, 1.2), Minute(MINUTE, 1.2, 1.3, 1.0, 1.1)
    knots = path_of((rising, falling), 0)
    assert [round(bps) for _, bps in knots] == [0, -1000, 3000, 2000, 2000, 3000, 0, 1000]
    assert [round(at, 2) for at, _ in knots] == [0.0, 0.3, 0.7, 0.97, 1.0, 1.3, 1.7, 1.97]


def test_a_file_that_is_no_day_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "none.parquet")]) == 2
    assert "none.parquet" in capsys.readouterr().err


def test_a_listing_that_nobody_may_chase_is_told_as_skips(tmp_path: Path) -> None:
    """Ten times the price before anything could be read: every try is refused and nothing is bought."""
    start = 1_733_470_000 * SECOND // MINUTE * MINUTE
    flat = [Minute(start + at * MINUTE, 1.0, 1.0, 1.0, 1.0) for at in range(30)]
    gone = [Minute(start + at * MINUTE, 10.0, 10.1, 9.9, 10.0) for at in range(30, 45)]
    announced = start + 29 * MINUTE + 50 * SECOND
    day = Day(symbol="GONEUSDT", minutes=(*flat, *gone), announced=announced, title="Binance Will List Gone (GONE)",
              source="nobody")
    story = play(day, Model(), tmp_path)
    assert story.fills == []
    assert {one.reason for one in story.refusals} == {"entry.late_chase"}
    ElementTree.fromstring(draw(day, Model(), story))


@needs_shared
def test_acx_is_planned_entered_left_and_accounted_for(tmp_path: Path) -> None:
    day, model = read_day(BARS, "ACXUSDT"), Model()
    story = play(day, model, tmp_path / "one")
    states = [plan.state for plan in story.plans]
    assert states[0] == "planned" and states[1] == "entered" and states[-1] == "closed"
    assert states.index("protected") == states.index("entered") + 1
    bought = sum(one.fill.quantity for one in story.fills if one.fill.side.sign > 0)
    sold = sum(one.fill.quantity for one in story.fills if one.fill.side.sign < 0)
    assert bought == sold > 0 and story.fills[-1].position == Decimal(0)
    result = story.sold_usd - story.bought_usd - story.fees_usd
    assert result == pytest.approx(story.summary["pnl_usd"], abs=0.01)
    assert 0 < story.slippage_usd() < 10
    shown = "\n".join(told(day, model, story))
    for line in model.lines():
        assert line in shown
    ElementTree.fromstring(draw(day, model, story))

    again = play(day, model, tmp_path / "two")
    assert again.summary["digest"] == story.summary["digest"]
    wide = play(day, replace(model, spread_bps=60.0), tmp_path / "wide")
    assert wide.fills == [] and {one.reason for one in wide.refusals} >= {"entry.spread"}
