"""What follows when an instance moves: effects, episodes, latches, restraints, timers.

This is the only place where an instance's standing changes. Whatever may change what is
in force raises `version`; the policy is joined anew only then.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from engine.model.codec import Data
from engine.model.effects import Effect, LatchCleared, LatchSet, Notify, RuleMoved
from engine.model.restraints import NONE, InForce
from engine.model.time import format_duration, format_second
from engine.ruleset import lifecycle
from engine.ruleset.compiled import CompiledRule
from engine.ruleset.instances import Instance
from engine.ruleset.kleene import Value
from engine.ruleset.latches import Episode, Key, Latch, LatchBook, episode_name, latch_in_force
from engine.ruleset.lifecycle import IN_EPISODE, Grip, Reading, Standing, State
from engine.ruleset.spec import Latching
from engine.ruleset.timers import Timers
from engine.ruleset.words import fill_in, restraint_words
from engine.signals.snapshot import Snapshot

Onlooker = Callable[[Instance, int], None]
"""Told (instance, at) whenever an instance's standing was worked out anew."""


class Moves:
    """Moves instances and keeps what came of it."""

    def __init__(self, snapshot: Snapshot, onlooker: Onlooker | None = None) -> None:
        self.snapshot = snapshot
        self.onlooker = onlooker
        self.latches = LatchBook()
        self.timers = Timers()
        self.version = 0
        self.episodes: dict[Key, int] = {}
        """The last episode's number of every instance there ever was."""
        self._forces: dict[Key, InForce] = {}
        self._grip_since: dict[Key, int] = {}
        self._effects: list[Effect] = []
        self._opened: list[Episode] = []
        self._in_force: tuple[int, tuple[InForce, ...]] = (-1, ())

    def step(self, instance: Instance, at: int, *, timed: bool) -> None:
        """Evaluate `instance` at `at` (ns) and move it; `timed` says that more than its inputs may have changed."""
        compiled = instance.compiled
        if not compiled.evaluated:
            return
        reading = instance.read(self.snapshot, at)
        latched = bool(self.latches.of(instance.key))
        after = lifecycle.advance(
            instance.standing, reading, compiled.timing, at, latched=latched, doubted_since=instance.doubted_since()
        )
        if after is instance.standing and not timed and not instance.clocks:
            return
        self._settle(instance, after, at, self._why(instance, after, reading))

    def switch_off(self, instance: Instance, at: int) -> None:
        """Stop `instance`, whose rule takes no part any more. Its latches stay."""
        self._settle(instance, lifecycle.stopped(instance.standing, at), at, instance.compiled.why_not())

    def unlatch(self, latch: Latch, instance: Instance | None, *, at: int, actor: str, why: str) -> None:
        """End `latch`; after the last one of `instance` its lockout begins."""
        self.latches.remove(latch)
        self.version += 1
        self._effects.append(LatchCleared(at=at, latch=latch.name, number=latch.number, actor=actor, why=why))
        if instance is None or self.latches.of(instance.key) or not instance.compiled.evaluated:
            return
        after = lifecycle.rearmed(instance.standing, instance.compiled.timing, at)
        self._settle(instance, after, at, f"re-armed by {actor}")

    def _settle(self, instance: Instance, after: Standing, at: int, why: str) -> None:
        before = instance.standing
        instance.standing = after
        opens = self._opens(instance, before)
        if opens:
            number = self.episodes.get(instance.key, 0) + 1
            self.episodes[instance.key] = number
        if after.state is not before.state or opens:
            instance.rate()
            # What a latch says of the rule beneath it has changed.
            self.version += bool(self.latches.of(instance.key))
            latch = self._latch(instance, at) if opens else None
            self._tell_of_move(instance, before, at, why, latch)
            if opens:
                self._notify(instance, at)
        self._regrip(instance, at)
        self._arm(instance, at)
        if self.onlooker is not None:
            self.onlooker(instance, at)

    def _opens(self, instance: Instance, before: Standing) -> bool:
        """Whether the instance, which stood as `before`, opens an episode."""
        compiled, after = instance.compiled, instance.standing
        if after.state is not State.FIRING or before.state not in IN_EPISODE:
            return after.state is State.FIRING
        # Its latch was ended while it had not cleared: what is true again is news, and latches anew.
        again = after.reading is Reading.TRUE and (before.state, before.reading) != (State.FIRING, Reading.TRUE)
        return again and self._latches(compiled) and not self.latches.of(instance.key)

    @staticmethod
    def _latches(compiled: CompiledRule) -> bool:
        return compiled.enforced and compiled.restrains and compiled.latching is not Latching.NONE

    def _arm(self, instance: Instance, at: int) -> None:
        due = None
        if instance.compiled.evaluated:
            due = lifecycle.next_due(instance.standing, instance.compiled.timing, at)
            if instance.clocks:
                held = instance.held_due(at)
                due = held if due is None or (held is not None and held < due) else due
        self.timers.set(instance.key, due)

    def _regrip(self, instance: Instance, at: int) -> None:
        """Work out again what the instance imposes, and note whether that changed."""
        compiled, key = instance.compiled, instance.key
        held = lifecycle.grip(instance.standing, compiled.timing, at) if compiled.evaluated else Grip.NONE
        before = self._forces.get(key)
        force = None
        if held is not Grip.NONE and compiled.enforced:
            restraint = compiled.doubted() if held is Grip.HELD else compiled.restraint
            if restraint != NONE:
                since = before.since if before is not None and before.because == held else at
                force = _in_force(instance, held, since)
        if force == before:
            return
        self.version += 1
        if force is None:
            del self._forces[key]
        else:
            self._forces[key] = force

    def _latch(self, instance: Instance, at: int) -> Latch | None:
        """Do what an opening episode does: note it, latch, notify later. Returns the latch, if it latched."""
        compiled, spec, number = instance.compiled, instance.compiled.spec, self.episodes[instance.key]
        if not compiled.enforced:
            return None
        name = episode_name(spec.id, instance.labels, number)
        scope = compiled.scope(instance.labels)
        labels = tuple(zip(spec.by, instance.labels, strict=True))
        self._opened.append(
            Episode(
                rule=spec.id, instance=instance.name, labels=labels, number=number, name=name, at=at,
                action=compiled.action, scope=scope,
            )
        )
        if not self._latches(compiled):
            return None
        self.version += 1
        return self.latches.close(
            Latch(
                number=0, name=name, rule=spec.id, instance=instance.name, labels=instance.labels, episode=number,
                mode=compiled.latching, restraint=compiled.restraint, scope=scope, since=at, why=spec.summary,
            )
        )

    def _tell_of_move(self, instance: Instance, before: Standing, at: int, why: str, latch: Latch | None) -> None:
        compiled, spec = instance.compiled, instance.compiled.spec
        self._effects.append(
            RuleMoved(
                at=at, rule=spec.id, instance=instance.name, before=before.state.value,
                after=instance.standing.state.value, why=f"{why} (shadow)" if compiled.is_shadow() else why,
                inputs=instance.input_texts(self.snapshot), source=compiled.source,
                restrains=self._restrains(instance, at), episode=self.episodes.get(instance.key, 0),
            )
        )
        if latch is not None:
            self._effects.append(
                LatchSet(
                    at=at, latch=latch.name, number=latch.number, rule=spec.id, mode=latch.mode.value,
                    restrains=restraint_words(latch.restraint),
                )
            )

    def _notify(self, instance: Instance, at: int) -> None:
        compiled, spec = instance.compiled, instance.compiled.spec
        if compiled.enforced and spec.notify is not None:
            text = fill_in(spec.notify.text, self._message_values(instance))
            self._effects.append(Notify(at=at, to=spec.notify.to, rule=spec.id, text=text))

    def _restrains(self, instance: Instance, at: int) -> str:
        compiled = instance.compiled
        total = NONE
        for latch in self.latches.of(instance.key):
            total = total.join(latch.restraint)
        if compiled.enforced:
            held = lifecycle.grip(instance.standing, compiled.timing, at)
            if held is not Grip.NONE:
                total = total.join(compiled.doubted() if held is Grip.HELD else compiled.restraint)
        return restraint_words(total)

    def _message_values(self, instance: Instance) -> dict[str, Value]:
        inputs = instance.inputs(self.snapshot)
        compiled = instance.compiled
        return {
            **dict(zip(compiled.spec.by, instance.labels, strict=True)),
            **{signal: inputs[place] for signal, place in compiled.readings.items()},
        }

    def _why(self, instance: Instance, after: Standing, reading: Reading) -> str:
        timing = instance.compiled.timing
        if reading is Reading.TRUE:
            if instance.standing.state is State.CLEARING:
                return "true again"
            waited = timing.hold_for and after.state is State.FIRING
            return f"true for {format_duration(timing.hold_for)}" if waited else "true"
        if reading is Reading.UNKNOWN:
            return f"unknown: {', '.join(instance.reasons)}" if instance.reasons else "unknown"
        return "false, but not clear yet" if reading is Reading.WAIT else "false"

    def in_force(self, beneath: dict[Key, Instance]) -> tuple[InForce, ...]:
        """Return all restraints of rules and latches, by instance; `beneath` are the instances there are.

        The restraint of a latched instance is its latch's: what the rule beneath imposes is
        listed only where it forbids more.
        """
        if self._in_force[0] == self.version:
            return self._in_force[1]
        found: list[tuple[Key, int, InForce]] = []
        latched: dict[Key, list[Latch]] = {}
        for latch in self.latches.all():
            key = (latch.rule, latch.labels)
            latched.setdefault(key, []).append(latch)
            found.append((key, latch.number, latch_in_force(latch, _standing_words(beneath.get(key)))))
        for key, force in self._forces.items():
            covering = (
                one
                for one in latched.get(key, ())
                if one.scope == force.scope and one.restraint.covers(force.restraint)
            )
            if next(covering, None) is None:
                found.append((key, 0, force))
        found.sort(key=lambda item: item[:2])
        self._in_force = (self.version, tuple(item[2] for item in found))
        return self._in_force[1]

    def force_of(self, instance: Instance) -> InForce | None:
        """Return what the instance itself imposes now, latches aside."""
        return self._forces.get(instance.key)

    def tell(self, effect: Effect) -> None:
        """Add an effect that came of no lifecycle."""
        self._effects.append(effect)

    def take_effects(self) -> list[Effect]:
        """Return the effects since the last call, in order of happening."""
        taken, self._effects = self._effects, []
        return taken

    def take_episodes(self) -> list[Episode]:
        """Return the episodes that opened since the last call."""
        taken, self._opened = self._opened, []
        return taken

    def dump(self) -> Data:
        """Return latches, episode numbers and since when each instance restrains, as JSON data."""
        return {
            "latches": self.latches.dump(),
            "episodes": [[rule, list(labels), number] for (rule, labels), number in sorted(self.episodes.items())],
            "gripped": [[rule, list(labels), force.since] for (rule, labels), force in sorted(self._forces.items())],
            "version": self.version,
        }

    def load(self, data: Data, instances: dict[Key, Instance], renamed: dict[str, str], at: int) -> None:
        """Become what `dump` wrote, for `instances` whose standings were loaded before."""
        self.latches.load(data["latches"], renamed)
        self.episodes = {(renamed.get(rule, rule), tuple(labels)): number for rule, labels, number in data["episodes"]}
        since = {(renamed.get(rule, rule), tuple(labels)): when for rule, labels, when in data["gripped"]}
        self._effects, self._opened, self._forces = [], [], {}
        self.timers.clear()
        for key, instance in sorted(instances.items()):
            self._regrip(instance, at)
            force = self._forces.get(key)
            if force is not None and key in since:
                self._forces[key] = replace(force, since=since[key])
            self._arm(instance, at)
        self.version = data["version"]
        self._in_force = (-1, ())


def _standing_words(instance: Instance | None) -> str:
    if instance is None:
        return "its rule is gone"
    if not instance.compiled.evaluated:
        return "its rule is not evaluated"
    return f"its rule is {instance.standing.state.value}"


def _in_force(instance: Instance, held: Grip, since: int) -> InForce:
    compiled, standing = instance.compiled, instance.standing
    restraint = compiled.doubted() if held is Grip.HELD else compiled.restraint
    if held is Grip.HELD:
        ends = "when what it reads is known again"
    elif held is Grip.COOLDOWN:
        ends = f"at {format_second(standing.locked_until or since)}"
    else:
        ends = compiled.ends
    ttl, true_until = 0 if held is Grip.HELD else compiled.timing.ttl, standing.true_until
    if ttl:
        ends += f", or {format_duration(ttl)} after it was last true" if held is Grip.COOLDOWN else ""
        ends += "" if true_until is None else f", at {format_second(true_until + ttl)}"
    return InForce(
        rule=compiled.spec.id, instance=instance.name, scope=compiled.scope(instance.labels), restraint=restraint,
        because=held.value, since=since, ends=ends, clear_with="", ttl=ttl,
        until=true_until + ttl if ttl and true_until is not None else 0,
    )
