"""What recorded orders would have met: volume blocked by the head, and volume let through by it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from engine.workbench.timeline import Judgement

MOST_EXAMPLES = 5
_ROUNDING = 1e-6
"""USD below which two allowed amounts are the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderCase:
    """One proposal that the two sides judge differently; amounts in USD."""

    base: Judgement
    head: Judgement

    @property
    def gained_usd(self) -> float:
        """Return how much more of it the head allows; negative for less."""
        return self.head.allowed_usd - self.base.allowed_usd


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderDiff:
    """All recorded proposals. Examples are the largest, with the largest first."""

    proposals: int
    notional_usd: float
    blocked: int
    blocked_usd: float
    let_through: int
    let_through_usd: float
    blocked_examples: tuple[OrderCase, ...]
    let_through_examples: tuple[OrderCase, ...]


def compare_orders(base: Sequence[Judgement], head: Sequence[Judgement]) -> OrderDiff | None:
    """Return how the head judges what the base judged; None where neither judged anything.

    Proposals are matched by their place in the history, which is one and the same.
    """
    others = {one.index: one for one in head}
    cases = [OrderCase(base=one, head=others[one.index]) for one in base if one.index in others]
    if not cases:
        return None
    blocked = sorted((one for one in cases if one.gained_usd < -_ROUNDING), key=lambda one: one.gained_usd)
    freed = sorted((one for one in cases if one.gained_usd > _ROUNDING), key=lambda one: -one.gained_usd)
    return OrderDiff(
        proposals=len(cases), notional_usd=sum(one.base.notional_usd for one in cases),
        blocked=len(blocked), blocked_usd=-sum(one.gained_usd for one in blocked),
        let_through=len(freed), let_through_usd=sum((one.gained_usd for one in freed), 0.0),
        blocked_examples=tuple(blocked[:MOST_EXAMPLES]), let_through_examples=tuple(freed[:MOST_EXAMPLES]),
    )


def refused_otherwise(base: Iterable[Judgement], head: Iterable[Judgement]) -> dict[str, tuple[int, int]]:
    """Return rule id -> (how many proposals only the head's rule refuses, how many only the base's)."""
    counts: dict[str, list[int]] = {}
    others = {one.index: set(one.refused_by) for one in head}
    for one in base:
        mine, other = set(one.refused_by), others.get(one.index, set())
        for rule in other - mine:
            counts.setdefault(rule, [0, 0])[0] += 1
        for rule in mine - other:
            counts.setdefault(rule, [0, 0])[1] += 1
    return {rule: (more, less) for rule, (more, less) in sorted(counts.items())}
