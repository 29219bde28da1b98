"""A row a key and direction: what is said of one edit of one rule, of a flag, a signal, a line of the denylist."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest

from engine.model.flags import FlagSpec, FlagValue
from engine.model.samples import SignalKind, SignalSpec
from engine.model.time import SECOND
from engine.ruleset import loosening_fields, loosening_world
from engine.ruleset.changes import Direction, loosening, worst
from engine.ruleset.diagnostics import has_errors
from engine.ruleset.loosening import compare, masked_edits
from engine.ruleset.ruling import Denied, Ruling
from engine.ruleset.spec import Enforcement, RuleKind, RuleSet, RuleSpec
from engine.signals.catalogue import Catalogue
from tests.rules.timelines import shipped
from tests.ruleset.rules_text import file_of, rule
from tests.ruleset.world import CATALOGUE, FLAGS, load

L, S, N, X = Direction.LOOSER, Direction.STRICTER, Direction.NEUTRAL, Direction.INCOMPARABLE
Keys = dict[str, str | None]


def specs(*texts: str) -> tuple[RuleSpec, ...]:
    loaded = load(file_of(*texts))
    assert loaded.rules is not None and not has_errors(loaded.findings), loaded.findings
    return loaded.rules.rules


def ruling(*rules: RuleSpec, **fields: Any) -> Ruling:
    given: dict[str, Any] = {
        "catalogue": CATALOGUE, "flag_specs": FLAGS, "flag_file": {}, "flag_environment": {}, **fields,
    }
    return Ruling(rules=RuleSet(rules=rules, digest="d", files=()), **given)


def judged(base: Keys, head: Keys) -> dict[str, Direction]:
    """Return what is said of one rule's keys."""
    changes = compare(ruling(*specs(rule(**base))), ruling(*specs(rule(**head))))
    assert all(one.why and one.place for one in changes)
    return {one.what: one.direction for one in changes}


PEG = "pct(abs(peg_usdt_usd - 1)) >= 0.5"
SPREAD: Keys = {"expr": "spread_bps >= 50", "by": "[venue, symbol]"}
HALTED: Keys = {"expr": "venue_state == 'halted'", "by": "[venue]"}
SLOW: Keys = {"keep_firing_for": "10m", "min_clear": "1s"}
KEPT: Keys = {"expr": PEG, "latch": "manual"}
CUT: Keys = {"on_unknown": "cutback", "on_unknown_reason": "why", "unknown_cutback": "{size_mult: 0.8}"}
WIDE: Keys = {**CUT, "unknown_cutback": "{size_mult: 0.8, max_notional_usd: 100}"}
ENTRY: Keys = {"id": "entry.a", "kind": "entry", "restrain": None, "expr": "order_notional_usd > 5000"}
GATE: Keys = {
    "id": "maker.a", "kind": "maker_gate", "restrain": None, "expr": None, "by": "[venue, symbol]",
    "allow_expr": "spread_bps >= 5",
}
WATCH: Keys = {
    "id": "watch.a", "kind": "watch", "restrain": None, "expr": "health_measured >= 2",
    "notify": "{to: digest, text: x}",
}

