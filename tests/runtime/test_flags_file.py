"""Every mistake of a flag file is told at its place, and the shipped file has none."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.model.flags import FlagKind, FlagSpec
from engine.model.samples import Unit
from engine.ruleset.diagnostics import Severity
from engine.ruleset.flags_file import read_flags
from engine.runtime.flag_readers import READERS
from engine.runtime.flags import PLACE, environment_layer, missing_flags

SHIPPED = Path(__file__).parents[2] / "conf" / "flags.yaml"
GOOD = """\
version: 1
flags:
  - name: LIMIT_PCT
    kind: number
    unit: pct
    default: 3
    range: {low: 0, high: 10}
    summary: How much
    tightens: down
  - name: GUARD_ENABLED
    kind: bool
    default: true
    value: false
    summary: Whether
    tightens: "on"
  - name: EXIT_RISK
    kind: word
    words: ["false", dry_run, "true"]
    default: dry_run
    summary: What to do
    tightens: up
"""


def test_a_good_file_gives_specs_and_the_values_of_its_layer() -> None:
    read = read_flags(GOOD.encode(), "flags.yaml")
    assert read.findings == []
    assert read.specs["LIMIT_PCT"] == FlagSpec(
        name="LIMIT_PCT", kind=FlagKind.NUMBER, default=3.0, unit=Unit.PCT, summary="How much", low=0.0, high=10.0,
        tightens="down", line=3,
    )
    assert read.specs["EXIT_RISK"].words == ("false", "dry_run", "true")
    assert read.specs["GUARD_ENABLED"].unit is Unit.BOOL
    assert read.values == {"GUARD_ENABLED": False}


@pytest.mark.parametrize(
    ("before", "after", "line", "said", "fix"),
    [
        ("default: 3\n", "default: 11\n", 6, "at most 10 pct", "default"),
        ("default: 3\n", "default: 3\n    value: 12\n", 7, "at most 10 pct", "value"),
        ("default: 3\n", 'default: "3"\n', 6, "a number is wanted", "write a number"),
        ("default: 3\n", "default: true\n", 6, "a number is wanted", "write a number"),
        ("default: 3\n", "defualt: 3\n", 6, "no key `defualt`", "did you mean default?"),
        ("{low: 0, high: 10}", "{low: 10, high: 0}", 7, "before it begins", "swap"),
        ("{low: 0, high: 10}", "{low: 0, hgih: 10}", 7, "no key `hgih`", "high"),
        ("{low: 0, high: 10}", "{low: 0, high: 10, whole: true}\n    value: 2.5", 8, "whole number", "value"),
        ("    unit: pct\n", "", 3, "`unit` is missing", "unit"),
        ("unit: pct", "unit: percent", 5, "none of", "did you mean pct?"),
        ("unit: pct", "unit: bool", 5, "none of", "one of"),
        ("tightens: down", "tightens: donw", 9, "none of", "did you mean down?"),
        ("tightens: down", 'tightens: "off"', 9, "none of", "up"),
        ('tightens: "on"', "tightens: on", 15, "truth value", "quote it"),
        ("name: LIMIT_PCT", "name: limit_pct", 3, "not written as it must be", ""),
        ("name: GUARD_ENABLED", "name: LIMIT_PCT", 10, "stands here twice, first in line 3", "keep one"),
        ("kind: bool", "kind: boolean", 11, "none of", "did you mean bool?"),
        ("default: true\n", "default: 1\n", 12, "true or false is wanted", "true or false"),
        ("default: true\n", "default: true\n    words: [a, b]\n", 13, "a bool has no words", "kind: word"),
        ("default: dry_run", "default: dryrun", 19, "did you mean dry_run", "default"),
        ('    words: ["false", dry_run, "true"]\n', "", 20, "any word is allowed", "list `words`"),
        ("flags:", "flag:", 2, "no key `flag`", "did you mean flags?"),
        ("version: 1", "version: 2", 1, "is not 1", ""),
    ],
)
def test_each_mistake_is_told_at_its_place(before: str, after: str, line: int, said: str, fix: str) -> None:
    assert before in GOOD
    read = read_flags(GOOD.replace(before, after, 1).encode(), "flags.yaml")
    assert any(
        one.line == line and said in one.message and fix in one.fix and one.severity is Severity.ERROR
        for one in read.findings
    ), read.findings


def test_a_flag_with_a_mistake_is_left_out_and_the_others_stay() -> None:
    read = read_flags(GOOD.replace("default: 3", "default: 11").encode(), "flags.yaml")
    assert sorted(read.specs) == ["EXIT_RISK", "GUARD_ENABLED"] and len(read.findings) == 1


@pytest.mark.parametrize(
    "text",
    [
        b"", b"\xff", b"[]", b"version: 1\nflags: []\n", b"version: 1\nflags: {}\n",
        b"version: 1\nflags: [1, [2], {}]\n",
        b"version: 1\nflags:\n  - name: [A]\n", b"flags: [{name: A_B}]", b"version: 1\nflags: *x\n", b"a: &b c\n--- \n",
        b"version: 1\nflags:\n  - {name: A_B, kind: number, unit: pct, default: .nan, summary: x, range: {low: 1}}\n",
        b"version: 1\nflags:\n  - {name: A_B, kind: word, default: x, summary: x, words: [a, a]}\n",
        b"version: 1\nflags:\n  - {name: A_B, kind: word, default: {}, summary: [x]}\n",
        b"version: 1\nflags:\n  - {name: A_TZ, kind: word, default: Mars, summary: x}\n",
    ],
)
def test_nothing_a_file_may_hold_raises(text: bytes) -> None:
    assert any(one.severity is Severity.ERROR for one in read_flags(text, "flags.yaml").findings)


def test_the_shipped_flags_are_good_and_enough() -> None:
    """Defaults that acceptance is judged by stand as they must, and all that protects says which way."""
    read = read_flags(SHIPPED.read_bytes(), "conf/flags.yaml")
    assert read.findings == [] and missing_flags(read.specs, "conf/flags.yaml") == []
    wanted = {
        "DEPEG_THRESHOLD_PCT": 0.5, "DEPEG_CONFIRM_WINDOWS": 3, "DEPEG_ACTION_COOLDOWN_MIN": 60,
        "WS_DISCONNECT_ALERT_SEC": 30, "TAKER_SLIPPAGE_LIMIT_BPS": 10, "SLIPPAGE_MIN_FILLS": 20,
        "ENTRY_MAX_LATE_CHASE_BPS": 500, "ENTRY_MAX_SPREAD_BPS": 50, "EVENT_BREAKOUT_HALF_SIZE_MINUTES": 5,
        "DAILY_RESET_HOUR": 0, "DAILY_RESET_TZ": "UTC", "DEPEG_GUARD_ENABLED": True, "ENGINE_DRY_RUN": True,
    }
    assert {name: read.specs[name].default for name in wanted} == wanted
    assert read.values == {}
    neither = {name for name, spec in read.specs.items() if not spec.tightens and spec.group != "observability"}
    # Of these a watch only tells.
    neither -= {name for name in neither if name.startswith("WATCH_")}
    assert neither == {
        "ACCOUNT_EQUITY_USD", "DAILY_RESET_TZ", "DAILY_RESET_HOUR", "DEPEG_SWITCH_QUOTE", "EVENT_BREAKOUT_METRICS",
        "FUNDING_HEDGE_RATIO", "RISK_PARITY_TF", "RISK_PARITY_N", "STOP_VALIDATOR_CONFIRMATIONS",
        "STOP_VALIDATOR_REPAIR_TP", "VAR_LOOKBACK_DAYS", "MAKER_GATE_SYMBOLS",
    }
    assert all(spec.group for spec in read.specs.values())


def test_a_flag_that_the_engine_needs_must_be_there() -> None:
    specs = read_flags(SHIPPED.read_bytes(), "f").specs
    without = {name: spec for name, spec in specs.items() if name != "DAILY_RESET_TZ"}
    assert [one.message for one in missing_flags(without, "f")] == ["the engine needs the flag DAILY_RESET_TZ"]
    assert len(missing_flags({}, "f")) == sum(reader.needs is not None for reader in READERS.values())


def test_the_environment_sets_what_fits_and_says_what_does_not() -> None:
    """A mistyped flag in an environment is silent everywhere else."""
    specs = read_flags(GOOD.encode(), "f").specs
    values, findings = environment_layer(specs, {
        "LIMIT_PCT": "2.5%", "GUARD_ENABLED": "", "EXIT_RISKS": "true", "HOME": "/x", "ENGINE_STATE": "s", "PATH": "",
    })
    assert values == {"LIMIT_PCT": 2.5}
    assert [(one.file, one.severity.value, one.source_line) for one in findings] == [
        (PLACE, "warning", "EXIT_RISKS=true"), (PLACE, "error", "GUARD_ENABLED="),
    ]
    assert findings[0].fix == "did you mean EXIT_RISK?"
