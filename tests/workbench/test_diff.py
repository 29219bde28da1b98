"""What a comparison says of a change: less is always called less, and silence is never called harmless."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.model.restraints import Restraint
from engine.ruleset.ruling import Denied
from engine.workbench.diff_report import Verdict
from engine.workbench.diff_spans import Way
from engine.workbench.timeline import InstanceTimeline, Transition
from tests.workbench.diff_world import PEG, judgement, lived, minutes, report, rule, ruling, timeline

WIDER = PEG.replace(">= 0.5", ">= 0.8")
HALF = Restraint(size_mult=0.5)
GATE = """  - id: maker.all
    kind: maker_gate
    summary: makers may
    runbook: RUNBOOK.md#usdt-wobbly
    allow_expr: pct(abs(peg_usdt_usd - 1)) < {limit}
"""


def test_the_same_rules_over_the_same_history_differ_in_nothing() -> None:
    same = ruling(PEG), timeline(lived("guard.peg", (10, 20)))

    found = report(same, same)

    assert found.passed and found.loosenings == () and found.policy == ()
    assert (rule(found).became, rule(found).verdict) == ("unchanged", Verdict.SAME)


def test_less_time_is_looser_and_needs_an_answer() -> None:
    found = report(
        (ruling(PEG), timeline(lived("guard.peg", (10, 20), (60, 90)))),
        (ruling(WIDER), timeline(lived("guard.peg", (12, 20)))),
    )

    one = rule(found)
    assert one.verdict is Verdict.LOOSER and not found.passed
    (instance,) = one.instances
    assert [(span.begin, span.end) for span in instance.stretches] == [
        (minutes(10), minutes(12)), (minutes(60), minutes(90)),
    ]
    assert one.length(Way.LOOSER) == minutes(32) - minutes(0)
    assert [change.became.value for change in instance.episodes] == ["moved", "removed"]
    assert instance.divergence is not None
    assert (instance.divergence.base_state, instance.divergence.head_state) == ("firing", "inactive")
    assert instance.divergence.inputs == (("peg_usdt_usd", "0.97"),)
    assert (one.base_expr, one.head_expr) == (
        "pct(abs(peg_usdt_usd - 1)) >= 0.5", "pct(abs(peg_usdt_usd - 1)) >= 0.8",
    )


def test_more_here_and_less_there_is_both_and_fails() -> None:
    found = report(
        (ruling(PEG), timeline(lived("guard.peg", (10, 20)))),
        (ruling(WIDER), timeline(lived("guard.peg", (15, 40)))),
    )

    assert rule(found).verdict is Verdict.BOTH and not found.passed


def test_another_kind_of_restraint_is_incomparable_and_fails() -> None:
    found = report(
        (ruling(PEG), timeline(lived("guard.peg", (10, 20)))),
        (ruling(PEG.replace("{level: halted}", "{size_mult: 0.5}")),
         timeline(lived("guard.peg", (10, 20), restraint=HALF))),
    )

    assert rule(found).verdict is Verdict.BOTH and not found.passed
    assert rule(found).length(Way.INCOMPARABLE) == minutes(10) - minutes(0)


@pytest.mark.parametrize(
    ("known", "why"), [(True, "never true"), (False, "never made its condition known")],
)
def test_a_rule_that_history_never_put_to_the_test_is_not_exercised(known: bool, why: str) -> None:
    found = report(
        (ruling(PEG), timeline(lived(known=known))), (ruling(WIDER), timeline(lived(known=known))),
    )

    one = rule(found)
    assert one.verdict is Verdict.NOT_EXERCISED and why in one.why
    assert one.became == "changed" and not found.passed, "what is written is looser, whatever history shows"


def test_a_rule_that_cannot_be_replayed_says_why_and_on_which_side() -> None:
    found = report(
        (ruling(PEG), timeline(lived("guard.peg", (10, 20)))),
        (ruling(WIDER), timeline(not_replayable={"guard.peg": "it reads a window of changes"})),
    )

    assert rule(found).verdict is Verdict.NOT_REPLAYABLE
    assert rule(found).why == "head: it reads a window of changes"


def test_a_rule_in_shadow_restrains_nothing() -> None:
    shadowed = PEG.replace("    restrain:", "    enforcement: shadow\n    restrain:")

    found = report(
        (ruling(PEG), timeline(lived("guard.peg", (10, 20)))),
        (ruling(shadowed), timeline(lived("guard.peg", (10, 20), shadow=True))),
    )

    assert rule(found).verdict is Verdict.LOOSER and not found.passed
    assert found.policy_length(Way.LOOSER) == minutes(10) - minutes(0)


def test_a_renamed_rule_is_the_same_rule() -> None:
    renamed = PEG.replace("guard.peg", "guard.parity").replace("    summary", "    formerly: [guard.peg]\n    summary")

    found = report(
        (ruling(PEG), timeline(lived("guard.peg", (10, 20)))),
        (ruling(renamed), timeline(lived("guard.parity", (10, 20)))),
    )

    one = rule(found, "guard.parity")
    assert (one.became, one.verdict) == ("renamed", Verdict.SAME)
    assert [other.id for other in found.rules] == ["guard.parity"]


def test_a_rule_that_is_gone_takes_its_minutes_and_orphans_its_latch() -> None:
    kept = PEG.replace("guard.peg", "guard.other")

    found = report(
        (ruling(PEG, kept), timeline(lived("guard.peg", (10, 20)), latches=("guard.peg/1",))),
        (ruling(kept), timeline()),
    )

    assert (rule(found).became, rule(found).verdict) == ("removed", Verdict.LOOSER)
    assert [(one.latch, one.clear_with) for one in found.orphans] == [("guard.peg/1", "engine rearm guard.peg/1")]


def test_a_latch_whose_rule_is_counted_otherwise_is_orphaned() -> None:
    by = PEG.replace("pct(abs(peg_usdt_usd - 1)) >= 0.5", "spread_bps >= 5").replace("peg_usdt_usd:", "spread_bps:")
    names = ("venue, symbol", "symbol, venue")
    venue, both = (by.replace("    expr", f"    by: [{one}]\n    expr") for one in names)

    found = report(
        (ruling(venue), timeline(latches=("guard.peg/paper,BTCUSDT/1", "guard.unknown/1"))), (ruling(both), timeline()),
    )

    assert [one.latch for one in found.orphans] == ["guard.peg/paper,BTCUSDT/1"]


def test_orders_let_through_are_a_loosening_and_are_counted_in_usd() -> None:
    base = (judgement(0, 0.0, "guard.peg"), judgement(1, 500.0), judgement(2, 1000.0), judgement(3, 700.0))
    head = (judgement(0, 1000.0), judgement(1, 500.0), judgement(2, 0.0, "guard.peg"), judgement(3, 900.0))

    found = report(
        (ruling(PEG), timeline(lived("guard.peg", (10, 20)), judgements=base)),
        (ruling(PEG), timeline(lived("guard.peg", (10, 20)), judgements=head)),
    )

    orders = found.orders
    assert orders is not None and (orders.proposals, orders.notional_usd) == (4, 4000.0)
    assert (orders.let_through, orders.let_through_usd, orders.blocked, orders.blocked_usd) == (2, 1200.0, 1, 1000.0)
    assert [case.base.index for case in orders.let_through_examples] == [0, 3]
    assert rule(found).refused == (1, 1) and rule(found).verdict is Verdict.BOTH
    assert not found.passed


def test_no_orders_are_not_zero_orders() -> None:
    same = ruling(PEG), timeline()

    assert report(same, same).orders is None


def test_a_line_gone_from_the_denylist_is_a_loosening() -> None:
    denied = Denied(symbol="BADUSDT", until=0, reason="hacked", line=1)

    found = report((ruling(PEG, denied=(denied,)), timeline(lived())), (ruling(PEG), timeline(lived())))

    assert not found.passed
    (scope,) = found.policy
    assert scope.scope.symbol == "BADUSDT" and found.policy_length(Way.LOOSER) == minutes(360) - minutes(0)
    assert report((ruling(PEG), timeline(lived())), (ruling(PEG, denied=(denied,)), timeline(lived()))).passed


def granted(*spans: tuple[float, float]) -> InstanceTimeline:
    moves = [
        Transition(at=minutes(at), before="", after=after, why="true")
        for begin, end in spans for at, after in ((begin, "granted"), (end, "denied"))
    ]
    return replace(lived("maker.all"), transitions=tuple(moves), ever_true=bool(spans))


def test_a_gate_that_grants_longer_is_looser() -> None:
    strict, wide = ruling(GATE.format(limit=0.5)), ruling(GATE.format(limit=0.8))

    found = report((strict, timeline(granted((10, 20)))), (wide, timeline(granted((10, 30)))))

    one = rule(found, "maker.all")
    assert one.verdict is Verdict.LOOSER and one.length(Way.LOOSER) == minutes(10) - minutes(0)
    assert report((wide, timeline(granted((10, 30)))), (strict, timeline(granted((10, 20))))).passed


def test_changed_expectations_stand_beside_their_rule() -> None:
    later = PEG.replace("{at: 4m, state: firing}", "{at: 5m, state: pending, restrain: none}")
    same = timeline(lived("guard.peg", (10, 20)))

    found = report((ruling(PEG), same), (ruling(later), same))

    (test,) = rule(found).tests
    assert (test.name, test.became) == ("fires", "changed")
    assert [line for line in test.lines if line[0] != " "] == [
        "-expect: at 4m, state firing", "+expect: at 5m, state pending, restrain none",
    ]
    assert found.passed, "tests decide nothing"
