"""Whether a changed condition restrains more or less."""

from __future__ import annotations

from collections.abc import Iterator

from engine.ruleset.changes import Direction
from engine.ruleset.loosening_side import Difference, Side, spelled
from engine.ruleset.spec import RuleKind


def compare_conditions(old: Side, new: Side) -> Iterator[Difference]:
    """Yield what changed about `expr` (`allow_expr` of a gate) and `clear_expr`."""
    key = "allow_expr" if new.spec.kind is RuleKind.MAKER_GATE else "expr"
    if spelled(old.spec.expr) != spelled(new.spec.expr):
        yield key, old.spec.expr.text, new.spec.expr.text, (Direction.INCOMPARABLE, "another condition")
    before, after = old.spec.clear_expr, new.spec.clear_expr
    if spelled(before) != spelled(after):
        yield "clear_expr", before.text if before else "", after.text if after else "", (
            Direction.INCOMPARABLE, "another condition",
        )
