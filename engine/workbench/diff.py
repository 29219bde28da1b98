"""What a change of rules changes: two rule sets over one history, instant by instant.

The report says first what the history covers, because a rule that it never put to the
test was not compared at all. Orders that would have been placed otherwise do not feed
back: positions, fills and losses are those that were recorded.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from engine.model.restraints import Restraint, Scope
from engine.ruleset.loosening import Change, Direction
from engine.ruleset.ruling import Ruling, pair_digest
from engine.ruleset.spec import RESTRAINING
from engine.workbench.diff_coverage import Coverage
from engine.workbench.diff_orders import OrderDiff, compare_orders, refused_otherwise
from engine.workbench.diff_report import (
    Acknowledged,
    Orphan,
    Range,
    Report,
    RuleDiff,
    SideInfo,
    Verdict,
)
from engine.workbench.diff_rule import Pairing, Played, compare_rule, pairings
from engine.workbench.diff_said import uses
from engine.workbench.diff_spans import Way, compare, compare_scopes
from engine.workbench.diff_words import length
from engine.workbench.timeline import Grip, Timeline

OPEN_LOOP = (
    "Open loop: orders that would have been placed, or not placed, under the other rules do not feed back. "
    "Fills, positions and losses are the recorded ones on both sides."
)
DENYLIST = "conf/event_denylist.txt"
_SHORT = 40
_ORDER = tuple(Verdict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One side of a comparison: who it is, what decides there, what it did."""

    info: SideInfo
    ruling: Ruling
    timeline: Timeline


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What was replayed and what is known of it beside the two timelines."""

    range: Range
    coverage: tuple[Coverage, ...]
    changes: tuple[Change, ...]
    """All static changes, as `ruleset.loosening.compare` found them."""
    notes: tuple[str, ...] = ()


def diff(base: Compared, head: Compared, setting: Setting, acknowledged: Acknowledged | None = None) -> Report:
    """Return what the change from `base` to `head` changes over the history of `setting`. Pure."""
    pairs = pairings(base.ruling.rules.rules, head.ruling.rules.rules)
    played = tuple(Played(ruling=side.ruling, timeline=side.timeline) for side in (base, head))
    refused = refused_otherwise(base.timeline.judgements, head.timeline.judgements)
    rules: list[RuleDiff] = []
    owned: set[int] = set()
    for pair in pairs:
        names = {side.id for side in (pair.base, pair.head) if side is not None}
        sides = ((pair.base, base), (pair.head, head))
        used = {word for rule, side in sides if rule is not None for word in uses(rule, side.ruling)}
        mine = [
            number for number, change in enumerate(setting.changes)
            if change.rule in names or (not change.rule and change.what in used)
        ]
        owned.update(mine)
        more, less = (sum(refused.get(name, (0, 0))[side] for name in names) for side in (0, 1))
        changes = [setting.changes[number] for number in mine]
        # A renamed rule refuses under two names: what one name no longer refuses the other does.
        both = min(more, less) if len(names) > 1 else 0
        rules.append(compare_rule(pair, played[0], played[1], changes, (more - both, less - both)))
    policy, whole = compare_scopes(
        _grips(base), _grips(head), setting.range.begin, setting.range.end,
    )
    orders = compare_orders(base.timeline.judgements, head.timeline.judgements)
    loosenings = tuple(_loosenings(setting.changes, rules, orders, _denials(base, head, setting)))
    return Report(
        base=base.info, head=head.info, range=setting.range, coverage=setting.coverage,
        rules=tuple(sorted(rules, key=lambda one: (_ORDER.index(one.verdict), one.became == "unchanged", one.id))),
        policy=policy, policy_whole=whole, orders=orders,
        changes=tuple(change for number, change in enumerate(setting.changes) if number not in owned),
        orphans=tuple(_orphans(base.timeline, pairs)), pair=pair_digest(base.ruling.digest, head.ruling.digest),
        loosenings=loosenings, acknowledged=acknowledged, notes=(OPEN_LOOP, *setting.notes),
    )


def _grips(side: Compared) -> list[Grip]:
    """Return all that was really forbidden on one side, by rules and by the denylist."""
    restraining = {rule.id for rule in side.ruling.rules.rules if rule.kind in RESTRAINING}
    found = [
        grip for one in side.timeline.instances.values() if one.rule in restraining and not one.shadow
        for grip in one.grips
    ]
    return found + denials(side)


def denials(side: Compared) -> list[Grip]:
    """Return what the denylist of `side` forbade: each of its symbols until its end."""
    timeline = side.timeline
    found: list[Grip] = []
    for one in side.ruling.denylist:
        end = min(one.until, timeline.end) if one.until else timeline.end
        if end > timeline.begin:
            found.append(Grip(
                begin=timeline.begin, end=end, restraint=Restraint(deny=frozenset({one.symbol})),
                scope=Scope(symbol=one.symbol), because="denylist",
            ))
    return found


def _denials(base: Compared, head: Compared, setting: Setting) -> int:
    """Return for how long, in ns, the head's denylist denies less."""
    stretches = compare(denials(base), denials(head), setting.range.begin, setting.range.end)
    return sum(one.length for one in stretches if one.way is not Way.STRICTER)


def _loosenings(
    changes: Iterable[Change], rules: Sequence[RuleDiff], orders: OrderDiff | None, denied: int
) -> Iterable[str]:
    """Yield why the change needs an acknowledgement: by what is written, and by what it does."""
    for change in changes:
        if change.direction in (Direction.LOOSER, Direction.INCOMPARABLE):
            yield _told(change)
    for rule in rules:
        for way, word in ((Way.LOOSER, "less"), (Way.INCOMPARABLE, "otherwise")):
            if rule.length(way):
                yield f"{rule.id}: {word} restrained for {length(rule.length(way))} of this history"
        if rule.refused[1]:
            yield f"{rule.id}: no longer refuses {rule.refused[1]} of this history's orders"
    if orders is not None and orders.let_through:
        yield f"{orders.let_through} orders let through, {orders.let_through_usd:,.0f} USD"
    if denied:
        yield f"{DENYLIST}: denies less for {length(denied)} of this history"


def _told(change: Change) -> str:
    owner = f"{change.rule}: " if change.rule else ""
    sides = (change.before or "nothing", change.after or "nothing")
    # A condition is shown beside its rule; here it would hide why.
    values = f" from {sides[0]} to {sides[1]}" if max(map(len, sides)) <= _SHORT else ""
    return f"{owner}{change.what}{values} is {change.direction.value}: {change.why}"


def _orphans(timeline: Timeline, pairs: Sequence[Pairing]) -> Iterable[Orphan]:
    """Yield the latches open at the end of the base's replay whose rule the head lacks, or labels otherwise."""
    by_name = {pair.base.id: pair for pair in pairs if pair.base is not None}
    for latch in timeline.open_latches:
        rule = latch.split("/", 1)[0].split("[", 1)[0]
        pair = by_name.get(rule)
        if pair is None or pair.base is None:
            continue
        if pair.head is None:
            why = f"{rule} is gone from the head: no rule owns this latch any more"
        elif pair.base.by != pair.head.by:
            why = f"{rule} is counted by {_by(pair.head.by)} in the head, by {_by(pair.base.by)} in the base"
        else:
            continue
        yield Orphan(latch=latch, why=f"{why}; it holds on until re-armed", clear_with=f"engine rearm {latch}")


def _by(labels: Sequence[str]) -> str:
    return ", ".join(labels) or "nothing"


__all__ = ["OPEN_LOOP", "Compared", "Report", "Setting", "Verdict", "denials", "diff"]
