"""Two rules of one id, both in force, key by key.

What makes a rule fire sooner, longer or oftener is stricter only where firing restrains at
least what doubt does: else a rule that fires may restrain less than it would have in doubt.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

from engine.model.restraints import NONE, Restraint
from engine.model.time import format_duration
from engine.ruleset.changes import Change, Direction, Judged
from engine.ruleset.loosening_expr import compare_conditions
from engine.ruleset.loosening_side import Difference, Side
from engine.ruleset.loosening_told import action_changes, notice_changes, silence_changes, wording_changes
from engine.ruleset.reading import flags_of
from engine.ruleset.spec import RESTRAINING, Latching, OnUnknown, RuleKind, RuleSpec
from engine.ruleset.words import restraint_words

_APART = "firing would restrain less than the doubt it may replace (see unknown_cutback)"
_TIMES = (
    ("for", "hold_for"), ("keep_firing_for", "keep_firing_for"), ("cooldown", "cooldown"), ("ttl", "ttl"),
    ("unknown_grace", "unknown_grace"),
)
_LATCHES = (Latching.NONE, Latching.BOUNDARY, Latching.MANUAL)
_DOUBT = {OnUnknown.IGNORE: 0, OnUnknown.HOLD: 1, OnUnknown.CUTBACK: 2, OnUnknown.RESTRICT: 2}


def field_changes(old: Side, new: Side) -> Iterator[Change]:
    """Yield every difference between two rules that are one rule, as if both were in force."""
    for what, before, after, judged in _differences(old, new):
        yield new.change(what, before, after, judged)


def _differences(old: Side, new: Side) -> Iterator[Difference]:
    yield from _kind(old, new)
    yield from _reach(old, new)
    yield from _switches(old, new)
    yield from compare_conditions(old, new)
    yield from _flags_read(old, new)
    yield from _may_move(old, new)
    if new.spec.kind in RESTRAINING:
        yield from _durations(old, new)
        yield from _doubt(old, new)
        yield from _latch(old, new)
        yield from _restraints(old, new)
    elif old.spec.kind is RuleKind.MAKER_GATE and new.spec.kind is RuleKind.MAKER_GATE:
        before, after = old.spec.valid_for, new.spec.valid_for
        if before != after:
            yield "valid_for", format_duration(before), format_duration(after), _longer(
                before, after, (Direction.LOOSER, "a grant lasts longer without being renewed"),
                (Direction.STRICTER, "a grant lapses sooner"),
            )
    yield from action_changes(old, new)
    yield from notice_changes(old, new)
    yield from wording_changes(old.spec, new.spec)
    yield from silence_changes(old.spec, new.spec)
    yield from _unheard_of(old.spec, new.spec)


def _longer(before: int, after: int, longer: Judged, shorter: Judged) -> Judged:
    return longer if after > before else shorter


def _kind(old: Side, new: Side) -> Iterator[Difference]:
    before, after = old.spec.kind, new.spec.kind
    if before is after:
        return
    if before in RESTRAINING and after in RESTRAINING:
        if before is RuleKind.KILL:
            judged: Judged = (Direction.LOOSER, "a waiver lifts any other rule whole, a kill only to reduce_only")
        elif after is RuleKind.KILL:
            judged = (Direction.STRICTER, "a waiver lifts a kill to reduce_only only")
        else:
            judged = (Direction.NEUTRAL, "both restrain alike; what else it implies is listed beside it")
    elif after is RuleKind.WATCH and before is not RuleKind.MAKER_GATE:
        judged = (Direction.LOOSER, "it would only tell")
    elif before is RuleKind.WATCH and after is not RuleKind.MAKER_GATE:
        judged = (Direction.STRICTER, "it only told before")
    else:
        judged = (Direction.INCOMPARABLE, f"a {before.value} and a {after.value} forbid different things")
    yield "kind", before.value, after.value, judged


def _reach(old: Side, new: Side) -> Iterator[Difference]:
    before, after = old.spec, new.spec
    if before.by != after.by:
        yield "by", ", ".join(before.by), ", ".join(after.by), (
            Direction.INCOMPARABLE, "each instance covers other orders, and all of them begin anew",
        )
    elif old.sources != new.sources and after.kind is not RuleKind.WATCH:
        yield "instances of", ", ".join(sorted(old.sources)), ", ".join(sorted(new.sources)), _born(old, new)
    if before.scope_all != after.scope_all:
        if not after.by:
            judged: Judged = (Direction.NEUTRAL, "without `by` it covers everything either way")
        elif after.scope_all:
            judged = (Direction.STRICTER, "its effect covers every order")
        else:
            judged = (Direction.LOOSER, "its effect covers only the orders of its instance")
        yield "scope", _scope(before), _scope(after), judged


def _born(old: Side, new: Side) -> Judged:
    if new.spec.kind is RuleKind.MAKER_GATE:
        return Direction.INCOMPARABLE, "other signals make its instances, and an order without one is not granted"
    plain = all(ref.reads == "value" for ref in old.inputs())
    if plain and old.sources <= new.sources and new.spec.on_unknown is not OnUnknown.IGNORE:
        return Direction.NEUTRAL, "more signals make its instances; until it knows what it read before it is in doubt"
    return Direction.INCOMPARABLE, "other signals make its instances; until there is one an order counts as in doubt"


def _scope(spec: RuleSpec) -> str:
    return "all" if spec.scope_all else "its labels"


def _switches(old: Side, new: Side) -> Iterator[Difference]:
    if old.enabled_text != new.enabled_text:
        yield "enabled", old.enabled_text, new.enabled_text, (Direction.NEUTRAL, "on either way")
    before, after = old.spec.enforcement, new.spec.enforcement
    if before is not after:
        yield "enforcement", before.value, after.value, (Direction.NEUTRAL, "in force either way")


def _flags_read(old: Side, new: Side) -> Iterator[Difference]:
    """A flag that the rule no longer reads takes the operator's value of it along."""
    before, after = flags_of(old.spec), flags_of(new.spec)
    gone = [name for name in before if name not in after]
    come = [name for name in after if name not in before]
    if gone:
        yield "flags", ", ".join(map(old.flag, gone)), ", ".join(map(new.flag, come)), (
            Direction.INCOMPARABLE, f"an operator's value of {', '.join(gone)} would no longer reach the rule",
        )
    elif come:
        yield "flags", "", ", ".join(map(new.flag, come)), (
            Direction.NEUTRAL, "compared at the values below the operator's",
        )


