"""A small catalogue with one signal of every kind, and short ways to say what a test needs."""

from __future__ import annotations

from engine.model.samples import InputRef, SignalKind, SignalSpec, Status, Unit
from engine.model.time import SECOND
from engine.signals.catalogue import Catalogue
from engine.signals.snapshot import Snapshot

OK, STALE, MISSING, INVALID = Status.OK, Status.STALE, Status.MISSING, Status.INVALID
NO_SAMPLES, NO_COVERAGE, UNWIRED = Status.NO_SAMPLES, Status.NO_COVERAGE, Status.UNWIRED


def spec(name: str, kind: SignalKind, **fields: object) -> SignalSpec:
    """Return a spec with what the tests do not care about filled in."""
    whole: dict[str, object] = {
        "name": name, "kind": kind, "unit": Unit.COUNT, "summary": name, "producer": "feed.test", **fields
    }
    return SignalSpec(**whole)  # type: ignore[arg-type]


GAUGE = spec("gauge", SignalKind.GAUGE, labels=("venue",), low=-100.0, high=100.0, period=SECOND, max_age=10 * SECOND)
STATE = spec("state", SignalKind.STATE, low=0.0, high=2.0, max_age=10 * SECOND, resolution=1.0)
COUNTER = spec("counter", SignalKind.COUNTER, labels=("venue",), low=0.0, resolution=1.0)
EVENT = spec("event", SignalKind.EVENT, labels=("venue",), low=-1000.0, high=1000.0, resolution=0.01)
POLLED = spec("polled", SignalKind.EVENT, max_age=60 * SECOND, producer="feed.polls")
INNER = spec("inner", SignalKind.EVENT, producer="core.execution")
SWITCH = spec("switch", SignalKind.STATE, unit=Unit.BOOL, max_age=10 * SECOND)
WORD = spec("word", SignalKind.STATE, unit=Unit.ENUM, values=("red", "green"), max_age=10 * SECOND)
CATALOGUE = Catalogue([GAUGE, STATE, COUNTER, EVENT, POLLED, INNER, SWITCH, WORD])

T0 = 1_000 * SECOND
"""When the tests begin."""


def value_of(name: str) -> InputRef:
    """Return the input that reads the last value of `name`."""
    return InputRef(reads="value", signal=name)


def over(reads: str, name: str, seconds: float, *, quantile: float = 0.0, coverage: float = 0.8) -> InputRef:
    """Return a window function over the last `seconds` of `name`."""
    return InputRef(
        reads=f"{reads}_over", signal=name, window=round(seconds * SECOND), quantile=quantile, coverage=coverage
    )


def snapshot() -> Snapshot:
    """Return a snapshot of the test catalogue whose event producer is up."""
    made = Snapshot(CATALOGUE)
    made.set_producer("feed.test", True, T0)
    return made


def run_to(known: Snapshot, at: int) -> None:
    """Fire every timer due up to `at`, each at its own instant, as the core does."""
    due = known.next_due()
    while due is not None and due <= at:
        known.fire(due)
        due = known.next_due()


def put(known: Snapshot, slot: int, value: object, seconds: float) -> None:
    """Put a sample so many seconds after T0, timers first."""
    at = T0 + round(seconds * SECOND)
    run_to(known, at)
    known.put(slot, value, at, at)  # type: ignore[arg-type]


def look(known: Snapshot, slot: int, seconds: float) -> object:
    """Return the value of a slot so many seconds after T0, or its status if it cannot be believed."""
    run_to(known, T0 + round(seconds * SECOND))
    status = Status(known.status[slot])
    return known.values[slot] if status is OK else status
