"""`engine rules eval`: a moment in, what every rule and the policy make of it out."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.model.flags import FlagSpec
from engine.ruleset.catalogue_file import read_catalogue
from engine.ruleset.diagnostics import Finding
from engine.ruleset.flags_file import read_flags
from engine.ruleset.load import load_rules
from engine.ruleset.spec import RuleSet
from engine.signals.catalogue import Catalogue
from engine.workbench.evaluate_snapshot import SnapshotError, evaluate_moment, evaluate_snapshot
from engine.workbench.snapshot_file import read_moment

ROOT = Path(__file__).parents[2]
AT = "2026-01-05T14:00:00Z"
RULES = """version: 1
rules:
  - id: guard.peg
    kind: guard
    summary: peg
    runbook: RUNBOOK.md#peg
    expr: pct(abs(peg_usdt_usd - 1)) >= DEPEG_THRESHOLD_PCT
    clear_expr: pct(abs(peg_usdt_usd - 1)) < DEPEG_THRESHOLD_PCT / 2
    for: DEPEG_CONFIRM_WINDOWS
    restrain: {level: halted}
  - id: guard.health
    kind: guard
    summary: health
    runbook: RUNBOOK.md#health
    expr: held(health_measured >= 1, "5m")
    restrain: {level: entries_paused}
  - id: cutback.slip
    kind: cutback
    by: [venue]
    summary: slip
    runbook: RUNBOOK.md#slip
    expr: >-
      count_over(fill_slippage_bps, "6h", liquidity="taker") >= 2
      and avg_over(fill_slippage_bps, "6h", liquidity="taker") > 10
    restrain: {size_mult: 0.5}
    ttl: 30m
  - id: guard.wide
    kind: guard
    by: [venue, symbol]
    summary: wide
    runbook: RUNBOOK.md#wide
    expr: spread_bps > 100
    restrain: {level: reduce_only}
  - id: entry.size
    kind: entry
    summary: size
    runbook: RUNBOOK.md#size
    expr: order_notional_usd > ENTRY_MAX_NOTIONAL_USD
"""


@cache
def shipped() -> tuple[Catalogue, dict[str, FlagSpec]]:
    """Return the shipped catalogue and flags."""
    catalogue, findings = read_catalogue((ROOT / "conf/signals.yaml").read_bytes(), "conf/signals.yaml")
    assert catalogue is not None, findings
    return catalogue, read_flags((ROOT / "conf/flags.yaml").read_bytes(), "conf/flags.yaml").specs


@cache
def rules() -> RuleSet:
    """Return the rules above, checked."""
    loaded = load_rules({"r.yaml": RULES.encode()}, *shipped())
    assert loaded.rules is not None, loaded.findings
    return loaded.rules


def said(*signals: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return the answers to a document with these signals, by instance, and the policy."""
    found = evaluate_snapshot({"at": AT, "signals": list(signals), **more}, rules(), *shipped())
    json.dumps(found, allow_nan=False)
    return {**{row["instance"]: row for row in found["rules"]}, "policy": found["policy"]}


def peg(value: Any, **more: Any) -> dict[str, Any]:
    """Return a sample of the peg."""
    return {"name": "peg_usdt_usd", "value": value, **more}


def test_now_is_before_the_timers_and_if_held_after_them() -> None:
    row = said(peg(0.98))["guard.peg"]

    assert row["truth"] == "true"
    assert (row["now"]["state"], row["now"]["restrain"]["level"]) == ("pending", "normal")
    assert (row["if_held"]["state"], row["if_held"]["restrain"]["level"]) == ("firing", "halted")
    assert row["inputs"] == {"peg_usdt_usd": "0.98"}
    assert row["trace"][0]["value"] is True


@pytest.mark.parametrize(
    ("signal", "truth", "reason", "state", "level"),
    [
        (peg(1.0), "false", "", "inactive", "normal"),
        (peg(1.005), "true", "", "firing", "halted"),
        (peg(0.98, age_s=149), "true", "", "firing", "halted"),
        (peg(0.98, age_s=150), "unknown", "stale(peg_usdt_usd)", "held", "halted"),
        (peg(11), "unknown", "invalid(peg_usdt_usd)", "held", "halted"),
        ({"name": "health_measured", "value": 0}, "unknown", "missing(peg_usdt_usd)", "held", "halted"),
    ],
)
def test_each_standing_of_a_sample_has_its_truth(
    signal: dict[str, Any], truth: str, reason: str, state: str, level: str
) -> None:
    row = said(signal)["guard.peg"]

    assert (row["truth"], row["if_held"]["state"], row["if_held"]["restrain"]["level"]) == (truth, state, level)
    assert row["reasons"] == ([reason] if reason else [])


