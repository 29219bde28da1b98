"""Which stream of a venue is silent, since when, and whose health it is: over every state there is."""

from __future__ import annotations

import json
from datetime import datetime
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.model.answers import AccountReported, AccountStream, QueryFailed
from engine.model.codec import canonical
from engine.model.events import Event, Input
from engine.model.market import Announcement, FeedState, FundingRate, Heartbeat, Quote, Trade
from engine.model.reports import Query
from engine.model.samples import InputRef, Status
from engine.model.time import HOUR, SECOND
from engine.signals.reduce import Reducers, ReducerSettings
from engine.signals.snapshot import Snapshot
from tests.core.kit import config
from tests.shared_data import MARKET_DATA, needs_shared
from tests.signals.world import T0

VENUE = "paper"


class Heard:
    """The reducers over the shipped catalogue. Instants are seconds after T0."""

    def __init__(self, *venues: str, begun: bool = True) -> None:
        found = config()
        assert found.catalogue is not None
        self.catalogue, self.flags = found.catalogue, found.ruling().flag_book().values
        self.snapshot = Snapshot(self.catalogue)
        self.reducers = Reducers(self.snapshot, ReducerSettings.from_flags(self.flags))
        self.seq = 0
        if begun:
            self.reducers.begin(T0, venues)

    def to(self, seconds: float) -> int:
        until = T0 + round(seconds * SECOND)
        while True:
            dues = [due for due in (self.snapshot.next_due(), self.reducers.next_due()) if due is not None]
            if not dues or min(dues) > until:
                return until
            self.snapshot.fire(min(dues))
            self.reducers.fire(min(dues))

    def hear(self, seconds: float, event: Event) -> None:
        at = self.to(seconds)
        self.seq += 1
        self.reducers.fold(Input(self.seq, at, event))

    def read(self, seconds: float, name: str, *labels: str) -> object:
        self.to(seconds)
        slot = self.snapshot.bind(InputRef(reads="value", signal=name), labels)
        status = Status(self.snapshot.status[slot])
        return self.snapshot.values[slot] if status is Status.OK else status

    def again(self) -> None:
        """Be written out and read back."""
        kept = json.loads(canonical({"snapshot": self.snapshot.dump(), "reducers": self.reducers.dump()}))
        self.snapshot = Snapshot(self.catalogue)
        self.snapshot.load(kept["snapshot"])
        self.reducers = Reducers(self.snapshot, ReducerSettings.from_flags(self.flags))
        self.reducers.load(kept["reducers"])
        assert json.loads(canonical(self.reducers.dump())) == kept["reducers"]


def quote() -> Quote:
    return Quote(VENUE, "XUSDT", 1.0, 1.0, 1.1, 1.0, T0, T0)


def trade() -> Trade:
    return Trade(VENUE, "XUSDT", 1.0, 1.0, True, "1", T0, T0)


def funding() -> FundingRate:
    return FundingRate(VENUE, "XUSDT", 0.0001, 8 * HOUR, T0, T0)


def account(venue: str = "real") -> AccountReported:
    return AccountReported(ask=1, venue=venue, positions=(), orders=(), balances=(), as_of=T0, venue_at=T0)


def user(alive: bool, venue: str = "real") -> AccountStream:
    return AccountStream(venue=venue, alive=alive, reason="", venue_at=T0)


def test_quotes_that_stop_are_seen_though_trades_go_on() -> None:
    """One connection of two is lost: a count over both would hide it."""
    heard = Heard()
    for second in range(60):
        if second < 20:
            heard.hear(second, quote())
        heard.hear(second + 0.5, trade())
    assert heard.read(59.9, "stream_silent_s", VENUE, "book") == pytest.approx(40.0, abs=5.0)
    assert heard.read(59.9, "stream_silent_s", VENUE, "market") == 0.0
    assert heard.read(59.9, "health_market") == 0.0, "the feed as a whole speaks"
    silent = heard.read(60, "venue_silent_s", VENUE)
    assert isinstance(silent, float) and silent >= 35.0


def test_the_drop_is_told_at_its_very_instant_and_so_is_its_end() -> None:
    heard = Heard()
    heard.hear(1.3, quote())
    assert heard.read(31.2999, "venue_silent_s", VENUE) != 30.0
    assert heard.read(31.3, "venue_silent_s", VENUE) == 30.0
    heard.hear(77.7, quote())
    assert heard.read(77.7, "venue_silent_s", VENUE) == 0.0
    assert heard.read(77.7, "venue_back_s", VENUE) == pytest.approx(76.4)


