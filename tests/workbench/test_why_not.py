"""`engine rules why-not`: every reading, every margin, the least change and the timers, of the shipped rules."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.cli.main import main
from engine.cli.rules_why_not import answer_lines
from engine.ruleset.load import load_rules
from engine.runtime.config import load_config
from engine.workbench.evaluate_snapshot import moment_book
from engine.workbench.snapshot_file import read_moment
from engine.workbench.why_not import Scene, why_not

ROOT = Path(__file__).resolve().parents[2]
CONFIG = load_config(ROOT, {})
AT = "2026-01-05T14:00:00Z"

Told = dict[str, Any]
Ask = Callable[..., tuple[int, str]]


def answers(rule: str, *signals: Told, order: Told | None = None, flags: Told | None = None) -> list[Told]:
    """Return what `why-not` says of `rule` in a moment with these signals."""
    assert CONFIG.rules is not None and CONFIG.catalogue is not None, CONFIG.findings
    document: Told = {"at": AT, "signals": list(signals), "flags": flags or {}}
    if order is not None:
        document["order"] = order
    moment, findings = read_moment(json.dumps(document).encode(), "moment", CONFIG.catalogue, CONFIG.flag_specs)
    assert moment is not None, findings
    book, snapshot = moment_book(moment, CONFIG.rules, CONFIG.catalogue)
    scene = Scene(
        book=book, snapshot=snapshot, flags=moment.flags, at=moment.at, order=moment.order,
        order_labels=moment.order_labels,
    )
    return why_not(scene, rule)


def peg(value: float, age_s: float = 5) -> Told:
    return {"name": "peg_usdt_usd", "value": value, "age_s": age_s}


def only(found: list[Told]) -> Told:
    assert len(found) == 1, found
    return found[0]


@settings(max_examples=40)
@given(st.floats(0.9, 1.1))
def test_the_change_that_is_named_is_the_threshold_and_turns_the_rule(price: float) -> None:
    """Asked again at the value that was named, the answer is the other one."""
    first = only(answers("guard.depeg.usdt", peg(price)))
    whole = first["conditions"][0]["parts"][0]
    change = whole["changes"][0]
    again = only(answers("guard.depeg.usdt", peg(change["to"])))

    assert {first["truth"], again["truth"]} == {"true", "false"}
    assert min(abs(change["to"] - edge) for edge in (0.995, 1.005)) < 1e-6
    assert abs(change["to"] - price) <= min(abs(edge - price) for edge in (0.995, 1.005)) + 1e-6


def test_a_reading_is_told_with_its_age_and_its_limit() -> None:
    row = only(answers("guard.depeg.usdt", peg(0.999, 20)))["inputs"][0]

    assert row["value"] == 0.999
    assert (row["status"], row["age_s"], row["max_age_s"], row["producer"]) == ("ok", 20, 150, "feed.oracle")


def test_a_stale_reading_has_no_margin_and_both_ways_out() -> None:
    found = only(answers("guard.depeg.usdt", peg(0.999, 400)))
    whole = next(part for part in found["conditions"][0]["parts"] if "margin" in part)

    assert found["truth"] == "unknown"
    assert found["inputs"][0]["status"] == "stale"
    assert whole["margin"] is None
    # What would be measured from: the last value that was believed.
    assert {one["makes"]: one["to"] for one in whole["changes"]}["true"] == pytest.approx(0.995, abs=1e-6)
    assert "false" in {one["makes"] for one in whole["changes"]}


def test_an_and_of_two_that_are_both_false_says_that_one_change_is_not_enough() -> None:
    fills = [{"value": 2.0, "age_s": 60}, {"value": 3.0, "age_s": 30}]
    series = {"name": "fill_slippage_bps", "labels": {"venue": "paper", "liquidity": "taker"}, "series": fills}
    whole, count, average = only(answers("cutback.slippage", series))["conditions"][0]["parts"]

    assert (whole["changes"], whole["none"]) == ([], ["no change of a single reading makes this true"])
    assert (count["changes"][0]["to"], count["depth"]) == (20, 1)
    assert average["changes"][0]["edge"] == 10
    assert average["changes"][0]["to"] > 10
    assert count["margin"] == pytest.approx(0.9)
    assert average["margin"] == pytest.approx(0.75)


def test_a_held_condition_has_its_timer_and_its_own_answer() -> None:
    calm = {"name": "maintenance_active", "value": 0, "age_s": 0}
    found = only(answers("kill.health", {"name": "health_measured", "value": 1, "age_s": 0}, calm))
    timer = only(found["timers"])

    held = "held(health_measured >= 1 and maintenance_active < 0.5, 5m)"
    assert [one["role"] for one in found["conditions"]] == ["expr", held]
    assert timer["timer"] == held
    assert timer["until"] - found["at"] == 300_000_000_000
    assert found["conditions"][0]["parts"][0]["changes"][0]["to"] == 2


def test_an_entry_rule_is_asked_about_the_order_at_hand() -> None:
    refused = only(answers("entry.notional", order={"notional_usd": 6000}))
    passed = only(answers("entry.notional", order={"notional_usd": 600}))
    nothing = only(answers("entry.notional"))

    assert (refused["truth"], refused["why"]) == ("true", "it refuses this order")
    assert refused["conditions"][0]["parts"][0]["changes"][0]["to"] == 5000
    assert (passed["truth"], passed["why"]) == ("false", "it lets this order pass")
    assert (nothing["truth"], nothing["why"]) == ("unknown", "no order is at hand; what is not known refuses")


def test_a_rule_that_is_switched_off_says_by_what() -> None:
    found = only(answers("guard.depeg.usdt", peg(0.9), flags={"DEPEG_GUARD_ENABLED": False}))

    assert found["why"] == "it is not evaluated: disabled by DEPEG_GUARD_ENABLED"
    assert found["guarding"] is False


def test_a_rule_without_instances_says_what_it_waits_for() -> None:
    assert only(answers("kill.daily_loss"))["why"].startswith("no account was heard of yet")
    assert answers("no.such.rule") == []


GATE = """
version: 1
rules:
  - id: gate.maker
    kind: maker_gate
    summary: Maker orders pay
    runbook: RUNBOOK.md#thin-book
    by: [venue, symbol]
    allow_expr: spread_bps < 20 and not mid_price > 100
  - id: watch.announcements
    kind: watch
    summary: Many announcements
    runbook: RUNBOOK.md#thin-book
    expr: count_over(announcements, "1h") > 3
    notify: {to: digest, text: "many announcements"}
