"""Fixed effects, a summary and a status, as a run would give them."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

from engine.model.effects import (
    AskVenue,
    BoundaryCrossed,
    CancelOrder,
    CommandAnswered,
    Effect,
    FillBooked,
    FlagChanged,
    HealthChanged,
    IncomeBooked,
    InternalFault,
    LatchCleared,
    LatchSet,
    MakerShadowed,
    Notify,
    OrderRefused,
    PlaceOrder,
    PlanMade,
    PolicyChanged,
    PositionAdopted,
    ReloadFailed,
    RuleMoved,
    RulingChanged,
    TargetOpened,
)
from engine.model.events import RunMode
from engine.model.fills import Fill, Liquidity
from engine.model.nightly import DayResult, HeldAtRisk, Offence, OffendersJudged, RiskMeasured
from engine.model.orders import Intent, OrderKind, Side
from engine.model.overrides import OverrideBegan, OverrideEnded
from engine.model.reports import Income, IncomeKind, Query
from engine.model.time import HOUR, MINUTE, SECOND, parse_instant
from engine.ports.feed import Chapter
from engine.runtime.options import RunInfo

START = parse_instant("2026-03-02T18:00:00Z")
BREAK = START + HOUR

INFO = RunInfo(
    mode=RunMode.DRY_RUN, venue="paper", tape="demo", rules=10, flags=27, state_dir=Path("state/tape"), events=-1,
    first_at=START, last_at=START + 390 * MINUTE, resumed_from_seq=0, unwired=(), warnings=(),
    chapters=(
        Chapter(name="a quiet evening", start=START, end=BREAK),
        Chapter(name="USDT leaves its peg", start=BREAK, end=START + 390 * MINUTE),
    ),
)


def moved(at: int, before: str, after: str, **more: Any) -> RuleMoved:
    data: dict[str, Any] = {
        "rule": "guard.depeg.usdt", "instance": "guard.depeg.usdt", "why": "true for 3m",
        "inputs": (("peg_usdt_usd", "0.989"),), "source": "rules/guards/depeg.yaml:5", "restrains": "level halted",
        "episode": 1, **more,
    }
    return RuleMoved(at=at, before=before, after=after, **data)


def placed(at: int, intent: Intent = Intent.ENTRY, **more: Any) -> PlaceOrder:
    data: dict[str, Any] = {
        "client_id": "rb-1-1", "account": "main", "venue": "paper", "symbol": "NOVAUSDT", "side": Side.BUY,
        "kind": OrderKind.MARKET, "quantity": Decimal("416.6"), "limit_price": None, "trigger_price": None,
        "reference_price": Decimal("2.40012"), "reduce_only": False, "close_position": False, "post_only": False,
        "purpose": "NOVAUSDT/1/entry", "policy_version": 2, **more,
    }
    return PlaceOrder(at=at, intent=intent, **data)


def policy(at: int, level: str = "halted", **more: Any) -> PolicyChanged:
    data: dict[str, Any] = {
        "version": 1, "size_mult": 1.0, "mute": (), "deny": (), "deny_quotes": (), "max_notional_usd": None,
        "binding": ("guard.depeg.usdt",), "stricter": True, **more,
    }
    return PolicyChanged(at=at, level=level, **data)


STORY: tuple[Effect, ...] = (
    moved(START, "inactive", "held", why="unknown: missing(peg_usdt_usd)", inputs=(), episode=0),
    policy(START),
    policy(START + SECOND, "normal", binding=(), stricter=False),
    PlanMade(at=START + MINUTE, strategy="event_breakout", symbol="NOVAUSDT", state="armed", text="Nova is listed"),
    placed(START + MINUTE),
    placed(START + MINUTE, Intent.STOP, client_id="rb-1-2"),
    CancelOrder(at=START + MINUTE, client_id="rb-1-2", venue="paper", symbol="NOVAUSDT", conditional=True, why="moved"),
    OrderRefused(
        at=START + 2 * MINUTE, proposer="event_breakout", purpose="RUSHUSDT/1/entry", intent=Intent.ENTRY,
        venue="paper", symbol="RUSHUSDT", side=Side.BUY, reason="entry.late_chase", detail="allowed 500, asked 740",
        rules=("entry.late_chase",),
    ),
    moved(BREAK, "pending", "firing"),
    LatchSet(
        at=BREAK, latch="guard.depeg.usdt/1", number=1, rule="guard.depeg.usdt", mode="manual", restrains="level halted"
    ),
    TargetOpened(
        at=BREAK, name="guard.depeg.usdt/1", kind="exit_risk", venue="paper", symbol="PINEUSDT", quantity=Decimal(0),
        dry_run=False,
    ),
    Notify(at=BREAK, to="page", rule="guard.depeg.usdt", text="USDT at 0.9890: trading halted"),
    FlagChanged(
        at=BREAK, name="ENTRY_MAX_SPREAD_BPS", before="50", after="40", layer="operator", actor="ada",
        reason="thin books",
    ),
    CommandAnswered(at=BREAK, verb="rearm", accepted=False, text="guard.depeg.usdt is not known to be false"),
    LatchCleared(
        at=BREAK + MINUTE, latch="guard.depeg.usdt/1", number=1, actor="ada", why="known to be false"
    ),
    BoundaryCrossed(at=BREAK + MINUTE, day="2026-03-03", next_at=BREAK + 2 * MINUTE),
    RulingChanged(
        at=BREAK + MINUTE, generation=2, digest="ef" * 32, actor="disk", acknowledged_by="ada",
        changed=("looser: guard.depeg.usdt for: 3m -> 4m", "stricter: entry.spread"), carried=9, begun=1,
        orphaned=("guard.old/1",),
    ),
    ReloadFailed(at=BREAK + MINUTE, what="rules/x.yaml:3:1: yaml-tab: a tab", fix="write blanks"),
    HealthChanged(at=BREAK + MINUTE, state=2, why="halted by guard.depeg.usdt"),
    InternalFault(at=BREAK + MINUTE, what="signals did not settle"),
)

SUMMARY: dict[str, Any] = {
    "events": 120_000, "seconds": 3.21, "events_per_second": 37_383, "transitions": 40, "orders": 31, "fills": 44,
    "refused": 3, "skips": {"entry.spread": 1, "entry.late_chase": 2}, "level": "halted", "normal_share": 0.8123,
    "notifications": 3, "pnl_usd": 12.3, "taker_slippage_bps": 9.94, "taker_fills": 30, "digest": "ab" * 32,
    "damaged_count": 0,
    "latches": [
        {
            "number": 1, "name": "guard.depeg.usdt/1", "rule": "guard.depeg.usdt", "restraint": "level halted",
            "since": BREAK,
        }
    ],
}

STATUS: dict[str, Any] = {
    "line": "HALTED", "since": BREAK, "why": "guard.depeg.usdt (latched)", "at": BREAK + HOUR, "mode": "dry-run",
    "venue": "paper", "running": False, "generation": 1, "rules_digest": "cd" * 32, "commit": "0123456789abcdef",
    "dirty": True, "level": "halted", "size_mult": 0.5, "mute": ["SCALP"], "deny": [], "max_notional_usd": None,
    "restrains": [
        {
            "rule": "guard.depeg.usdt", "instance": "guard.depeg.usdt", "because": "latched",
            "restraint": "level halted", "since": BREAK, "ends": "when it is re-armed", "clear_with": "engine rearm 1",
            "latch": 1,
        },
        {
            "rule": "cutback.slippage", "instance": "cutback.slippage[paper]", "because": "firing",
            "restraint": "size x0.5", "since": START, "ends": "30m after it was last true", "clear_with": "",
            "latch": None,
        },
    ],
    "positions": [
        {
            "venue": "paper", "symbol": "PINEUSDT", "quantity": "480", "average_price": "2.05", "mark": 2.061,
            "pnl_usd": 5.28, "stop": "rb-1-9 @ 1.98",
        },
        {
            "venue": "paper", "symbol": "DUSKUSDT", "quantity": "-12.5", "average_price": "1.02", "mark": None,
            "pnl_usd": None, "stop": None,
        },
    ],
    "daily_loss": {"used_pct": 0.6, "limit_pct": 3.0},
    "nearest": [
        {"instance": "kill.daily_loss[main]", "state": "inactive", "margin": 0.8, "inputs": {"daily_loss_pct": "0.6"}}
    ],
    "stale": [
        {
            "signal": "spread_bps", "labels": ["paper", "DUSKUSDT"], "status": "stale", "age_s": 95,
            "producer": "feed.market",
        }
    ],
    "overrides": [
        {
            "flag": "ENTRY_MAX_SPREAD_BPS", "value": 40.0, "reason": "thin books", "actor": "ada",
            "until": BREAK + 2 * HOUR,
        }
    ],
    "not_guarding": [{"rule": "watch.funding", "why": "shadow"}],
    "boundary": {"at": START + 6 * HOUR, "local": "UTC"},
    "orders": {"open": 1, "unknown": 0}, "pnl_usd": 12.3, "counts": {},
}

_NOVA: dict[str, Any] = {"venue": "binanceusdm", "symbol": "NOVAUSDT"}
_FILL = Fill(
    **_NOVA, client_id="rb-1-1", trade_id="7", side=Side.BUY, price=Decimal("2.4"), quantity=Decimal(3),
    fee=Decimal("0.01"), liquidity=Liquidity.TAKER, reference_price=Decimal(0), intent=Intent.ENTRY, venue_at=START,
    sent_at=0,
)
_FUNDING = Income(
    venue="binanceusdm", kind=IncomeKind.FUNDING, transfer_id="9", asset="USDT", amount=Decimal("-0.1"),
    symbol="NOVAUSDT", venue_at=START,
)
AT_VENUE: tuple[Effect, ...] = (
    AskVenue(at=START, ask=1, query=Query.ACCOUNT, venue="binanceusdm"),
    FillBooked(
        at=START, fill=_FILL, purpose="NOVAUSDT/1/entry", decided_price=Decimal("2.399"), slippage_bps=4.2,
        position=Decimal(3),
    ),
    IncomeBooked(at=START, entry=_FUNDING),
    PositionAdopted(
        **_NOVA, at=START, counted=Decimal(0), quantity=Decimal(3), entry_price=Decimal("2.4"), why="the venue says so"
    ),
    MakerShadowed(
        **_NOVA, at=START, intent=Intent.SCALP, side=Side.BUY, price=Decimal("2.4"), quantity=Decimal(3),
        filled=Decimal(0), waited=SECOND, outcome="timeout", taker_price=Decimal("2.401"),
    ),
    OverrideBegan(
        at=START, kind="denial", name="NOVAUSDT", what="no entry in NOVAUSDT", ends="", actor="ann", reason="thin",
    ),
    OverrideEnded(at=BREAK, kind="denial", name="NOVAUSDT", why="its time ended", actor="engine"),
    RiskMeasured(
        at=START, day="2026-03-02", var_usd=Decimal("12.5"), confidence_pct=99.0, lookback_days=250,
        quantile="loss 1 of 1 in rising order, not interpolated", unknown_usd=Decimal(0),
        held=(HeldAtRisk(**_NOVA, notional_usd=Decimal(250), returns=1, basis="history"),),
        results=(DayResult(day="2026-03-01", usd=Decimal("-12.5")),),
    ),
    OffendersJudged(
        at=START, day="2026-03-02",
        offences=(Offence(symbol="NOVAUSDT", until=BREAK, reason="2 bad days of 5, last: stops repaired 3 times"),),
    ),
)
"""What only a run on a real venue tells, and nights."""
