"""The one object a run ends with: what happened, in numbers that two runs can compare."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from engine.core.checkpoint import dump_state
from engine.core.report import pnl_usd, status
from engine.core.state import State
from engine.model.codec import canonical
from engine.ports.feed import Tape


@dataclass(slots=True)
class Pauses:
    """How long each checkpoint held the loop, in ns."""

    taken: list[int] = field(default_factory=list)

    def p99_ms(self) -> float:
        """Return the 99th percentile in ms; 0 when there was none."""
        if not self.taken:
            return 0.0
        ordered = sorted(self.taken)
        return ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))] / 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """What the summary is made of, beside the state."""

    seconds: float
    events: int
    digest: bytes
    resumed_from_seq: int
    pauses: Pauses
    stopped: str
    processed: int
    """Events this process took, which after a resumption are fewer than `events`."""


def summarize(state: State, tape: Tape, ending: Ending) -> dict[str, Any]:
    """Return the summary of a run that has ended. `seconds` and rates are wall time; the rest repeats exactly."""
    tally = state.tally
    spent = sum(tally.in_level.values())
    shown = status(state)
    taker = tally.taker_slippage_sum / tally.taker_fills if tally.taker_fills else None
    return {
        "events": ending.events,
        "seconds": round(ending.seconds, 3),
        "events_per_second": round(ending.processed / ending.seconds) if ending.seconds > 0 else 0,
        "transitions": tally.transitions, "orders": tally.orders, "fills": tally.fills, "refused": tally.refused,
        "skips": dict(sorted(tally.skips.items())),
        "level": state.policy.general.level.word,
        "normal_share": round(tally.in_level.get("normal", 0) / spent, 6) if spent else 0.0,
        "partly_restrained_share": round(tally.in_part / spent, 6) if spent else 0.0,
        "warm_up_s": round((tally.warm_at - tally.started_at) / 1e9, 3) if tally.warm_at else None,
        "notifications": tally.notifications,
        "latches": shown["latches"],
        "pnl_usd": round(pnl_usd(state), 2),
        "taker_slippage_bps": None if taker is None else round(taker, 3),
        "taker_fills": tally.taker_fills,
        "positions": shown["positions"],
        "generation": state.generation, "candidate": shown["candidate"],
        "digest": ending.digest.hex(),
        "state_digest": sha256(canonical(dump_state(state))).hexdigest(),
        "resumed_from_seq": ending.resumed_from_seq,
        "stopped": ending.stopped,
        "damaged": [f"line {found.line}: {found.what}" for found in tape.damaged],
        "damaged_count": len(tape.damaged),
        "clamped": tape.clamped,
        # What this process did: a resumed run did less, so it compares with nothing but its own events.
        "work": {"evaluations": state.book.evaluations, "window_updates": state.snapshot.window_updates},
        "checkpoint_pause_ms": {"count": len(ending.pauses.taken), "p99": round(ending.pauses.p99_ms(), 3)},
    }
