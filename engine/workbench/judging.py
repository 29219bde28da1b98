"""What a rule set would have let through of the orders that history holds.

An order is asked about as policy would: the join of every restraint that matches it,
those of rules that know nothing of its labels, the denylist, the grant of a maker, and
the entry rules at the size that is left. Unlike policy it asks on after the first
refusal, so that every rule that stands against the order is named.
"""

from __future__ import annotations

from collections.abc import Iterable

from engine.model.codec import Data
from engine.model.history import Mark
from engine.model.orders import Intent
from engine.model.restraints import EVERYTHING, InForce, Level, Restraint
from engine.model.truth import Truth
from engine.policy.join import OrderKey, Policy, join_all
from engine.ruleset.evaluate import RuleBook
from engine.ruleset.ruling import Denied
from engine.workbench.timeline import Judgement

DENYLIST = "denylist"
"""Refuses in the place of a rule: the symbol stands in conf/event_denylist.txt."""
MAKER_GATE = "maker_gate"
"""Refuses in the place of a rule: no gate covers the order."""


class Judge:
    """Asks `book` about recorded proposals. `answers` are by rule: the truths its entry rules gave."""

    def __init__(self, book: RuleBook, denied: Iterable[Denied]) -> None:
        self._book = book
        self._denied = tuple(denied)
        self._policy = Policy((), -1)
        self.answers: dict[str, set[Truth]] = {}

    def judge(self, index: int, mark: Mark) -> Judgement:
        """Return what becomes of the proposal in `mark`, the `index`-th of the history."""
        data = mark.data
        notional = float(data["notional_usd"])
        allowed, refused_by = float(data["allowed_usd"]), frozenset[str]()
        if data["by_rules"]:
            allowed, refused_by = self._ask(mark.at, data, notional)
        return Judgement(
            index=index, at=mark.at, symbol=data["symbol"], intent=data["intent"], notional_usd=notional,
            allowed_usd=allowed, refused_by=tuple(sorted(refused_by)),
        )

    def _ask(self, at: int, data: Data, notional: float) -> tuple[float, frozenset[str]]:
        key: OrderKey = (data["account"], data["venue"], data["symbol"], data["intent"])
        in_force = self._in_force(at, key)
        refused = {one.rule for one in in_force if _forbids(one.restraint, data)}
        total = join_all(one.restraint for one in in_force)
        allowed = notional * total.size_mult
        if total.max_notional_usd is not None:
            allowed = min(allowed, float(total.max_notional_usd))
        if allowed <= 0.0 < notional:
            refused.update(one.rule for one in in_force if one.restraint.size_mult <= 0 or _is_zero(one.restraint))
        if data["post_only"]:
            refused.update(self._gates(at, data))
        refused.update(self._entries(at, data, allowed / notional if notional else 1.0))
        return (0.0 if refused else allowed), frozenset(refused)

    def _in_force(self, at: int, key: OrderKey) -> tuple[InForce, ...]:
        book = self._book
        if self._policy.version != book.version:
            self._policy = Policy(book.restraints(), book.version)
        account, venue, symbol, intent = key
        unmet = book.unmet(account=account, venue=venue, symbol=symbol, intent=intent)
        return (*self._policy.matching(key), *unmet, *self._denials(at))

    def _denials(self, at: int) -> tuple[InForce, ...]:
        denied = frozenset(one.symbol for one in self._denied if not 0 < one.until <= at)
        if not denied:
            return ()
        restraint = Restraint(deny=denied)
        return (
            InForce(
                rule=DENYLIST, instance=DENYLIST, scope=EVERYTHING, restraint=restraint, because=DENYLIST, since=0,
                ends="", clear_with="",
            ),
        )

    def _gates(self, at: int, data: Data) -> set[str]:
        """Return the maker gates against the order: a reason begins with the instance, or says that there is none."""
        granted, against = self._book.maker_granted(
            at, venue=data["venue"], symbol=data["symbol"], intent=data["intent"]
        )
        if granted:
            return set()
        known = {spec.id for spec in self._book.rules.rules}
        gates = {text.split(" ", 1)[0].split("[", 1)[0] for text in against}
        return (gates & known) or {MAKER_GATE}

    def _entries(self, at: int, data: Data, share: float) -> set[str]:
        order = dict(data["order"])
        if "order_exposure_after_usd" in order:
            # All but this order is as it was.
            order["order_exposure_after_usd"] -= float(order["order_notional_usd"]) * (1.0 - share)
        for name in ("order_notional_usd", "order_quantity"):
            if name in order:
                order[name] = float(order[name]) * share
        labels = {name: data[name] for name in ("account", "venue", "symbol", "intent")}
        refused: set[str] = set()
        for verdict in self._book.judge_entry(at, order, labels):
            self.answers.setdefault(verdict.rule, set()).add(verdict.truth)
            if verdict.truth is not Truth.FALSE:
                refused.add(verdict.rule)
        return refused


def _forbids(restraint: Restraint, data: Data) -> bool:
    highest = Level.ENTRIES_PAUSED if data["intent"] == Intent.HEDGE.value else Level.NORMAL
    return (
        restraint.level > highest or data["intent"] in restraint.mute or data["symbol"] in restraint.deny
        or data["quote"] in restraint.deny_quotes
    )


def _is_zero(restraint: Restraint) -> bool:
    return restraint.max_notional_usd is not None and restraint.max_notional_usd <= 0
