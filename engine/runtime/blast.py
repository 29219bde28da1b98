"""How much a change would lift at once: what is in force now, against what would be under the new ruling."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from engine.model.codec import Data
from engine.model.flags import FlagValue
from engine.model.restraints import NONE, InForce, Scope
from engine.ruleset.evaluate import RuleBook
from engine.ruleset.ruling import Ruling
from engine.ruleset.spec import RuleSet
from engine.signals.catalogue import unwired_signals
from engine.signals.snapshot import Snapshot
from engine.signals.transplant import transplant


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """What a running engine knows, as data: taken between two events, read in another thread."""

    at: int
    """ns."""
    snapshot: Data
    """`Snapshot.dump()`."""
    book: Data
    """`RuleBook.dump()`."""
    flags: Data = field(default_factory=dict)
    """`FlagBook.dump()`: what an operator set."""
    producers: frozenset[str] = frozenset()
    """Who speaks in this run."""
    in_force: tuple[InForce, ...] | None = None
    """`RuleBook.restraints()`; None to have it worked out from the rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Blast:
    """What would be another way from the swap on, before anything else happens."""

    in_force: int
    """Restraints in force now."""
    lifted: tuple[str, ...]
    """Instances whose restraint now in force would not be covered any more."""
    tightened: tuple[str, ...]
    """Instances that would restrain more than is in force now."""
    rules: int
    """Rules now."""
    removed: tuple[str, ...]
    """Rules that would be gone, without another one that was formerly called so."""

    def beyond(self, share: float, minimum: int) -> str:
        """Return why this is too much for `share` (0 to 1) once it is at least `minimum`, or an empty string."""
        if len(self.lifted) >= minimum and len(self.lifted) > share * self.in_force:
            return f"it lifts {len(self.lifted)} of the {self.in_force} restraints in force at once"
        if len(self.removed) >= minimum and len(self.removed) > share * self.rules:
            return f"it removes {len(self.removed)} of the {self.rules} rules"
        return ""


def blast_radius(before: Sequence[InForce], after: Sequence[InForce], base: RuleSet, head: RuleSet) -> Blast:
    """Return how the restraints `after` a change from `base` to `head` differ from those `before` it."""
    known = {spec.id for spec in head.rules} | {former for spec in head.rules for former in spec.formerly}
    return Blast(
        in_force=len(before), rules=len(base.rules), lifted=_uncovered(before, after),
        tightened=_uncovered(after, before), removed=tuple(sorted({spec.id for spec in base.rules} - known)),
    )


def imagine(running: Running, base: Ruling, head: Ruling) -> tuple[tuple[InForce, ...], tuple[InForce, ...]]:
    """Return what is in force now under `base`, and what would be right after a swap to `head`.

    The engine itself is not touched: both are loaded from its data.
    """
    snapshot = Snapshot(base.catalogue)
    snapshot.load(running.snapshot)
    before = running.in_force
    if before is None:
        before = _book(running, base, snapshot).restraints()
    if head.catalogue.digest != base.catalogue.digest:
        snapshot = transplant(snapshot, head.catalogue, running.at)
    snapshot.set_unwired(unwired_signals(head.catalogue, running.producers))
    book = _book(running, head, snapshot)
    book.reconsider(running.at)
    return before, book.restraints()


def operator_values(ruling: Ruling, flags: Data) -> dict[str, FlagValue]:
    """Return the values that an operator set, of those flags that `ruling` has; `flags` is `FlagBook.dump()`."""
    book = ruling.flag_book()
    book.load(flags)
    return {flag.name: flag.value for flag in book.overrides()}


def _book(running: Running, ruling: Ruling, snapshot: Snapshot) -> RuleBook:
    flags = {**ruling.flag_values(), **operator_values(ruling, running.flags)}
    unwired = unwired_signals(ruling.catalogue, running.producers)
    book = RuleBook(ruling.rules, ruling.catalogue, snapshot, flags, unwired=unwired, at=running.at)
    book.load({**running.book, "flags": dict(sorted(flags.items()))})
    return book


def _uncovered(some: Iterable[InForce], others: Sequence[InForce]) -> tuple[str, ...]:
    """Return the instances among `some` that forbid something in their scope that `others` do not forbid there."""
    found: dict[str, None] = {}
    for one in some:
        total = NONE
        for other in others:
            if _within(one.scope, other.scope):
                total = total.join(other.restraint)
        if not total.covers(one.restraint):
            found[one.instance] = None
    return tuple(found)


def _within(inner: Scope, outer: Scope) -> bool:
    """Whether every order that `inner` is about is one that `outer` is about."""
    pairs = (
        (inner.account, outer.account), (inner.venue, outer.venue), (inner.symbol, outer.symbol),
        (inner.intent, outer.intent),
    )
    return all(wide in ("", narrow) for narrow, wide in pairs)
