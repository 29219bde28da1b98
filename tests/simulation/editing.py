"""A real run in a process of its own, whose files somebody edits, and what its journal then says."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from engine.adapters.tape_writer import TapeWriter
from engine.model.time import SECOND
from engine.runtime.config import config_from_source, load_config
from engine.runtime.control_client import NoEngine, call
from engine.runtime.last_good import load_last_good
from engine.runtime.wiring_tapes import named_tape
from tests.simulation.command import ROOT, command, environment

EXTRA = "rules/extra/{}.yaml"
NAMES = ("a", "b", "c")
OLD, NEW = 0.9, 0.8
"""Sizes that some more cutbacks cut to, when health is bad: the new ones are stricter."""


def make_root(root: Path, *, quiesce: str = "60ms", poll: str = "300ms") -> Path:
    """Make a copy of the shipped configuration that notices edits soon, with three more rules, and return it."""
    for name in ("conf", "rules"):
        shutil.copytree(ROOT / name, root / name)
    shutil.copy(ROOT / "RUNBOOK.md", root)
    path = root / "conf" / "engine.yaml"
    text = path.read_text()
    assert "quiesce: 150ms" in text and "poll: 2s" in text
    path.write_text(text.replace("  quiesce: 150ms", f"  quiesce: {quiesce}").replace("poll: 2s", f"poll: {poll}"))
    write_extra(root, OLD)
    ruling(root)
    return root


def extra(name: str, size: float) -> str:
    """Return a rule file with one more cutback: for a depth of a crash that no tape has."""
    depth = 0.5 + sum(map(ord, name)) % 997 / 10_000
    return (
        f"version: 1\nrules:\n  - id: cutback.extra_{name}\n    kind: cutback\n    summary: One more\n"
        "    runbook: RUNBOOK.md#usdt-wobbly\n"
        f"    expr: peg_usdt_usd < {depth:.4f}\n    clear_expr: peg_usdt_usd > 0.9\n"
        f"    restrain: {{size_mult: {size}}}\n"
    )


def write_extra(root: Path, size: float) -> None:
    """Write the three files of one set in place."""
    for name in NAMES:
        path = root / EXTRA.format(name)
        path.parent.mkdir(exist_ok=True)
        path.write_text(extra(name, size))


def ruling(root: Path) -> str:
    """Return the digest of what stands under `root`."""
    config = load_config(root, {})
    assert config.usable, [str(one) for one in config.findings]
    return config.ruling().digest


def known_rulings(root: Path) -> dict[str, str]:
    """Return the digests of both sets by their names; `root` has the old one before and after."""
    old = ruling(root)
    write_extra(root, NEW)
    found = {"old": old, "new": ruling(root)}
    write_extra(root, OLD)
    assert found["old"] != found["new"]
    return found


class Run:
    """A run of a tape in the background, under the configuration of `root`."""

    def __init__(self, root: Path, *words: str, tape: str = "demo") -> None:
        self.root = root
        self.state = root / "state"
        (self.state / "engine.sock").unlink(missing_ok=True)
        self.child = subprocess.Popen(
            command("run", "--tape", tape, "--format", "json", "--state", str(self.state), *words), cwd=root,
            env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )

    def listens(self) -> None:
        """Wait until the run answers."""
        for _ in range(1200):
            assert self.child.poll() is None, self.child.communicate()
            with contextlib.suppress(NoEngine):
                call(self.state, {"verb": "no such verb"})
                return
            time.sleep(0.02)
        raise AssertionError("the run never answered")

    def reload(self, allow: str = "") -> dict[str, Any]:
        """Ask for a reading and return the answer."""
        return call(self.state, {"verb": "reload", **({"allow": allow} if allow else {})})

    def status(self) -> dict[str, Any]:
        """Return the last status row, which is at most a second old."""
        rows = read(self.state, "select json from status")
        found: dict[str, Any] = json.loads(rows[0][0])
        return found

    def kill(self) -> None:
        """End it as a power cut does."""
        self.child.send_signal(signal.SIGKILL)
        self.child.communicate()

    def end(self) -> dict[str, Any]:
        """Wait for its end and return its summary."""
        out, err = self.child.communicate(timeout=120)
        assert self.child.returncode == 0, err[-2000:]
        found: dict[str, Any] = json.loads(out.strip().splitlines()[-1])
        return found

    def stop(self) -> dict[str, Any]:
        """End it in order and return its summary."""
        self.child.send_signal(signal.SIGTERM)
        return self.end()


@contextmanager
def running(root: Path, *words: str, tape: str = "demo") -> Iterator[Run]:
    """Have a run while inside; whatever happens it is ended after."""
    run = Run(root, *words, tape=tape)
    try:
        run.listens()
        yield run
    finally:
        if run.child.poll() is None:
            run.kill()


def read(state: Path, query: str) -> list[tuple[Any, ...]]:
    """Return the rows of a query on a journal that somebody may be writing."""
    with contextlib.closing(sqlite3.connect(f"file:{state / 'journal.sqlite'}?mode=ro", uri=True, timeout=10)) as one:
        return one.execute(query).fetchall()


def inputs(state: Path, kind: str) -> list[dict[str, Any]]:
    """Return the journalled inputs of one kind, in order."""
    rows = read(state, "select seq, payload from inputs order by seq")
    found = [{"seq": seq, **json.loads(payload)} for seq, payload in rows]
    return [one for one in found if one["type"] == kind]


def effects(state: Path) -> list[dict[str, Any]]:
    """Return all journalled effects, in order."""
    rows = read(state, "select seq, payload from effects order by n")
    return [{"seq": seq, **json.loads(payload)} for seq, payload in rows]


def taken_over(state: Path) -> list[str]:
    """Return the digests of the rulings that took over, in order."""
    return [one["ruling"] for one in inputs(state, "Reload")]


def last_good_ruling(root: Path, state: Path) -> str:
    """Return the digest of the ruling that the last good file holds."""
    source, why = load_last_good(state / "last_good")
    assert source is not None, why
    return config_from_source(root, source).ruling().digest


def wait_for(what: Callable[[], bool], *, within: float = 30, every: float = 0.01) -> None:
    """Wait until `what` is so; seconds."""
    end = time.monotonic() + within
    while not what():
        assert time.monotonic() < end, "it never came"
        time.sleep(every)


def write_part(path: Path, begin: int, end: int, *, of: str = "demo") -> str:
    """Write the part of the tape `of` from `begin` to `end` (s after its first event), and return its file's name."""
    tape = named_tape(of)
    first = tape.header.first_at
    with TapeWriter(path, source=f"a part of {of}") as writer:
        for instrument in tape.header.instruments:
            writer.define(instrument)
        for at, event in tape.events():
            if at - first >= end * SECOND:
                break
            if begin * SECOND <= at - first:
                writer.write(event, at)
    return str(path)


def flood(run: Run, count: int) -> None:
    """Send many SIGHUPs."""
    for _ in range(count):
        os.kill(run.child.pid, signal.SIGHUP)
        time.sleep(0.001)
