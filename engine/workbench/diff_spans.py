"""Two sets of grips over the same time: when does the one restrain more than the other, and when less.

A restraint is compared in its lattice, field by field. Where either side forbids
something that the other allows, neither is stricter: that is incomparable, and a person
decides. All times are ns; spans are [begin, end).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from functools import cache
from itertools import groupby
from operator import itemgetter

from engine.model.restraints import NONE, Restraint, Scope
from engine.policy.join import join_all
from engine.workbench.timeline import Grip

MOST_SCOPES = 1_000
"""Kinds of orders whose joined policy is compared; a change that names more is compared in the first of them."""


_Held = tuple[Restraint, str]
"""What is imposed, and because of what."""


class Way(StrEnum):
    """How the head restrains, seen from the base."""

    STRICTER = "stricter"
    LOOSER = "looser"
    INCOMPARABLE = "incomparable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A span in which the two sides restrain differently."""

    begin: int
    end: int
    base: Restraint
    head: Restraint
    way: Way
    base_because: tuple[str, ...] = ()
    """What imposed it on the base's side at any instant of it: firing, held, latched, cooldown, denylist."""
    head_because: tuple[str, ...] = ()

    @property
    def length(self) -> int:
        """Return how long it is, in ns."""
        return self.end - self.begin


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopeDiff:
    """The joined policy for the orders of one scope."""

    scope: Scope
    stretches: tuple[Stretch, ...]


@cache
def way(base: Restraint, head: Restraint) -> Way | None:
    """Return how `head` restrains beside `base`; None where both restrain the same."""
    if base == head:
        return None
    if head.covers(base):
        return Way.STRICTER
    return Way.LOOSER if base.covers(head) else Way.INCOMPARABLE


def total(stretches: Iterable[Stretch], wanted: Way) -> int:
    """Return how long, in ns, `stretches` go the `wanted` way."""
    return sum(one.length for one in stretches if one.way is wanted)


def compare(base: Iterable[Grip], head: Iterable[Grip], begin: int, end: int) -> tuple[Stretch, ...]:
    """Return where the joins of `base` and of `head` differ within [begin, end), in order, none touching its like."""
    found: list[Stretch] = []
    sides = (Counter[_Held](), Counter[_Held]())
    since = begin
    for at, edges in groupby(sorted(_edges(base, head, begin, end), key=itemgetter(0)), key=itemgetter(0)):
        _note(found, since, at, sides)
        since = at
        for _, side, change, held in edges:
            sides[side][held] += change
    _note(found, since, end, sides)
    return tuple(found)


def _edges(
    base: Iterable[Grip], head: Iterable[Grip], begin: int, end: int
) -> Iterator[tuple[int, int, int, _Held]]:
    for side, grips in enumerate((base, head)):
        for grip in grips:
            first, last = max(grip.begin, begin), min(grip.end, end)
            if first < last and grip.restraint != NONE:
                yield first, side, 1, (grip.restraint, grip.because)
                yield last, side, -1, (grip.restraint, grip.because)


def _note(found: list[Stretch], begin: int, end: int, sides: Sequence[Counter[_Held]]) -> None:
    if begin >= end:
        return
    held = [frozenset(one for one, count in side.items() if count) for side in sides]
    base, head = (_join(frozenset(restraint for restraint, _ in side)) for side in held)
    differs = way(base, head)
    if differs is None:
        return
    because = [{word for _, word in side} for side in held]
    last = found[-1] if found else None
    if last is not None and last.end == begin and (last.base, last.head) == (base, head):
        found.pop()
        begin = last.begin
        because = [because[0] | set(last.base_because), because[1] | set(last.head_because)]
    found.append(Stretch(
        begin=begin, end=end, base=base, head=head, way=differs,
        base_because=tuple(sorted(because[0])), head_because=tuple(sorted(because[1])),
    ))


@cache
def _join(restraints: frozenset[Restraint]) -> Restraint:
    return join_all(restraints)


def compare_scopes(
    base: Iterable[Grip], head: Iterable[Grip], begin: int, end: int
) -> tuple[tuple[ScopeDiff, ...], bool]:
    """Return how the joined policy differs, scope by scope, and whether every kind of order was compared.

    Every order falls under the same grips as one of the scopes that the grips name or of
    what such scopes have in common, so comparing these compares the policy for all orders.
    """
    sides = (_by_scope(base), _by_scope(head))
    named = sorted({*sides[0], *sides[1]}, key=_order)
    changed = [scope for scope in named if sides[0].get(scope) != sides[1].get(scope)]
    probes, whole = _common(named, changed)
    found: list[ScopeDiff] = []
    for probe in probes:
        grips = [
            [grip for scope, ones in side.items() if covers(scope, probe) for grip in ones] for side in sides
        ]
        stretches = compare(grips[0], grips[1], begin, end)
        # What goes for all orders of a wider scope need not be said again of some of them.
        told = any(covers(wide.scope, probe) and _spans(wide.stretches) == _spans(stretches) for wide in found)
        if stretches and not told:
            found.append(ScopeDiff(scope=probe, stretches=stretches))
    return tuple(found), whole


def _spans(stretches: Iterable[Stretch]) -> list[tuple[int, int, Way]]:
    """Return when `stretches` go which way, whatever the restraints: what touches its like is one span."""
    found: list[tuple[int, int, Way]] = []
    for one in stretches:
        begin = found.pop()[0] if found and found[-1][1:] == (one.begin, one.way) else one.begin
        found.append((begin, one.end, one.way))
    return found


def covers(wide: Scope, narrow: Scope) -> bool:
    """Return whether every order of `narrow` is one of `wide`."""
    return wide.matches(account=narrow.account, venue=narrow.venue, symbol=narrow.symbol, intent=narrow.intent)


def scope_words(scope: Scope) -> str:
    """Return which orders `scope` is about, such as `symbol BTCUSDT`; `every order` for all."""
    words = [f"{field.name} {getattr(scope, field.name)}" for field in fields(scope) if getattr(scope, field.name)]
    return ", ".join(words) or "every order"


def _by_scope(grips: Iterable[Grip]) -> dict[Scope, list[Grip]]:
    found: dict[Scope, list[Grip]] = {}
    for grip in grips:
        found.setdefault(grip.scope, []).append(grip)
    return found


def _common(named: Sequence[Scope], changed: Sequence[Scope]) -> tuple[list[Scope], bool]:
    """Return the scopes that a changed one covers and that distinguish orders, wide ones first."""
    found = dict.fromkeys(changed)
    waiting = list(changed)
    while waiting:
        one = waiting.pop()
        for other in named:
            both = _meet(one, other)
            if both is not None and both not in found:
                if len(found) >= MOST_SCOPES:
                    return sorted(found, key=_order), False
                found[both] = None
                waiting.append(both)
    return sorted(found, key=_order), True


def _meet(one: Scope, other: Scope) -> Scope | None:
    """Return the scope of the orders that are in both, or None where no order is."""
    parts: dict[str, str] = {}
    for field in fields(Scope):
        mine, theirs = getattr(one, field.name), getattr(other, field.name)
        if mine and theirs and mine != theirs:
            return None
        parts[field.name] = mine or theirs
    return Scope(**parts)


def _order(scope: Scope) -> tuple[int, tuple[str, ...]]:
    parts = (scope.account, scope.venue, scope.symbol, scope.intent)
    return sum(map(bool, parts)), parts
