"""What is called stricter or neutral never restrains less: both rules live through the same samples, side by side.

Rules are drawn, one or two of their keys are edited, and where the comparison finds nothing
that loosens, at every instant at which either rule moves, each order meets at least as much
restraint under the edited rule. Where it does call an edit looser the same timelines must
often enough find it so: else the comparison would only be cautious.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from engine.model.flags import FlagValue
from engine.model.restraints import Level, Restraint
from engine.model.samples import SignalKind, Status, Unit
from engine.model.time import SECOND
from engine.policy.join import Policy, join_all
from engine.ruleset.changes import Change, Direction, loosening
from engine.ruleset.loosening import compare
from engine.ruleset.ruling import Ruling
from engine.ruleset.spec import Latching, OnUnknown, RuleKind, RuleSet, RuleSpec
from engine.signals.catalogue import Catalogue
from tests.ruleset.notation import World, expression, rule, signal
from tests.ruleset.world import flag

CATALOGUE = Catalogue([
    signal("a", max_age=20 * SECOND, low=-100.0, high=100.0), signal("b", max_age=20 * SECOND),
    signal("d", max_age=30 * SECOND, low=1.0, high=100.0), signal("open_now", unit=Unit.BOOL, max_age=40 * SECOND),
    signal("spread", ("venue",), max_age=20 * SECOND), signal("depth", ("venue",), max_age=20 * SECOND),
    signal("fills", ("venue",), kind=SignalKind.EVENT, max_age=0),
])
SPECS = {spec.name: spec for spec in (flag("LIMIT", 1.0, tightens="down"), flag("WAIT_SEC", 10.0, Unit.S))}
CUT, MUTE = Restraint(size_mult=0.5), Restraint(mute=frozenset({"SCALP"}))
PAUSE, HALT = Restraint(level=Level.ENTRIES_PAUSED), Restraint(level=Level.HALTED)
RESTRAINTS = (CUT, MUTE, PAUSE, HALT, CUT.join(MUTE), HALT.join(CUT))
DOUBT = (*[OnUnknown.RESTRICT] * 3, OnUnknown.HOLD, OnUnknown.IGNORE)
SECONDS = (0, 1, 3, 7, 15, 40)
PLAIN = (
    "a >= 1", "a >= LIMIT", "abs(a) > 1", "a < 1", "not a > 2", "a - b > 1", "a > b", "a / d > 0.5", "a > 1 or b > 1",
    "a > 1 and b > 1", "open_now", "a > 1 if open_now else b > 1", "held(a >= 1, 10)", "a > 2 or held(a >= 1, 10)",
    "age(a) > 5", "absent(a) or b > 1", "max(a, 0.5) > b",
)
BY_VENUE = (
    "spread >= 1", "spread >= LIMIT or depth < 1", "spread > 1 and depth > 1", "spread - depth > 1",
    "count_over(fills, 60) >= 2 and avg_over(fills, 60) > 1", "spread > 1 or count_over(fills, 30) > 2",
)
MORE = ("b > 1", "a > 2", "open_now", "a <= 0.5", "d > 50")
MORE_BY_VENUE = ("depth > 1", "spread > 2", "count_over(fills, 60) > 1")


@dataclass(frozen=True, slots=True)
class Edited:
    """A rule before and after, with the flag values of each."""

    base: RuleSpec
    head: RuleSpec
    flags: tuple[dict[str, FlagValue], dict[str, FlagValue]]

    def rulings(self) -> tuple[Ruling, Ruling]:
        return tuple(  # type: ignore[return-value]
            Ruling(
                rules=RuleSet(rules=(spec,), digest="d", files=()), catalogue=CATALOGUE, flag_specs=SPECS,
                flag_file=flags, flag_environment={},
            )
            for spec, flags in zip((self.base, self.head), self.flags, strict=True)
        )


def drawn(dice: random.Random) -> RuleSpec:
    venue = dice.random() < 0.3
    by: dict[str, Any] = {"by": ("venue",)} if venue else {}
    cut = dice.random() < 0.25
    return rule(
        dice.choice(BY_VENUE if venue else PLAIN), **by, kind=dice.choice((RuleKind.GUARD, RuleKind.CUTBACK)),
        hold_for=dice.choice((0, 0, 3, 15)), keep_firing_for=dice.choice((0, 0, 7)), cooldown=dice.choice((0, 0, 15)),
        unknown_grace=dice.choice((0, 3, 7)), min_clear=dice.choice((0, 1, 7)), ttl=dice.choice((0, 0, 0, 15)),
        latch=dice.choice((Latching.NONE, Latching.NONE, Latching.MANUAL)), restrain=dice.choice(RESTRAINTS),
        on_unknown=OnUnknown.CUTBACK if cut else dice.choice(DOUBT),
        unknown_cutback=dice.choice(RESTRAINTS) if cut else None,
    )


def number_edited(text: str, dice: random.Random) -> str:
    words = text.replace("(", "( ").replace(")", " )").replace(",", " ,").split()
    places = [place for place, word in enumerate(words) if word.replace(".", "").isdigit()]
    if not places:
        return text
    place = dice.choice(places)
    words[place] = dice.choice(("0.5", "2", "1.5", "30")) if float(words[place]) < 5 else dice.choice(("5", "20"))
    return " ".join(words)


def comparator_edited(text: str, dice: random.Random) -> str:
    for sign in (" >= ", " > ", " <= ", " < "):
        if sign in text:
            return text.replace(sign, dice.choice((" >= ", " > ", " < ")), 1)
    return text


def expression_edited(spec: RuleSpec, dice: random.Random) -> dict[str, Any]:
    text, more = spec.expr.text, dice.choice(MORE_BY_VENUE if spec.by else MORE)
    edits: tuple[Callable[[], str], ...] = (
        lambda: number_edited(text, dice), lambda: number_edited(text, dice), lambda: comparator_edited(text, dice),
        lambda: f"({text}) or {more}", lambda: f"({text}) and {more}", lambda: f"not ({text})", lambda: more,
        lambda: text.replace(" and ", " or "), lambda: text.replace(" or ", " and "),
    )
    return {"expr": expression(dice.choice(edits)())}


def key_edited(spec: RuleSpec, dice: random.Random) -> dict[str, Any]:
    name = dice.choice((
        "hold_for", "keep_firing_for", "cooldown", "unknown_grace", "min_clear", "ttl", "latch", "on_unknown",
        "restrain", "unknown_cutback", "scope_all", "clear_expr", "enabled", "kind",
    ))
    clear = expression("spread < 0.5" if spec.by else dice.choice(("a < 0.5", "b < 0.5", "a < 0.2 and b < 1")))
    choices: dict[str, tuple[Any, ...]] = {
        "latch": tuple(Latching), "on_unknown": tuple(OnUnknown), "restrain": RESTRAINTS,
        "unknown_cutback": (None, *RESTRAINTS), "scope_all": (True, False), "clear_expr": (clear, None),
        "enabled": (True, True, False), "kind": (RuleKind.GUARD, RuleKind.CUTBACK, RuleKind.KILL),
    }
    return {name: dice.choice(choices.get(name, tuple(one * SECOND for one in SECONDS)))}


def edited(dice: random.Random) -> Edited:
    base = drawn(dice)
    if dice.random() < 0.3:
        base = replace(base, clear_expr=expression("spread < 0.5" if base.by else "a < 0.5"))
    changes: dict[str, Any] = {}
    for _ in range(dice.choice((1, 1, 1, 2))):
        changes.update(expression_edited(base, dice) if dice.random() < 0.5 else key_edited(base, dice))
    flags: list[dict[str, FlagValue]] = [{}, {}]
    if dice.random() < 0.15:
        flags[1] = {"LIMIT": dice.choice((0.5, 2.0))}
    return Edited(base, replace(base, **changes), (flags[0], flags[1]))


# -- living side by side -----------------------------------------------------------------------


def world(edit: Edited, which: int) -> World:
    flags = {**{name: spec.default for name, spec in SPECS.items()}, **edit.flags[which]}
    made = World((edit.base, edit.head)[which], flags=flags, catalogue=CATALOGUE)
    made.snapshot.set_producer("test", True, 0)
    made.settle()
    return made


def restraint(one: World, venue: str) -> Restraint:
    order = {"account": "main", "venue": venue, "symbol": "X", "intent": "ENTRY"}
    unmet = one.book.unmet(**order)
    policy = Policy(one.book.restraints(), one.book.version)
    return join_all([policy.restraint(("main", venue, "X", "ENTRY")), *(item.restraint for item in unmet)])


def due(one: World) -> int | None:
    return min((at for at in (one.snapshot.next_due(), one.book.next_due()) if at is not None), default=None)


def swapped(before: World, *rules: RuleSpec) -> World:
    """Return the world after a reload as the engine does it: loaded, then asked anew."""
    after = before.reloaded(*rules)
    after.book.reconsider(after.at)
    after.moves += after.book.take_moves()
    return after


def lived(edit: Edited, dice: random.Random, steps: int, swap_at: int | None = None) -> tuple[str, bool]:
    """Return where the head restrains less than the base ("" for nowhere), and whether anything was restrained.

    With `swap_at` both begin as the base, and one of them is reloaded before that step.
    """
    worlds, at, restrained = (world(edit, 0), world(edit, 1 if swap_at is None else 0)), 0.0, False
    for step in range(steps):
        if step == swap_at:
            worlds = (worlds[0], swapped(worlds[1], edit.head))
        until = at + dice.choice((0.5, 1, 1, 2, 5, 10, 30))
        while True:
            dues = [moment for one in worlds if (moment := due(one)) is not None and moment <= until * SECOND]
            at = min([*(moment / SECOND for moment in dues), until])
            for one in worlds:
                one.go(at)
            less, found = differing(worlds)
            restrained |= found
            if less:
                return f"at {at} s: {less}", restrained
            if not dues:
                break
        happening(dice, worlds, at)
        less, found = differing(worlds)
        restrained |= found
        if less:
            return f"at {at} s: {less}", restrained
    return "", restrained


def differing(worlds: tuple[World, World]) -> tuple[str, bool]:
    restrained = False
    for venue in ("x", "y"):
        before, after = (restraint(one, venue) for one in worlds)
        restrained |= before != Restraint()
        if not after.covers(before):
            return f"{after} does not cover {before} on {venue}", restrained
    return "", restrained


def happening(dice: random.Random, worlds: tuple[World, World], at: float) -> None:
    """Let one thing happen to both: a sample, or the loss of one."""
    name = dice.choice(("a", "a", "a", "b", "d", "open_now", "spread", "spread", "depth", "fills"))
    labels = (dice.choice(("x", "y")),) if CATALOGUE.specs[name].labels else ()
    value: float | bool = dice.choice((0.0, 0.3, 0.7, 1.0, 1.2, 1.7, 2.5, 60.0))
    value = max(value, 1.0) if name == "d" else value > 0.5 if name == "open_now" else value
    lost = dice.random() < 0.25
    for one in worlds:
        if lost:
            one.snapshot.degrade(one.snapshot.base(name, labels), Status.MISSING, one.at)
            one.settle()
        else:
            one.hear(at, name, labels, value)


def told(changes: tuple[Change, ...]) -> str:
    return "; ".join(map(str, changes))


@pytest.mark.parametrize("seed", range(6))
def test_what_is_not_called_looser_restrains_at_least_as_much(seed: int) -> None:
    dice, tally = random.Random(seed), Counter[str]()
    for _ in range(150):
        edit = edited(dice)
        changes = compare(*edit.rulings())
        if not changes or loosening(changes):
            tally["loosening"] += bool(changes)
            continue
        tally["stricter"] += any(one.direction is Direction.STRICTER for one in changes)
        for _ in range(4):
            less, restrained = lived(edit, dice, 40)
            tally["restrained"] += restrained
            assert not less, f"{less}\n{told(changes)}\n{edit.base}\n{edit.head}"
    assert min(tally["stricter"], tally["loosening"], tally["restrained"] // 4) >= 12, tally


@pytest.mark.parametrize("seed", range(3))
def test_what_is_called_looser_often_enough_is(seed: int) -> None:
    """The law has teeth: the same timelines find most single-key loosenings."""
    dice, tally = random.Random(100 + seed), Counter[bool]()
    while tally.total() < 25:
        edit = edited(dice)
        changes = compare(*edit.rulings())
        if {one.direction for one in changes} == {Direction.LOOSER}:
            tally[any(lived(edit, dice, 40)[0] for _ in range(12))] += 1
    assert tally[True] >= 12, tally
