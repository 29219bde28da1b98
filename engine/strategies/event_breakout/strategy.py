"""Which event concerns which plan, and what each plan does about it.

One plan a symbol and one position an announcement. Quotes are looked at only where they can
change something; everything else is driven by what became of orders and by the plan's own instants.
"""

from __future__ import annotations

from collections.abc import Sequence

from engine.model.answers import AccountReported, TradesReported
from engine.model.codec import Data, from_data, to_data
from engine.model.events import Event, Input, InstrumentDefined, OrderFilled
from engine.model.instruments import MarketKind
from engine.model.ledger import OrdersView
from engine.model.market import Announcement, Quote
from engine.model.orders import Intent, Proposal
from engine.model.samples import Derived
from engine.model.strategy import Strategy
from engine.model.time import DAY, SECOND, parse_duration
from engine.model.view import StrategyView
from engine.strategies import leaving
from engine.strategies.counting import Counters, Key, reason_of
from engine.strategies.event_breakout import announced, entering
from engine.strategies.event_breakout.ending import last_line, over
from engine.strategies.event_breakout.looking import look_at, next_instant, worth_a_look
from engine.strategies.event_breakout.plan import STRATEGY, Moment, Plan
from engine.strategies.event_breakout.settings import settings_of
from engine.strategies.trade import Wish

PLANS, TRADES, SKIPS, SKIPPED = (
    "event_bo_plans_total", "event_bo_trades_total", "event_bo_skips_total", "event_bo_skipped_total",
)
SKIP_LATE = "event_bo_skip_late"
REASONS = (
    "below_step", "delisted", "denied", "disabled", "given_up", "held", "late_chase", "level", "min_notional", "muted",
    "no_breakout", "no_instrument", "no_price", "notional", "quote_denied", "running", "same_event", "slippage",
    "spread", "too_old",
)
"""Why listings are not traded, as far as it is known beforehand: those are told as 0 from the start."""
_KNOWN: tuple[Key, ...] = (
    (PLANS, ("dry",)), (PLANS, ("live",)), (TRADES, ()), (SKIPPED, ()), *((SKIPS, (reason,)) for reason in REASONS),
)
REMEMBERED = 256
"""Announcements whose second delivery is recognised, and coins."""
REFUSED_RETRY = 1 * SECOND


