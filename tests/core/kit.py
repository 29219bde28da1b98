"""A core and its paper venue on a tape, driven as the loop drives them, but for the journal and the clock."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from itertools import islice

from engine.core.checkpoint import dump_state, load_state
from engine.core.state import State
from engine.core.step import Step, step, wake
from engine.model.codec import canonical, encode
from engine.model.effects import CommandAnswered, Effect, RuleMoved
from engine.model.events import Command, Event, Input, OrderWithheld, RunMode, Start, VenueEvent
from engine.model.market import OraclePrice, Quote
from engine.model.restraints import Level
from engine.model.time import MINUTE, SECOND
from engine.ports.feed import Damage, Tape, TapeEvent, TapeHeader
from engine.runtime.config import Config, load_config
from engine.runtime.cursor import FeedCursor
from engine.runtime.gate import PolicyGate
from engine.runtime.perform import Performer
from engine.runtime.wiring import Wired, wire
from engine.runtime.wiring_tapes import named_tape
from tests.conftest import ROOT

START = Start(
    mode=RunMode.DRY_RUN, epoch="kit", rules_digest="", catalogue_digest="", flags_digest="", settings_digest="",
    source_digest="",
)


@cache
def config() -> Config:
    """Return the configuration that is shipped, without anything from the environment."""
    found = load_config(ROOT, {})
    assert found.usable, found.findings
    return found


class Kept:
    """One reading of the demo tape, which is made once: beginning late on it costs nothing."""

    def __init__(self) -> None:
        self.header = heading()
        self.damaged: list[Damage] = []
        self.clamped = self.index = 0

    def events(self, from_index: int = 0) -> Iterator[tuple[int, TapeEvent]]:
        """Yield (at, event) from `from_index` on."""
        self.index = from_index
        for timed in islice(told()[1], from_index, None):
            self.index += 1
            yield timed


@cache
def heading() -> TapeHeader:
    """Return the header of the demo tape, which most tests need and nothing else of it."""
    return named_tape("demo").header


@cache
def told() -> tuple[TapeHeader, list[tuple[int, TapeEvent]]]:
    """Return all of the demo tape, which takes a second: not while a module is imported."""
    return heading(), list(named_tape("demo").events())


def demo() -> Tape:
    """Return a new reading of the demo tape."""
    return Kept()


def fresh(tape: Tape) -> Wired:
    """Return a core and a venue that know their rules and nothing else."""
    return wire(config(), tape, RunMode.DRY_RUN, at=tape.header.first_at)


class Drive:
    """One run. `heard` keeps the canonical bytes of every effect."""

    def __init__(
        self, script: Mapping[int, Command], payload: bytes | None = None, *,
        prepare: Callable[[State], None] = lambda state: None, made: Callable[[Tape], Wired] = fresh,
        played: Callable[[], Tape] = demo,
    ) -> None:
        """`script` are commands by the number of market events taken before them; `payload` goes on from there.

        `prepare` is shown the core before it is loaded or begins, `made` makes it, and `played` opens the tape.
        """
        self._script = script
        tape = played()
        self.wired = made(tape)
        self.seq, self.at, self.taken = 0, tape.header.first_at, 0
        self._urgent: deque[VenueEvent] = deque()
        self.heard: list[bytes] = []
        self.effects: list[Effect] = []
        self.on_wake: Callable[[int, Sequence[Effect]], None] = lambda at, effects: None
        state, venue = self.wired.state, self.wired.venue
        self._performer = Performer(PolicyGate(state), venue, self.wired.notifier, self._withheld)
        position = 0
        if payload is not None:
            data = json.loads(payload)
            prepare(state)
            load_state(state, data["core"])
            venue.load(data["venue"])
            self.seq, self.at, self.taken = state.seq, state.at, data["taken"]
            position = data["position"]
        self._cursor = FeedCursor(tape, from_index=position)
        if payload is None:
            prepare(state)
            self._take(self.at, START)

    @property
    def state(self) -> State:
        """The core."""
        return self.wired.state

    def until(self, taken: int) -> Drive:
        """Go on until `taken` market events were taken, or the tape is over, and the urgent lane is empty."""
        while self._go(taken):
            pass
        return self

    def payload(self) -> bytes:
        """Return what a checkpoint holds now: core, venue and the place on the tape."""
        return canonical(
            {
                "core": dump_state(self.state), "venue": self.wired.venue.dump(), "taken": self.taken,
                "position": self._cursor.position,
            }
        )

    def _go(self, taken: int) -> bool:
        if self._urgent:
            self._take(self.at, self._urgent.popleft())
            return True
        soonest, due = self._cursor.at, self.wired.venue.next_due()
        if soonest is None or self.taken >= taken:
            return False
        if due is not None and due <= soonest:
            soonest = due
        woken = self.state.wake_at
        if woken is not None and woken < soonest:
            self.at = max(self.at, woken)
            made = wake(self.state, self.at)
            self.on_wake(self.at, made.effects)
            self._after(made)
        elif due == soonest:
            for reaches_at, answer in self.wired.venue.pop_due(due):
                self._take(reaches_at, answer)
        else:
            self._take_market(soonest)
        return True

    def _take_market(self, at: int) -> None:
        if self.taken in self._script:
            self._take(self.at, self._script[self.taken])
        event = self._cursor.event
        assert event is not None
        self._cursor.advance()
        self.wired.venue.on_market(event, max(self.at, at))
        self.taken += 1
        self._take(at, event)

    def _take(self, at: int, event: Event) -> None:
        self.at = max(self.at, at)
        self.seq += 1
        self._after(step(self.state, Input(self.seq, self.at, event)))

    def _after(self, made: Step) -> None:
        for effect in made.effects:
            self.effects.append(effect)
            self.heard.append(encode(effect))
            self._performer.perform(effect, self.at)

    def _withheld(self, event: OrderWithheld) -> None:
        self._urgent.append(event)


ORACLE = "guard.depeg.usdt"


class Core:
    """A core of its own, without a venue, fed by hand. Instants are ns after the first event of the demo tape."""

    def __init__(self, prepare: Callable[[State], None] = lambda state: None) -> None:
        """`prepare` is shown the core before it begins."""
        tape = demo()
        self.begin = tape.header.first_at
        self.state: State = fresh(tape).state
        self.seq = 0
        prepare(self.state)
        self.tell(0, START)

    def tell(self, at: int, event: Event) -> list[Effect]:
        """Take `event` and return its effects."""
        self.seq += 1
        return list(step(self.state, Input(self.seq, self.begin + at, event)).effects)

    def wake(self, at: int) -> list[Effect]:
        """Wake the core and return the effects."""
        return list(wake(self.state, self.begin + at).effects)

    def peg(self, at: int, price: float) -> list[Effect]:
        """Take an oracle round of USDT; of the other stablecoins it says that they are firm."""
        now = self.begin + at
        told = [
            self.tell(at, OraclePrice("oracle", asset, "USD", worth, str(at), now, now))
            for asset, worth in (("USDC", 1.0), ("FDUSD", 1.0), ("USDT", price))
        ]
        return [effect for effects in told for effect in effects]

    def quote(self, at: int, bid: float = 99.99) -> list[Effect]:
        """Take a quote of the one symbol there is."""
        now = self.begin + at
        return self.tell(at, Quote("paper", "XYZUSDT", bid, 10.0, bid + 0.02, 10.0, now, now))

    def fine(self, begin: int, until: int) -> None:
        """Let the market be fine from `begin` to `until`."""
        for at in range(begin, until + 1, 2 * SECOND):
            if at % MINUTE == 0:
                self.peg(at, 1.0)
            self.quote(at)

    def level(self) -> Level:
        """Return the level in force."""
        return self.state.policy.overall.level

    def fine_quotes(self, begin: int) -> None:
        """Let quotes be fine for the minute from `begin` on."""
        for at in range(begin, begin + MINUTE, 2 * SECOND):
            self.quote(at)

    def calm(self, begin: int = 0) -> int:
        """Let the market be fine for two minutes, so that nothing restrains; return the last instant of them."""
        until = begin + 2 * MINUTE
        self.fine(begin, until)
        assert self.state.policy.overall.level is Level.NORMAL, self.state.policy.in_force
        return until


def moves(effects: Sequence[Effect], rule: str) -> list[tuple[int, str]]:
    """Return (at, state) of the moves of `rule`."""
    return [(one.at, one.after) for one in effects if isinstance(one, RuleMoved) and one.rule == rule]


def answers(effects: Sequence[Effect]) -> list[CommandAnswered]:
    """Return what commands were told."""
    return [one for one in effects if isinstance(one, CommandAnswered)]
