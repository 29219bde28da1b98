"""What was asked for, the switch, and the version's verdict: the most restrictive wins, and says what lifts it."""

from __future__ import annotations

from itertools import product

import pytest

from engine.model.events import RunMode
from engine.model.run_mode import Verdict, Version, dry_run_on, mode_in_force

OURS = Version(commit="a" * 40, rules="r" * 64)
OTHERS = {
    "none": None,
    "of this version": Verdict(version=OURS),
    "of other rules": Verdict(version=Version(commit=OURS.commit, rules="s" * 64)),
    "of other code": Verdict(version=Version(commit="b" * 40, rules=OURS.rules)),
    "of a changed checkout": Verdict(version=Version(commit=OURS.commit, rules=OURS.rules, dirty=True)),
}
DRY, LIMITED, FULL = RunMode.DRY_RUN, RunMode.LIMITED_LIVE, RunMode.FULL_LIVE


@pytest.mark.parametrize(("asked", "dry", "verdict"), [*product(RunMode, (True, False), OTHERS)])
def test_the_table(asked: RunMode, dry: bool, verdict: str) -> None:
    found = mode_in_force(asked, dry_run=dry, version=OURS, verdict=OTHERS[verdict])

    through = verdict == "of this version"
    wanted = DRY if dry else LIMITED if asked is FULL and not through else asked
    assert (found.asked, found.mode) == (asked, wanted)
    said = " / ".join(str(one) for one in found.held)
    # Both are told: who lifts only one of them would be surprised by the other.
    assert ("ENGINE_DRY_RUN is on; set ENGINE_DRY_RUN=false" in said) is (dry and asked is not DRY)
    assert ("full-live needs a gate's verdict" in said) is (asked is FULL and not through)
    assert bool(found.held) is ((dry and asked is not DRY) or (asked is FULL and not through))


def test_code_that_differs_from_its_commit_is_no_version_that_a_gate_saw() -> None:
    changed = Version(commit=OURS.commit, rules=OURS.rules, dirty=True)
    found = mode_in_force(FULL, dry_run=False, version=changed, verdict=Verdict(version=changed))
    assert found.mode is LIMITED
    assert "code aaaaaaaaaa with uncommitted changes, rules rrrrrrrrrrrr" in found.held[0].why
    assert "until a gate has let this very version through" in found.held[0].lifted_by


@pytest.mark.parametrize(
    ("values", "on"),
    [({"ENGINE_DRY_RUN": True}, True), ({"ENGINE_DRY_RUN": False}, False), ({}, False),
     ({"ENGINE_DRY_RUN": False, "EVENT_BREAKOUT_DRY_RUN": True}, False)],
)
def test_only_the_switch_of_the_run_is_the_switch_of_the_run(values: dict[str, bool], on: bool) -> None:
    """A strategy that rehearses keeps nobody else from trading."""
    assert dry_run_on(values) is on
