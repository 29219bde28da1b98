"""Reading Binance's market messages: recorded ones in full, and broken ones of every kind."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.adapters.feed_binance_book import BookIds
from engine.adapters.feed_binance_parse import Read, Reader, Refused, read_snapshot
from engine.adapters.feed_binance_trades import MOST_MISSING, TradeIds
from engine.adapters.feed_line import Reply
from engine.model.market import DepthDelta, DepthSnapshot, FundingRate, MarketEvent, Quote, Trade
from engine.model.time import HOUR, MS, SECOND
from engine.signals.depth import DepthCopy
from tests.shared_data import MARKET_DATA, SHARED, needs_shared

FIXTURES = SHARED / "data" / "api_fixtures"
AT_MS = 1_790_000_000_000


class Desk:
    """A reader and what it read."""

    def __init__(self, *symbols: str) -> None:
        self.read: list[Read] = []
        self.reader = Reader(set(symbols), self.read.append)

    def hear(self, message: object, received_at: int = 1) -> object:
        return self.reader.hear(message if isinstance(message, str | bytes) else json.dumps(message), received_at)

    @property
    def events(self) -> list[MarketEvent]:
        return [read.event for read in self.read]

    @property
    def refusals(self) -> Counter[str]:
        return Counter({why: count for why, count in self.reader.counts.items() if why.startswith("refused")})


def messages(path: Path, separator: str) -> list[str]:
    """Return the messages of a recording whose lines are a stamp, `separator` and JSON."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [line.split(separator, 1)[1] for line in lines if not line.startswith("wss://")]


@needs_shared
def test_six_recorded_minutes_are_read_to_the_last_message() -> None:
    """The recording also has `trade` and one answer of REST, which are not for the stream's reader."""
    desk = Desk("BTCUSDT")
    found = messages(MARKET_DATA / "binance_usdm_btcusdt_20240808_raw.jsonl.gz", " ")
    answers = Counter(type(desk.hear(message)).__name__ for message in found)

    kinds = Counter(type(event) for event in desk.events)
    assert answers == {"bool": len(found)}
    assert desk.refusals == {"refused: nobody asked for it": 21_313 + 1}
    assert kinds[DepthDelta] == 6_551
    assert kinds[Quote] + desk.reader.counts["duplicate"] == 66_089
    deltas = [event for event in desk.events if isinstance(event, DepthDelta)]
    assert all(one.last_id == other.previous_id for one, other in pairwise(deltas))


@needs_shared
def test_the_recorded_whole_book_joins_the_diffs_around_it_and_never_crosses() -> None:
    """Six minutes of diffs without a gap: a level that were not removed in time would leave the book crossed."""
    desk, book, copy = Desk("BTCUSDT"), BookIds(), DepthCopy()
    for message in messages(MARKET_DATA / "binance_usdm_btcusdt_20240808_raw.jsonl.gz", " "):
        if message.startswith('{"lastUpdateId"'):
            whole = read_snapshot(json.loads(message), "BTCUSDT", 1)
            assert book.on_snapshot(whole)
            copy.on_snapshot(whole)
        else:
            desk.hear(message)
            while desk.read:
                event = desk.read.pop(0).event
                if isinstance(event, DepthDelta) and (told := book.on_delta(event)) is not None:
                    copy.on_delta(told)
    assert book.whole and book.last == copy.last_id
    bids, asks = copy.levels() or ((), ())
    assert 61_000 < bids[0][0] < asks[0][0] < 62_500
    assert asks[0][0] - bids[0][0] < 1.0


