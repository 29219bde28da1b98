"""A swap of rules in the middle of everything changes nothing that both rulings say alike."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from tests.simulation.editing import OLD, Run, effects, extra, inputs, make_root, running, taken_over, write_part

_TOLD = ("RulingChanged", "CommandAnswered")
_COUNTED = ("seq", "version", "policy_version")
"""What counts joins and inputs, which a swap adds to."""


def _said(state: Path) -> list[dict[str, Any]]:
    """Return what a run did, without what it told of reloads and of the rules that came with them."""
    kept = [one for one in effects(state) if one["type"] not in _TOLD and "extra" not in str(one.get("rule", ""))]
    return [{key: value for key, value in one.items() if key not in _COUNTED} for one in kept]


def test_reloads_all_along_a_run_leave_its_orders_latches_and_timers(tmp_path: Path) -> None:
    """Every timer, latch, episode, window and held condition goes through each swap, or some effect would differ.

    Half of the edits are a matter of layout; the others bring a rule, or make one stricter,
    always so that nobody has to acknowledge anything.
    """
    root = make_root(tmp_path / "root", quiesce="10ms", poll="50ms")
    tape = write_part(tmp_path / "part.tape.gz", 21_500, 26_300)
    Run(root, tape=tape).end()
    uncut = _said(root / "state")
    (root / "state").rename(root / "uncut")

    path = root / "rules" / "guards" / "depeg.yaml"
    text, size, turn = path.read_text(), OLD, 0
    with running(root, "--speed", "500", tape=tape) as run:
        while run.child.poll() is None:
            turn += 1
            if turn % 2:
                path.write_text(f"{text}# turn {turn}\n")
            else:
                size = round(size - 0.001, 3)
                (root / "rules" / "extra" / "a.yaml").write_text(extra("a", size))
                (root / "rules" / "extra" / f"t{turn}.yaml").write_text(extra(f"t{turn}", size))
            time.sleep(0.4)
        assert run.end()["stopped"] == ""
    assert len(inputs(root / "state", "Reload")) >= 5 and len(set(taken_over(root / "state"))) >= 4
    assert inputs(root / "state", "ReloadRefused") == []
    mine = _said(root / "state")
    differing = [(here, there) for here, there in zip(mine, uncut, strict=False) if here != there]
    assert differing[:1] == [] and len(mine) == len(uncut)
    # It was not for want of anything to carry, nor for want of anything that could have gone wrong after.
    assert {"LatchSet", "PlaceOrder", "RuleMoved", "TargetOpened"} <= {one["type"] for one in uncut}
    moved = [one["at"] for one in uncut if one["type"] == "RuleMoved"]
    changed = [one for one in effects(root / "state") if one["type"] == "RulingChanged"]
    assert min(moved) < changed[-1]["at"] and changed[0]["at"] < max(moved)
    # Of every second edit two rules begin anew, however many of them a slow machine takes up in one reload.
    assert all(one["orphaned"] == [] for one in changed)
    assert sum(one["begun"] for one in changed) <= 2 * (turn // 2)
