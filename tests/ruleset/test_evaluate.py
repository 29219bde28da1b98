"""A rule book over a snapshot: what changed is evaluated, what is unknown restrains, what was cut off resumes."""

from __future__ import annotations

import json
import random
from dataclasses import replace

import pytest

from engine.model.effects import Notify, RuleMoved
from engine.model.restraints import Level, Restraint, Scope
from engine.model.samples import Status
from engine.model.truth import Truth
from engine.ruleset.spec import Enforcement, Latching, Notice, OnUnknown, RuleKind
from tests.ruleset.generated import FLAGS, Case, Generator
from tests.ruleset.notation import HALT, World, rule, seconds
from tests.ruleset.oracle import verdict

PAUSE = Restraint(level=Level.ENTRIES_PAUSED)


def depeg(**fields: object) -> World:
    """Return the rule of the design's example, with its own flags."""
    return World(
        rule(
            "pct(abs(peg - 1)) >= LIMIT", clear_expr="pct(abs(peg - 1)) < LIMIT / 2", hold_for="WINDOWS",
            hold_for_unit=seconds(60), unknown_grace=120, min_clear=60, cooldown="COOLDOWN_MIN",
            cooldown_unit=seconds(60), **{"latch": Latching.MANUAL, **fields},
            notify=Notice(to="page", text="USDT at {peg:.4f}: trading halted"),
        ),
        flags={"LIMIT": 0.5, "WINDOWS": 3, "COOLDOWN_MIN": 60},
    )


def play(world: World, *values: float | None) -> None:
    """Put one value a minute from the first minute on; None is a lost sample."""
    for minute, value in enumerate(values):
        if value is None:
            world.lose(60 * minute, "peg")
        else:
            world.put(60 * minute, peg=value)


def test_the_example_of_the_design() -> None:
    """A three-window break halts, a spike does not, a gap never clears, and the latch stays."""
    world, states = depeg(), []
    for minute, value in enumerate([1.0] * 3 + [0.98] + [1.0] * 3 + [0.98] * 4 + [None] * 3 + [1.0] * 5):
        if value is None:
            world.lose(60 * minute, "peg")
        else:
            world.put(60 * minute, peg=value)
        states.append(world.state())

    assert (states[3], states[4], states[10], states[13], states[18]) == (
        "pending", "inactive", "firing", "firing", "inactive"
    )
    assert world.level() is Level.HALTED
    assert [latch.name for latch in world.book.latches()] == ["guard.test/1"]


def test_effects_come_in_order_and_say_what_was_read() -> None:
    world = depeg()
    play(world, 1.0, 1.0, 0.9712, 0.9712, 0.9712, 0.9712)
    kinds = [type(move).__name__ for move in world.moves]
    moved, told = world.moves[-3], world.moves[-1]

    assert kinds[-3:] == ["RuleMoved", "LatchSet", "Notify"]
    assert isinstance(moved, RuleMoved) and isinstance(told, Notify)
    assert (moved.before, moved.after, moved.why) == ("pending", "firing", "true for 3m")
    assert moved.inputs == (("peg", "0.9712"),)
    assert (moved.source, moved.restrains, moved.episode) == ("rules/test.yaml:7", "level halted", 1)
    assert told.text == "USDT at 0.9712: trading halted"


def test_everything_is_held_until_known() -> None:
    world = depeg()
    assert world.state() == "held"
    assert [item.because for item in world.book.restraints()] == ["held"]

    world.put(0, peg=1.0)
    world.go(59)
    assert world.level() is Level.HALTED
    world.go(60)
    assert world.level() is Level.NORMAL


def test_doubt_restrains_only_after_the_grace_and_never_acts() -> None:
    world = depeg()
    play(world, 1.0, 1.0)
    world.lose(60, "peg")
    world.go(179)
    assert (world.state(), world.level()) == ("inactive", Level.NORMAL)
    world.go(180)

    assert (world.state(), world.level()) == ("held", Level.HALTED)
    assert not world.book.latches() and not world.book.take_episodes()


