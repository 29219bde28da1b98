"""What the operator's overrides look like on the wire, and the commands that they become.

What is wrong in itself (a duration, a level, five hours, no reason) is said here; what
depends on what is in force is judged by the core.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from engine.model.orders import PROTECTIVE_INTENTS, Intent
from engine.model.override_commands import (
    DenyCommand,
    EndMaintenanceCommand,
    MaintenanceCommand,
    RestrictCommand,
    UndenyCommand,
    UnrestrictCommand,
    UnwaiveCommand,
    WaiveCommand,
)
from engine.model.overrides import LONGEST_LEASE
from engine.model.restraints import NONE, Level, Restraint, Scope
from engine.model.time import format_duration, parse_instant
from engine.runtime.control_words import BadRequest, Request, choice, duration, number, shown, switch, text

Override = (
    RestrictCommand | UnrestrictCommand | DenyCommand | UndenyCommand | WaiveCommand | UnwaiveCommand
    | MaintenanceCommand | EndMaintenanceCommand
)
LEVELS = tuple(level.word for level in Level if level is not Level.NORMAL)
INTENTS = tuple(intent.value for intent in Intent if intent not in PROTECTIVE_INTENTS)
"""What adds risk. What protects is never muted."""


def _restrict(request: Request, actor: str) -> Override:
    scope = Scope(
        venue=text(request, "venue", optional=True), symbol=_symbol(request, optional=True),
        intent=_intent(text(request, "intent", optional=True)),
    )
    restraint, maker_off = _restraint(request), switch(request, "maker_off")
    if restraint == NONE and not maker_off:
        # Somebody in a hurry who says nothing else means: nothing new.
        restraint = Restraint(level=Level.ENTRIES_PAUSED)
    return RestrictCommand(
        actor=actor, scope=scope, restraint=restraint, maker_off=maker_off,
        ttl=duration(request, "ttl", optional=True), reason=text(request, "reason", optional=True),
    )


def _restraint(request: Request) -> Restraint:
    level = text(request, "level", optional=True)
    size_mult, cap = number(request, "size_mult"), number(request, "max_notional_usd")
    if size_mult is not None and not 0 <= float(size_mult) < 1:
        raise BadRequest(f"a size multiplier of {size_mult} cuts nothing", "give a number from 0 to less than 1")
    if cap is not None and cap < 0:
        raise BadRequest(f"no order is worth {cap} USD", "give a cap of 0 USD or more")
    muted = request.get("mute", [])
    if not isinstance(muted, list) or not all(isinstance(one, str) for one in muted):
        raise BadRequest("mute takes a list of intents", f'send "mute": ["{INTENTS[0]}"]')
    return Restraint(
        level=Level.from_word(choice(level, LEVELS, "level")) if level else Level.NORMAL,
        size_mult=1.0 if size_mult is None else float(size_mult), max_notional_usd=cap,
        mute=frozenset(_intent(one) for one in muted),
    )


def _symbol(request: Request, *, optional: bool = False) -> str:
    said = text(request, "symbol", optional=optional).strip()
    if len(said.split()) > 1:
        raise BadRequest(f"a symbol is one word, not {shown(said)}", "write it as the venue does, such as BTCUSDT")
    return said


def _intent(said: str) -> str:
    if said.upper() in PROTECTIVE_INTENTS:
        raise BadRequest(f"{said.upper()} protects what is open: it is never restricted", f"take {', '.join(INTENTS)}")
    return choice(said, INTENTS, "intent") if said else ""


def _unrestrict(request: Request, actor: str) -> Override:
    return UnrestrictCommand(actor=actor, which=text(request, "which", optional=True))


def _deny(request: Request, actor: str) -> Override:
    return DenyCommand(
        actor=actor, symbol=_symbol(request), ttl=duration(request, "ttl", optional=True),
        reason=text(request, "reason", optional=True),
    )


def _undeny(request: Request, actor: str) -> Override:
    # What was denied before names had to be one word can still be taken back.
    return UndenyCommand(actor=actor, symbol=text(request, "symbol"))


def _waive(request: Request, actor: str) -> Override:
    reason = text(request, "reason", optional=True)
    if not reason.strip():
        raise BadRequest("a waiver lets more through than the rules do, so it needs a reason", "say why: --reason TEXT")
    return WaiveCommand(actor=actor, rule=text(request, "rule"), lasts=_lease(request), reason=reason)


def _unwaive(request: Request, actor: str) -> Override:
    return UnwaiveCommand(actor=actor, rule=text(request, "rule"))


def _maintenance(request: Request, actor: str) -> Override:
    until, reason = text(request, "until", optional=True), text(request, "reason", optional=True)
    ways = [word for word in ("for", "until", "end") if request.get(word)]
    if len(ways) != 1:
        told = f"not {' and '.join(ways)}" if ways else "and is told neither"
        fix = "give one of --for 30m, --until 2026-03-02T21:00:00Z and --end"
        raise BadRequest(f"maintenance lasts for a time, until an instant, or ends now, {told}", fix)
    if switch(request, "end"):
        return EndMaintenanceCommand(actor=actor)
    if until:
        return MaintenanceCommand(actor=actor, until=_instant(until), reason=reason)
    return MaintenanceCommand(actor=actor, lasts=_lease(request), reason=reason)


def _lease(request: Request) -> int:
    lasts = duration(request, "for")
    if lasts > LONGEST_LEASE:
        longest = format_duration(LONGEST_LEASE)
        fix = f"give at most {longest}; it can be given again when it ends"
        raise BadRequest(f"{request['verb']} lasts at most {longest}, not {text(request, 'for')}", fix)
    return lasts


def _instant(said: str) -> int:
    fix = "write it with its zone, such as 2026-03-02T21:00:00Z or 2026-03-02T22:00:00+01:00"
    try:
        until = parse_instant(said)
    except (ValueError, OverflowError) as error:
        what = str(error) if "time zone" in str(error) else f"{shown(said)} is no instant"
        raise BadRequest(what, fix) from None
    if until <= 0:
        raise BadRequest(f"{shown(said)} is before all time", fix)
    return until


OVERRIDE_VERBS: Mapping[str, tuple[tuple[str, ...], Callable[[Mapping[str, Any], str], Override]]] = {
    "restrict": (
        ("symbol", "venue", "intent", "level", "size_mult", "mute", "max_notional_usd", "maker_off", "ttl", "reason"),
        _restrict,
    ),
    "unrestrict": (("which",), _unrestrict),
    "deny": (("symbol", "ttl", "reason"), _deny),
    "undeny": (("symbol",), _undeny),
    "waive": (("rule", "for", "reason"), _waive),
    "unwaive": (("rule",), _unwaive),
    "maintenance": (("for", "until", "end", "reason"), _maintenance),
}
"""Each verb with the words it takes."""
