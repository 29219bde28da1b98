"""Which event concerns which plan, and what each plan does about it.

One plan a symbol at a time. Quotes are looked at only where they can change something;
everything else is driven by what became of orders and by the plan's own instants.
"""

from __future__ import annotations

from collections.abc import Mapping

from engine.model.answers import AccountReported, TradesReported
from engine.model.codec import Data, from_data, to_data
from engine.model.events import Event, Input, InstrumentDefined, OrderFilled
from engine.model.flags import FlagValue
from engine.model.instruments import MarketKind
from engine.model.ledger import OrdersView
from engine.model.market import Announcement, Quote
from engine.model.orders import Intent, Proposal
from engine.model.time import MINUTE, SECOND
from engine.model.view import StrategyView
from engine.strategies.event_breakout import announced, entering, harvesting, leaving, protecting
from engine.strategies.event_breakout.plan import STRATEGY, Moment, Plan, Wish
from engine.strategies.event_breakout.settings import Settings, settings_of

REMEMBERED = 256
"""Announcements whose second delivery is recognised."""
REFUSED_RETRY = 1 * SECOND


class EventBreakout:
    """The strategy. It proposes; whether anything is sent is not its to decide."""

    def __init__(self) -> None:
        self._plans: dict[str, Plan] = {}
        self._venues: dict[str, str] = {}
        """The venue of each perpetual that can be traded, by symbol."""
        self._heard: dict[str, None] = {}
        self._numbered = 0
        self._due: int | None = None

    @property
    def name(self) -> str:
        """The proposer of its orders."""
        return STRATEGY

    def interested(self, event: Event) -> bool:
        """Whether `event`, which is no order event, may change something; cheap: asked at every event."""
        if type(event) is Quote:
            return event.symbol in self._plans
        return type(event) is Announcement or type(event) is InstrumentDefined

    def on_event(self, item: Input, view: StrategyView, orders: OrdersView) -> list[Wish]:
        """Return the wishes that `item` leads to, in the order they should be done."""
        event = item.event
        if type(event) is Quote:
            plan = self._plans.get(event.symbol)
            if plan is None or plan.venue != event.venue or not _worth_a_look(plan, event, item.at, view.flags):
                return []
            return self._manage(plan, item.at, view, orders)
        if isinstance(event, Announcement):
            return self._on_announcement(item.at, event, view)
        if isinstance(event, InstrumentDefined):
            instrument = event.instrument
            if instrument.kind is MarketKind.PERPETUAL:
                self._venues.setdefault(instrument.symbol, instrument.venue)
            return []
        if isinstance(event, AccountReported | TradesReported):
            # What is known of an order may have changed though nobody spoke of it: it was given up, or it is doubted.
            known = [plan for plan in self._plans.values() if plan.venue == event.venue]
            return [wish for plan in known for wish in self._manage(plan, item.at, view, orders)]
        plan = self._plan_of(event, orders)
        return [] if plan is None else self._manage(plan, item.at, view, orders)

    def _plan_of(self, event: Event, orders: OrdersView) -> Plan | None:
        if isinstance(event, OrderFilled):
            return self._plans.get(event.fill.symbol)
        record = orders.order(getattr(event, "client_id", ""))
        return None if record is None else self._plans.get(record.symbol)

    def _on_announcement(self, at: int, event: Announcement, view: StrategyView) -> list[Wish]:
        heard = f"{event.source}/{event.announcement_id}"
        if event.kind != "listing" or heard in self._heard:
            return []
        self._heard[heard] = None
        if len(self._heard) > REMEMBERED:
            del self._heard[next(iter(self._heard))]
        wishes: list[Wish] = []
        for symbol in dict.fromkeys(map(view.in_quote, event.symbols)):
            running = self._plans.get(symbol)
            if running is not None:
                wishes.append(running.story(at, "ignored", "listing not traded: a plan for it is running"))
                continue
            made = announced.plan_for(at, event, symbol, self._venues.get(symbol), view)
            if isinstance(made, Plan):
                self._numbered += 1
                made.number = self._numbered
                self._plans[symbol] = made
                wishes.append(announced.planned(at, made, view))
            else:
                wishes.append(made)
        self._reckon(view.flags)
        return wishes

    def on_timer(self, at: int, view: StrategyView, orders: OrdersView) -> list[Wish]:
        """Look at every plan that has something due by `at`."""
        if self._due is None or at < self._due:
            return []
        wishes: list[Wish] = []
        settings = settings_of(view.flags)
        for plan in tuple(self._plans.values()):
            due = _next_instant(plan, settings)
            if due is not None and due <= at:
                wishes += self._manage(plan, at, view, orders)
        self._reckon(view.flags)
        return wishes

    def on_refused(self, at: int, proposal: Proposal, reason: str) -> None:
        """Policy refused `proposal`: it is tried again later, an entry ever later."""
        plan = self._plans.get(proposal.symbol)
        if proposal.proposer != STRATEGY or plan is None:
            return
        if proposal.intent is Intent.ENTRY:
            entering.refused(plan, at, proposal.purpose)
        elif proposal.intent is Intent.EXIT:
            leaving.put_off(plan, at)
        else:
            what = "tp" if proposal.intent is Intent.TAKE_PROFIT else "stop" if proposal.close_position else "raise"
            plan.retry[what] = max(plan.retry.get(what, 0), at + REFUSED_RETRY)
        instants = [instant for instant in plan.retry.values() if instant > plan.checked_at]
        if instants and (self._due is None or min(instants) < self._due):
            self._due = min(instants)

    def next_due(self) -> int | None:
        """Return when a plan wants to be looked at though nothing happened (ns), or None."""
        return self._due

    def _manage(self, plan: Plan, at: int, view: StrategyView, orders: OrdersView) -> list[Wish]:
        position = view.position(plan.venue, plan.symbol)
        now = Moment(
            at=at, view=view, orders=orders, settings=settings_of(view.flags),
            quote=view.quote(plan.venue, plan.symbol), instrument=view.instrument(plan.venue, plan.symbol),
            held=position.quantity, average=position.average_price,
        )
        plan.checked_at = at
        wishes = _look_at(plan, now)
        if leaving.over(plan, now) and not any(isinstance(wish, Proposal) for wish in wishes):
            wishes.append(leaving.closing_line(plan, now))
            del self._plans[plan.symbol]
        self._reckon(view.flags)
        return wishes

    def _reckon(self, flags: Mapping[str, FlagValue]) -> None:
        if not self._plans:
            self._due = None
            return
        settings = settings_of(flags)
        instants = (_next_instant(plan, settings) for plan in self._plans.values())
        self._due = min((instant for instant in instants if instant is not None), default=None)

    def dump(self) -> Data:
        """Return everything as JSON data."""
        return {
            "plans": [to_data(plan) for plan in self._plans.values()], "venues": dict(self._venues),
            "heard": list(self._heard), "numbered": self._numbered, "due": self._due,
        }

    def load(self, data: Data) -> None:
        """Become what `dump` wrote."""
        plans: list[Plan] = [from_data(Plan, item) for item in data["plans"]]
        self._plans = {plan.symbol: plan for plan in plans}
        self._venues = dict(data["venues"])
        self._heard = dict.fromkeys(data["heard"])
        self._numbered, self._due = data["numbered"], data["due"]


