"""Another engine on the same account: it shows by orders of our own form that appear while we run and are not ours."""

from __future__ import annotations

from collections.abc import Sequence

from engine.model.codec import Data
from engine.model.effects import Notify
from engine.model.restraints import InForce, Level, Restraint, Scope
from engine.model.time import MINUTE
from engine.model.wishes import Wish

GONE = 10 * MINUTE
"""Without a new order of its for so long the other one is believed to have stopped."""
RULE = "engine.second"


class Second:
    """When another engine was first and last seen at each venue (ns)."""

    def __init__(self) -> None:
        self._looked: set[str] = set()
        """Venues whose account was read since this process began: what stood there then was left behind."""
        self._seen: dict[str, tuple[int, int]] = {}

    def begin(self) -> None:
        """A process begins."""
        self._looked.clear()
        self._seen.clear()

    def take(self, venue: str, at: int, names: Sequence[str]) -> list[Wish]:
        """Take the client ids of our form that a whole report lists and no record knows; return what is told."""
        first, known = venue not in self._looked, self._seen.get(venue)
        self._looked.add(venue)
        if names and not first:
            self._seen[venue] = (known[0] if known else at, at)
            text = (
                f"another engine trades on this account of {venue}: {names[0]} is not ours and was placed since this "
                "one began. Both count the same position: stop one of them. Nothing is begun here meanwhile"
            )
            return [] if known else [Notify(at=at, to="page", rule=RULE, text=text)]
        if known is not None and at - known[1] >= GONE:
            del self._seen[venue]
        return []

    def holds(self) -> tuple[InForce, ...]:
        """Return the venues at which nothing is begun because two engines would do it twice."""
        return tuple(
            InForce(
                rule=RULE, instance=f"{RULE}[{venue}]", scope=Scope(venue=venue),
                restraint=Restraint(level=Level.ENTRIES_PAUSED), because="foreign", since=since,
                ends="10 minutes after the last new order of the other engine", clear_with="",
            )
            for venue, (since, _) in sorted(self._seen.items())
        )

    def dump(self) -> Data:
        """Return everything as JSON data."""
        return {"looked": sorted(self._looked), "seen": [[name, *seen] for name, seen in sorted(self._seen.items())]}

    def load(self, data: Data) -> None:
        """Become what `dump` wrote."""
        self._looked = set(data["looked"])
        self._seen = {name: (since, last) for name, since, last in data["seen"]}
