"""How an approved wish is executed: as a taker, as a taker with a cap, or as a maker who follows the touch.

The route is chosen before policy reviews the wish, so that policy sees what would leave. A
wish that takes where a maker could have rested may have a shadow beside it, which posts
nothing: its outcome is the evidence on which makers are granted.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from engine.execution.maker import Granted, Makers, Now, as_capped
from engine.execution.router_price import fresh_quote, touch
from engine.execution.shadow import Shadows
from engine.model.codec import Data
from engine.model.effects import PlaceOrder
from engine.model.events import Event, Input
from engine.model.instruments import Instrument
from engine.model.ledger import OrdersView
from engine.model.market import Quote, Trade
from engine.model.orders import Cancellation, Intent, OrderKind, Proposal
from engine.model.samples import Derived
from engine.model.terms import ExecutionTerms, Route, Style
from engine.model.view import View
from engine.model.wishes import Told, Wish

SHADOW_FLAG, GATE_FLAG = "SCALP_MAKER_SHADOW", "MAKER_GATE_ENABLED"
URGENT = frozenset({Intent.STOP, Intent.FLATTEN})
"""What protects does not haggle: always at market."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chosen:
    """What was chosen for the wish that is being reviewed. Never outlives the step."""

    wish: Proposal
    route: Route
    posted: bool
    quote: Quote | None
    instrument: Instrument


class Router:
    """Chooses the style of each proposal and works those that rest."""

    def __init__(self, terms: ExecutionTerms) -> None:
        self._terms = terms
        self._makers = Makers()
        self._shadows = Shadows()
        self._chosen: _Chosen | None = None
        self._watched: frozenset[str] = frozenset()
        """The symbols whose quotes and trades matter."""
        self._seen = ""
        """The symbol of the market event that is being taken; empty for what concerns all."""

    def route(self, at: int, proposal: Proposal, view: View, granted: Granted) -> Proposal:
        """Return `proposal` as it is to be executed. Policy reviews what comes out."""
        self._chosen = None
        instrument = view.instrument(proposal.venue, proposal.symbol)
        if not _is_routed(proposal) or instrument is None:
            return proposal
        route = self._terms.route(proposal.intent, proposal.symbol)
        may = route.style is Style.MAKER and granted(proposal.venue, proposal.symbol, proposal.intent.value)
        shadowed = _shadowed(proposal.intent, route, may, view)
        quote = fresh_quote(at, view, proposal.venue, proposal.symbol)
        if may and not shadowed and quote is not None:
            limit = touch(quote, proposal.side, instrument)
            if limit is not None:
                self._chosen = _Chosen(wish=proposal, route=route, posted=True, quote=quote, instrument=instrument)
                return replace(proposal, kind=OrderKind.LIMIT, limit_price=limit, post_only=True)
        if shadowed:
            self._chosen = _Chosen(wish=proposal, route=route, posted=False, quote=quote, instrument=instrument)
        return _taking(proposal, route, instrument)

    def on_placed(self, at: int, proposal: Proposal, order: PlaceOrder | None) -> None:
        """Take over what became of an approved `proposal`: the order that leaves, or None where none was needed."""
        chosen, self._chosen = self._chosen, None
        if proposal.continues is not None:
            self._makers.continued(proposal, order)
        elif chosen is not None and order is not None and chosen.posted:
            self._makers.begin(at, chosen.wish, chosen.route, order)
        elif chosen is not None and order is not None and chosen.quote is not None:
            price = touch(chosen.quote, order.side, chosen.instrument)
            if price is not None:
                self._shadows.begin(at, order, chosen.quote, price, chosen.route.timeout)
        self._watch()

    def on_refused(self, at: int, proposal: Proposal, reason: str) -> list[Told]:
        """Policy refused a proposal; return what is to be told of it."""
        self._chosen = None
        if proposal.continues is None:
            return []
        told: list[Told] = list(self._makers.refused(at, proposal, reason))
        self._watch()
        return told

    def on_cancellation(self, wish: Cancellation) -> None:
        """Somebody takes an order back; if it is one that is worked, the work ends with it."""
        self._makers.on_cancellation(wish)

    def interested(self, event: Event) -> bool:
        """Whether a market event matters; cheap, because it is asked at every event."""
        kind = type(event)
        return (kind is Quote or kind is Trade) and event.symbol in self._watched  # type: ignore[union-attr]

    def on_event(self, item: Input, view: View, orders: OrdersView) -> list[Derived]:
        """Take a venue event, or a market event that matters; return samples."""
        event = item.event
        if isinstance(event, Quote | Trade):
            self._seen = event.symbol
            samples = self._shadows.on_market(event)
            if not _shadows_wanted(view):
                self._shadows.revoke(item.at)
            return samples
        self._seen = ""
        return self._makers.on_event(item, view, orders)

    def on_timer(self, at: int) -> list[Derived]:
        """End what is over by `at`; return samples."""
        return self._shadows.on_timer(at)

    def after_event(self, at: int, view: View, orders: OrdersView, granted: Granted) -> list[Wish]:
        """Return what the last event makes necessary."""
        seen, self._seen = self._seen, ""
        return self._look(Now(at=at, view=view, orders=orders, granted=granted), seen)

    def due(self, at: int, view: View, orders: OrdersView, granted: Granted) -> list[Wish]:
        """Return what is due: an order that follows, one whose time is over."""
        return self._look(Now(at=at, view=view, orders=orders, granted=granted), "")

    def _look(self, now: Now, symbol: str) -> list[Wish]:
        wishes: list[Wish] = [*self._shadows.take_told(now.at, now.orders), *self._makers.look(now, symbol)]
        if wishes or not symbol:
            self._watch()
        return wishes

    def _watch(self) -> None:
        self._watched = frozenset(self._makers.symbols() | self._shadows.symbols())

    def next_due(self) -> int | None:
        """Return when something is due (ns), or None."""
        instants = [due for due in (self._makers.next_due(), self._shadows.next_due()) if due is not None]
        return min(instants, default=None)

    def dump(self) -> Data:
        """Return everything as JSON data."""
        return {"makers": self._makers.dump(), "shadows": self._shadows.dump()}

    def load(self, data: Data) -> None:
        """Become what `dump` wrote."""
        self._makers.load(data["makers"])
        self._shadows.load(data["shadows"])
        self._chosen, self._seen = None, ""
        self._watch()


