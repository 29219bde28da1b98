"""A catalogue and flags for tests of the rule files: those of the first shipped set, and some that show a trap."""

from __future__ import annotations

from collections.abc import Mapping

from engine.model.flags import FlagKind, FlagSpec
from engine.model.samples import SignalKind, SignalSpec, Unit
from engine.model.time import SECOND
from engine.ruleset.load import Loaded, load_rules
from engine.signals.catalogue import Catalogue


def signal(name: str, kind: SignalKind, unit: Unit, **more: object) -> SignalSpec:
    """Return a signal; gauges and states get a period of 1 s and a max_age of 10 s."""
    if kind in (SignalKind.GAUGE, SignalKind.STATE) and not more.get("order_scope"):
        more = {"period": SECOND, "max_age": 10 * SECOND, **more}
    return SignalSpec(name=name, kind=kind, unit=unit, summary=name, **more)  # type: ignore[arg-type]


CATALOGUE = Catalogue([
    signal("mid_price", SignalKind.GAUGE, Unit.USD, labels=("venue", "symbol"), low=0.0),
    signal("spread_bps", SignalKind.GAUGE, Unit.BPS, labels=("venue", "symbol"), low=0.0, high=1e6),
    signal("feed_messages", SignalKind.COUNTER, Unit.COUNT, labels=("venue",), low=0.0),
    signal("peg_usdt_usd", SignalKind.GAUGE, Unit.RATIO, low=0.0, high=10.0, period=60 * SECOND, max_age=150 * SECOND),
    signal("announcements", SignalKind.EVENT, Unit.COUNT),
    signal("health_measured", SignalKind.STATE, Unit.COUNT, low=0.0, high=2.0, period=5 * SECOND, max_age=30 * SECOND),
    signal("equity_usd", SignalKind.GAUGE, Unit.USD, labels=("account",)),
    signal("daily_loss_pct", SignalKind.GAUGE, Unit.PCT, labels=("account",), low=-1000.0, high=1000.0,
           period=5 * SECOND, max_age=30 * SECOND),
    signal("fill_slippage_bps", SignalKind.EVENT, Unit.BPS, labels=("venue", "liquidity"), resolution=1e-6),
    signal("fill_ms", SignalKind.EVENT, Unit.MS, labels=("venue", "liquidity"), low=0.0, resolution=1e-3),
    signal("order_notional_usd", SignalKind.GAUGE, Unit.USD, order_scope=True, low=0.0),
    signal("order_late_chase_bps", SignalKind.GAUGE, Unit.BPS, order_scope=True),
    signal("order_side", SignalKind.GAUGE, Unit.ENUM, order_scope=True, values=("buy", "sell")),
    signal("venue_state", SignalKind.STATE, Unit.ENUM, labels=("venue",), values=("open", "closed", "halted")),
    signal("is_trading", SignalKind.STATE, Unit.BOOL, labels=("symbol",)),
    signal("health_state", SignalKind.STATE, Unit.COUNT, derived_from_policy=True, low=0.0, high=2.0),
])


def flag(name: str, default: float | bool | str, unit: Unit = Unit.NONE, **more: object) -> FlagSpec:
    """Return a flag whose kind follows from its default."""
    kind = FlagKind.BOOL if isinstance(default, bool) else FlagKind.WORD if isinstance(
        default, str,
    ) else FlagKind.NUMBER
    value = float(default) if kind is FlagKind.NUMBER else default
    return FlagSpec(name=name, kind=kind, default=value, unit=unit, summary=name, **more)  # type: ignore[arg-type]


FLAGS: Mapping[str, FlagSpec] = {
    spec.name: spec
    for spec in (
        flag("DEPEG_GUARD_ENABLED", True, Unit.BOOL),
        flag("DEPEG_THRESHOLD_PCT", 0.5, Unit.PCT, low=0.01, high=50.0),
        flag("DEPEG_CONFIRM_WINDOWS", 3, Unit.COUNT, low=1.0, high=60.0),
        flag("DEPEG_ACTION_COOLDOWN_MIN", 60, low=0.0, high=10_000.0),
        flag("DEPEG_EXIT_RISK", "true", Unit.ENUM, words=("false", "dry_run", "true")),
        flag("WS_DISCONNECT_ALERT_SEC", 30, Unit.S, low=1.0, high=3600.0),
        flag("DAILY_LOSS_LIMIT_PCT", 3, Unit.PCT, low=0.1, high=100.0),
        flag("TAKER_SLIPPAGE_LIMIT_BPS", 10, Unit.BPS, low=0.0, high=1000.0),
        flag("SLIPPAGE_MIN_FILLS", 20, Unit.COUNT, low=1.0, high=1000.0),
        flag("ENTRY_MAX_SPREAD_BPS", 50, Unit.BPS, low=0.0, high=10_000.0),
        flag("ENTRY_MAX_NOTIONAL_USD", 5000, Unit.USD, low=0.0),
        flag("SIZE_SHARE", 0.5, Unit.RATIO, low=0.05, high=0.95),
        flag("HEDGE_SHARE", 0, Unit.RATIO, low=0.0, high=1.0),
        flag("TRIM_SHARE_PCT", 50, Unit.PCT, low=0.0, high=100.0),
        flag("CAP_USD", 1000, Unit.USD, low=10.0, high=100_000.0),
        flag("CUTBACK_TTL_MIN", 30, low=1.0, high=1440.0),
    )
}
ANCHORS = frozenset({"usdt-wobbly", "feed-stale", "test"})


def load(files: Mapping[str, bytes] | bytes | str, *, anchors: frozenset[str] | None = ANCHORS) -> Loaded:
    """Return what becomes of rule files; one text is the file `rules.yaml`."""
    if isinstance(files, str):
        files = files.encode()
    if isinstance(files, bytes):
        files = {"rules.yaml": files}
    return load_rules(files, CATALOGUE, FLAGS, anchors=anchors)