def test_a_signal_that_goes_stale_is_doubt() -> None:
    catalogue = World(rule("a > 1")).catalogue
    specs = [spec for spec in catalogue.specs.values() if spec.name != "a"]
    from engine.signals.catalogue import Catalogue
    from tests.ruleset.notation import signal

    world = World(rule("a > 1", unknown_grace=5), catalogue=Catalogue([*specs, signal("a", max_age=seconds(10))]))
    world.put(0, a=0.0)
    world.go(14)
    assert world.state() == "inactive"
    world.go(15)
    assert world.state() == "held"
    assert world.book.views(world.at)[0].inputs == {"a": "0 (stale)"}


@pytest.mark.parametrize(
    ("broken", "reason"), [(float("nan"), "invalid(a)"), (float("inf"), "invalid(a)"), ("word", "invalid(a)")]
)
def test_a_broken_sample_is_doubt(broken: float | str, reason: str) -> None:
    world = World(rule("a > 1", unknown_grace=1))
    world.put(0, a=0.0)
    world.put(1, a=broken)
    world.go(2)

    assert world.state() == "held"
    assert world.book.views(world.at)[0].reasons == (reason,)


def test_only_the_readers_of_what_changed_are_evaluated() -> None:
    world = World(rule("a > 1", id="r.a"), rule("b > 1", id="r.b"), rule("a > 1 and b > 1", id="r.ab"))
    world.put(0, a=0.0, b=0.0)
    called: list[str] = []
    for key, instance in world.book._instances.items():
        trip = instance.trip

        def counted(values: object, name: str = key[0], inner: object = trip) -> bool:
            called.append(name)
            return inner(values)  # type: ignore[operator, no-any-return]

        instance.trip = counted
    world.put(1, a=0.5)

    assert sorted(called) == ["r.a", "r.ab"]


def test_moves_of_one_event_come_in_the_order_of_rule_ids() -> None:
    world = World(rule("b > 1", id="z"), rule("a > 1", id="y"), rule("a > 1 or b > 1", id="x"))
    world.put(0, a=0.0, b=0.0)
    world.moves.clear()
    world.put(1, b=2.0, a=2.0)

    assert [move.rule for move in world.moves] == ["x", "y", "z"]


def test_timers_fire_in_the_order_due_rule_instance() -> None:
    world = World(
        rule("spread > 1", id="b", by=("venue", "symbol"), hold_for=10),
        rule("spread > 1", id="a", by=("symbol", "venue"), hold_for=10),
        rule("spread > 1", id="c", by=("venue", "symbol"), hold_for=5),
    )
    for symbol in ("Y", "X"):
        world.hear(0, "spread", ("v", symbol), 2.0)
    world.moves.clear()
    world.go(10)

    assert [(move.at, move.instance) for move in world.moves] == [
        (seconds(5), "c[v,X]"), (seconds(5), "c[v,Y]"),
        (seconds(10), "a[X,v]"), (seconds(10), "a[Y,v]"), (seconds(10), "b[v,X]"), (seconds(10), "b[v,Y]"),
    ]


def test_labels_make_instances_whose_effects_cover_them_alone() -> None:
    world = World(rule("spread > 10", by=("venue", "symbol"), id="r"))
    world.hear(0, "spread", ("binance", "BTC"), 20.0)
    world.hear(0, "spread", ("binance", "ETH"), 2.0)

    (held,) = world.book.restraints()
    assert (held.instance, held.scope) == ("r[binance,BTC]", Scope(venue="binance", symbol="BTC"))
    assert [view.instance for view in world.book.views(0)] == ["r[binance,BTC]", "r[binance,ETH]"]


def test_scope_all_widens() -> None:
    world = World(rule("spread > 10", by=("venue", "symbol"), id="r", scope_all=True))
    world.hear(0, "spread", ("binance", "BTC"), 20.0)
    assert world.book.restraints()[0].scope == Scope()


def test_an_order_without_an_instance_counts_as_unknown() -> None:
    world = World(rule("spread > 10", by=("venue", "symbol"), id="r", restrain=PAUSE))
    world.hear(0, "spread", ("binance", "BTC"), 2.0)
    order = {"account": "main", "venue": "binance", "intent": "EVENT"}

    assert world.book.unmet(symbol="BTC", **order) == ()
    (unmet,) = world.book.unmet(symbol="DOGE", **order)
    assert (unmet.instance, unmet.restraint, unmet.scope.symbol) == ("r[binance,DOGE]", PAUSE, "DOGE")


