"""Importing: every line is used, skipped for a reason, or named as damaged; bad files say what to do."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.adapters.tape_file import open_tape
from engine.adapters.tape_import import import_tape
from engine.adapters.tape_import_account import Imported, ImportOptions, split_symbol
from engine.model.events import InstrumentDefined
from engine.model.instruments import MarketKind
from engine.model.market import Bar, DepthDelta, DepthSnapshot, FeedState, FundingRate, OraclePrice, Quote, Trade
from engine.model.time import MS, SECOND
from engine.ports.feed import TapeError, TapeEvent
from tests.adapters.independent_depeg import episodes, rounds_of
from tests.shared_data import DEPEG, MARKET_DATA, needs_shared

AT = 1_723_161_255_000_000_000
QUOTE = {"u": 1, "s": "BTCUSDT", "b": "61837.63000000", "B": "3.78", "a": "61837.64000000", "A": "1.5460"}
FUTURES_QUOTE = {**QUOTE, "e": "bookTicker", "T": 1723161256313, "E": 1723161256313}
TRADE = {"e": "trade", "E": 5, "T": 1723161256322, "s": "BTCUSDT", "t": 77, "p": "61800.3", "q": "0.006", "m": False}
DELTA = {"e": "depthUpdate", "E": 1723161256299, "s": "BTCUSDT", "U": 5, "u": 9, "b": [["1.0", "0.000"]], "a": []}
BOOK = {"lastUpdateId": 9, "bids": [["61800.20", "2.909"]], "asks": [["61800.30", "1.0"]]}


def _hft(path: Path, *messages: Any) -> Path:
    lines = [f"{AT + i} {json.dumps(m) if not isinstance(m, str) else m}" for i, m in enumerate(messages)]
    path.write_bytes(gzip.compress("\n".join(lines).encode() + b"\n"))
    return path


def _do(tmp_path: Path, *files: Path, **options: str) -> tuple[Imported, list[TapeEvent]]:
    out = tmp_path / "out.tape"
    done = import_tape(files, out, ImportOptions(**options))
    tape = open_tape(out)
    events = [event for _, event in tape.events()]
    assert done.account.unaccounted == 0
    assert tape.damaged == []
    assert len(events) == done.account.used.total() + done.account.added.total() - done.account.used["exchangeInfo"]
    return done, events


def _in(message: dict[str, Any]) -> dict[str, Any]:
    return {"stream": "btcusdt@x", "data": message}


def test_futures_messages_become_events(tmp_path: Path) -> None:
    delta = {**DELTA, "T": 1723161256298, "pu": 4}
    trade = {**TRADE, "X": "MARKET"}
    _, events = _do(tmp_path, _hft(tmp_path / "a.gz", _in(delta), _in(FUTURES_QUOTE), _in(trade), BOOK))

    assert isinstance(events[0], InstrumentDefined)
    assert events[1:] == [
        FeedState("binanceusdm", True, "the recording starts", AT),
        DepthDelta("binanceusdm", "BTCUSDT", ((1.0, 0.0),), (), 5, 9, 4, 1723161256298 * MS, AT),
        Quote("binanceusdm", "BTCUSDT", 61837.63, 3.78, 61837.64, 1.546, 1723161256313 * MS, AT + 1),
        Trade("binanceusdm", "BTCUSDT", 61800.3, 0.006, True, "77", 1723161256322 * MS, AT + 2),
        DepthSnapshot("binanceusdm", "BTCUSDT", ((61800.2, 2.909),), ((61800.3, 1.0),), 9, AT + 3, AT + 3),
    ]


def test_a_stamp_of_no_clock_is_damage(tmp_path: Path) -> None:
    """Time never goes back from a stamp in the far future: the rest of the tape would happen then."""
    path = tmp_path / "a.jsonl"
    lines = [f"{at} {json.dumps(_in(QUOTE))}" for at in (AT, 9_223_161_255_000_000_000, 10**23, AT + 1)]
    path.write_text("\n".join(lines) + "\n")
    done, _ = _do(tmp_path, path)

    assert done.account.damaged == 2
    assert "no instant between 1970 and 2100" in done.account.damage[0]
    assert done.header.last_at == AT + 1


def test_a_spot_quote_has_no_stamp_and_takes_the_receive_time(tmp_path: Path) -> None:
    _, events = _do(tmp_path, _hft(tmp_path / "a.gz", _in(QUOTE), _in(DELTA)))

    quote, delta = events[2], events[3]
    assert isinstance(quote, Quote)
    assert isinstance(delta, DepthDelta)
    assert (quote.venue, quote.venue_at, delta.previous_id) == ("binance", AT, -1)


def test_tick_and_step_are_the_finest_decimals_of_the_data(tmp_path: Path) -> None:
    """Padding zeros are not decimals; without any metadata orders must still be possible."""
    done, _ = _do(tmp_path, _hft(tmp_path / "a.gz", _in(QUOTE), _in({**TRADE, "q": "0.01200000"})))
    instrument = done.header.instruments[0]

    assert (str(instrument.tick), str(instrument.step), str(instrument.min_notional)) == ("0.01", "0.001", "5")
    assert (instrument.base, instrument.quote, instrument.kind) == ("BTC", "USDT", MarketKind.SPOT)
    assert any("no metadata" in note for note in done.account.notes)


def test_nothing_is_dropped_in_silence(tmp_path: Path) -> None:
    done, _ = _do(
        tmp_path,
        _hft(
            tmp_path / "a.gz", BOOK, _in(QUOTE), {"result": None, "id": 1}, _in({"e": "forceOrder"}),
            _in({**TRADE, "X": "INSURANCE_FUND"}), '{"broken', _in({"e": "trade", "s": "BTCUSDT"}), "[]", "",
        ),
    )

    assert dict(done.account.used) == {"bookTicker": 1}
    assert dict(done.account.skipped) == {
        "book snapshot without a symbol, no message before it": 1, "not a market message": 1,
        "message type 'forceOrder' is not used": 1, "trade outside the market (INSURANCE_FUND)": 1,
    }
    assert done.account.damaged == 4
    assert [place.split(": ")[0].rsplit(":", 1)[1] for place in done.account.damage] == ["6", "7", "8", "9"]
    assert "no field 'p'" in done.account.damage[1]


def test_a_snapshot_does_not_guess_between_two_symbols(tmp_path: Path) -> None:
    done, _ = _do(tmp_path, _hft(tmp_path / "a.gz", _in(QUOTE), _in({**QUOTE, "s": "ETHUSDT"}), BOOK))
    assert done.account.skipped["book snapshot without a symbol, several symbols before it"] == 1


def test_the_person_has_the_last_word_on_names(tmp_path: Path) -> None:
    _, events = _do(tmp_path, _hft(tmp_path / "a.gz", BOOK, _in(QUOTE)), venue="elsewhere", symbol="BTCUSDT")
    assert {event.venue for event in events if isinstance(event, Quote | DepthSnapshot)} == {"elsewhere"}
    assert any(isinstance(event, DepthSnapshot) for event in events)


FIELDS = [*"sebaBATEmpqtUukXxithlcov", "pu", "lastUpdateId", "bids", "asks", "data"]
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    | st.sampled_from(["1.5", "nan", "1e999", "BTCUSDT", "trade", "kline", "depthUpdate", "bookTicker", "MARKET"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner),
    max_leaves=12,
)
CHANGES = st.tuples(st.sampled_from([QUOTE, FUTURES_QUOTE, TRADE, DELTA, BOOK]), st.sampled_from(FIELDS), JUNK)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(CHANGES))
def test_no_message_of_any_shape_crashes_an_import(
    tmp_path: Path, changes: list[tuple[dict[str, Any], str, Any]]
) -> None:
    """Whatever a field turns into, the line is used, skipped or damaged, and the tape that comes out is whole."""
    messages = [{**message, key: junk} for message, key, junk in changes]
    bare = [junk for _, _, junk in changes]
    _do(tmp_path, _hft(tmp_path / "a.gz", _in(QUOTE), *messages, *map(json.dumps, bare), "[" * 100_000))


def _cryptofeed(tmp_path: Path) -> tuple[Path, Path, Path]:
    ws, http, info = (tmp_path / name for name in ("x.ws", "x.http", "x.info"))
    bar = {"t": 60_000, "i": "1m", "o": "1", "h": "2", "l": "0.5", "c": "1.5", "v": "9", "x": False}
    kline = {"e": "kline", "s": "SUSHIUSDT", "k": bar}
    agg = {"e": "aggTrade", "a": 5, "s": "SUSHIUSDT", "p": "7.61", "q": "10", "T": 7, "m": True}
    ws.write_text(
        "wss://fstream.binance.com/stream?streams=sushiusdt@aggTrade <-> 100.5\n"
        f"101.25: {json.dumps(_in(agg))}\n102.0: {json.dumps(_in(kline))}\n"
        f"103.0: {json.dumps(_in({**kline, 'k': {**bar, 'x': True}}))}\n"
    )
    depth = "https://fapi.binance.com/fapi/v1/depth?symbol=SUSHIUSDT&limit=10"
    http.write_text(f"{depth} -> 101.5: {json.dumps(BOOK)}\n\n")
    filters = [
        {"filterType": "PRICE_FILTER", "tickSize": "0.0010"}, {"filterType": "MIN_NOTIONAL", "notional": "7"},
        {"filterType": "LOT_SIZE", "stepSize": "1", "minQty": "1", "maxQty": "1000"},
    ]
    entry = {"baseAsset": "SUSHI", "quoteAsset": "USDT", "contractType": "PERPETUAL", "filters": filters}
    listed = {"symbols": [{"symbol": "SUSHIUSDT", **entry}, {"symbol": "BTCUSDT", **entry}]}
    info.write_text(
        f"https://fapi.binance.com/fapi/v1/exchangeInfo -> 99.0: {json.dumps(listed)}\nconfiguration: {{}}\n"
    )
    return ws, http, info


def test_cryptofeed_files_make_one_tape_with_the_venues_own_metadata(tmp_path: Path) -> None:
    done, events = _do(tmp_path, *_cryptofeed(tmp_path))

    kinds = [type(event) for event in events]
    assert kinds == [InstrumentDefined, FeedState, Trade, DepthSnapshot, Bar]
    instrument = done.header.instruments[0]
    assert (str(instrument.tick), str(instrument.min_notional)) == ("0.001", "7")
    assert events[1] == FeedState("binanceusdm", True, "connected", 100_500_000_000)
    assert events[2] == Trade("binanceusdm", "SUSHIUSDT", 7.61, 10.0, False, "5", 7 * MS, 101_250_000_000)
    assert events[4] == Bar(
        "binanceusdm", "SUSHIUSDT", 1.0, 2.0, 0.5, 1.5, 9.0, 60 * SECOND, 60 * SECOND, 103 * SECOND
    )
    assert done.account.used["exchangeInfo"] == 1
    assert dict(done.account.skipped) == {"kline not finished": 1, "empty line": 1, "the recorder's configuration": 1}


def _parquet(path: Path, **columns: list[Any]) -> Path:
    pyarrow.parquet.write_table(pyarrow.table(columns), path)
    return path


def test_bars_arrive_when_they_end(tmp_path: Path) -> None:
    file = _parquet(
        tmp_path / "lean_binance_usdm_adausdt_1m_trade.parquet", ts_ms=[120_000, 60_000, 180_000, 240_000, None],
        open=[1.0, 2.0, 3.0, -1.0, 1.0], high=[1.5, 2.5, 2.0, 1.0, 1.0], low=[0.5] * 5, close=[1.2, 2.2, 3.2, 1.0, 1.0],
        volume=[7.0, None, 1.0, 1.0, 1.0],
    )
    done, events = _do(tmp_path, file)

    assert events[2:] == [
        Bar("binanceusdm", "ADAUSDT", 2.0, 2.5, 0.5, 2.2, 0.0, 60 * SECOND, 60 * SECOND, 120 * SECOND),
        Bar("binanceusdm", "ADAUSDT", 1.0, 1.5, 0.5, 1.2, 7.0, 60 * SECOND, 120 * SECOND, 180 * SECOND),
    ]
    assert dict(done.account.skipped) == {
        "bar whose high or low is inside it": 1, "bar without four positive prices": 1, "a row without a time": 1,
    }


def test_trades_quotes_and_funding_of_parquet(tmp_path: Path) -> None:
    stamp = pyarrow.array([5, 9], pyarrow.timestamp("ms", tz="UTC"))
    trades = _parquet(
        tmp_path / "btcusdt-trades.parquet", timestamp=stamp, trade_id=[1, 2], price=[10.5, 10.25], quantity=[1.0, 2.0],
        buyer_maker=["True", "False"],
    )
    quotes = _parquet(
        tmp_path / "q.parquet", timestamp=stamp, symbol=["BTC/USDT"] * 2, bid=[10.0, None], ask=[10.5, 11.0],
        bid_size=[1.0, 1.0], ask_size=[2.0, 1.0],
    )
    funding = _parquet(
        tmp_path / "f.parquet", ts_ms_utc=[0, 28_800_000], symbol=["BTC-USDT"] * 2, funding_rate=[0.001, -0.002]
    )

    _, events = _do(tmp_path, trades, venue="v")
    assert [(e.price, e.aggressor_buys, e.received_at) for e in events if isinstance(e, Trade)] == [
        (10.5, False, 5 * MS), (10.25, True, 9 * MS),
    ]
    done, events = _do(tmp_path, quotes, venue="v")
    assert events[2:] == [Quote("v", "BTCUSDT", 10.0, 1.0, 10.5, 2.0, 5 * MS, 5 * MS)]
    assert done.account.skipped["quote without two positive prices"] == 1
    _, events = _do(tmp_path, funding, venue="v")
    assert events[1:] == [
        FundingRate("v", "BTCUSDT", 0.001, 0, 0, 0, paid=True),
        FundingRate("v", "BTCUSDT", -0.002, 0, 28_800 * SECOND, 28_800 * SECOND, paid=True),
    ]


def test_oracle_rounds_take_the_exact_answer(tmp_path: Path) -> None:
    """The price column of such files has been through floats; the integer has not."""
    file = _parquet(
        tmp_path / "chainlink_usdc_usd_x.parquet", updated_at_s=[9, 5], price_usd=[1.0006552100000001, 0.5],
        answer_e8=[100_065_521, 99_500_000], round_id=["18446744073709551617", "2"],
    )
    _, events = _do(tmp_path, file)
    assert events == [
        OraclePrice("chainlink", "USDC", "USD", 0.995, "2", 5 * SECOND, 5 * SECOND),
        OraclePrice("chainlink", "USDC", "USD", 1.00065521, "18446744073709551617", 9 * SECOND, 9 * SECOND),
    ]
    _, events = _do(tmp_path, file, symbol="DAI/EUR")
    assert {(e.asset, e.quote) for e in events if isinstance(e, OraclePrice)} == {("DAI", "EUR")}


BAD: dict[str, tuple[bytes, str]] = {
    "empty.jsonl": (b"", "the file is empty"),
    "text.jsonl": (b"hello\n", "no form this importer knows"),
    "not.gz": (b"1723161255000000000 {}\n", "not gzip"),
    "cut.gz": (gzip.compress(os.urandom(9000))[:4000], "cut short|no form"),
    "cut2.gz": (gzip.compress(b"".join(b"%d {}\n" % (AT + i * 7919) for i in range(9000)))[:-50], "cut short"),
    "nothing.jsonl": (b'1723161255000000000 {"result":null}\n', "nothing that can be used: 1 x not a market message"),
    "fake.parquet": (b"PAR1 and no more", "not a readable parquet"),
    "tape.tape": (b"#engine-tape 1\t{}\n", "a tape already"),
    "unknown.ws": (b"wss://stream.example.org/x <-> 1.5\n", "not known here"),
}


@pytest.mark.parametrize("name", sorted(BAD))
def test_a_bad_file_says_what_and_where_and_leaves_no_tape(tmp_path: Path, name: str) -> None:
    content, what = BAD[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(TapeError, match=what) as caught:
        import_tape([tmp_path / name], tmp_path / "out.tape", ImportOptions())

    assert name in caught.value.place
    assert caught.value.fix
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_table_of_other_columns_is_told_what_is_known(tmp_path: Path) -> None:
    file = _parquet(tmp_path / "a.parquet", ts_ms=[1], temperature=[20.5])
    with pytest.raises(TapeError, match="ts_ms, temperature") as caught:
        import_tape([file], tmp_path / "out.tape", ImportOptions())
    assert "open, high, low, close" in caught.value.fix


def test_a_recording_is_not_overwritten_by_its_tape(tmp_path: Path) -> None:
    file = _hft(tmp_path / "a.gz", _in(QUOTE))
    with pytest.raises(TapeError, match="overwrite"):
        import_tape([file], file, ImportOptions())


@pytest.mark.parametrize(
    ("symbol", "parts"),
    [
        ("BTCUSDT", ("BTC", "USDT")), ("ETHBTC", ("ETH", "BTC")), ("BTCFDUSD", ("BTC", "FDUSD")),
        ("USDT", ("USDT", "USD")),
        ("BTCPERP", ("BTC", "USD")), ("SOLUSDT.spot", ("SOL", "USDT")),
    ],
)
def test_symbols_are_split_at_their_quote(symbol: str, parts: tuple[str, str]) -> None:
    assert split_symbol(symbol) == parts


@needs_shared
def test_the_futures_recording_is_accounted_for_whole(tmp_path: Path) -> None:
    file = MARKET_DATA / "binance_usdm_btcusdt_20240808_raw.jsonl.gz"
    done, events = _do(tmp_path, file)

    assert done.account.lines == 93_954
    assert dict(done.account.used) == {"bookTicker": 66_089, "trade": 21_313, "depthUpdate": 6_551, "book snapshot": 1}
    assert (done.account.skipped.total(), done.account.damaged) == (0, 0)
    assert [str(x) for x in (done.header.instruments[0].tick, done.header.instruments[0].step)] == ["0.1", "0.001"]
    snapshot = next(event for event in events if isinstance(event, DepthSnapshot))
    following = [event for event in events if isinstance(event, DepthDelta) and event.last_id >= snapshot.last_id]
    assert following[0].first_id <= snapshot.last_id


@needs_shared
def test_the_cryptofeed_recordings_fit_together(tmp_path: Path) -> None:
    names = ("FUTURES.ws.1.0", "FUTURES.http.0.0", "FUTURES.0")
    done, events = _do(tmp_path, *(MARKET_DATA / f"cryptofeed_BINANCE_{name}.txt.gz" for name in names))

    assert {event.symbol for event in events if isinstance(event, DepthSnapshot)} == set(done.header.symbols)
    assert done.account.damaged == 0
    assert not [note for note in done.account.notes if "no metadata" in note]
    us, _ = _do(tmp_path, *(MARKET_DATA / f"cryptofeed_BINANCE_US.{name}.0.txt.gz" for name in ("ws.1", "http.0")))
    assert (us.header.venues, us.account.damaged) == (("binanceus",), 0)


@needs_shared
@pytest.mark.parametrize("path", sorted((MARKET_DATA.parent).glob("*/*.parquet")), ids=lambda path: path.stem)
def test_every_shared_table_is_accounted_for(tmp_path: Path, path: Path) -> None:
    if path.stem == "freqtrade_XRP_USDT_USDT-8h-funding_rate":  # rates in a column called open: refused, not guessed
        with pytest.raises(TapeError, match="nothing that can be used"):
            import_tape([path], tmp_path / "out.tape", ImportOptions())
        return
    done, _ = _do(tmp_path, path)
    assert done.account.lines == pyarrow.parquet.read_metadata(path).num_rows


@needs_shared
def test_the_oracle_rounds_are_the_files_own(tmp_path: Path) -> None:
    path = DEPEG / "chainlink_usdt_usd_202102_202211.parquet"
    _, events = _do(tmp_path, path)
    told = [(e.received_at // SECOND, round(e.price * 1e8)) for e in events if isinstance(e, OraclePrice)]
    assert told == rounds_of(path)


@needs_shared
def test_the_known_breaks_are_among_the_independent_episodes() -> None:
    """2021-04-18, 2021-05-19 and 2022-05-12 are in every chronicle."""
    found = episodes(rounds_of(DEPEG / "chainlink_usdt_usd_202102_202211.parquet"))
    days = {episode.fired_s // 86_400 for episode in found}
    assert {18_735, 18_766, 19_124} <= days
    assert all(episode.fired_s == episode.broken_s + 180 for episode in found)


def test_the_independent_list_knows_the_edges() -> None:
    """Half a percent is inside, a quarter is not; the timer comes before a round of its own second."""
    par = 10**8
    assert episodes([(0, par), (10, par - 500_000), (190, par)]) == [(episodes([(10, par - 500_000), (190, par)]))[0]]
    assert episodes([(10, par - 500_000), (189, par)]) == []
    assert episodes([(10, par - 499_999), (900, par)]) == []
    still = episodes([(10, par + 600_000), (900, par + 250_000), (990, par + 249_999)])
    assert [(e.fired_s, e.cleared_s) for e in still] == [(190, 990)]
    open_end = episodes([(10, par + 600_000), (900, par + 250_000)])
    assert [e.cleared_s for e in open_end] == [None]