class EventBreakout(Strategy):
    """The strategy. It proposes; whether anything is sent is not its to decide."""

    def __init__(self, same_coin: int = DAY) -> None:
        """`same_coin` (ns): further announcements of a coin within it are the same event."""
        self._same_coin = same_coin
        self._plans: dict[str, Plan] = {}
        self._venues: dict[str, str] = {}
        """The venue of each perpetual that can be traded, by symbol."""
        self._heard: dict[str, None] = {}
        self._coins: dict[str, int] = {}
        """When each coin was last planned."""
        self._numbered = 0
        self._due: int | None = None
        self._counters = Counters(_KNOWN)

    @property
    def name(self) -> str:
        """The proposer of its orders."""
        return STRATEGY

    def begin(self, at: int, view: StrategyView) -> Sequence[Wish]:
        """Tell all counters, as far as they are wanted."""
        return self._counters.all(at) if view.flags["EVENT_BREAKOUT_METRICS"] else ()

    def interested(self, event: Event) -> bool:
        """Whether `event`, which is no order event, may change something; cheap: asked at every event."""
        if type(event) is Quote:
            return event.symbol in self._plans
        return type(event) is Announcement or type(event) is InstrumentDefined

    def on_event(self, item: Input, view: StrategyView, orders: OrdersView) -> Sequence[Wish]:
        """Return the wishes that `item` leads to, in the order they should be done."""
        event = item.event
        if type(event) is Quote:
            plan = self._plans.get(event.symbol)
            if plan is None or plan.venue != event.venue or not worth_a_look(plan, event, item.at, view.flags):
                return ()
            return self._manage(plan, item.at, view, orders)
        if isinstance(event, Announcement):
            return self._on_announcement(item.at, event, view, orders)
        if isinstance(event, InstrumentDefined):
            instrument = event.instrument
            if instrument.kind is MarketKind.PERPETUAL:
                self._venues.setdefault(instrument.symbol, instrument.venue)
            return ()
        if isinstance(event, AccountReported | TradesReported):
            # What is known of an order may have changed though nobody spoke of it: it was given up, or it is doubted.
            known = [plan for plan in self._plans.values() if plan.venue == event.venue]
            return [wish for plan in known for wish in self._manage(plan, item.at, view, orders)]
        plan = self._plan_of(event, orders)
        return () if plan is None else self._manage(plan, item.at, view, orders)

    def _plan_of(self, event: Event, orders: OrdersView) -> Plan | None:
        if isinstance(event, OrderFilled):
            return self._plans.get(event.fill.symbol)
        record = orders.order(getattr(event, "client_id", ""))
        return None if record is None else self._plans.get(record.symbol)

    def _on_announcement(self, at: int, event: Announcement, view: StrategyView, orders: OrdersView) -> list[Wish]:
        heard = f"{event.source}/{event.announcement_id}"
        if heard in self._heard:
            return []
        if event.kind == "delisting":
            return self._on_delisting(at, event, view, orders)
        if event.kind not in announced.TRADED:
            return []
        self._heard[heard] = None
        if len(self._heard) > REMEMBERED:
            del self._heard[next(iter(self._heard))]
        wanted: dict[str, str] = {}
        for symbol in event.symbols:
            wanted.setdefault(view.in_quote(symbol), symbol)
        wishes = [wish for pair in wanted.items() for wish in self._on_listing(at, event, pair, view)]
        self._reckon(view)
        return wishes

    def _on_listing(self, at: int, event: Announcement, pair: tuple[str, str], view: StrategyView) -> list[Wish]:
        symbol, asked = pair
        running = self._plans.get(symbol)
        if running is not None:
            story = running.story(at, "ignored", "listing not traded: a plan for it is running")
            return [story, *self._skipped(at, view, "running")]
        made = announced.plan_for(at, event, symbol, self._venues.get(symbol), view)
        if isinstance(made, Plan) and at - self._coins.get(made.coin, at - self._same_coin) < self._same_coin:
            made = announced.skipped(at, symbol, "same_event", f"{made.coin} was planned for an announcement already")
        if not isinstance(made, Plan):
            return [made.line, *self._skipped(at, view, made.reason)]
        self._numbered += 1
        made.number = self._numbered
        self._plans[symbol] = made
        self._coins.pop(made.coin, None)
        self._coins[made.coin] = at
        if len(self._coins) > REMEMBERED:
            del self._coins[next(iter(self._coins))]
        instead_of = asked if symbol != asked else ""
        mode = "dry" if view.flags["EVENT_BREAKOUT_DRY_RUN"] else "live"
        return [announced.planned(at, made, view, instead_of), *self._count(at, view, PLANS, mode)]

    def _on_delisting(self, at: int, event: Announcement, view: StrategyView, orders: OrdersView) -> list[Wish]:
        """Nothing is bought after it, and what is held is sold: the price it was bought for is not coming back."""
        wishes: list[Wish] = []
        for plan in tuple(self._plans.values()):
            if plan.symbol in event.symbols:
                plan.leaving = plan.leaving or "its delisting was announced"
                wishes += self._skip_once(plan, at, view, "delisted")
                wishes += self._manage(plan, at, view, orders)
        return wishes

    def on_flags(self, at: int, view: StrategyView, orders: OrdersView) -> Sequence[Wish]:
        """Take over what the flags say now: switched off, what still buys is taken back at once."""
        told: list[Wish] = list(self.begin(at, view))
        return told + [wish for plan in tuple(self._plans.values()) for wish in self._manage(plan, at, view, orders)]

    def on_timer(self, at: int, view: StrategyView, orders: OrdersView) -> Sequence[Wish]:
        """Look at every plan that has something due by `at`."""
        if self._due is None or at < self._due:
            return ()
        wishes: list[Wish] = []
        settings = settings_of(view.flags)
        for plan in tuple(self._plans.values()):
            due = next_instant(plan, settings)
            if due is not None and due <= at:
                wishes += self._manage(plan, at, view, orders)
        self._reckon(view)
        return wishes

    def on_refused(self, at: int, proposal: Proposal, reason: str) -> Sequence[Wish]:
        """Policy refused `proposal`: it is tried again later, an entry ever later."""
        plan = self._plans.get(proposal.symbol)
        if proposal.proposer != STRATEGY or plan is None:
            return ()
        if proposal.intent is Intent.ENTRY:
            entering.refused(plan, at, proposal.purpose)
            # Told with the next look: whether it is to be told at all stands in the flags.
            plan.refusals.append(reason_of(reason))
        elif proposal.intent is Intent.EXIT:
            leaving.put_off(plan, at)
        else:
            what = "tp" if proposal.intent is Intent.TAKE_PROFIT else "stop" if proposal.close_position else "raise"
            plan.retry[what] = max(plan.retry.get(what, 0), at + REFUSED_RETRY)
        instants = [instant for instant in plan.retry.values() if instant > plan.checked_at]
        if instants and (self._due is None or min(instants) < self._due):
            self._due = min(instants)
        return ()

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
        wishes: list[Wish] = []
        while plan.refusals:
            wishes += self._skip_once(plan, at, view, plan.refusals.pop(0))
        flat = not plan.entered_at
        rivals = [one for one in self._plans.values() if one.announcement == plan.announcement and one is not plan]
        wishes += look_at(plan, now, alone=not any(one.legs for one in rivals))
        if flat and plan.entered_at:
            wishes += self._count(at, view, TRADES)
            for rival in rivals:
                rival.leaving = rival.leaving or f"{plan.symbol} of the same announcement was bought"
                wishes += self._skip_once(rival, at, view, "same_event")
                wishes += self._manage(rival, at, view, orders)
        if over(plan, now) and not any(isinstance(wish, Proposal) for wish in wishes):
            wishes.append(last_line(plan, now))
            if not plan.entered_at and not any(told.startswith("skip ") for told in plan.told):
                wishes += self._skip_once(plan, at, view, "given_up" if plan.leaving else "no_breakout")
            del self._plans[plan.symbol]
        self._reckon(view)
        return wishes

    def _skip_once(self, plan: Plan, at: int, view: StrategyView, reason: str) -> list[Wish]:
        """Count what keeps a plan from its entry: once for each reason, however often it is tried."""
        if f"skip {reason}" in plan.told:
            return []
        plan.told.append(f"skip {reason}")
        return self._skipped(at, view, reason)

    def _skipped(self, at: int, view: StrategyView, reason: str) -> list[Wish]:
        # Told whatever EVENT_BREAKOUT_METRICS says: a rule makes events smaller where too many come late.
        late = Derived(SKIP_LATE, (Intent.ENTRY.value,), 1.0 if reason == "late_chase" else 0.0, at)
        return [*self._count(at, view, SKIPS, reason), *self._count(at, view, SKIPPED), late]

    def _count(self, at: int, view: StrategyView, name: str, *labels: str) -> list[Wish]:
        sample = self._counters.add(at, name, *labels)
        return [sample] if view.flags["EVENT_BREAKOUT_METRICS"] else []

    def _reckon(self, view: StrategyView) -> None:
        if not self._plans:
            self._due = None
            return
        settings = settings_of(view.flags)
        instants = (next_instant(plan, settings) for plan in self._plans.values())
        self._due = min((instant for instant in instants if instant is not None), default=None)

    def dump(self) -> Data:
        """Return everything as JSON data."""
        return {
            "plans": [to_data(plan) for plan in self._plans.values()], "venues": dict(self._venues),
            "heard": list(self._heard), "coins": [list(pair) for pair in self._coins.items()],
            "numbered": self._numbered, "due": self._due, "counters": self._counters.dump(),
        }

    def load(self, data: Data) -> None:
        """Become what `dump` wrote."""
        plans: list[Plan] = [from_data(Plan, item) for item in data["plans"]]
        self._plans = {plan.symbol: plan for plan in plans}
        self._venues = dict(data["venues"])
        self._heard = dict.fromkeys(data["heard"])
        self._coins = dict(data["coins"])
        self._numbered, self._due = data["numbered"], data["due"]
        self._counters.load(data["counters"])


def make(section: Data) -> EventBreakout:
    """Return the strategy of its section of `conf/strategies.yaml`; ValueError where that is wrong."""
    unknown = sorted(set(section) - {"same_coin"})
    if unknown:
        raise ValueError(f"there is no parameter {unknown[0]}; there is same_coin")
    return EventBreakout(same_coin=parse_duration(section.get("same_coin", "24h")))


__all__ = ["EventBreakout", "make"]
