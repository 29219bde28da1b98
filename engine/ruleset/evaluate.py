"""All rules of a run over one snapshot: what changed is evaluated, and nothing else.

Every slot knows the instances that read it, so an event costs what it touches and not
what there is. What moves in one call moves in the order (rule id, labels), whatever the
order in which signals changed, instances came up or a set iterates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from engine.model.codec import Data
from engine.model.effects import Effect
from engine.model.flags import FlagValue
from engine.model.restraints import InForce
from engine.model.truth import Truth
from engine.ruleset import rearming, saved, views
from engine.ruleset.carry import Carry, decide, signature
from engine.ruleset.compiled import CompiledRule
from engine.ruleset.entries import Entries, EntryVerdict
from engine.ruleset.grants import Grants
from engine.ruleset.instances import Instance
from engine.ruleset.latches import Episode, Key, Latch
from engine.ruleset.moves import Moves, Onlooker
from engine.ruleset.nearness import Nearness
from engine.ruleset.readers import Readers
from engine.ruleset.spec import RuleKind, RuleSet
from engine.ruleset.unmet import unmet
from engine.ruleset.views import RuleView
from engine.signals.catalogue import Catalogue
from engine.signals.snapshot import Snapshot

INSTANCE_CAP = 10_000
"""Instances of one rule. Labels beyond it have none, so that their orders count as unknown."""
OWN_CODE = 256
"""Instances of one rule that get code of their own, which is faster to call; more would not stay in the caches."""


class RuleBook:
    """See the module. All times are ns; an `at` before one seen already counts as that one."""

    def __init__(  # noqa: PLR0913 - all that a run of rules depends on
        self, rules: RuleSet, catalogue: Catalogue, snapshot: Snapshot, flags: Mapping[str, FlagValue], *,
        unwired: frozenset[str] = frozenset(), at: int, instance_cap: int = INSTANCE_CAP,
        onlooker: Onlooker | None = None,
    ) -> None:
        """Compile `rules` under `flags`; KeyError or ValueError for a rule that the loader would have refused."""
        self.rules = rules
        self._snapshot = snapshot
        self._flags: dict[str, FlagValue] = dict(flags)
        self._at = at
        self._cap = instance_cap
        self._compiled: dict[str, CompiledRule] = {}
        for spec in sorted(rules.rules, key=lambda one: one.id):
            compiled = self._compiled[spec.id] = CompiledRule(spec, catalogue, unwired)
            compiled.resolve(self._flags)
        self._instances: dict[Key, Instance] = {}
        self._counts: dict[str, int] = dict.fromkeys(self._compiled, 0)
        self._readers = Readers(snapshot)
        self._watches = self._readers.watches
        self._moves = Moves(snapshot, onlooker)
        self._timers = self._moves.timers
        self._asked_otherwise = 0
        self._nearness = Nearness()
        self._entries = Entries(self._of_kind(RuleKind.ENTRY), snapshot)
        self._grants = Grants(self._of_kind(RuleKind.MAKER_GATE), snapshot)
        self._restraining = [one for one in self._compiled.values() if one.restrains and one.spec.by]
        self._by_source: dict[str, list[CompiledRule]] = {}
        for compiled in self._compiled.values():
            for signal in sorted(compiled.sources):
                self._by_source.setdefault(signal, []).append(compiled)
        self._begin()

    def _of_kind(self, kind: RuleKind) -> list[CompiledRule]:
        return [compiled for compiled in self._compiled.values() if compiled.spec.kind is kind]

    def _begin(self) -> None:
        for compiled in self._compiled.values():
            if not compiled.spec.by and compiled.spec.kind is not RuleKind.ENTRY and compiled.may_run:
                self._step(self._add(compiled, ()), self._at, timed=True)
        for signal in sorted(self._snapshot.catalogue.specs):
            for labels in self._snapshot.labels_of(signal):
                self.on_new_labels(self._at, signal, labels)

    @property
    def version(self) -> int:
        """Grows whenever `restraints()` may have changed."""
        return self._moves.version

    @property
    def evaluations(self) -> int:
        """How often a rule's condition was asked in this process: by a change, a timer or an order. For benches."""
        return self._readers.asked + self._asked_otherwise

    def on_changed(self, at: int, slots: Sequence[int]) -> None:
        """Evaluate the instances that read `slots`, whose values or statuses changed."""
        watches = self._watches
        known = len(watches)
        for slot in slots:
            if slot < known and watches[slot] is not None:
                break
        else:
            return
        touched = self._readers.touched(slots, at)
        if touched:
            self._step_all(self._now(at), touched)

    def on_old_doubt(self, slot: int, since: int) -> None:
        """Note that `slot`, which nobody here reads yet, is in doubt since `since` (ns): others were watching it."""
        self._readers.doubted(slot, since)

    def on_new_labels(self, at: int, name: str, labels: tuple[str, ...]) -> None:
        """Make the instances that a sample of signal `name` with these labels calls for."""
        at = self._now(at)
        self._entries.on_new_labels(name, labels)
        for compiled in self._by_source.get(name, ()):
            bound = compiled.project(name, labels)
            if bound is None or (compiled.spec.id, bound) in self._instances:
                continue
            if compiled.may_run and self._counts[compiled.spec.id] < self._cap:
                self._step(self._add(compiled, bound), at, timed=True)

    def next_due(self) -> int | None:
        """Return when time alone next moves an instance, or None."""
        return self._timers.soonest

    def fire(self, at: int) -> None:
        """Move what is due at or before `at`, each at its due instant, in the order (due, rule id, labels)."""
        found = self._timers.pop(at)
        while found is not None:
            due, key = found
            self._asked_otherwise += 1
            self._step(self._instances[key], self._now(due), timed=True)
            found = self._timers.pop(at)
        self._now(at)

    def on_flags(self, at: int, flags: Mapping[str, FlagValue]) -> None:
        """Take new flag values; only rules that depend on a changed one are compiled and evaluated anew."""
        at = self._now(at)
        changed = {name for name, value in flags.items() if self._flags.get(name) != value}
        self._flags = dict(flags)
        for compiled in self._compiled.values():
            if compiled.flags() & changed:
                self._resolve(compiled, at)

    def _resolve(self, compiled: CompiledRule, at: int) -> None:
        was_evaluated = compiled.evaluated
        compiled.resolve(self._flags)
        if compiled.spec.kind is RuleKind.ENTRY:
            self._entries.adopt()
            return
        for key in sorted(key for key in self._instances if key[0] == compiled.spec.id):
            instance = self._instances[key]
            instance.adopt()
            if was_evaluated and not compiled.evaluated and compiled.spec.kind is not RuleKind.MAKER_GATE:
                instance.forget()
                self._moves.switch_off(instance, at)
            else:
                self._step(instance, at, timed=True)

    def on_boundary(self, at: int) -> None:
        """End the latches that last until the daily boundary."""
        rearming.new_day(self._moves, self._instances, self._now(at))

    def rearm(self, at: int, latch: str, actor: str) -> tuple[bool, str]:
        """End the latch with number or name `latch`, or all that may end with `--cleared`; (done, what or why not)."""
        return rearming.rearm(self._moves, self._compiled, self._instances, wanted=latch, actor=actor, at=self._now(at))

    def take_moves(self) -> list[Effect]:
        """Return RuleMoved, LatchSet, LatchCleared and Notify since the last call, in order of happening."""
        return self._moves.take_effects()

    def take_episodes(self) -> list[Episode]:
        """Return the known-true firings of enforced rules that opened since the last call."""
        return self._moves.take_episodes()

    def episode(self, rule: str, labels: tuple[str, ...], number: int) -> Truth | None:
        """Return what the condition of that episode is now, None once it is over or its rule is not enforced."""
        found = self._instances.get((rule, labels))
        return found.in_episode() if found and self._moves.episodes.get(found.key) == number else None

    def restraints(self) -> tuple[InForce, ...]:
        """Return what enforced rules and latches forbid now, sorted by rule and labels."""
        return self._moves.in_force(self._instances)

    def unmet(self, *, account: str, venue: str, symbol: str, intent: str) -> tuple[InForce, ...]:
        """Return the restraints of enforced rules that have no instance for such an order: they count as unknown."""
        order = {"account": account, "venue": venue, "symbol": symbol, "intent": intent}
        return unmet(self._restraining, self._instances, order, self._at)

    def judge_entry(
        self, at: int, order: Mapping[str, float | str], labels: Mapping[str, str]
    ) -> tuple[EntryVerdict, ...]:
        """Return what every enforced entry rule says of `order`; `labels` are its account, venue, symbol and intent."""
        self._now(at)
        verdicts = self._entries.judge(order, labels)
        self._asked_otherwise += len(verdicts)
        return verdicts

    def maker_granted(self, at: int, *, venue: str, symbol: str, intent: str) -> tuple[bool, tuple[str, ...]]:
        """Return whether a maker order is granted now, and the reasons against it."""
        return self._grants.granted(self._now(at), venue=venue, symbol=symbol, intent=intent)

    def latches(self) -> tuple[Latch, ...]:
        """Return the open latches, oldest first."""
        return self._moves.latches.all()

    def views(self, at: int) -> tuple[RuleView, ...]:
        """Return how every rule stands at `at`, one view an instance and one for a rule that has none."""
        return views.all_views(self._compiled, self._instances, self._moves, self._snapshot, max(at, self._at))

    def nearest(self, at: int, count: int) -> tuple[RuleView, ...]:
        """Return how the `count` guarding instances stand that are nearest to tripping, the nearest first."""
        found = self._nearness.nearest(self._instances, self._snapshot, count)
        return tuple(views.view_of(one, self._moves, self._snapshot, max(at, self._at)) for one in found)

    def idle(self) -> tuple[tuple[str, str], ...]:
        """Return (instance, why) of all that does not guard."""
        return views.idle(self._compiled, self._instances)

    def explain(self, at: int, rule_id: str, instance: str | None = None) -> list[Data]:
        """Return the trace of a rule's instances (of the one called `instance`): every sub-expression's value.

        An unknown rule or instance gives an empty list. Nothing is changed by asking.
        """
        found = [one for one in self.of_rule(rule_id) if instance in (None, one.name)]
        return views.explained(found, self._moves, self._snapshot, max(at, self._at))

    def of_rule(self, rule_id: str) -> tuple[Instance, ...]:
        """Return the instances of a rule by their labels, to look at and not to touch."""
        return tuple(self._instances[key] for key in sorted(self._instances) if key[0] == rule_id)

    def dump(self) -> Data:
        """Return everything as JSON data. Take moves and episodes first: what was not taken is not kept."""
        return {
            "digest": self.rules.digest, "at": self._at, "flags": dict(sorted(self._flags.items())),
            "instances": [self._instances[key].dump() for key in sorted(self._instances)],
            "moves": self._moves.dump(), "grants": self._grants.dump(),
            "rules": {rule: signature(compiled) for rule, compiled in sorted(self._compiled.items())},
        }

    def load(self, data: Data) -> None:
        """Become what `dump` wrote, over a snapshot that was loaded before.

        With another set of rules, what still exists under its id or a `formerly` goes on,
        latches and episode numbers stay whatever became of their rules, and grants end.
        """
        renamed = saved.renames({rule: compiled.spec.formerly for rule, compiled in self._compiled.items()})
        swapped_at, self._at = max(self._at, data["at"]), data["at"]
        if data["flags"] != self._flags:
            self._flags = dict(data["flags"])
            for compiled in self._compiled.values():
                compiled.resolve(self._flags)
            self._entries.adopt()
        self._restore(data, renamed, swapped_at)
        self._moves.load(data["moves"], saved.lifecycled(self._instances), renamed, self._at)
        self._grants.load(data["grants"])
        for instance in self._grants.all():
            self._timers.set(instance.key, instance.held_due(self._at))
        if data["digest"] != self.rules.digest:
            self._grants.revoke(self._at)

    def _restore(self, data: Data, renamed: Mapping[str, str], at: int) -> None:
        rules: Mapping[str, Data] = data.get("rules", {})
        carries: dict[str, Carry] = {}
        for item in data["instances"]:
            key = saved.key_of(item, renamed)
            compiled = self._compiled.get(key[0])
            if compiled is None or compiled.spec.kind is RuleKind.ENTRY or not compiled.may_run:
                continue
            carry = carries.get(item["rule"])
            if carry is None:
                carry = carries[item["rule"]] = decide(rules.get(item["rule"]), compiled)
            if not carry.reset and len(key[1]) == len(compiled.spec.by):
                instance = self._instances.get(key) or self._add(compiled, key[1])
                instance.load(item, carry, at)
        self._readers.reset()
        for instance in self._instances.values():
            instance.recount(self._snapshot)
            instance.adopt()

    def keys(self) -> frozenset[Key]:
        """Return (rule, labels) of every instance there is."""
        return frozenset(self._instances)

    def reconsider(self, at: int) -> None:
        """Ask every instance anew: after a load under other rules, what was answered answers another question.

        Grants end, also where only flags or signals are new: what is heard from here on renews them.
        """
        at = self._now(at)
        self._grants.revoke(at)
        for key in sorted(self._instances):
            self._step(self._instances[key], at, timed=True)

    def _now(self, at: int) -> int:
        """Return `at`, or the latest instant seen if that is later: a clock set back shortens nothing."""
        if at > self._at:
            self._at = at
        return self._at

    def _step_all(self, at: int, touched: list[Instance]) -> None:
        if len(touched) > 1:
            touched = [one for _, one in sorted({instance.key: instance for instance in touched}.items())]
        for instance in touched:
            self._step(instance, at)

    def _step(self, instance: Instance, at: int, *, timed: bool = False) -> None:
        if instance.compiled.spec.kind is not RuleKind.MAKER_GATE:
            self._moves.step(instance, at, timed=timed)
            return
        move = self._grants.step(instance, at)
        if move is not None:
            self._moves.tell(move)
        if self._moves.onlooker is not None:
            self._moves.onlooker(instance, at)
        self._timers.set(instance.key, instance.held_due(at) if instance.compiled.evaluated else None)

    def _add(self, compiled: CompiledRule, labels: tuple[str, ...]) -> Instance:
        rule = compiled.spec.id
        instance = Instance(compiled, labels, self._snapshot, own_code=self._counts[rule] < OWN_CODE)
        self._instances[instance.key] = instance
        self._counts[rule] += 1
        if compiled.spec.kind is RuleKind.MAKER_GATE:
            self._grants.add(instance)
        self._readers.add(instance, self._at)
        return instance


__all__ = ["EntryVerdict", "Episode", "RuleBook", "RuleView"]
