"""The operator's overrides: laid on by a command, ended by another or by their time.

Each is answered with what it does, when it ends and what to type to end it sooner. A waiver
and a maintenance are told to people too, when they begin and when they end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import cast

from engine.core.announced import tell_maintenance
from engine.core.orders import dispatch, granted_at
from engine.core.settle import rejoin
from engine.core.state import State
from engine.core.waiving import find_waived, find_waivers, unwaiving
from engine.model.effects import CommandAnswered, Effect, Notify
from engine.model.events import Input
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
from engine.model.overrides import (
    ALL,
    LONGEST_LEASE,
    Denial,
    OverrideBegan,
    OverrideEnded,
    Restriction,
    Term,
    Waiver,
)
from engine.model.restraints import Scope
from engine.model.time import format_duration, format_second
from engine.policy.overrides import MAINTENANCE
from engine.ruleset.words import restraint_words

One = Restriction | Denial | Waiver
_ENGINE, _OVER = "engine", "its time ended"
_ALIKE = 0.85
_HALTED_STILL = "entries are paused; what is degraded is expected, what is halted still halts"


def _restrict(state: State, item: Input, out: list[Effect]) -> None:
    event = cast(RestrictCommand, item.event)
    symbol, doubt = _symbol(state, event.scope.symbol)
    scope = Scope(account=event.scope.account, venue=event.scope.venue, symbol=symbol, intent=event.scope.intent)
    term = _term(event.actor, event.reason, item.at, event.ttl, offline=event.offline)
    one = state.overrides.restrict(scope, event.restraint, maker_off=event.maker_off, term=term)
    _laid(state, one, one.term, restriction_words(one), item.at, out)
    if one.maker_off:
        # What rests as a maker there is taken back now, not with the next quote.
        looked = state.router.due(item.at, state.look, state.execution, granted_at(state, item.at))
        dispatch(state, item.at, looked, out)
    text = f"{restriction_words(one)}{_until(one.term)}; `engine unrestrict {one.number}` ends it"
    _answer(out, item.at, "restrict", True, text + doubt + _venue_doubt(state, scope.venue))


def _unrestrict(state: State, item: Input, out: list[Effect]) -> None:
    event = cast(UnrestrictCommand, item.event)
    book, which = state.overrides, event.which
    symbol, _ = _symbol(state, which)
    found = [
        one for one in book.restrictions.values()
        if which == ALL or str(one.number) == which or (not which.isdecimal() and one.scope.symbol == symbol)
    ]
    if not found:
        there = "; ".join(f"{one.number} ({restriction_words(one)})" for one in book.restrictions.values())
        what = f"no restriction is {which}" if which.isdecimal() else f"there is none on {symbol or 'everything'}"
        what = "there is none to end" if which == ALL else what
        _answer(out, item.at, "unrestrict", False, f"{what}; in force: {there or 'none'}")
        return
    _end(state, found, event.actor, item.at, out)
    said = ", ".join(f"{one.number} ({restriction_words(one)})" for one in found)
    _answer(out, item.at, "unrestrict", True, f"ended restriction {said}{_still(state)}")


def _deny(state: State, item: Input, out: list[Effect]) -> None:
    event = cast(DenyCommand, item.event)
    symbol, doubt = _symbol(state, event.symbol)
    one = state.overrides.deny(symbol, _term(event.actor, event.reason, item.at, event.ttl, offline=event.offline))
    _laid(state, one, one.term, f"no entries in {symbol}", item.at, out)
    text = f"no entries in {symbol}{_until(one.term)}; `engine undeny {symbol}` ends it"
    _answer(out, item.at, "deny", True, text + doubt)


def _undeny(state: State, item: Input, out: list[Effect]) -> None:
    event = cast(UndenyCommand, item.event)
    symbol, _ = _symbol(state, event.symbol)
    one = state.overrides.denials.get(symbol)
    said = (line for line in state.ruling.denylist if line.symbol == symbol and not 0 < line.until <= item.at)
    line = next((found.line for found in said), 0)
    filed = f"; line {line} of conf/event_denylist.txt denies it: take that out, then `engine reload`" if line else ""
    if one is None:
        there = ", ".join(sorted(state.overrides.denials)) or "none"
        _answer(out, item.at, "undeny", False, f"no command denied {symbol} (denied so: {there}){filed}")
        return
    _end(state, (one,), event.actor, item.at, out)
    _answer(out, item.at, "undeny", True, f"ended the denial of {symbol}{filed}{_still(state)}")


def _waive(state: State, item: Input, out: list[Effect]) -> None:
    event = cast(WaiveCommand, item.event)
    term = Term(actor=event.actor, reason=event.reason, since=item.at, until=item.at + event.lasts)
    silent = "" if event.reason.strip() else "a waiver lets more through: say why with --reason"
    found = _bad_lease(event.lasts) or silent or find_waived(state, event.rule, term)
    if isinstance(found, str):
        _answer(out, item.at, "waive", False, found)
        return
    state.overrides.waive(found)
    lifts = "lifted to reduce_only and no further" if found.kill else "lifted"
    _laid(state, found, term, f"what {found.name} forbids is {lifts}", item.at, out)
    until = format_second(term.until)
    _tell(state, item.at, f"waived by {event.actor} until {until}: {found.name} is {lifts}: {event.reason}", out)
    text = f"{found.name} is {lifts} until {until}; `{unwaiving(found.name)}` ends it sooner"
    _answer(out, item.at, "waive", True, text + _still(state))


def _unwaive(state: State, item: Input, out: list[Effect]) -> None:
    event = cast(UnwaiveCommand, item.event)
    found = find_waivers(state, event.rule)
    if not found:
        there = ", ".join(sorted(state.overrides.waivers)) or "none"
        _answer(out, item.at, "unwaive", False, f"no waiver is called {event.rule}; in force: {there}")
        return
    _end(state, found, event.actor, item.at, out)
    said = ", ".join(one.name for one in found)
    _answer(out, item.at, "unwaive", True, f"ended the waiver of {said}{_still(state)}")


def _maintain(state: State, item: Input, out: list[Effect]) -> None:
    event = cast(MaintenanceCommand, item.event)
    until = event.until or item.at + event.lasts
    if until <= item.at:
        what = f"{format_second(until)} is past: here it is {format_second(item.at)}"
        _answer(out, item.at, "maintenance", False, what)
        return
    wrong = _bad_lease(until - item.at)
    if wrong:
        _answer(out, item.at, "maintenance", False, wrong)
        return
    again = state.overrides.maintenance is not None
    term = Term(actor=event.actor, reason=event.reason, since=item.at, until=until)
    state.overrides.maintain(term)
    tell_maintenance(state, item.at, active=True)
    rejoin(state, item.at, out)
    out.append(_began("maintenance", MAINTENANCE, "entries paused", term, item.at))
    told = f"maintenance by {event.actor} until {format_second(until)}"
    _tell(state, item.at, f"{told}: {_HALTED_STILL}" + (f": {event.reason}" if event.reason else ""), out)
    new = "it ends now" if again else "it ends"
    text = f"{_HALTED_STILL}; {new} at {format_second(until)}, or with `engine maintenance --end`"
    _answer(out, item.at, "maintenance", True, text)


def _end_maintenance(state: State, item: Input, out: list[Effect]) -> None:
    event = cast(EndMaintenanceCommand, item.event)
    if state.overrides.maintenance is None:
        _answer(out, item.at, "maintenance", False, "there is no maintenance")
        return
    state.overrides.maintain(None)
    _maintained(state, item.at, event.actor, "ended by hand", out)
    rejoin(state, item.at, out)
    _answer(out, item.at, "maintenance", True, f"the maintenance is over{_still(state)}")


OVERRIDES: dict[type, Callable[[State, Input, list[Effect]], None]] = {
    RestrictCommand: _restrict, UnrestrictCommand: _unrestrict, DenyCommand: _deny, UndenyCommand: _undeny,
    WaiveCommand: _waive, UnwaiveCommand: _unwaive, MaintenanceCommand: _maintain,
    EndMaintenanceCommand: _end_maintenance,
}


def end_due(state: State, at: int, out: list[Effect]) -> None:
    """End the overrides whose time is over at `at`, and join again without them."""
    ended = state.overrides.ended(at)
    for one in ended:
        if isinstance(one, Term):
            _maintained(state, at, _ENGINE, _OVER, out)
        else:
            _ended(state, one, _ENGINE, _OVER, at, out)
    if ended:
        rejoin(state, at, out)


def begin_waiting(state: State, at: int, out: list[Effect]) -> None:
    """Let the time run from `at` on of what was asked for while no engine ran."""
    if state.overrides.waiting:
        state.overrides.begin_waiting(at)
        rejoin(state, at, out)
    if state.flags.waiting:
        state.flags.begin_waiting(at)


def restriction_words(one: Restriction) -> str:
    """Return what a restriction forbids and where, in words."""
    what = ", ".join(part for part in (restraint_words(one.restraint), "no makers" if one.maker_off else "") if part)
    return f"{scope_words(one.scope) or 'everything'}: {what}"


def scope_words(scope: Scope) -> str:
    """Return what a scope covers, in words; empty where it is everything."""
    return " ".join(part for part in (scope.symbol, scope.intent, scope.venue and f"on {scope.venue}") if part)


def kind_of(one: One) -> str:
    """Return what sort of override it is, in a word."""
    return type(one).__name__.lower()


def _laid(state: State, one: One, term: Term, what: str, at: int, out: list[Effect]) -> None:  # noqa: PLR0913
    out.append(_began(kind_of(one), one.name, what, term, at))
    rejoin(state, at, out)


def _began(kind: str, name: str, what: str, term: Term, at: int) -> OverrideBegan:
    return OverrideBegan(
        at=at, kind=kind, name=name, what=what, ends=term.ends(), actor=term.actor, reason=term.reason
    )


def _end(state: State, ones: Iterable[One], actor: str, at: int, out: list[Effect]) -> None:
    for one in ones:
        state.overrides.drop(one)
        _ended(state, one, actor, "ended by hand", at, out)
    rejoin(state, at, out)


def _ended(state: State, one: One, actor: str, why: str, at: int, out: list[Effect]) -> None:  # noqa: PLR0913
    out.append(OverrideEnded(at=at, kind=kind_of(one), name=one.name, actor=actor, why=why))
    if isinstance(one, Waiver):
        _tell(state, at, f"the waiver of {one.name} is over ({why}): what it forbids holds again", out)


def _maintained(state: State, at: int, actor: str, why: str, out: list[Effect]) -> None:
    tell_maintenance(state, at, active=False)
    out.append(OverrideEnded(at=at, kind="maintenance", name=MAINTENANCE, actor=actor, why=why))
    _tell(state, at, f"the maintenance is over ({why}): nothing degraded is forgiven any more", out)


def _term(actor: str, reason: str, at: int, ttl: int, *, offline: bool) -> Term:
    if offline:
        return Term(actor=actor, reason=reason, since=at, waits=ttl)
    return Term(actor=actor, reason=reason, since=at, until=at + ttl if ttl else 0)


def _until(term: Term) -> str:
    return f" until {format_second(term.until)}" if term.ends_at() else f", ends {term.ends()}" if term.waits else ""


def _bad_lease(lasts: int) -> str:
    if lasts <= 0:
        return "it must last some time"
    longest = format_duration(LONGEST_LEASE)
    return f"{format_duration(lasts)} is too long: at most {longest}" if lasts > LONGEST_LEASE else ""


def _symbol(state: State, symbol: str) -> tuple[str, str]:
    """Return `symbol` as it is written here, and what to say where nobody has heard of it."""
    known = {name for _, name in state.look.instruments}
    if not symbol or symbol in known or symbol == ALL:
        return symbol, ""
    written = symbol.upper()
    # Symbols of one quote are alike by their ends alone.
    near = get_close_matches(written, sorted(known), n=1, cutoff=_ALIKE)
    meant = f" (did you mean {near[0]}?)" if near else ""
    return written, "" if written in known else f". No instrument {written} is known here so far{meant}"


def _venue_doubt(state: State, venue: str) -> str:
    known = sorted({name for name, _ in state.look.instruments})
    if not venue or venue in known:
        return ""
    return f". No venue {venue} is known here so far; there is {', '.join(known) or 'none'}"


def _still(state: State) -> str:
    held = sorted({one.instance for one in state.policy.in_force if restraint_words(one.restraint)})
    return f"; still restrained by {', '.join(held)}" if held else "; nothing restrains now"


def _tell(state: State, at: int, text: str, out: list[Effect]) -> None:
    state.tally.notifications += 1
    out.append(Notify(at=at, to="alert", rule="engine.overrides", text=text))


def _answer(out: list[Effect], at: int, verb: str, accepted: bool, text: str) -> None:
    out.append(CommandAnswered(at=at, verb=verb, accepted=accepted, text=text))
