"""The page an operator reads at 3 a.m., to the letter."""

from __future__ import annotations

import re
from typing import Any

import pytest

from engine.cli.status import Page, render
from engine.cli.text import Paint
from tests.cli.samples import STATUS

GOLDEN = """\
HALTED since 2026-03-02T19:00:00Z: guard.depeg.usdt (latched)
No engine is running here; this is what the last one knew at 2026-03-02T20:00:00Z.

Restrains
  guard.depeg.usdt: level halted (latched, latch 1) since 2026-03-02T19:00:00Z
      ends: when it is re-armed; type: engine rearm 1 --state state/tape
  cutback.slippage[paper]: size x0.5 (firing) since 2026-03-02T18:00:00Z
      ends: 30m after it was last true

Positions
  PINEUSDT  paper    480  at 2.05  mark 2.061    +5.28 USD    stop rb-1-9 @ 1.98
  DUSKUSDT  paper  -12.5  at 1.02  mark unknown  PnL unknown  NO STOP

Daily loss
  0.60 % of 3 % (20 % of the limit)

Nearest to trip
  kill.daily_loss[main]  inactive  80 % away  daily_loss_pct = 0.6

Doubtful signals
  spread_bps[paper,DUSKUSDT]  stale  1m35s old  from feed.market

Overrides
  ENTRY_MAX_SPREAD_BPS = 40.0  1h left  ada: thin books  engine flag unset ENTRY_MAX_SPREAD_BPS --state state/tape

Not guarding
  watch.funding  shadow

  at        2026-03-02T20:00:00Z, mode dry-run, venue paper, generation 1
  rules     set cdcdcdcdcdcd, commit 0123456789, with uncommitted changes
  orders    1 open, 0 unknown; PnL +12.30 USD
  next day  2026-03-03 00:00 UTC, in 4h"""


def page(**changes: Any) -> str:
    return "\n".join(render({**STATUS, **changes}, Page(flags=" --state state/tape")))


def test_the_whole_page_reads_like_this() -> None:
    assert page() == GOLDEN


@pytest.mark.parametrize("line", ["MAY TRADE", "RESTRICTED", "HALTED"])
def test_the_first_line_is_the_verdict(line: str) -> None:
    assert page(line=line, running=True).splitlines()[0].startswith(line)


@pytest.mark.parametrize(
    ("line", "first"),
    [("MAY TRADE", "NOT RUNNING; it was MAY TRADE since"), ("RESTRICTED", "NOT RUNNING; it was RESTRICTED since"),
     ("HALTED", "HALTED since")],
)
def test_a_dead_engine_is_not_said_to_trade(line: str, first: str) -> None:
    assert page(line=line, running=False).splitlines()[0].startswith(first)


@pytest.mark.parametrize(("but", "first"), [
    ([], "MAY TRADE since"), (["AUSDT"], "MAY TRADE except AUSDT since"),
    ([f"{name}USDT" for name in "ABCDEFG"], "MAY TRADE except AUSDT, BUSDT, CUSDT, DUSDT, EUSDT and 2 more since"),
])
def test_symbols_that_are_kept_out_alone_are_named_at_once(but: list[str], first: str) -> None:
    assert page(line="MAY TRADE", running=True, but=but).splitlines()[0].startswith(first)


def test_a_running_engine_is_not_called_dead() -> None:
    assert "No engine is running" not in page(running=True)


def test_a_page_of_a_calm_engine_is_short() -> None:
    calm = page(
        line="MAY TRADE", why="nothing restrains", restrains=[], positions=[], nearest=[], stale=[], overrides=[],
        not_guarding=[],
    )

    assert "Restrains" not in calm
    assert "Positions\n  none" in calm


def test_a_position_without_a_stop_cries() -> None:
    """The one thing on the page that loses money while it is read."""
    assert "NO STOP" in page()


@pytest.mark.parametrize(
    ("loss", "text"),
    [
        ({"used_pct": None, "limit_pct": 3.0}, "unknown of 3.0 %"),
        ({"used_pct": 0.0, "limit_pct": 3.0}, "0.00 % of 3 % (0 % of the limit)"),
        ({"used_pct": 4.5, "limit_pct": 3.0}, "4.50 % of 3 % (150 % of the limit)"),
        ({"used_pct": 1.0, "limit_pct": None}, "1.00 %"),
    ],
)
def test_the_daily_loss_is_told_with_its_limit(loss: dict[str, Any], text: str) -> None:
    assert text in page(daily_loss=loss)


