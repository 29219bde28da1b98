"""Five recorded minutes of a real market, every message accounted for, through the whole engine."""

from __future__ import annotations

from pathlib import Path

from engine.runtime.wiring_tapes import ImportOptions, import_files
from tests.shared_data import MARKET_DATA, needs_shared
from tests.simulation.command import ROOT
from tests.simulation.watch import watched

FILE = MARKET_DATA / "binance_usdm_btcusdt_20240808_raw.jsonl.gz"
MESSAGES = 93_954


@needs_shared
def test_all_messages_are_used_and_two_runs_agree(tmp_path: Path) -> None:
    """bookTicker, trade and depthUpdate are used, the bare snapshot seeds the book, and nothing is left over."""
    tape = str(tmp_path / "btc.tape.gz")
    account = import_files([str(FILE)], tape, ImportOptions(), None).account
    assert sum(account.used.values()) == account.lines == MESSAGES
    assert set(account.used) == {"bookTicker", "trade", "depthUpdate", "book snapshot"}
    assert (account.unaccounted, account.damaged, sum(account.skipped.values())) == (0, 0, 0)

    first, second = (watched(ROOT, tape, tmp_path / name) for name in ("one", "two"))
    assert first.summary["events"] == MESSAGES + sum(account.added.values())
    assert first.summary["damaged_count"] == 0
    for key in ("digest", "state_digest"):
        assert first.summary[key] == second.summary[key]
    assert first.info is not None
    unwired = {rule for rule, _ in first.info.unwired}
    assert "guard.depeg.usdt" in unwired and all(rule.startswith("guard.depeg.") for rule in unwired)


@needs_shared
def test_healthy_recorded_minutes_are_not_restricted(tmp_path: Path) -> None:
    """Nothing was wrong in that market, so nothing may stop for it."""
    tape = str(tmp_path / "btc.tape.gz")
    import_files([str(FILE)], tape, ImportOptions(), None)
    summary = watched(ROOT, tape, tmp_path / "state").summary
    assert summary["normal_share"] - summary["partly_restrained_share"] >= 0.995
    assert (summary["latches"], summary["notifications"]) == ([], 0)
