"""Parquet tables to events: bars, trades, quotes, funding rates and Chainlink rounds, told by their columns.

Reading them needs pyarrow, the optional extra `parquet`: a run never does, so that a
plain install stays small.
"""

from __future__ import annotations

import importlib
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from engine.adapters.tape_format import instant
from engine.adapters.tape_import_account import Account, Fineness, ImportOptions, plain
from engine.model.market import Bar, FeedState, FundingRate, OraclePrice, Quote, Trade
from engine.model.time import MS, SECOND
from engine.ports.feed import TapeError, TapeEvent

PARQUET = b"PAR1"
UNDERSTOOD = (
    "bars (a time, open, high, low, close), trades (timestamp, price, quantity), quotes (timestamp, bid, ask), "
    "quote bars (ts_ms, bid_close, ask_close), funding (ts_ms_utc, funding_rate), "
    "Chainlink rounds (updated_at_s, answer_e8)"
)
_TIMES = {
    "ts_ms": MS, "ts_ms_utc": MS, "funding_time_ms": MS, "open_time_s": SECOND, "updated_at_s": SECOND,
    "timestamp": 1, "date": 1,
}
"""Column -> ns of one unit; real time stamps are cast to ns beforehand."""
_VENUES = {"binance_spot": "binance", "binance_usdm": "binanceusdm", "nautilus_binance": "binance"}
_PAIR = re.compile(r"(?<![a-z0-9])([a-z0-9]{1,10}?)[-_/]?(usdt|usdc|busd|perp|usd)(?![a-z0-9])")
_ORACLE = re.compile(r"chainlink_([a-z0-9]+)_([a-z]+)_")

Row = Mapping[str, Any]
Maker = Callable[[Row, int], TapeEvent | str]
"""(row, its time in ns) -> the event, or why the row is skipped."""