"""


def test_a_gate_says_what_would_make_it_grant_and_a_watch_that_it_is_in_doubt() -> None:
    assert CONFIG.catalogue is not None
    rules = load_rules({"gate.yaml": GATE.encode()}, CONFIG.catalogue, CONFIG.flag_specs).rules
    assert rules is not None
    labels = {"venue": "paper", "symbol": "A"}
    signals = [
        {"name": "spread_bps", "labels": labels, "value": 10}, {"name": "mid_price", "labels": labels, "value": 250},
    ]
    document = json.dumps({"at": AT, "signals": signals}).encode()
    moment, _ = read_moment(document, "moment", CONFIG.catalogue, CONFIG.flag_specs)
    assert moment is not None
    book, snapshot = moment_book(moment, rules, CONFIG.catalogue)
    scene = Scene(book=book, snapshot=snapshot, flags=moment.flags, at=moment.at)

    gate, watch = only(why_not(scene, "gate.maker")), only(why_not(scene, "watch.announcements"))
    assert (gate["state"], gate["why"]) == ("denied", "its condition is false")
    assert gate["conditions"][0]["role"] == "allow_expr"
    assert gate["conditions"][0]["parts"][0]["changes"][0]["text"] == "mid_price at 100 or less (now 250)"
    assert watch["truth"] == "unknown"
    assert "restrains" not in watch["why"]
    made = {one["makes"]: one["to"] for one in watch["conditions"][0]["parts"][0]["changes"]}
    assert made == {"true": 4, "false": 3}


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Ask:
    monkeypatch.chdir(ROOT)
    snapshot = tmp_path / "moment.json"
    snapshot.write_text(json.dumps({"at": AT, "signals": [peg(0.999)]}), encoding="utf-8")

    def call(*words: str) -> tuple[int, str]:
        code = main(["rules", "why-not", *words, "--snapshot", str(snapshot)])
        found = capsys.readouterr()
        return code, found.out + found.err

    return call


def test_the_text_names_the_change_and_where_the_rule_stands(ask: Ask) -> None:
    code, text = ask("guard.depeg.usdt")

    assert code == 0
    assert "true with peg_usdt_usd at 0.995 or less (now 0.999)" in text
    assert "heard 5s ago, stale after 2m30s" in text
    assert "rules/guards/depeg.yaml:" in text


def test_every_shipped_rule_can_be_asked_as_text_and_as_json(ask: Ask) -> None:
    """Each as the command asks and prints it; the command itself, which reads every file each time, one of a kind."""
    assert CONFIG.rules is not None
    for spec in CONFIG.rules.rules:
        found = answers(spec.id, peg(0.999))
        assert [one["id"] for one in found] == [spec.id]
        assert json.dumps(found, allow_nan=False) and answer_lines(found[0])[0].startswith(spec.id)
    for rule in {spec.kind: spec.id for spec in CONFIG.rules.rules}.values():
        code, text = ask(rule, "--format", "json")
        assert code == 0, text
        assert [one["id"] for one in json.loads(text)["answers"]] == [rule]
        code, text = ask(rule)
        assert code == 0 and text.startswith(rule), text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("guard.depeg.usd",), "did you mean guard.depeg.usdt?"),
        (("guard.depeg.usdt[x]",), "did you mean guard.depeg.usdt?"),
        (("guard.depeg.usdt", "--at", "23:25"), "--at, --tape and --order are about a run"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_a_fix(words: tuple[str, ...], said: str, ask: Ask) -> None:
    code, text = ask(*words)

    assert code == 2
    assert said in text
