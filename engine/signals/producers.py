"""Who is alive. An event that did not happen is known not to have happened only while its producer is up.

A successful poll or a heartbeat is life, and so is an event itself. Producers inside this
process are up from the start: nobody could ask while they are down.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from engine.model.codec import Data
from engine.model.samples import Status
from engine.signals.followers import Followers
from engine.signals.series import Series
from engine.signals.slots import Slots
from engine.signals.staleness import Timers

IN_PROCESS = ("core.", "policy.")
"""How the names of producers inside this process begin."""
_STALE, _MISSING, _UNWIRED = int(Status.STALE), int(Status.MISSING), int(Status.UNWIRED)


@dataclass(slots=True)
class Producer:
    """One source of events: whether it is up, and when it last gave a sign of life (ns, -1 for never)."""

    up: bool
    life_at: int = -1
    ages: bool = True
    """Whether silence longer than a signal's max_age means that it is down."""
    events: list[Series] = field(default_factory=list)


class Producers:
    """The producers of event signals, and what their life makes of the signals."""

    def __init__(self, slots: Slots, timers: Timers, followers: Followers) -> None:
        self._slots = slots
        self._timers = timers
        self._followers = followers
        self._known: dict[str, Producer] = {}
        self.on_turn: Callable[[str, bool, str, int], None] | None = None
        """Told (producer, up, signal, at) when what is known of events turns; a signal is named where it alone does."""

    def adopt(self, series: Series) -> None:
        """Tie a new series of kind event to its producer."""
        producer = self._producer(series.spec.producer)
        producer.events.append(series)
        series.life = 0 if producer.up else _STALE if producer.life_at >= 0 else _MISSING
        self._watch(series, producer)

    def turn(self, name: str, up: bool, at: int) -> None:
        """Note that producer `name` is up, which is a sign of life, or is down."""
        producer = self._producer(name)
        turned = producer.up != up
        producer.up = up
        if up:
            producer.life_at = at
        for series in producer.events:
            if up != (series.life == 0):
                turned = True
                self._set_life(series, 0 if up else _STALE if producer.life_at >= 0 else _MISSING, at)
                self._watch(series, producer)
        if turned and self.on_turn is not None:
            self.on_turn(name, up, "", at)

    def silence(self, name: str, signal: str, at: int) -> None:
        """Note that producer `name` has been silent for longer than its event signal `signal` allows."""
        for series in self._producer(name).events:
            if series.spec.name == signal and not series.life:
                self._set_life(series, _STALE, at)

    def sample_came(self, series: Series, at: int) -> None:
        """Note that an event came: the best sign of life."""
        producer = self._producer(series.spec.producer)
        producer.life_at = at
        if series.life or not producer.up:
            self.turn(series.spec.producer, True, at)

    def ring(self, series: Series, at: int) -> None:
        """Look whether the producer of `series` has been silent for longer than the signal allows."""
        producer = self._producer(series.spec.producer)
        if series.life or not (producer.up and producer.ages and series.spec.max_age):
            return
        if producer.life_at + series.spec.max_age <= at:
            self._set_life(series, _STALE, at)
            if self.on_turn is not None:
                self.on_turn(series.spec.producer, False, series.spec.name, at)
        else:
            self._watch(series, producer)

    def _set_life(self, series: Series, life: int, at: int) -> None:
        series.life = life
        if self._slots.status[series.slot] == _UNWIRED:
            return
        self._slots.tell(series.slot, self._slots.values[series.slot], life or series.own)
        self._followers.refresh(series, at)

    def _watch(self, series: Series, producer: Producer) -> None:
        if producer.up and producer.ages and producer.life_at >= 0 and series.spec.max_age:
            self._timers.arm(series.slot, producer.life_at + series.spec.max_age)

    def _producer(self, name: str) -> Producer:
        known = self._known.get(name)
        if known is None:
            inside = name.startswith(IN_PROCESS)
            known = self._known[name] = Producer(up=inside, ages=not inside)
        return known

    def dump(self) -> Data:
        """Return [name, up, life_at] of every producer, by name: a resumed run meets them in another order."""
        return [[name, producer.up, producer.life_at] for name, producer in sorted(self._known.items())]

    def load(self, data: Data) -> None:
        """Become what `dump` saw; the series themselves know their own life."""
        for name, up, life_at in data:
            producer = self._producer(name)
            producer.up, producer.life_at = up, life_at
