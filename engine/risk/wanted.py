"""What the flags of sizes, value at risk and the denylist are where a file of flags has none of them.

A run that is taken up from an older journal has the flags of then. The numbers are those of
conf/flags.yaml, and a test holds them to it.
"""

from __future__ import annotations

from collections.abc import Mapping

from engine.model.flags import FlagValue

DEFAULTS: Mapping[str, FlagValue] = {
    "RISK_PARITY_ENABLED": False, "RISK_PARITY_TF": "1h", "RISK_PARITY_N": 14.0, "RISK_PARITY_TARGET_PCT": 1.0,
    "RISK_PARITY_MIN_NOTIONAL_USD": 100.0, "RISK_PARITY_MAX_NOTIONAL_USD": 2000.0,
    "VAR_CONFIDENCE_PCT": 99.0, "VAR_LOOKBACK_DAYS": 250.0, "VAR_MIN_DAYS": 30.0, "VAR_UNKNOWN_MOVE_PCT": 20.0,
    "DENYLIST_REFRESH_ENABLED": True, "DENYLIST_SLIPPAGE_BPS": 20.0, "DENYLIST_MIN_FILLS": 10.0,
    "DENYLIST_REPAIRS": 2.0, "DENYLIST_ENTROPY_BITS": 0.36, "DENYLIST_ENTROPY_MINUTES": 300.0, "DENYLIST_DAYS": 2.0,
    "DENYLIST_OF_DAYS": 5.0, "DENYLIST_TTL_HOURS": 72.0,
}


def wanted(flags: Mapping[str, FlagValue], name: str) -> FlagValue:
    """Return the flag `name`, KeyError if it is none of these."""
    return flags.get(name, DEFAULTS[name])