ROWS: tuple[tuple[Keys, Keys, str, Direction], ...] = (
    # Durations.
    ({"for_": "10s"}, {"for_": "20s"}, "for", L),
    ({"for_": "20s"}, {"for_": "10s"}, "for", S),
    ({}, {"for_": "10s"}, "for", L),
    ({"for_": "3 windows"}, {"for_": "4 windows"}, "for", L),
    ({"for_": "10s", **CUT}, {"for_": "1s", **CUT}, "for", S),
    ({"keep_firing_for": "10s"}, {"keep_firing_for": "1m"}, "keep_firing_for", S),
    ({"keep_firing_for": "1m"}, {"keep_firing_for": "10s"}, "keep_firing_for", L),
    ({"cooldown": "10s"}, {"cooldown": "1m"}, "cooldown", S),
    ({"cooldown": "1m"}, {"cooldown": "10s"}, "cooldown", L),
    ({"unknown_grace": "10s"}, {"unknown_grace": "1m"}, "unknown_grace", L),
    ({"unknown_grace": "1m"}, {"unknown_grace": "10s"}, "unknown_grace", S),
    ({"min_clear": "10s"}, {"min_clear": "1m"}, "min_clear", S),
    ({"min_clear": "1m"}, {"min_clear": "10s"}, "min_clear", L),
    ({}, {"ttl": "10m"}, "ttl", L),
    ({"ttl": "10m"}, {}, "ttl", S),
    ({"ttl": "10m"}, {"ttl": "20m"}, "ttl", S),
    ({"ttl": "20m"}, {"ttl": "10m"}, "ttl", L),
    # Latches and doubt.
    ({}, {"latch": "boundary"}, "latch", S),
    ({}, {"latch": "manual"}, "latch", S),
    ({"latch": "boundary"}, {"latch": "manual"}, "latch", S),
    ({"latch": "manual"}, {"latch": "boundary"}, "latch", L),
    ({"latch": "manual"}, {"latch": "none"}, "latch", L),
    ({"latch": "boundary"}, {}, "latch", L),
    ({"cooldown": "1m"}, {"cooldown": "1m", "latch": "boundary"}, "latch", X),
    ({}, {"on_unknown": "hold", "on_unknown_reason": "why"}, "on_unknown", L),
    ({}, {"on_unknown": "ignore", "on_unknown_reason": "why"}, "on_unknown", L),
    ({"on_unknown": "hold", "on_unknown_reason": "why"}, {}, "on_unknown", S),
    ({"on_unknown": "ignore", "on_unknown_reason": "a"}, {"on_unknown": "hold", "on_unknown_reason": "a"},
     "on_unknown", S),
    ({}, CUT, "on_unknown", L),
    (CUT, {}, "on_unknown", S),
    ({"on_unknown": "ignore", "on_unknown_reason": "why"}, CUT, "on_unknown", S),
    (CUT, {**CUT, "unknown_cutback": "{size_mult: 0.6}"}, "unknown_cutback", S),
    (CUT, {**CUT, "unknown_cutback": "{size_mult: 0.9}"}, "unknown_cutback", L),
    (CUT, {**CUT, "on_unknown_reason": "another"}, "on_unknown_reason", N),
    # A lockout that turns into doubt restrains less here; firing instead of doubt does in the row after.
    ({**CUT, "cooldown": "1m", "unknown_grace": "1m"}, {**CUT, "cooldown": "1m", "unknown_grace": "10s"},
     "unknown_grace", X),
    ({**CUT, "cooldown": "1m", "min_clear": "10s"}, {**CUT, "cooldown": "1m", "min_clear": "1m"}, "min_clear", X),
    ({**WIDE, "for_": "20s"}, {**WIDE, "for_": "10s"}, "for", X),
    ({**WIDE, "cooldown": "10s"}, {**WIDE, "cooldown": "1m"}, "cooldown", X),
    ({**WIDE, "expr": "health_measured >= 2"}, {**WIDE, "expr": "health_measured >= 1"}, "expr", X),
    # Lints.
    ({}, {"lint": '[{disable: lint-no-clear, reason: "why not"}]'}, "lint lint-no-clear", L),
    ({"lint": '[{disable: lint-no-clear, reason: "why not"}]'}, {}, "lint lint-no-clear", S),
    ({"lint": '[{snooze: lint-no-clear, until: "2026-12-31", reason: "why not"}]'},
     {"lint": '[{disable: lint-no-clear, reason: "why not"}]'}, "lint lint-no-clear", L),
    # What it restrains, and whom.
    ({}, {"restrain": "{size_mult: 0.25}"}, "restrain", S),
    ({}, {"restrain": "{size_mult: 0.75}"}, "restrain", L),
    ({}, {"restrain": "{max_notional_usd: 100}"}, "restrain", X),
    ({}, {"restrain": "{size_mult: 0.5, level: halted}"}, "restrain", S),
    ({"restrain": "{size_mult: 0.5, level: halted}"}, {"restrain": "{size_mult: 0.5, level: reduce_only}"},
     "restrain", L),
    (SPREAD, {**SPREAD, "scope": "all"}, "scope", S),
    ({**SPREAD, "scope": "all"}, SPREAD, "scope", L),
    # Whether it takes part.
    ({}, {"enabled": "false"}, "enabled", L),
    ({"enabled": "false"}, {}, "enabled", S),
    ({}, {"enabled": "DEPEG_GUARD_ENABLED"}, "enabled", N),
    ({"enabled": "DEPEG_GUARD_ENABLED"}, {}, "flags", X),
    ({}, {"enforcement": "shadow"}, "enforcement", L),
    ({}, {"enforcement": '"off"'}, "enforcement", L),
    ({"enforcement": "shadow"}, {}, "enforcement", S),
    ({"enforcement": '"off"'}, {"enforcement": "shadow"}, "enforcement", N),
    ({"enabled": "false", "for_": "10s"}, {"enabled": "false", "for_": "20s"}, "for", N),
    # Conditions that restrain.
    (KEPT, {**KEPT, "expr": PEG.replace("0.5", "0.8")}, "expr", L),
    (KEPT, {**KEPT, "expr": PEG.replace("0.5", "0.3")}, "expr", S),
    (KEPT, {**KEPT, "expr": PEG.replace(">=", "<")}, "expr", X),
    (KEPT, {**KEPT, "expr": PEG.replace(">=", "<=")}, "expr", X),
    (KEPT, {**KEPT, "expr": "0.3 <= pct(abs(peg_usdt_usd - 1))"}, "expr", S),
    (KEPT, {**KEPT, "expr": "not pct(abs(peg_usdt_usd - 1)) < 0.5"}, "expr", N),
    (KEPT, {**KEPT, "expr": "pct(abs(peg_usdt_usd - 1)) >= DEPEG_THRESHOLD_PCT"}, "expr", N),
    (KEPT, {**KEPT, "expr": "pct(abs(peg_usdt_usd - 1.001)) >= 0.5"}, "expr", X),
    (KEPT, {**KEPT, "expr": f"{PEG} and health_measured >= 1"}, "expr", L),
    (KEPT, {**KEPT, "expr": f"{PEG} or health_measured >= 1"}, "expr", S),
    ({"expr": PEG, **SLOW}, {"expr": f"{PEG} or health_measured >= 1", **SLOW}, "expr", S),
    ({**KEPT, "for_": "3m"}, {**KEPT, "for_": "3m", "expr": f"{PEG} or health_measured >= 1"}, "expr", X),
    ({**KEPT, "expr": f"{PEG} or health_measured >= 1"}, KEPT, "expr", L),
    ({**KEPT, "expr": f"{PEG} and health_measured >= 1"}, KEPT, "expr", X),
    ({"expr": "health_measured > 0"}, {"expr": "health_measured >= 1"}, "expr", L),
    ({"expr": "health_measured > 0"}, {"expr": "health_measured > -1"}, "expr", S),
    ({**ENTRY, "expr": "order_notional_usd > 3 * mid_price"}, {**ENTRY, "expr": "order_notional_usd > 2 * mid_price"},
     "expr", S),
    ({"expr": "max(health_measured, 1) > 1.5"}, {"expr": "max(health_measured, 2) > 1.5"}, "expr", S),
    ({"expr": 'held(health_measured >= 1, "1m")'}, {"expr": 'held(health_measured >= 1, "2m")'}, "expr", L),
    ({"expr": 'held(health_measured >= 1, "2m")', "latch": "manual"},
     {"expr": 'held(health_measured >= 1, "1m")', "latch": "manual"}, "expr", S),
    (SPREAD, {**SPREAD, "expr": 'avg_over(spread_bps, "1m") >= 50'}, "expr", X),
    ({"expr": 'avg_over(spread_bps, "1m") >= 50', "by": "[venue, symbol]"},
     {"expr": 'avg_over(spread_bps, "2m") >= 50', "by": "[venue, symbol]"}, "expr", X),
    (HALTED, {**HALTED, "expr": "venue_state != 'open'"}, "expr", S),
    ({**HALTED, "expr": "venue_state != 'open'"}, HALTED, "expr", L),
    (KEPT, {**KEPT, "clear_expr": "pct(abs(peg_usdt_usd - 1)) < 0.25"}, "clear_expr", S),
    ({**KEPT, "clear_expr": "pct(abs(peg_usdt_usd - 1)) < 0.25"}, KEPT, "clear_expr", L),
    ({**KEPT, "clear_expr": "pct(abs(peg_usdt_usd - 1)) < 0.25"},
     {**KEPT, "clear_expr": "pct(abs(peg_usdt_usd - 1)) < 0.4"}, "clear_expr", L),
    ({**KEPT, "clear_expr": "pct(abs(peg_usdt_usd - 1)) < 0.25"},
     {**KEPT, "clear_expr": "pct(abs(peg_usdt_usd - 1)) < 0.1"}, "clear_expr", S),
    # Orders and grants.
    (ENTRY, {**ENTRY, "expr": "order_notional_usd > 6000"}, "expr", L),
    (ENTRY, {**ENTRY, "expr": "order_notional_usd > 4000"}, "expr", S),
    (ENTRY, {**ENTRY, "expr": "order_notional_usd > 5000 or order_late_chase_bps > 9"}, "expr", S),
    (ENTRY, {**ENTRY, "expr": "order_notional_usd > 5000 and order_late_chase_bps > 9"}, "expr", L),
    (ENTRY, {**ENTRY, "expr": "order_notional_usd < 5000"}, "expr", X),
    (GATE, {**GATE, "allow_expr": "spread_bps >= 2"}, "allow_expr", L),
    (GATE, {**GATE, "allow_expr": "spread_bps >= 9"}, "allow_expr", S),
    (GATE, {**GATE, "allow_expr": "spread_bps >= 5 and mid_price > 1"}, "allow_expr", X),
    ({**GATE, "valid_for": "10s"}, {**GATE, "valid_for": "20s"}, "valid_for", L),
    ({**GATE, "valid_for": "20s"}, {**GATE, "valid_for": "10s"}, "valid_for", S),
    (GATE, {**GATE, "enforcement": "shadow"}, "enforcement", S),
    ({**GATE, "enforcement": "shadow"}, GATE, "enforcement", L),
    # What it does and tells.
    ({}, {"action": "{exit_risk: true}", "latch": "none"}, "action", S),
    ({"action": "{exit_risk: true}"}, {"action": "{exit_risk: dry_run}"}, "action", L),
    ({"action": "{exit_risk: true}"}, {"action": "{exit_risk: DEPEG_EXIT_RISK}"}, "action", N),
    ({"action": "{trim_pct: 50}"}, {"action": "{trim_pct: 25}"}, "action", L),
    ({"action": "{trim_pct: 25}"}, {"action": "{trim_pct: 50}"}, "action", S),
    ({"action": "{hedge_ratio: 0.5}"}, {"action": "{hedge_ratio: 0.2}"}, "action", L),
    ({"action": "{hedge_ratio: 0.2}"}, {"action": "{hedge_ratio: 0.5}"}, "action", X),
    ({"notify": "{to: page, text: x}"}, {}, "notify", X),
    ({"notify": "{to: page, text: x}"}, {"notify": "{to: digest, text: x}"}, "notify", X),
    ({"notify": "{to: digest, text: x}"}, {"notify": "{to: alert, text: x}"}, "notify", N),
    ({"notify": "{to: page, text: x}"}, {"notify": "{to: page, text: other}"}, "notify", N),
    ({}, {"summary": "Another thing"}, "summary", N),
    ({}, {"formerly": "[cutback.old]"}, "formerly", N),
    (WATCH, {**WATCH, "expr": "health_measured >= 1"}, "expr", N),
    ({}, {"kind": "mute", "restrain": "{mute: [SCALP]}"}, "kind", N),
    ({}, {"kind": "mute", "restrain": "{mute: [SCALP]}"}, "restrain", X),
)


