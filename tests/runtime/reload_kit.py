"""A small configuration on a real disk, and somebody who watches it and takes over what `prepare` hands over."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from engine.model.time import MS
from engine.ports.hints import Hints
from engine.ruleset.ruling import pair_digest
from engine.runtime.candidate import Asked, Candidate, Refused, prepare
from engine.runtime.config import Config, load_config
from engine.runtime.settings import ReloadSettings
from engine.runtime.watch import RuleWatch

ROOT = Path(__file__).parents[2]
NAMES = ("a", "b", "deep/c")
OLD, NEW = 0.5, 0.4
"""Sizes that entries are cut back to: the new set is the stricter one, so it needs nobody's leave."""
QUICK = ReloadSettings(poll=200 * MS, quiesce=60 * MS, max_quiesce=1000 * MS)
SLOW_POLL = replace(QUICK, poll=3_600_000 * MS)
"""Only hints and people are heard."""


def rule(name: str, size: float, *, extra: str = "") -> str:
    """Return a rule file with one rule."""
    return (
        f"version: 1\nrules:\n  - id: cutback.{name.replace('/', '_')}\n    kind: cutback\n    summary: A thing\n"
        f"    runbook: RUNBOOK.md#test\n    expr: health_measured >= 2\n    restrain: {{size_mult: {size}}}\n{extra}"
    )


def write_rules(root: Path, size: float) -> None:
    """Write the rule files of one set, one after the other, each in place."""
    for name in NAMES:
        path = root / "rules" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(rule(name, size))


def make_root(root: Path, size: float = OLD) -> Path:
    """Make a whole configuration under `root` and return it."""
    shutil.copytree(ROOT / "conf", root / "conf")
    (root / "RUNBOOK.md").write_text("# test\n")
    write_rules(root, size)
    return root


def digest_of(size: float, place: Path) -> str:
    """Return the digest of the ruling of one set, read from a place of its own."""
    if not place.exists():
        make_root(place, size)
    return load_config(place, {}).ruling().digest


@dataclass
class Taker:
    """Takes over every candidate, as an engine would, and remembers all it was handed."""

    root: Path
    base: Config
    known: dict[str, str]
    """What may be handed over: name -> ruling digest."""
    asked: Asked
    watch: RuleWatch
    handed: list[Candidate | Refused] = field(default_factory=list)
    reading: int = 0
    most_at_once: int = 0

    async def take(self) -> None:
        """Read whenever the watch says so, until it is left."""
        while (notice := await self.watch.settled()) is not None:
            self.reading += 1
            self.most_at_once = max(self.most_at_once, self.reading)
            result = await asyncio.to_thread(prepare, self.root, {}, self.base, self._asked())
            self.reading -= 1
            self.watch.judged(result.fingerprint)
            self.handed.append(result)
            if isinstance(result, Candidate):
                self.base = result.config
            del notice

    def _asked(self) -> Asked:
        """Going back to the other known set loosens; whoever runs this test acknowledged exactly that."""
        now = self.base.ruling().digest
        other = next((one for one in self.known.values() if one != now), "")
        return replace(self.asked, allow=pair_digest(now, other) if other else "")

    @property
    def in_force(self) -> str:
        """The name of the set in force."""
        now = self.base.ruling().digest
        return next(name for name, digest in self.known.items() if digest == now)

    @property
    def refusals(self) -> list[str]:
        """Why readings came to nothing, in order."""
        return [one.reason for one in self.handed if isinstance(one, Refused)]

    async def until(self, name: str, *, within: float = 60) -> None:
        """Wait until the set `name` is in force."""
        async with asyncio.timeout(within):
            while self.in_force != name:
                await asyncio.sleep(0.01)

    async def refused(self, count: int = 1, *, within: float = 60) -> str:
        """Wait until `count` readings were refused; return why the last one was."""
        async with asyncio.timeout(within):
            while len(self.refusals) < count:
                await asyncio.sleep(0.01)
        return self.refusals[-1]

    async def taken(self, *, within: float = 60) -> None:
        """Wait until the last thing handed over is a candidate."""
        async with asyncio.timeout(within):
            while not self.handed or not isinstance(self.handed[-1], Candidate):
                await asyncio.sleep(0.01)

    async def rests(self, *, for_s: float = 0.5, within: float = 60) -> None:
        """Wait until nothing was handed over for a while: what was read last may take its time."""
        async with asyncio.timeout(within):
            before = -1
            while before != len(self.handed):
                before = len(self.handed)
                await asyncio.sleep(for_s)

    async def nothing(self, *, for_s: float = 0.5) -> None:
        """Assert that nothing is handed over for a while."""
        before = len(self.handed)
        await asyncio.sleep(for_s)
        assert len(self.handed) == before, self.handed[before:]


@asynccontextmanager
async def taking(
    root: Path, known: dict[str, str], *, settings: ReloadSettings = QUICK, hints: Hints | None = None,
    loosens: bool = False,
) -> AsyncIterator[Taker]:
    """Watch `root` and take over what comes of it; at the end see that only sets in `known` ever were in force.

    `loosens` says that a change which nobody acknowledged is part of the play.
    """
    base = load_config(root, {})
    assert base.usable, base.findings
    async with RuleWatch(root, settings, hints=hints, source=base.blobs.source) as watch:
        taker = Taker(root, base, known, Asked(settings=settings), watch)
        task = asyncio.create_task(taker.take())
        try:
            yield taker
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    for one in taker.handed:
        if isinstance(one, Candidate):
            assert one.digest in known.values(), one.what_changed
        elif not loosens:
            # A mixture of two good sets would be a change that nobody acknowledged.
            assert "acknowledged" not in one.reason, one.reason
    assert taker.most_at_once <= 1
