"""A whole rule set in shadow beside the live one: it sees what the live one sees, and restrains nothing.

It has a full state of its own over the same snapshot. Nothing of it enters the join, an
order or an effect, so a run with a candidate decides byte for byte what it decides
without; what the candidate would have done is counted and shown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from engine.model.codec import Data
from engine.model.effects import RuleMoved
from engine.model.flags import FlagValue
from engine.model.restraints import InForce, Restraint
from engine.policy.join import Policy
from engine.policy.overrides import Overrides
from engine.ruleset.evaluate import RuleBook
from engine.ruleset.ruling import Ruling
from engine.signals.catalogue import unwired_signals
from engine.signals.snapshot import Snapshot

if TYPE_CHECKING:
    from engine.core.state import State

SAME, STRICTER, LOOSER, OTHERWISE = "same", "stricter", "looser", "otherwise"
"""How the candidate's joined restraint compares with the one in force."""


@dataclass(slots=True)
class Counterfactual:
    """What the candidate would have made of the run so far. Times in ns."""

    since: int = 0
    spent: Counter[str] = field(default_factory=Counter)
    """How long it compared how."""
    moves: Counter[str] = field(default_factory=Counter)
    """Lifecycle moves by rule."""
    opened: Counter[str] = field(default_factory=Counter)
    """Known-true firings by rule."""
    refused_more: Counter[str] = field(default_factory=Counter)
    """Orders it would have refused and that were let through, by the reason."""
    let_more: Counter[str] = field(default_factory=Counter)
    """Orders it would have let through and that were refused, by the reason they were refused for."""

    def dump(self) -> Data:
        """Return all counts as JSON data."""
        return {
            "since": self.since, "spent": dict(sorted(self.spent.items())), "moves": dict(sorted(self.moves.items())),
            "opened": dict(sorted(self.opened.items())), "refused_more": dict(sorted(self.refused_more.items())),
            "let_more": dict(sorted(self.let_more.items())),
        }

    @classmethod
    def load(cls, data: Data) -> Counterfactual:
        """Return what `dump` wrote."""
        return cls(since=data["since"], **{key: Counter(item) for key, item in data.items() if key != "since"})


def stand_beside(state: State, ruling: Ruling) -> None:
    """Let `ruling` run in shadow in `state` from now on; nothing where it was written for other signals."""
    if ruling.catalogue.digest != state.snapshot.catalogue.digest:
        return
    unwired = unwired_signals(ruling.catalogue, state.producers)
    state.candidate = Candidate(ruling, state.snapshot, state.flags.values, unwired, state.at)


class Candidate:
    """See the module. `at` never goes back; all times are ns."""

    def __init__(
        self, ruling: Ruling, snapshot: Snapshot, flags: Mapping[str, FlagValue], unwired: frozenset[str], at: int
    ) -> None:
        """Compile `ruling` over the live `snapshot`, whose catalogue must be the ruling's own."""
        self.ruling = ruling
        self.book = RuleBook(ruling.rules, snapshot.catalogue, snapshot, flags, unwired=unwired, at=at)
        self.found = Counterfactual(since=at)
        self.policy = Policy((), 0)
        self._standing = SAME
        self._at = at
        self._compared: tuple[int, int] = (-1, -1)

    def settle(
        self, at: int, labels: Sequence[tuple[str, tuple[str, ...]]], changed: Sequence[int]
    ) -> None:
        """Take what the live rules were told."""
        for name, values in labels:
            self.book.on_new_labels(at, name, values)
        if changed:
            self.book.on_changed(at, changed)

    def compare(
        self, at: int, live: Policy, standing: Callable[[], Sequence[InForce]], overrides: Overrides
    ) -> None:
        """Note how the candidate's policy compares with `live` from `at` on; `standing` tells what
        holds whatever rules say, and `overrides` what of them is waived."""
        version = (self.book.version, live.version)
        if version == self._compared:
            return
        self._compared = version
        for move in self.book.take_moves():
            if isinstance(move, RuleMoved):
                self.found.moves[move.rule] += 1
        for episode in self.book.take_episodes():
            self.found.opened[episode.rule] += 1
        self.policy = Policy((*standing(), *overrides.lift(self.book.restraints())), live.version)
        self.account(at)
        self._standing = _compared(self.policy.overall, live.overall)

    def account(self, at: int) -> None:
        """Count the time until `at` as what it was."""
        self.found.spent[self._standing] += max(0, at - self._at)
        self._at = max(self._at, at)

    def judged(self, live: str, candidate: str) -> None:
        """Count one order: why it was refused, and why it would have been here; empty where it was let through."""
        if candidate and not live:
            self.found.refused_more[candidate] += 1
        elif live and not candidate:
            self.found.let_more[live] += 1

    def dump(self) -> Data:
        """Return everything as JSON data; what the ruling says is kept by whoever keeps rulings."""
        return {
            "ruling": self.ruling.digest, "book": self.book.dump(), "found": self.found.dump(), "at": self._at,
            "standing": self._standing, "compared": list(self._compared),
        }

    def load(self, data: Data, live: Policy, standing: Sequence[InForce], overrides: Overrides) -> None:
        """Become what `dump` wrote, over a snapshot that was loaded before."""
        self.book.load(data["book"])
        self.found = Counterfactual.load(data["found"])
        self._at, self._standing = data["at"], data["standing"]
        first, second = data["compared"]
        self._compared = (first, second)
        self.policy = Policy((*standing, *overrides.lift(self.book.restraints())), live.version)


def _compared(candidate: Restraint, live: Restraint) -> str:
    if candidate == live:
        return SAME
    if candidate.covers(live):
        return STRICTER
    return LOOSER if live.covers(candidate) else OTHERWISE