def test_trades_of_a_quiet_symbol_are_not_silent_while_nobody_expects_them() -> None:
    """Nor are announcements, references and funding that is told now and then."""
    heard = Heard()
    heard.hear(0, trade())
    heard.hear(0, funding())
    heard.hear(0, Announcement("binance", "1", "listing", "x", ("XUSDT",), T0, T0))
    heard.hear(0, Heartbeat("feed.oracle", T0))
    for second in range(600):
        heard.hear(second, quote())
    assert heard.read(600, "venue_silent_s", VENUE) == pytest.approx(0.0, abs=5.0)
    assert heard.read(600, "stream_silent_s", VENUE, "market") == 0.0
    assert set(heard.reducers._streams.known) == {VENUE}


def test_funding_by_the_second_is_expected_to_go_on() -> None:
    """Where the venue tells it every second its connection is known to be never quiet; trades on it are life too."""
    heard = Heard()
    for second in range(100):
        heard.hear(second, quote())
        if second < 10:
            heard.hear(second, funding())
        elif second == 30:
            heard.hear(second, trade())
    assert heard.read(100, "stream_silent_s", VENUE, "market") == pytest.approx(70.0, abs=5.0)
    assert heard.read(100, "venue_silent_s", VENUE) == pytest.approx(70.0, abs=5.0)


def test_our_own_stream_is_silent_from_when_it_is_known_to_be_gone() -> None:
    """Nothing happens to our orders for hours: that is no silence. That it broke is."""
    heard = Heard("real")
    heard.hear(0, user(alive=True))
    assert heard.read(5_000, "stream_silent_s", "real", "user") == 0.0
    heard.hear(5_001, user(alive=False))
    heard.hear(5_010, user(alive=False))
    assert heard.read(5_031, "venue_silent_s", "real") == 30.0, "counted from when it broke"
    heard.hear(5_040, user(alive=True))
    assert heard.read(5_040, "venue_silent_s", "real") == 0.0
    assert heard.read(5_040, "venue_back_s", "real") == pytest.approx(39.0)


def test_many_streams_that_go_together_come_back_once() -> None:
    heard = Heard("paper")
    back = heard.snapshot.bind(InputRef(reads="count_over", signal="venue_back_s", window=HOUR), (VENUE,))
    for second in range(10):
        heard.hear(second, quote())
        heard.hear(second, funding())
    heard.hear(9, user(alive=False, venue=VENUE))
    for second, event in ((60, quote()), (61, user(alive=True, venue=VENUE)), (62, funding()), (63, quote())):
        heard.hear(second, event)
    assert heard.snapshot.values[back] == 1
    assert heard.read(63, "venue_back_s", VENUE) == pytest.approx(53.0)


MARKETS, ACCOUNTS = (0.0, 29.9, 30.0, 899.0, 900.0), (0.0, 419.0, 420.0, 1_199.0, 1_200.0)


@pytest.mark.parametrize(("market", "real"), list(product(MARKETS, ACCOUNTS)))
def test_health_is_the_worse_of_the_market_and_the_account(market: float, real: float) -> None:
    """Every pair of silences on, before and behind each limit."""
    heard, now = Heard("real"), 2_000.0
    told: list[tuple[float, Event]] = [(now - market, quote()), (now - real, account())]
    for at, event in sorted(told, key=lambda pair: pair[0]):
        heard.hear(at, event)
    of_market = 2.0 if market >= 900 else 1.0 if market >= 30 else 0.0
    of_account = 2.0 if real >= 1_200 else 1.0 if real >= 420 else 0.0
    assert heard.read(now, "health_market") == of_market
    assert heard.read(now, "health_account") == of_account
    assert heard.read(now, "health_measured") == max(of_market, of_account)
    assert heard.reducers.health()[0] == max(of_market, of_account)
    assert {level for _, level in heard.reducers.health()[1]} == {level for level in (of_market, of_account) if level}


def test_only_what_could_be_read_is_life_of_the_account() -> None:
    """A question that failed says nothing, and an answer of another venue is another account."""
    heard = Heard("real")
    failed = QueryFailed(ask=2, query=Query.ACCOUNT, venue="real", reason="timeout", venue_at=T0)
    for second in range(0, 430, 10):
        heard.hear(second, quote())
        heard.hear(second, failed)
        heard.hear(second, account("other"))
    assert heard.read(430, "health_account") == 1.0
    heard.hear(431, user(alive=False))
    assert heard.read(431, "health_account") == 1.0, "the end of a stream is no sign of life"
    heard.hear(432, user(alive=True))
    assert heard.read(432, "health_account") == 0.0


