"""Two hundred random hours hold every law; each law catches an engine that breaks it; a seed is the same run twice."""

from __future__ import annotations

import json
import subprocess
from functools import cache
from pathlib import Path

import pytest

from engine.cli.main import main
from engine.model.events import Command
from engine.runtime.config import Config
from engine.runtime.options import RunError
from engine.runtime.simulate import Asked, Outcome, check, run_seed, simulate
from engine.runtime.simulate_broken import BREAKS, Break
from engine.runtime.simulate_laws import ORACLES
from tests.conftest import ROOT
from tests.simulation.command import command, environment
from tests.simulation.simulated import living

SEEDS, AT_ONCE = 200, 20
"""A test runs so many of them, so that two workers share the work."""
WITHIN = 40
"""A broken engine is caught within so many seeds."""
SOON = {"stuck": 12, "trims-twice": 16, "hedges-twice": 10, "keeps-hedges": 10}
"""From which seed on, where what is broken is rare: a spike while something is held."""


@cache
def configured() -> Config:
    return check(Asked(root=ROOT))


def told(outcome: Outcome) -> list[str]:
    return [f"seed {outcome.seed}: {one.oracle}: {one.what}" for one in outcome.violations]


@pytest.mark.parametrize("first", range(0, SEEDS, AT_ONCE))
def test_random_hours_hold_every_law(first: int) -> None:
    """And they are no idle hours: orders are sent and filled, processes die, faults are met."""
    asked, config = Asked(root=ROOT), configured()
    outcomes = [run_seed(asked, config, seed) for seed in range(first, first + AT_ONCE)]
    assert [line for outcome in outcomes for line in told(outcome)] == []
    assert sum(outcome.orders for outcome in outcomes) > 5 * AT_ONCE
    assert sum(outcome.fills for outcome in outcomes) > 2 * AT_ONCE
    assert sum(outcome.crashes for outcome in outcomes) > AT_ONCE
    assert sum(sum(outcome.faults.values()) for outcome in outcomes) > AT_ONCE


@pytest.mark.parametrize("first", [0, 10])
def test_random_hours_over_the_venues_own_words_hold_every_law(first: int) -> None:
    """The real client, signatures, codes, listen keys, bans; in seeds 2 and 5 a process dies over its stop probe."""
    asked, config = Asked(root=ROOT, venue="virtual"), configured()
    outcomes = [run_seed(asked, config, seed) for seed in range(first, first + 10)]
    assert [line for outcome in outcomes for line in told(outcome)] == []
    assert sum(outcome.orders for outcome in outcomes) > 30 and sum(outcome.crashes for outcome in outcomes) > 10


def first_caught(name: str) -> Outcome | None:
    """Return the first seed in which the law that is to catch the break does."""
    asked, config = Asked(root=ROOT, fault=name), configured()
    first = SOON.get(name, 0)
    for seed in range(first, first + WITHIN):
        outcome = run_seed(asked, config, seed)
        if any(found.oracle == BREAKS[name].oracle for found in outcome.violations):
            return outcome
    return None


@pytest.mark.parametrize("name", sorted(BREAKS))
def test_a_broken_engine_is_caught_by_its_law(name: str) -> None:
    caught = first_caught(name)
    assert caught is not None
    found = next(one for one in caught.violations if one.oracle == BREAKS[name].oracle)
    assert found.lines and found.at >= caught.begins and found.what


def test_every_law_has_an_engine_that_breaks_it() -> None:
    assert {one.oracle for one in BREAKS.values()} == set(ORACLES)


def test_a_failing_seed_runs_again_byte_for_byte(capsys: pytest.CaptureFixture[str]) -> None:
    """In another process, with another hash seed, with its trace: the same digest, violations and lines."""
    code = main(["simulate", "--seeds", "2", "--from", "10", "--jobs", "1", "--break", "echo", "--format", "json"])
    *failed, total = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert code == 1 and failed and total["failed"] == [one["seed"] for one in failed]
    seed = failed[0]["seed"]
    done = subprocess.run(
        command("simulate", "--seed", str(seed), "--break", "echo", "--trace", "--format", "json"), cwd=ROOT,
        env=environment(PYTHONHASHSEED="17"), capture_output=True, text=True, timeout=120, check=False,
    )
    assert done.returncode == 1, done.stderr
    again = json.loads(done.stdout.splitlines()[0])
    for one in (failed[0], again):
        assert one["violations"] and len(one["digest"]) == 64
        for found in one["violations"]:
            found["lines"] = found["lines"][-20:]
    assert again == failed[0]


def test_a_seed_is_the_same_in_one_process_and_in_two() -> None:
    """Worlds do not share anything: the order and the place in which they are run cannot matter."""
    asked, heard = Asked(root=ROOT, minutes=20), dict[int, str]()
    total = simulate(asked, range(4), 2, lambda outcome: heard.__setitem__(outcome.seed, outcome.digest))
    alone = {seed: run_seed(asked, configured(), seed).digest for seed in reversed(range(4))}
    assert heard == alone and total.seeds == 4 and len(set(alone.values())) == 4


def test_an_error_that_nobody_expected_is_told_with_its_seed_and_ends_nothing_else() -> None:
    def breaks(command: Command) -> Command:
        raise ZeroDivisionError("by design")

    ran = living(fault=Break(name="error", oracle="", what="", command=breaks)).run()
    (found,) = ran.seen.violations
    assert found.oracle == "internal" and found.lines
    assert found.what.startswith("ZeroDivisionError in breaks, test_simulate.py:") and "by design" in found.what


def test_what_cannot_be_simulated_is_refused() -> None:
    with pytest.raises(RunError, match="no break") as caught:
        check(Asked(root=ROOT, fault="twic"))
    assert "twice" in caught.value.fix
    with pytest.raises(RunError, match="no simulated venue"):
        check(Asked(root=ROOT, venue="nyse"))
    with pytest.raises(RunError, match="too few"):
        check(Asked(root=ROOT, minutes=3))


@pytest.mark.parametrize("words", [["--seeds", "0"], ["--seed", "-1"], ["--trace"], ["--jobs", "0"]])
def test_senseless_options_are_invalid_input(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", *words]) == 2
    assert "fix:" in capsys.readouterr().err


def test_a_violation_is_told_with_how_to_see_it_again(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["simulate", "--seed", "10", "--break", "echo", "--state", str(tmp_path)]) == 1
    out = capsys.readouterr().out
    assert "seed 10  fills  at " in out and "simulate --seed 10 --trace --break echo" in out
    assert "BROKEN: " in out and list(tmp_path.iterdir()) == []
