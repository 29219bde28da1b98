"""Average ranges of recorded bars against window functions over the same files."""

from __future__ import annotations

from typing import Any

import pytest

from engine.model.time import MINUTE
from engine.risk.prices import Prices
from tests.risk.bars_kit import ON, bar, candles, quote
from tests.shared_data import MARKET_DATA, needs_shared


def ask(sql: str) -> list[tuple[Any, ...]]:
    """Return the rows of a question to duckdb."""
    import duckdb

    return duckdb.connect().execute(sql).fetchall()


def told_by(file: str, interval: int, tf: str, count: int) -> tuple[list[tuple[int, float]], Prices]:
    """Return (start of the last bar, ATR%) as `Prices` tells them of a recorded file, and the prices."""
    start = "epoch_ns(date) // 1000000" if "freqtrade" in file else "ts_ms"
    rows = ask(f"select {start}, open, high, low, close from '{MARKET_DATA / file}' order by 1")
    flags = {**ON, "RISK_PARITY_TF": tf, "RISK_PARITY_N": float(count)}
    prices, told = Prices(), []
    for at_ms, *values in rows:
        event = bar(int(at_ms) * 1_000_000, (values[0], values[1], values[2], values[3]), interval)
        told += [(one.event_at, float(one.value)) for one in prices.on_event(event, event.received_at, flags)]
    return told, prices


def by_sql(file: str, minutes: int, each: int, count: int) -> list[tuple[int, float]]:
    """Return the same by window functions over the file; bars that are not whole are left out."""
    start = "epoch_ns(date) // 1000000" if "freqtrade" in file else "ts_ms"
    span = minutes * 60_000
    found = ask(f"""
        with b as (
            select {start} // {span} as k, max(high) as h, min(low) as l, arg_max(close, {start}) as c, count(*) as n
            from '{MARKET_DATA / file}' group by 1 having count(*) = {minutes // each}
        ), r as (
            select k, c, greatest(h, coalesce(lag(c) over w, h)) - least(l, coalesce(lag(c) over w, l)) as tr
            from b window w as (order by k)
        )
        select (k + 1) * {span}, 100 * avg(tr) over (order by k rows between {count - 1} preceding and current row) / c,
            row_number() over (order by k) from r order by k
    """)
    return [(int(end) * 1_000_000, pct) for end, pct, number in found if number >= count]


@needs_shared
@pytest.mark.parametrize(
    ("file", "each", "tf", "count"),
    [
        ("btc_perp_1m_20211231_20220201.parquet", 1, "1h", 14), ("btc_perp_1m_20211231_20220201.parquet", 1, "4h", 30),
        ("freqtrade_XRP_USDT_USDT-5m-futures.parquet", 5, "15m", 14),
        ("freqtrade_XRP_USDT_USDT-1h-futures.parquet", 60, "1h", 14),
        ("lean_binance_usdm_adausdt_1m_20221213_trade.parquet", 1, "5m", 20),
    ],
)
def test_recorded_bars_give_what_sql_says(file: str, each: int, tf: str, count: int) -> None:
    minutes = {"5m": 5, "15m": 15, "1h": 60, "4h": 240}[tf]
    told, _ = told_by(file, each * MINUTE, tf, count)
    wanted = by_sql(file, minutes, each, count)
    assert len(told) == len(wanted) > 20
    assert [at for at, _ in told] == [at for at, _ in wanted]
    for (_, mine), (_, theirs) in zip(told, wanted, strict=True):
        assert mine == pytest.approx(theirs, rel=1e-9)


@needs_shared
def test_quotes_along_recorded_bars_give_the_bars_that_a_feed_would_tell() -> None:
    file = "lean_binance_usdm_adausdt_1m_20221213_trade.parquet"
    rows = ask(f"select ts_ms, open, high, low, close from '{MARKET_DATA / file}' order by 1")
    flags = {**ON, "RISK_PARITY_TF": "15m", "RISK_PARITY_N": 20.0}
    _, told = told_by(file, MINUTE, "15m", 20)
    heard = Prices()
    for at_ms, opens, high, low, close in rows:
        for second, price in ((0, opens), (15, high), (30, low), (59, close)):
            at = (int(at_ms) * 1_000 + second * 1_000_000) * 1_000
            heard.on_event(quote(at, price), at, flags)
    last = heard.settle(rows[-1][0] * 1_000_000 + MINUTE, flags)
    assert candles(heard) == candles(told)
    assert [one.name for one in last] == ["atr_pct"]
    (mine,), (theirs,) = heard.dump()["known"], told.dump()["known"]
    assert mine[2] == theirs[2], "both said the same words"
