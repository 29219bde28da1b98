"""Killed at any moment, the journal holds what it said it kept, and goes on from there."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from engine.adapters.journal_sqlite import SqliteJournal
from engine.adapters.journal_sqlite_read import SqliteReader

ROOT = Path(__file__).parents[2]
KILLS = 12
A_CHECKPOINT = 50
"""After so many commits the writer has kept one."""


def test_killed_at_random_moments_it_keeps_what_was_committed(tmp_path: Path) -> None:
    """A commit that was told stands after SIGKILL; the chain and the file are whole; client ids are single."""
    path = tmp_path / "journal.sqlite"
    dice = random.Random(7)
    told_n = told_seq = 0
    for life in range(KILLS):
        child = subprocess.Popen(
            [sys.executable, "-m", "tests.adapters.journal_writer", str(path)], cwd=ROOT, text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE,
        )
        assert child.stdout is not None
        # The first line says that it is writing; without it a slow start would be killed instead. Every third life
        # reaches a checkpoint, however slow the disk is.
        said = [child.stdout.readline() for _ in range(1 if life % 3 else A_CHECKPOINT)]
        time.sleep(dice.uniform(0, 0.15))
        child.send_signal(signal.SIGKILL)
        said += child.stdout.read().splitlines(keepends=True)
        child.stdout.close()
        assert child.wait() == -signal.SIGKILL
        whole = [line.split() for line in said if line.endswith("\n")]
        told_n, told_seq = int(whole[-1][0]), int(whole[-1][1])

        reader = SqliteReader.open(path)
        tail = reader.tail()
        assert tail.effect_n >= told_n and tail.input_seq >= told_seq
        assert reader.verify() == ""
        found = reader.last_checkpoint()
        assert found.damaged == ()
        reader.close()
    journal = SqliteJournal.open(path)
    orders = [effect.n for effect in journal.effects_after(0) if effect.kind == "PlaceOrder"]
    assert orders == [n for n in range(1, journal.tail().effect_n + 1) if n % 4 == 0]
    point = journal.last_checkpoint().checkpoint
    assert point is not None and point.payload == b"%d" % point.effect_n * 20_000
    journal.close()


def test_a_reader_beside_a_writer_always_sees_a_whole_prefix(tmp_path: Path) -> None:
    """Opened again and again while another process writes, each look verifies, and the writer goes on."""
    path = tmp_path / "journal.sqlite"
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.adapters.journal_writer", str(path)], cwd=ROOT, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE,
    )
    try:
        assert child.stdout is not None
        child.stdout.readline()
        ends: list[int] = []
        for _ in range(15):
            reader = SqliteReader.open(path)
            ends.append(reader.tail().effect_n)
            assert reader.verify() == ""
            reader.close()
            for _ in range(20):
                child.stdout.readline()
        assert ends == sorted(ends) and ends[-1] > ends[0]
        assert child.poll() is None
    finally:
        child.kill()
        child.communicate()
