"""Orders that rest at the touch and follow it, until they are filled, their time is over, or they may no longer.

An order is moved by taking it back and, only once it is proven to have ended, sending what
it left: at no instant can more fill than was asked for. While its fate is not known nothing
is sent for the rest. Whoever else takes the order back ends the work: the rest is given up.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal

from engine.execution.router_price import capped, fresh_quote, touch
from engine.execution.router_work import Goal, Key, Work, evidence
from engine.model.codec import Data, decimal_text, from_data, to_data
from engine.model.effects import PlaceOrder, PlanMade
from engine.model.events import Input, OrderAccepted, OrderCancelled, OrderFilled, OrderRejected
from engine.model.instruments import Instrument
from engine.model.ledger import OrderRecord, OrdersView
from engine.model.orders import PROTECTIVE_INTENTS, Cancellation, Intent, OrderKind, OrderState, Proposal, Side
from engine.model.reports import Rejection
from engine.model.restraints import Level
from engine.model.samples import Derived
from engine.model.terms import Route, Style
from engine.model.view import View
from engine.model.wishes import Wish

ROUTER = "router"
CHASE = "order_late_chase_bps"
Granted = Callable[[str, str, str], bool]
"""Whether makers are allowed for (venue, symbol, intent) now."""
@dataclass(frozen=True, slots=True, kw_only=True)
class Now:
    """One instant, as the works are looked at."""

    at: int
    view: View
    orders: OrdersView
    granted: Granted


class Makers:
    """All that is worked as a maker."""

    def __init__(self) -> None:
        self._works: dict[Key, Work] = {}

    def begin(self, at: int, wish: Proposal, route: Route, order: PlaceOrder) -> None:
        """Work `wish`, for which `order` leaves now."""
        assert order.quantity is not None and order.limit_price is not None
        work = Work(
            wish=wish, route=route, allowed=order.quantity, client_id=order.client_id, limit=order.limit_price,
            began_at=at, checked_at=at,
        )
        self._works[work.key] = work

    def continued(self, proposal: Proposal, order: PlaceOrder | None) -> None:
        """Note that what continues a work was planned as `order`; None, and the work ends, when it was not."""
        work = self._works.get((proposal.proposer, proposal.purpose))
        if work is None:
            return
        if order is None or order.limit_price is None:
            del self._works[work.key]
            return
        work.client_id, work.limit = order.client_id, order.limit_price
        work.goal, work.would_take, work.away_since = Goal.NONE, False, 0

    def refused(self, at: int, proposal: Proposal, reason: str) -> list[PlanMade]:
        """Policy refused what was to continue a work: the rest is given up."""
        self._works.pop((proposal.proposer, proposal.purpose), None)
        left = proposal.at_most if proposal.at_most is not None else proposal.quantity
        return [_given_up(at, proposal, left or Decimal(0), f"policy refused to go on ({reason})")]

    def on_cancellation(self, wish: Cancellation) -> None:
        """Somebody takes an order back: if it is one that we work, its rest is not sent again."""
        if wish.proposer == ROUTER or wish.again:
            return
        for work in self._works.values():
            if work.client_id == wish.client_id:
                work.goal = Goal.STOP

    def symbols(self) -> set[str]:
        """Return the symbols whose quotes matter."""
        return {work.wish.symbol for work in self._works.values()}

    def on_event(self, item: Input, view: View, orders: OrdersView) -> list[Derived]:
        """Take what a venue said; return the evidence of whether what we posted could rest, and was filled."""
        event = item.event
        if not isinstance(event, OrderAccepted | OrderRejected | OrderCancelled | OrderFilled):
            return []
        client_id = event.fill.client_id if isinstance(event, OrderFilled) else event.client_id
        work = next((one for one in self._works.values() if one.client_id == client_id), None)
        record = orders.order(client_id)
        return [] if work is None or record is None else evidence(work, record, event)

    def look(self, now: Now, symbol: str = "") -> list[Wish]:
        """Return what the works need now: all of them, or those on `symbol`."""
        wishes: list[Wish] = []
        for work in tuple(self._works.values()):
            if symbol in ("", work.wish.symbol):
                work.checked_at = now.at
                wishes += self._one(work, now)
        return wishes

    def _one(self, work: Work, now: Now) -> list[Wish]:
        record, latest = now.orders.order(work.client_id), now.orders.latest(*work.key)
        if record is None or latest is None or latest.client_id != work.client_id:
            # Its orders are forgotten, or its proposer has sent another one: it is not ours to go on with.
            del self._works[work.key]
            return []
        if record.live:
            return _follow(work, record, now)
        left = _left(work, record, now.orders)
        why = _why_over(work, record)
        if left <= 0 or record.state is OrderState.FILLED or why:
            del self._works[work.key]
            told = left > 0 and record.state is not OrderState.FILLED
            return [_given_up(now.at, work.wish, left, why)] if told else []
        return self._go_on(work, record, left, now)

    def _go_on(self, work: Work, record: OrderRecord, left: Decimal, now: Now) -> list[Wish]:
        """Return the order for what is left; the work ends here unless that rests again."""
        if work.goal is not Goal.THEN and now.at < work.ends_at and work.reprices < work.route.reprices:
            limit = _place_to_post(work, now)
            if limit is not None:
                work.reprices += 1
                posted = _continuation(work, record, left, now)
                return [replace(posted, kind=OrderKind.LIMIT, limit_price=limit, post_only=True)]
        del self._works[work.key]
        return _then(work, _continuation(work, record, left, now), left, now)

    def next_due(self) -> int | None:
        """Return when a work wants to be looked at though nothing happened (ns), or None."""
        instants = [due for work in self._works.values() for due in _instants(work) if due > work.checked_at]
        return min(instants, default=None)

    def dump(self) -> Data:
        """Return all works, in their order."""
        return [to_data(work) for work in self._works.values()]

    def load(self, data: Data) -> None:
        """Become what `dump` wrote."""
        works: list[Work] = [from_data(Work, item) for item in data]
        self._works = {work.key: work for work in works}


def _instants(work: Work) -> tuple[int, ...]:
    if work.away_since:
        return work.ends_at, work.away_since + work.route.reprice_after
    return (work.ends_at,)


def _follow(work: Work, record: OrderRecord, now: Now) -> list[Wish]:
    """Take the order back if it may rest no longer, or should rest elsewhere; else nothing."""
    if work.goal is not Goal.NONE or not (record.working or record.state is OrderState.UNKNOWN):
        return []
    wish = work.wish
    if not now.granted(wish.venue, wish.symbol, wish.intent.value):
        return _take_back(work, Goal.THEN, "makers are no longer granted")
    if now.at >= work.ends_at:
        return _take_back(work, Goal.THEN, "its time to rest is over")
    if now.orders.progress(*work.key).filled + record.may_fill() > work.allowed:
        return _take_back(work, Goal.FOLLOW, "a late fill left less to be done")
    if not record.working or work.reprices >= work.route.reprices or not _may_begin(wish, now.view):
        return []
    price = _touch(wish, now)
    if price is None or (price - work.limit) * wish.side.sign <= 0:
        work.away_since = 0
        return []
    work.away_since = work.away_since or now.at
    if now.at < work.away_since + work.route.reprice_after:
        return []
    return _take_back(work, Goal.FOLLOW, f"the touch moved to {decimal_text(price)}")


def _take_back(work: Work, goal: Goal, why: str) -> list[Wish]:
    work.goal = goal
    wish = work.wish
    return [Cancellation(proposer=ROUTER, client_id=work.client_id, venue=wish.venue, symbol=wish.symbol, why=why)]


def _may_begin(wish: Proposal, view: View) -> bool:
    """Whether what continues could pass: at a level that lets nothing new in, what rests stays where it is."""
    highest = Level.ENTRIES_PAUSED if wish.intent is Intent.HEDGE else Level.NORMAL
    return wish.reduce_only or view.level(wish.venue, wish.symbol, wish.intent.value) <= highest


def _why_over(work: Work, record: OrderRecord) -> str:
    """Return why the rest of an order that has ended is not sent again, or an empty string where it is."""
    if work.goal is Goal.STOP:
        return "it was taken back"
    if work.would_take or record.rejection is Rejection.WOULD_TAKE or record.state is OrderState.ABANDONED:
        return ""
    if record.state in (OrderState.REJECTED, OrderState.WITHHELD):
        return f"{record.state.value} ({record.reason})"
    if work.goal is Goal.NONE:
        return f"{record.state.value}, and not because we asked ({record.reason})"
    return ""


def _left(work: Work, record: OrderRecord, orders: OrdersView) -> Decimal:
    """Return what is left to be done after `record` has ended."""
    if record.quantity is None:
        return Decimal(0)
    return min(record.quantity - record.filled, work.allowed - orders.progress(*work.key).filled)


def _touch(wish: Proposal, now: Now) -> Decimal | None:
    quote = fresh_quote(now.at, now.view, wish.venue, wish.symbol)
    instrument = now.view.instrument(wish.venue, wish.symbol)
    return None if quote is None or instrument is None else touch(quote, wish.side, instrument)


def _place_to_post(work: Work, now: Now) -> Decimal | None:
    wish = work.wish
    if not now.granted(wish.venue, wish.symbol, wish.intent.value):
        return None
    return _touch(wish, now)


def _continuation(work: Work, record: OrderRecord, left: Decimal, now: Now) -> Proposal:
    """Return the wish for what is left, at market.

    Review cuts what was asked for, as it did at first, and not what it had cut already; `at_most` holds it to the rest.
    """
    wish = work.wish
    assert wish.quantity is not None
    exits = wish.reduce_only or wish.intent in PROTECTIVE_INTENTS
    asked = left if exits else max(wish.quantity - now.orders.progress(*work.key).filled, left)
    return replace(wish, quantity=asked, at_most=left, continues=record.client_id, facts=_facts_now(wish, now))


def _facts_now(wish: Proposal, now: Now) -> tuple[tuple[str, float], ...]:
    """Return the facts of `wish` with its chase brought up to date: the price went on while the order rested."""
    quote = fresh_quote(now.at, now.view, wish.venue, wish.symbol)
    if quote is None:
        return wish.facts
    reference = float(wish.reference_price)
    ran = ((quote.bid + quote.ask) / 2.0 - reference) / reference * wish.side.sign * 10_000.0
    return tuple((name, value + max(ran, 0.0) if name == CHASE else value) for name, value in wish.facts)


def _then(work: Work, rest: Proposal, left: Decimal, now: Now) -> list[Wish]:
    """Return what comes after resting: a taker with a cap, one without, or the end."""
    style = work.route.then
    if style is None:
        return [_given_up(now.at, rest, left, "nobody took it")]
    if style is Style.MARKET:
        return [rest]
    instrument = now.view.instrument(rest.venue, rest.symbol)
    taker = None if instrument is None else as_capped(rest, work.route, instrument)
    return [_given_up(now.at, rest, left, "there is no price within its cap")] if taker is None else [taker]


def as_capped(proposal: Proposal, route: Route, instrument: Instrument) -> Proposal | None:
    """Return `proposal` as a taker who pays at most the cap beyond the decision's price; None where no price is."""
    limit = capped(proposal.reference_price, proposal.side, route.cap_bps, instrument)
    return None if limit is None else replace(proposal, kind=OrderKind.LIMIT, limit_price=limit, immediate=True)


def _given_up(at: int, wish: Proposal, left: Decimal, why: str) -> PlanMade:
    done = "bought" if wish.side is Side.BUY else "sold"
    text = f"{decimal_text(left)} for {wish.purpose} will not be {done}: {why}"
    return PlanMade(at=at, strategy=ROUTER, symbol=wish.symbol, state="given_up", text=text)


__all__ = ["ROUTER", "Goal", "Granted", "Makers", "Now", "Work", "as_capped"]
