"""What an operator laid over the rules, and what of it is in force.

Everything here can only forbid more, but for waivers. They touch what rules impose and
nothing else: what the engine itself holds is never among what they are shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from engine.model.codec import Data, from_data, to_data
from engine.model.overrides import Denial, Restriction, Term, Waiver
from engine.model.restraints import EVERYTHING, NONE, InForce, Level, Restraint, Scope
from engine.model.time import format_second

PROTECTED = ("guard.stops", "guard.orders", "engine")
"""Rules about stops and about orders of unknown fate: these, and all whose ids begin so, are never lifted."""
MAINTENANCE = "operator:maintenance"


def is_protected(rule: str) -> bool:
    """Whether no waiver may lift the restraints of `rule`."""
    return any(rule == one or rule.startswith(f"{one}.") for one in PROTECTED)


class Overrides:
    """All overrides of a run. Changed only by commands and by time; both raise `version`."""

    def __init__(self) -> None:
        self.restrictions: dict[int, Restriction] = {}
        self.denials: dict[str, Denial] = {}
        self.waivers: dict[str, Waiver] = {}
        self.maintenance: Term | None = None
        self.last_number = 0
        self.waiting = False
        """Whether some term has not begun, because no engine ran when it was asked for."""
        self._due: int | None = None
        self._in_force: tuple[InForce, ...] = ()
        self._makers_off: tuple[Restriction, ...] = ()

    # What is in force.

    def in_force(self) -> tuple[InForce, ...]:
        """Return what restrictions, denials and a maintenance forbid, in this order."""
        return self._in_force

    def lift(self, forces: Iterable[InForce]) -> tuple[InForce, ...]:
        """Return what is left of the rules' restraints `forces` under the waivers in force."""
        if not self.waivers:
            return tuple(forces)
        left: list[InForce] = []
        for force in forces:
            waiver = self.waiver_of(force.rule, force.instance)
            kept = force if waiver is None else _lifted(force, waiver)
            if kept is not None:
                left.append(kept)
        return tuple(left)

    def waiver_of(self, rule: str, instance: str = "") -> Waiver | None:
        """Return the waiver that covers `instance` of `rule`, or None; the one that lifts least, where two do."""
        if not self.waivers or is_protected(rule):
            return None
        found = [one for one in self.waivers.values() if one.covers(rule, instance)]
        return min(found, key=lambda one: (not one.kill, one.name), default=None)

    def maker_off(self, order: Mapping[str, str]) -> tuple[str, ...]:
        """Return who denies makers to an order with these labels (account, venue, symbol, intent)."""
        return tuple(
            f"{one.name} lets no maker rest here; `engine unrestrict {one.number}` ends it"
            for one in self._makers_off if one.scope.matches(**order)
        )

    # What changes it.

    def restrict(self, scope: Scope, restraint: Restraint, *, maker_off: bool, term: Term) -> Restriction:
        """Add a restriction and return it; the same again is one, which holds for the longer of both terms."""
        for one in self.restrictions.values():
            if (one.scope, one.restraint, one.maker_off) == (scope, restraint, maker_off):
                kept = replace(one, term=one.term.longer(term))
                break
        else:
            self.last_number += 1
            kept = Restriction(
                number=self.last_number, scope=scope, restraint=restraint, maker_off=maker_off, term=term
            )
        self.restrictions[kept.number] = kept
        self._changed()
        return kept

    def deny(self, symbol: str, term: Term) -> Denial:
        """Deny `symbol` and return the denial; denied already, it holds for the longer of both terms."""
        known = self.denials.get(symbol)
        self.denials[symbol] = Denial(symbol=symbol, term=term if known is None else known.term.longer(term))
        self._changed()
        return self.denials[symbol]

    def waive(self, waiver: Waiver) -> None:
        """Let `waiver` hold, in place of one for the same."""
        self.waivers[waiver.name] = waiver
        self._changed()

    def maintain(self, term: Term | None) -> None:
        """Begin a maintenance, give it another end, or end it with None."""
        self.maintenance = term
        self._changed()

    def drop(self, one: Restriction | Denial | Waiver) -> None:
        """End an override that is in force."""
        if isinstance(one, Restriction):
            del self.restrictions[one.number]
        elif isinstance(one, Denial):
            del self.denials[one.symbol]
        else:
            del self.waivers[one.name]
        self._changed()

    def rename(self, renamed: Mapping[str, str], kills: Mapping[str, bool]) -> None:
        """Follow rules to their new ids, by the former ones, and to what kind they are now.

        A waiver whose rule is gone goes on over the latches that it left.
        """
        moved: dict[str, Waiver] = {}
        for one in self.waivers.values():
            rule = renamed.get(one.rule, one.rule)
            instance = rule + one.instance[len(one.rule):] if one.instance else ""
            after = replace(one, rule=rule, instance=instance, kill=kills.get(rule, one.kill))
            moved[after.name] = after
        self.waivers = moved
        self._changed()

    # Time.

    def next_due(self) -> int | None:
        """Return when the next override ends by itself (ns), or None."""
        return self._due

    def begin_waiting(self, at: int) -> None:
        """Let the terms run from `at` on that were asked for while no engine ran."""
        self.restrictions = {key: replace(one, term=one.term.begun(at)) for key, one in self.restrictions.items()}
        self.denials = {key: replace(one, term=one.term.begun(at)) for key, one in self.denials.items()}
        self._changed()

    def ended(self, at: int) -> list[Restriction | Denial | Waiver | Term]:
        """Take out what has ended by `at` and return it, by its end and then by its name; a maintenance as its term."""
        if self._due is None or self._due > at:
            return []
        found: list[tuple[int, str, Restriction | Denial | Waiver | Term]] = [
            (one.term.ends_at(), one.name, one) for one in self._all() if 0 < one.term.ends_at() <= at
        ]
        if self.maintenance is not None and self.maintenance.until <= at:
            found.append((self.maintenance.until, MAINTENANCE, self.maintenance))
        found.sort(key=lambda item: item[:2])
        for _, _, one in found:
            if isinstance(one, Term):
                self.maintain(None)
            else:
                self.drop(one)
        return [one for _, _, one in found]

    def _changed(self) -> None:
        terms = self._terms()
        self.waiting = any(term.waits for term in terms)
        self._due = min((term.ends_at() for term in terms if term.ends_at()), default=None)
        self._makers_off = tuple(one for one in self.restrictions.values() if one.maker_off)
        restricted = (_restricts(one) for one in self.restrictions.values() if one.restraint != NONE)
        denied = (_denies(one) for _, one in sorted(self.denials.items()))
        paused = () if self.maintenance is None else (_pauses(self.maintenance),)
        self._in_force = (*restricted, *denied, *paused)

    def _all(self) -> Sequence[Restriction | Denial | Waiver]:
        every: list[Restriction | Denial | Waiver] = [*self.restrictions.values(), *self.denials.values()]
        return [*every, *self.waivers.values()]

    def _terms(self) -> Sequence[Term]:
        held = [one.term for one in self._all()]
        return held if self.maintenance is None else [*held, self.maintenance]

    def dump(self) -> Data:
        """Return everything as JSON data."""
        return {
            "last_number": self.last_number,
            "restrictions": [to_data(one) for one in self.restrictions.values()],
            "denials": [to_data(one) for _, one in sorted(self.denials.items())],
            "waivers": [to_data(one) for _, one in sorted(self.waivers.items())],
            "maintenance": None if self.maintenance is None else to_data(self.maintenance),
        }

    def load(self, data: Data) -> None:
        """Become what `dump` wrote."""
        self.last_number = data["last_number"]
        restrictions: list[Restriction] = [from_data(Restriction, item) for item in data["restrictions"]]
        denials: list[Denial] = [from_data(Denial, item) for item in data["denials"]]
        waivers: list[Waiver] = [from_data(Waiver, item) for item in data["waivers"]]
        self.restrictions = {one.number: one for one in restrictions}
        self.denials = {one.symbol: one for one in denials}
        self.waivers = {one.name: one for one in waivers}
        self.maintenance = None if data["maintenance"] is None else from_data(Term, data["maintenance"])
        self._changed()


