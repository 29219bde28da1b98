"""When each venue's account is asked for, and what is held back until it agreed with what we count."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from engine.model.answers import AccountReported, AccountStream
from engine.model.codec import Data, from_data, to_data
from engine.model.effects import AskVenue
from engine.model.reports import Query
from engine.model.restraints import InForce, Level, Restraint, Scope
from engine.model.terms import ExecutionTerms
from engine.model.time import SECOND

FIRST_RETRY = SECOND
UNANSWERED = 30 * SECOND
_ENDS = {
    "start": "when the whole account was answered and agrees with what is counted, and no order of unknown fate is "
    "left from before the start",
    "stream": "when the stream of our own orders is back and the account was answered since and agrees",
    "stale": "when the account is answered again and agrees with what is counted",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """One venue: when its account is asked for next, and whether it agreed. Instants in ns."""

    venue: str
    held_since: int
    """When what is held began to be held."""
    needed_from: int
    """Only a report of this instant or later can agree."""
    why: str
    """start, stream, stale, or empty where the account agreed."""
    due_at: int
    wait: int = FIRST_RETRY
    asked: int = 0
    stale_at: int = 0
    """When an account that agreed is not believed any more; 0 while it does not agree."""
    alive: bool = True
    """Whether the stream of our own orders is not known to be broken."""


class Reconciler:
    """The venues that take real orders."""

    def __init__(self, terms: ExecutionTerms, number: Callable[[AskVenue], AskVenue]) -> None:
        self._terms, self._number = terms, number
        self._watches: dict[str, Watch] = {}
        self._soonest: int | None = None

    def begin(self, at: int, venues: Sequence[str]) -> None:
        """A run begins or goes on in a new process: nothing is agreed until it was asked."""
        self._watches = {
            venue: Watch(venue=venue, held_since=at, needed_from=at, why="start", due_at=at) for venue in sorted(venues)
        }
        self._measure()

    def venues(self) -> tuple[str, ...]:
        """Return the venues that are asked, sorted."""
        return tuple(sorted(self._watches))

    def ask_now(self, at: int) -> list[AskVenue]:
        """Return the question for every venue's account, whenever it was asked last."""
        return [self._ask(self._watches[venue], at) for venue in self.venues()]

    def due(self, at: int) -> list[AskVenue]:
        """Return the questions that are due."""
        if self._soonest is None or self._soonest > at:
            return []
        return [self._ask(watch, at) for _, watch in sorted(self._watches.items()) if watch.due_at <= at]

    def _ask(self, watch: Watch, at: int) -> AskVenue:
        ask = self._number(AskVenue(
            at=at, ask=0, query=Query.ACCOUNT, venue=watch.venue, why=_why(watch.why), urgent=bool(watch.why)
        ))
        self._put(replace(watch, asked=ask.ask, due_at=at + UNANSWERED))
        return ask

    def on_account(self, event: AccountReported, at: int, *, agrees: bool, busy: bool) -> None:
        """A whole account was answered. `agrees` says whether it is as we count it, `busy` whether anything is open."""
        watch = self._watches.get(event.venue)
        if watch is None:
            return
        if agrees and watch.alive and event.as_of >= watch.needed_from:
            watch = replace(watch, why="")
        if watch.why or not agrees:
            due_at, wait = at + watch.wait, min(2 * watch.wait, self._terms.reconcile_every)
        else:
            due_at, wait = at + (self._terms.reconcile_every if busy else self._terms.reconcile_idle), FIRST_RETRY
        stale_at = 0 if watch.why else due_at + self._terms.reconcile_stale
        self._put(replace(watch, asked=0, due_at=due_at, wait=wait, stale_at=stale_at))

    def on_failed(self, ask: int, at: int) -> None:
        """No answer: nothing is known better or worse than before, and it is asked again."""
        for watch in self._watches.values():
            if ask and watch.asked == ask:
                wait = min(2 * watch.wait, self._terms.reconcile_every)
                self._put(replace(watch, asked=0, due_at=at + watch.wait, wait=wait))
                return

    def on_stream(self, event: AccountStream, at: int) -> None:
        """The stream of our own orders broke or is back: until the account was asked since, it is not known."""
        watch = self._watches.get(event.venue)
        if watch is None:
            return
        if event.alive and watch.alive:
            # It began; had it broken before, somebody would have said so. It is looked at all the same.
            self._put(replace(watch, due_at=at))
            return
        self._put(replace(
            watch, alive=event.alive, why=watch.why or "stream", held_since=watch.held_since if watch.why else at,
            needed_from=at, stale_at=0, wait=FIRST_RETRY,
            due_at=at if event.alive else min(watch.due_at, at + FIRST_RETRY),
        ))

    def hasten(self, venue: str, at: int) -> None:
        """Something is open now: ask as often as that deserves."""
        watch = self._watches.get(venue)
        if watch is not None and watch.due_at > at + self._terms.reconcile_every:
            due_at = at + self._terms.reconcile_every
            stale_at = watch.stale_at and due_at + self._terms.reconcile_stale
            self._put(replace(watch, due_at=due_at, stale_at=stale_at))

    def on_timer(self, at: int) -> None:
        """What nobody answered for too long is not agreed any more."""
        for venue in self.venues():
            watch = self._watches[venue]
            if 0 < watch.stale_at <= at:
                self._put(replace(watch, why="stale", held_since=at, needed_from=at, stale_at=0))

    def holds(self) -> tuple[InForce, ...]:
        """Return what is restrained at each venue whose account is not known to be as we count it."""
        return tuple(
            InForce(
                rule="engine.unreconciled", instance=f"engine.unreconciled[{watch.venue}]",
                scope=Scope(venue=watch.venue), restraint=Restraint(level=Level.REDUCE_ONLY), because="held",
                since=watch.held_since, ends=_ENDS[watch.why], clear_with="engine reconcile",
            )
            for _, watch in sorted(self._watches.items()) if watch.why
        )

    def held_from(self, venue: str) -> int:
        """Return from when on a report can agree (ns), 0 where nothing is held."""
        watch = self._watches.get(venue)
        return watch.needed_from if watch is not None and watch.why else 0

    def next_due(self) -> int | None:
        """Return when something is due (ns), or None."""
        return self._soonest

    def _put(self, watch: Watch) -> None:
        self._watches[watch.venue] = watch
        self._measure()

    def _measure(self) -> None:
        dues = [watch.due_at for watch in self._watches.values()]
        dues += [watch.stale_at for watch in self._watches.values() if watch.stale_at]
        self._soonest = min(dues, default=None)

    def dump(self) -> Data:
        """Return everything as JSON data."""
        return [to_data(watch) for _, watch in sorted(self._watches.items())]

    def load(self, data: Data) -> None:
        """Become what `dump` wrote."""
        watches: list[Watch] = [from_data(Watch, item) for item in data]
        self._watches = {watch.venue: watch for watch in watches}
        self._measure()


def _why(held: str) -> str:
    words = {"start": "a run began", "stream": "the stream broke", "stale": "no answer for too long"}
    return words.get(held, "schedule")