def test_there_are_enough_rows() -> None:
    assert len(ROWS) >= 80
    assert {row[3] for row in ROWS} == set(Direction)


@pytest.mark.parametrize(("base", "head", "what", "direction"), ROWS)
def test_one_edit(base: Keys, head: Keys, what: str, direction: Direction) -> None:
    assert judged(base, head)[what] is direction


@pytest.mark.parametrize(("base", "head", "what", "direction"), ROWS)
def test_an_edit_and_its_reverse_are_never_both_free(base: Keys, head: Keys, what: str, direction: Direction) -> None:
    """What is stricter one way is a loosening the other way."""
    back = judged(head, base).get(what)
    if direction is S:
        assert back in (L, X)


@pytest.mark.parametrize("keys", [row[0] for row in ROWS])
def test_the_same_rule_is_no_change(keys: Keys) -> None:
    assert judged(keys, dict(keys)) == {}


# -- rules that come and go --------------------------------------------------------------------

ONE, TWO = rule(), rule(id="cutback.b", expr="health_measured >= 1")


def between(base: tuple[str, ...], head: tuple[str, ...]) -> list[tuple[str, str, Direction]]:
    changes = compare(ruling(*specs(*base)), ruling(*specs(*head)))
    return [(one.rule, one.what, one.direction) for one in changes]