@needs_shared
def test_recorded_numbers_are_the_ones_that_were_sent() -> None:
    desk = Desk("SUSHIUSDT", "AKROUSDT", "KEEPUSDT", "CTKUSDT")
    found = messages(MARKET_DATA / "cryptofeed_BINANCE_FUTURES.ws.1.0.txt.gz", ": ")
    sent = {}
    for message in found:
        desk.hear(message)
        data = json.loads(message)["data"]
        if data["e"] == "aggTrade":
            sent[data["s"], str(data["a"])] = data

    trades = [event for event in desk.events if isinstance(event, Trade)]
    assert len(trades) == 91
    assert desk.refusals == {"refused: nobody asked for it": 67}, "bars are not asked for"
    for trade in trades:
        data = sent[trade.symbol, trade.trade_id]
        assert (Decimal(repr(trade.price)), Decimal(repr(trade.size))) == (Decimal(data["p"]), Decimal(data["q"]))
        assert (trade.aggressor_buys, trade.venue_at) == (not data["m"], data["T"] * MS)


@needs_shared
def test_recorded_books_join_their_whole_ones_and_stay_whole() -> None:
    """REST and stream were recorded side by side: the ids must meet for every symbol, for us and for our readers."""
    wholes = {}
    with gzip.open(MARKET_DATA / "cryptofeed_BINANCE_FUTURES.http.0.0.txt.gz", "rt") as lines:
        for line in lines:
            place, _, text = line.strip().partition(" -> ")
            if not text:
                continue
            symbol = place.split("symbol=")[1].split("&")[0]
            at, _, body = text.partition(": ")
            wholes[symbol] = (float(at), read_snapshot(json.loads(body), symbol, 1))
    copies, books = {symbol: DepthCopy() for symbol in wholes}, {symbol: BookIds() for symbol in wholes}
    desk = Desk(*wholes)
    with gzip.open(MARKET_DATA / "cryptofeed_BINANCE_FUTURES.ws.1.0.txt.gz", "rt") as lines:
        next(lines)
        for line in lines:
            at, _, message = line.partition(": ")
            for symbol in [symbol for symbol, (taken, _) in wholes.items() if taken <= float(at)]:
                snapshot = wholes.pop(symbol)[1]
                assert books[symbol].on_snapshot(snapshot)
                copies[symbol].on_snapshot(snapshot)
            count = len(desk.read)
            desk.hear(message)
            for event in desk.events[count:]:
                if isinstance(event, DepthDelta):
                    told = books[event.symbol].on_delta(event)
                    if told is not None:
                        copies[event.symbol].on_delta(told)

    assert wholes == {}
    for symbol, copy in copies.items():
        assert books[symbol].whole and copy.levels() is not None, symbol
        assert books[symbol].last == copy.last_id


@needs_shared
def test_every_fixture_of_a_client_library_is_read_or_refused() -> None:
    """Samples of the documentation and of other clients' tests: none may crash the feed, ours must be read."""
    desk = Desk("BTCUSDT", "BNBUSDT")
    seen = 0
    for path in sorted(FIXTURES.glob("nautilus/**/*.json")):
        desk.hear(path.read_bytes())
        seen += 1
    for name in ("binance_net_market_ws.json", "binance_net_usdm_rest.json", "binance_error_bodies.json"):
        for value in json.loads((FIXTURES / name).read_text()).values() if name != "binance_error_bodies.json" else (
            json.loads((FIXTURES / name).read_text())
        ):
            for part in value if isinstance(value, list) else [value]:
                for inner in part.values() if isinstance(part, dict) else [part]:
                    desk.hear(inner)
                    seen += 1

    assert seen > 300
    assert sum(desk.reader.counts.values()) == seen, "each one is accounted for"
    kinds = {type(event) for event in desk.events}
    assert kinds == {Quote, Trade, DepthDelta, FundingRate}


GOOD: dict[str, dict[str, Any]] = {
    "bookTicker": {"u": 5, "b": "1.5", "B": "2", "a": "1.6", "A": "3", "T": AT_MS, "E": AT_MS},
    "aggTrade": {"a": 5, "p": "1.5", "q": "2", "f": 1, "l": 2, "T": AT_MS, "E": AT_MS, "m": False},
    "depthUpdate": {"U": 4, "u": 5, "pu": 3, "b": [["1.5", "2"]], "a": [["1.6", "0"]], "T": AT_MS, "E": AT_MS},
    "markPriceUpdate": {"p": "1.5", "i": "1.5", "P": "1.5", "r": "0.0001", "T": AT_MS, "E": AT_MS},
}
NO_NUMBERS: list[Any] = [
    "NaN", "Infinity", "-1", "", " ", "1_0", "\uff11", "abc", None, True, 7, 1.5, [], {}, "1e999", "0x1", "--1"
]


