"""Mutation of rules: each operator is caught by a sharp test and let through by a blunt one, and proofs are proofs."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.model.samples import SignalKind, Status, Unit
from engine.model.time import SECOND
from engine.ruleset import allowlist
from engine.ruleset.load import load_rules
from engine.ruleset.spec import RuleSpec
from engine.signals.catalogue import Catalogue
from engine.workbench.mutate import Outcome, Verdict
from engine.workbench.mutate_keys import TIME_HINTS
from engine.workbench.mutate_points import NEIGHBOURS, splices
from engine.workbench.mutate_run import MOST_EQUIVALENT_PCT, MutationReport, mutate
from engine.workbench.mutate_same import same
from tests.conftest import ROOT
from tests.rules.timelines import shipped
from tests.ruleset.rules_text import file_of, rule
from tests.ruleset.world import CATALOGUE, FLAGS, signal

COUNT = "count_over(fill_ms, '1m', liquidity='taker', venue='x') >= 1"
AT_TAKERS = "fill_ms{liquidity=taker}"


def story_of(series: str, *expect: str, more: str = "") -> str:
    """Return one test in a line, its step 5 s."""
    return f"\n      - {{name: a, step: 5s, {more}series: {series}, expect: [{', '.join(expect)}]}}"


def report(tests: str | None, **changes: str | None) -> MutationReport:
    """Return what becomes of the mutants of one changed rule that has `tests`."""
    return mutate({"r.yaml": file_of(rule(tests=tests, **changes)).encode()}, CATALOGUE, FLAGS)


def outcomes(tests: str | None, **changes: str | None) -> dict[tuple[str, str], Outcome]:
    """Return each mutant's outcome by (operator, what it says instead)."""
    found = report(tests, **changes)
    assert not found.failing, found.failing
    return {(one.mutant.operator, one.mutant.after): one for one in found.rules[0].outcomes}


@dataclass(frozen=True)
class Case:
    """A mutant, a test that must kill it, and one that must not."""

    operator: str
    after: str
    sharp: str
    blunt: str
    rule: dict[str, str | None] = field(default_factory=dict)


def health(samples: str, *expect: str, more: str = "") -> str:
    return story_of(f'{{health_measured: "{samples}"}}', *expect, more=more)


def peg(samples: str, *expect: str) -> str:
    return story_of(f'{{peg_usdt_usd: "{samples}"}}', *expect)


TRUE, FALSE = '{at: 0s, truth: "true"}', '{at: 0s, truth: "false"}'
BOTH = "health_measured >= 2 and peg_usdt_usd < 0.9"
ONE = story_of('{health_measured: 2, peg_usdt_usd: 1}', FALSE)
NEITHER = story_of('{health_measured: 0, peg_usdt_usd: 1}', FALSE)
OTHER = story_of('{health_measured: 0, peg_usdt_usd: 0.8}', FALSE)
TWO = story_of('{health_measured: 2, peg_usdt_usd: 0.8}', TRUE)
LOSS: dict[str, str | None] = {"expr": "daily_loss_pct >= 3", "by": "[account]"}
FIRES = "{at: 0s, state: firing}"
GUARD: dict[str, str | None] = {"kind": "guard", "id": "guard.a", "restrain": "{level: halted}"}


def loss(samples: str, *expect: str) -> str:
    return story_of(f'{{daily_loss_pct: "{samples}"}}', *expect)