def _is_routed(proposal: Proposal) -> bool:
    """Whether it is open how `proposal` executes: at market, without a price of its own, and not urgent."""
    return (
        proposal.kind is OrderKind.MARKET and proposal.quantity is not None and proposal.limit_price is None
        and proposal.trigger_price is None and proposal.continues is None and proposal.replaces is None
        and proposal.intent not in URGENT and proposal.reference_price.is_finite() and proposal.reference_price > 0
    )


def _shadowed(intent: Intent, route: Route, may: bool, view: View) -> bool:
    """Whether an order takes and is followed as what it would have been at rest.

    With the flag for it a scalp never rests, granted or not; without it those are followed that
    would rest if they were granted it, as long as the gate is to open for evidence.
    """
    would = route.style is Style.MAKER and not may
    if _rehearses(view):
        return would or intent is Intent.SCALP
    return would and _shadows_wanted(view)


def _rehearses(view: View) -> bool:
    return bool(view.flags.get(SHADOW_FLAG, True))


def _shadows_wanted(view: View) -> bool:
    return _rehearses(view) or bool(view.flags.get(GATE_FLAG, False))


def _taking(proposal: Proposal, route: Route, instrument: Instrument) -> Proposal:
    """Return `proposal` as a taker, with the cap that its route has."""
    style = (route.then or Style.CAPPED) if route.style is Style.MAKER else route.style
    if style is Style.MARKET:
        return proposal
    taker = as_capped(proposal, route, instrument)
    if taker is not None:
        return taker
    # A tick wider than the price: a way out is never closed by that, a way in is (review refuses a limit of nothing).
    return proposal if proposal.reduce_only else replace(proposal, kind=OrderKind.LIMIT, immediate=True)


__all__ = ["Granted", "Router"]