@pytest.mark.parametrize(("base", "head", "expected"), [
    ((ONE, TWO), (ONE,), [("cutback.b", "rule", L)]),
    ((ONE,), (ONE, TWO), [("cutback.b", "rule", S)]),
    ((ONE, rule(id="cutback.b", expr="health_measured >= 1", enabled="false")), (ONE,), [("cutback.b", "rule", N)]),
    ((ONE,), (rule(id="cutback.new", formerly="[cutback.a]"),), [("cutback.new", "id", N)]),
    ((ONE,), (rule(id="cutback.new"),), [("cutback.a", "rule", L), ("cutback.new", "rule", S)]),
    ((ONE,), (ONE, rule(**WATCH)), [("watch.a", "rule", N)]),
    ((ONE,), (ONE, rule(**GATE)), [("maker.a", "rule", L)]),
    ((ONE, rule(**GATE)), (ONE,), [("maker.a", "rule", S)]),
    ((ONE, rule(**GATE)), (ONE, rule(**GATE), rule(**{**GATE, "id": "maker.b", "allow_expr": "mid_price > 1"})),
     [("maker.b", "rule", S)]),
    ((ONE, rule(**GATE), rule(**{**GATE, "id": "maker.b", "allow_expr": "mid_price > 1"})), (ONE, rule(**GATE)),
     [("maker.b", "rule", L)]),
    ((ONE, rule(**ENTRY)), (ONE,), [("entry.a", "rule", L)]),
])
def test_rules_come_go_and_are_renamed(
    base: tuple[str, ...], head: tuple[str, ...], expected: list[tuple[str, str, Direction]]
) -> None:
    assert between(base, head) == expected


