"""The rules of two rulings side by side: gone, new, renamed, switched, and field by field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from engine.ruleset import saved
from engine.ruleset.changes import Change, Direction, Judged
from engine.ruleset.loosening_fields import field_changes
from engine.ruleset.loosening_side import Side, sides_of
from engine.ruleset.ruling import Ruling
from engine.ruleset.spec import RESTRAINING, RuleKind


def compare_rules(base: Ruling, head: Ruling) -> Iterator[Change]:
    """Yield what changed about each rule, in the order of today's ids."""
    before, after = sides_of(base), sides_of(head)
    renamed = saved.renames({side.spec.id: side.spec.formerly for side in after.values()})
    was = {_today(name, renamed, after): side for name, side in before.items()}
    for name in sorted({*was, *after}):
        old, new = was.get(name), after.get(name)
        if old is None and new is not None:
            yield _appeared(new, before)
        elif old is not None and new is None:
            yield _gone(old, after)
        elif old is not None and new is not None:
            yield from _both(old, new, before, after)


def _today(name: str, renamed: Mapping[str, str], after: Mapping[str, Side]) -> str:
    return name if name in after else renamed.get(name, name)


def _both(old: Side, new: Side, before: Mapping[str, Side], after: Mapping[str, Side]) -> Iterator[Change]:
    if old.spec.id != new.spec.id:
        yield new.change(
            "id", old.spec.id, new.spec.id, (Direction.NEUTRAL, "renamed: state, latches and episodes go on"),
        )
    if old.is_same(new) or old.says() == new.says():
        return
    if old.in_force and new.in_force:
        yield from field_changes(old, new)
        return
    if old.in_force or new.in_force:
        yield from _switched(old, new, before, after)
    idle = "in neither" if not (old.in_force or new.in_force) else "only in one of the two"
    for change in field_changes(old, new):
        if change.what in ("enabled", "enforcement") and old.in_force is not new.in_force:
            continue
        why = f"the rule is in force {idle}: {old.why_idle() or new.why_idle()}"
        yield new.change(change.what, change.before, change.after, (Direction.NEUTRAL, why))


def _switched(old: Side, new: Side, before: Mapping[str, Side], after: Mapping[str, Side]) -> Iterator[Change]:
    """Yield that a rule came into force, or left it."""
    what = "enabled" if old.enabled_text != new.enabled_text else "enforcement"
    texts = (old.enabled_text, new.enabled_text) if what == "enabled" else (
        old.spec.enforcement.value, new.spec.enforcement.value,
    )
    if new.in_force:
        judged = _joins(new, before)
    else:
        judged = _leaves(old, after, f"it is no longer in force: {new.why_idle()}; its latches stay")
    yield new.change(what, *texts, judged)


def _appeared(new: Side, before: Mapping[str, Side]) -> Change:
    if not new.in_force:
        judged: Judged = (Direction.NEUTRAL, f"a new rule that is not in force: {new.why_idle()}")
    else:
        judged = _joins(new, before)
    return new.change("rule", "", new.described(), judged)


def _gone(old: Side, after: Mapping[str, Side]) -> Change:
    if not old.in_force:
        judged: Judged = (Direction.NEUTRAL, f"it was not in force: {old.why_idle()}; its latches stay")
    else:
        judged = _leaves(old, after, "nothing restrains in its place; its latches stay")
    return old.change("rule", old.described(), "", judged)


def _joins(new: Side, before: Mapping[str, Side]) -> Judged:
    kind = new.spec.kind
    if kind is RuleKind.WATCH:
        return Direction.NEUTRAL, "it only tells"
    if kind is RuleKind.MAKER_GATE:
        if _gates(before):
            return Direction.STRICTER, "every gate must grant a maker order: one more has to"
        return Direction.LOOSER, "without a gate no maker order is granted; this one can grant them"
    does = "restrains" if kind in RESTRAINING else "refuses"
    return Direction.STRICTER, f"it {does} beside all others"


def _leaves(old: Side, after: Mapping[str, Side], why: str) -> Judged:
    kind = old.spec.kind
    if kind is RuleKind.WATCH:
        return Direction.NEUTRAL, "it only told"
    if kind is RuleKind.MAKER_GATE:
        if _gates(after):
            return Direction.LOOSER, "every gate must grant a maker order: one fewer has to"
        return Direction.STRICTER, "without a gate no maker order is granted"
    return Direction.LOOSER, why


def _gates(sides: Mapping[str, Side]) -> bool:
    return any(side.spec.kind is RuleKind.MAKER_GATE and side.in_force for side in sides.values())
