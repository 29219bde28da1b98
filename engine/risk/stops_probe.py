"""What a venue is asked on schedule: how the account stands while something is open, and whether a stop can be had.

Until a venue has shown that it takes a stop nothing new is begun on it, and again from a
probe that failed to one that did not. A question without an answer changes nothing but
when it is asked again.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.model.answers import AccountReported, ProbeAnswered, QueryFailed
from engine.model.effects import AskVenue, Notify
from engine.model.reports import Query
from engine.model.restraints import InForce, Level, Restraint, Scope
from engine.model.time import DAY, MINUTE, SECOND
from engine.model.wishes import Wish

PROBE_AGAIN, PROBE_FAILED_AGAIN, NO_ANSWER = 10 * MINUTE, 1 * MINUTE, 2 * MINUTE
"""After a probe that could not have a stop, after one that failed, and after one that was not answered."""
SOON = 2 * SECOND
"""Reports that are wanted at once are still no closer than this."""
UNANSWERED = 10 * SECOND
"""A report that was asked for and did not come is asked for again after this; a first probe that failed, too."""
RULE = "engine.stop_probe"


@dataclass(slots=True, kw_only=True)
class Desk:
    """One venue that takes real orders. Instants in ns, 0 for never."""

    venue: str
    since: int
    """Since when what it says of stops is what it is."""
    reported_at: int = 0
    asked_at: int = 0
    wanted: bool = False
    """A report is wanted at once."""
    able: bool | None = None
    what: str = "not asked yet"
    probe_at: int = 0
    """When to ask next whether a stop can be had; 0 before the first report."""
    told: bool | None = None
    """What of `able` people were told."""

    def hear(self, event: object, at: int) -> None:
        """Take what the venue answered."""
        if isinstance(event, AccountReported):
            self.reported_at, self.wanted = at, False
            self.probe_at = self.probe_at or at
        elif isinstance(event, ProbeAnswered):
            if event.able is not self.able:
                self.since = at
            self.able, self.what = event.able, event.what
            self.probe_at = at + (DAY if event.able else PROBE_AGAIN)
        elif isinstance(event, QueryFailed) and event.query is Query.PROBE:
            self.what = event.reason if self.able is None else self.what
            # At a start the price may be a moment away, and until a probe was had nothing is begun.
            self.probe_at = at + (UNANSWERED if self.able is None else PROBE_FAILED_AGAIN)

    def report_due(self, interval: int, *, open_: bool) -> int | None:
        """Return when the account is to be asked for (ns), or None while nobody needs it."""
        if self.wanted:
            return self.asked_at + UNANSWERED if self.asked_at > self.reported_at else self.reported_at + SOON
        return max(self.asked_at, self.reported_at) + interval if open_ else None

    def ask(self, at: int, interval: int, *, open_: bool) -> list[Wish]:
        """Return the question for the account, if it is due."""
        due = self.report_due(interval, open_=open_)
        if due is None or at < due:
            return []
        self.asked_at = at
        why = "whether every position has its stop"
        return [AskVenue(at=at, ask=0, query=Query.ACCOUNT, venue=self.venue, why=why)]

    def probe(self, at: int, symbol: str) -> list[Wish]:
        """Return the question whether a stop can be had, if it is due."""
        if not self.probe_at or at < self.probe_at:
            return []
        self.probe_at = at + NO_ANSWER
        why = "whether a stop can be had"
        return [AskVenue(at=at, ask=0, query=Query.PROBE, venue=self.venue, symbol=symbol, why=why)]

    def news(self, at: int) -> list[Wish]:
        """Return what a person must hear of the last probe: each turn once."""
        before, self.told = self.told, self.able if self.able is not None else self.told
        if self.able is False and before is not False:
            text = f"{self.venue} takes no stop ({self.what}): no entries there until it does"
            return [Notify(at=at, to="page", rule=RULE, text=text)]
        if self.able and before is False:
            return [Notify(at=at, to="alert", rule=RULE, text=f"{self.venue} takes stops again: entries may go on")]
        return []

    def hold(self) -> InForce | None:
        """Return what is restrained while the venue has not shown that it takes stops."""
        if self.able:
            return None
        why, again = f"no stop was tried yet ({self.what})", "again soon"
        if self.able is False:
            why, again = f"a stop cannot be had ({self.what})", "again every 10 minutes"
        return InForce(
            rule=RULE, instance=f"{RULE}[{self.venue}]", scope=Scope(venue=self.venue),
            restraint=Restraint(level=Level.ENTRIES_PAUSED), because="held" if self.able is None else "firing",
            since=self.since, clear_with="",
            ends=f"{why}: ends with the first probe that can have one; tried {again}",
        )
