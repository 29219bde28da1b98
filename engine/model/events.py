"""Everything that can reach the core: commands, what a venue answers, and the market.

Commands and venue events are never dropped and are journalled before anyone reacts;
market events are on the tape.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import NamedTuple

from engine.model.answers import (
    AccountReported,
    AccountStream,
    IncomeReported,
    OrderAbsent,
    OrderFound,
    ProbeAnswered,
    QueryFailed,
    TradesReported,
)
from engine.model.effects import PlaceOrder
from engine.model.fills import Fill
from engine.model.flags import FlagValue
from engine.model.instruments import Instrument
from engine.model.market import MarketEvent
from engine.model.override_commands import (
    DenyCommand,
    EndMaintenanceCommand,
    MaintenanceCommand,
    RestrictCommand,
    UndenyCommand,
    UnrestrictCommand,
    UnwaiveCommand,
    WaiveCommand,
)
from engine.model.reports import Rejection


class RunMode(StrEnum):
    """Whether orders can cost money. The most restrictive of all sources wins."""

    DRY_RUN = "dry-run"
    LIMITED_LIVE = "limited-live"
    FULL_LIVE = "full-live"


class Lane(IntEnum):
    """The order of events at one instant in virtual time."""

    COMMAND = 0
    VENUE = 1
    RELOAD = 2
    FEED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """The first input of a run: by digest, all that decides; the bytes are blobs in the journal."""

    mode: RunMode
    epoch: str
    """A nonce that enters every client id: ids are no idempotency keys on Binance."""
    rules_digest: str
    catalogue_digest: str
    flags_digest: str
    settings_digest: str
    source_digest: str
    """The files themselves and the environment's flags: from this blob the configuration is made again."""
    shadow_digest: str = ""
    """The same of the rule set that runs in shadow beside the live one; empty for none."""
    venues: tuple[str, ...] = ()
    """Where real orders go: on each of them nothing is begun until its account agreed with what we know."""
    asked: RunMode | None = None
    """The mode that was asked for; None where it is `mode`."""
    held: tuple[str, ...] = ()
    """Why `mode` is not what was asked for, and what lifts it, a line each."""
    unguarded: tuple[str, ...] = ()
    """Each guard that does not guard while something is open, why, and what makes it: nothing is begun."""
    unguarded_by: tuple[str, ...] = ()
    """Of each of these, the id of the rule, or the flag of a guard that is no rule, that has to guard again."""
    strategies: tuple[str, ...] = ()
    """Who trades, in order, each with where it comes from: the engine itself, or a package and its version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HaltCommand:
    """The operator's halt. `source` is socket, file or offline."""

    actor: str
    reason: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeCommand:
    """Clears the operator's own halt and nothing else."""

    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RearmCommand:
    """Ends a latch: its short number, its name, or `--cleared` for all whose rule is known false."""

    actor: str
    latch: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SetFlagCommand:
    """Puts a flag's value into the operator layer; `ttl` in ns, 0 for no end."""

    actor: str
    name: str
    value: FlagValue
    reason: str
    ttl: int
    offline: bool = False
    """Asked for while no engine ran: the ttl counts from when the run goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnsetFlagCommand:
    """Takes the operator layer off a flag."""

    actor: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reload:
    """Another ruling takes over from here. The bytes are the journal's blob `source_digest`."""

    actor: str
    base: str
    """The digest of the ruling it was compared with: where another one decides by now, nothing is swapped."""
    ruling: str
    """The digest of the ruling, under which it was offered to the core."""
    source_digest: str
    changed: tuple[str, ...]
    """What differs from the ruling before, a line each."""
    acknowledged_by: str
    """Who acknowledged a loosening; empty where nothing loosens."""
    commit: str
    dirty: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReloadRefused:
    """What stands on the disk cannot take over: the ruling in force stays."""

    actor: str
    what: str
    """Why, in a line."""
    fix: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FlattenCommand:
    """Halts, takes entries back, closes every position reduce-only, and takes the stops back when all is flat."""

    actor: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconcileCommand:
    """Has every venue asked now how orders, positions and trades stand."""

    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryBroken:
    """A run could not be taken up exactly as its journal has it: `orders` left and are not in the state."""

    what: str
    orders: tuple[PlaceOrder, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyFailed:
    """A strategy failed outside of any step, where it was asked what it remembers: `what` it did, in words."""

    actor: str
    name: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StopCommand:
    """The run ends in order: SIGINT, SIGTERM or the end of a tape."""

    actor: str
    reason: str


Command = (
    Start | HaltCommand | ResumeCommand | RearmCommand | SetFlagCommand | UnsetFlagCommand | Reload | ReloadRefused
    | FlattenCommand | ReconcileCommand | RestrictCommand | UnrestrictCommand | DenyCommand | UndenyCommand
    | WaiveCommand | UnwaiveCommand | MaintenanceCommand | EndMaintenanceCommand | RecoveryBroken | StopCommand
    | StrategyFailed
)


@dataclass(frozen=True, slots=True, kw_only=True)
class InstrumentDefined:
    """The venue's metadata of one instrument."""

    instrument: Instrument
    venue_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderAccepted:
    """The venue holds the order; for a conditional order, it is in the conditional book."""

    client_id: str
    venue_order_id: str
    venue_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRejected:
    """The venue refused the order for good: it never was exposure. `code` is the venue's own."""

    client_id: str
    code: str
    reason: str
    venue_at: int
    kind: Rejection = Rejection.OTHER


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderCancelled:
    """The order is gone; `remaining` is what was not filled. `reason` is requested, ioc, expired, position_closed."""

    client_id: str
    remaining: Decimal
    reason: str
    venue_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelRejected:
    """The venue could not cancel: the order is unknown there, or already filled. Nothing may be assumed."""

    client_id: str
    reason: str
    venue_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderTriggered:
    """A conditional order has triggered and becomes a market order. Triggered is not filled."""

    client_id: str
    trigger_price: Decimal
    venue_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderFilled:
    """One execution; `remaining` is what the order still has open, None where the venue does not say."""

    fill: Fill
    remaining: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderWithheld:
    """The policy became stricter between decision and send; the order never left."""

    client_id: str
    reason: str
    venue_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderUncertain:
    """The send had no clear answer: the order counts as exposure until proven absent."""

    client_id: str
    reason: str
    venue_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceReported:
    """What the account holds of one asset; both in units of the asset."""

    account: str
    asset: str
    free: Decimal
    total: Decimal
    venue_at: int


VenueEvent = (
    InstrumentDefined | OrderAccepted | OrderRejected | OrderCancelled | CancelRejected | OrderTriggered
    | OrderFilled | OrderWithheld | OrderUncertain | BalanceReported | OrderFound | OrderAbsent | AccountReported
    | TradesReported | IncomeReported | ProbeAnswered | QueryFailed | AccountStream
)

Event = Command | VenueEvent | MarketEvent


class Input(NamedTuple):
    """One event as the core gets it: its place in the order of all, and when the loop took it."""

    seq: int
    at: int
    event: Event