def test_on_paper_there_is_no_account_to_be_heard() -> None:
    heard = Heard()
    for second in range(0, 3_000, 5):
        heard.hear(second, quote())
    assert heard.read(3_000, "health_account") is Status.MISSING
    assert heard.read(3_000, "health_measured") == 0.0


@pytest.mark.parametrize("down", [1, 29, 31, 600, 1_201, 40_000])
def test_while_no_process_listened_nobody_was_silent(down: int) -> None:
    """A restart must not find the engine unhealthy because it was not there, and measures anew from then on."""
    heard = Heard("real")
    for second in range(60):
        heard.hear(second, quote())
        heard.hear(second, account())
    heard.hear(59, user(alive=False))
    heard.again()
    back = 60 + down
    heard.reducers.begin(T0 + back * SECOND, ("real",))
    for moment in (60.5, back - 0.5, float(back), back + 29.0):
        assert heard.read(moment, "health_measured") in (0.0, Status.STALE), moment
    assert heard.read(back + 29, "venue_silent_s", VENUE) in (25.0, pytest.approx(29.0, abs=5.0))
    assert heard.read(back + 29, "venue_silent_s", "real") == 0.0, "whether that stream is gone is told anew"
    assert heard.read(back + 31, "health_market") == 1.0, "who is silent behind it is"


EVENTS: tuple[Any, ...] = (quote, trade, funding, account, lambda: user(alive=True), lambda: user(alive=False),
                           lambda: FeedState(VENUE, True, "", T0), lambda: FeedState(VENUE, False, "", T0))


@given(st.lists(st.tuples(st.integers(0, 45_000), st.integers(0, len(EVENTS) - 1)), max_size=25), st.integers(0, 25))
def test_a_cut_changes_nothing_and_no_silence_is_longer_than_it_was(steps: list[tuple[int, int]], cut: int) -> None:
    """Whatever comes: read back in the middle it goes on alike, and nothing is silent for longer than the venue was."""
    whole, parted, at = Heard("real"), Heard("real"), 0.0
    for number, (after, which) in enumerate(steps):
        if number == cut:
            parted.to(at)
            whole.to(at)
            parted.again()
        at += after / 1000
        for one in (whole, parted):
            one.hear(at, EVENTS[which]())
        assert canonical(whole.reducers.dump()) == canonical(parted.reducers.dump())
    silent = whole.read(at, "venue_silent_s", VENUE)
    assert not isinstance(silent, float) or silent <= at


@needs_shared
def test_a_recorded_reconnection_is_no_drop_and_a_longer_one_would_be() -> None:
    """The recording's markers lie within seconds: no entry is paused for them. The same 40 s apart are a drop each."""
    rows = json.loads((MARKET_DATA / "binance_spot_trades_with_disconnects_20241220.json").read_text())
    times = [_at(row) for row in rows]
    first = next(at for at in times if at is not None)
    marks = [index for index, at in enumerate(times) if at is None]
    assert marks, "the recording has lost what it is there for"
    for stretched, drops in ((0, 0), (40, len(_gaps(marks)))):
        heard, extra, last = Heard(), 0.0, 0.0
        count = heard.snapshot.bind(InputRef(reads="count_over", signal="venue_back_s", window=HOUR), ("binance_spot",))
        for index, at in enumerate(times):
            if at is None:
                heard.hear(last, FeedState("binance_spot", False, "reconnecting", T0))
                if index - 1 not in marks:
                    extra += stretched
                continue
            last = max(last, (at - first) / 1e9 + extra)
            heard.hear(last, Trade("binance_spot", "BTCUSDT", 1.0, 1.0, True, str(index), T0, T0))
        told = heard.snapshot.values[count] if heard.snapshot.status[count] == 0 else 0
        assert told == drops


def _gaps(marks: list[int]) -> list[int]:
    return [index for index in marks if index - 1 not in marks]


def _at(row: Any) -> int | None:
    """Return when a row was received (ns), None for a marker."""
    item = row.get("Item") if isinstance(row, dict) else None
    if not isinstance(item, dict) or "Ok" not in item:
        return None
    text = item["Ok"]["time_received"]
    whole = datetime.fromisoformat(text[:19] + "+00:00")
    return int(whole.timestamp()) * SECOND + int(text[20:29])
