"""Everything the core can answer: what to send, and what was decided.

Effects are the only output that counts: their canonical bytes make the digest chain,
and the journal keeps each one. All times are ns.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from engine.model.fills import Fill
from engine.model.nightly import OffendersJudged, RiskMeasured
from engine.model.orders import Intent, OrderKind, Side
from engine.model.overrides import OverrideBegan, OverrideEnded
from engine.model.reports import Income, Query


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceOrder:
    """Send this order once. Fields as in Proposal; `client_id` is never used again."""

    at: int
    client_id: str
    account: str
    venue: str
    symbol: str
    side: Side
    kind: OrderKind
    intent: Intent
    quantity: Decimal | None
    limit_price: Decimal | None
    trigger_price: Decimal | None
    reference_price: Decimal
    reduce_only: bool
    close_position: bool
    post_only: bool
    purpose: str
    policy_version: int
    """The policy's version it was approved under; perform withholds it if a stricter one came."""
    immediate: bool = False
    """What does not fill at once is taken back (IOC): with a limit price, a taker with a cap on its slippage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelOrder:
    """Ask the venue to take an order back."""

    at: int
    client_id: str
    venue: str
    symbol: str
    conditional: bool
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AskVenue:
    """Ask how something stands at the venue. `ask` numbers the questions of a run; the answer carries it."""

    at: int
    ask: int
    query: Query
    venue: str
    symbol: str = ""
    client_id: str = ""
    conditional: bool = False
    """In which book to look for the order."""
    since: int = 0
    """For trades and income: from this instant on (ns)."""
    why: str = ""
    urgent: bool = False
    """Somebody waits for it: it goes before other questions, and may use of the rate limits what entries may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FillBooked:
    """A fill was counted, once: `trade.fill` on the bus, and the fee ledger. `position` is what it left, in base."""

    at: int
    fill: Fill
    purpose: str
    """Empty for a fill of an order that is not ours."""
    decided_price: Decimal
    """The price at the decision, from which `slippage_bps` is measured; 0 where it is not known."""
    slippage_bps: float
    position: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class IncomeBooked:
    """A movement of the balance was counted, once: the ledger of funding and fees is these effects."""

    at: int
    entry: Income


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionAdopted:
    """The venue's position was taken over in place of what we had counted: the venue is the truth."""

    at: int
    venue: str
    symbol: str
    counted: Decimal
    quantity: Decimal
    entry_price: Decimal
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MakerShadowed:
    """What a maker order would have become that was not posted. `filled` in base; `waited` in ns."""

    at: int
    venue: str
    symbol: str
    intent: Intent
    side: Side
    price: Decimal
    quantity: Decimal
    filled: Decimal
    waited: int
    outcome: str
    """filled, timed_out, would_take (the market had left before it could rest) or revoked (shadows were turned off)."""
    taker_price: Decimal
    """What the taker order in its place paid or would have paid."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRefused:
    """A proposal that policy refused: a counted skip with its reason."""

    at: int
    proposer: str
    purpose: str
    intent: Intent
    venue: str
    symbol: str
    side: Side
    reason: str
    """A short word to count by: the entry rule's id, `level`, `muted`, `denied`, `no_instrument`, ..."""
    detail: str
    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleMoved:
    """A rule instance changed its lifecycle state. `inputs` are the values it read, as text."""

    at: int
    rule: str
    instance: str
    before: str
    after: str
    why: str
    inputs: tuple[tuple[str, str], ...]
    source: str
    """file:line of the rule."""
    restrains: str
    """What it now restrains, in words; empty when nothing."""
    episode: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LatchSet:
    """A latch closed: the restraint stays until `engine rearm` (or the boundary)."""

    at: int
    latch: str
    number: int
    rule: str
    mode: str
    restrains: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LatchCleared:
    """A latch was re-armed, by whom."""

    at: int
    latch: str
    number: int
    actor: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyChanged:
    """The join of all restraints changed; `binding` are the rules that make it what it is."""

    at: int
    version: int
    level: str
    size_mult: float
    mute: tuple[str, ...]
    deny: tuple[str, ...]
    deny_quotes: tuple[str, ...]
    max_notional_usd: Decimal | None
    binding: tuple[str, ...]
    stricter: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetOpened:
    """An action's goal: converge to `quantity` (signed base) reduce-only. `name` is rule/instance/episode."""

    at: int
    name: str
    kind: str
    """exit_risk, trim_pct or hedge_ratio."""
    venue: str
    symbol: str
    quantity: Decimal
    dry_run: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Notify:
    """Tell a person. `to` is page, alert or digest; or journal, which keeps the effect and tells nobody."""

    at: int
    to: str
    rule: str
    text: str

    @property
    def told(self) -> bool:
        """Whether anybody is told."""
        return self.to != "journal"


@dataclass(frozen=True, slots=True, kw_only=True)
class FlagChanged:
    """A flag's resolved value changed; texts, so that every kind prints alike."""

    at: int
    name: str
    before: str
    after: str
    layer: str
    actor: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandAnswered:
    """What a command did or why it was refused."""

    at: int
    verb: str
    accepted: bool
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanMade:
    """A strategy's plan after an announcement or its end, in words, for the story and the audit."""

    at: int
    strategy: str
    symbol: str
    state: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundaryCrossed:
    """A local day began; `day` is the local date, `next_at` the next boundary."""

    at: int
    day: str
    next_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RulingChanged:
    """Another set of rules, signals, flags and denials decides from here on."""

    at: int
    generation: int
    digest: str
    actor: str
    acknowledged_by: str
    changed: tuple[str, ...]
    carried: int
    """Rule instances that went on with their state."""
    begun: int
    """Rule instances that begin, in doubt until known."""
    orphaned: tuple[str, ...]
    """Open latches whose rule nobody evaluates any more: they stay in force."""
    state: tuple[str, ...] = ()
    """What became of the rules' state, a line each: first how many were carried, reset, new and gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReloadFailed:
    """What stands on the disk cannot take over. It restrains nothing and ends with the next good reload."""

    at: int
    what: str
    fix: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthChanged:
    """The published health is another: `state` 0 OK, 1 DEGRADED, 2 HALTED; `health.state` on the bus."""

    at: int
    state: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InternalFault:
    """The engine caught itself breaking its own law; it halts."""

    at: int
    what: str


Effect = (
    PlaceOrder | CancelOrder | AskVenue | FillBooked | IncomeBooked | PositionAdopted | MakerShadowed
    | OrderRefused | RuleMoved | LatchSet | LatchCleared | PolicyChanged | OverrideBegan | OverrideEnded
    | TargetOpened | Notify | FlagChanged | CommandAnswered | PlanMade | BoundaryCrossed
    | RulingChanged | ReloadFailed | HealthChanged | InternalFault | RiskMeasured | OffendersJudged
)
