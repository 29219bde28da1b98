"""The part of the checklist that is about flags, guards and caps: what a session would begin with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.model.events import RunMode
from engine.model.flag_values import fit, flag_text, loosens, planned_note, with_unit
from engine.model.flags import FlagValue
from engine.ports.venue import Check
from engine.ruleset.spec import Enforcement
from engine.runtime.config import Config
from engine.runtime.flag_readers import read_by_rules
from engine.runtime.guards import unguarded

PROFILE = "conf/profiles/limited-live.env"
"""The runbook's standard session: what each flag is expected to be."""
CAPS = ("LIMITED_LIVE_MAX_NOTIONAL_USD", "LIMITED_LIVE_MAX_EXPOSURE_USD", "LIMITED_LIVE_MAX_DAILY_LOSS_USD")
"""What a limited session is capped by: each needs a rule that holds it."""
OK, WARN, FAIL = "ok", "warn", "fail"


def flag_lines(root: Path, config: Config, by_hand: Sequence[Mapping[str, Any]]) -> list[Check]:
    """Return how the flags differ from the profile and from what anything comes of; `by_hand` as a status lists it."""
    lines: list[Check] = []
    values, who = in_force(config, by_hand), {one["flag"]: f", set by {one['actor']}" for one in by_hand}
    checklist = _profile(root / PROFILE, config, lines)
    for name, wanted in sorted(checklist.items()):
        is_now = values[name]
        if is_now == wanted:
            continue
        looser = loosens(config.flag_specs[name], wanted, is_now)
        lines.append(Check(
            name=f"flag {name}", verdict=FAIL if looser else WARN,
            what=f"is {flag_text(is_now)}{who.get(name, '')}, the checklist says {flag_text(wanted)}",
            fix=_back(name, who) if looser else "",
        ))
    lines += [
        Check(
            name=f"flag {name}", verdict=WARN, what=f"is {flag_text(values[name])}{by}", fix=f"engine flag unset {name}"
        )
        for name, by in sorted(who.items()) if name not in checklist
    ]
    if not lines:
        lines.append(Check(name="flags", verdict=OK, what=f"as {PROFILE} has them"))
    notes = ((name, planned_note(spec, values[name])) for name, spec in config.flag_specs.items())
    return lines + [Check(name=f"flag {name}", verdict=WARN, what=note) for name, note in sorted(notes) if note]


def mode_lines(mode: RunMode, config: Config, by_hand: Sequence[Mapping[str, Any]]) -> list[Check]:
    """Return whether every guard and cap is there that a session asked for as `mode` begins with."""
    if mode is RunMode.DRY_RUN:
        return []
    values = in_force(config, by_hand)
    missing = unguarded(config, values)
    lines = [Check(name=f"guard {one.guard}", verdict=FAIL, what=f"is {one.why}", fix=one.fix) for one in missing]
    if not missing:
        lines.append(Check(name="guards", verdict=OK, what="every guard is enforced"))
    return [*lines, *(_cap(name, config, values) for name in CAPS)]


def in_force(config: Config, by_hand: Sequence[Mapping[str, Any]]) -> dict[str, FlagValue]:
    """Return the value of every flag, what an operator set in the run before included."""
    values = dict(config.flag_book().values)
    values.update({one["flag"]: one["value"] for one in by_hand if one["flag"] in values})
    return values


def _cap(name: str, config: Config, values: Mapping[str, FlagValue]) -> Check:
    rules = [
        rule for rule in (() if config.rules is None else config.rules.rules)
        if rule.enforcement is Enforcement.ENFORCE and rule.enabled is not False
    ]
    holders = read_by_rules(rules).get(name, ())
    if name not in config.flag_specs or not holders:
        return Check(name=f"cap {name}", verdict=FAIL, what="no rule holds it", fix="restore rules/limited/")
    shown = with_unit(config.flag_specs[name], values[name])
    return Check(name=f"cap {name}", verdict=OK, what=f"{shown}, held by {', '.join(holders)}")


def _back(name: str, who: Mapping[str, str]) -> str:
    return f"engine flag unset {name}" if name in who else f"set it as {PROFILE} has it"


def _profile(path: Path, config: Config, lines: list[Check]) -> dict[str, FlagValue]:
    """Return the flags that the profile sets; what is wrong with it is added to `lines`."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        lines.append(Check(name="profile", verdict=WARN, what=f"{PROFILE} cannot be read ({type(error).__name__})"))
        return {}
    found: dict[str, FlagValue] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        if not line.strip() or line.strip().startswith("#"):
            continue
        spec = config.flag_specs.get(name.strip())
        try:
            if not equals or spec is None:
                raise ValueError("is no flag with a value")
            found[spec.name] = fit(spec, value.strip().strip("'\""))
        except ValueError as error:
            lines.append(Check(
                name="profile", verdict=FAIL, what=f"{PROFILE}:{number}: {error}", fix="write NAME=value"
            ))
    return found