def test_a_kill_is_more_than_a_guard_and_a_watch_is_less() -> None:
    (guard,) = specs(rule())
    kill, watch = replace(guard, kind=RuleKind.KILL), replace(guard, kind=RuleKind.WATCH)

    def kinds(base: RuleSpec, head: RuleSpec) -> dict[str, Direction]:
        return {one.what: one.direction for one in compare(ruling(base), ruling(head))}

    assert kinds(guard, kill) == {"kind": S, "latch": S}
    assert kinds(kill, guard) == {"kind": L, "latch": L}
    assert kinds(guard, watch)["kind"] is L
    assert kinds(watch, guard)["kind"] is S
    assert kinds(guard, replace(guard, kind=RuleKind.ENTRY))["kind"] is X


def test_other_labels_are_not_compared() -> None:
    base = specs(rule(**SPREAD))
    assert {one.what: one.direction for one in compare(
        ruling(*base), ruling(replace(base[0], by=("symbol", "venue")))
    )}["by"] is X


def test_layout_and_order_are_no_change() -> None:
    base = specs(rule(expr="health_measured>=2.0"), TWO)
    head = specs(TWO, rule(expr='"  health_measured  >= 2"'))
    assert compare(ruling(*base), ruling(*head)) == ()


# -- flags, signals, the denylist --------------------------------------------------------------


def flagged(before: dict[str, FlagValue], after: dict[str, FlagValue], **spec: Any) -> list[tuple[str, Direction]]:
    rules = specs(rule(expr="pct(abs(peg_usdt_usd - 1)) >= DEPEG_THRESHOLD_PCT", latch="manual"))
    tight = {**FLAGS, "DEPEG_THRESHOLD_PCT": replace(FLAGS["DEPEG_THRESHOLD_PCT"], tightens="down")}
    head = {**tight, "DEPEG_THRESHOLD_PCT": replace(tight["DEPEG_THRESHOLD_PCT"], **spec)}
    changes = compare(
        ruling(*rules, flag_specs=tight, flag_file=before), ruling(*rules, flag_specs=head, flag_file=after),
    )
    return [(f"{one.rule} {one.what}".strip(), one.direction) for one in changes]


