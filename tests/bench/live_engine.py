"""`python -m tests.bench.live_engine STATE MARKS`: an engine as a user runs it, and when what happened in it.

The command's own run, journal, ccxt and sockets. Added are stamps (the wall's clock, ns) where the
outside meets the engine, a journal whose commits are timed, and a sampler of the processor: every
10 ms of processor time it looks at which code holds the core. Nothing in the engine is replaced.
"""

from __future__ import annotations

import faulthandler
import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from engine.adapters.journal_sqlite import SqliteJournal
from engine.model.effects import CommandAnswered, Effect, OrderRefused, PlaceOrder, PlanMade, PolicyChanged
from engine.model.events import OrderAccepted, RunMode, VenueEvent
from engine.model.market import Announcement, MarketEvent, Quote
from engine.runtime.live import run_live
from engine.runtime.options import RunInfo, RunOptions
from engine.runtime.settings_live import LiveSettings
from engine.runtime.statedir import JOURNAL
from engine.runtime.wiring_live import build_world
from engine.runtime.world import Ears, World
from tests.conftest import ROOT

SAMPLE_S = 0.01
"""Seldom: each sample puts a byte into the pipe by which asyncio hears of signals, SIGTERM among them."""
_OURS = f"{ROOT}/engine/"
CCXT, DECIDING, KEEPING, ADAPTER, FEEDS, RUNTIME, REST = (
    "ccxt, its HTTP client included", "core: signals, rules, policy, strategy, orders", "journal and its encoding",
    "venue adapter around ccxt", "market feeds", "loop, queue, status, operator", "sockets and event loop, no owner",
)
_ROOMS = {
    "adapters/journal": KEEPING, "runtime/record": KEEPING, "adapters/venue_": ADAPTER, "adapters/feed_": FEEDS,
    "runtime/": RUNTIME, "adapters/": RUNTIME, "core/": DECIDING, "execution/": DECIDING, "strategies/": DECIDING,
    "risk/": DECIDING, "policy/": DECIDING, "ruleset/": DECIDING, "signals/": DECIDING,
}


class Marks:
    """Stamps in memory, written at the end; those of `now` are written at once, because a kill may follow."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows: list[tuple[int, str, str]] = []
        self._now = path.with_suffix(".now").open("a")

    def note(self, kind: str, key: str) -> None:
        self._rows.append((time.time_ns(), kind, key))

    def now(self, kind: str, key: str) -> None:
        print(json.dumps([time.time_ns(), kind, key]), file=self._now, flush=True)

    def write(self, **more: Any) -> None:
        self._path.write_text(json.dumps({"rows": self._rows, **more}))


class Sampler:
    """Who holds the processor, by second of the wall's clock."""

    def __init__(self) -> None:
        self.found: dict[int, Counter[str]] = {}
        self.hot: Counter[str] = Counter()
        """Our own functions by how often they were innermost of ours: with what they call outside of ours."""
        self._owners: dict[CodeType, str] = {}

    def start(self) -> None:
        signal.signal(signal.SIGPROF, self._look)
        signal.setitimer(signal.ITIMER_PROF, SAMPLE_S, SAMPLE_S)

    def _look(self, _: int, frame: FrameType | None) -> None:
        second = int(time.time())
        owner = self._owner(frame)
        self.found.setdefault(second, Counter())[owner] += 1
        while frame is not None and not frame.f_code.co_filename.startswith(_OURS):
            frame = frame.f_back
        if frame is not None and owner != REST:
            self.hot[f"{frame.f_code.co_filename.removeprefix(_OURS)} {frame.f_code.co_qualname}"] += 1

    def _owner(self, frame: FrameType | None) -> str:
        """Return whose the innermost code is that belongs to somebody: a library works for who called it."""
        while frame is not None:
            code = frame.f_code
            owner = self._owners.get(code)
            if owner is None:
                owner = self._owners[code] = _owner_of(code)
            if owner:
                return owner
            frame = frame.f_back
        return REST


def _owner_of(code: CodeType) -> str:
    path = code.co_filename.replace(os.sep, "/")
    if "/ccxt/" in path:
        return CCXT
    if path.endswith("asyncio/base_events.py") and code.co_name == "_run_once":
        return REST
    if path.startswith(_OURS):
        inside = path.removeprefix(_OURS)
        return next((owner for room, owner in _ROOMS.items() if inside.startswith(room)), "")
    return ""