@pytest.mark.parametrize("bare", ["NaN", "Infinity", "-Infinity"])
def test_a_bare_nan_is_a_sample_that_is_no_number(bare: str) -> None:
    """Programs write it so, and a rule must be seen to meet it with doubt."""
    text = f'{{"at": "{AT}", "signals": [{{"name": "peg_usdt_usd", "value": {bare}}}]}}'
    moment, findings = read_moment(text.encode(), "s.json", *shipped())
    assert moment is not None, findings
    row = next(row for row in evaluate_moment(moment, rules(), shipped()[0])["rules"] if row["id"] == "guard.peg")

    assert (row["truth"], row["reasons"]) == ("unknown", ["invalid(peg_usdt_usd)"])


def test_an_omitted_flag_is_its_default_and_a_written_one_is_not() -> None:
    assert said(peg(0.996))["guard.peg"]["truth"] == "false"
    assert said(peg(0.996), flags={"DEPEG_THRESHOLD_PCT": 0.4})["guard.peg"]["truth"] == "true"


def test_a_held_condition_is_true_only_if_it_is_held() -> None:
    row = said({"name": "health_measured", "value": 1})["guard.health"]

    assert (row["now"]["state"], row["if_held"]["state"]) == ("inactive", "firing")


def test_windows_read_the_series() -> None:
    labels = {"venue": "paper", "liquidity": "taker"}
    fills = {"name": "fill_slippage_bps", "labels": labels}
    series = [{"value": 20.0, "age_s": 60}, {"value": 8.0, "age_s": 21_599}]
    assert said({**fills, "series": series})["cutback.slip[paper]"]["if_held"]["restrain"]["size_mult"] == 0.5
    assert said({**fills, "series": series[:1]})["cutback.slip[paper]"]["truth"] == "false"
    series[1]["age_s"] = 21_600
    assert said({**fills, "series": series})["cutback.slip[paper]"]["truth"] == "false"
    assert said({**fills, "series": series, "value": 1.0})["cutback.slip[paper]"]["truth"] == "true"


def test_an_event_that_is_not_listed_is_not_an_event_that_did_not_happen() -> None:
    fills = {"name": "fill_slippage_bps", "labels": ["paper", "taker"], "series": []}
    heard = {"name": "feed_messages", "labels": {"venue": "paper"}, "value": 1}

    assert said(heard, fills)["cutback.slip[paper]"]["truth"] == "false"
    assert said(heard)["cutback.slip[paper]"]["truth"] == "unknown"


def test_a_rule_without_an_instance_says_so_and_an_order_for_it_counts_as_unknown() -> None:
    order = {"venue": "paper", "symbol": "XUSDT", "order_intent": "ENTRY", "order_notional_usd": 10}
    calm = [peg(1.0), {"name": "health_measured", "value": 0}]
    spread = {"name": "spread_bps", "labels": ["paper", "XUSDT"], "value": 5}
    fills = {"name": "fill_slippage_bps", "labels": ["paper", "taker"], "series": []}
    without = said(*calm, fills, order=order)
    assert without["guard.wide"]["if_held"]["state"] == "no instance"
    assert without["policy"]["order"]["level"] == "reduce_only"
    assert not without["policy"]["order"]["may_enter"]
    with_it = said(*calm, fills, spread, order=order)
    assert with_it["policy"]["order"]["may_enter"]
    assert with_it["policy"]["level"] == "normal"


def test_the_policy_joins_what_holds_and_an_order_meets_only_what_covers_it() -> None:
    order = {"venue": "paper", "symbol": "YUSDT", "intent": "ENTRY", "notional_usd": 1e6}
    wide = {"name": "spread_bps", "labels": ["paper", "XUSDT"], "value": 500}
    fine = {"name": "spread_bps", "labels": ["paper", "YUSDT"], "value": 1}
    found = said(peg(1.0), {"name": "health_measured", "value": 0}, wide, fine, order=order)["policy"]

    assert (found["level"], found["order"]["level"]) == ("reduce_only", "normal")
    assert found["order"]["refused_by"] == ["entry.size"]
    assert "guard.wide[paper,XUSDT]" in found["binding"]


def test_entry_rules_need_an_order() -> None:
    without, small = said(peg(1.0)), said(peg(1.0), order={"order_notional_usd": 10})

    assert (without["entry.size"]["truth"], without["entry.size"]["now"]["state"]) == ("unknown", "no order")
    assert (small["entry.size"]["truth"], small["entry.size"]["if_held"]["state"]) == ("false", "passes")
    assert small["entry.size"]["trace"][0]["value"] is False


