"""One scalp: the entry through the router, the stop at the venue at once, the way out at whatever comes first."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from engine.model.codec import decimal_text
from engine.model.orders import ENTRY_INTENTS, Intent, OrderKind, OrderState, Proposal, Side
from engine.strategies import leaving
from engine.strategies.depth import expected_slippage_bps
from engine.strategies.scalp.terms import Terms
from engine.strategies.stopping import keep_whole
from engine.strategies.trade import Glance, Trade, Wish, can_cancel, cancelling, mid_of

STRATEGY = "scalp"
_BPS = 10_000.0


@dataclass(slots=True, kw_only=True)
class Scalped(Trade):
    """One scalp, from its proposal to the end of its position."""

    paid: float = 0.0
    """The average price paid, 0 before the first fill."""
    refused: str = ""
    """Why policy refused the entry."""
    ended: bool = False
    """Nothing more can come of the entry."""

    @property
    def purpose(self) -> str:
        """What its entry is for; as a maker that follows the touch it is several orders."""
        return f"{self.base}/entry"

    def wants_out(self, bid: float, fair: float, terms: Terms) -> bool:
        """Whether a bid is a reason to sell; cheap: asked at every quote of an open scalp."""
        if not self.paid or self.leaving:
            return False
        back = max(fair, self.paid)
        return self._adverse(bid, terms) or bid >= min(self._target(terms), back)

    def _target(self, terms: Terms) -> float:
        return self.paid * (1.0 + terms.target_bps / _BPS)

    def _adverse(self, bid: float, terms: Terms) -> bool:
        return bid <= self.paid * (1.0 - terms.adverse_bps / _BPS)

    def decide(self, bid: float, fair: float, terms: Terms) -> None:
        """Begin to leave if `bid` is a reason for it."""
        if not self.wants_out(bid, fair, terms):
            return
        if self._adverse(bid, terms):
            self.leaving = "adverse move"
        else:
            self.leaving = "target" if bid >= self._target(terms) else "back at the average"


def entry_of(trade: Scalped, now: Glance, quantity: Decimal) -> Proposal:
    """Return the wish to buy `quantity` (base); how it is executed is the router's to say."""
    assert now.quote is not None
    _, asks = now.view.depth(trade.venue, trade.symbol)
    mid = (now.quote.bid + now.quote.ask) / 2.0
    facts = [("order_late_chase_bps", (now.quote.ask - mid) / mid * _BPS)]
    slippage = expected_slippage_bps(asks, float(quantity), mid)
    # Without enough depth to tell, the fact is missing, and the rule that needs it refuses.
    if slippage is not None:
        facts.append(("order_expected_slippage_bps", slippage))
    return Proposal(
        proposer=STRATEGY, purpose=trade.purpose, intent=Intent.SCALP, venue=trade.venue, symbol=trade.symbol,
        side=Side.BUY, kind=OrderKind.MARKET, quantity=quantity, reference_price=mid_of(now.quote),
        facts=tuple(facts), account=now.view.account,
    )


def look_at(trade: Scalped, now: Glance, fair: float, terms: Terms, *, enabled: bool) -> list[Wish]:
    """Bring one scalp up to date; return what it wants now."""
    wishes = _follow(trade, now)
    if not enabled:
        buying = [record for record in now.mine(trade) if record.intent in ENTRY_INTENTS]
        wishes += [cancelling(record, "SCALP_ENABLED is off") for record in buying if can_cancel(record)]
    if trade.entered_at and now.sellable() > 0:
        trade.paid = float(now.average)
        wishes += leaving.time_stop(trade, now, terms.hold)
        wishes += keep_whole(trade, now, lambda: _stop_price(trade, now, terms))
        if now.quote is not None:
            trade.decide(now.quote.bid, fair, terms)
    if trade.leaving or (trade.entered_at and now.sellable() <= 0):
        wishes += leaving.leave(trade, now)
    return wishes


def _follow(trade: Scalped, now: Glance) -> list[Wish]:
    """Take over what became of the entry since the last look."""
    if trade.ended:
        return []
    record = now.orders.latest(STRATEGY, trade.purpose)
    if record is None:
        trade.ended = True
        return []
    came_to = now.orders.progress(STRATEGY, trade.purpose)
    if came_to.filled > 0 and not trade.entered_at:
        trade.entered_at = now.at
    if not came_to.ended:
        return []
    trade.ended = True
    if came_to.filled <= 0:
        if record.state is OrderState.REJECTED:
            trade.refused = "rejected"
        return []
    how = "resting" if record.post_only else "taking"
    bought = f"bought {decimal_text(came_to.filled)} at {float(came_to.average_price):.8g} {how}"
    return [trade.story(now.at, "entered", bought)]


def _stop_price(trade: Scalped, now: Glance, terms: Terms) -> Decimal:
    assert now.instrument is not None
    wanted = now.average * (1 - Decimal(str(terms.stop_bps)) / 10_000)
    return max(now.instrument.price_down(wanted), trade.best_stop)


def over(trade: Scalped, now: Glance) -> bool:
    """Whether nothing of it is left."""
    return trade.ended and leaving.nothing_left(trade, now)


def last_line(trade: Scalped, now: Glance) -> Wish:
    """Return the last line of the story of a scalp that held something."""
    stopped = now.orders.latest(STRATEGY, f"{trade.base}/stop/{trade.stops}") if trade.stops else None
    by_stop = stopped is not None and stopped.filled > 0
    how = "stop loss" if by_stop else trade.leaving or "sold from outside the scalp"
    return trade.story(now.at, "closed", leaving.closed_text(trade, now, how))
