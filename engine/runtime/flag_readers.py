"""Which part of the engine reads which flag, where it is not a rule that does.

The one place that says so: `engine flags` shows it, a start insists on what it needs, and a
flag that neither stands here nor in a rule is a number somebody would turn in vain. A test
holds the table to the source.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from engine.model.flags import FlagKind
from engine.ruleset.reading import flags_of
from engine.ruleset.spec import RuleSpec

NUMBER, BOOL, WORD = FlagKind.NUMBER, FlagKind.BOOL, FlagKind.WORD


@dataclass(frozen=True, slots=True)
class Reader:
    """The part of the engine that reads a flag, in an operator's words."""

    part: str
    needs: FlagKind | None = None
    """The kind that the flag must be declared with; None where the part does without a flag that is not declared."""


_PEGS = "worth of the stablecoins"
_BREAKOUT, _SIZES, _STOPS = "event breakout", "event breakout: size and exits", "stop validator"
_SIZER, _VAR, _DENYLIST = "sizer: risk parity", "value at risk", "refresh of the denylist"
READERS: Mapping[str, Reader] = {
    "ACCOUNT_EQUITY_USD": Reader("guardian and paper account", NUMBER),
    "DAILY_LOSS_LIMIT_PCT": Reader("status: daily loss", NUMBER),
    "DAILY_RESET_HOUR": Reader("daily boundary", NUMBER),
    "DAILY_RESET_TZ": Reader("daily boundary", WORD),
    "DENYLIST_DAYS": Reader(_DENYLIST),
    "DENYLIST_ENTROPY_BITS": Reader(_DENYLIST),
    "DENYLIST_ENTROPY_MINUTES": Reader(_DENYLIST),
    "DENYLIST_MIN_FILLS": Reader(_DENYLIST),
    "DENYLIST_OF_DAYS": Reader(_DENYLIST),
    "DENYLIST_REFRESH_ENABLED": Reader(_DENYLIST),
    "DENYLIST_REPAIRS": Reader(_DENYLIST),
    "DENYLIST_SLIPPAGE_BPS": Reader(_DENYLIST),
    "DENYLIST_TTL_HOURS": Reader(_DENYLIST),
    "ENGINE_DRY_RUN": Reader("run mode", BOOL),
    "LIMITED_LIVE_MAX_DAILY_LOSS_USD": Reader("status: daily loss"),
    "EVENT_BREAKOUT_DRY_RUN": Reader(_BREAKOUT, BOOL),
    "EVENT_BREAKOUT_ENABLED": Reader(_BREAKOUT, BOOL),
    "EVENT_BREAKOUT_HALF_SIZE_MINUTES": Reader(_SIZES, NUMBER),
    "EVENT_BREAKOUT_METRICS": Reader("event breakout: counters", BOOL),
    "EVENT_BREAKOUT_SIZE_USD": Reader(_SIZES, NUMBER),
    "EVENT_BREAKOUT_SL_PCT": Reader(_SIZES, NUMBER),
    "EVENT_BREAKOUT_TIME_STOP_MINUTES": Reader(_SIZES, NUMBER),
    "EVENT_BREAKOUT_TP1_PCT": Reader(_SIZES, NUMBER),
    "EVENT_BREAKOUT_TP2_PCT": Reader(_SIZES, NUMBER),
    "EVENT_BREAKOUT_TP3_PCT": Reader(_SIZES, NUMBER),
    "EVENT_BREAKOUT_TP_RUNG_PCT": Reader(_SIZES, NUMBER),
    "EVENT_BREAKOUT_TRAIL_PCT": Reader(_SIZES, NUMBER),
    "EVENT_BREAKOUT_TRAIL_START_PCT": Reader(_SIZES, NUMBER),
    "EVENT_BREAKOUT_TRAIL_STEP_PCT": Reader(_SIZES, NUMBER),
    "EVENT_BREAKOUT_TRIGGER_BPS": Reader(_BREAKOUT, NUMBER),
    "EVENT_BREAKOUT_WINDOW_MINUTES": Reader(_BREAKOUT, NUMBER),
    "EXEC_FILLS_LISTENER_ENABLED": Reader("venue: account stream"),
    "FUNDING_HEDGE_STOP_PCT": Reader("hedges: their stop", NUMBER),
    "FUNDING_PAID_SEC": Reader("cost of funding", NUMBER),
    "FUNDING_SILENT_SEC": Reader("cost of funding", NUMBER),
    "RISK_PARITY_ENABLED": Reader(_SIZER),
    "RISK_PARITY_MAX_NOTIONAL_USD": Reader(_SIZER),
    "RISK_PARITY_MIN_NOTIONAL_USD": Reader(_SIZER),
    "RISK_PARITY_N": Reader(_SIZER),
    "RISK_PARITY_TARGET_PCT": Reader(_SIZER),
    "RISK_PARITY_TF": Reader(_SIZER),
    "HEALTH_DEGRADED_SEC": Reader("health of the feeds", NUMBER),
    "HEALTH_HALTED_SEC": Reader("health of the feeds", NUMBER),
    "PEG_AGREE_PCT": Reader(_PEGS, NUMBER),
    "PEG_HIGHEST": Reader(_PEGS, NUMBER),
    "PEG_LOWEST": Reader(_PEGS, NUMBER),
    "PEG_QUOTE_MAX_AGE_SEC": Reader(_PEGS, NUMBER),
    "MAKER_GATE_SYMBOLS": Reader("maker gate: which symbols", WORD),
    "SCALP_ENABLED": Reader("scalp", BOOL),
    "SCALP_SIZE_USD": Reader("scalp: size", NUMBER),
    "MAKER_GATE_ENABLED": Reader("routing of makers"),
    "MAX_DAILY_LOSS_USD": Reader("status: daily loss"),
    "SCALP_MAKER_SHADOW": Reader("routing of scalps"),
    "HEALTH_ACCOUNT_DEGRADED_SEC": Reader("health of a real account"),
    "HEALTH_ACCOUNT_HALTED_SEC": Reader("health of a real account"),
    "STOP_PROBE_ENABLED": Reader("stop validator: probe of a venue"),
    "STOP_TRIGGERED_SEC": Reader(_STOPS),
    "STOP_VALIDATOR_BUDGET": Reader(_STOPS),
    "STOP_VALIDATOR_CONFIRMATIONS": Reader(_STOPS),
    "STOP_VALIDATOR_ENABLED": Reader(_STOPS),
    "STOP_VALIDATOR_GRACE_SEC": Reader(_STOPS),
    "STOP_VALIDATOR_INTERVAL_SEC": Reader(_STOPS),
    "STOP_VALIDATOR_REPAIR": Reader(_STOPS),
    "STOP_VALIDATOR_REPAIR_TP": Reader(_STOPS),
    "STOP_VALIDATOR_SL_PCT": Reader(_STOPS),
    "VAR_CONFIDENCE_PCT": Reader(_VAR),
    "VAR_LOOKBACK_DAYS": Reader(_VAR),
    "VAR_MIN_DAYS": Reader(_VAR),
    "VAR_UNKNOWN_MOVE_PCT": Reader(_VAR),
    "WS_DISCONNECT_ALERT_SEC": Reader("health of the feeds"),
    "WARMUP_SEC": Reader("run mode: when the warm-up is over"),
}
"""Every flag that the engine's own code reads, and who."""
GUARDS: Mapping[str, str] = {"STOP_VALIDATOR_ENABLED": "stop validator"}
"""Flags that switch a guard which is no rule, and what it is called."""


def read_by_rules(rules: Iterable[RuleSpec]) -> dict[str, tuple[str, ...]]:
    """Return by flag the ids of `rules` that depend on it, in the order of the rules."""
    found: dict[str, list[str]] = {}
    for rule in rules:
        for name in flags_of(rule):
            found.setdefault(name, []).append(rule.id)
    return {name: tuple(ids) for name, ids in found.items()}
