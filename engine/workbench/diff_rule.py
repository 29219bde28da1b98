"""One rule, or what became of it, over one history."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from engine.model.restraints import EVERYTHING, Restraint
from engine.ruleset.loosening import Change
from engine.ruleset.ruling import Ruling
from engine.ruleset.spec import RuleKind, RuleSpec
from engine.workbench.diff_episodes import divergence, episode_changes
from engine.workbench.diff_report import InstanceDiff, RuleDiff, Verdict
from engine.workbench.diff_said import only_doubt, said, with_values
from engine.workbench.diff_spans import Way, compare
from engine.workbench.diff_tests import changed_tests
from engine.workbench.diff_words import length
from engine.workbench.timeline import Grip, InstanceTimeline, Judgement, Timeline

GRANTED = "granted"
_NO_GRANT = Restraint(mute=frozenset({"maker"}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """One side: what decides, and what it did over the history."""

    ruling: Ruling
    timeline: Timeline


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """The rule of each side that is the same rule; None where a side lacks it."""

    base: RuleSpec | None
    head: RuleSpec | None

    @property
    def id(self) -> str:
        """Return what it is called, by the head where the head has it."""
        return (self.head or self.base).id  # type: ignore[union-attr]  # one of the two is there


def pairings(base: Iterable[RuleSpec], head: Iterable[RuleSpec]) -> list[Pairing]:
    """Return the rules of both sides in pairs, by id or by what the head's was called before."""
    ours, theirs = {rule.id: rule for rule in base}, {rule.id: rule for rule in head}
    found: list[Pairing] = []
    for rule in theirs.values():
        names = [rule.id, *(name for name in rule.formerly if name not in theirs)]
        mine = next((ours.pop(name) for name in names if name in ours), None)
        found.append(Pairing(base=mine, head=rule))
    found += [Pairing(base=rule, head=None) for rule in ours.values()]
    return sorted(found, key=lambda pair: pair.id)


def compare_rule(
    pair: Pairing, base: Played, head: Played, changes: Sequence[Change], refused: tuple[int, int]
) -> RuleDiff:
    """Return how one rule differs; `refused` is as `RuleDiff.refused` says."""
    spec = pair.head or pair.base
    assert spec is not None
    instances = _instances(pair, base.timeline, head.timeline)
    became = _became(pair, base.ruling, head.ruling)
    verdict, why = _verdict(pair, base, head, _Seen(became=became, instances=instances, refused=refused))
    return RuleDiff(
        id=pair.id, summary=spec.summary, became=became, verdict=verdict, why=why, place=str(spec.place),
        base_expr=_condition(pair.base, base.ruling), head_expr=_condition(pair.head, head.ruling),
        changes=tuple(changes), instances=instances, tests=changed_tests(pair.base, pair.head), refused=refused,
    )


def enforced(timeline: InstanceTimeline | None, kind: RuleKind | None, begin: int, end: int) -> tuple[Grip, ...]:
    """Return what an instance really forbade: nothing in shadow; of a gate, maker orders while it did not grant."""
    if timeline is None or timeline.shadow:
        return ()
    return _ungranted(timeline, begin, end) if kind is RuleKind.MAKER_GATE else timeline.grips


def _ungranted(timeline: InstanceTimeline, begin: int, end: int) -> tuple[Grip, ...]:
    spans: list[Grip] = []
    since: int | None = begin
    for move in timeline.transitions:
        if move.after == GRANTED and since is not None:
            spans.append(_denial(since, move.at))
            since = None
        elif move.after != GRANTED and since is None:
            since = move.at
    if since is not None:
        spans.append(_denial(since, end))
    return tuple(span for span in spans if span.begin < span.end)


def _denial(begin: int, end: int) -> Grip:
    return Grip(begin=begin, end=end, restraint=_NO_GRANT, scope=EVERYTHING, because="not granted")


def _instances(pair: Pairing, base: Timeline, head: Timeline) -> tuple[InstanceDiff, ...]:
    begin, end = max(base.begin, head.begin), min(base.end, head.end)
    ours, theirs = _by_labels(pair.base, base), _by_labels(pair.head, head)
    found: list[InstanceDiff] = []
    for labels in sorted({*ours, *theirs}):
        mine, other = ours.get(labels), theirs.get(labels)
        grips = (
            enforced(mine, pair.base.kind if pair.base else None, begin, end),
            enforced(other, pair.head.kind if pair.head else None, begin, end),
        )
        stretches = compare(grips[0], grips[1], begin, end)
        parted = divergence(mine, other, stretches[0].begin if stretches else None)
        named = other if other is not None else mine
        assert named is not None
        found.append(InstanceDiff(
            instance=named.instance, base=mine, head=other, stretches=stretches,
            episodes=episode_changes(mine.episodes if mine else (), other.episodes if other else ()),
            divergence=parted,
        ))
    return tuple(found)


