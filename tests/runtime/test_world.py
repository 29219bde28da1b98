"""What is watched: what is announced and may be traded in its place, what is held, and what is ordered."""

from __future__ import annotations

from dataclasses import replace

from engine.model.instruments import MarketKind
from engine.runtime.world import of_same_coins, willing
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


def test_a_name_that_cannot_be_watched_is_told_and_ends_nothing() -> None:
    said: list[str] = []
    watched: list[tuple[str, ...]] = []

    def watch(symbols: tuple[str, ...]) -> None:
        if "?" in symbols:
            raise ValueError("'?' is no symbol")
        watched.append(symbols)

    watching = willing(watch, said.append)
    watching(("?",))
    watching(("XYZUSDT",))
    assert (said, watched) == (["not watched: '?' is no symbol"], [("XYZUSDT",)])
