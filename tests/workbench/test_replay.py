"""A replay under the ruling that ran moves every instance at the very instants at which it moved."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given, note, settings

from engine.model.effects import Effect, LatchCleared, LatchSet, RuleMoved
from engine.model.events import RearmCommand
from engine.model.history import HistoryHeader, Mark, MarkKind, Record, Row
from engine.model.restraints import NONE, Level, Restraint
from engine.model.samples import Status
from engine.model.time import HOUR, MINUTE, SECOND
from engine.ruleset.load import load_rules
from engine.ruleset.reading import timed_signals
from engine.ruleset.ruling import Ruling
from engine.ruleset.spec import Enforcement, Latching, RuleKind
from engine.runtime.history import TapeHistory, tape_history
from engine.signals.catalogue import Catalogue
from engine.workbench.replay import Exercise, Rearm, ReplayOptions, default_rearm, exercise, replay
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
    began: dict[tuple[str, int], int] = {}
    for one in effects:
        if isinstance(one, RuleMoved) and one.after in _IN_EPISODE:
            began.setdefault((one.instance, one.episode), one.at)
    return sorted((*key, at) for key, at in began.items())


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
    assert timeline.open_latches == latched(effects)
    assert {"guard.depeg.usdt_quote/1", "kill.health/1"} <= set(timeline.open_latches)
    assert timeline.rows == len(lived.history.kept) and not timeline.not_replayable

    marks = [one.data for one in lived.history.kept if isinstance(one, Mark) and one.kind is MarkKind.PROPOSAL]
    assert len(timeline.judgements) == len(marks) >= 100
    steps = {one.symbol: float(one.step) for one in demo().header.instruments}
    for judgement, data in zip(timeline.judgements, marks, strict=True):
        # A replay knows no waivers: what the operator of the story waived is what it would have refused.
        by = set(judgement.refused_by) - {"mute.scalp"}
        assert (data["outcome"] == "refused") == bool(by), data
        lot = data["notional_usd"] / data["order"]["order_quantity"] * steps[data["symbol"]]
        if by == set(judgement.refused_by):
            assert judgement.allowed_usd == pytest.approx(data["allowed_usd"], rel=2e-3, abs=lot)
        # What is refused for its level names all that makes the policy what it is, cutbacks too.
        named = {rule.partition("[")[0] for rule in data["rules"]}
        assert named & by if data["reason"] == "level" else named <= by
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
            assert at == timeline.end or imposed(timeline, at) == live, at
        tally.update(one.after for one in effects if isinstance(one, RuleMoved))
        tally.update(type(one).__name__ for one in effects)
        tally.update(one.kind.value for one in lived.history.kept if isinstance(one, Mark))
        tally.update(Status(one.status).name for one in lived.history.kept if isinstance(one, Row))

    law()
    wanted = {
        "firing", "clearing", "cooldown", "held", "pending", "inactive", "LatchSet", "LatchCleared", "flag", "rearm",
        "boundary", "producer", "woken", "STALE", "MISSING", "INVALID", "granted", "denied",
    }
    assert all(tally[what] >= 5 for what in wanted), f"the stories prove too little: {tally}"


def test_another_ruling_over_a_history_does_what_it_would_have_done_live() -> None:
    """What was recorded under one set of rules is all that another set needs, as long as its orders change nothing."""
    tally: Counter[str] = Counter()

    @settings(max_examples=60)
    @given(story.rulings(), story.rulings(), story.happenings)
    def law(then: Ruling, now: Ruling, happenings: list[story.Happening]) -> None:
        # Whoever re-armed looked at the latches of then.
        told = [one for one in happenings if not isinstance(one[1], RearmCommand)]
        history = story.live(then, told, also=timed_signals(now.rules.rules)).history
        effects = list(story.live(now, told).effects)
        timeline = replay(now, history, options=AS_RECORDED)
        assert replayed(timeline) == moved(effects)
        assert timeline.open_latches == latched(effects)
        tally.update(one.after for one in effects if isinstance(one, RuleMoved))

    law()
    assert tally["firing"] >= 20 and tally["held"] >= 20


def test_recording_goes_on_through_a_reload() -> None:
    """With another catalogue the core has another snapshot; rules that stay move as if nobody had touched them."""
    swapped, money = 0, cutback("value(equity_usd, account='main') < 1")

    @settings(max_examples=30)
    @given(story.rulings(), story.happenings)
    def law(ruling: Ruling, happenings: list[story.Happening]) -> None:
        nonlocal swapped
        # A gate's grants end with its rule set, and re-arms name numbers of their run: neither is about recording.
        kept = tuple(spec for spec in ruling.rules.rules if spec.kind is RuleKind.GUARD)
        told = [one for one in happenings if not isinstance(one[1], RearmCommand)]
        then = story.ruling_of(kept)
        specs = then.catalogue.specs.values()
        other = Catalogue(replace(one, max_age=HOUR) if one.name == "equity_usd" else one for one in specs)
        now = replace(then, catalogue=other)
        middle = len(told) // 2
        through = [*told[:middle], (SECOND, story.reload(then, now)), *told[middle:]]
        lived = story.live(then, through, offered=(now,))
        timeline = replay(then, lived.history, options=AS_RECORDED)
        assert replayed(timeline) == moved(list(lived.effects))
        assert replay(money, lived.history, options=AS_RECORDED).not_replayable == {
            OTHER: "equity_usd was given other limits while it was recorded"
        }
        swapped += sum(isinstance(one, Mark) and one.kind is MarkKind.RELOAD for one in lived.history.kept)

    law()
    assert swapped == 30


# -- how latches end, and what is told ---------------------------------------------------------

BREAK, OTHER = "guard.depeg.usdt", "cutback.other"
PEG = ("peg_usdt_usd", ())


def cutback(expr: str) -> Ruling:
    """Return a ruling of one plain rule."""
    text = f"version: 1\nrules:\n  - id: {OTHER}\n    kind: cutback\n    summary: s\n    runbook: RUNBOOK.md#a\n"
    text += f"    expr: {expr}\n    restrain: {{size_mult: 0.5}}\n"
    loaded = load_rules({"a.yaml": text.encode()}, config().ruling().catalogue, config().flag_specs, anchors=None)
    assert loaded.rules is not None, loaded.findings
    return story.ruling_of(loaded.rules.rules)


def broken(*, latch: Latching, **more: object) -> Ruling:
    """Return a ruling of one guard of the peg at half a percent."""
    plain = next(spec for spec in story.rules() if "DEPEG_THRESHOLD_PCT" in spec.expr.text)
    spec = replace(plain, id=BREAK, kind=RuleKind.GUARD, latch=latch, restrain=Restraint(level=Level.HALTED))
    return story.ruling_of((replace(spec, **more),))  # type: ignore[arg-type]


def pegs(*prices: float, extra: tuple[Record, ...] = (), **header: object) -> TapeHistory:
    """Return a history in which the peg has these prices, one a minute; `extra` are records at their own instants."""
    rows: list[Record] = [
        Row(story.BEGIN + place * MINUTE, 0, *PEG, price, 0, 0) for place, price in enumerate(prices)
    ]
    end = story.BEGIN + len(prices) * MINUTE
    ordered = sorted([*rows, *extra], key=lambda one: one.at)
    kept = [one._replace(batch=number) for number, one in enumerate([*ordered, Mark(end, 0, MarkKind.END, {})])]
    known = HistoryHeader(
        name="pegs", first_at=story.BEGIN, last_at=end, producers=story.PRODUCERS, complete=(), decimated=(),
        catalogue_digest=config().ruling().catalogue.digest, rules_digest="", has_rearms=False,
        signals=tuple(config().ruling().catalogue.specs.values()),
    )
    return TapeHistory(replace(known, **header), kept)  # type: ignore[arg-type]


def grips(timeline: Timeline) -> list[tuple[str, float, float]]:
    """Return (because, begin, end) of the guard's grips, in minutes from the beginning."""
    return [
        (one.because, (one.begin - story.BEGIN) / MINUTE, (one.end - story.BEGIN) / MINUTE)
        for one in timeline.instances[BREAK].grips
    ]


