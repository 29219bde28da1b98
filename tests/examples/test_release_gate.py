"""The example for somebody without a trading engine: its rules pass their tests, and its program tells their story."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from engine.cli.main import main
from engine.model.restraints import Level
from engine.ruleset import Rules
from engine.runtime.rules_config import rules_config
from engine.workbench.runbook import check_runbook
from tests.examples.fresh import fresh_python

ROOT = Path(__file__).resolve().parents[2]
GATE = ROOT / "examples" / "release_gate"


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(GATE)


@pytest.mark.usefixtures("here")
def test_its_rules_are_checked_and_tested_by_the_same_commands(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a flag of the trading engine's: these rules are another program's."""
    assert main(["rules", "check"]) == 0
    assert "5 rules in 2 files: fine" in capsys.readouterr().out
    assert main(["rules", "test"]) == 0
    out = capsys.readouterr().out
    tested = {line.split()[1].rstrip(":") for line in out.splitlines() if line.startswith("ok")}
    assert tested == {"breaker.errors", "breaker.latency", "gate.busy", "gate.canary", "gate.step"}
    assert "0 failed" in out
    assert main(["rules", "docs", "--check"]) == 0


def test_its_runbook_says_what_runs() -> None:
    config = rules_config(GATE)
    assert config.usable, config.findings
    text = (GATE / "RUNBOOK.md").read_text(encoding="utf-8")
    assert check_runbook(text, "RUNBOOK.md", config.ruling()) == ()
    assert check_runbook(text.replace("(2 %)", "(3 %)"), "RUNBOOK.md", config.ruling()) != ()


def test_the_program_tells_its_story_in_a_process_of_its_own(tmp_path: Path) -> None:
    done = fresh_python(str(GATE / "release.py"), where=tmp_path)

    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    told = [line.split("s  ", 1)[1] for line in lines if re.match(r" *\d+s  ", line)]
    order = [
        "the new version has 5 % of the traffic", "the new version has 25 % of the traffic",
        "gate.step refuses 40 % more: step_traffic_pct 40", "gate.canary/1: stays until somebody re-arms it",
        "rolled back from 25 %",
    ]
    assert [line for line in told if line in order] == order
    assert "    pct(avg_over(canary_failed, 10m)) > CANARY_LIMIT_PCT = True" in lines
    # The flag that was tightened while it ran restrains; the latch outlives its condition.
    assert lines[-2].startswith("  breaker.errors: firing")
    assert lines[-1].startswith("  gate.canary: latched")


def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("release", GATE / "release.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_a_release_that_goes_well_reaches_all_traffic_in_steps_that_are_allowed() -> None:
    module = example()
    rules: Rules = module.load_gate()
    # The story turns bad after seven twelfths of it; what comes before is enough for every step.
    good = [second for second in module.service(minutes=60) if second.at < 60 * 35]

    told = module.release(rules, iter(good))
    steps = [line for line in told if "the new version has" in line]
    assert steps[-1].endswith("the new version has 90 % of the traffic")
    assert sum("gate.step refuses 40 % more" in line for line in told) == 1
    assert rules.restraint().level is Level.NORMAL


def test_the_library_needs_no_part_of_the_trading_engine(tmp_path: Path) -> None:
    """Whoever imports the rules gets the rules: no strategies, no venues, no event loop."""
    code = (
        "import sys, engine.ruleset\n"
        "print(sorted({name.split('.')[1] for name in sys.modules if name.startswith('engine.')}))\n"
        "print('asyncio' in sys.modules)\n"
    )
    done = fresh_python("-c", code, where=tmp_path)

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["['model', 'ruleset', 'signals']", "False"]


def test_the_readme_block_works_when_it_is_pasted(tmp_path: Path) -> None:
    """The one that imports the library, about twenty lines, in a process that knows nothing else."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    pasted = [block for block in blocks if "engine.ruleset" in block]
    assert len(pasted) == 1
    assert pasted[0].count("\n") <= 28
    told = ["0 halted held", "10 normal pending", "20 normal pending", "30 halted firing"]
    for done in (
        fresh_python("-c", pasted[0], where=tmp_path),
        # As a person pastes it: an interpreter that reads line by line, and wants an empty one behind a loop.
        fresh_python("-i", "-q", where=tmp_path, typed=pasted[0] + "\n"),
    ):
        assert done.returncode == 0, done.stderr
        assert "Error" not in done.stderr, done.stderr
        assert done.stdout.splitlines()[:4] == told
        assert "  pct(error_ratio) = 5.0" in done.stdout
