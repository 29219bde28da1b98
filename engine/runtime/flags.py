"""The environment's layer of flags. The only place that looks for flags in an environment."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches

from engine.model.flag_values import fit
from engine.model.flags import FlagKind, FlagSpec, FlagValue
from engine.ruleset.diagnostics import Finding, Severity

NEEDED: Mapping[str, FlagKind] = {
    "ACCOUNT_EQUITY_USD": FlagKind.NUMBER, "DAILY_LOSS_LIMIT_PCT": FlagKind.NUMBER,
    "DAILY_RESET_HOUR": FlagKind.NUMBER, "DAILY_RESET_TZ": FlagKind.WORD, "ENGINE_DRY_RUN": FlagKind.BOOL,
    "EVENT_BREAKOUT_ENABLED": FlagKind.BOOL, "EVENT_BREAKOUT_HALF_SIZE_MINUTES": FlagKind.NUMBER,
    "EVENT_BREAKOUT_SIZE_USD": FlagKind.NUMBER, "EVENT_BREAKOUT_SL_PCT": FlagKind.NUMBER,
    "EVENT_BREAKOUT_TIME_STOP_MINUTES": FlagKind.NUMBER, "EVENT_BREAKOUT_TRAIL_PCT": FlagKind.NUMBER,
    "EVENT_BREAKOUT_TRIGGER_BPS": FlagKind.NUMBER, "EVENT_BREAKOUT_WINDOW_MINUTES": FlagKind.NUMBER,
    "HEALTH_DEGRADED_SEC": FlagKind.NUMBER, "HEALTH_HALTED_SEC": FlagKind.NUMBER,
}
"""Flags that the engine itself reads, so that a file without them cannot be run on. Rules name what else there is."""
READ: frozenset[str] = frozenset(NEEDED) | {
    "EVENT_BREAKOUT_TP1_PCT", "EVENT_BREAKOUT_TP2_PCT", "EVENT_BREAKOUT_TP3_PCT", "EVENT_BREAKOUT_TP_RUNG_PCT",
    "EVENT_BREAKOUT_TRAIL_START_PCT", "EVENT_BREAKOUT_TRAIL_STEP_PCT",
    "STOP_VALIDATOR_ENABLED", "STOP_VALIDATOR_GRACE_SEC", "STOP_VALIDATOR_INTERVAL_SEC", "STOP_VALIDATOR_CONFIRMATIONS",
    "STOP_VALIDATOR_REPAIR", "STOP_VALIDATOR_REPAIR_TP", "STOP_VALIDATOR_SL_PCT", "STOP_VALIDATOR_BUDGET",
    "STOP_TRIGGERED_SEC", "STOP_PROBE_ENABLED", "EXEC_FILLS_LISTENER_ENABLED", "SCALP_MAKER_SHADOW",
}
"""Every flag that the engine itself reads: one of them is used, though no rule names it."""
PLACE = "environment"
"""What findings about variables give as their file."""
_NEAR = 0.9
"""Nearer than this, a variable is taken for a flag that somebody mistyped."""


def environment_layer(
    specs: Mapping[str, FlagSpec], environment: Mapping[str, str]
) -> tuple[dict[str, FlagValue], list[Finding]]:
    """Return the flags that `environment` sets, by name, and what is wrong with it.

    A variable that names a flag and does not fit it is an error, an empty one included; one
    that nearly names a flag is a warning, because nobody else would ever say so.
    """
    values: dict[str, FlagValue] = {}
    findings: list[Finding] = []
    for name in sorted(environment):
        text = environment[name]
        spec = specs.get(name)
        if spec is not None:
            try:
                values[name] = fit(spec, text)
            except ValueError as error:
                findings.append(_finding(name, text, Severity.ERROR, str(error), f"set {name} anew, or unset it"))
            continue
        near = get_close_matches(name, specs, n=1, cutoff=_NEAR)
        if near and near[0] not in environment:
            findings.append(_finding(
                name, text, Severity.WARNING, f"the variable {name} is no flag and changes nothing",
                f"did you mean {near[0]}?",
            ))
    return values, findings


def missing_flags(specs: Mapping[str, FlagSpec], file: str) -> list[Finding]:
    """Return a finding for each flag that the engine needs and `file` does not declare as it must be."""
    findings: list[Finding] = []
    for name, kind in NEEDED.items():
        spec = specs.get(name)
        if spec is None:
            what, fix = f"the engine needs the flag {name}", f"declare it, with `kind: {kind.value}`"
        elif spec.kind is not kind:
            what, fix = f"the engine needs {name} to be a {kind.value}", f"write `kind: {kind.value}`"
        else:
            continue
        line = 1 if spec is None else spec.line
        findings.append(Finding(
            file=file, line=line, column=1, code="flag-missing", severity=Severity.ERROR, message=what, fix=fix,
        ))
    return findings


def _finding(name: str, text: str, severity: Severity, message: str, fix: str) -> Finding:
    return Finding(
        file=PLACE, line=1, column=1, code="flag-environment", severity=severity, message=message, fix=fix,
        source_line=f"{name}={text}",
    )