@pytest.mark.parametrize("fields", [
    {"enforcement": Enforcement.SHADOW}, {"enforcement": Enforcement.OFF}, {"enabled": False},
    {"on_unknown": OnUnknown.IGNORE}, {"kind": RuleKind.WATCH},
])
def test_what_does_not_restrain_in_doubt_is_not_unmet(fields: dict[str, object]) -> None:
    world = World(rule("spread > 10", by=("venue", "symbol"), id="r", **fields))
    unmet = world.book.unmet(account="main", venue="v", symbol="s", intent="i")
    assert unmet == () or fields == {"on_unknown": OnUnknown.IGNORE}


def test_beyond_the_cap_labels_have_no_instance_and_so_restrain() -> None:
    world = World(rule("spread > 10", by=("venue", "symbol"), id="r"), instance_cap=3)
    for number in range(5):
        world.hear(number, "spread", ("v", f"S{number}"), 1.0)
    order = {"account": "main", "venue": "v", "intent": "EVENT"}

    assert len(world.book.views(0)) == 3
    assert not world.book.unmet(symbol="S2", **order) and world.book.unmet(symbol="S3", **order)


def test_a_rule_about_events_is_known_for_a_venue_that_only_quotes() -> None:
    """No fill is no doubt: else the first entry of every venue would be cut for want of fills."""
    world = World(rule('count_over(fills, 60, liquidity="taker") >= 3', by=("venue",), id="r", restrain=PAUSE))
    world.snapshot.set_producer("test", True, 0)
    world.hear(1, "spread", ("paper", "BTC"), 1.0)

    assert world.book.unmet(account="main", venue="paper", symbol="BTC", intent="EVENT") == ()
    assert world.state("r[paper]") == "inactive"


def test_shadow_keeps_its_own_state_and_restrains_nothing() -> None:
    world = depeg(enforcement=Enforcement.SHADOW)
    play(world, 1.0, 1.0, 0.9, 0.9, 0.9, 0.9, 0.9)

    assert world.state() == "firing"
    assert world.level() is Level.NORMAL
    assert not world.book.latches() and not world.book.take_episodes()
    assert not [move for move in world.moves if isinstance(move, Notify)]
    assert world.moves[-1].why.endswith("(shadow)") and world.moves[-1].restrains == ""
    (view,) = world.book.views(world.at)
    assert (view.guarding, view.why_not) == (False, "enforcement: shadow")


def test_off_and_unwired_rules_have_no_state_and_say_why() -> None:
    world = World(
        rule("a > 1", id="off", enforcement=Enforcement.OFF), rule("b > 1", id="unwired"), unwired=frozenset({"b"})
    )
    world.put(0, a=5.0, b=5.0)
    views = {view.id: view for view in world.book.views(0)}

    assert world.level() is Level.NORMAL
    assert views["off"].why_not == "enforcement: off"
    assert views["unwired"].why_not == "unwired: nobody produces b in this run"


def test_a_rule_that_is_off_is_the_same_after_a_restart() -> None:
    """Since when it does nothing is part of the state: the run that is done again must end in the very same one."""
    world = World(
        rule("spread > 10", by=("venue", "symbol"), id="r", enabled="GUARD_ON"), rule("a > 1", id="other"),
        flags={"GUARD_ON": False},
    )
    world.hear(5, "spread", ("binance", "BTC"), 2.0)
    world.put(20, a=5.0)
    assert json.dumps(world.reopened().book.dump()) == json.dumps(world.book.dump())