class ParquetFile:
    """One table; `events` reads it whole, because its rows need not be in order."""

    def __init__(self, path: Path, options: ImportOptions, account: Account, fineness: Fineness) -> None:
        """`account` and `fineness` are shared by the files of one import."""
        self._path, self._options, self._account, self._fineness = path, options, account, fineness
        self._interval = 0
        self._defaults: tuple[str, str] | None = None

    def events(self) -> Iterator[TapeEvent]:
        """Yield the events in order of arrival; TapeError for a file that is no such table."""
        table = self._table()
        columns = set(table.column_names)
        time = next((name for name in _TIMES if name in columns), None)
        chosen = self._maker(columns) if time else None
        if chosen is None or time is None:
            held = ", ".join(table.column_names) or "none"
            raise TapeError(str(self._path), f"no known table has the columns {held}", f"known are {UNDERSTOOD}")
        kind, make = chosen
        rows = table.to_pylist()
        instants = [_instant(row[time], _TIMES[time]) for row in rows]
        self._interval = _interval([at for at in instants if at is not None])
        events = [event for event in map(self._row(kind, make), rows, instants) if event is not None]
        events.sort(key=received_at)
        for event in events:
            if isinstance(event, Quote | Trade):
                self._fineness.see_event(event)
            elif isinstance(event, Bar):
                for price in (event.open, event.high, event.low, event.close):
                    self._fineness.see(event.venue, event.symbol, plain(price), plain(event.volume))
        if events and not isinstance(events[0], OraclePrice):
            venue = getattr(events[0], "venue", "")
            self._account.added["FeedState"] += 1
            yield FeedState(venue, True, "the recording starts", received_at(events[0]))
        yield from events

    def _table(self) -> Any:
        try:
            pyarrow, parquet = importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
        except ImportError:
            raise TapeError(
                str(self._path), "reading parquet needs pyarrow, which is not installed",
                "pip install -e '.[parquet]' in the engine's virtual environment",
            ) from None
        try:
            table = parquet.read_table(self._path)
        except (pyarrow.ArrowException, OSError, ValueError) as error:
            first = (str(error).splitlines() or [""])[0]
            raise TapeError(str(self._path), f"is not a readable parquet file ({first})", "copy it again") from None
        for i, column in enumerate(table.schema):
            if pyarrow.types.is_timestamp(column.type):
                ns = table.column(i).cast(pyarrow.timestamp("ns", tz=column.type.tz)).cast(pyarrow.int64())
                table = table.set_column(i, column.name, ns)
        return table

    def _maker(self, columns: set[str]) -> tuple[str, Maker] | None:
        for needed, kind, make in (
            ({"updated_at_s", "answer_e8"}, "Chainlink round", self._oracle),
            ({"open", "high", "low", "close"}, "bar", self._bar),
            ({"bid_close", "ask_close", "bid_size", "ask_size"}, "quote bar", self._quote_bar),
            ({"bid", "ask", "bid_size", "ask_size"}, "quote", self._quote),
            ({"price", "quantity"}, "trade", self._trade),
            ({"funding_rate", "symbol"}, "funding rate", self._funding),
        ):
            if needed <= columns:
                return kind, make
        return None

    def _row(self, kind: str, make: Maker) -> Callable[[Row, int | None], TapeEvent | None]:
        def read(row: Row, at: int | None) -> TapeEvent | None:
            self._account.lines += 1
            try:
                made = "a row without a time" if at is None else make(row, instant(at))
            except (TypeError, ValueError) as error:
                self._account.damaged_at(f"{self._path}:row {self._account.lines}", f"{kind}: {error}")
                return None
            if isinstance(made, str):
                self._account.skipped[made] += 1
                return None
            self._account.used[kind] += 1
            return made

        return read

    def _of(self, row: Row) -> tuple[str, str]:
        """Return (venue, symbol) as the person says, else as the row says, else as the file's name says."""
        symbol = next((row[name] for name in ("symbol", "product", "pair") if row.get(name)), None)
        venue = next((row[name] for name in ("venue", "exchange") if row.get(name)), None)
        named = re.sub(r"[/_-]", "", str(symbol)).upper() if symbol else ""
        if named and row.get("contract"):
            named += f".{row['contract']}"  # one file may hold the spot and the perpetual of a pair
        venue, named = self._options.venue or str(venue or ""), self._options.symbol or named
        if venue and named:
            return venue, named
        if self._defaults is None:
            self._defaults = self._guess()
        return venue or self._defaults[0], named or self._defaults[1]

    def _guess(self) -> tuple[str, str]:
        stem = self._path.name.split(".")[0].lower()
        venue = next((name for part, name in _VENUES.items() if part in stem), "recorded")
        pair = _PAIR.search(stem)
        symbol = (pair[1] + pair[2]).upper() if pair else re.sub(r"[^A-Z0-9]", "", stem.upper())[:20]
        self._account.note(
            f"{self._path}: where a row does not say, the venue is taken to be {venue} and the symbol {symbol}; "
            "--venue NAME and --symbol NAME say otherwise"
        )
        return venue, symbol

    def _bar(self, row: Row, at: int) -> TapeEvent | str:
        prices = tuple(row[name] for name in ("open", "high", "low", "close"))
        if not _positive(*prices):
            return "bar without four positive prices"
        opened, high, low, close = map(float, prices)
        if high < max(opened, close) or low > min(opened, close):
            return "bar whose high or low is inside it"
        volume = row.get("volume", row.get("volume_base"))
        volume = float(volume) if volume is not None and math.isfinite(volume) else 0.0
        return Bar(*self._of(row), opened, high, low, close, volume, self._interval, at, at + self._interval)

    def _quote_bar(self, row: Row, at: int) -> TapeEvent | str:
        # What a bar closes with was known at its end.
        return self._quote({**row, "bid": row["bid_close"], "ask": row["ask_close"]}, at + self._interval)

    def _quote(self, row: Row, at: int) -> TapeEvent | str:
        if not _positive(row["bid"], row["ask"]):
            return "quote without two positive prices"
        bid_size, ask_size = (float(row[side] or 0.0) for side in ("bid_size", "ask_size"))
        if not math.isfinite(bid_size + ask_size):
            return "quote with a size that is no number"
        return Quote(*self._of(row), float(row["bid"]), bid_size, float(row["ask"]), ask_size, at, at)

    def _trade(self, row: Row, at: int) -> TapeEvent | str:
        if not _positive(row["price"], row["quantity"]):
            return "trade without a positive price and size"
        buys = str(row.get("buyer_maker", "")).lower() == "false"
        price, size, identity = float(row["price"]), float(row["quantity"]), str(row.get("trade_id", ""))
        return Trade(*self._of(row), price, size, buys, identity, at, at)

    def _funding(self, row: Row, at: int) -> TapeEvent | str:
        rate = row["funding_rate"]
        if rate is None or not math.isfinite(rate):
            return "funding rate missing"
        # Such tables hold what was paid, and not how often: that changes from one row to the next.
        return FundingRate(*self._of(row), float(rate), 0, at, at, paid=True)

    def _oracle(self, row: Row, at: int) -> TapeEvent | str:
        if not _positive(row["answer_e8"]):
            return "round without a positive answer"
        named = _ORACLE.search(self._path.name.lower())
        asset, quote = (named[1].upper(), named[2].upper()) if named else ("USDT", "USD")
        if self._options.symbol:
            asset, _, quote = self._options.symbol.partition("/")
        else:
            self._account.note(f"{self._path}: the rounds are taken to be {asset}/{quote}; --symbol A/B says otherwise")
        # The integer answer is exact; the price column of such files has been through floats.
        price = row["answer_e8"] / 1e8
        return OraclePrice("chainlink", asset, quote or "USD", price, str(row.get("round_id", "")), at, at)


def _positive(*values: float | None) -> bool:
    return all(value is not None and math.isfinite(value) and value > 0 for value in values)


def received_at(event: TapeEvent) -> int:
    """Return when `event` arrived, ns; 0 for metadata."""
    return int(getattr(event, "received_at", 0))


def _instant(value: Any, unit: int) -> int | None:
    """Return `value` (a number of `unit` ns) in ns, or None when it is no number."""
    try:
        return int(value) * unit
    except (TypeError, ValueError, OverflowError):
        return None


def _interval(instants: list[int]) -> int:
    """Return the most frequent step between neighbours, in ns; 0 for fewer than two."""
    ordered = sorted(set(instants))
    steps = Counter(later - earlier for earlier, later in pairwise(ordered))
    return steps.most_common(1)[0][0] if steps else 0
