"""An engine that kills itself at one boundary of an order's life: KILL_AT=boundary:INTENT in its environment.

Everything else is the real thing: the command line, the journal on the disk, ccxt, sockets.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from engine.adapters.journal_sqlite import SqliteJournal
from engine.cli.narrator import Narrator
from engine.model.effects import Effect, PlaceOrder
from engine.model.events import Event, OrderAccepted, OrderFilled, RunMode, VenueEvent
from engine.runtime.live import run_live
from engine.runtime.options import RunOptions
from engine.runtime.settings_live import LiveSettings
from engine.runtime.statedir import JOURNAL
from engine.runtime.wiring_live import build_world
from engine.runtime.world import Ears, World

BOUNDARIES = (
    "before_commit", "after_commit", "at_gate", "before_told", "after_accept", "before_fill", "after_fill",
)


class Executioner:
    """Ends the process at its boundary, for the first order of its intent."""

    def __init__(self, boundary: str, intent: str) -> None:
        self.boundary, self.intent = boundary, intent
        self.ids: set[str] = set()

    def at(self, boundary: str) -> None:
        if boundary == self.boundary:
            os.kill(os.getpid(), signal.SIGKILL)


class DoomedJournal(SqliteJournal):
    """The real journal, with a process that may end on either side of a commit."""

    executioner: Executioner
    _planned = _accepted = _filled = False

    def append_effect(
        self, n: int, seq: int, at: int, effect: Effect, raw: bytes, digest: bytes
    ) -> None:
        super().append_effect(n, seq, at, effect, raw, digest)
        if isinstance(effect, PlaceOrder) and effect.intent.value == self.executioner.intent:
            self.executioner.ids.add(effect.client_id)
            self._planned = True

    def append_input(self, seq: int, at: int, event: Event) -> None:
        super().append_input(seq, at, event)
        self._accepted |= isinstance(event, OrderAccepted) and event.client_id in self.executioner.ids
        self._filled |= isinstance(event, OrderFilled) and event.fill.client_id in self.executioner.ids

    def commit(self, *, durable: bool = False) -> None:
        if self._planned:
            self.executioner.at("before_commit")
        super().commit(durable=durable)
        for name, due in (
            ("after_commit", self._planned), ("after_accept", self._accepted), ("after_fill", self._filled)
        ):
            if due:
                self.executioner.at(name)
        self._planned = False


def doomed_journal(executioner: Executioner) -> Callable[[Path], SqliteJournal]:
    def opened(state: Path) -> SqliteJournal:
        journal = DoomedJournal.open(state / JOURNAL)
        assert isinstance(journal, DoomedJournal)
        journal.executioner = executioner
        return journal

    return opened


def doomed_world(executioner: Executioner) -> Callable[[LiveSettings, Ears], World]:
    def built(live: LiveSettings, ears: Ears) -> World:
        def gate(order: PlaceOrder) -> str:
            if order.intent.value == executioner.intent:
                executioner.at("at_gate")
            return ears.gate(order)

        def tell(event: VenueEvent) -> None:
            if isinstance(event, OrderAccepted) and event.client_id in executioner.ids:
                executioner.at("before_told")
            if isinstance(event, OrderFilled) and event.fill.client_id in executioner.ids:
                executioner.at("before_fill")
            ears.tell(event)

        return build_world(live, replace(ears, gate=gate, tell=tell))

    return built


def main() -> None:
    boundary, intent = os.environ["KILL_AT"].split(":")
    executioner = Executioner(boundary, intent)
    state = Path(sys.argv[sys.argv.index("--state") + 1])
    run_live(
        RunOptions(
            root=Path.cwd(), mode=RunMode.LIMITED_LIVE, venue="binanceusdm", state_dir=state,
            environment=dict(os.environ),
            journal=doomed_journal(executioner), world=doomed_world(executioner),
        ),
        Narrator(),
    )


if __name__ == "__main__":
    main()