def _may_move(old: Side, new: Side) -> Iterator[Difference]:
    """A number that only a review could change is now one that an operator may set to less."""
    for what, key in _TIMES:
        one, other = getattr(old.spec, key), getattr(new.spec, key)
        if isinstance(other, str) and isinstance(one, int) and one:
            yield what, format_duration(one), new.flag(other), _moves(other)
    before = dict(old.spec.by_flag)
    for path, flag in new.spec.by_flag:
        part, _, key = path.partition(".")
        stood = getattr(getattr(old.spec, part), key, None)
        if path not in before and stood is not None and (key, stood) != ("size_mult", 1):
            yield path, f"{stood:g}", new.flag(flag), _moves(flag)


def _moves(flag: str) -> Judged:
    return Direction.INCOMPARABLE, f"an operator may move {flag} within its range, where a number stood"


def _durations(old: Side, new: Side) -> Iterator[Difference]:
    before, after = old.compiled.timing, new.compiled.timing
    if before.hold_for != after.hold_for:
        yield "for", old.duration(old.spec.hold_for, before.hold_for), new.duration(
            new.spec.hold_for, after.hold_for,
        ), _longer(
            before.hold_for, after.hold_for, (Direction.LOOSER, "the condition must hold longer before it fires"),
            _if_firing_covers(new, "it fires sooner"),
        )
    if before.keep_firing_for != after.keep_firing_for:
        yield "keep_firing_for", old.duration(old.spec.keep_firing_for, before.keep_firing_for), new.duration(
            new.spec.keep_firing_for, after.keep_firing_for,
        ), _longer(
            before.keep_firing_for, after.keep_firing_for, _if_firing_covers(new, "it fires longer"),
            (Direction.LOOSER, "it stops firing sooner"),
        )
    if before.cooldown != after.cooldown:
        yield "cooldown", old.duration(old.spec.cooldown, before.cooldown), new.duration(
            new.spec.cooldown, after.cooldown,
        ), _longer(
            before.cooldown, after.cooldown, _if_firing_covers(new, "it locks out longer"),
            (Direction.LOOSER, "it locks out for less long"),
        )
    if before.unknown_grace != after.unknown_grace:
        yield "unknown_grace", old.duration(old.spec.unknown_grace, before.unknown_grace), new.duration(
            new.spec.unknown_grace, after.unknown_grace,
        ), _longer(
            before.unknown_grace, after.unknown_grace, (Direction.LOOSER, "doubt is tolerated longer"),
            _if_doubt_covers(new, "doubt restrains sooner"),
        )
    if before.min_clear != after.min_clear:
        yield "min_clear", *_texts(before.min_clear, after.min_clear), _longer(
            before.min_clear, after.min_clear, _if_doubt_covers(new, "doubt must be over for longer"),
            (Direction.LOOSER, "doubt is over sooner"),
        )
    if before.ttl != after.ttl:
        tighter = after.ttl == 0 or 0 < before.ttl < after.ttl
        yield "ttl", old.end(before.ttl), new.end(after.ttl), (
            _if_firing_covers(new, "its restraint ends later, or not by contract at all") if tighter
            else (Direction.LOOSER, "its restraint ends sooner after it was last true")
        )


