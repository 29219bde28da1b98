"""The demo's first listings with entries that rest: gate, router, review, desk and exchange together, cut anywhere."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from engine.model.effects import CancelOrder, PlaceOrder
from engine.model.events import RunMode
from engine.model.orders import Intent
from engine.ports.feed import Tape
from engine.runtime.config import Config, load_config
from engine.runtime.wiring import Wired, wire
from tests.conftest import ROOT
from tests.core.kit import Drive

END = 6_000
"""Market events: behind both entries of the first listing."""
ROUTING = "routing:\n  - {intent: ENTRY, style: maker, cap_bps: 30, reprice_after: 500ms, reprices: 8, timeout: 10s}"
GATE = """\
version: 1
rules:
  - id: maker.while_healthy
    kind: maker_gate
    summary: makers may while the feeds are well
    runbook: RUNBOOK.md#slippage-cutback
    allow_expr: health_measured < 1
"""


@cache
def routed() -> Config:
    """Return the shipped configuration with entries that rest, and a gate that grants them."""
    with TemporaryDirectory() as made:
        root = Path(made)
        for name in ("conf", "rules", "schemas"):
            shutil.copytree(ROOT / name, root / name)
        shutil.copy(ROOT / "RUNBOOK.md", root)
        engine = root / "conf" / "engine.yaml"
        engine.write_text(engine.read_text().replace("\nrouting:", f"\n{ROUTING}"))
        (root / "rules" / "maker").mkdir(exist_ok=True)
        (root / "rules" / "maker" / "healthy.yaml").write_text(GATE)
        found = load_config(root, {})
    assert found.usable, found.findings
    assert found.settings.execution.routes
    return found


def fresh(tape: Tape) -> Wired:
    return wire(routed(), tape, RunMode.DRY_RUN, at=tape.header.first_at)


def test_entries_rest_follow_and_take_the_rest_and_a_cut_anywhere_on_the_way_changes_nothing() -> None:
    """Each cut is made while an order rests: what is worked is part of the state."""
    whole, cuts, known = Drive({}, made=fresh), [], ""
    for taken in range(1_374, END):
        whole.until(taken)
        makers = whole.state.router.dump()["makers"]
        phase = "" if not makers else f"{makers[0]['client_id']}/{makers[0]['goal']}"
        if phase and phase != known:
            cuts.append((whole.payload(), len(whole.heard)))
        known = phase
    whole.until(END)
    entries = [one for one in whole.effects if isinstance(one, PlaceOrder) and one.intent is Intent.ENTRY]
    purposes = {one.purpose for one in entries}
    assert len(purposes) == 2, "the first half and the second"
    for purpose in purposes:
        attempts = [one for one in entries if one.purpose == purpose]
        assert attempts[0].post_only and any(one.immediate for one in attempts)
        assert len({one.reference_price for one in attempts}) == 1, "slippage is measured from the decision"
        progress = whole.state.execution.progress("event_breakout", purpose)
        assert progress.ended and attempts[0].quantity is not None and 0 < progress.filled <= attempts[0].quantity
    assert any(isinstance(one, CancelOrder) and one.why.startswith("the touch moved") for one in whole.effects)
    assert len(cuts) >= 4
    for payload, heard in cuts[:: max(1, len(cuts) // 5)]:
        assert Drive({}, payload, made=fresh).until(END).heard == whole.heard[heard:]
