"""An engine is set up by one file; every mistake in it is told, and the shipped one has none."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from engine.model.orders import Intent
from engine.model.restraints import Level, Restraint
from engine.model.time import MS, SECOND
from engine.ruleset.diagnostics import Severity
from engine.ruleset.flags_file import read_flags
from engine.runtime.settings import PaperSettings, ReloadSettings, RunSettings, Settings, Span, read_settings

CONF = Path(__file__).parents[2] / "conf"
FLAGS = read_flags((CONF / "flags.yaml").read_bytes(), "conf/flags.yaml").specs


def test_the_shipped_settings_are_good_and_are_the_defaults() -> None:
    """What the file spells out and what an empty file means must not drift apart; how scalps rest is for the file."""
    settings, findings = read_settings((CONF / "engine.yaml").read_bytes(), "conf/engine.yaml", FLAGS)
    assert [route.intent for route in settings.execution.routes] == [Intent.SCALP]
    settings = replace(settings, execution=replace(settings.execution, routes=()))
    assert findings == [] and settings == Settings()
    assert read_settings(b"version: 1\n", "e", FLAGS) == (Settings(), [])


def test_every_key_is_read() -> None:
    text = b"""\
version: 1
engine:
  account: second
  quote_preference: [USDC]
  floor:
    level: entries_paused
    size_mult: 0.5
    max_notional_usd: 1500.5
    mute: [SCALP]
    deny: [XYZUSDT]
    deny_quotes: [BUSD]
run: {tape: normal-day, speed: 60, checkpoint_every: 200, market_queue: 300, free_disk_mb: 16}
paper:
  seed: "7"
  balance_asset: USDC
  starting_balance: 500
  order_travel: {low: 1ms, high: 1ms}
  answer_travel: {low: 0ms, high: 2ms}
  trigger_travel: {low: 1.5s, high: 3s}
reload:
  enabled: false
  poll: 1s
  quiesce: 20ms
  max_quiesce: 40ms
  max_blast_radius: 0
  blast_minimum: 0
  test_budget: 5s
  unsafe_modes: warn
"""
    settings, findings = read_settings(text, "e", FLAGS)
    assert findings == []
    assert settings == Settings(
        account="second", quote_preference=("USDC",),
        floor=Restraint(
            level=Level.ENTRIES_PAUSED, size_mult=0.5, max_notional_usd=Decimal("1500.5"), mute=frozenset({"SCALP"}),
            deny=frozenset({"XYZUSDT"}), deny_quotes=frozenset({"BUSD"}),
        ),
        run=RunSettings(tape="normal-day", speed=60, checkpoint_every=200, market_queue=300, free_disk=16 * 2**20),
        paper=PaperSettings(
            seed="7", balance_asset="USDC", starting_balance=Decimal(500), order_travel=Span(low=MS, high=MS),
            answer_travel=Span(low=0, high=2 * MS), trigger_travel=Span(low=1500 * MS, high=3000 * MS),
        ),
        reload=ReloadSettings(
            enabled=False, poll=SECOND, quiesce=20 * MS, max_quiesce=40 * MS, max_blast_radius=0.0, blast_minimum=0,
            test_budget=5 * SECOND, unsafe_modes="warn",
        ),
    )
    assert settings.paper.balance({}) == Decimal(500)
    assert PaperSettings().balance({"ACCOUNT_EQUITY_USD": 10000.0}) == Decimal(10000)


@pytest.mark.parametrize(
    ("line", "said", "fix"),
    [
        ("engin: {}", "no key `engin`", "did you mean engine?"),
        ("engine: {account: Main}", "not written as it must be", "lower case"),
        ("engine: {quote_preference: []}", "at least 1", "add one"),
        ("engine: {quote_preference: [USDT, USDT]}", "twice", "keep one"),
        ("engine: {floor: {level: halt}}", "none of", "did you mean halted?"),
        ("engine: {floor: {size_mult: 1.5}}", "at most 1", "at most 1"),
        ("engine: {floor: {mute: [EXIT]}}", "none of", "ENTRY"),
        ("run: {speed: fast}", "not written as it must be", "write max"),
        ("run: {speed: 0}", "at least 0.001", "at least"),
        ("run: {checkpoint_every: 500.5}", "a whole number is wanted", "whole"),
        ("run: []", "a mapping is wanted", "mapping"),
        ("paper: {seed: 7}", "text is wanted", 'quote it: "7"'),
        ("paper: {starting_balance: ACCOUNT_EQUITY_US}", "no flag that holds a number", "ACCOUNT_EQUITY_USD?"),
        ("paper: {starting_balance: DEPEG_GUARD_ENABLED}", "no flag that holds a number", ""),
        ("paper: {order_travel: {low: 20ms}}", "`high` is missing", "high"),
        ("paper: {order_travel: {low: 20ms, high: 10ms}}", "longer than the longest", "swap"),
        ("paper: {order_travel: {low: 20, high: 30ms}}", "text is wanted", ""),
        ("paper: {order_travel: {low: 999999d, high: 30ms}}", "longer than 366d", "40ms"),
        ("reload: {poll: 1ms}", "not from 10ms to 1h", "2s"),
        ("reload: {quiesce: 4s}", "longer than max_quiesce", "shorter"),
        ("reload: {quiesce: fast}", "", ""),
        ("reload: {max_blast_radius: 1.5}", "at most 1", "at most"),
        ("reload: {unsafe_modes: allow}", "none of", "refuse"),
        ("reload: {pol: 1s}", "no key `pol`", "did you mean poll?"),
    ],
)
def test_each_mistake_is_told_once_with_its_fix(line: str, said: str, fix: str) -> None:
    settings, findings = read_settings(f"version: 1\n{line}\n".encode(), "e", FLAGS)
    assert settings == Settings()
    assert [one.line for one in findings] == [2] and findings[0].severity is Severity.ERROR
    assert said in findings[0].message and fix in findings[0].fix


@pytest.mark.parametrize(
    "text", [b"", b"\x00", b"[]", b"version: 1\nengine: 5\npaper: null\n", b"version: 1\nrun: *a\n"]
)
def test_nothing_a_file_may_hold_raises(text: bytes) -> None:
    assert any(one.severity is Severity.ERROR for one in read_settings(text, "e", FLAGS)[1])


def test_the_digest_is_of_what_decides() -> None:
    """How fast a run goes and how often it keeps its state does not; a delay of the venue does."""
    base = Settings()
    assert replace(base, run=RunSettings(speed=3, checkpoint_every=200)).digest == base.digest
    assert replace(base, reload=ReloadSettings(enabled=False)).digest == base.digest
    assert replace(base, paper=PaperSettings(seed="1")).digest != base.digest
    assert replace(base, floor=Restraint(deny=frozenset({"B", "A"}))).digest != base.digest