def test_a_latch_ends_as_the_options_say() -> None:
    """As soon as a person might have ended it, when one did, or not at all."""
    ruling = broken(latch=Latching.MANUAL)
    at = story.BEGIN + 6 * MINUTE
    hand = Mark(at, 0, MarkKind.REARM, {"latch": f"{BREAK}/7", "actor": "ann"})
    history = pegs(1.0, 0.99, 0.99, 1.0, 1.0, 1.0, 1.0, 1.0, extra=(hand,), has_rearms=True)

    def held_until(rearm: Rearm) -> float:
        timeline = replay(ruling, history, options=ReplayOptions(rearm=rearm))
        assert timeline.open_latches == ((f"{BREAK}/1",) if rearm == "never" else ())
        return next(end for because, _, end in grips(timeline) if because == "latched")

    assert held_until("on-clear") == 3
    assert held_until("recorded") == 6, "its number was another one then, but its instance was the same"
    assert held_until("never") == 8
    assert default_rearm(history.header) == "recorded"
    assert default_rearm(replace(history.header, has_rearms=False)) == "on-clear"


def test_a_stretch_is_told_as_part_of_the_whole() -> None:
    """What was latched before it is in force in it; what comes after it is not known."""
    ruling, history = broken(latch=Latching.MANUAL), pegs(1.0, 0.99, 0.99, 1.0, 1.0, 0.99, 1.0)
    begin, end = story.BEGIN + 4 * MINUTE, story.BEGIN + 5 * MINUTE
    timeline = replay(ruling, history, options=ReplayOptions(rearm="never", begin=begin, end=end))
    life = timeline.instances[BREAK]
    assert grips(timeline) == [("latched", 4, 5)] and life.transitions == () and life.episodes == ()
    assert (timeline.begin, timeline.end, life.known, life.unknown) == (begin, end, MINUTE, 0)
    assert not life.ever_true and life.ever_false
    assert exercise(ruling, timeline) == {BREAK: Exercise.NOT_EXERCISED}


