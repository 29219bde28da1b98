"""What market streams say: the ids of a book hold together, and nothing is worded for nobody."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.adapters.venue_server_gateway_faults import StreamFault, StreamRule
from engine.adapters.venue_server_stream_book import StreamBook
from engine.adapters.venue_server_stream_socket import Door, door_of
from engine.adapters.venue_server_stream_trouble import MarketTrouble
from engine.adapters.venue_server_streams import Market, MarketStreams, category
from engine.model.codec import Data
from engine.model.instruments import Instrument, MarketKind
from engine.model.market import DepthDelta, DepthSnapshot, FundingRate, Quote, Trade
from engine.model.time import HOUR, MINUTE, MS, SECOND

AT = 1_700_000_000 * SECOND
LEVELS = st.lists(st.tuples(st.integers(90, 110).map(float), st.integers(0, 3).map(float)), max_size=6)
BOOKS = st.lists(st.one_of(
    st.tuples(st.just("snapshot"), LEVELS, LEVELS), st.tuples(st.just("delta"), LEVELS, LEVELS),
    st.tuples(st.just("quote"), LEVELS, LEVELS),
), min_size=1, max_size=15)


def heard(names: set[str], market: Market = Market.LINEAR) -> tuple[MarketStreams, list[tuple[str, Data]]]:
    said: list[tuple[str, Data]] = []
    streams = MarketStreams(market, names.__contains__, lambda name, data: said.append((name, data)))
    streams.define(Instrument(
        venue="binanceusdm", symbol="BTCUSDT", base="BTC", quote="USDT", kind=MarketKind.PERPETUAL,
        tick=Decimal("0.10"), step=Decimal("0.001"), min_quantity=Decimal("0.001"), max_quantity=Decimal(1000),
        min_notional=Decimal(5),
    ))
    return streams, said


def quote(bid: float = 100.0, at: int = AT) -> Quote:
    return Quote("binanceusdm", "BTCUSDT", bid, 1.5, bid + 0.1, 2.0, at - MS, at)


def apply(streams: MarketStreams, step: tuple[str, Any, Any], at: int) -> None:
    kind, bids, asks = step
    if kind == "snapshot":
        keep = [tuple((price, size) for price, size in dict(side).items() if size) for side in (bids, asks)]
        streams.on_depth(DepthSnapshot("binanceusdm", "BTCUSDT", keep[0], keep[1], 0, at, at), at)
    elif kind == "delta":
        streams.on_depth(DepthDelta(
            "binanceusdm", "BTCUSDT", tuple(dict(bids).items()), tuple(dict(asks).items()), 0, 0, -1, at, at), at)
    else:
        streams.on_quote(quote(at=at), at)


class Client:
    """A book kept by Binance's own recipe: a snapshot, then every change whose `pu` continues it."""

    def __init__(self, snapshot: Data) -> None:
        self.id = snapshot["lastUpdateId"]
        self.sides = {name: dict(snapshot[key]) for name, key in (("b", "bids"), ("a", "asks"))}
        self.first = True

    def take(self, change: Data) -> None:
        if change["u"] < self.id:
            return
        if self.first:
            assert change["U"] <= self.id <= change["u"] or change["pu"] == self.id
        else:
            assert change["pu"] == self.id, "a gap: the client would have to begin anew"
        self.first, self.id = False, change["u"]
        for name, side in self.sides.items():
            for price, size in change[name]:
                if float(size):
                    side[price] = size
                else:
                    side.pop(price, None)


@given(BOOKS, st.integers(0, 14))
def test_a_book_built_from_snapshot_and_changes_is_the_venues_own(
    steps: list[tuple[str, Any, Any]], joined: int
) -> None:
    """Whenever a client joins, whatever gaps the tape has."""
    streams, said = heard({"btcusdt@depth@100ms", "btcusdt@depth20"})
    streams.on_quote(quote(), AT)
    client: Client | None = None
    for number, step in enumerate(steps):
        if number == joined:
            client = Client(streams.snapshot("BTCUSDT", 1000, AT))
        known = len(said)
        apply(streams, step, AT + number * MS)
        if client is not None:
            for name, data in said[known:]:
                if name == "btcusdt@depth@100ms":
                    client.take(data)
    truth = streams.snapshot("BTCUSDT", 1000, AT)
    assert truth is not None
    if client is not None:
        assert {name: dict(side) for name, side in client.sides.items()} == {
            "b": dict(truth["bids"]), "a": dict(truth["asks"])}
        assert client.id == truth["lastUpdateId"]
    partial = [data for name, data in said if name == "btcusdt@depth20"]
    if partial:
        assert (partial[-1]["b"], partial[-1]["a"]) == (truth["bids"][:20], truth["asks"][:20])


