"""A session with money begins with every guard or not at all, and at most as far as its version was let through."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import product
from pathlib import Path

import pytest

from engine.model.events import RunMode
from engine.model.flags import FlagValue
from engine.model.run_mode import DRY_RUN_FLAG, Verdict
from engine.ruleset.spec import Enforcement, RuleSpec
from engine.runtime.config import Config, load_config
from engine.runtime.guards import insist_on_guards, unfed, unguarded
from engine.runtime.live import run_live
from engine.runtime.modes import decided, version_of
from engine.runtime.options import RunError, RunOptions
from engine.runtime.provenance import Provenance
from engine.signals.catalogue import IN_CORE
from tests.conftest import ROOT

GUARD = "guard.stops.missing"
DRY, LIMITED, FULL = RunMode.DRY_RUN, RunMode.LIMITED_LIVE, RunMode.FULL_LIVE


@cache
def shipped() -> Config:
    """Return the shipped configuration, as of a commit that is not changed."""
    found = load_config(ROOT, {})
    assert found.usable, found.findings
    return replace(found, provenance=Provenance(commit="c" * 40, dirty=False))


def edited(**changes: object) -> Config:
    """Return the shipped configuration with one guard changed."""
    config = shipped()
    assert config.rules is not None
    rules = tuple(_changed(rule, changes) if rule.id == GUARD else rule for rule in config.rules.rules)
    return replace(config, rules=replace(config.rules, rules=rules))


def _changed(rule: RuleSpec, changes: dict[str, object]) -> RuleSpec:
    return replace(rule, **changes)  # type: ignore[arg-type]


CONFIGS = {
    "all on": edited(),
    "off": edited(enforcement=Enforcement.OFF),
    "in shadow": edited(enforcement=Enforcement.SHADOW),
    "disabled": edited(enabled=False),
    "by its flag": edited(enabled="WS_HEALTH_ENABLED"),
}
WORDS = {
    "off": (f"{GUARD} is off (rules/guards/stops.yaml:", "enforcement: enforce"),
    "in shadow": (f"{GUARD} is in shadow (rules/", "enforcement: enforce"),
    "disabled": (f"{GUARD} is disabled (rules/", "enabled: true"),
    "by its flag": (f"{GUARD} is disabled by WS_HEALTH_ENABLED", "engine flag unset WS_HEALTH_ENABLED"),
}


@pytest.mark.parametrize(
    ("asked", "dry", "verdict", "guard"), [*product(RunMode, (True, False), (True, False), CONFIGS)], ids=str
)
def test_the_table(asked: RunMode, dry: bool, verdict: bool, guard: str) -> None:
    config = CONFIGS[guard]
    values: dict[str, FlagValue] = {**config.flag_book().values, DRY_RUN_FLAG: dry}
    if guard == "by its flag":
        values["WS_HEALTH_ENABLED"] = False
    missing = unguarded(config, values)
    if asked is DRY or guard == "all on":
        insist_on_guards(asked, missing)
    else:
        # A switch that says paper changes nothing about it: a start that would be refused is no rehearsal.
        with pytest.raises(RunError) as refused:
            insist_on_guards(asked, missing)
        what, fix = WORDS[guard]
        assert what in refused.value.what and fix in refused.value.fix and refused.value.exit_code == 2

    let_through = Verdict(version=version_of(config)) if verdict else None
    found = decided(asked, config, values, let_through)
    wanted = DRY if dry else LIMITED if asked is FULL and not verdict else asked
    assert found.mode is wanted
    assert bool(found.held) is (found.mode is not asked or (asked is FULL and not verdict))


def test_a_guard_whose_flag_ships_off_is_not_missed() -> None:
    config = edited(enabled="SCALP_ENABLED")
    assert config.flag_specs["SCALP_ENABLED"].default is False
    assert unguarded(config, config.flag_book().values) == ()


def test_the_stop_validator_is_a_guard_though_it_is_no_rule() -> None:
    config = shipped()
    *_, missing = unguarded(config, {**config.flag_book().values, "STOP_VALIDATOR_ENABLED": False})
    assert str(missing) == "stop validator is disabled by STOP_VALIDATOR_ENABLED"


def test_every_guard_is_named_and_each_fix_once() -> None:
    config = CONFIGS["off"]
    values = {**config.flag_book().values, "STOP_VALIDATOR_ENABLED": False, "DEPEG_GUARD_ENABLED": False}
    with pytest.raises(RunError) as refused:
        insist_on_guards(LIMITED, unguarded(config, values))
    for what in (GUARD, "stop validator", "guard.depeg.usdt"):
        assert what in refused.value.what
    assert refused.value.fix.count("engine flag unset DEPEG_GUARD_ENABLED") == 1


def test_rules_that_nobody_feeds_are_told_by_signal() -> None:
    told = dict(unfed(shipped(), frozenset({"feed.market"})))
    assert told["guard.depeg.usdt"] == "peg_usdt_usd" and "guard.feed.stale" not in told
    assert "guard.warmup" not in told, "the core itself tells since when it runs"


@pytest.mark.parametrize(
    ("flags", "mode", "what"),
    [
        ({"DEPEG_GUARD_ENABLED": "false"}, LIMITED, "guard.depeg.usdt is disabled by"),
        ({"STOP_VALIDATOR_ENABLED": "false", "ENGINE_DRY_RUN": "true"}, FULL, "stop validator is disabled by"),
    ],
)
def test_a_start_that_would_guard_less_leaves_nothing_behind(
    tmp_path: Path, flags: dict[str, str], mode: RunMode, what: str
) -> None:
    options = RunOptions(
        root=ROOT, mode=mode, venue="binanceusdm", state_dir=tmp_path / "state", environment={**flags},
    )
    with pytest.raises(RunError, match=what):
        run_live(options, None)  # type: ignore[arg-type]
    assert not (tmp_path / "state").exists()


def test_whatever_the_core_produces_is_wired() -> None:
    """A signal of the core that nobody declared as such would keep every live mode from starting."""
    config = shipped()
    assert config.catalogue is not None
    lost = [
        name for name, spec in config.catalogue.specs.items()
        if spec.producer.startswith(("core.", "policy.")) and not spec.derived_from_policy
        and spec.producer not in IN_CORE
    ]
    assert not lost, f"add the producers of {lost} to IN_CORE"