def test_switching_a_rule_off_ends_its_restraint_but_not_its_latch() -> None:
    (spec,) = depeg().rules.rules
    world = World(replace(spec, enabled="GUARD_ON"), flags={**depeg().flags, "GUARD_ON": True})
    play(world, 1.0, 1.0, 0.9, 0.9, 0.9, 0.9, 0.9)
    world.book.on_flags(world.at, {**world.flags, "GUARD_ON": False})

    assert [item.because for item in world.book.restraints()] == ["latched"]
    assert world.book.next_due() is None
    accepted, text = world.book.rearm(world.at, "1", "op")
    assert not accepted and "disabled by GUARD_ON" in text

    world.book.on_flags(world.at, {**world.flags, "GUARD_ON": True})
    assert world.state() == "pending"


def test_a_changed_flag_changes_only_what_depends_on_it() -> None:
    world = World(rule("a > LIMIT", id="x"), rule("a > 100", id="y"), flags={"LIMIT": 10, "OTHER": 1})
    world.put(0, a=5.0)
    other = world.book._instances["y", ()].trip
    world.book.on_flags(0, {"LIMIT": 1, "OTHER": 1})

    assert (world.state("x"), world.state("y")) == ("firing", "inactive")
    assert world.book._instances["y", ()].trip is other


def test_a_clock_that_goes_back_shortens_nothing() -> None:
    world = World(rule("a > 1", cooldown=60))
    world.put(100, a=2.0)
    world.put(110, a=0.0)
    slot = world.snapshot.base("a", ())
    world.book.fire(seconds(169))
    world.book.on_changed(seconds(10), [slot])
    assert world.state() == "cooldown"
    world.book.fire(seconds(170))
    assert world.state() == "inactive"


def test_held_conditions_fire_by_time_alone() -> None:
    world = World(rule("a >= 2 or held(a >= 1, 300)"))
    world.put(0, a=0.0)
    world.put(10, a=1.0)
    world.go(309)
    assert world.state() == "inactive"
    world.go(310)
    assert world.state() == "firing"
    world.put(311, a=0.5)
    assert world.state() == "inactive"


def test_held_conditions_within_held_conditions() -> None:
    world = World(rule("held(held(a > 0, 10) and b > 0, 20)"))
    world.put(0, a=1.0, b=1.0)
    world.go(29)
    assert world.state() == "inactive"
    world.go(30)
    assert world.state() == "firing"


def test_ttl_ends_a_cutback_after_it_was_last_true() -> None:
    cut = Restraint(size_mult=0.5)
    world = World(rule("a > 1", kind=RuleKind.CUTBACK, restrain=cut, ttl=1800, keep_firing_for=86_400))
    world.put(0, a=2.0)
    world.go(10_000)
    assert world.book.restraints()[0].restraint == cut
    world.put(10_000, a=0.0)
    world.go(11_799)
    assert "1970-01-01T03:16:40Z" in world.book.restraints()[0].ends
    world.go(11_800)
    assert world.book.restraints() == ()
    assert world.state() == "clearing"


def test_on_unknown_cutback_applies_the_lesser_restraint() -> None:
    lesser = Restraint(size_mult=0.25)
    world = World(rule("a > 1", on_unknown=OnUnknown.CUTBACK, unknown_cutback=lesser, unknown_grace=5))
    assert [item.restraint for item in world.book.restraints()] == [lesser]
    world.put(0, a=2.0)
    assert [item.restraint for item in world.book.restraints()] == [HALT]


def test_the_version_grows_when_and_only_when_restraints_may_have_changed() -> None:
    world = World(rule("a > 1", unknown_grace=5, keep_firing_for=10))
    world.put(0, a=0.0)
    seen = {world.book.version: world.book.restraints()}
    for at, value in enumerate((0.5, 2.0, 3.0, 0.0, 0.1, 2.0, 0.0), start=1):
        world.put(at, a=value)
        assert seen.setdefault(world.book.version, world.book.restraints()) == world.book.restraints()
    calm = world.book.version
    world.put(9, a=0.05)
    assert world.book.version == calm