def test_ids_rise_over_all_messages_of_a_symbol() -> None:
    streams, said = heard({"btcusdt@bookTicker", "btcusdt@depth"})
    for number, step in enumerate((("snapshot", [(100.0, 1.0)], [(101.0, 1.0)]), ("delta", [(99.0, 2.0)], []))):
        streams.on_quote(quote(), AT + number)
        apply(streams, step, AT + number)

    assert [data["u"] for _, data in said] == sorted({data["u"] for _, data in said})


def test_what_each_stream_says() -> None:
    names = {"btcusdt@bookTicker", "btcusdt@trade", "btcusdt@aggTrade", "btcusdt@kline_1m", "btcusdt@markPrice@1s"}
    streams, said = heard(names)
    streams.on_quote(quote(), AT)
    streams.on_trade(Trade("binanceusdm", "BTCUSDT", 100.1, 0.5, False, "7", AT - MS, AT), AT)
    streams.on_trade(Trade("binanceusdm", "BTCUSDT", 100.3, 0.25, True, "8", AT, AT + MINUTE), AT + MINUTE)
    streams.on_funding(FundingRate("binanceusdm", "BTCUSDT", 0.0001, 4 * HOUR, AT, AT))
    streams.on_mark("BTCUSDT", ("100.05000000", "0.00010000"), AT)
    by: dict[str, list[Data]] = {}
    for name, data in said:
        by.setdefault(name, []).append(data)

    ms = AT // MS
    ticker = by["btcusdt@bookTicker"][0]
    assert {**ticker, "u": 0} == {
        "e": "bookTicker", "E": ms, "T": ms - 1, "u": 0, "s": "BTCUSDT", "b": "100.0", "B": "1.500", "a": "100.1",
        "A": "2.000",
    }
    assert by["btcusdt@trade"][0] == {
        "e": "trade", "E": ms, "T": ms - 1, "s": "BTCUSDT", "t": 1, "p": "100.1", "q": "0.500", "X": "MARKET",
        "m": True,
    }
    assert [each["a"] for each in by["btcusdt@aggTrade"]] == [1, 2], "trades are numbered without gaps"
    first, second = by["btcusdt@kline_1m"]
    assert (first["k"]["o"], first["k"]["c"], first["k"]["v"], first["k"]["n"]) == ("100.1", "100.1", "0.500", 1)
    assert (second["k"]["o"], second["k"]["t"] - first["k"]["t"]) == ("100.3", 60_000), "another minute, another bar"
    mark = by["btcusdt@markPrice@1s"][0]
    assert (mark["p"], mark["r"], mark["T"] % (4 * 3600 * 1000)) == ("100.05000000", "0.00010000", 0)
    assert ms < mark["T"] <= ms + 4 * 3600 * 1000


def test_a_spot_quote_has_no_name_and_no_instants() -> None:
    streams, said = heard({"usdcusdt@bookTicker"}, Market.SPOT)
    streams.on_quote(Quote("binance", "USDCUSDT", 1.0001, 5.0, 1.0002, 5.0, AT, AT), AT)

    assert [set(data) for _, data in said] == [{"u", "s", "b", "B", "a", "A"}]


def test_nothing_is_worded_for_nobody_and_broken_trades_for_none() -> None:
    streams, said = heard({"btcusdt@trade"})
    streams.on_quote(quote(), AT)
    for price, size in ((float("nan"), 1.0), (0.0, 1.0), (100.0, 0.0), (100.0, float("nan"))):
        streams.on_trade(Trade("binanceusdm", "BTCUSDT", price, size, True, "1", AT, AT), AT)

    assert said == [] and streams.snapshot("ETHUSDT", 5, AT) is None


def test_a_tape_with_quotes_alone_has_a_book_of_one_level() -> None:
    streams, said = heard({"btcusdt@depth"})
    streams.on_quote(quote(100.0), AT)
    streams.on_quote(quote(100.5), AT)

    snapshot = streams.snapshot("BTCUSDT", 5, AT)
    assert snapshot is not None and snapshot["bids"] == [["100.5", "1.500"]]
    assert ["100.0", "0.000"] in said[-1][1]["b"]