@pytest.mark.parametrize(("kind", "field"), [
    (kind, field) for kind, fields in GOOD.items() for field in fields
    if field not in ("f", "l", "E", "i", "P", "T") and (kind, field) != ("markPriceUpdate", "p")
])
def test_a_field_that_is_missing_or_no_number_refuses_the_message(kind: str, field: str) -> None:
    """A NaN that came through would be compared with limits, and no comparison with NaN is true."""
    good = {"e": kind, "s": "XUSDT", **GOOD[kind]}
    assert Desk("XUSDT").hear(good) is True
    wrong: list[Any] = [value for value in NO_NUMBERS if not _fits(kind, field, value)]
    for value in (*wrong, ...):
        desk = Desk("XUSDT")
        message = {name: told for name, told in good.items() if name != field}
        if value is not ...:
            message[field] = value
        assert desk.hear(message) is False, value
        assert desk.events == [] and sum(desk.refusals.values()) == 1, value


def _fits(kind: str, field: str, value: object) -> bool:
    """Whether `value` happens to be right for this field."""
    if kind == "depthUpdate" and field in ("b", "a"):
        return value == []
    if field == "u" or (kind, field) == ("aggTrade", "a"):
        return type(value) is int
    return field == "m" and value is True or (kind, field) == ("markPriceUpdate", "r") and value == ""


@pytest.mark.parametrize("changes", [
    {"b": "1.7"}, {"b": "0"}, {"a": "0"}, {"B": "-0.1"}, {"b": "NaN"}, {"A": "nan"}, {"s": "OTHER"}, {"s": None},
    {"s": ["XUSDT"]}, {"T": -5}, {"T": 1e18}, {"T": "1790000000000"}, {"T": None, "E": None}, {"T": 10**18},
])
def test_a_quote_that_no_market_shows_is_dropped_and_counted(changes: dict[str, object]) -> None:
    desk = Desk("XUSDT")
    assert desk.hear({"e": "bookTicker", "s": "XUSDT", **GOOD["bookTicker"], **changes}) is False
    assert desk.events == [] and sum(desk.refusals.values()) == 1


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(NO_NUMBERS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from([*"esbBaAuUpqTEmr", "pu", "id", "data", "stream", "error"]), inner, max_size=6
    ),
    max_leaves=12,
)


@given(kind=st.sampled_from([*GOOD, "kline", None]), noise=st.dictionaries(
    st.sampled_from([*"esbBaAuUpqTEmr", "pu", "id", "data"]), json_values, max_size=4
))
def test_no_json_raises_and_what_passes_is_finite(kind: str | None, noise: dict[str, object]) -> None:
    desk = Desk("XUSDT")
    message = {"e": kind, "s": "XUSDT", **GOOD.get(kind or "", {}), **noise}
    desk.hear(json.dumps(message))
    assert sum(desk.reader.counts.values()) == 1
    for event in desk.events:
        numbers = [value for name in event.__slots__ if type(value := getattr(event, name)) is float]
        assert all(abs(number) < float("inf") for number in numbers)


@given(st.binary(max_size=60))
def test_no_bytes_raise(raw: bytes) -> None:
    desk = Desk("XUSDT")
    assert desk.hear(raw) in (False, Reply(0)) or sum(desk.refusals.values()) == 0


def test_half_a_message_and_one_that_is_too_deep_are_refused() -> None:
    desk = Desk("XUSDT")
    whole = json.dumps({"e": "bookTicker", "s": "XUSDT", **GOOD["bookTicker"]})
    for length in range(len(whole)):
        assert desk.hear(whole[:length]) is False
    assert desk.hear("[" * 100_000) is False
    assert desk.events == []


