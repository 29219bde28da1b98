"""Edited files into force while the engine runs: read, judged beside the loop, swapped in between two events.

One reading at a time. What takes over is an input of the core like a command: journalled
first, then taken, so that a resumed run takes it at the very place it had. A reading that
must not take over is an input too: people hear of it, and what is in force stays.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from engine.core.state import State
from engine.model.codec import Data
from engine.model.events import Command, Reload, ReloadRefused
from engine.ports.clock import Clock
from engine.ports.hints import Hints
from engine.ports.journal import Journal
from engine.runtime.acks import ACKS, Acks, read_acks
from engine.runtime.blast import Running
from engine.runtime.candidate import Asked, Candidate, Refused, prepare, warm
from engine.runtime.config import Config
from engine.runtime.control_protocol import ReloadRequest
from engine.runtime.disk import Wanted, fingerprint_of_texts, read_files
from engine.runtime.last_good import keep_last_good
from engine.runtime.tested import Passed
from engine.runtime.watch import RuleWatch

MOST_TOLD = 40
"""Lines of what changed that are journalled; more are counted."""
WARM_AFTER_S = 1.0
"""After the start, when it no longer competes with it."""
MOST_TRIES = 3
"""How often a reading is judged again because the ruling in force changed meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    """A configuration and the journal's blob it can be made of again."""

    config: Config
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What a reload needs of the run it happens in."""

    root: Path
    environment: Mapping[str, str]
    state: State
    journal: Journal
    clock: Clock
    last_good: Path
    hints: Hints | None
    submit: Callable[[Command], Awaitable[Data]]
    warms: bool = True
    """Whether there is time to read ahead: a tape at full speed is over before anybody edits a second file."""


class Reloader:
    """Watches the files of a run and brings what may take over into force."""

    def __init__(self, around: Around, known: dict[str, InForce]) -> None:
        """`known` has the configuration of every ruling of this run by its digest; those that come are added."""
        self._around = around
        self._known = known
        self._passed = Passed()
        self._waiting: list[tuple[ReloadRequest, asyncio.Future[Data]]] = []
        config = self.in_force().config
        self._watch = RuleWatch(
            around.root, config.settings.reload, hints=around.hints, source=config.blobs.source
        )

    def in_force(self) -> InForce:
        """Return the configuration that decides now."""
        return self._known[self._around.state.ruling.digest]

    def nudge(self, who: str) -> None:
        """Have the files read now; safe in a signal handler of the loop."""
        self._watch.nudge(who)

    async def ask(self, request: ReloadRequest) -> Data:
        """Have the files read for `request`, and answer with what became of it."""
        asked: asyncio.Future[Data] = asyncio.get_running_loop().create_future()
        self._waiting.append((request, asked))
        self._watch.nudge(request.actor)
        return await asked

    async def run(self) -> None:
        """Watch until cancelled."""
        warming = asyncio.create_task(self._warm())
        try:
            await self._watched()
        finally:
            warming.cancel()

    async def _warm(self) -> None:
        """Read what is in force once more when the start is over, so that the first edit is as quick as the second."""
        if not self._around.warms:
            return
        await asyncio.sleep(WARM_AFTER_S)
        await asyncio.to_thread(warm, self.in_force().config, self._passed)

    async def _watched(self) -> None:
        async with self._watch as watch:
            while (notice := await watch.settled()) is not None:
                waiting, self._waiting = self._waiting, []
                try:
                    answer = await self._read([request for request, _ in waiting], notice.asked)
                except asyncio.CancelledError:
                    for _, asked in waiting:
                        asked.cancel()
                    raise
                except Exception as error:
                    # Whatever breaks here is ours; what decides goes on deciding, and people hear of it.
                    broken = Refused(
                        reason=f"reading the files broke: {error!r}", fix="report this; the files may be good",
                        findings=(), fingerprint="", timings={},
                    )
                    answer = await self._refuse("engine", broken)
                for _, asked in waiting:
                    if not asked.done():
                        asked.set_result(answer)

    async def _read(self, requests: list[ReloadRequest], asked_by: tuple[str, ...]) -> Data:
        actor = ", ".join(asked_by) or "disk"
        allow = next((request.allow for request in requests if request.allow), "")
        answer: Data = {}
        for _ in range(MOST_TRIES):
            base = self.in_force()
            found = await asyncio.to_thread(
                prepare, self._around.root, self._around.environment, base.config, self._asked(actor, allow)
            )
            self._watch.judged(found.fingerprint)
            if isinstance(found, Refused):
                return await self._refuse(actor, found)
            if self._unchanged(base, found):
                return {"accepted": True, "text": f"nothing changed: generation {self._around.state.generation}"}
            answer = await self._swap(actor, base, found)
            if answer["accepted"] or self.in_force() is base:
                break
        return answer

    def _asked(self, actor: str, allow: str) -> Asked:
        around, state = self._around, self._around.state
        running = Running(
            at=state.at, snapshot=state.snapshot.dump(), book=state.book.dump(), flags=state.flags.dump(),
            producers=state.producers, in_force=state.book.restraints(),
        )
        return Asked(
            settings=self.in_force().config.settings.reload, allow=allow, actor=actor, at=around.clock.now(),
            passed=self._passed, acks=_acks(around.root), running=running,
        )

    def _unchanged(self, base: InForce, found: Candidate) -> bool:
        if self._around.state.reload_fault is not None:
            return False
        return found.same and found.fingerprint == fingerprint_of_texts(json.loads(base.config.blobs.source)["files"])

    async def _refuse(self, actor: str, found: Refused) -> Data:
        refused = ReloadRefused(actor=actor, what=found.reason, fix=found.fix)
        answer: Data = await self._around.submit(refused)
        told = {"fix": found.fix, "pair": found.pair, "findings": [str(one) for one in found.findings]}
        return {**answer, "reload": told}

    async def _swap(self, actor: str, base: InForce, found: Candidate) -> Data:
        around = self._around
        source = around.journal.put_blob(found.source)
        # The files of a ruling that decides alike may differ in layout: what is kept is what stands there now.
        before = self._known.get(found.digest)
        self._known[found.digest] = InForce(config=found.config, source=source)
        around.state.offered[found.digest] = found.ruling
        told = found.what_changed[:MOST_TOLD]
        if len(found.what_changed) > MOST_TOLD:
            told += (f"and {len(found.what_changed) - MOST_TOLD} more",)
        answer: Data = await around.submit(
            Reload(
                actor=actor, base=base.config.ruling().digest, ruling=found.digest, source_digest=source, changed=told,
                acknowledged_by=found.ack.by if found.ack is not None else "", commit=found.provenance.commit,
                dirty=found.provenance.dirty,
            )
        )
        if not answer["accepted"]:
            if before is not None:
                self._known[found.digest] = before
            return answer
        trouble = await asyncio.to_thread(keep_last_good, around.last_good, found.source)
        warnings = [str(one) for one in found.warnings]
        if trouble:
            warnings.append(trouble)
        steps = {step: round(ns / 1e6, 3) for step, ns in found.timings.items()}
        return {**answer, "reload": {"changed": list(told), "warnings": warnings, "steps_ms": steps}}


def _acks(root: Path) -> Acks:
    """Return what was acknowledged in the file beside the rules; one that cannot be read acknowledges nothing."""
    read = read_files(Wanted(files={ACKS: root / ACKS}, within=(root,)))
    acks, _ = read_acks(read.files.get(ACKS, b""), ACKS)
    return acks
