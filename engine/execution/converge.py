"""Toward the targets that rules opened: reduce-only, tightest first, never recomputed.

A target is a quantity fixed when its episode opened. It stays until the position is there
and nothing that could enlarge it is under way; each order toward it is an ordinary
proposal, so policy sees it like any other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Protocol

from engine.execution.excess import excess_of, is_dust
from engine.execution.ledger import Key
from engine.model.answers import AccountReported
from engine.model.codec import Data, decimal_text, from_data, to_data
from engine.model.effects import AskVenue, Notify, PlanMade, TargetOpened
from engine.model.fills import Position
from engine.model.flags import FlagValue
from engine.model.instruments import MarketKind
from engine.model.ledger import OrderRecord, OrdersView
from engine.model.orders import Cancellation, Closing, Exposure, Intent, OrderKind, OrderState, Proposal, Side
from engine.model.reports import Query, Rejection
from engine.model.restraints import Scope
from engine.model.time import SECOND
from engine.model.view import View
from engine.ruleset.latches import Episode

PROPOSER = "execution"
FIRST_RETRY, LONGEST_RETRY = SECOND, 60 * SECOND
UNSENT_RETRY = 5 * SECOND
"""The longest wait after an order that did not leave, or that a venue would not look at: nothing was said of it."""
READ_AGAIN = 5 * SECOND
"""An account that was to be read and was not answered is asked for again after this."""
_UNSENT = frozenset({Rejection.LIMITED, Rejection.NOT_SENT, Rejection.CLOCK})
SMALLEST_CLIP = 10
"""An order that the market is too thin for is halved so often and no more."""


class Orders(OrdersView, Protocol):
    """What convergence looks at."""

    def exposure(self, account: str, venue: str, symbol: str) -> Exposure:
        """Return the position and what may still be executed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A signed base quantity that the position must not exceed in magnitude."""

    name: str
    venue: str
    symbol: str
    quantity: Decimal
    opened_at: int
    kind: str = ""
    """exit_risk or trim_pct where a rule opened it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Approach:
    """How far the way of one symbol toward its tightest target has come. `retry_at` in ns, 0 for now."""

    purpose: str = ""
    """Of the order under way, or empty."""
    failures: int = 0
    """Orders in a row that came to nothing."""
    retry_at: int = 0
    clip: int = 0
    """How often the next order is halved, because the market is too thin for it."""
    read_after: int = 0
    """There was nothing left to reduce: nothing is sent before the account was read as of then or later (ns)."""
    read_at: int = 0
    """When that was asked for (ns)."""


