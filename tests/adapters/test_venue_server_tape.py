"""A tape on the wall's clock, and what of it is told elsewhere than in the streams of its own market."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.adapters.clock_system import SystemClock
from engine.adapters.tape_demo import demo_tape
from engine.adapters.tape_market_model import GeneratedTape, Timed
from engine.adapters.venue_server_news import SPOT_PAIRS, Announcements, peg_quotes
from engine.adapters.venue_server_tape import VENUE, Pace, Shift, TapePlayer, known_instruments, played_venue
from engine.model.instruments import Instrument, MarketKind
from engine.model.market import Announcement, DepthDelta, DepthSnapshot, OraclePrice, Quote, Trade
from engine.model.time import MS, SECOND
from engine.ports.feed import MARKET, TapeEvent, TapeHeader

T0 = 1_600_000_000 * SECOND


def instrument(venue: str, kind: MarketKind = MarketKind.PERPETUAL) -> Instrument:
    return Instrument(
        venue=venue, symbol="BTCUSDT", base="BTC", quote="USDT", kind=kind, tick=Decimal("0.1"), step=Decimal("0.001"),
        min_quantity=Decimal("0.001"), max_quantity=Decimal(1000), min_notional=Decimal(5),
    )


def quote(at: int, venue: str = "old", bid: float = 100.0) -> Quote:
    return Quote(venue, "BTCUSDT", bid, 1.0, bid + 0.1, 2.0, at - 5 * MS, at)


def tape(
    *events: TapeEvent, venues: tuple[str, ...] = ("old",), instruments: tuple[Instrument, ...] = ()
) -> GeneratedTape:
    def story() -> Iterator[Timed]:
        return iter([(event.received_at, 0, event) for event in events])  # type: ignore[union-attr]

    return GeneratedTape(TapeHeader(
        name="t", source="a test", events=len(events), first_at=T0, last_at=T0 + SECOND, venues=venues,
        symbols=("BTCUSDT",), instruments=instruments, producers=frozenset({MARKET}),
    ), story)


async def played(source: GeneratedTape, pace: Pace, until: int) -> tuple[list[tuple[TapeEvent, int, int]], TapePlayer]:
    """Play until `until` events were told; return (event, due, when it was told), and the player."""
    clock, told, enough = SystemClock(), list[tuple[TapeEvent, int, int]](), asyncio.Event()

    def show(event: TapeEvent, at: int) -> None:
        told.append((event, at, clock.now()))
        if len(told) >= until:
            enough.set()

    player = TapePlayer(source, clock, show, pace)
    playing = asyncio.create_task(player.play())
    await asyncio.wait_for(enough.wait(), 5)
    playing.cancel()
    await asyncio.gather(playing, return_exceptions=True)
    return told, player


def test_the_first_event_is_now_and_the_rest_keeps_its_distances() -> None:
    events = [quote(T0 + step * SECOND) for step in (0, 1, 3, 6)]
    before = SystemClock().now()

    told, player = asyncio.run(played(tape(*events), Pace(speed=100), 4))

    first = told[0][1]
    assert before <= first <= SystemClock().now()
    assert [due - first for _, due, _ in told] == [0, 10 * MS, 30 * MS, 60 * MS]
    assert all(when >= due for _, due, when in told), "nothing is told before it happens"
    assert all(event.venue == VENUE and event.received_at == due for event, due, _ in told if isinstance(event, Quote))
    stamps = [due - event.venue_at for event, due, _ in told if isinstance(event, Quote)]
    assert stamps == [50_000] * 4, "5 ms at 100 times as fast"
    assert player.shown == 4 and player.elsewhere == 0


def test_one_venue_of_several_is_played() -> None:
    source = tape(
        quote(T0, "spot"), quote(T0 + MS, "perp"), venues=("spot", "perp"),
        instruments=(instrument("spot", MarketKind.SPOT), instrument("perp")),
    )

    told, player = asyncio.run(played(source, Pace(speed=1000), 1))

    assert played_venue(source.header) == "perp"
    assert [each.venue for each in known_instruments(source)] == [VENUE]
    assert [event.received_at - due for event, due, _ in told if isinstance(event, Quote)] == [0]
    assert player.elsewhere == 1


def test_after_the_end_the_last_quotes_are_told_again() -> None:
    told, player = asyncio.run(played(tape(quote(T0), quote(T0 + MS, bid=200.0)), Pace(speed=1000), 3))

    again = told[-1][0]
    assert player.over and isinstance(again, Quote) and again.bid == 200.0
    assert told[-1][1] - told[1][1] >= SECOND and again.received_at == told[-1][1]


def test_a_loop_begins_anew_and_the_ids_of_books_go_on_rising() -> None:
    def book(at: int) -> DepthSnapshot:
        return DepthSnapshot("old", "BTCUSDT", ((100.0, 1.0),), ((101.0, 1.0),), 500, at, at)

    def delta(at: int) -> DepthDelta:
        return DepthDelta("old", "BTCUSDT", ((99.0, 1.0),), (), 501, 505, 500, at, at)

    told, player = asyncio.run(played(tape(book(T0), delta(T0 + MS)), Pace(speed=1000, loop=True), 4))

    ids = [event.last_id for event, _, _ in told if isinstance(event, DepthSnapshot | DepthDelta)]
    assert ids == [500, 505, 1005, 1010] and player.tellings == 2
    second = told[3][0]
    assert isinstance(second, DepthDelta) and second.previous_id == ids[2]


def test_a_tape_can_begin_in_the_middle_with_its_past_known() -> None:
    events = [quote(T0 + second * SECOND) for second in (0, 50, 100, 101)]

    told, _ = asyncio.run(played(tape(*events), Pace(speed=50, skip=100 * SECOND), 4))

    start = told[2][1]
    assert told[1][1] == start - SECOND and told[2][2] - told[0][2] < SECOND, "the past is not waited for"
    assert told[3][2] >= start + 20 * MS


def test_a_whole_real_story_can_be_shifted() -> None:
    """Every event type of the demo comes through under the served name, in order, with none invented or lost."""
    source = demo_tape()
    shift = Shift(first_at=source.header.first_at, start=T0, speed=60.0, venue=played_venue(source.header))
    last = 0
    for at, event in source.events():
        moved = shift.event(event)
        assert moved is not None and type(moved) is type(event)
        assert shift.instant(at) >= last
        last = shift.instant(at)
        if isinstance(moved, Quote | Trade):
            assert moved.venue == VENUE and moved.received_at <= last and moved.venue_at <= moved.received_at


def news(kind: str, *symbols: str, title: str = "Paper Exchange Will List Nova (NOVA)") -> Announcement:
    return Announcement("paper", "paper-1", kind, title, symbols, T0 - 1200 * MS, T0)


def test_announcements_are_listed_as_binance_lists_them() -> None:
    page = Announcements()
    page.add(news("listing", "NOVAUSDT"))
    page.add(news("listing", "ORBTUSDT", "LUMNUSDT"))
    page.add(news("delisting", title="Binance Will Delist X"))

    status, body = page.page({"type": "1", "catalogId": "48", "pageNo": "1", "pageSize": "20"})
    (catalogue,) = body["data"]["catalogs"]
    newest, oldest = catalogue["articles"]

    assert status == 200 and body["success"] and catalogue["catalogId"] == 48 and catalogue["total"] == 2
    assert newest["title"] == "Binance Futures Will Launch USDⓈ-Margined ORBTUSDT and LUMNUSDT Perpetual Contracts"
    assert oldest["title"] == "Binance Futures Will Launch USDⓈ-Margined NOVAUSDT Perpetual Contract"
    assert oldest["releaseDate"] == (T0 - 1200 * MS) // MS and oldest["id"] < newest["id"]
    assert re.fullmatch("[0-9a-f]{32}", oldest["code"]) and oldest["code"] != newest["code"]
    assert set(oldest) == {"id", "code", "title", "type", "releaseDate"}
    titles = [
        article["title"] for one in page.page({"type": "1"})[1]["data"]["catalogs"] for article in one["articles"]
    ]
    assert "Binance Will Delist X" in titles and len(titles) == 3


@pytest.mark.parametrize("params", [{"pageSize": "0"}, {"pageSize": "999"}, {"pageNo": "x"}, {"catalogId": "new"}])
def test_a_page_that_cannot_be_is_refused_with_status_200(params: dict[str, str]) -> None:
    status, body = Announcements().page(params)

    assert status == 200 and not body["success"] and body["data"] is None


def test_pages_do_not_overlap() -> None:
    page = Announcements()
    for number in range(7):
        page.add(news("listing", f"C{number}USDT"))

    ids = [
        article["id"] for number in (1, 2, 3)
        for article in page.page({"catalogId": "48", "pageNo": str(number), "pageSize": "3"})[1]["data"]["catalogs"][0][
            "articles"]
    ]
    assert len(ids) == len(set(ids)) == 7


@given(st.floats(0.5, 1.5))
def test_the_peg_is_seen_in_the_pairs_of_other_stablecoins(price: float) -> None:
    """Within half a tick, and one tick wide: a reader who inverts the middle gets the price back."""
    quotes = peg_quotes(OraclePrice("chainlink", "USDT", "USD", price, "1", T0, T0))

    assert tuple(each.symbol for each in quotes) == SPOT_PAIRS
    for each in quotes:
        assert each.ask - each.bid == pytest.approx(0.0001) and abs((each.ask + each.bid) / 2 - 1 / price) <= 0.00005001


@pytest.mark.parametrize("price", [0.0, -1.0, float("nan"), float("inf")])
def test_a_price_that_is_none_is_not_shown(price: float) -> None:
    assert peg_quotes(OraclePrice("chainlink", "USDT", "USD", price, "1", T0, T0)) == ()
    assert peg_quotes(OraclePrice("chainlink", "BTC", "USD", 1.0, "1", T0, T0)) == ()
