"""Every position has its stop at the venue: proven, and repaired where it is not.

Exactly one stop on the whole position, on the right side and large enough, beside those
that a strategy moves. Whoever opened the position places it and has a grace for that; then
the validator does, within a budget, and where none can be had it asks for the position to
be closed. On a tape what the ledger knows is all there is; where real orders go the venue
is asked, and no single answer is believed against a stop.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from engine.model.answers import AccountReported, ProbeAnswered, QueryFailed
from engine.model.codec import Data, from_data, to_data
from engine.model.effects import AskVenue
from engine.model.events import Input, OrderFilled
from engine.model.instruments import Instrument, MarketKind
from engine.model.ledger import OrdersView
from engine.model.orders import Proposal
from engine.model.reports import Query
from engine.model.restraints import InForce
from engine.model.samples import Derived
from engine.model.view import View
from engine.model.wishes import Wish
from engine.risk import stops_repair, stops_takes
from engine.risk.stops_assess import assess
from engine.risk.stops_evidence import client_id_of, compare, lookups_due, weigh
from engine.risk.stops_probe import Desk
from engine.risk.stops_schedule import BARE, FLAT, OPEN, bare_seconds, hold, next_look, row_of, samples_of
from engine.risk.stops_watch import PROPOSER, Moment, Settings, Watch, settings_of

Key = tuple[str, str]
"""(venue, symbol)."""
CANDIDATES = 8
"""Instruments remembered a venue, on one of which a stop is tried."""


class StopValidator:
    """Watches the stops of all positions of one account."""

    def __init__(self) -> None:
        self._watches: dict[Key, Watch] = {}
        self._desks: dict[str, Desk] = {}
        self._candidates: dict[str, list[str]] = {}
        self._begun_at = 0
        self._sampled_at = -FLAT
        self._due: int | None = None
        self._holds: tuple[InForce, ...] = ()
        self._touched: list[Key] = []
        """What the last event was about, for `after_event`."""
        self._shown: dict[Key, None] = {}
        """Symbols whose last sample was of an open position."""
        self._told_missing = 0
        """How often a stop was called missing, as far as it was told."""

    def begin(self, at: int, venues: Sequence[str]) -> None:
        """A run begins or goes on in a new process; `venues` take real orders and show anew that they take stops."""
        told = {name: desk.told for name, desk in self._desks.items()}
        self._desks = {name: Desk(venue=name, since=at, told=told.get(name)) for name in venues}
        self._begun_at = self._due = at
        self._holds = tuple(held for desk in self._desks.values() if (held := desk.hold()) is not None)
        for watch in self._watches.values():
            watch.begun_at, watch.flat_at = at, 0

    def on_instrument(self, instrument: Instrument) -> None:
        """Remember an instrument on which a stop could be tried."""
        known = self._candidates.setdefault(instrument.venue, [])
        if instrument.kind is MarketKind.PERPETUAL and len(known) < CANDIDATES and instrument.symbol not in known:
            known.append(instrument.symbol)

    def on_event(self, item: Input, view: View, orders: OrdersView) -> list[Derived]:
        """Take what a venue said; return samples. Called for every venue event, after the ledger took it."""
        settings = settings_of(view.flags)
        self._touched.clear()
        if settings.enabled:
            event, at = item.event, item.at
            if isinstance(event, AccountReported | ProbeAnswered | QueryFailed) and event.venue in self._desks:
                self._desks[event.venue].hear(event, at)
            if isinstance(event, AccountReported):
                self._on_report(event, at, view, orders)
            else:
                self._on_order(event, at, view, orders)
        self._hold(settings)
        self._reckon(item.at, settings)
        return self._samples(item.at, view, [self._watches[key] for key in self._touched]) if self._touched else []

    def _on_report(self, event: AccountReported, at: int, view: View, orders: OrdersView) -> None:
        for position in view.positions():
            if position.venue == event.venue:
                self._watch((position.venue, position.symbol))
        for key, watch in self._watches.items():
            if key[0] == event.venue:
                now = self._moment(watch, at, view, orders)
                # Taken over from the report in this very step, or closed by it.
                assess(watch, now)
                compare(watch, event, now)
                assess(watch, now)
                self._touched.append(key)

    def _on_order(self, event: object, at: int, view: View, orders: OrdersView) -> None:
        record = orders.order(client_id_of(event))
        if isinstance(event, OrderFilled):
            key: Key = (event.fill.venue, event.fill.symbol)
        elif record is not None:
            key = (record.venue, record.symbol)
        else:
            return
        watch = self._watch(key)
        if record is not None:
            weigh(watch, record, event, at)
        assess(watch, self._moment(watch, at, view, orders))
        self._touched.append(key)

    def after_event(self, at: int, view: View, orders: OrdersView) -> list[Wish]:
        """Return what the last event makes necessary."""
        settings = settings_of(view.flags)
        if not settings.enabled:
            return []
        wishes: list[Wish] = []
        new = [one for one in view.positions() if (one.venue, one.symbol) not in self._watches]
        for key in (*self._touched, *((one.venue, one.symbol) for one in new)):
            watch = self._watch(key)
            was_flat = not watch.sign
            wishes += self._serve(watch, at, view, orders)
            if was_flat and watch.sign and watch.venue in self._desks:
                # It was taken over from a report that was read before we knew of it.
                self._desks[watch.venue].wanted = True
        self._touched.clear()
        wishes += self._ask(at, settings)
        self._reckon(at, settings)
        return wishes

    def next_due(self) -> int | None:
        """Return when something is due (ns), or None."""
        return self._due

    def on_timer(self, at: int, view: View, orders: OrdersView) -> list[Derived]:
        """Return the samples that are due."""
        if self._due is None or at < self._due:
            return []
        self._sampled_at = at
        settings = settings_of(view.flags)
        if settings.enabled:
            for position in view.positions():
                self._watch((position.venue, position.symbol))
            for watch in self._watches.values():
                assess(watch, self._moment(watch, at, view, orders))
        self._hold(settings)
        return self._samples(at, view, self._watches.values()) if settings.enabled else []

    def due(self, at: int, view: View, orders: OrdersView) -> list[Wish]:
        """Return what is due to be asked or repaired."""
        if self._due is None or at < self._due:
            return []
        settings = settings_of(view.flags)
        wishes: list[Wish] = []
        if settings.enabled:
            for watch in self._watches.values():
                wishes += self._serve(watch, at, view, orders)
            wishes += self._ask(at, settings)
        self._reckon(at, settings)
        return wishes

    def holds(self) -> tuple[InForce, ...]:
        """Return what is restrained because stops cannot be had."""
        return self._holds

    def on_refused(self, at: int, proposal: Proposal, reason: str) -> None:
        """Policy refused a proposal: a repair is tried again."""
        watch = self._watches.get((proposal.venue, proposal.symbol))
        if proposal.proposer == PROPOSER and watch is not None:
            stops_repair.on_refused(watch, proposal, at)
            self._due = min(self._due or watch.retry_at, max(watch.retry_at, at + 1))

    def report(self, view: View) -> Data:
        """Return a row for every open position (see `row_of`), and whether each venue takes stops."""
        rows = [row_of(watch, view.at) for _, watch in sorted(self._watches.items()) if watch.sign]
        venues = [{"venue": one.venue, "able": one.able, "what": one.what} for one in self._desks.values()]
        return {"positions": rows, "venues": venues}

    # What one look leads to.

    def _watch(self, key: Key) -> Watch:
        watch = self._watches.get(key)
        if watch is None:
            watch = self._watches[key] = Watch(venue=key[0], symbol=key[1], begun_at=self._begun_at)
        return watch

    def _moment(self, watch: Watch, at: int, view: View, orders: OrdersView) -> Moment:
        venue, symbol = watch.key
        return Moment(
            at=at, view=view, orders=orders, settings=settings_of(view.flags), live=venue in self._desks,
            position=view.position(venue, symbol), instrument=view.instrument(venue, symbol),
            records=orders.live(venue, symbol),
        )

    def _serve(self, watch: Watch, at: int, view: View, orders: OrdersView) -> list[Wish]:
        now = self._moment(watch, at, view, orders)
        assess(watch, now)
        stops_repair.spent(watch, now)
        stops_takes.remember(watch, now)
        word = watch.word_at
        wishes = [*stops_repair.mend(watch, now), *stops_repair.sweep(watch, now), *stops_takes.retake(watch, now)]
        if watch.word_at != word:
            # The venue's word was given or is void: from now on, not from the next look on.
            assess(watch, now)
        desk = self._desks.get(watch.venue)
        if desk is not None:
            wishes += _look_up(watch, at)
            unproven = not watch.sign and watch.surplus_since and not stops_repair.flat_since_surplus(watch)
            if unproven or watch.word_at > word:
                desk.wanted = True
        return [*stops_repair.tell(watch, at), *wishes]

    def _ask(self, at: int, settings: Settings) -> list[Wish]:
        wishes: list[Wish] = []
        for desk in self._desks.values():
            wishes += desk.ask(at, settings.interval, open_=self._open_at(desk.venue))
            if settings.probe:
                wishes += [*desk.news(at), *desk.probe(at, self._candidate(desk.venue))]
        return wishes

    def _open_at(self, venue: str) -> bool:
        return any(watch.sign and watch.venue == venue for watch in self._watches.values())

    def _candidate(self, venue: str) -> str:
        """Return a symbol to try a stop on, rather one that has none; empty leaves it to the venue."""
        known = self._candidates.get(venue, [])
        free = [name for name in known if (venue, name) not in self._watches or not self._watches[venue, name].sign]
        return (free or known or [""])[0]

    def _hold(self, settings: Settings) -> None:
        held: list[InForce | None] = []
        if settings.enabled:
            held += [desk.hold() for desk in self._desks.values() if settings.probe]
            held += [hold(watch, settings) for watch in self._watches.values()]
        self._holds = tuple(one for one in held if one is not None)

    def _samples(self, at: int, view: View, watches: Iterable[Watch]) -> list[Derived]:
        made: list[Derived] = []
        for watch in watches:
            if watch.sign or watch.key in self._shown:
                made += samples_of(watch, at)
            if watch.sign:
                self._shown[watch.key] = None
            else:
                self._shown.pop(watch.key, None)
        every = self._watches.values()
        missed, self._told_missing = self._told_missing, sum(one.missing_total for one in every)
        made += [Derived("stop_called_missing", (view.account,), 1.0, at)] * (self._told_missing - missed)
        longest = max((bare_seconds(watch, at) for watch in every), default=0.0)
        made.append(Derived("unprotected_longest_s", (view.account,), longest, at))
        made.append(Derived("stops_missing", (view.account,), float(sum(one.missing for one in every)), at))
        return made

    def _reckon(self, at: int, settings: Settings) -> None:
        bare = any(watch.bare_since for watch in self._watches.values())
        opened = any(watch.sign for watch in self._watches.values())
        instants = [self._sampled_at + (BARE if bare else OPEN if opened else FLAT)]
        if settings.enabled:
            instants += [
                due for watch in self._watches.values() if (due := next_look(watch, at, settings)) is not None
            ]
            for desk in self._desks.values():
                due = desk.report_due(settings.interval, open_=self._open_at(desk.venue))
                instants += [due] if due is not None else []
                instants += [desk.probe_at] if settings.probe and desk.probe_at else []
        self._due = max(min(instants), at + 1)

    def dump(self) -> Data:
        """Return everything as JSON data."""
        return {
            "watches": [to_data(watch) for watch in self._watches.values()],
            "desks": [to_data(desk) for desk in self._desks.values()],
            "candidates": {venue: list(symbols) for venue, symbols in self._candidates.items()},
            "begun_at": self._begun_at, "sampled_at": self._sampled_at, "due": self._due,
            "holds": [to_data(one) for one in self._holds], "touched": [list(key) for key in self._touched],
            "shown": [list(key) for key in self._shown], "told_missing": self._told_missing,
        }

    def load(self, data: Data) -> None:
        """Become what `dump` wrote."""
        watches: list[Watch] = [from_data(Watch, item) for item in data["watches"]]
        self._watches = {watch.key: watch for watch in watches}
        desks: list[Desk] = [from_data(Desk, item) for item in data["desks"]]
        self._desks = {desk.venue: desk for desk in desks}
        self._candidates = {venue: list(symbols) for venue, symbols in data["candidates"].items()}
        self._begun_at, self._sampled_at, self._due = data["begun_at"], data["sampled_at"], data["due"]
        self._holds = tuple(from_data(InForce, item) for item in data["holds"])
        self._touched = [(venue, symbol) for venue, symbol in data["touched"]]
        self._shown = dict.fromkeys((venue, symbol) for venue, symbol in data["shown"])
        self._told_missing = data["told_missing"]


def _look_up(watch: Watch, at: int) -> list[Wish]:
    return [
        AskVenue(
            at=at, ask=0, query=Query.ORDER, venue=watch.venue, symbol=watch.symbol, client_id=name, conditional=True,
            why="the account's list lacks this stop",
        )
        for name in lookups_due(watch, at)
    ]