def _texts(before: int, after: int) -> tuple[str, str]:
    return format_duration(before), format_duration(after)


def _if_firing_covers(new: Side, why: str) -> Judged:
    """Return that a rule which fires more is stricter, where firing restrains what doubt does."""
    compiled = new.compiled
    if compiled.restraint.covers(compiled.doubted()):
        return Direction.STRICTER, why
    return Direction.INCOMPARABLE, f"{why}, but {_APART}"


def _if_doubt_covers(new: Side, why: str) -> Judged:
    """Return that a rule which is in doubt more is stricter, where doubt restrains what the lockout it ends does."""
    if new.doubt_may_replace_a_lockout():
        return Direction.INCOMPARABLE, f"{why}, but a lockout that turns into doubt would restrain less"
    return Direction.STRICTER, why


def _doubt(old: Side, new: Side) -> Iterator[Difference]:
    before, after = old.spec.on_unknown, new.spec.on_unknown
    covers = new.compiled.doubted().covers(old.compiled.doubted())
    if before is not after:
        rise = _DOUBT[after] - _DOUBT[before]
        if rise < 0:
            judged: Judged = (Direction.LOOSER, f"doubt would do less: {after.value}")
        elif not covers:
            judged = _covers(old.compiled.doubted(), new.compiled.doubted(), "what doubt restrains")
            if rise > 0:
                judged = (Direction.INCOMPARABLE, "doubt would restrain sooner, but not all that it restrained")
        elif rise == 0 and old.compiled.doubted() == new.compiled.doubted():
            judged = (Direction.NEUTRAL, "doubt restrains the same")
        else:
            judged = _if_doubt_covers(new, f"doubt would do more: {after.value}")
        yield "on_unknown", before.value, after.value, judged
    elif old.compiled.unknown_cutback != new.compiled.unknown_cutback:
        texts = tuple(restraint_words(one.compiled.unknown_cutback or NONE) for one in (old, new))
        if after is not OnUnknown.CUTBACK:
            judged = (Direction.NEUTRAL, f"on_unknown is {after.value}, so nothing applies it")
        else:
            judged = _covers(old.compiled.doubted(), new.compiled.doubted(), "what doubt restrains")
        yield "unknown_cutback", texts[0], texts[1], judged


def _latch(old: Side, new: Side) -> Iterator[Difference]:
    before, after = old.compiled.latching, new.compiled.latching
    if before is after:
        return
    if _LATCHES.index(after) < _LATCHES.index(before):
        judged: Judged = (Direction.LOOSER, f"a firing would restrain {_until(after)} only")
    elif after is Latching.BOUNDARY and new.compiled.timing.cooldown:
        judged = (
            Direction.INCOMPARABLE,
            "it lasts to the daily boundary, but a boundary in the middle of a firing starts the lockout early",
        )
    else:
        judged = (Direction.STRICTER, f"a firing restrains {_until(after)}")
    yield "latch", before.value, after.value, judged


def _until(latch: Latching) -> str:
    return {
        Latching.NONE: "while it lasts", Latching.BOUNDARY: "until the daily boundary",
        Latching.MANUAL: "until somebody re-arms it",
    }[latch]


def _restraints(old: Side, new: Side) -> Iterator[Difference]:
    before, after = old.compiled.restraint, new.compiled.restraint
    if before != after:
        yield "restrain", restraint_words(before), restraint_words(after), _covers(before, after, "what it restrains")


def _covers(before: Restraint, after: Restraint, what: str) -> Judged:
    if before == after:
        return Direction.NEUTRAL, f"{what} is the same"
    if after.covers(before):
        return Direction.STRICTER, f"{what} is more in every respect"
    if before.covers(after):
        return Direction.LOOSER, f"{what} is less"
    return Direction.INCOMPARABLE, f"{what} is less in one respect and more in another"


KNOWN = frozenset({
    "id", "kind", "summary", "runbook", "place", "expr", "clear_expr", "by", "scope_all", "enabled", "enforcement",
    "hold_for", "hold_for_unit", "keep_firing_for", "keep_firing_for_unit", "cooldown", "cooldown_unit", "latch",
    "on_unknown", "on_unknown_reason", "unknown_grace", "unknown_grace_unit", "min_clear", "valid_for", "restrain",
    "unknown_cutback", "ttl", "ttl_unit", "action", "by_flag", "notify", "formerly", "silences", "tests",
})


def _unheard_of(old: RuleSpec, new: RuleSpec) -> Iterator[Difference]:
    """Yield what nobody taught this module to compare: a key that is new to rules must not pass unseen."""
    for one in fields(RuleSpec):
        before, after = getattr(old, one.name), getattr(new, one.name)
        if one.name not in KNOWN and before != after:
            yield one.name, str(before), str(after), (Direction.INCOMPARABLE, "nothing is known of this key")


