"""What changes between two rulings, and whether anything of it protects less.

Each difference is judged for itself, from what the files say and without any history. Only
what is proven for every history is called stricter: at each instant, under the same
samples and the same acts of operators, what the head restrains covers what the base does.
That is said for as long as no latch ends in the middle of its firing, at the daily boundary or by a
re-arm: of two firings the earlier one may lose its latch then, and the later one sets its own after.

Values of flags are those below the operator's layer; whoever compares with a running
engine gives both rulings its operator's values as their environment.
"""

from __future__ import annotations

from engine.ruleset.changes import Change, Direction, Judged, loosening, merged, worst
from engine.ruleset.loosening_rules import compare_rules
from engine.ruleset.loosening_world import compare_denylists, compare_flags, compare_signals, masked_edits
from engine.ruleset.ruling import Ruling

__all__ = ["Change", "Direction", "Judged", "compare", "loosening", "masked_edits", "merged", "worst"]


def compare(base: Ruling, head: Ruling) -> tuple[Change, ...]:
    """Return every difference between two rulings: rules by id, then flags, signals and the denylist.

    An empty answer means that both decide alike in all.
    """
    return (
        *compare_rules(base, head),
        *compare_flags(base, head),
        *compare_signals(base, head),
        *compare_denylists(base.denylist, head.denylist),
    )
