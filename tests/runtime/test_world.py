"""What is watched when a coin is announced: the symbol itself, and what may be traded in its place."""

from __future__ import annotations

from dataclasses import replace

from engine.model.instruments import MarketKind
from engine.runtime.world import of_same_coins
from tests.live.town import XYZ


def test_a_coin_is_watched_in_every_quote_it_is_traded_in() -> None:
    usdc = replace(XYZ, symbol="XYZUSDC", quote="USDC")
    spot = replace(XYZ, symbol="XYZFDUSD", quote="FDUSD", kind=MarketKind.SPOT)
    other = replace(XYZ, symbol="ABCUSDT", base="ABC")
    known = (other, XYZ, spot, usdc)
    assert of_same_coins(("XYZUSDT",), known) == ("XYZUSDT", "XYZUSDC")
    assert of_same_coins(("XYZUSDC", "XYZUSDT"), known) == ("XYZUSDC", "XYZUSDT")
    assert of_same_coins(("NEWUSDT",), known) == ("NEWUSDT",), "not listed yet, and perhaps in a minute"
    assert of_same_coins((), known) == ()