def test_a_change_that_changes_nothing_is_no_message() -> None:
    book = StreamBook()
    event = DepthSnapshot("v", "S", ((1.0, 2.0),), ((3.0, 4.0),), 1, AT, AT)

    assert book.on_snapshot(event) is not None and book.on_snapshot(event) is None


@pytest.mark.parametrize(("path", "query", "door"), [
    ("/ws", {}, Door()), ("/public/ws/0", {}, Door(category="public")),
    ("/market/ws/12", {}, Door(category="market")),
    ("/private/ws", {"listenKey": "abc"}, Door(category="private", key="abc")),
    ("/private/ws/0", {}, Door(category="private")),
    ("/ws/abcdef", {}, Door(key="abcdef")),
    ("/ws/btcusdt@trade/ethusdt@trade", {}, Door(names=("btcusdt@trade", "ethusdt@trade"))),
    ("/stream", {"streams": "btcusdt@trade/!bookTicker"}, Door(combined=True, names=("btcusdt@trade", "!bookTicker"))),
    ("/public/stream", {"streams": "btcusdt@trade"}, Door(category="public", combined=True, names=("btcusdt@trade",))),
    ("/stream.spot/ws/0", {}, Door(market=Market.SPOT)),
    ("/stream.spot/stream", {"streams": "usdcusdt@bookTicker"},
     Door(market=Market.SPOT, combined=True, names=("usdcusdt@bookTicker",))),
    ("/", {}, None), ("/fapi/v1/ping", {}, None), ("/public", {}, None), ("/public/nothing", {}, None),
])
def test_what_an_address_asks_for(path: str, query: dict[str, str], door: Door | None) -> None:
    assert door_of(path, query) == door


@pytest.mark.parametrize(("name", "part"), [
    ("btcusdt@bookTicker", "public"), ("!bookTicker", "public"), ("btcusdt@depth5@100ms", "public"),
    ("btcusdt@trade", "public"), ("btcusdt@aggTrade", "market"), ("btcusdt@markPrice@1s", "market"),
    ("!markPrice@arr@1s", "market"), ("btcusdt@kline_1m", "market"),
])
def test_which_half_serves_a_stream(name: str, part: str) -> None:
    assert category(name) == part


Sent = Callable[[MarketTrouble, int], list[tuple[int, int]]]


def sent(trouble: MarketTrouble, count: int) -> list[tuple[int, int]]:
    """Return (number of the message, delay) of all that comes of `count` messages."""
    found: list[tuple[int, int]] = []
    for number in range(count):
        data = {"e": "bookTicker", "s": "BTCUSDT", "n": number}
        found += [(copy["n"], delay) for copy, delay in trouble.fate(Market.LINEAR, "btcusdt@bookTicker", data, AT)]
    return found


@pytest.mark.parametrize(("rule", "expected"), [
    (StreamRule(kind=StreamFault.DUPLICATE, nth=2, hold=5), [(0, 0), (1, 0), (1, 5), (2, 0)]),
    (StreamRule(kind=StreamFault.LATE, nth=2, hold=7), [(0, 0), (1, 7), (2, 0)]),
    (StreamRule(kind=StreamFault.REORDERED, nth=2), [(0, 0), (2, 0), (1, 0)]),
    (StreamRule(kind=StreamFault.SILENT, start=AT, end=AT + 1), []),
    (StreamRule(kind=StreamFault.SILENT, start=AT + 1, end=AT + 2), [(0, 0), (1, 0), (2, 0)]),
    (StreamRule(kind=StreamFault.LATE, event="aggTrade"), [(0, 0), (1, 0), (2, 0)]),
    (StreamRule(kind=StreamFault.LATE, symbol="ETHUSDT"), [(0, 0), (1, 0), (2, 0)]),
])
def test_what_becomes_of_market_messages(rule: StreamRule, expected: list[tuple[int, int]]) -> None:
    assert sent(MarketTrouble((rule,), "0"), 3) == expected


def test_chance_is_drawn_from_the_seed() -> None:
    rule = StreamRule(kind=StreamFault.LATE, probability=0.5)

    assert sent(MarketTrouble((rule,), "a"), 50) == sent(MarketTrouble((rule,), "a"), 50)
    assert sent(MarketTrouble((rule,), "a"), 50) != sent(MarketTrouble((rule,), "b"), 50)