CASES = [
    Case("comparator", ">", loss("3", TRUE), loss("4", TRUE), LOSS),
    Case("comparator", "<", loss("4", TRUE), loss("nan 4", "{at: 0s, truth: unknown}"), LOSS),
    Case("comparator", "==", loss("4", TRUE), loss("3", TRUE), LOSS),
    Case("threshold", "3.3", loss("3.1", TRUE), loss("4", TRUE), LOSS),
    Case("threshold", "2.7", loss("2.9", FALSE), loss("1", FALSE), LOSS),
    Case("threshold", "(DAILY_LOSS_LIMIT_PCT * 0.9)", loss("2.9", FALSE), loss("1", FALSE),
         {**LOSS, "expr": "daily_loss_pct >= DAILY_LOSS_LIMIT_PCT"}),
    Case("and-or", "or", ONE, TWO, {"expr": BOTH}),
    Case("clause", "", OTHER, NEITHER, {"expr": "peg_usdt_usd < 0.9 and health_measured >= 2"}),
    Case("arithmetic", "+", peg("1", FALSE), peg("1.5", TRUE), {"expr": "pct(peg_usdt_usd - 1) >= 10"}),
    Case("function", "", peg("0.5", TRUE), peg("1.5", TRUE), {"expr": "pct(abs(peg_usdt_usd - 1)) >= 10"}),
    Case("negation", "health_measured < 2", health("2", TRUE), health("_", "{at: 0s, truth: unknown}"),
         {"expr": "not health_measured < 2"}),
    Case("window", "'65s'", story_of('{fill_ms: "5 _*20"}', '{at: 60s, truth: "false"}'),
         story_of('{fill_ms: "5 _*20"}', '{at: 55s, truth: "true"}'), {"expr": COUNT}),
    Case("window", '"15s"', health("2*5", "{at: 10s, state: firing}"), health("2*5", "{at: 20s, state: firing}"),
         {"expr": "'held(health_measured >= 2, \"10s\")'"}),
    Case("label", "'another'", story_of(f'{{"{AT_TAKERS}": 5}}', TRUE),
         story_of(f'{{"{AT_TAKERS}": 5}}', "{at: 0s, latched: false}"),
         {"by": "[venue]", "expr": "count_over(fill_ms, '1m', liquidity='taker') >= 1"}),
    Case("for", "15s", health("2*5", "{at: 10s, state: firing}"), health("2*5", "{at: 20s, state: firing}"),
         {"for_": "10s"}),
    Case("for", "5s", health("2*5", "{at: 5s, state: pending}"), health("2*5", "{at: 20s, state: firing}"),
         {"for_": "10s"}),
    Case("keep_firing_for", "15s", health("2 0*4", FIRES, "{at: 15s, state: inactive}"),
         health("2 0*4", FIRES, "{at: 20s, state: inactive}"), {"keep_firing_for": "10s"}),
    Case("cooldown", "15s", health("2 0*4", "{at: 15s, state: inactive}"),
         health("2 0*4", "{at: 20s, state: inactive}"), {"cooldown": "10s"}),
    Case("unknown_grace", "15s", health("0 stale _*4", "{at: 15s, state: held}"),
         health("0 stale _*4", "{at: 20s, state: held}"), {"unknown_grace": "10s"}),
    Case("min_clear", "15s", health("_ 0*4", "{at: 15s, state: inactive}"),
         health("_ 0*4", "{at: 20s, state: inactive}"), {"min_clear": "10s"}),
    Case("ttl", "15s", health("2 0*9", "{at: 15s, restrain: none}"), health("2 0*9", "{at: 20s, restrain: none}"),
         {"ttl": "10s", "keep_firing_for": "40s"}),
    Case("on_unknown", "ignore", health("0 stale _*4", "{at: 15s, state: held}"),
         health("0*3", "{at: 10s, state: inactive}")),
    Case("latch", "manual", health("2 0*2", "{at: 10s, latched: false}"),
         health("2 0*2", "{at: 10s, state: inactive}")),
    Case("latch", "boundary",
         health("2 0*3", "{at: 10s, latched: true}", more="events: [{at: 10s, do: boundary}], "),
         health("2 0*3", "{at: 10s, latched: true}"), {"latch": "manual"}),
    Case("restraint", "size_mult: 0.75", health("2", "{at: 0s, restrain: {size_mult: 0.5}}"), health("2", FIRES)),
    Case("restraint", "level: reduce_only", health("2", "{at: 0s, restrain: {level: halted}}"),
         health("2", FIRES), GUARD),
    Case("scope", "all", loss("4", "{at: 0s, scope: {account: test}}"), loss("4", FIRES), LOSS),
    Case("action", "(none)", health("2", "{at: 0s, action: {trim_pct: 50}}"), health("2", FIRES),
         {**GUARD, "action": "{trim_pct: 50}"}),
    Case("action", "exit_risk: true", health("2", "{at: 0s, action: {exit_risk: dry_run}}",
                                             more="flags: {DEPEG_EXIT_RISK: dry_run}, "),
         health("2", "{at: 0s, action: {exit_risk: true}}"), {**GUARD, "action": "{exit_risk: DEPEG_EXIT_RISK}"}),
    Case("enabled", "true", health("2", "{at: 0s, evaluated: false}", more="flags: {DEPEG_GUARD_ENABLED: false}, "),
         health("2", FIRES), {"enabled": "DEPEG_GUARD_ENABLED"}),
    Case("clear_expr", "(none)", health("2 1*2", "{at: 10s, state: clearing}"),
         health("2 0*2", "{at: 10s, state: inactive}"),
         {"clear_expr": "health_measured < 1"}),
    Case("valid_for", "25s", health("0 _*5", "{at: 22s, granted: false}"), health("0 _*5", "{at: 19s, granted: true}"),
         {"id": "maker.a", "kind": "maker_gate", "expr": None, "restrain": None, "allow_expr": "health_measured < 1",
          "valid_for": "20s"}),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.operator} {case.after}")
