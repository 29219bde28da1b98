"""How to do it: approved wishes become orders, and what becomes of them becomes what we know.

Nothing here chooses what to trade. Every order is planned once; every fill counts once;
an order whose fate is unclear counts as exposure, is looked up and is never sent again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from engine.execution.account import SIGNS, Account, Said
from engine.execution.converge import PROPOSER, Targets
from engine.execution.evidence import protects
from engine.execution.hedge import Hedges
from engine.execution.hedge_open import PROPOSER as HEDGE
from engine.execution.incidents import cancellation
from engine.execution.inquiries import Inquiries
from engine.execution.standing import Standing
from engine.model.codec import Data, decimal_text
from engine.model.effects import AskVenue, CancelOrder, Notify, PlaceOrder, PlanMade, TargetOpened
from engine.model.events import Input, InstrumentDefined, OrderFilled
from engine.model.fills import Position
from engine.model.flags import FlagValue
from engine.model.ledger import OrderRecord, Progress
from engine.model.orders import ENTRY_INTENTS, Cancellation, Closing, Exposure, Intent, OrderState, Proposal
from engine.model.restraints import InForce, Level
from engine.model.samples import Derived
from engine.model.terms import ExecutionTerms
from engine.model.view import View
from engine.model.wishes import Wish
from engine.policy.review import Approved
from engine.ruleset.latches import Episode

_TOOK_HOLD = frozenset({OrderState.OPEN, OrderState.PARTLY_FILLED, OrderState.FILLED})
_CAME_TO_NOTHING = frozenset({OrderState.REJECTED, OrderState.WITHHELD, OrderState.ABANDONED})
_CANCELLED_BY_LEVEL = ENTRY_INTENTS | {Intent.HEDGE}

DEFAULTS = ExecutionTerms()


class Execution:
    """Orders, positions and targets of one account; an `OrdersView` for strategies."""

    def __init__(self, terms: ExecutionTerms = DEFAULTS) -> None:
        self._account = Account(terms)
        self._inquiries = Inquiries(self._account)
        self._targets = Targets()
        self._standing = Standing()
        self.hedges = Hedges(self._account)
        self._soonest: int | None = None
        self._held: tuple[InForce, ...] = ()
        self._stir()

    def _stir(self) -> None:
        """Something is done: what is asked at every event has to be worked out anew."""
        self._stirred = self._reheld = self.hedges.stirred = True

    def begin(self, epoch: str, at: int, venues: Sequence[str]) -> None:
        """A run begins, or goes on in a new process, whose client ids carry `epoch`; `venues` take real orders.

        What was under way in the process before is of unknown fate. ValueError if the epoch is
        no legal part of an id.
        """
        self._stir()
        self._account.ids.begin(epoch)
        for venue in venues:
            self._standing.know(venue)
        self._inquiries.begin(at, venues)

    def remember(self, at: int, order: PlaceOrder) -> None:
        """Keep an order that left though its record was lost: it counts as exposure until its fate is proven."""
        self._stir()
        self._account.remember(at, order)

    def holds(self) -> tuple[InForce, ...]:
        """Return what is restrained because an account is not known to be as we count it."""
        if self._reheld or self.hedges.reheld:
            self._reheld, self._held = False, (*self._inquiries.holds(), *self.hedges.holds())
        return self._held

    def number(self, ask: AskVenue) -> AskVenue:
        """Return `ask` with the next number, where it has none."""
        return self._account.number(ask)

    def reconcile_now(self, at: int) -> list[Wish]:
        """Return the questions that tell how every venue's account stands."""
        self._stir()
        return [*self._inquiries.ask_now(at), *self._collect()]

    def flatten(self, at: int, view: View, why: str) -> list[Wish]:
        """Begin to close every position; the stops go when all is known to be flat."""
        self._stir()
        self.hedges.end_all("everything is closed")
        return [*self._inquiries.flatten.begin(at, why), *self._inquiries.flatten_step(at, view)]

    def flattening(self) -> Data | None:
        """Return since when (ns) everything is being closed and what is left, or None."""
        return self._inquiries.flatten.status()

    def income(self) -> list[Data]:
        """Return funding, fees and transfers so far, summed by venue, kind and asset."""
        return self._inquiries.income.sums()

    def close(self, at: int, wish: Closing) -> list[TargetOpened]:
        """Open the target that `wish` asks for, once for its name."""
        self._stir()
        return self._targets.close(at, wish)

    # What there is.

    def order(self, client_id: str) -> OrderRecord | None:
        """Return the record of one order, or None if it is not ours or long gone."""
        return self._account.ledger.order(client_id)

    def latest(self, proposer: str, purpose: str) -> OrderRecord | None:
        """Return the last order planned for `purpose`, or None."""
        return self._account.ledger.latest(proposer, purpose)

    def attempts(self, proposer: str, purpose: str) -> tuple[OrderRecord, ...]:
        """Return every order planned for `purpose` that is still remembered, oldest first."""
        return self._account.ledger.attempts(proposer, purpose)

    def progress(self, proposer: str, purpose: str) -> Progress:
        """Return how far `purpose` has come, all its orders together."""
        return self._account.ledger.progress(proposer, purpose)

    def live(self, venue: str, symbol: str) -> tuple[OrderRecord, ...]:
        """Return the orders to which something may still happen, oldest first."""
        return self._account.ledger.live(venue, symbol)

    def all_live(self) -> tuple[OrderRecord, ...]:
        """Return every order to which something may still happen, by venue and symbol, oldest first."""
        return tuple(self._account.all_live())

    def position(self, account: str, venue: str, symbol: str) -> Position:
        """Return the net position, flat if there never was one."""
        return self._account.positions.of(account, venue, symbol)

    def positions(self) -> tuple[Position, ...]:
        """Return every position there ever was, sorted by (account, venue, symbol)."""
        return self._account.positions.all()

    def exposure(self, account: str, venue: str, symbol: str) -> Exposure:
        """Return the position and what live orders may still add to either side, UNKNOWN ones included."""
        return self._account.exposure(account, venue, symbol)

    def count_orders(self) -> dict[str, int]:
        """Return how many orders are live, and how many of those are unknown."""
        live = self._account.all_live()
        return {"open": len(live), "unknown": sum(record.state is OrderState.UNKNOWN for record in live)}

    def stop_of(self, venue: str, symbol: str) -> str | None:
        """Return the stop that protects the symbol as `client_id @ trigger`, or None where none is acknowledged."""
        stops = [record for record in self.live(venue, symbol) if protects(record) and record.trigger_price is not None]
        if not stops:
            return None
        return f"{stops[-1].client_id} @ {decimal_text(stops[-1].trigger_price)}"  # type: ignore[arg-type]

    # What happened.

    def on_event(self, item: Input, view: View) -> list[Derived]:
        """Take what a venue said; return samples, those of a fill only where it was not known yet."""
        self._stir()
        event, at = item.event, item.at
        if isinstance(event, InstrumentDefined):
            self._standing.know(event.instrument.venue)
            return self._sampled(at)
        if isinstance(event, OrderFilled):
            samples = self._account.on_fill(event, at, view.account)
            # A fill told twice gives no samples at all: that is how others tell it from a new one.
            ended, self._account.ended = self._account.ended, []
            return [*samples, *ended, *self._sampled(at)] if samples else []
        if type(event) in SIGNS:
            self._account.on_said(cast(Said, event), at)
        else:
            self._inquiries.on_answer(item, view.account, self._standing, self._targets)
        return self._sampled(at)

    def _sampled(self, at: int) -> list[Derived]:
        for venue in self._account.incidents.take():
            self._standing.count_incident(venue)
        unknown = self._account.count_by_venue()
        self._standing.compare(unknown)
        ended, self._account.ended = self._account.ended, []
        return [*ended, *self._standing.samples(at, unknown)]

    def after_event(self, at: int, view: View) -> list[Wish]:
        """Return what the last event makes necessary: what to look up, cancel, close and tell."""
        self._stir()
        return [*self._inquiries.due(at), *self._collect(), *self._inquiries.flatten_step(at, view)]

    def _collect(self) -> list[Wish]:
        """Return what the account wants by now, and what the moves of orders lead to."""
        account = self._account
        wishes, account.wishes = account.wishes, []
        for client_id in account.news:
            record = account.ledger.order(client_id)
            if record is not None:
                wishes += self._consequences(record)
        account.news.clear()
        return wishes

    def _consequences(self, record: OrderRecord) -> list[Cancellation | PlanMade]:
        if record.working and record.cancel_asked:
            return [cancellation(record, "it was to be cancelled and appeared late", again=True)]
        old = self._account.ledger.order(record.replaces) if record.replaces else None
        if old is None or old.state.final or old.state is OrderState.CANCELLING:
            return []
        if record.state in _TOOK_HOLD:
            return [cancellation(old, f"replaced by {record.client_id}")]
        if record.state in _CAME_TO_NOTHING:
            text = f"{record.client_id} was {record.state.value} ({record.reason}): {old.client_id} stays"
            at = record.moved_at
            return [PlanMade(at=at, strategy=record.proposer, symbol=record.symbol, state="kept", text=text)]
        return []

    def on_refused(self, at: int, proposal: Proposal, reason: str) -> None:
        """Policy refused `proposal`: an order toward a target is tried again later."""
        self._stir()
        if proposal.proposer == PROPOSER:
            self._targets.on_refused(at, proposal)
        elif proposal.proposer == HEDGE:
            self.hedges.on_refused(at, proposal)

    # What is to be done.

    def plan(
        self, at: int, approved: Sequence[Approved], cancellations: Sequence[Cancellation], policy_version: int
    ) -> list[PlaceOrder | CancelOrder]:
        """Return the effects of what was approved; what is already under way gives none.

        Each effect is exposure from here on, whether or not it reaches the venue.
        """
        self._stir()
        cancels = [self._account.cancel(at, wish.client_id, wish.why) for wish in cancellations]
        places = [
            self._account.place(at, item.proposal, max(item.policy_version, policy_version)) for item in approved
        ]
        for place in places:
            if place is not None:
                self._inquiries.reconciler.hasten(place.venue, at)
        # Cancels first: the margin they free may be what the new order needs, and
        # if we stop half-way the account holds less risk, never more.
        return [effect for effect in (*cancels, *places) if effect is not None]

    def on_policy(self, at: int, view: View) -> list[CancelOrder]:
        """Return the cancels of working orders that add risk where the level no longer lets them work."""
        cancels: list[CancelOrder | None] = []
        for record in self._account.all_live():
            if record.reduces or record.intent not in _CANCELLED_BY_LEVEL:
                continue
            level = view.level(record.venue, record.symbol, record.intent.value)
            if level >= Level.REDUCE_ONLY:
                self._stir()
                cancels.append(self._account.cancel(at, record.client_id, f"level is {level.word}"))
        return [effect for effect in cancels if effect is not None]

    # Targets.

    def open_targets(
        self, at: int, episode: Episode, flags: Mapping[str, FlagValue]
    ) -> list[TargetOpened | Notify]:
        """Open the targets of an episode's action, computed now and never again."""
        self._stir()
        adding = [record for record in self._account.all_live() if not record.reduces]
        return self._targets.open(at, episode, flags, positions=self._account.positions.all(), adding=adding)

    @property
    def targets(self) -> Targets:
        """The targets not reached yet."""
        return self._targets

    def has_targets(self) -> bool:
        """Whether any target is not reached yet."""
        return self._targets.any()

    def converge(self, at: int, view: View) -> list[Proposal | Cancellation | PlanMade | AskVenue]:
        """Return the reduce-only orders that bring positions to their tightest targets."""
        self._stir()
        return self._targets.converge(at, view, self)

    # Time.

    def next_due(self) -> int | None:
        """Return when something is due (ns), or None. Asked at every event, so worked out only after one of ours."""
        if self._stirred:
            self._stirred = False
            dues = (
                self._targets.next_due(), self._inquiries.next_due(), self._standing.next_due(),
                self.hedges.next_due(),
            )
            self._soonest = min((due for due in dues if due is not None), default=None)
        return self._soonest

    def on_timer(self, at: int, view: View) -> list[Derived]:
        """Let what is not answered for too long be doubted; return the samples that are due."""
        due = self.next_due()
        if due is None or due > at:
            return []
        self._stir()
        self._inquiries.on_timer(at)
        return self._sampled(at)

    def due(self, at: int, view: View) -> list[Wish]:
        """Return what is due at `at`; what leads toward a target is for `converge`."""
        due = self.next_due()
        if due is None or due > at:
            return []
        self._stir()
        self._targets.on_timer(at)
        self.hedges.on_timer(at)
        return [*self._inquiries.due(at), *self._collect(), *self._inquiries.flatten_step(at, view)]

    def dump(self) -> Data:
        """Return everything as JSON data."""
        return {
            "account": self._account.dump(), "inquiries": self._inquiries.dump(), "targets": self._targets.dump(),
            "standing": self._standing.dump(), "hedges": self.hedges.dump(),
        }

    def load(self, data: Data) -> None:
        """Become what `dump` wrote."""
        self._stir()
        self._account.load(data["account"])
        self._inquiries.load(data["inquiries"])
        self._targets.load(data["targets"])
        self._standing.load(data["standing"])
        self.hedges.load(data.get("hedges", {"hedges": [], "serial": 0}))
