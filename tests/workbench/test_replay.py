"""A replay under the ruling that ran moves every instance at the very instants at which it moved."""

from __future__ import annotations

from collections import Counter
from functools import cache

import pytest
from hypothesis import given, note, settings

from engine.model.effects import Effect, LatchCleared, LatchSet, RuleMoved
from engine.model.history import Mark, MarkKind, Row
from engine.model.restraints import NONE, Restraint
from engine.model.samples import Status
from engine.ruleset.ruling import Ruling
from engine.runtime.history import tape_history
from engine.workbench.replay import ReplayOptions, replay
from engine.workbench.timeline import Timeline
from tests.core.kit import config, demo
from tests.workbench import story
from tests.workbench.story import Lived

AS_RECORDED = ReplayOptions(rearm="recorded")
_IN_EPISODE = ("firing", "clearing")


def moved(effects: list[Effect]) -> list[tuple[object, ...]]:
    """Return every move that a run told, in order of instance and time."""
    found = [one for one in effects if isinstance(one, RuleMoved)]
    return sorted(((one.instance, one.at, one.before, one.after, one.why, one.inputs) for one in found), key=_first_two)


def replayed(timeline: Timeline) -> list[tuple[object, ...]]:
    """Return the same of a timeline."""
    return [
        (name, one.at, one.before, one.after, one.why, one.inputs)
        for name, life in timeline.instances.items() for one in life.transitions
    ]


def _first_two(move: tuple[object, ...]) -> tuple[str, int]:
    return str(move[0]), int(str(move[1]))


def latched(effects: list[Effect]) -> tuple[str, ...]:
    """Return the names of the latches that are open after `effects`, oldest first."""
    names: list[str] = []
    for one in effects:
        if isinstance(one, LatchSet):
            names.append(one.latch)
        elif isinstance(one, LatchCleared):
            names.remove(one.latch)
    return tuple(names)


def episodes(effects: list[Effect]) -> list[tuple[str, int, int]]:
    """Return (instance, number, begin) of every episode that a run told."""
    return sorted(
        (one.instance, one.episode, one.at) for one in effects
        if isinstance(one, RuleMoved) and one.after in _IN_EPISODE and one.before not in _IN_EPISODE
    )


def opened(timeline: Timeline) -> list[tuple[str, int, int]]:
    """Return the same of a timeline."""
    lives = timeline.instances.values()
    return sorted((life.instance, one.number, one.begin) for life in lives for one in life.episodes)


def imposed(timeline: Timeline, at: int) -> dict[str, Restraint]:
    """Return what each instance that is enforced imposed at `at`, its latches included."""
    found: dict[str, Restraint] = {}
    for name, life in timeline.instances.items():
        for grip in life.grips:
            if grip.begin <= at < grip.end and not life.shadow:
                found[name] = found.get(name, NONE).join(grip.restraint)
    return found


@cache
def demo_lived() -> Lived:
    """Return the history of the demo tape and what was decided on it."""
    effects: list[Effect] = []
    return Lived(tape_history(config(), demo(), observe=effects.append), effects)


def test_the_demo_replayed_is_the_demo() -> None:
    """Every move with its reason and its inputs, every episode and latch, and what became of every order."""
    lived = demo_lived()
    effects, timeline = list(lived.effects), replay(config().ruling(), lived.history, options=AS_RECORDED)
    assert replayed(timeline) == moved(effects) and len(moved(effects)) >= 10
    assert opened(timeline) == episodes(effects)
    assert timeline.open_latches == latched(effects) == ("guard.depeg.usdt/1",)
    assert timeline.rows == len(lived.history.kept) and not timeline.not_replayable

    marks = [one.data for one in lived.history.kept if isinstance(one, Mark) and one.kind is MarkKind.PROPOSAL]
    assert len(timeline.judgements) == len(marks) >= 100
    for judgement, data in zip(timeline.judgements, marks, strict=True):
        assert (data["outcome"] == "refused") == bool(judgement.refused_by), data
        assert judgement.allowed_usd == pytest.approx(data["allowed_usd"], rel=2e-3)
        assert set(data["rules"]) <= set(judgement.refused_by)
    assert {data["outcome"] for data in marks} == {"approved", "refused"}


def test_any_story_replayed_is_what_was_lived() -> None:
    """Windows, ages, freshness, held conditions, lockouts, latches, flags, re-arms, boundaries, dead producers."""
    tally: Counter[str] = Counter()

    @settings(max_examples=150)
    @given(story.rulings(), story.happenings)
    def law(ruling: Ruling, happenings: list[story.Happening]) -> None:
        lived = story.live(ruling, happenings)
        effects, timeline = list(lived.effects), replay(ruling, lived.history, options=AS_RECORDED)
        note(str([(spec.id, spec.expr.text) for spec in ruling.rules.rules]))
        assert replayed(timeline) == moved(effects)
        assert opened(timeline) == episodes(effects)
        assert timeline.open_latches == latched(effects)
        for at, live in lived.restrained.items():
            assert imposed(timeline, at) == live, at
        tally.update(one.after for one in effects if isinstance(one, RuleMoved))
        tally.update(type(one).__name__ for one in effects)
        tally.update(one.kind.value for one in lived.history.kept if isinstance(one, Mark))
        tally.update(Status(one.status).name for one in lived.history.kept if isinstance(one, Row))

    law()
    wanted = {
        "firing", "clearing", "cooldown", "held", "pending", "inactive", "LatchSet", "LatchCleared", "flag", "rearm",
        "boundary", "producer", "woken", "STALE", "MISSING", "INVALID",
    }
    assert all(tally[what] >= 5 for what in wanted), f"the stories prove too little: {tally}"