class TimedJournal(SqliteJournal):
    """The real journal: says what it was told of, and how long its commits took."""

    marks: Marks
    commits: list[tuple[int, int]]
    """When each synced commit ended (ns, wall), and how long it took (ns)."""
    _decided: list[str]

    def append_effect(
        self, n: int, seq: int, at: int, effect: Effect, raw: bytes, digest: bytes
    ) -> None:
        super().append_effect(n, seq, at, effect, raw, digest)
        if isinstance(effect, PlaceOrder):
            self.marks.note("decided", effect.client_id)
            self._decided.append(effect.client_id)
        elif isinstance(effect, CommandAnswered) and effect.verb == "halt":
            # In the same turn as the command, and behind the policy that it made.
            self.marks.note("latched", "")
        elif isinstance(effect, OrderRefused):
            self.marks.now("refused", f"{effect.symbol} {effect.intent.value} {effect.detail}")
        elif isinstance(effect, PlanMade) and effect.state == "ignored":
            self.marks.now("ignored", f"{effect.symbol} {effect.text}")
        elif isinstance(effect, PolicyChanged):
            self.marks.now("policy", f"{effect.level} {','.join(effect.binding)}")

    def commit(self, *, durable: bool = False) -> None:
        began = time.monotonic_ns()
        super().commit(durable=durable)
        if durable:
            self.commits.append((time.time_ns(), time.monotonic_ns() - began))
        for client_id in self._decided:
            self.marks.note("kept", client_id)
        self._decided.clear()


def timed_journal(marks: Marks, commits: list[tuple[int, int]]) -> Callable[[Path], SqliteJournal]:
    def opened(state: Path) -> SqliteJournal:
        journal = TimedJournal.open(state / JOURNAL)
        assert isinstance(journal, TimedJournal)
        journal.marks, journal.commits, journal._decided = marks, commits, []
        return journal

    return opened


def stamped_world(marks: Marks) -> Callable[[LiveSettings, Ears], World]:
    """Return what builds the real outside, with a stamp at each of its mouths."""
    def built(live: LiveSettings, ears: Ears) -> World:
        def gate(order: PlaceOrder) -> str:
            why = ears.gate(order)
            # Asked where ccxt is about to be called; the gate in front of the adapter is the drive's own.
            marks.note("withheld" if why else "gate", order.client_id)
            return why

        def tell(event: VenueEvent) -> None:
            if isinstance(event, OrderAccepted):
                marks.note("accepted", event.client_id)
            ears.tell(event)

        def tell_market(event: MarketEvent) -> None:
            if isinstance(event, Quote):
                marks.note("quote", f"{event.symbol} {event.bid}")
            elif isinstance(event, Announcement):
                marks.now("announced", " ".join(event.symbols))
            ears.tell_market(event)

        return build_world(live, replace(ears, gate=gate, tell=tell, tell_market=tell_market))

    return built


class Silent:
    """Watches and says nothing but warnings: what is printed would be measured too."""

    def start(self, info: RunInfo) -> None:
        """Take what the run is."""

    def effect(self, effect: Effect) -> float:
        """Take one effect."""
        return 0.0

    def warn(self, text: str) -> None:
        """Say what a person should read."""
        print(text, file=sys.stderr, flush=True)

    def progress(self, at: int, events: int) -> None:
        """Take where the run stands."""

    def finish(self, summary: dict[str, Any]) -> None:
        """Take the summary."""


def main() -> None:
    """Run until SIGTERM, then write the stamps; SIGKILL leaves only those that are written at once."""
    state, path = Path(sys.argv[1]), Path(sys.argv[2])
    marks, sampler = Marks(path), Sampler()
    commits: list[tuple[int, int]] = []
    marks.now("begun", "")
    faulthandler.register(signal.SIGUSR1)
    sampler.start()
    run_live(
        RunOptions(
            root=Path.cwd(), mode=RunMode.LIMITED_LIVE, venue="binanceusdm", state_dir=state,
            environment=dict(os.environ),
            journal=timed_journal(marks, commits), world=stamped_world(marks),
        ),
        Silent(),
    )
    signal.setitimer(signal.ITIMER_PROF, 0.0)
    marks.write(
        commits=commits, samples={str(second): found for second, found in sampler.found.items()},
        hot=sampler.hot.most_common(12),
    )


if __name__ == "__main__":
    main()
