"""What goes wrong with which order, question and stream, as data: the same plan gives the same trouble in every run.

A lost reply is the dangerous one: the order is worked, and nobody told us. Its sender hears
nothing until it gives up waiting and calls the order uncertain; its fills still come, on the
stream of fills, which is another connection. Worse is one that cannot even be found for a while.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b

from engine.model.effects import PlaceOrder
from engine.model.orders import Intent
from engine.model.reports import Query
from engine.model.time import SECOND


class FaultKind(StrEnum):
    """Kinds of trouble an order can meet."""

    REJECT = "reject"
    """The exchange refuses the order, with the fault's `reason`."""
    LOST_ORDER = "lost_order"
    """The order never arrives; its sender hears nothing."""
    LOST_REPLY = "lost_reply"
    """The order arrives and is worked; the reply, acceptance or rejection, is lost. Who asks for it finds it."""
    LOST_CANCEL = "lost_cancel"
    """The wish to cancel it arrives and is done; the reply is lost."""
    INVISIBLE = "invisible"
    """As a lost reply, and until `delay` after its arrival no lookup, list or stream shows the order."""
    LAGGING = "lagging"
    """The reply comes, but lookups, lists and the stream do not show the order until `delay` after its arrival."""
    DELAY = "delay"
    """Every answer about the order comes `delay` later and may be overtaken by others."""
    REORDERED = "reordered"
    """The reply comes `delay` later than it should: the order's fills overtake its acceptance."""
    DUPLICATE = "duplicate"
    """Every answer about the order comes a second time, `delay` later."""
    VANISHED = "vanished"
    """`delay` after it was sent the exchange takes the order out by itself, and says so."""


UNHEARD = frozenset({FaultKind.LOST_ORDER, FaultKind.LOST_REPLY, FaultKind.INVISIBLE})
"""After these the sender hears no reply to its order, and calls it uncertain."""
HIDING = frozenset({FaultKind.INVISIBLE, FaultKind.LAGGING})


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault, of the order with this `client_id` or, where that is empty, of the `nth` order sent (from 1)."""

    kind: FaultKind
    client_id: str = ""
    nth: int = 0
    delay: int = 0
    """How much later answers come, in ns; on a lost reply, how much later its fills come."""
    reason: str = "fault"

    def __post_init__(self) -> None:
        if bool(self.client_id) is (self.nth > 0):
            raise ValueError("a fault names either a client_id or the nth order")
        if self.delay < 0:
            raise ValueError(f"a delay of {self.delay} ns would answer before the question")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chance:
    """Each order meets a fault of this `kind` with `probability` (0 to 1), drawn from the plan's seed."""

    kind: FaultKind
    probability: float
    delay: int = 0
    reason: str = "fault"

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= 1:
            raise ValueError(f"{self.probability} is no probability")
        if self.delay < 0:
            raise ValueError(f"a delay of {self.delay} ns would answer before the question")


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryFault:
    """A question that fails: the `nth` question asked (from 1), or each of a kind with `probability`."""

    query: Query | None = None
    """Only questions of this kind; None for every kind."""
    nth: int = 0
    probability: float = 0.0
    delay: int = 0
    """How much later than the answer would have come the failure is told, in ns."""
    unable: bool = False
    """A probe of stops does not fail: it is answered with no."""
    reason: str = "fault"

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= 1 or (self.nth > 0) is (self.probability > 0):
            raise ValueError("a fault of questions names either the nth question or a probability up to 1")
        if self.delay < 0:
            raise ValueError(f"a delay of {self.delay} ns would answer before the question")


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """From `start` to `end` (ns) the stream tells nothing, and what it would have told is lost. Replies still come."""

    start: int
    end: int
    venue: str = ""
    """Whose stream it is called when the silence is noticed; empty where nobody notices."""
    noticed_after: int = 30 * SECOND
    """How long after its start the silence is noticed, if it lasts so long."""

    def __post_init__(self) -> None:
        if self.end <= self.start:
            raise ValueError("a silence ends after it began")


@dataclass(frozen=True, slots=True, kw_only=True)
class Spell:
    """A time in which each order of a sort meets a fault of this `kind`; where that is None, each question fails."""

    kind: FaultKind | None
    start: int
    end: int
    """In [start, end), ns, the order leaves, or the question."""
    symbol: str = ""
    intent: Intent | None = None
    purpose: str = ""
    """What the purpose of the order has in it; empty, as the two above, for any."""
    delay: int = 0
    reason: str = "fault"

    def __post_init__(self) -> None:
        if self.end <= self.start:
            raise ValueError("a spell ends after it began")
        if self.delay < 0:
            raise ValueError(f"a delay of {self.delay} ns would answer before the question")

    def meets(self, order: PlaceOrder, at: int) -> bool:
        """Whether `order`, sent at `at` (ns), is of the sort."""
        return (
            self.kind is not None and self.start <= at < self.end and self.symbol in ("", order.symbol)
            and self.intent in (None, order.intent) and self.purpose in order.purpose
        )


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """All that goes wrong in a run. The first fault that matches an order is the one it meets."""

    faults: tuple[Fault, ...] = ()
    chances: tuple[Chance, ...] = ()
    queries: tuple[QueryFault, ...] = ()
    silences: tuple[Silence, ...] = ()
    seed: str = "0"
    spells: tuple[Spell, ...] = ()
    """Behind all others: what no other fault befalls."""

    def of(self, client_id: str, number: int) -> Fault | None:
        """Return what happens to the order `client_id`, the `number`-th sent; None for nothing."""
        for fault in self.faults:
            if fault.client_id == client_id or fault.nth == number:
                return fault
        for place, chance in enumerate(self.chances):
            if self._drawn(f"order|{place}|{client_id}") < chance.probability:
                return Fault(kind=chance.kind, client_id=client_id, delay=chance.delay, reason=chance.reason)
        return None

    def of_question(self, query: Query, number: int) -> QueryFault | None:
        """Return what happens to the `number`-th question asked, which is of the kind `query`; None for nothing."""
        for place, fault in enumerate(self.queries):
            if fault.query not in (None, query):
                continue
            if fault.nth == number or self._drawn(f"query|{place}|{number}") < fault.probability:
                return fault
        return None

    def during(self, order: PlaceOrder, at: int) -> Fault | None:
        """Return what the time at which `order` leaves (`at`, ns) does to it; None for nothing."""
        for spell in self.spells:
            if spell.kind is not None and spell.meets(order, at):
                return Fault(kind=spell.kind, client_id=order.client_id, delay=spell.delay, reason=spell.reason)
        return None

    def question_during(self, at: int) -> QueryFault | None:
        """Return what becomes of a question that leaves at `at` (ns); None where it is answered."""
        for spell in self.spells:
            if spell.kind is None and spell.start <= at < spell.end:
                return QueryFault(probability=1.0, delay=spell.delay, reason=spell.reason)
        return None

    def silent(self, at: int) -> bool:
        """Whether what the stream would tell at `at` (ns) is lost."""
        return any(silence.start <= at < silence.end for silence in self.silences)

    def _drawn(self, what: str) -> float:
        raw = blake2b(f"{self.seed}|{what}".encode(), digest_size=8).digest()
        return int.from_bytes(raw) / 2**64


NO_FAULTS = FaultPlan()