class Targets:
    """The targets not reached yet, and the orders on their way."""

    def __init__(self) -> None:
        self._targets: dict[Key, list[Target]] = {}
        self._approaches: dict[Key, Approach] = {}
        self._serial = 0

    def any(self) -> bool:
        """Whether a target is not reached yet."""
        return bool(self._targets)

    def open(
        self, at: int, episode: Episode, flags: Mapping[str, FlagValue], *,
        positions: Sequence[Position], adding: Sequence[OrderRecord],
    ) -> list[TargetOpened | Notify]:
        """Open a target a position that `episode` covers; orders that may still open one count as one."""
        action = episode.action
        if action is None:
            return []
        effects: list[TargetOpened | Notify] = []
        exit_word = _resolved(action.exit_risk, flags)
        held = {(item.venue, item.symbol): item.quantity for item in positions if item.quantity != 0}
        for record in adding:
            held.setdefault((record.venue, record.symbol), Decimal(0))
        for key in sorted(held):
            if not _covers(episode.scope, key):
                continue
            if exit_word in ("true", "dry_run"):
                effects += self._open_one(at, episode, key, ("exit_risk", Decimal(0), exit_word == "dry_run"))
            if action.trim_pct:
                kept = held[key] * (1 - Decimal(str(action.trim_pct)) / 100)
                effects += self._open_one(at, episode, key, ("trim_pct", kept, False))
        return effects

    def _open_one(
        self, at: int, episode: Episode, key: Key, goal: tuple[str, Decimal, bool]
    ) -> list[TargetOpened | Notify]:
        kind, quantity, dry_run = goal
        opened = TargetOpened(
            at=at, name=episode.name, kind=kind, venue=key[0], symbol=key[1], quantity=quantity, dry_run=dry_run
        )
        if dry_run:
            text = f"{kind} is dry_run: {key[1]} would go to {decimal_text(quantity)} now; nothing was sent"
            return [opened, Notify(at=at, to="alert", rule=episode.rule, text=text)]
        target = Target(name=episode.name, venue=key[0], symbol=key[1], quantity=quantity, opened_at=at, kind=kind)
        self._targets.setdefault(key, []).append(target)
        return [opened]

    def close(self, at: int, wish: Closing) -> list[TargetOpened]:
        """Open a target for `wish` unless one of its name is open."""
        known = self._targets.setdefault((wish.venue, wish.symbol), [])
        if any(target.name == wish.name for target in known):
            return []
        known.append(Target(
            name=wish.name, venue=wish.venue, symbol=wish.symbol, quantity=wish.quantity, opened_at=at
        ))
        return [TargetOpened(
            at=at, name=wish.name, kind="close", venue=wish.venue, symbol=wish.symbol, quantity=wish.quantity,
            dry_run=False,
        )]

    def trims(self) -> tuple[Target, ...]:
        """Return the trims of rules that are not reached yet."""
        return tuple(one for key in sorted(self._targets) for one in self._targets[key] if one.kind == "trim_pct")

    def drop(self, target: Target) -> None:
        """Give `target` up: the position stays as it is."""
        key = (target.venue, target.symbol)
        self._targets[key].remove(target)
        if not self._targets[key]:
            del self._targets[key]
            self._approaches.pop(key, None)

    def on_account(self, event: AccountReported) -> None:
        """A venue told of its positions: what waited for that goes on."""
        for key, approach in self._approaches.items():
            if key[0] == event.venue and 0 < approach.read_after <= event.as_of:
                self._approaches[key] = replace(approach, read_after=0, read_at=0)

    def converge(self, at: int, view: View, orders: Orders) -> list[Proposal | Cancellation | PlanMade | AskVenue]:
        """Return what is to be proposed now; nothing while an order is under way or a retry not due."""
        wishes: list[Proposal | Cancellation | PlanMade | AskVenue] = []
        for key in sorted(self._targets):
            told = self._retire(at, key, view, orders)
            if told:
                wishes += told
            if key in self._targets:
                wishes += self._next_order(at, key, view, orders)
        return wishes

    def _retire(self, at: int, key: Key, view: View, orders: Orders) -> list[PlanMade]:
        """Drop the targets of `key` that are reached, and say so."""
        if any(not record.reduces for record in orders.live(*key)):
            return []
        position = view.position(*key)
        instrument = view.instrument(*key)
        told, left = [], []
        for target in self._targets[key]:
            excess = excess_of(position.quantity, target.quantity)
            dust = instrument is not None and is_dust(excess, position, instrument)
            if excess > 0 and not dust:
                left.append(target)
                continue
            rest = f", {decimal_text(excess)} is too little to sell" if excess > 0 else ""
            text = f"{target.name}: position is {decimal_text(position.quantity)}{rest}"
            told.append(PlanMade(at=at, strategy=PROPOSER, symbol=key[1], state="target_reached", text=text))
        if left:
            self._targets[key] = left
        else:
            del self._targets[key]
            self._approaches.pop(key, None)
        return told

    def _next_order(self, at: int, key: Key, view: View, orders: Orders) -> list[Proposal | AskVenue]:
        approach = self._approaches.get(key, Approach())
        if approach.purpose:
            record = orders.latest(PROPOSER, approach.purpose)
            # One whose fate is unknown counts as under way: a second one could sell what the first one sold.
            if record is not None and record.live:
                return []
            approach = self._approaches[key] = _after(record, approach, at)
        if approach.read_after and at >= approach.read_at + READ_AGAIN:
            again = max(approach.retry_at, at + READ_AGAIN)
            self._approaches[key] = replace(approach, read_at=at, retry_at=again)
            why = "nothing was left to reduce"
            return [AskVenue(at=at, ask=0, query=Query.ACCOUNT, venue=key[0], symbol=key[1], why=why)]
        if approach.retry_at or approach.read_after:
            return []
        wanted = self._wanted(key, view, orders)
        if wanted <= 0:
            # Other orders cover it all: what becomes of them wakes us.
            return []
        proposal = self._proposal(key, wanted, approach.clip, view)
        if proposal is None:
            # Nothing to send against yet: no metadata, or no price.
            self._approaches[key] = replace(approach, retry_at=at + FIRST_RETRY)
            return []
        self._approaches[key] = replace(approach, purpose=proposal.purpose)
        return [proposal]

    def _wanted(self, key: Key, view: View, orders: Orders) -> Decimal:
        """Return what is beyond the tightest target of `key` and not under way yet, in base."""
        quantity = view.position(*key).quantity
        tightest = min((target.quantity for target in self._targets[key]), key=abs)
        exposure = orders.exposure(view.account, *key)
        return excess_of(quantity, tightest) - (exposure.open_sells if quantity > 0 else exposure.open_buys)

    def _proposal(self, key: Key, wanted: Decimal, clip: int, view: View) -> Proposal | None:
        venue, symbol = key
        instrument, position = view.instrument(venue, symbol), view.position(venue, symbol)
        side = Side.SELL if position.quantity > 0 else Side.BUY
        reference = _reference(view, position)
        if instrument is None or reference <= 0:
            return None
        least = max(instrument.min_quantity, instrument.step)
        most = min(wanted, instrument.max_quantity)
        quantity = instrument.floor_quantity(most)
        if clip:
            quantity = min(quantity, max(instrument.floor_quantity(most / 2**clip), least))
        if quantity < least:
            return None
        self._serial += 1
        return Proposal(
            proposer=PROPOSER, purpose=f"{symbol}/target/{self._serial}", intent=Intent.FLATTEN, venue=venue,
            symbol=symbol, side=side, kind=OrderKind.MARKET, quantity=quantity, reference_price=reference,
            reduce_only=instrument.kind is MarketKind.PERPETUAL, account=view.account,
        )

    def on_refused(self, at: int, proposal: Proposal) -> None:
        """Policy refused an order toward a target: try again later."""
        key = (proposal.venue, proposal.symbol)
        approach = self._approaches.get(key)
        if approach is not None and approach.purpose == proposal.purpose:
            self._approaches[key] = _failed(approach, at)

    def next_due(self) -> int | None:
        """Return the soonest retry (ns), or None."""
        if not self._approaches:
            return None
        return min((approach.retry_at for approach in self._approaches.values() if approach.retry_at), default=None)

    def on_timer(self, at: int) -> None:
        """Make retries that are due possible."""
        for key in sorted(self._approaches):
            approach = self._approaches[key]
            if 0 < approach.retry_at <= at:
                self._approaches[key] = replace(approach, retry_at=0)

    def dump(self) -> Data:
        """Return all targets and approaches."""
        return {
            "targets": [to_data(target) for key in sorted(self._targets) for target in self._targets[key]],
            "approaches": [[*key, to_data(self._approaches[key])] for key in sorted(self._approaches)],
            "serial": self._serial,
        }

    def load(self, data: Data) -> None:
        """Become what `dump` wrote."""
        self._targets, self._approaches, self._serial = {}, {}, data["serial"]
        for item in data["targets"]:
            target: Target = from_data(Target, item)
            self._targets.setdefault((target.venue, target.symbol), []).append(target)
        for venue, symbol, approach in data["approaches"]:
            self._approaches[venue, symbol] = from_data(Approach, approach)


