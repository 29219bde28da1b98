"""How one input is taken: written down, decided, written down, done. The same on a tape and live."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from engine.core.state import State
from engine.core.step import Step, step, wake
from engine.model.effects import AskVenue, Effect
from engine.model.events import Command, Event, Input, VenueEvent
from engine.runtime.perform import Performer
from engine.runtime.record import Recorded


@dataclass(kw_only=True)
class Deciding:
    """What decides and what is done about it."""

    state: State
    record: Recorded
    performer: Performer
    observe: Callable[[Effect], float]
    """Shows an effect to whoever watches and returns how long to wait after it (wall seconds)."""
    keep: Callable[[int, int, Event], None] | None = None
    """Keeps a market event (seq, at, event) before it is taken, where nothing else could tell it again."""


class Taker:
    """Takes inputs one by one. `seq` and `at` are those of the last one."""

    def __init__(self, deciding: Deciding) -> None:
        self._deciding = deciding
        self.seq = deciding.state.seq
        self.at = deciding.state.at
        self.current: Command | VenueEvent | None = None
        """The urgent event that is being taken."""
        self._pause = 0.0

    def take_urgent(self, at: int, event: Command | VenueEvent) -> None:
        """Take a command or a venue event: journalled first, then decided, then done."""
        self.at = max(self.at, at)
        self.seq += 1
        self.current = event
        self._deciding.record.input(self.seq, self.at, event)
        self._after(step(self._deciding.state, Input(self.seq, self.at, event)), self.at)

    def _wake(self, due: int) -> None:
        self.at = max(self.at, due)
        self._after(wake(self._deciding.state, self.at), self.at)

    def _after(self, made: Step, at: int) -> None:
        deciding = self._deciding
        effects: Sequence[Effect] = made.effects
        deciding.record.effects(self.seq, at, effects)
        again = asked_again(effects) if len(effects) > 1 else frozenset()
        for effect in effects:
            if type(effect) is not AskVenue or effect.ask not in again:
                deciding.performer.perform(effect, at)
            self._pause += deciding.observe(effect)


def asked_again(effects: Sequence[Effect]) -> frozenset[int]:
    """Return the numbers of the questions of one turn that are asked again later in it.

    Timers that were due while no process ran, or while it stood still, all fire in one turn:
    hours of questions that are asked again and again until somebody answers. The last of each
    sort is the one that is waited for, and answers them all; sent at once, all together would
    cost a start the rate limits that its stops need.
    """
    newest: dict[tuple[str, ...], int] = {}
    again: set[int] = set()
    for effect in effects:
        if type(effect) is AskVenue:
            key = (effect.query, effect.venue, effect.symbol, effect.client_id, str(effect.conditional), effect.why)
            known = newest.get(key)
            if known is not None:
                again.add(known)
            newest[key] = effect.ask
    return frozenset(again)
