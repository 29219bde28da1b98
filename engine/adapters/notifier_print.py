"""Notices on a tape run: kept in the journal as effects, shown by the narrator, sent to nobody."""

from __future__ import annotations

from engine.model.effects import Notify


class JournalledNotifier:
    """Counts notices by whom they are for. On paper nobody is paged: the effect itself is the record."""

    def __init__(self) -> None:
        self.told: dict[str, int] = {}

    def notify(self, notice: Notify) -> None:
        """Take `notice`; never raises."""
        self.told[notice.to] = self.told.get(notice.to, 0) + 1