def test_a_sharp_test_kills_the_mutant_and_a_blunt_one_does_not(case: Case) -> None:
    sharp, blunt = (outcomes(tests, **case.rule)[case.operator, case.after] for tests in (case.sharp, case.blunt))

    assert (sharp.verdict, sharp.why) == (Verdict.KILLED, "a")
    assert blunt.verdict is Verdict.SURVIVED and blunt.mutant.hint
    assert blunt.mutant.place.file == "r.yaml" and blunt.mutant.place.line >= 3


def test_the_table_has_every_operator_there_is() -> None:
    room = ROOT / "engine" / "workbench"
    source = "".join((room / f"mutate_{part}.py").read_text(encoding="utf-8") for part in ("points", "keys"))
    named = set(re.findall(r'operator="([a-z_-]+)"', source)) | set(TIME_HINTS)

    assert named == {case.operator for case in CASES}


def test_the_shipped_rules_let_no_mutant_through() -> None:
    loaded = shipped()
    assert loaded.catalogue is not None
    found = mutate(loaded.rule_files, loaded.catalogue, loaded.flag_specs, workers=2)

    survived = [str(one.mutant) for each in found.rules for one in each.of(Verdict.SURVIVED)]
    assert survived == []
    assert found.passed and found.counts()[Verdict.KILLED] > 150 and found.equivalent_pct <= MOST_EQUIVALENT_PCT


def test_processes_do_not_change_the_result() -> None:
    loaded = shipped()
    assert loaded.catalogue is not None
    only = ["guard.feed.stale"]
    alone, pooled = (
        mutate(loaded.rule_files, loaded.catalogue, loaded.flag_specs, only=only, workers=workers) for workers in (1, 2)
    )

    assert alone.rules[0].outcomes == pooled.rules[0].outcomes


def test_a_mutant_stands_at_its_character_also_in_a_folded_expression() -> None:
    folded = ">-\n      health_measured >= 1\n      and health_measured < 2"
    places = {
        (one.mutant.before, one.mutant.after): (one.mutant.place.line, one.mutant.place.col)
        for one in outcomes(health("1", TRUE), expr=folded).values() if one.mutant.operator == "comparator"
    }

    assert places["<", "<="] == (9, 27) and places[">=", ">"] == (8, 23)


def test_what_the_loader_refuses_is_invalid_and_does_not_count() -> None:
    found = report(health("2", "{at: 0s, restrain: {level: halted}}"), **GUARD)
    invalid = found.rules[0].of(Verdict.INVALID)

    assert [one.mutant.after for one in invalid if one.mutant.operator == "restraint"] == ["(none)"]
    assert all(one.why for one in invalid)


def test_a_rule_whose_own_test_fails_is_not_mutated_and_does_not_pass() -> None:
    found = report(health("2", "{at: 0s, state: inactive}"))

    assert found.failing == (("cutback.a", "a"),)
    assert found.rules[0].outcomes == () and not found.passed


def test_without_tests_everything_survives() -> None:
    counts = report(None).counts()

    assert counts[Verdict.KILLED] == 0 and counts[Verdict.SURVIVED] > 10


def test_too_many_equivalents_do_not_pass() -> None:
    """A rule that only asks for an age has a grace that nothing can reach: three excuses for so few mutants."""
    one = story_of('{"feed_messages{venue=test}": "1 _*7 2*3"}', "{at: 30s, state: firing, scope: {venue: test}}")
    found = report(one, **GUARD, by="[venue]", expr="age(feed_messages) >= 30", unknown_grace="10s")

    assert found.counts()[Verdict.EQUIVALENT] == 3 and found.equivalent_pct > MOST_EQUIVALENT_PCT and not found.passed


# -- proofs ------------------------------------------------------------------------------------


def spec_of(text: str, catalogue: Catalogue = CATALOGUE) -> RuleSpec:
    loaded = load_rules({"r.yaml": text.encode()}, catalogue, FLAGS)
    assert loaded.rules is not None, loaded.findings
    return loaded.rules.rules[0]