def test_a_signal_never_seen_has_no_age() -> None:
    never: dict[str, Any] = {
        "signal": "peg_usdt_usd", "labels": [], "status": "missing", "age_s": None, "producer": "feed.oracle",
    }

    assert "peg_usdt_usd  missing  never seen  from feed.oracle" in page(stale=[never])


def test_a_dead_feed_of_many_symbols_is_a_few_lines() -> None:
    def stale(count: int) -> list[dict[str, Any]]:
        row = STATUS["stale"][0]
        return [{**row, "labels": ["paper", f"S{number:02}USDT"]} for number in range(count)]

    other = {**STATUS["stale"][0], "signal": "atr_pct"}
    many = page(stale=[*stale(50), other])

    assert many.count("from feed.market") == 6 and "  ... and 45 more of spread_bps\n" in many
    assert "atr_pct[paper,DUSKUSDT]" in many
    assert page(stale=stale(6)).count("from feed.market") == 6 and "more of" not in page(stale=stale(6))


def test_what_a_persons_restriction_is_about_stands_beside_it() -> None:
    held = {**STATUS["restrains"][0], "instance": "operator:restrict/2", "because": "operator", "about": "DUSKUSDT"}
    assert "  operator:restrict/2: DUSKUSDT: level halted (operator" in page(restrains=[{**held, "latch": None}])


def test_the_boundary_is_told_in_local_time() -> None:
    assert "19:00 EST" in page(boundary={**STATUS["boundary"], "local": "America/New_York"})


def test_colour_changes_no_word() -> None:


    coloured = "\n".join(render(STATUS, Page(flags=" --state state/tape", paint=Paint(enabled=True))))

    assert coloured != GOLDEN
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == GOLDEN


HELD = {
    "rule": "engine.unreconciled", "instance": "engine.unreconciled[binanceusdm]", "because": "held",
    "restraint": "level reduce_only", "since": 0, "ends": "when the account agrees", "clear_with": "engine reconcile",
    "latch": None,
}
LIVE: dict[str, Any] = {"tape": "live", "venue": "binanceusdm", "mode": "limited-live", "running": True}


def test_a_live_page_says_whose_money_it_is_and_whether_the_account_agrees() -> None:
    agreed, doubted = page(**LIVE, restrains=[]), page(**LIVE, restrains=[HELD])

    assert agreed.splitlines()[1] == (
        "limited-live on binanceusdm: orders are real; its account agrees with what is counted here"
    )
    assert doubted.splitlines()[1] == "limited-live on binanceusdm: orders are real; its account is NOT RECONCILED"
    assert "type: engine reconcile --state state/tape" in doubted


def test_a_dry_run_on_a_live_market_is_not_called_real() -> None:
    told = page(**{**LIVE, "mode": "dry-run"}, restrains=[HELD]).splitlines()[1]

    assert told == "dry-run on binanceusdm: its market is real, orders go to paper"


def test_an_order_in_doubt_is_named_with_its_reason_and_what_to_type() -> None:
    row = {
        "client_id": "rb-1-4", "venue": "binanceusdm", "symbol": "PINEUSDT", "intent": "ENTRY", "side": "buy",
        "quantity": "3", "state": "unknown", "sent_at": STATUS["at"] - 12_000_000_000, "reason": "the reply was lost",
    }
    told = page(**LIVE, live_orders=[row, {**row, "client_id": "rb-1-5", "state": "open"}])

    assert "Orders in doubt\n  rb-1-4  binanceusdm  PINEUSDT  ENTRY  buy 3  12s old  the reply was lost" in told
    assert "type: engine reconcile --state state/tape" in told
    assert "rb-1-5" not in told


def test_what_a_flatten_has_left_is_shown_and_that_nobody_closes_it() -> None:
    going = {
        "since": STATUS["at"], "why": "engine flatten", "stage": "closing", "orders": ["rb-1-7"],
        "left": [{"venue": "binanceusdm", "symbol": "PINEUSDT", "quantity": "480"}],
    }
    running, dead = page(**LIVE, flattening=going), page(**{**LIVE, "running": False}, flattening=going)

    assert "Closing\n  since 2026-03-02T20:00:00Z (engine flatten): 480 PINEUSDT and 1 orders are left" in running
    assert "nobody closes it now" in dead and "nobody closes it now" not in running
