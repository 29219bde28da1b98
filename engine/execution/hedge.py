"""Hedges: opened once an episode, counted by their own fills, taken back when what they stand for is over.

A hedge lives in a market in which the account may hold more: what belongs to it is what its
own order filled, less what its own orders or somebody else closed of it, never the net
position. It is opened by one order that policy reviews like an entry; an order of unknown
fate is waited for, and nothing is sent in its place. It gets a stop at the venue as every
position does: the stop of what it hedges may fill while nobody is there to take it back.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from engine.execution.account import Account
from engine.execution.hedge_open import PROPOSER, Hedge, Sizing, facts, fresh_mid, sized, stop_trigger
from engine.execution.ledger import Key
from engine.model.codec import Data, from_data, plain, to_data
from engine.model.effects import Notify, PlanMade, TargetOpened
from engine.model.ledger import OrderRecord
from engine.model.orders import Cancellation, Intent, OrderKind, Proposal, Side
from engine.model.restraints import InForce, Level, Restraint, Scope
from engine.model.time import MINUTE, SECOND
from engine.model.truth import Truth
from engine.model.view import View
from engine.model.wishes import Wish
from engine.ruleset.latches import Episode

FIRST_RETRY, LONGEST_RETRY = SECOND, 5 * MINUTE
STOP_FLAG = "FUNDING_HEDGE_STOP_PCT"

Truths = Callable[[str, tuple[str, ...], int], Truth | None]
"""What the condition of an episode (rule, labels, number) is now; None once it is over or nobody enforces it."""


class Hedges:
    """All hedges of one account, in the order in which they were opened."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._hedges: list[Hedge] = []
        self._serial = 0
        self._seen_version = -1
        self.stirred = True
        """Whether an order or a timer may have changed what is to be done."""
        self.reheld = True
        """Whether other markets may be held now than when that was last asked."""

    def open(self, at: int, episode: Episode, view: View) -> list[TargetOpened | Notify]:
        """Open what the action of a new episode asks for: one target a position it covers, worked out now."""
        action = episode.action
        if action is None or not action.hedge_ratio:
            return []
        effects: list[TargetOpened | Notify] = []
        for position in view.positions():
            if episode.scope.venue not in ("", position.venue) or episode.scope.symbol not in ("", position.symbol):
                continue
            net = view.position(position.venue, self._account.terms.hedge_symbol).quantity
            now = Sizing(at=at, view=view, terms=self._account.terms, net=net)
            found = sized(position, episode, self._serial + 1, now)
            if isinstance(found, str):
                text = f"{position.symbol} is not hedged: {found}"
                effects.append(Notify(at=at, to="alert", rule=episode.rule, text=text))
                continue
            self._serial += 1
            self._hedges.append(found)
            self.stirred = self.reheld = True
            effects.append(TargetOpened(
                at=at, name=found.name, kind="hedge_ratio", venue=found.venue, symbol=found.symbol,
                quantity=found.quantity, dry_run=False,
            ))
        return effects

    def wants_look(self, version: int) -> bool:
        """Whether there is anything to look at, in a rule book of `version`; cheap: asked at every event."""
        return bool(self._hedges) and (self.stirred or version != self._seen_version)

    def step(self, at: int, view: View, truths: Truths, version: int) -> list[Wish]:
        """Return what brings every hedge to where it is to be."""
        self.stirred, self._seen_version = False, version
        self._count()
        wishes: list[Wish] = []
        for hedge in self._hedges:
            wishes += self._tend(hedge, at, view, truths)
        over = [hedge for hedge in self._hedges if self._over(hedge)]
        self.reheld = self.reheld or bool(over)
        self._hedges = [hedge for hedge in self._hedges if hedge not in over]
        for hedge in over:
            wishes.append(_told(hedge, at, "unhedged", f"hedge for {hedge.name}: {hedge.ending or 'closed by others'}"))
        return wishes

    def _count(self) -> None:
        """Take in what the orders of every hedge have filled, and what of it others have closed."""
        for hedge in self._hedges:
            # The ledger forgets what is long over; a hedge may be held for days.
            hedge.opened = max(hedge.opened, self._account.ledger.progress(PROPOSER, hedge.entry).filled)
        for key in dict.fromkeys(hedge.key for hedge in self._hedges):
            ours = [hedge for hedge in self._hedges if hedge.key == key]
            net = self._net(key)
            for side in Side:
                room = max(net * side.sign, Decimal(0))
                total = sum((self.held(hedge) for hedge in ours if hedge.side is side), Decimal(0))
                for hedge in reversed(ours):
                    gone = min(total - room, self.held(hedge)) if hedge.side is side else Decimal(0)
                    if gone > 0:
                        hedge.lost = plain(hedge.lost + gone)
                        total -= gone

    def held(self, hedge: Hedge) -> Decimal:
        """Return how much of `hedge` there is, in base, by its own fills."""
        closing = self._account.ledger.progress(PROPOSER, hedge.closing).filled if hedge.closing else Decimal(0)
        return hedge.opened - hedge.closed - closing - hedge.lost

    def _net(self, key: Key) -> Decimal:
        positions = self._account.positions.all()
        return sum((one.quantity for one in positions if (one.venue, one.symbol) == key), Decimal(0))

    def _tend(self, hedge: Hedge, at: int, view: View, truths: Truths) -> list[Wish]:
        entry = self._account.ledger.latest(PROPOSER, hedge.entry)
        truth = truths(hedge.rule, hedge.labels, hedge.episode)
        if not hedge.ending:
            hedge.ending = self._why_over(hedge, view, truth)
        if hedge.ending:
            return self._take_back(hedge, entry, at, view)
        if entry is not None and entry.live:
            return []
        if not hedge.opened:
            return self._begin(hedge, entry, at, view, truth)
        hedge.trying = False
        return self._protect(hedge, at, view)

    def _why_over(self, hedge: Hedge, view: View, truth: Truth | None) -> str:
        if view.position(hedge.of_venue, hedge.of_symbol).quantity * hedge.of_sign <= 0:
            return f"{hedge.of_symbol} is closed"
        return "" if truth is not None else "its episode is over"

    def end_all(self, why: str) -> None:
        """Take every hedge back, whatever its episode says."""
        for hedge in self._hedges:
            hedge.ending = hedge.ending or why
        self.stirred = True

    # There.

    def _begin(
        self, hedge: Hedge, entry: OrderRecord | None, at: int, view: View, truth: Truth | None
    ) -> list[Wish]:
        if hedge.trying:
            # The order came to nothing, and that is proven: what is not proven is live.
            hedge.trying = False
            if entry is not None:
                self._failed(hedge, at)
        instrument = view.instrument(*hedge.key)
        # A firing rule whose condition is in doubt goes on restraining, and begins nothing.
        if at < hedge.retry_at or truth is not Truth.TRUE or instrument is None:
            return []
        price = fresh_mid(Sizing(at=at, view=view, terms=self._account.terms, net=Decimal(0)), *hedge.key)
        if price is None:
            self._failed(hedge, at)
            return []
        hedge.trying = True
        return [Proposal(
            proposer=PROPOSER, purpose=hedge.entry, intent=Intent.HEDGE, venue=hedge.venue, symbol=hedge.symbol,
            side=hedge.side, kind=OrderKind.MARKET, quantity=abs(hedge.quantity), reference_price=price,
            facts=facts(hedge, price, view), account=view.account,
        )]

    def _protect(self, hedge: Hedge, at: int, view: View) -> list[Wish]:
        instrument = view.instrument(*hedge.key)
        if hedge.stop or instrument is None or self.held(hedge) <= 0:
            return []
        hedge.stop = f"{hedge.entry}/stop"
        if any(_stops(one, hedge.side.opposite) for one in self._account.ledger.live(*hedge.key)):
            # Of the whole position: a venue takes no second one.
            return []
        average = self._account.ledger.progress(PROPOSER, hedge.entry).average_price or hedge.price
        distance = Decimal(str(view.flags[STOP_FLAG]))
        return [Proposal(
            proposer=PROPOSER, purpose=hedge.stop, intent=Intent.STOP, venue=hedge.venue, symbol=hedge.symbol,
            side=hedge.side.opposite, kind=OrderKind.STOP_MARKET, quantity=None, reference_price=average,
            trigger_price=stop_trigger(hedge, average, instrument, distance), close_position=True, account=view.account,
        )]

    # And back.

    def _take_back(self, hedge: Hedge, entry: OrderRecord | None, at: int, view: View) -> list[Wish]:
        if entry is not None and entry.live:
            if entry.cancel_asked:
                return []
            return [Cancellation(
                proposer=PROPOSER, client_id=entry.client_id, venue=hedge.venue, symbol=hedge.symbol, why=hedge.ending,
            )]
        hedge.trying = False
        if hedge.closing:
            record = self._account.ledger.latest(PROPOSER, hedge.closing)
            if record is not None and record.live:
                return []
            self._follow(hedge, record, at)
        instrument, held = view.instrument(*hedge.key), self.held(hedge)
        if held <= 0 or instrument is None or at < hedge.retry_at:
            return []
        quantity = instrument.floor_quantity(min(held, instrument.max_quantity))
        if quantity < max(instrument.min_quantity, instrument.step):
            # Too little for any order: somebody closed the most of it.
            hedge.lost = plain(hedge.lost + held)
            return []
        hedge.closings += 1
        hedge.closing = f"{hedge.entry}/back/{hedge.closings}"
        return [Proposal(
            proposer=PROPOSER, purpose=hedge.closing, intent=Intent.EXIT, venue=hedge.venue, symbol=hedge.symbol,
            side=hedge.side.opposite, kind=OrderKind.MARKET, quantity=quantity, reference_price=_mid(hedge, view),
            reduce_only=True, account=view.account,
        )]

    def _follow(self, hedge: Hedge, record: OrderRecord | None, at: int) -> None:
        """Take over what became of the order that took it back."""
        filled = Decimal(0) if record is None else record.filled
        hedge.closed, hedge.closing = plain(hedge.closed + filled), ""
        if filled:
            hedge.failures = hedge.retry_at = 0
        else:
            self._failed(hedge, at)

    def _over(self, hedge: Hedge) -> bool:
        entry = self._account.ledger.latest(PROPOSER, hedge.entry)
        if (entry is not None and entry.live) or hedge.closing:
            return False
        return not hedge.trying and (bool(hedge.ending) or hedge.opened > 0) and self.held(hedge) <= 0

    def _failed(self, hedge: Hedge, at: int) -> None:
        hedge.retry_at = at + min(FIRST_RETRY * 2 ** min(hedge.failures, 20), LONGEST_RETRY)
        hedge.failures += 1

    def on_refused(self, at: int, proposal: Proposal) -> None:
        """Policy refused an order of a hedge: nothing left, and it is tried again later."""
        for hedge in self._hedges:
            if proposal.purpose == hedge.entry:
                hedge.trying = False
                self._failed(hedge, at)
            elif proposal.purpose == hedge.closing:
                hedge.closing = ""
                self._failed(hedge, at)

    # What is known of them.

    def usd(self, view: View) -> tuple[float, float]:
        """Return what the hedges that are to stand should be worth, and what is held of all, at the mid price."""
        wanted = held = 0.0
        if self._hedges:
            self._count()
        for hedge in self._hedges:
            instrument = view.instrument(*hedge.key)
            unit = float(_mid(hedge, view) * (instrument.contract_size if instrument is not None else 1))
            wanted += 0.0 if hedge.ending else float(abs(hedge.quantity)) * unit
            held += float(self.held(hedge)) * unit
        return wanted, held

    def holds(self) -> tuple[InForce, ...]:
        """Return the markets in which strategies begin nothing: one net position has one owner."""
        self.reheld = False
        since: dict[Key, int] = {}
        for hedge in self._hedges:
            since.setdefault(hedge.key, hedge.opened_at)
        return tuple(
            InForce(
                rule="engine.hedge", instance=f"engine.hedge[{symbol}]", scope=Scope(venue=venue, symbol=symbol),
                restraint=Restraint(level=Level.ENTRIES_PAUSED), because="hedge", since=at,
                ends="when the hedge held there is taken back", clear_with="",
            )
            for (venue, symbol), at in sorted(since.items())
        )

    def next_due(self) -> int | None:
        """Return the soonest retry (ns), or None."""
        return min((hedge.retry_at for hedge in self._hedges if hedge.retry_at), default=None)

    def on_timer(self, at: int) -> None:
        """Make retries that are due possible."""
        for hedge in self._hedges:
            if 0 < hedge.retry_at <= at:
                hedge.retry_at = 0

    def dump(self) -> Data:
        """Return everything as JSON data."""
        return {"hedges": [to_data(hedge) for hedge in self._hedges], "serial": self._serial}

    def load(self, data: Data) -> None:
        """Become what `dump` wrote."""
        self._hedges, self._serial = [from_data(Hedge, item) for item in data["hedges"]], data["serial"]
        self._seen_version, self.stirred, self.reheld = -1, True, True


def _mid(hedge: Hedge, view: View) -> Decimal:
    quote = view.quote(*hedge.key)
    return hedge.price if quote is None else (Decimal(str(quote.bid)) + Decimal(str(quote.ask))) / 2


def _stops(record: OrderRecord, side: Side) -> bool:
    return record.intent is Intent.STOP and record.close_position and record.side is side


def _told(hedge: Hedge, at: int, state: str, text: str) -> PlanMade:
    return PlanMade(at=at, strategy=PROPOSER, symbol=hedge.symbol, state=state, text=text)
