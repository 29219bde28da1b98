"""The recorded funding of 2020 to 2025 through the guard: who pays is trimmed, once a spike, and hedged where asked."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from engine.model.flags import FlagValue
from engine.model.orders import Intent, Side
from engine.model.time import MINUTE, MS, parse_instant
from tests.adapters.independent_funding import episodes, payments_of
from tests.shared_data import needs_shared
from tests.simulation.funding_runs import FUNDING, RULE, VENUE, Whole, fired_alone, in_order, quotes, root_of, told

BTC_2020 = FUNDING / "supervik_binance_btcusdt_funding_2020_2024.parquet"
ZERO_G = FUNDING / "funding_binance_0gusdt_listing_20250922.parquet"
LONG_FILES = {
    "supervik_binance_btcusdt_funding_2020_2024": (0.1, 0.3), "yucheng_binance_btc_funding": (0.1,),
    "supervik_bybit_btcusdt_funding_2021_2024": (0.3,), "supervik_dydx_btcusdt_funding_2022_2024": (0.1,),
    "yucheng_hyperliquid_btc_funding": (0.1,), "funding_binance_0gusdt_listing_20250922": (0.3, 3.0),
    "funding_binance_acxusdt_listing_20241206": (0.1,),
}
NOON = parse_instant("2025-09-22T12:00:00Z")


@needs_shared
@pytest.mark.parametrize("name", LONG_FILES)
def test_the_rule_opens_the_episodes_that_a_few_independent_lines_find(name: str) -> None:
    """Years of payments every eight hours, every hour, with holes of days, and an interval that changes."""
    path = FUNDING / f"{name}.parquet"
    payments = told(path, "BTCUSDT")
    for threshold in LONG_FILES[name]:
        for side in (1, -1):
            assert fired_alone(payments, threshold, side) == episodes(payments_of(path), threshold, side)


def whole(
    place: Path, path: Path, symbol: str, span: tuple[str, str], *, quantity: str, flags: dict[str, FlagValue],
    cut_every: int = 0,
) -> Whole:
    """Run the recorded payments of `span` through the engine while `quantity` of `symbol` is held.

    The run begins ten minutes before; what was paid before that is told when it begins.
    """
    first, end = map(parse_instant, span)
    begin = first - 10 * MINUTE
    known = [event for event in told(path, symbol) if event.venue_at < begin][-2:]
    events = [replace(event, received_at=begin) for event in known]
    events += [event for event in told(path, symbol) if first <= event.venue_at < end]
    run = Whole(root_of(place, flags), {symbol: quantity}, (symbol, "BTCUSDT"), begin)
    around = [event.venue_at for event in events if event.venue_at >= first]
    markets = [quotes(symbol, 100.0, begin, around)]
    if symbol != "BTCUSDT":
        markets.append(quotes("BTCUSDT", 60_000.0, begin, around))
    run.play(in_order(*markets, [(event.received_at, event) for event in events]), cut_every=cut_every)
    return run


@needs_shared
@pytest.mark.parametrize(("span", "side"), [
    (("2020-02-12T00:00:00Z", "2020-02-12T00:30:00Z"), 1), (("2020-03-13T08:00:00Z", "2020-03-13T08:30:00Z"), -1),
])
def test_the_prints_of_2020_trim_who_pays_them_and_nobody_else(
    span: tuple[str, str], side: int, tmp_path: Path
) -> None:
    """+0.3 % on 2020-02-12, -0.3 % on 2020-03-13: the long and the short, each once, by half."""
    paid = whole(tmp_path / "paid", BTC_2020, "BTCUSDT", span, quantity=str(10 * side), flags={})
    free = whole(tmp_path / "free", BTC_2020, "BTCUSDT", span, quantity=str(-10 * side), flags={})

    assert paid.fired() == episodes(payments_of(BTC_2020), 0.3, side)
    (target,) = paid.targets("trim_pct")
    assert (target.quantity, target.name) == (Decimal(5 * side), f"{RULE}/{VENUE},BTCUSDT/1")
    (order,) = paid.orders(Intent.FLATTEN)
    assert order.reduce_only and order.side is (Side.SELL if side > 0 else Side.BUY)
    assert paid.held("BTCUSDT") == 5 * side
    assert free.fired() == [] and free.targets("trim_pct") == [] and free.held("BTCUSDT") == -10 * side


@needs_shared
def test_a_listing_that_goes_from_four_hours_to_one_trims_the_short_and_not_the_long(tmp_path: Path) -> None:
    """-2 % for four hours is 4 % for eight; then -1.1 % an hour is 8.8 %: all of it one spike."""
    span = ("2025-09-22T12:00:00Z", "2025-09-22T14:30:00Z")
    flags: dict[str, FlagValue] = {"FUNDING_HEDGE_RATIO": 0.5}
    short = whole(tmp_path / "short", ZERO_G, "0GUSDT", span, quantity="-10", flags=flags)
    long = whole(tmp_path / "long", ZERO_G, "0GUSDT", span, quantity="10", flags=flags)

    assert short.fired() == episodes(payments_of(ZERO_G), 0.3, -1)[:1]
    assert 0 <= short.fired()[0] - (NOON // MS + 60_000) < 100, "the first print at an hour, not a later one"
    assert [one.quantity for one in short.targets("trim_pct")] == [-5] and short.held("0GUSDT") == -5
    (hedge,) = short.targets("hedge_ratio")
    # Half of what is left, 250 USD, in BTC at 60,000, on the step; a short is hedged with a long.
    assert hedge.quantity == Decimal("0.004") and short.held("BTCUSDT") == Decimal("0.004")
    assert len(short.orders(Intent.HEDGE)) == 1
    assert long.fired() == [] and long.held("0GUSDT") == 10 and long.held("BTCUSDT") == 0


@needs_shared
def test_killed_and_resumed_at_every_moment_it_is_the_same_run(tmp_path: Path) -> None:
    span = ("2025-09-22T12:00:00Z", "2025-09-22T12:10:00Z")
    flags: dict[str, FlagValue] = {"FUNDING_HEDGE_RATIO": 0.5}
    through = whole(tmp_path / "one", ZERO_G, "0GUSDT", span, quantity="-10", flags=flags)
    cut = whole(tmp_path / "two", ZERO_G, "0GUSDT", span, quantity="-10", flags=flags, cut_every=7)

    assert cut.effects == through.effects
    assert through.held("BTCUSDT") > 0
