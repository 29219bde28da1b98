"""The book against a recorded one: depth and bookTicker of the same venue must agree."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from engine.exchange.book import Book
from engine.exchange.exchange import SimulatedExchange
from engine.model.events import OrderFilled
from engine.model.market import DepthDelta, DepthSnapshot, Levels, Quote, Trade
from engine.model.orders import Side
from engine.model.time import MS, SECOND
from tests.exchange.kit import STEADY, XYZ, dec, order
from tests.shared_data import MARKET_DATA, needs_shared

RECORDING = MARKET_DATA / "binance_usdm_btcusdt_20240808_raw.jsonl.gz"
MESSAGES = 20_000
Event = Quote | Trade | DepthDelta | DepthSnapshot


def levels(pairs: list[list[str]]) -> Levels:
    return tuple((float(price), float(size)) for price, size in pairs)


def recorded(path: Path, count: int) -> Iterator[tuple[int, Event, Any]]:
    """Yield (received at, event, raw) of the first `count` messages; read here and not by the importer, on purpose."""
    name = (XYZ.venue, XYZ.symbol)
    with gzip.open(path, "rt") as lines:
        for line in islice(lines, count):
            stamp, text = line.split(" ", 1)
            at, message = int(stamp), json.loads(text)
            raw = message.get("data", message)
            when, kind = raw["T"] * MS, raw.get("e")
            event: Event
            if kind == "bookTicker":
                sizes = (float(raw["b"]), float(raw["B"]), float(raw["a"]), float(raw["A"]))
                event = Quote(*name, *sizes, when, at)
            elif kind == "trade":
                event = Trade(*name, float(raw["p"]), float(raw["q"]), not raw["m"], str(raw["t"]), when, at)
            elif kind == "depthUpdate":
                sides = (levels(raw["b"]), levels(raw["a"]))
                event = DepthDelta(*name, *sides, raw["U"], raw["u"], raw["pu"], when, at)
            else:
                event = DepthSnapshot(*name, levels(raw["bids"]), levels(raw["asks"]), raw["lastUpdateId"], when, at)
            yield at, event, raw


@needs_shared
def test_the_depth_of_a_recorded_feed_agrees_with_its_quotes() -> None:
    """Each side of each synced depth update equals the bookTicker that was in force at its id.

    bookTicker and depth share one id, so the comparison is exact: the last bookTicker with
    u at or below the depth's u must show the same best prices and sizes.
    """
    book, tickers, compared, unlike = Book(lifetime=SECOND), list[tuple[int, Quote]](), 0, 0
    waiting: list[tuple[int, tuple[float, float], tuple[float, float]]] = []
    for _, event, raw in recorded(RECORDING, MESSAGES):
        if isinstance(event, Quote):
            book.on_quote(event)
            tickers.append((raw["u"], event))
        elif isinstance(event, Trade):
            book.on_trade(event)
        elif book.on_depth(event) and book.depth.synced:
            depth = book.depth
            bid, ask = depth.best(bids=True), depth.best(bids=False)
            assert bid is not None and ask is not None
            waiting.append((depth.last_id, bid, ask))
    cursor = 0
    for last_id, bid, ask in waiting:
        while cursor + 1 < len(tickers) and tickers[cursor + 1][0] <= last_id:
            cursor += 1
        quote = tickers[cursor][1]
        compared += 1
        unlike += (quote.bid, quote.bid_size, quote.ask, quote.ask_size) != (*bid, *ask)

    assert book.depth.gaps == 0
    assert compared > 1000
    assert unlike == 0


@needs_shared
def test_orders_on_a_recorded_feed_pay_what_it_shows() -> None:
    """Buys and sells of 0.5 BTC every 500 messages, walked over real depth, and one maker each."""
    exchange = SimulatedExchange(STEADY)
    exchange.define(XYZ)
    fills = []
    for number, (at, event, _) in enumerate(recorded(RECORDING, MESSAGES), 1):
        while (due := exchange.next_due()) is not None and due <= at:
            fills += [told.fill for _, told in exchange.pop_due(due) if isinstance(told, OrderFilled)]
        exchange.on_market(event, at)
        if number % 500 == 0 and isinstance(event, Quote):
            side = Side.BUY if number % 1000 else Side.SELL
            exchange.submit(order(f"t{number}", side, "0.5"), at)
            price = dec(str(event.bid if side is Side.BUY else event.ask))
            exchange.submit(order(f"m{number}", side, "0.05", limit_price=price, post_only=True), at)

    takers = [fill for fill in fills if fill.client_id.startswith("t")]
    makers = [fill for fill in fills if fill.client_id.startswith("m")]
    assert len(takers) > 20
    assert makers
    assert all(0 < fill.slippage_bps() < 5 for fill in takers)
    assert all(fill.slippage_bps() == 0 for fill in makers)
