"""What the reducers compare with: taken from flags, so that none of it is written in code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.model.flags import FlagValue
from engine.model.time import SECOND
from engine.signals.health import HealthLimits
from engine.signals.pegs import PegTerms

DEFAULTS: Mapping[str, float] = {
    "HEALTH_DEGRADED_SEC": 30.0, "HEALTH_HALTED_SEC": 900.0, "HEALTH_ACCOUNT_DEGRADED_SEC": 420.0,
    "HEALTH_ACCOUNT_HALTED_SEC": 1200.0, "WS_DISCONNECT_ALERT_SEC": 30.0,
}
"""As in conf/flags.yaml, for a file that lacks one of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReducerSettings:
    """What reducers compare with; none of it is written in code. Durations in ns."""

    health: HealthLimits
    stream_alert: int
    """Silence of a stream from which on it is called gone."""
    pegs: PegTerms

    @classmethod
    def from_flags(cls, flags: Mapping[str, FlagValue]) -> ReducerSettings:
        """Return the settings that the flags HEALTH_*, WS_DISCONNECT_ALERT_SEC and PEG_* give."""
        def length(name: str) -> int:
            return round(float(flags.get(name, DEFAULTS[name])) * SECOND)

        return cls(
            health=HealthLimits(
                degraded=length("HEALTH_DEGRADED_SEC"), halted=length("HEALTH_HALTED_SEC"),
                account_degraded=length("HEALTH_ACCOUNT_DEGRADED_SEC"),
                account_halted=length("HEALTH_ACCOUNT_HALTED_SEC"),
            ),
            stream_alert=length("WS_DISCONNECT_ALERT_SEC"), pegs=PegTerms.from_flags(flags),
        )
