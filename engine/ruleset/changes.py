"""What one change between two rulings does to the protection they give."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from engine.ruleset.spec import Place


class Direction(StrEnum):
    """Which way a change goes. Only what is proven is called stricter or neutral; the rest is incomparable."""

    LOOSER = "looser"
    """Somewhere less is restrained, refused or closed than before."""
    INCOMPARABLE = "incomparable"
    """It cannot be shown that nothing is loosened: reviewed like a loosening."""
    STRICTER = "stricter"
    """Whatever happens, at least as much is restrained at every instant."""
    NEUTRAL = "neutral"
    """Nothing that is in force differs."""

    def turned(self) -> Direction:
        """Return the direction of the opposite change."""
        return {Direction.LOOSER: Direction.STRICTER, Direction.STRICTER: Direction.LOOSER}.get(self, self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One difference. `rule` is empty for what belongs to no rule (flags, signals, the denylist)."""

    rule: str
    what: str
    """The key as the file spells it (`for`, `expr`), or `rule`, `flag NAME`, `signal NAME`, `denylist SYMBOL`."""
    before: str
    after: str
    direction: Direction
    why: str
    """One sentence for the person who reviews it."""
    place: Place | None
    """Where it stands now; where it stood, if it is gone."""

    def __str__(self) -> str:
        owner = f"{self.rule} " if self.rule else ""
        return f"{self.direction.value}: {owner}{self.what}: {self.before or '-'} -> {self.after or '-'} ({self.why})"


Judged = tuple[Direction, str]
"""A direction and why."""

_WORST = (Direction.LOOSER, Direction.INCOMPARABLE, Direction.STRICTER, Direction.NEUTRAL)


def loosening(changes: Iterable[Change]) -> bool:
    """Whether any of `changes` needs an acknowledgement: it loosens, or nobody can show that it does not."""
    return any(one.direction in (Direction.LOOSER, Direction.INCOMPARABLE) for one in changes)


def worst(changes: Iterable[Change]) -> Direction:
    """Return the direction of `changes` together: looser before incomparable before stricter before neutral."""
    found = {one.direction for one in changes}
    return next((one for one in _WORST if one in found), Direction.NEUTRAL)


def merged(parts: Iterable[Judged]) -> Judged:
    """Return several judgements of one thing as one: the worst direction, and every reason for it."""
    judged = list(parts)
    direction = next((one for one in _WORST if any(part[0] is one for part in judged)), Direction.NEUTRAL)
    return direction, "; ".join(dict.fromkeys(why for way, why in judged if way is direction))