def _lifted(force: InForce, waiver: Waiver) -> InForce | None:
    if not waiver.kill:
        return None
    if force.restraint.level <= Level.REDUCE_ONLY:
        return force
    until = format_second(waiver.term.until)
    return replace(
        force, restraint=replace(force.restraint, level=Level.REDUCE_ONLY),
        ends=f"a waiver holds it at {Level.REDUCE_ONLY.word} until {until}; {force.ends}",
    )


def _restricts(one: Restriction) -> InForce:
    return _by_hand(one.name, one.scope, one.restraint, one.term, f"engine unrestrict {one.number}")


def _denies(one: Denial) -> InForce:
    restraint = Restraint(deny=frozenset({one.symbol}))
    return _by_hand(one.name, Scope(symbol=one.symbol), restraint, one.term, f"engine undeny {one.symbol}")


def _pauses(term: Term) -> InForce:
    return _by_hand(MAINTENANCE, EVERYTHING, Restraint(level=Level.ENTRIES_PAUSED), term, "engine maintenance --end")


def _by_hand(who: str, scope: Scope, restraint: Restraint, term: Term, command: str) -> InForce:
    return InForce(
        rule=who.partition("/")[0], instance=who, scope=scope, restraint=restraint, because="operator",
        since=term.since, ends=term.ends() or "when it is taken back", clear_with=command,
        until=term.ends_at(),
    )
