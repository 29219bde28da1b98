"""Where the engine says aloud what it did, for whoever listens.

Publishing never waits and never fails: a listener that is slow or gone loses messages,
which are counted, and costs the engine nothing. What must not be lost is in the journal.
"""

from __future__ import annotations

from typing import Protocol

from engine.model.codec import Data

TRADE_FILL = "trade.fill"
"""One message for each fill that was counted: the fields of `FillBooked`."""

HEALTH_STATE = "health.state"
"""One message for each change of the published health: the fields of `HealthChanged`."""


class Bus(Protocol):
    """Takes messages by topic."""

    def publish(self, topic: str, message: Data) -> None:
        """Hand `message` to everyone who listens to `topic` now."""