@pytest.mark.parametrize("seed", range(4))
def test_the_engine_answers_as_the_oracle_does(seed: int) -> None:
    """Random rules in one book, random samples through the snapshot: NaN, infinities and losses included."""
    generator, drawn = Generator(1_000 + seed), random.Random(seed)
    cases = [generator.case() for _ in range(60)]
    base = rule("a > 0", kind=RuleKind.WATCH)
    world = World(
        *(replace(base, id=f"r{place:02d}", expr=case.expression) for place, case in enumerate(cases)),
        flags=dict(FLAGS),
    )
    for at in range(1, 40):
        case = drawn.choice(cases)
        name = drawn.choice(("a", "b", "c", "d", "peg", "open_now", "phase"))
        if drawn.random() < 0.25:
            world.lose(at, name)
        else:
            value = drawn.choice([case.values[name], float("nan"), float("inf"), 0.0, case.values[name]])
            world.put(at, **{name: value})
        _compare(world, cases)


def _compare(world: World, cases: list[Case]) -> None:
    letters = {Truth.TRUE: "t", Truth.FALSE: "f", Truth.UNKNOWN: "u"}
    snapshot = world.snapshot
    for place, case in enumerate(cases):
        tree, inputs = case.expression.tree, case.expression.inputs
        known = {}
        for number, ref in enumerate(inputs):
            slot = snapshot.base(ref.signal, ())
            if snapshot.status[slot] == Status.OK:
                known[f"i{number}"] = snapshot.values[slot]
        instance = world.book._instances[f"r{place:02d}", ()]
        assert letters[instance.truth()] == verdict(tree, known, FLAGS), case


@pytest.mark.parametrize("seed", range(6))
def test_a_run_that_was_cut_off_goes_on_as_if_it_had_not_been(seed: int) -> None:
    """Dumped and loaded at a random moment, it makes the same moves at the same instants."""
    drawn = random.Random(seed)
    rules = [
        rule("a > 1", id="r.a", hold_for=7, keep_firing_for=5, cooldown=11, unknown_grace=4, min_clear=3,
             latch=Latching.MANUAL),
        rule("a + b > 1 or held(b > 0, 9)", id="r.b", hold_for=2, unknown_grace=6, min_clear=2, ttl=8,
             clear_expr="a + b < 0"),
        rule("spread > 5", id="r.s", by=("venue", "symbol"), cooldown=9, unknown_grace=1, restrain=PAUSE),
        rule("b > 0", id="r.g", kind=RuleKind.MAKER_GATE, valid_for=5),
    ]
    script = [(at, drawn.choice("abslr"), drawn.choice((-1.0, 0.0, 0.5, 2.0, 6.0)), drawn.choice("XYZ"))
              for at in sorted(drawn.sample(range(1, 400), 120))]
    cut = drawn.randrange(20, 100)
    whole = World(*rules)
    resumed = World(*rules)
    for place, step in enumerate(script):
        if place == cut:
            resumed = resumed.reopened()
            assert resumed.book.dump() == whole.book.dump()
            assert resumed.book.restraints() == whole.book.restraints()
            whole.moves.clear()
        for world in (whole, resumed):
            _do(world, *step)
        assert whole.book.next_due() == resumed.book.next_due()
        assert whole.book.restraints() == resumed.book.restraints()

    assert whole.moves == resumed.moves and len(whole.moves) > 8
    assert whole.book.dump() == resumed.book.dump()
    assert whole.book.explain(whole.at, "r.b") == resumed.book.explain(resumed.at, "r.b")


def _do(world: World, at: float, what: str, value: float, symbol: str) -> None:
    if what in "ab":
        world.put(at, **{what: value})
    elif what == "s":
        world.hear(at, "spread", ("v", symbol), value)
    elif what == "l":
        world.lose(at, "a" if value > 0 else "b")
    else:
        world.go(at)
        world.book.rearm(world.at, "--cleared", "op")
        world.moves += world.book.take_moves()


def test_what_was_clearing_and_is_true_again_did_not_wait_as_long_as_at_first() -> None:
    world = World(rule("a >= 10", hold_for=60, keep_firing_for=60))
    for at, value in ((0, 20.0), (61, 20.0), (62, 1.0), (63, 20.0)):
        world.put(at, a=value)
    told = [(move.before, move.after, move.why) for move in world.moves if isinstance(move, RuleMoved)]
    assert told[2:] == [
        ("pending", "firing", "true for 1m"), ("firing", "clearing", "false"), ("clearing", "firing", "true again"),
    ]