EXPR, FLAG = "cutback.a expr", "flag DEPEG_THRESHOLD_PCT"


@pytest.mark.parametrize(("before", "after", "spec", "expected"), [
    (0.5, 0.8, {}, [(EXPR, L), (FLAG, L)]),
    (0.5, 0.3, {}, [(EXPR, S), (FLAG, S)]),
    (0.5, 0.5, {"high": 60.0}, [(FLAG, L)]),
    (0.5, 0.5, {"high": 40.0}, [(FLAG, S)]),
    (0.5, 0.5, {"low": 0.001}, [(FLAG, N)]),
    (0.5, 0.5, {"low": 0.1}, [(FLAG, X)]),
    (0.5, 0.5, {"tightens": "up"}, [(FLAG, X)]),
    (0.5, 0.5, {"default": 0.9}, [(FLAG, N)]),
    (0.5, 0.5, {"summary": "other words", "line": 9}, []),
])
def test_a_flag(
    before: float, after: float, spec: dict[str, Any], expected: list[tuple[str, Direction]]
) -> None:
    assert flagged({"DEPEG_THRESHOLD_PCT": before}, {"DEPEG_THRESHOLD_PCT": after}, **spec) == expected


def test_a_flag_that_comes_or_goes_or_does_not_say_which_way_protects() -> None:
    less = {name: spec for name, spec in FLAGS.items() if name != "DEPEG_EXIT_RISK"}
    assert [one.direction for one in compare(ruling(flag_specs=FLAGS), ruling(flag_specs=less))] == [X]
    assert [one.direction for one in compare(ruling(flag_specs=less), ruling(flag_specs=FLAGS))] == [N]
    head = ruling(flag_file={"ENTRY_MAX_SPREAD_BPS": 60.0})
    assert [one.direction for one in compare(ruling(), head)] == [X]


def with_signal(name: str, **fields: Any) -> Catalogue:
    return Catalogue([replace(one, **fields) if one.name == name else one for one in CATALOGUE.specs.values()])


@pytest.mark.parametrize(("rules", "name", "fields", "direction"), [
    ((rule(),), "health_measured", {"max_age": 60 * SECOND}, L),
    ((rule(),), "health_measured", {"max_age": 20 * SECOND}, X),
    ((rule(),), "health_measured", {"high": 3.0}, L),
    ((rule(),), "health_measured", {"high": 1.0}, X),
    ((rule(),), "health_measured", {"kind": SignalKind.GAUGE}, X),
    ((rule(),), "health_measured", {"producer": "another"}, X),
    ((rule(),), "health_measured", {"resolution": 1e-3}, X),
    ((rule(),), "health_measured", {"period": SECOND}, X),
    ((rule(),), "health_measured", {"summary": "words"}, None),
    ((rule(),), "health_measured", {"decimate": SECOND}, None),
    ((rule(**WATCH),), "health_measured", {"max_age": 60 * SECOND}, N),
    ((rule(**{**ENTRY, "expr": "spread_bps > 5"}),), "spread_bps", {"max_age": 5 * SECOND}, S),
    ((rule(**GATE),), "spread_bps", {"max_age": 5 * SECOND}, S),
    ((rule(**GATE),), "spread_bps", {"max_age": 20 * SECOND}, L),
    ((rule(),), "peg_usdt_usd", {"max_age": 600 * SECOND}, N),
])
def test_a_signal(rules: tuple[str, ...], name: str, fields: dict[str, Any], direction: Direction | None) -> None:
    base = specs(*rules)
    changes = compare(ruling(*base), ruling(*base, catalogue=with_signal(name, **fields)))
    own = [one for one in changes if one.what == f"signal {name}"]
    assert [one.direction for one in own] == ([] if direction is None else [direction])