def test_a_count_that_begins_anew_is_no_old_message() -> None:
    """A venue that restarts its numbers would otherwise be refused for ever."""
    desk = Desk("XUSDT")
    for number, at in ((100, AT_MS), (99, AT_MS - 5), (5, AT_MS + 500), (6, AT_MS + 5_000), (7, AT_MS + 5_001)):
        desk.hear({"e": "bookTicker", "s": "XUSDT", **GOOD["bookTicker"], "u": number, "T": at})

    assert [read.number for read in desk.read] == [100, 6, 7]
    assert desk.reader.counts["duplicate"] == 2


def test_how_often_funding_is_settled_is_learnt_and_seen() -> None:
    desk = Desk("AUSDT", "BUSDT")
    desk.reader.funding.learn([{"symbol": "AUSDT", "fundingIntervalHours": 4}, {"symbol": "BUSDT"}, 5, None])
    for number, (symbol, due) in enumerate(
        [("AUSDT", 0), ("BUSDT", 0), ("BUSDT", 0), ("BUSDT", HOUR // MS), ("AUSDT", 60_000)], start=1
    ):
        desk.hear({"e": "markPriceUpdate", "s": symbol, "r": "-0.001", "T": AT_MS + due, "E": AT_MS + number})

    found = [(event.symbol, event.interval) for event in desk.events if isinstance(event, FundingRate)]
    assert found == [
        ("AUSDT", 4 * HOUR), ("BUSDT", 8 * HOUR), ("BUSDT", 8 * HOUR), ("BUSDT", HOUR), ("AUSDT", 4 * HOUR)
    ]


def test_answers_to_requests_are_told_from_messages() -> None:
    desk = Desk("XUSDT")
    assert desk.hear({"result": None, "id": 3}) == Reply(3)
    assert desk.hear({"error": {"code": 2, "msg": "no"}, "id": 4}) == Reply(4, "{'code': 2, 'msg': 'no'}")
    assert desk.hear({"code": 2, "msg": "no", "id": 4}) == Reply(4, "no")
    assert desk.hear({"result": None}) is False


@pytest.mark.parametrize("change", [
    {"bids": [["1.0", "1"], ["1.0", "1"]]}, {"bids": [["2.0", "1"]]}, {"asks": [["1.5", "1"], ["1.4", "1"]]},
    {"asks": [["NaN", "1"]]}, {"lastUpdateId": None}, {"lastUpdateId": -1}, {"asks": None}, {"E": None, "T": None},
])
def test_a_whole_book_that_cannot_be_is_refused(change: dict[str, object]) -> None:
    good = {"lastUpdateId": 5, "E": AT_MS, "T": AT_MS, "bids": [["1.0", "1"]], "asks": [["2.0", "1"]]}
    assert read_snapshot(good, "XUSDT", 1) == DepthSnapshot(
        "binanceusdm", "XUSDT", ((1.0, 1.0),), ((2.0, 1.0),), 5, AT_MS * MS, 1
    )
    with pytest.raises(Refused):
        read_snapshot({**good, **change}, "XUSDT", 1)


changes = st.lists(
    st.tuples(st.integers(1, 3), st.sampled_from([98.0, 99.0, 100.0, 101.0]), st.integers(0, 3)), max_size=40
)


@given(changes, st.data())
def test_whatever_is_lost_a_reader_has_the_true_book_or_none(
    steps: list[tuple[int, float, int]], data: st.DataObject
) -> None:
    """Diffs of two lines, cut at different ids, lost at will; whole books at will: levels are true or unknown."""
    book, copy, truth, at = BookIds(), DepthCopy(), dict[float, float](), 10
    log: list[tuple[int, dict[float, float]]] = [(0, {})]
    pieces: list[DepthDelta] = []
    begun = {0: 0, 1: 0}
    for step, price, size in steps:
        at += step
        truth = {**truth, price: float(size)}
        log.append((at, truth))
        for line in (0, 1):
            if data.draw(st.booleans(), label=f"line {line} cuts"):
                touched = {
                    price: truth[price] for (when, _), (_, price, _) in zip(log[1:], steps, strict=False)
                    if when > begun[line]
                }
                pieces.append(DepthDelta(
                    "v", "X", tuple(touched.items()), (), begun[line] + 1, at, begun[line], SECOND, 0
                ))
                begun[line] = at
        while pieces:
            delta = pieces.pop(0)
            if data.draw(st.integers(0, 5), label="lost") and (told := book.on_delta(delta)) is not None:
                copy.on_delta(told)
        if data.draw(st.integers(0, 3), label="whole") == 0:
            when, levels = log[data.draw(st.integers(max(0, len(log) - 4), len(log) - 1), label="age")]
            whole = DepthSnapshot("v", "X", tuple((p, s) for p, s in levels.items() if s), (), when, SECOND, 0)
            if book.on_snapshot(whole):
                copy.on_snapshot(whole)
        assert book.whole == (copy.levels() is not None)
        if book.whole:
            assert book.last == copy.last_id
            expected = next(levels for when, levels in log if when == copy.last_id)
            assert dict((copy.levels() or ((), ()))[0]) == {p: s for p, s in expected.items() if s}


def test_a_whole_book_older_than_what_was_told_is_not_told() -> None:
    """It would be true, of a moment ago: the book would go back in time and then have a gap."""
    book = BookIds()
    whole = DepthSnapshot("v", "X", (), (), 10, SECOND, 0)
    assert book.on_snapshot(whole)
    assert book.on_delta(DepthDelta("v", "X", (), (), 11, 12, 10, SECOND, 0)) is not None
    assert not book.on_snapshot(DepthSnapshot("v", "X", (), (), 11, SECOND, 0))
    assert book.on_snapshot(DepthSnapshot("v", "X", (), (), 15, SECOND, 0))
    assert book.on_delta(DepthDelta("v", "X", (), (), 13, 15, 12, SECOND, 0)) is None
    assert book.on_delta(DepthDelta("v", "X", (), (), 3, 4, 2, 9 * SECOND, 0)) is not None, "ids began anew"
    assert not book.whole


@given(st.lists(st.integers(0, 60), max_size=60), st.data())
def test_every_trade_is_heard_once_or_told_as_lost(order: list[int], data: st.DataObject) -> None:
    """Whatever the order and however often: from the first number to the highest nothing is in neither place."""
    ids, heard, lost, now = TradeIds(), list[int](), 0, 0
    for number in order:
        now += data.draw(st.integers(0, 3), label="pause")
        if ids.take("X", number, 0, now):
            heard.append(number)
        lost += sum(count for _, count in ids.lost(now, 5))
    lost += sum(count for _, count in ids.lost(now + 5, 5))
    assert ids.lost(now + 99, 5) == []
    assert len(heard) == len(set(heard))
    if order:
        assert len(heard) + lost == max(order) - order[0] + 1
        assert all(number >= order[0] for number in heard)


def test_a_long_hole_and_a_new_count_of_trades_are_told_and_forgotten() -> None:
    ids = TradeIds()
    assert ids.take("X", 0, 0, 0) and ids.take("X", 1_000_000, 0, 0)
    assert ids.lost(0, 5) == [("X", 1_000_000 - 1 - MOST_MISSING)], "what is too long to wait for is lost at once"
    assert ids.take("X", 999_999, 0, 1)
    assert ids.take("X", 3, 60_000, 2), "the venue counts anew"
    assert not ids.take("X", 3, 60_000, 2)
    assert ids.lost(2, 5) == [("X", MOST_MISSING - 1)]
    assert ids.take("X", 4, 60_001, 2) and ids.lost(99, 5) == []