def _by_labels(rule: RuleSpec | None, timeline: Timeline) -> dict[tuple[str, ...], InstanceTimeline]:
    if rule is None:
        return {}
    return {one.labels: one for one in timeline.instances.values() if one.rule == rule.id}


def _became(pair: Pairing, base: Ruling, head: Ruling) -> str:
    if pair.base is None:
        return "added"
    if pair.head is None:
        return "removed"
    if pair.base.id != pair.head.id:
        return "renamed"
    return "unchanged" if said(pair.base, base) == said(pair.head, head) else "changed"


def _condition(rule: RuleSpec | None, ruling: Ruling) -> str:
    return "" if rule is None else with_values(rule.expr, ruling.flag_values())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What of a rule the verdict follows from."""

    became: str
    instances: tuple[InstanceDiff, ...]
    refused: tuple[int, int]

    @property
    def sides(self) -> list[InstanceTimeline]:
        return [side for one in self.instances for side in (one.base, one.head) if side is not None]


def _verdict(pair: Pairing, base: Played, head: Played, seen: _Seen) -> tuple[Verdict, str]:
    not_replayable = _not_replayable(pair, base.timeline, head.timeline)
    if not_replayable:
        return Verdict.NOT_REPLAYABLE, not_replayable
    ways = {stretch.way for one in seen.instances for stretch in one.stretches}
    more, less = seen.refused
    ways |= ({Way.STRICTER} if more else set()) | ({Way.LOOSER} if less else set())
    if Way.INCOMPARABLE in ways or len(ways) > 1:
        return Verdict.BOTH, _how_long(seen)
    if ways:
        return (Verdict.LOOSER if Way.LOOSER in ways else Verdict.STRICTER), _how_long(seen)
    return _without_difference(pair, base, head, seen)


def _without_difference(pair: Pairing, base: Played, head: Played, seen: _Seen) -> tuple[Verdict, str]:
    """Return the verdict of a rule that restrained alike on both sides: was it put to the test at all?"""
    rule = pair.head or pair.base
    if rule is not None and rule.kind is RuleKind.ENTRY:
        judgements = (*base.timeline.judgements, *head.timeline.judgements)
        if not judgements:
            return Verdict.NOT_EXERCISED, "this history holds no orders"
        if not _refused_any(judgements, pair):
            return Verdict.NOT_EXERCISED, "it refused none of this history's orders, on either side"
        return Verdict.SAME, "it refuses the same orders of this history"
    sides = seen.sides
    if not sides:
        return Verdict.NOT_EXERCISED, "it has no instance in this history: nothing it reads was heard, or it is off"
    doubted = any(side.grips for side in sides)
    if doubted and pair.base and pair.head and _touches_only_doubt(pair, base.ruling, head.ruling):
        return Verdict.SAME, "doubt held it for the same time on both sides"
    if not any(side.known for side in sides):
        return Verdict.NOT_EXERCISED, "this history never made its condition known"
    if not any(side.ever_true for side in sides):
        return Verdict.NOT_EXERCISED, "its condition was never true in this history, on either side"
    if any(one.differs for one in seen.instances):
        return Verdict.SAME, "it moved otherwise, and restrained the same"
    return Verdict.SAME, "it fired, and did the same on both sides"


def _touches_only_doubt(pair: Pairing, base: Ruling, head: Ruling) -> bool:
    if pair.base is None or pair.head is None:
        return False
    ours, theirs = said(pair.base, base), said(pair.head, head)
    return ours != theirs and only_doubt(ours, theirs)


def _refused_any(judgements: Iterable[Judgement], pair: Pairing) -> bool:
    names = {side.id for side in (pair.base, pair.head) if side is not None}
    return any(names & set(one.refused_by) for one in judgements)


def _not_replayable(pair: Pairing, base: Timeline, head: Timeline) -> str:
    told: Mapping[str, str] = {
        **({"base": base.not_replayable.get(pair.base.id, "")} if pair.base else {}),
        **({"head": head.not_replayable.get(pair.head.id, "")} if pair.head else {}),
    }
    reasons = list(dict.fromkeys(reason for reason in told.values() if reason))
    if len(reasons) == 1 and all(told.values()):
        return reasons[0]
    return "; ".join(f"{side}: {reason}" for side, reason in told.items() if reason)


def _how_long(seen: _Seen) -> str:
    parts: list[str] = []
    for way in (Way.LOOSER, Way.INCOMPARABLE, Way.STRICTER):
        spans = [stretch for one in seen.instances for stretch in one.stretches if stretch.way is way]
        if spans:
            whole = length(sum(span.length for span in spans))
            parts.append(f"{way.value} for {whole} in {len(spans)} span{'s' if len(spans) > 1 else ''}")
    more, less = seen.refused
    parts += [f"refuses {more} more orders"] if more else []
    parts += [f"refuses {less} fewer orders"] if less else []
    return ", ".join(parts)