def _resolved(word: str, flags: Mapping[str, FlagValue]) -> str:
    return str(flags.get(word, word)).lower()


def _covers(scope: Scope, key: Key) -> bool:
    return scope.venue in ("", key[0]) and scope.symbol in ("", key[1])


def _reference(view: View, position: Position) -> Decimal:
    quote = view.quote(position.venue, position.symbol)
    if quote is None:
        return position.average_price
    return (Decimal(str(quote.bid)) + Decimal(str(quote.ask))) / 2


def _after(record: OrderRecord | None, approach: Approach, at: int) -> Approach:
    """Return how to go on after an order that is over."""
    if record is not None and record.filled > 0:
        return Approach(clip=max(approach.clip - 1, 0))
    failed = _failed(approach, at)
    if record is None or record.state is not OrderState.REJECTED:
        return failed
    if record.rejection is Rejection.PRICE_BAND:
        return replace(failed, clip=min(failed.clip + 1, SMALLEST_CLIP))
    if record.rejection in _UNSENT:
        # What waits for a ban to end must leave when it does, not a minute later.
        return replace(failed, retry_at=min(failed.retry_at, at + UNSENT_RETRY))
    if record.rejection is Rejection.NOT_REDUCING:
        # We count something that the venue does not hold: only the venue can say.
        return replace(failed, read_after=at)
    return failed


def _failed(approach: Approach, at: int) -> Approach:
    wait = min(FIRST_RETRY * 2 ** min(approach.failures, 6), LONGEST_RETRY)
    return Approach(failures=approach.failures + 1, retry_at=at + wait, clip=approach.clip)
