"""A tape line: what goes in comes out, and what was changed on the way never does."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.adapters.tape_decode import READERS, UNREADABLE
from engine.adapters.tape_encode import encode
from engine.adapters.tape_format import escape, header_line, read_header_line, seal, unescape, unseal
from engine.model.events import InstrumentDefined
from engine.model.instruments import Instrument, MarketKind
from engine.model.market import (
    Announcement,
    Bar,
    DepthDelta,
    DepthSnapshot,
    FeedDropped,
    FeedState,
    FundingRate,
    Heartbeat,
    OraclePrice,
    Quote,
    Trade,
)
from engine.ports.feed import TapeEvent

NAMES = {b"0": ("paper", "BTCUSDT")}
AT = 1_772_474_400_000_000_000
NOVA = Instrument(
    venue="paper", symbol="NOVAUSDT", base="NOVA", quote="USDT", kind=MarketKind.PERPETUAL, tick=Decimal("0.0001"),
    step=Decimal("0.1"), min_quantity=Decimal("0.1"), max_quantity=Decimal(1000), min_notional=Decimal(5),
)
ONE_OF_EACH: tuple[TapeEvent, ...] = (
    Quote("paper", "BTCUSDT", 64000.1, 1.5, 64000.2, 0.003, AT - 40, AT),
    Trade("paper", "BTCUSDT", 64000.2, 0.5, True, "77", AT - 40, AT),
    Trade("paper", "BTCUSDT", 64000.1, 1e-8, False, "", AT, AT),
    DepthDelta("paper", "BTCUSDT", ((64000.1, 0.0), (63999.0, 2.0)), (), 5, 9, 4, AT, AT),
    DepthSnapshot("paper", "BTCUSDT", ((64000.1, 1.0),), ((64000.2, 2.0),), 9, AT, AT),
    Bar("paper", "BTCUSDT", 1.0, 2.0, 0.5, 1.5, 100.0, 60_000_000_000, AT - 60_000_000_000, AT),
    OraclePrice("chainlink", "USDT", "USD", 0.9981, "36893488147419103978", AT, AT),
    FundingRate("paper", "BTCUSDT", -0.0003, 28_800_000_000_000, AT, AT),
    FundingRate("paper", "BTCUSDT", -0.0003, 0, AT, AT, paid=True),
    FundingRate("paper", "BTCUSDT", 0.02, 3_600_000_000_000, AT, AT, next_at=AT + 1),
    Announcement("paper", "id-1", "listing", "List\tNova\n(NOVA) \\ 新", ("NOVAUSDT", "NOVAUSDC"), AT - 9, AT),
    Announcement("paper", "id-2", "other", "", (), AT, AT),
    Announcement("paper", "id-3", "listing", "t", ("NOVAUSDT",), AT - 9, AT, "spot", AT + 5),
    Announcement("paper", "id-4", "delisting", "t", (), AT, AT, "spot"),
    Announcement("paper", "id-5", "trading_start", "t", ("A", "B", "C"), AT, AT, "", AT + 5),
    Heartbeat("feed.announcements", AT),
    FeedState("paper", False, "reset by\rpeer", AT),
    FeedDropped("paper", "", "depth", 12, AT),
    InstrumentDefined(instrument=NOVA, venue_at=AT),
)


def _back(line: bytes) -> TapeEvent:
    fields = unseal(line.rstrip(b"\n")).split(b"\t")
    return READERS[fields[0]](fields, NAMES)


@pytest.mark.parametrize("event", ONE_OF_EACH, ids=lambda event: type(event).__name__)
def test_every_kind_of_event_comes_back_as_it_went_in(event: TapeEvent) -> None:
    assert _back(seal(encode(event, AT, lambda venue, symbol: 0))) == event


def test_there_is_a_line_for_every_kind_of_event() -> None:
    """A kind that the table above forgets would be a kind that nobody tried."""
    written = {encode(event, AT, lambda venue, symbol: 0)[0].encode() for event in ONE_OF_EACH}
    assert written == set(READERS)


@pytest.mark.parametrize("event", ONE_OF_EACH, ids=lambda event: type(event).__name__)
def test_every_flipped_bit_is_damage(event: TapeEvent) -> None:
    """Also in the checksum itself: a line is either as it was written or not read."""
    line = seal(encode(event, AT, lambda venue, symbol: 0)).rstrip(b"\n")
    for i in range(len(line) * 8):
        flipped = bytearray(line)
        flipped[i // 8] ^= 1 << (i % 8)
        with pytest.raises(ValueError, match="checksum"):
            unseal(bytes(flipped))


FLOATS = st.floats(allow_nan=False, allow_infinity=False, width=64)
TIMES = st.integers(min_value=0, max_value=2**63)
LEVELS = st.lists(st.tuples(st.floats(0.0, 1e9), st.floats(0.0, 1e9)), max_size=6).map(tuple)
PRICES = st.floats(-1e300, 1e300)


@settings(max_examples=200)
@given(st.builds(Quote, st.just("paper"), st.just("BTCUSDT"), PRICES, PRICES, PRICES, PRICES, TIMES, TIMES))
def test_a_quote_keeps_every_digit(quote: Quote) -> None:
    assert _back(seal(encode(quote, 0, lambda venue, symbol: 0))) == quote


@given(st.builds(DepthSnapshot, st.just("paper"), st.just("BTCUSDT"), LEVELS, LEVELS, TIMES, TIMES, TIMES))
def test_a_book_keeps_every_level(book: DepthSnapshot) -> None:
    assert _back(seal(encode(book, 0, lambda venue, symbol: 0))) == book


@settings(max_examples=300)
@given(st.text(alphabet=st.one_of(st.sampled_from("\\\t\n\rntr "), st.characters(exclude_categories=["Cs"]))))
def test_any_text_fits_on_a_line(text: str) -> None:
    written = escape(text)
    assert unescape(written.encode()) == text
    assert not set(written) & set("\t\n\r")


@pytest.mark.parametrize("written", ["\\x", "end\\", "a\\ b"])
def test_an_escape_that_nobody_writes_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="escape"):
        unescape(written.encode())


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_never_written(bad: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        encode(Quote("paper", "BTCUSDT", bad, 1.0, 1.0, 1.0, 0, 0), 0, lambda venue, symbol: 0)
    with pytest.raises(ValueError, match="finite"):
        encode(DepthSnapshot("paper", "BTCUSDT", ((1.0, bad),), (), 1, 0, 0), 0, lambda venue, symbol: 0)


@pytest.mark.parametrize(
    "body",
    [
        "Q\t1\t0\tnan\t1.0\t1.0\t1.0\t1",
        "Q\t1\t0\t1.0\tinf\t1.0\t-inf\t1",
        "Q\t1\t0\t1.0\t1.0\t1.0\t1",
        "Q\t1\t9\t1.0\t1.0\t1.0\t1.0\t1",
        "T\t1\t0\t1.0\t1.0\tX\t\t1",
        "S\t1\t0\t1\t1\t1.0 2.0 3.0\t",
        "S\t1\t0\t1\t1\tnan 1.0\t",
        "C\t1\tpaper\tmaybe\t",
        "I\t1\t1\t{}",
        "B\t1\t0\t1.0\t1.0\t1.0\t1.0\t60\t1",
        "O\t1\ta\tb\tc\tinf\t1\t1",
        "H\tsoon\tx",
        'I\t1\t1\t{"venue":"x","tick":"?"}',
    ],
)
def test_a_line_that_makes_no_event_is_refused_though_its_checksum_fits(body: str) -> None:
    with pytest.raises(UNREADABLE):
        _back(seal(body))


def test_the_header_says_why_it_is_none() -> None:
    data: dict[str, Any] = {"events": 3, "note": "a\tb"}
    assert read_header_line(header_line(data)) == data
    with pytest.raises(ValueError, match="does not begin"):
        read_header_line(b"time,price\n")
    with pytest.raises(ValueError, match="version 9"):
        read_header_line(seal("#engine-tape 9\t{}"))
    with pytest.raises(ValueError, match="checksum"):
        read_header_line(header_line(data)[:-4] + b"0\n")
