"""Parts that break are begun again, told once for each thing that is wrong, and no more once the run ends."""

from __future__ import annotations

import asyncio

from engine.ports.venue import VenueRefused
from engine.runtime.outside_parts import LONGEST_WAIT_S, OutsideParts


class Story:
    """A part that does what is written, one turn after the other, and ends the run behind the last."""

    def __init__(self, *turns: str) -> None:
        self.said: list[str] = []
        self.waits: list[float] = []
        self.shown: list[list[str]] = []
        self._turns = list(turns)
        self.parts = OutsideParts(self.said.append, lambda: 7, self._sleep)

    async def _sleep(self, wait: float) -> None:
        self.waits.append(wait)
        shown = [f"{one['part']} {one['what']} {one['since']} {one['tries']}" for one in self.parts.troubles()]
        self.shown.append(shown)

    async def part(self) -> None:
        turn = self._turns.pop(0)
        if not self._turns:
            self.parts.over = True
        if turn == "breaks":
            raise RuntimeError("a bug")
        if turn == "fine":
            self.parts.fine("venue")
            return
        raise VenueRefused(turn, "wait")

    def told(self) -> list[str]:
        asyncio.run(self.parts.keep("venue", self.part))
        return self.said


def test_the_same_trouble_is_one_line_and_stands_in_the_status_with_its_tries() -> None:
    """A venue that is down for an hour must not bury what else is said."""
    story = Story(*["no route to it"] * 9)
    assert story.told() == ["venue: no route to it; fix: wait"]
    assert story.shown[0] == ["venue no route to it; fix: wait 7 1"]
    assert story.shown[-1] == ["venue no route to it; fix: wait 7 9"]
    assert story.waits[0] < story.waits[1] < story.waits[-1] == LONGEST_WAIT_S


def test_another_trouble_is_another_line_and_its_end_is_told() -> None:
    """What changes is news: also that nothing is wrong any more."""
    story = Story("no route to it", "breaks", "breaks", "fine", "the key was refused")
    assert story.told() == [
        "venue: no route to it; fix: wait",
        "venue: it broke and is begun again: RuntimeError a bug",
        "venue: is fine again, after 3 tries",
        "venue: the key was refused; fix: wait",
    ]
    assert story.shown[3] == []
    assert story.waits[4] <= 1.0, "behind a time in which all was well it is tried again soon"


def test_nothing_is_begun_once_the_run_ends() -> None:
    story = Story("never")
    story.parts.over = True
    assert story.told() == []
