"""Telling people."""

from __future__ import annotations

from typing import Protocol

from engine.model.effects import Notify


class Notifier(Protocol):
    """Takes notices and gets them to people.

    A notice is not a decision: losing one must be visible, but may never hold up or
    fail the engine. So `notify` returns at once and does not raise.
    """

    def notify(self, notice: Notify) -> None:
        """Take `notice` for delivery. `notice.to` is page, alert or digest."""
