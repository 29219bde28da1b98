"""What goes wrong with which order, as data: the same plan gives the same trouble in every run.

A lost reply is the dangerous one: the order is worked, and nobody told us. Its sender hears
nothing until it gives up waiting and calls the order uncertain; its fills still come, on the
stream of fills, which is another connection.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class FaultKind(StrEnum):
    """Kinds of trouble."""

    REJECT = "reject"
    """The exchange refuses the order, with the fault's `reason`."""
    LOST_ORDER = "lost_order"
    """The order never arrives; its sender hears nothing."""
    LOST_REPLY = "lost_reply"
    """The order arrives and is worked; the reply, acceptance or rejection, is lost."""
    DELAY = "delay"
    """Every answer about the order comes `delay` later and may be overtaken by others."""


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


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """All that goes wrong in a run. The first fault that matches an order is the one it meets."""

    faults: tuple[Fault, ...] = ()

    def of(self, client_id: str, number: int) -> Fault | None:
        """Return what happens to the order `client_id`, the `number`-th sent; None for nothing."""
        for fault in self.faults:
            if fault.client_id == client_id or fault.nth == number:
                return fault
        return None


NO_FAULTS = FaultPlan()