@pytest.mark.parametrize(("one", "other", "proven"), [
    ("health_measured >= 2", "health_measured == 2", True),
    ("health_measured >= 2", "health_measured > 1.9", False),
    ("health_measured >= 1", "health_measured >= 1.1", False),
    ("health_measured > 0", "health_measured != 0", True),
    ("health_measured >= 1", "health_measured >= 1.0000000001", False),
    ("daily_loss_pct >= 1", "daily_loss_pct >= DAILY_LOSS_LIMIT_PCT", False),
    ("health_measured + 1 >= 3", "health_measured + 1 == 3", False),
    ("health_measured >= 2 or peg_usdt_usd > 2", "health_measured == 2 or peg_usdt_usd > 2", True),
    ("health_measured >= 2 or peg_usdt_usd > 2", "health_measured >= 2 and peg_usdt_usd > 2", False),
])
def test_conditions_are_proven_the_same_where_no_value_tells_them_apart(one: str, other: str, proven: bool) -> None:
    extra = {"by": "[account]"} if "daily" in one else {}
    found = same(spec_of(file_of(rule(expr=one, **extra))), spec_of(file_of(rule(expr=other, **extra))), CATALOGUE)

    assert bool(found) is proven


def test_rules_that_differ_in_anything_else_are_never_proven_the_same() -> None:
    base = spec_of(file_of(rule()))

    for changes in ({"ttl": "1h"}, {"restrain": "{size_mult: 0.6}"}, {"latch": "manual"}, {"for_": "5s"}):
        other = spec_of(file_of(rule(**changes)))
        assert same(base, other, CATALOGUE) == ""


COMPARED = st.tuples(st.sampled_from(sorted(NEIGHBOURS)), st.sampled_from(["0", "0.5", "1", "2", "3"]))


@settings(max_examples=60)
@given(COMPARED, COMPARED, st.lists(st.floats(-1, 4) | st.sampled_from([0.0, 0.5, 1.0, 2.0]), min_size=1, max_size=8))
def test_what_is_proven_the_same_is_the_same_at_any_value(
    one: tuple[str, str], other: tuple[str, str], values: list[float]
) -> None:
    """The proof looks at a few points; any other value must agree with it."""
    catalogue = Catalogue([signal("level", SignalKind.GAUGE, Unit.NONE, low=0.0, high=2.0)])
    texts = [file_of(rule(expr=f"level {operator} {limit}")) for operator, limit in (one, other)]
    loaded = [load_rules({"r.yaml": text.encode()}, catalogue, FLAGS) for text in texts]
    if any(each.rules is None for each in loaded):
        return
    first, second = (spec_of(text, catalogue) for text in texts)
    if same(first, second, catalogue):
        for value in values:
            assert _truth(one, value) is _truth(other, value)


def _truth(compared: tuple[str, str], value: float) -> bool | Status:
    """Return what a comparison says, from DESIGN's own words about its tolerance."""
    operator, limit = compared[0], float(compared[1])
    if not 0.0 <= value <= 2.0:
        return Status.INVALID
    slack = 1e-9 * max(1.0, abs(limit))
    below, above = value < limit - slack, value > limit + slack
    return {
        ">=": not below, ">": above, "<": below, "<=": not above, "==": not (below or above), "!=": below or above,
    }[operator]


# -- points ------------------------------------------------------------------------------------

PARTS = st.sampled_from(["a > 1", "(b <= 2)", "not c == 3", "pct(abs(d - 1)) >= X", "held(e != 0, '5m')"])


@settings(max_examples=80)
@given(st.recursive(PARTS, lambda inner: st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(
    lambda three: f"({three[0]}) {three[1]} {three[2]}"), max_leaves=5))
def test_every_splice_of_any_expression_is_an_expression_and_another_one(text: str) -> None:
    found = list(splices(text, {"X": FLAGS["DAILY_LOSS_LIMIT_PCT"]}, 5 * SECOND))

    assert found
    for one in found:
        changed = one.apply(text)
        tree, problems = allowlist.parse(changed)
        assert tree is not None and not problems, (text, one, changed)
        assert text[one.offset:one.offset + len(one.before)] == one.before and changed != text


@pytest.mark.parametrize(("text", "after"), [
    ("count_over(fill_ms, '1m') >= 3", {">", "<", "==", "2", "4"}),
    ("count_over(fill_ms, '1m') > 0", {">=", "<=", "-1", "1"}),
    ("3 <= count_over(fill_ms, '1m')", {"<", ">", "==", "2", "4"}),
    ("sum_over(fill_ms, '1m') > 0", {">=", "<=", "!=", "-0.1", "0.1"}),
])
def test_a_limit_of_a_count_moves_by_whole_numbers(text: str, after: set[str]) -> None:
    """Between two of them it would move unseen, and no count is below zero."""
    found = {one.after for one in splices(text, {}, 5 * SECOND) if one.operator in ("comparator", "threshold")}
    assert found == after
