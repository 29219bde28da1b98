"""A listing whose quote is denied is entered in the quote that is left, where the coin is traded in it."""

from __future__ import annotations

from dataclasses import replace

from engine.model.effects import PlanMade
from tests.strategies.world import XYZ, World


def test_the_plan_is_for_the_symbol_in_the_quote_that_is_left() -> None:
    world = World()
    world.quotes_in_place = {"XYZUSDT": "XYZUSDC"}
    world.define()
    world.define(replace(XYZ, symbol="XYZUSDC", quote="USDC"))
    for symbol in ("XYZUSDT", "XYZUSDC"):
        world.price(2.0, symbol=symbol)
    world.announce("XYZUSDT", "XYZUSDC")

    told = [effect for effect in world.effects if isinstance(effect, PlanMade)]
    assert [(one.symbol, one.state) for one in told] == [("XYZUSDC", "planned")]
