"""What came of every instance during a replay: its moves, its episodes, and how long it restrained and doubted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from engine.model.effects import Effect, LatchCleared, LatchSet, RuleMoved
from engine.model.flags import FlagValue
from engine.model.restraints import NONE, Restraint, Scope
from engine.ruleset import lifecycle
from engine.ruleset.instances import Instance
from engine.ruleset.latches import Latch
from engine.ruleset.lifecycle import IN_EPISODE, Reading
from engine.ruleset.spec import Action, Enforcement
from engine.workbench.timeline import EpisodeSpan, Grip, InstanceTimeline, Transition

_IN_EPISODE = frozenset(state.value for state in IN_EPISODE)


@dataclass(slots=True)
class _Held:
    """A restraint that has begun and not ended."""

    begin: int
    restraint: Restraint
    scope: Scope
    because: str


@dataclass(slots=True)
class Life:
    """One instance so far. `reading` None: it was not evaluated since `since`."""

    instance: Instance
    since: int
    reading: Reading | None = None
    transitions: list[Transition] = field(default_factory=list)
    grips: list[Grip] = field(default_factory=list)
    episodes: list[EpisodeSpan] = field(default_factory=list)
    held: _Held | None = None
    latched: dict[str, _Held] = field(default_factory=dict)
    episode: EpisodeSpan | None = None
    known: int = 0
    unknown: int = 0
    ever_true: bool = False
    ever_false: bool = False


class Watch:
    """Watches the instances of a rule book from `begin` (ns) on; what was before is left out."""

    def __init__(self, begin: int) -> None:
        self._begin = begin
        self.lives: dict[str, Life] = {}
        self.cleared: list[tuple[str, tuple[str, ...]]] = []
        """Instances whose condition became known false, for whoever re-arms; it takes them out."""

    def stood(self, instance: Instance, at: int) -> None:
        """Take in that the standing of `instance` was worked out anew at `at` (ns)."""
        life = self.lives.get(instance.name)
        if life is None:
            life = self.lives[instance.name] = Life(instance, at)
        compiled, standing = instance.compiled, instance.standing
        reading = standing.reading if compiled.evaluated else None
        if reading is not life.reading:
            self._count(life, at)
            life.reading = reading
            if reading is Reading.CLEAR or reading is Reading.WAIT:
                self.cleared.append(instance.key)
        why = lifecycle.grip(standing, compiled.timing, at) if compiled.evaluated and compiled.restrains else None
        if not why:
            if life.held is not None:
                self._let_go(life, at)
            return
        held = life.held
        if held is not None and held.because == why.value:
            return
        if held is not None:
            self._let_go(life, at)
        restraint = compiled.doubted() if why is lifecycle.Grip.HELD else compiled.restraint
        if restraint != NONE:
            life.held = _Held(at, restraint, compiled.scope(instance.labels), why.value)

    def _count(self, life: Life, at: int) -> None:
        """Add the stretch that ends at `at`, as far as it lies behind the beginning."""
        reading, begin = life.reading, max(life.since, self._begin)
        if reading is not None and (at > self._begin or life.since >= self._begin):
            if reading is Reading.UNKNOWN:
                life.unknown += max(0, at - begin)
            else:
                life.known += max(0, at - begin)
                life.ever_true = life.ever_true or reading is Reading.TRUE
                life.ever_false = life.ever_false or reading is not Reading.TRUE
        life.since = at

    def _let_go(self, life: Life, at: int) -> None:
        held, life.held = life.held, None
        if held is not None:
            self._keep_grip(life, held, at)

    def _keep_grip(self, life: Life, held: _Held, end: int) -> None:
        begin = max(held.begin, self._begin)
        if end > begin:
            life.grips.append(
                Grip(begin=begin, end=end, restraint=held.restraint, scope=held.scope, because=held.because)
            )

    def hear(self, effects: Iterable[Effect], latches: Mapping[str, Latch], flags: Mapping[str, FlagValue]) -> None:
        """Take in what the rules told; `latches` are the open ones by name, with those of `effects` among them."""
        for effect in effects:
            if isinstance(effect, RuleMoved):
                self._moved(effect, flags)
            elif isinstance(effect, LatchSet):
                latch = latches[effect.latch]
                self.lives[latch.instance].latched[latch.name] = _Held(
                    effect.at, latch.restraint, latch.scope, "latched"
                )
            elif isinstance(effect, LatchCleared):
                self._unlatched(effect)

    def _unlatched(self, effect: LatchCleared) -> None:
        for life in self.lives.values():
            held = life.latched.pop(effect.latch, None)
            if held is not None:
                self._keep_grip(life, held, effect.at)
                return

    def _moved(self, move: RuleMoved, flags: Mapping[str, FlagValue]) -> None:
        life = self.lives[move.instance]
        if move.at >= self._begin:
            life.transitions.append(
                Transition(at=move.at, before=move.before, after=move.after, why=move.why, inputs=move.inputs)
            )
        inside, was_inside = move.after in _IN_EPISODE, move.before in _IN_EPISODE
        if inside and was_inside and life.episode is not None and life.episode.number != move.episode:
            # Its latch was ended before it had cleared, and its condition came back.
            self._keep_episode(life, life.episode, move.at, still=False)
            was_inside = False
        if inside and not was_inside:
            action = action_words(life.instance.compiled.action, flags)
            life.episode = EpisodeSpan(number=move.episode, begin=move.at, end=move.at, open=True, action=action)
        elif was_inside and not inside and life.episode is not None:
            self._keep_episode(life, life.episode, move.at, still=False)
            life.episode = None

    def _keep_episode(self, life: Life, episode: EpisodeSpan, end: int, *, still: bool) -> None:
        if end > self._begin or episode.begin >= self._begin:
            life.episodes.append(
                EpisodeSpan(
                    number=episode.number, begin=episode.begin, end=end, open=still, action=episode.action
                )
            )

    def finish(self, end: int) -> dict[str, InstanceTimeline]:
        """Return every instance by name, in the order of the names, as far as `end` (ns)."""
        return {name: self._finished(self.lives[name], end) for name in sorted(self.lives)}

    def _finished(self, life: Life, end: int) -> InstanceTimeline:
        self._count(life, end)
        self._let_go(life, end)
        for held in life.latched.values():
            self._keep_grip(life, held, end)
        if life.episode is not None:
            self._keep_episode(life, life.episode, end, still=True)
        instance = life.instance
        return InstanceTimeline(
            rule=instance.key[0], instance=instance.name, labels=instance.labels,
            transitions=tuple(life.transitions),
            grips=tuple(sorted(life.grips, key=lambda grip: (grip.begin, grip.end, grip.because))),
            episodes=tuple(life.episodes), known=life.known, unknown=life.unknown, ever_true=life.ever_true,
            ever_false=life.ever_false, shadow=instance.compiled.spec.enforcement is Enforcement.SHADOW,
        )


def action_words(action: Action | None, flags: Mapping[str, FlagValue]) -> str:
    """Return what an episode with `action` starts under `flags`, in words; empty for nothing."""
    if action is None:
        return ""
    words: list[str] = []
    if action.exit_risk:
        mode = str(flags.get(action.exit_risk, action.exit_risk)).lower()
        if mode not in ("", "false"):
            words.append("exit risk" if mode == "true" else "exit risk (dry run)")
    if action.trim_pct is not None:
        words.append(f"trim {action.trim_pct:g} %")
    if action.hedge_ratio is not None:
        words.append(f"hedge {action.hedge_ratio:g}")
    return ", ".join(words)
