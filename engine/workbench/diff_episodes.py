"""Which episodes came, went or moved, and where the two sides first part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from engine.workbench.timeline import EpisodeSpan, InstanceTimeline, Transition

START = "inactive"
"""The state before the first transition."""


class Became(StrEnum):
    """What a change of rules makes of an episode."""

    ADDED = "added"
    REMOVED = "removed"
    MOVED = "moved"


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeChange:
    """One episode that is not the same on both sides; a side without it is None."""

    became: Became
    base: EpisodeSpan | None
    head: EpisodeSpan | None

    @property
    def at(self) -> int:
        """Return when it begins on the side that has it, the earlier of two (ns)."""
        return min(side.begin for side in (self.base, self.head) if side is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Divergence:
    """The first instant (ns) at which one side moved otherwise. `inputs` is what was read there, as text."""

    at: int
    base_state: str
    head_state: str
    base_why: str
    """Why the base moved at this instant; empty where it did not."""
    head_why: str
    inputs: tuple[tuple[str, str], ...]


def episode_changes(base: Sequence[EpisodeSpan], head: Sequence[EpisodeSpan]) -> tuple[EpisodeChange, ...]:
    """Return what became of the episodes of `base` in `head`, in order of time. Overlapping ones are the same one."""
    ours, theirs = (sorted(side, key=lambda one: (one.begin, one.end)) for side in (base, head))
    found: list[EpisodeChange] = []
    i = j = 0
    while i < len(ours) and j < len(theirs):
        mine, other = ours[i], theirs[j]
        if _apart(mine, other):
            found.append(EpisodeChange(became=Became.REMOVED, base=mine, head=None))
            i += 1
        elif _apart(other, mine):
            found.append(EpisodeChange(became=Became.ADDED, base=None, head=other))
            j += 1
        else:
            if _said(mine) != _said(other):
                found.append(EpisodeChange(became=Became.MOVED, base=mine, head=other))
            i, j = i + 1, j + 1
    found += [EpisodeChange(became=Became.REMOVED, base=one, head=None) for one in ours[i:]]
    found += [EpisodeChange(became=Became.ADDED, base=None, head=one) for one in theirs[j:]]
    return tuple(sorted(found, key=lambda one: one.at))


def _apart(first: EpisodeSpan, second: EpisodeSpan) -> bool:
    """Whether `first` is over before `second` begins. An episode of no length still is at its instant."""
    return first.begin < second.begin and first.end <= second.begin


def _said(one: EpisodeSpan) -> tuple[int, int, bool, str]:
    # The number is left out: one episode fewer before it renumbers all that follow.
    return one.begin, one.end, one.open, one.action


def divergence(
    base: InstanceTimeline | None, head: InstanceTimeline | None, restrained: int | None
) -> Divergence | None:
    """Return where the two first part; `restrained` is when their restraints first differ (ns), None for never."""
    sides = [() if side is None else side.transitions for side in (base, head)]
    moved = _first_move(*sides)
    instants = [at for at in (moved, restrained) if at is not None]
    if not instants:
        return None
    at = min(instants)
    here = [[one for one in side if one.at == at] for side in sides]
    # The last move of the instant is where a side stands after it; its first says what started it.
    read = [one.inputs for moves in here for one in moves if one.inputs]
    read += [one.inputs for one in _before(at, *sides) if one.inputs]
    return Divergence(
        at=at, base_state=_state(base, at), head_state=_state(head, at),
        base_why="; ".join(one.why for one in here[0]), head_why="; ".join(one.why for one in here[1]),
        inputs=read[0] if read else (),
    )


def _first_move(base: Sequence[Transition], head: Sequence[Transition]) -> int | None:
    for mine, other in zip(base, head, strict=False):
        if (mine.at, mine.before, mine.after) != (other.at, other.before, other.after):
            return min(mine.at, other.at)
    longer, shorter = (base, head) if len(base) > len(head) else (head, base)
    return longer[len(shorter)].at if len(longer) > len(shorter) else None


def _before(at: int, *sides: Sequence[Transition]) -> list[Transition]:
    """Return the last move of each side before `at`, the latest first."""
    last = [max((one for one in side if one.at < at), key=lambda one: one.at, default=None) for side in sides]
    return sorted((one for one in last if one is not None), key=lambda one: -one.at)


def _state(side: InstanceTimeline | None, at: int) -> str:
    if side is None:
        return "no such instance"
    state = START
    for move in side.transitions:
        if move.at > at:
            break
        state = move.after
    return state