def test_a_shadow_shows_what_it_would_have_restrained() -> None:
    """The same stretches as if it were enforced, but it latches nothing."""
    history = pegs(1.0, 0.99, 0.99, 1.0, 1.0)
    enforced, shadow = (
        replay(broken(latch=Latching.NONE, enforcement=how), history, options=AS_RECORDED)
        for how in (Enforcement.ENFORCE, Enforcement.SHADOW)
    )
    assert grips(shadow) == grips(enforced) and grips(shadow)
    assert shadow.instances[BREAK].shadow and not enforced.instances[BREAK].shadow
    latching = broken(latch=Latching.MANUAL, enforcement=Enforcement.SHADOW)
    assert replay(latching, history, options=AS_RECORDED) == shadow


def test_nothing_is_known_in_a_gap() -> None:
    """From its beginning until what was recorded after it speaks again."""
    gap = Mark(story.BEGIN + 2 * MINUTE + SECOND, 0, MarkKind.GAP, {"until": story.BEGIN + 4 * MINUTE + SECOND})
    history = pegs(1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0)
    kept = [one for one in history.kept if not gap.at < one.at < gap.data["until"]]
    ordered = sorted([*kept, gap], key=lambda one: one.at)
    cut = TapeHistory(history.header, [one._replace(batch=number) for number, one in enumerate(ordered)])
    life = replay(broken(latch=Latching.NONE, unknown_grace=0), cut, options=AS_RECORDED).instances[BREAK]
    assert [(one.before, one.after) for one in life.transitions][-2:] == [("inactive", "held"), ("held", "inactive")]
    assert life.unknown == 3 * MINUTE - SECOND
    whole = replay(broken(latch=Latching.NONE, unknown_grace=0), history, options=AS_RECORDED).instances[BREAK]
    assert whole.unknown == 0