def _look_at(plan: Plan, now: Moment) -> list[Wish]:
    """Bring one plan up to date; return what it wants now."""
    wishes = [*entering.follow(plan, now), *harvesting.tell(plan, now)]
    if plan.entered_at and now.sellable() <= 0:
        return [*wishes, *leaving.leave(plan, now)]
    if now.sellable() > 0 and plan.entered_at:
        wishes += leaving.time_stop(plan, now)
        wishes += protecting.protect(plan, now)
        if not plan.leaving:
            wishes += harvesting.harvest(plan, now)
    if plan.leaving:
        return [*wishes, *leaving.leave(plan, now)]
    return [*wishes, *entering.enter(plan, now)]


def _worth_a_look(plan: Plan, quote: Quote, at: int, flags: Mapping[str, FlagValue]) -> bool:
    """Whether `quote` can change what `plan` wants; notes a new peak. Called at every quote of its symbol."""
    if plan.entered_at and quote.bid > plan.peak:
        plan.peak = quote.bid
        if plan.may("raise", at) and _rises(plan, flags):
            return True
    may_enter = not plan.leaving and (not plan.legs or (len(plan.legs) == 1 and plan.legs[0].name == "first"))
    if not may_enter or not plan.may("entry", at):
        return False
    if plan.legs and at < plan.announced_at + float(flags["EVENT_BREAKOUT_HALF_SIZE_MINUTES"]) * MINUTE:
        return False
    return entering.above_trigger(plan, (quote.bid + quote.ask) / 2.0, float(flags["EVENT_BREAKOUT_TRIGGER_BPS"]))


def _rises(plan: Plan, flags: Mapping[str, FlagValue]) -> bool:
    trail = 1.0 - float(flags["EVENT_BREAKOUT_TRAIL_PCT"]) / 100.0
    step = 1.0 + float(flags["EVENT_BREAKOUT_TRAIL_STEP_PCT"]) / 100.0
    return plan.peak * trail >= float(plan.best_stop) * step * (1.0 - 1e-9)


def _next_instant(plan: Plan, settings: Settings) -> int | None:
    """Return the next instant at which `plan` must be looked at, whatever the market does."""
    instants = [*plan.retry.values(), plan.announced_at + settings.window]
    if plan.entered_at:
        instants.append(plan.entered_at + settings.time_stop)
    return min((instant for instant in instants if instant > plan.checked_at), default=None)


__all__ = ["EventBreakout"]
