"""The same tape gives the same bytes, whatever the hash seed; and the story is in the journal."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from tests.simulation.command import run_json

KEYS = {
    "events", "seconds", "events_per_second", "transitions", "orders", "fills", "refused", "skips", "level",
    "normal_share", "notifications", "latches", "pnl_usd", "digest", "state_digest", "resumed_from_seq",
}


def test_the_demo_is_the_same_twice_and_tells_its_story(tmp_path: Path) -> None:
    """Two hash seeds, one digest; halts, cutbacks and mutes are journalled as effects."""
    first = run_json("run", "--tape", "demo", "--speed", "max", "--state", str(tmp_path / "a"), seed="1")
    second = run_json("run", "--tape", "demo", "--speed", "max", "--state", str(tmp_path / "b"), seed="2")
    assert first.keys() >= KEYS
    assert (first["digest"], first["state_digest"]) == (second["digest"], second["state_digest"])
    assert first["fills"] >= 20
    with sqlite3.connect(tmp_path / "a" / "journal.sqlite") as journal:
        effects = [row[0].decode() for row in journal.execute("select payload from effects order by n")]
    policies = [text for text in effects if '"type":"PolicyChanged"' in text]
    assert any('"level":"halted"' in text for text in policies)
    assert any('"size_mult":0.5' in text for text in policies)
    assert any('"mute":["SCALP"]' in text for text in policies)
    assert any('"level":"entries_paused"' in text for text in policies)
    latches = [text for text in effects if '"type":"LatchSet"' in text]
    tripped = {text.split('"rule":"')[1].split('"')[0] for text in latches}
    assert tripped == {"kill.daily_loss", "guard.depeg.usdc", "guard.depeg.usdt", "kill.health"}


def test_a_normal_day_is_not_restricted(tmp_path: Path) -> None:
    """Stopping for no reason is a defect like not stopping."""
    day = run_json("run", "--tape", "normal-day", "--speed", "max", "--state", str(tmp_path / "day"))
    assert day["normal_share"] >= 0.995
    assert day["latches"] == []
    assert day["notifications"] <= 3
