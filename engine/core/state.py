"""All that the core knows, as one object that can be dumped and loaded.

`step` changes it in place: the same inputs from the same state give the same effects and
leave the same state. Purity here means no clock, no I/O and no randomness, not copying.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from engine.core.candidate import Candidate
from engine.core.look import Look
from engine.core.session import Session
from engine.execution.desk import Execution
from engine.execution.router import Router
from engine.model.codec import Data
from engine.model.events import RunMode
from engine.model.flagbook import FlagBook
from engine.model.flags import Layer
from engine.model.restraints import EVERYTHING, NONE, InForce, Level, Restraint
from engine.model.run_mode import DRY_RUN_FLAG
from engine.model.strategy import Strategy
from engine.model.time import MINUTE
from engine.policy.join import Policy
from engine.policy.overrides import Overrides
from engine.risk.funding import FundingCost
from engine.risk.guardian import Guardian
from engine.risk.offenders import Offenders
from engine.risk.prices import Prices
from engine.risk.stops import StopValidator
from engine.ruleset.evaluate import RuleBook
from engine.ruleset.ruling import Ruling
from engine.signals.catalogue import Catalogue
from engine.signals.reduce import Reducers
from engine.signals.snapshot import Snapshot

UNKNOWN = -1
"""Not worked out yet: everybody is asked."""
WARM_UP = 5 * MINUTE
"""Start-up doubt is not counted as restriction for longer than this."""
STOPPING = "stopping"
"""Source of the halt under which an engine on a real venue ends: its entries are taken back, its stops stay."""
NOT_TAKEN_UP = "the run could not be taken up as its journal has it"
"""How the fault begins that outlives a restart: orders left of which the state does not know."""
_HALT_ENDS = {
    "file": "remove the HALT file, then engine resume",
    STOPPING: "with the next start on this state directory, by itself",
}


@dataclass(frozen=True, slots=True)
class OperatorHalt:
    """A halt that was asked for; `source` is socket, file, offline, flatten or stopping."""

    source: str
    actor: str
    reason: str
    since: int


@dataclass(frozen=True, slots=True)
class ReloadFault:
    """What stands on the disk could not take over. It restrains nothing; the next good reload ends it."""

    what: str
    fix: str
    since: int


@dataclass(slots=True)
class Tally:
    """What happened so far, for the report and the status; all of it is part of the state."""

    events: int = 0
    transitions: int = 0
    orders: int = 0
    fills: int = 0
    refused: int = 0
    notifications: int = 0
    skips: Counter[str] = field(default_factory=Counter)
    in_level: dict[str, int] = field(default_factory=dict)
    """ns that the run spent in each level since warm-up."""
    in_part: int = 0
    """ns of these in which some symbol or intent alone was restrained more than the run."""
    level_since: int = 0
    started_at: int = 0
    warm_at: int = 0
    """When warm-up ended; 0 while it lasts."""
    taker_fills: int = 0
    taker_slippage_sum: float = 0.0

    def dump(self) -> Data:
        """Return all counts as JSON data."""
        return {
            "events": self.events, "transitions": self.transitions, "orders": self.orders, "fills": self.fills,
            "refused": self.refused, "notifications": self.notifications, "skips": dict(sorted(self.skips.items())),
            "in_level": dict(sorted(self.in_level.items())), "in_part": self.in_part, "level_since": self.level_since,
            "started_at": self.started_at, "warm_at": self.warm_at,
            "taker_fills": self.taker_fills, "taker_slippage_sum": self.taker_slippage_sum,
        }

    @classmethod
    def load(cls, data: Data) -> Tally:
        """Return the tally that `dump` wrote."""
        tally = cls(**{key: value for key, value in data.items() if key != "skips"})
        tally.skips = Counter(data["skips"])
        return tally


@dataclass(slots=True)
class State:
    """The core's state. `wake_at` is the next instant at which something is due, or None."""

    account: str
    floor: Restraint
    ruling: Ruling
    producers: frozenset[str]
    """Who speaks in this run, beside the core itself."""
    snapshot: Snapshot
    reducers: Reducers
    book: RuleBook
    flags: FlagBook
    guardian: Guardian
    execution: Execution
    strategies: tuple[Strategy, ...]
    """In the order in which they are asked."""
    stops: StopValidator
    router: Router
    look: Look
    funding: FundingCost = field(default_factory=FundingCost)
    prices: Prices = field(default_factory=Prices)
    offenders: Offenders = field(default_factory=Offenders)
    mode: RunMode = RunMode.DRY_RUN
    asked: RunMode = RunMode.DRY_RUN
    """The mode that the last start asked for."""
    mode_held: tuple[str, ...] = ()
    """Why `mode` is not `asked`, and what lifts it."""
    unguarded: tuple[str, ...] = ()
    """What did not guard when this process took over something open: nothing is begun, what is open is kept."""
    unguarded_by: tuple[str, ...] = ()
    """Of each of these, the rule or the flag that has to guard again."""
    unguarded_since: int = 0
    session: Session = field(default_factory=Session)
    policy: Policy = field(default_factory=lambda: Policy((), 0))
    book_version: int = -1
    held: tuple[InForce, ...] = ()
    """What execution and the stop validator hold, as of the last join."""
    overrides: Overrides = field(default_factory=Overrides)
    halts: dict[str, OperatorHalt] = field(default_factory=dict)
    faults: dict[str, int] = field(default_factory=dict)
    """What laws the engine broke, and when first (ns), in the order of happening."""
    broken: set[str] = field(default_factory=set)
    """Strategies that failed, by name: they are asked no more until the next start."""
    unloaded: dict[str, tuple[str, Data]] = field(default_factory=dict)
    """Strategies that could not take up what they remembered: why, and what that is. Kept for who can."""
    generation: int = 1
    """Counts the rulings of this run."""
    reload_fault: ReloadFault | None = None
    candidate: Candidate | None = None
    """A rule set in shadow beside the live one."""
    fresh: Callable[[Catalogue], Snapshot] = Snapshot
    """Makes an empty snapshot, where a checkpoint or a reload needs another one."""
    offered: dict[str, Ruling] = field(default_factory=dict)
    """Rulings that a `Reload` may name, by their digests; the shell puts them here first. No part of what is kept."""
    quote_preference: tuple[str, ...] = ()
    """Which quote takes over where a rule denies one, the most wanted first. No part of what is kept."""
    denials_end_at: int | None = None
    """When the next line of the denylist ends."""
    health: int = -1
    """The health as last published; -1 before it was."""
    boundary_at: int = 0
    boundary_day: str = ""
    at: int = 0
    seq: int = 0
    wake_at: int | None = None
    stirred: bool = True
    """Whether execution, stops or the router may have come to want another instant since `work_due` was worked out."""
    others_due: int | None = UNKNOWN
    """The soonest instant (ns) at which anybody but the snapshot wants to be woken. Worked out, and not kept."""
    work_due: int | None = None
    """When one of them next wants to be looked at (ns). No part of what is kept: it is worked out from what is."""
    level_changed_at: int = 0
    tally: Tally = field(default_factory=Tally)

    def standing(self) -> tuple[InForce, ...]:
        """Return what holds whatever the rules say: the floor, halts, faults, doubt, denylist, overrides."""
        held: list[InForce] = []
        if self.floor != NONE:
            held.append(_by_itself("floor", self.floor, "floor", ends="edit conf/engine.yaml and restart"))
        for halt in self.halts.values():
            ends = _HALT_ENDS.get(halt.source, "engine resume")
            # Nobody has to end what the next start ends by itself.
            command = "" if halt.source == STOPPING else "engine resume"
            held.append(_halted(f"operator:{halt.source}", "operator", halt.since, ends=ends, command=command))
        for what, since in list(self.faults.items())[:1]:
            ends, command = "a restart, after its cause was understood", ""
            if what.startswith(NOT_TAKEN_UP):
                ends, command = "engine resume, once the venue's own pages agree with ours", "engine resume"
            held.append(_halted("engine.internal_fault", "fault", since, ends=ends, command=command))
        if not self.ruling.rules.rules:
            paused = Restraint(level=Level.ENTRIES_PAUSED)
            held.append(_by_itself("engine.no_rules", paused, "floor", ends="the first good reload: mend rules/"))
        if self.session.stopped_at is not None:
            held.append(self._stopped(self.session.stopped_at))
        if self.unguarded:
            held.append(self._unguarded())
        held += self.held
        denied = frozenset(one.symbol for one in self.ruling.denylist if not 0 < one.until <= self.at)
        if denied:
            ends = "take the line out of conf/event_denylist.txt"
            held.append(_by_itself("denylist", Restraint(deny=denied), "denylist", ends=ends))
        return (*held, *self.overrides.in_force())

    def in_force(self) -> tuple[InForce, ...]:
        """Return all that the policy joins: what holds by itself, and of the rules what nobody waived."""
        return (*self.standing(), *self.overrides.lift(self.book.restraints()))

    def _stopped(self, since: int) -> InForce:
        """Return what ENGINE_DRY_RUN does to a run with money: what is open is guarded, nothing is begun."""
        by_hand = self.flags.flag(DRY_RUN_FLAG).layer is Layer.OPERATOR
        return InForce(
            rule="engine.dry_run", instance="engine.dry_run", scope=EVERYTHING,
            restraint=Restraint(level=Level.REDUCE_ONLY), because=f"{DRY_RUN_FLAG} is on", since=since,
            ends=f"when {DRY_RUN_FLAG} is off again",
            clear_with=f"engine flag unset {DRY_RUN_FLAG}" if by_hand else "",
        )

    def _unguarded(self) -> InForce:
        """Return what a start without some guard does to a run with something open."""
        return InForce(
            rule="engine.unguarded", instance="engine.unguarded", scope=EVERYTHING,
            restraint=Restraint(level=Level.REDUCE_ONLY), because="not every guard guards", since=self.unguarded_since,
            ends=f"when every guard guards, by a flag, a reload or at the next start: {'; '.join(self.unguarded)}",
            clear_with="",
        )

    def watch_denials(self) -> None:
        """Work out when the denylist next changes by itself."""
        ends = [one.until for one in self.ruling.denylist if one.until > self.at]
        self.denials_end_at = min(ends, default=None)


def _by_itself(who: str, restraint: Restraint, because: str, *, ends: str) -> InForce:
    return InForce(
        rule=who, instance=who, scope=EVERYTHING, restraint=restraint, because=because, since=0, ends=ends,
        clear_with="",
    )


def _halted(who: str, because: str, since: int, *, ends: str, command: str) -> InForce:
    return InForce(
        rule=who, instance=who, scope=EVERYTHING, restraint=Restraint(level=Level.HALTED), because=because, since=since,
        ends=ends, clear_with=command,
    )