def test_the_shipped_rules_answer_too() -> None:
    found = {str(path.relative_to(ROOT)): path.read_bytes() for path in sorted((ROOT / "rules").rglob("*.yaml"))}
    loaded = load_rules(found, *shipped())
    assert loaded.rules is not None
    answer = evaluate_snapshot({"at": AT, "signals": []}, loaded.rules, *shipped())

    assert [row["id"] for row in answer["rules"]] == sorted(row["id"] for row in answer["rules"])
    assert answer["policy"]["level"] == "halted", "nothing is known, so everything is in doubt"


@pytest.mark.parametrize(
    ("document", "code", "says", "fix"),
    [
        ({"at": "2026-01-05T14:00:00"}, "snapshot-time", "time zone", "2026-01-05T14:00:00Z"),
        ({"at": "yesterday"}, "snapshot-time", "no instant", "2026-01-05T14:00:00Z"),
        ({"at": "1066-10-14T00:00:00Z"}, "snapshot-time", "1970", "this century"),
        ({"flags": {"DEPEG_TRESHOLD_PCT": 1}}, "snapshot-flag", "no flag", "DEPEG_THRESHOLD_PCT"),
        ({"flags": {"DEPEG_THRESHOLD_PCT": "much"}}, "snapshot-flag", "number", "default"),
        ({"flags": {"DEPEG_THRESHOLD_PCT": -1}}, "snapshot-flag", "must be", "default"),
        ({"signals": [{"name": "peg_usd_usdt", "value": 1}]}, "snapshot-signal", "no signal", "peg_usdt_usd"),
        ({"signals": [peg("NaN")]}, "snapshot-value", "a number, not the text 'NaN'", "a number"),
        ({"signals": [peg(True)]}, "snapshot-value", "a number", "a number"),
        ({"signals": [peg(None)]}, "schema-type", "not `null`", ""),
        ({"signals": [peg(1, age_s=-1)]}, "schema-range", "at least", "at least 0"),
        ({"signals": [peg(1, age_s="1s")]}, "schema-type", "a number", ""),
        ({"signals": [peg(1, labels={"venue": "x"})]}, "snapshot-label", "no label venue", "no labels"),
        ({"signals": [{"name": "spread_bps", "value": 1}]}, "snapshot-label", "venue", "symbol"),
        ({"signals": [{"name": "spread_bps", "value": 1, "labels": {"venue": "x", "sybmol": "y", "symbol": "y"}}]},
         "snapshot-label", "sybmol", "symbol"),
        ({"signals": [{"name": "spread_bps", "value": 1, "labels": ["x"]}]}, "snapshot-label", "2 labels", "symbol"),
        ({"signals": [peg(1), peg(1)]}, "snapshot-twice", "twice", "series"),
        ({"signals": [{"name": "peg_usdt_usd"}]}, "snapshot-value", "no value", "missing"),
        ({"signals": [{"name": "order_side", "value": "buy"}]}, "snapshot-order-signal", "order", "order_side"),
        ({"signals": [peg(1, age=3)]}, "schema-unknown-key", "age", "age_s"),
        ({"order": {"order_side": "up"}}, "snapshot-order", "buy, sell", "buy"),
        ({"order": {"order_notional": 5}}, "snapshot-order", "order_notional", "order_notional_usd"),
        ({"signal": []}, "schema-unknown-key", "signal", ""),
    ],
)
def test_a_bad_document_is_told_what_where_and_how_to_mend_it(
    document: dict[str, Any], code: str, says: str, fix: str
) -> None:
    with pytest.raises(SnapshotError) as caught:
        evaluate_snapshot({"at": AT, "signals": [], **document}, rules(), *shipped())
    found = [one for one in caught.value.findings if one.code == code and says in one.message + one.fix]

    assert found, caught.value
    assert fix in found[0].fix
    assert found[0].line > 1


@settings(max_examples=60, deadline=None)
@given(st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5) | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["name", "value", "labels", "age_s", "series", "venue", "peg_usdt_usd", "x"]), inner, max_size=4
    ),
    max_leaves=12,
), st.sampled_from(["at", "flags", "signals", "order"]))
def test_no_document_whatever_is_an_exception_of_another_kind(junk: Any, where: str) -> None:
    document = {"at": AT, "signals": [peg(1.0)], where: junk}
    for one in (document, {**document, "signals": [junk]}):
        answer, findings = answer_or_findings(one)
        assert findings or (answer["rules"] and answer["policy"]["level"])


def answer_or_findings(document: Any) -> tuple[dict[str, Any], tuple[Finding, ...]]:
    """Return what was answered, or what is wrong with the document."""
    try:
        return evaluate_snapshot(document, rules(), *shipped()), ()
    except SnapshotError as refused:
        return {}, tuple(refused.findings)