def test_what_a_history_cannot_say_is_named() -> None:
    """Windows over changes, signals nobody produced, samples judged by other limits: a reason, never a guess."""
    now = config().ruling()
    peg = now.catalogue.specs["peg_usdt_usd"]

    def why(ruling: Ruling, history: TapeHistory, **limits: object) -> str:
        then = tuple(
            replace(one, **limits) if one.name == peg.name else one  # type: ignore[arg-type]
            for one in now.catalogue.specs.values()
        )
        digest = "another" if limits else now.catalogue.digest
        known = TapeHistory(replace(history.header, signals=then, catalogue_digest=digest), history.kept)
        timeline = replay(ruling, known, options=AS_RECORDED)
        assert set(timeline.instances).isdisjoint(timeline.not_replayable)
        return next(iter(timeline.not_replayable.values()), "")

    plain, calm = broken(latch=Latching.NONE), pegs(1.0, 1.0, 1.0)
    window = story.ruling_of(tuple(one for one in story.rules() if one.expr.text.startswith("avg_over(peg")))
    assert why(plain, calm) == "" and why(plain, calm, max_age=peg.max_age * 2) == ""
    assert why(window, calm) == "only changes of peg_usdt_usd were recorded, and avg_over needs every sample"
    complete = TapeHistory(replace(calm.header, complete=("peg_usdt_usd",)), calm.kept)
    assert why(window, complete) == ""
    deaf = TapeHistory(replace(calm.header, producers=("feed.market",)), calm.kept)
    assert why(plain, deaf) == "unwired: nobody produced peg_usdt_usd"

    at = story.BEGIN + 90 * SECOND
    stale = pegs(1.0, 1.0, 1.0, extra=(Row(at, 0, *PEG, 1.0, int(Status.STALE), 0),))
    assert "went stale after 15s then" in why(plain, stale, max_age=15 * SECOND, period=SECOND)
    quiet = pegs(1.0, 1.0, 1.0, 1.0, 1.0)
    silent = TapeHistory(quiet.header, [one for one in quiet.kept if not 0 < one.at - story.BEGIN < 4 * MINUTE])
    assert "would be stale after" in why(plain, silent, max_age=HOUR)
    invalid = pegs(1.0, 1.0, extra=(Row(at, 0, *PEG, 1.0, int(Status.INVALID), 0),))
    assert "wider range" in why(plain, invalid, high=5.0) and why(plain, calm, high=5.0) == ""
    assert "another signal then" in why(plain, calm, resolution=0.5)
    thin = TapeHistory(replace(calm.header, decimated=("peg_usdt_usd",)), calm.kept)
    assert why(plain, thin) == "changes of peg_usdt_usd were thinned when they were recorded"


def test_a_rule_that_names_a_symbol_that_is_left_out_is_not_guessed_at() -> None:
    """Without its rows it would be in doubt, and would seem to restrain."""
    ruling = cutback("value(spread_bps, venue='paper', symbol='BTCUSDT') >= 5")
    one = replay(ruling, pegs(1.0, 1.0), options=ReplayOptions(symbols=frozenset({"NOVAUSDT"})))
    assert one.not_replayable == {OTHER: "it reads spread_bps of BTCUSDT, which is left out"}
    assert not replay(ruling, pegs(1.0, 1.0), options=AS_RECORDED).not_replayable


def test_a_narrower_range_makes_invalid_what_was_believed() -> None:
    """What the ruling would not have believed, its replay does not believe."""
    ruling = broken(latch=Latching.NONE, unknown_grace=0)
    peg = ruling.catalogue.specs["peg_usdt_usd"]
    narrow = Catalogue(
        replace(peg, high=1.005) if one.name == peg.name else one for one in ruling.catalogue.specs.values()
    )
    timeline = replay(replace(ruling, catalogue=narrow), pegs(1.0, 1.0, 1.01, 1.0), options=AS_RECORDED)
    assert not timeline.not_replayable and timeline.instances[BREAK].unknown == MINUTE