def test_every_key_there_is_has_been_thought_of() -> None:
    """A key that is new to rules, flags or signals is not comparable until somebody says what its edits do."""
    for kind, known in (
        (RuleSpec, loosening_fields.KNOWN), (FlagSpec, loosening_world.FLAG_KEYS),
        (SignalSpec, (*loosening_world.SHOWN, *loosening_world.DECIDE_NOTHING)),
    ):
        assert {one.name for one in fields(kind)} == set(known)


def test_a_signal_that_is_gone_or_new() -> None:
    base = specs(rule())
    less = Catalogue([one for one in CATALOGUE.specs.values() if one.name != "mid_price"])
    assert [one.direction for one in compare(ruling(*base), ruling(*base, catalogue=less))] == [N]
    assert [one.direction for one in compare(ruling(*base, catalogue=less), ruling(*base))] == [N]


@pytest.mark.parametrize(("before", "after", "direction"), [
    ((), (0,), S), ((0,), (), L), ((5,), (), L), ((0,), (9,), L), ((5,), (0,), S), ((5,), (9,), S), ((9,), (5,), L),
    ((5, 9), (9,), None), ((9, 0), (0,), None),
])
def test_the_denylist(before: tuple[int, ...], after: tuple[int, ...], direction: Direction | None) -> None:
    def denied(ends: tuple[int, ...]) -> tuple[Denied, ...]:
        return tuple(Denied(symbol="X", until=end * SECOND, reason="", line=n) for n, end in enumerate(ends, 1))

    changes = compare(ruling(denylist=denied(before)), ruling(denylist=denied(after)))
    assert [one.direction for one in changes] == ([] if direction is None else [direction])


# -- the shipped rules -------------------------------------------------------------------------


def shipped_ruling(**flags: FlagValue) -> Ruling:
    return replace(shipped().ruling(), flag_file={**shipped().flag_file, **flags}, flag_environment={})


def test_the_depeg_threshold_is_a_loosening_one_way_and_free_the_other() -> None:
    base, high, low = shipped_ruling(), shipped_ruling(DEPEG_THRESHOLD_PCT=0.8), shipped_ruling(DEPEG_THRESHOLD_PCT=0.3)

    looser, stricter = compare(base, high), compare(base, low)
    assert loosening(looser) and worst(looser) is L
    assert not loosening(stricter) and worst(stricter) is S
    assert next(one for one in looser if one.rule == "guard.depeg.usdt" and one.what == "expr").why.endswith(
        "where pct(abs(peg_usdt_usd - 1)) is between 0.5 and 0.8"
    )
    assert not loosening(compare(high, base)) and compare(base, shipped_ruling()) == ()


@pytest.mark.parametrize("spec", shipped_ruling().rules.rules, ids=lambda spec: spec.id)
def test_switching_any_shipped_rule_off_is_a_loosening(spec: RuleSpec) -> None:
    base = shipped_ruling()
    for edit in ({"enforcement": Enforcement.OFF}, {"enforcement": Enforcement.SHADOW}, {"enabled": False}):
        rules = tuple(replace(one, **edit) if one is spec else one for one in base.rules.rules)
        head = replace(base, rules=replace(base.rules, rules=rules))
        # A watch restrains nothing, and a maker gate grants: without it makers stay denied.
        assert loosening(compare(base, head)) is (spec.kind not in (RuleKind.WATCH, RuleKind.MAKER_GATE))
        assert not loosening(compare(head, base))


# -- masked flags ------------------------------------------------------------------------------


def test_an_edit_behind_a_stronger_layer_is_told() -> None:
    base, head = ruling(), ruling(flag_file={"DEPEG_THRESHOLD_PCT": 0.8})
    environment = replace(head, flag_environment={"DEPEG_THRESHOLD_PCT": 0.4})

    assert masked_edits(base, head, {}) == ()
    (by_operator,) = masked_edits(base, head, {"DEPEG_THRESHOLD_PCT": 0.3})
    (by_environment,) = masked_edits(base, environment, {})
    assert "now says 0.8 pct (was 0.5 pct)" in by_operator and "engine flag unset DEPEG_THRESHOLD_PCT" in by_operator
    assert "the environment's value 0.4" in by_environment
    assert masked_edits(head, head, {"DEPEG_THRESHOLD_PCT": 0.3}) == ()
