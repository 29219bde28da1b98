"""Which strategies run is read from a file; whatever cannot be had is told with its place, before anything begins."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from textwrap import dedent

import pytest

from engine.runtime.config import load_config
from engine.runtime.strategies import SHIPPED, kept_strategies, make_strategies
from engine.runtime.strategies_file import DEFAULT, Chosen, read_strategies
from tests.conftest import ROOT

FILE = "conf/strategies.yaml"


def wrong(text: str) -> list[tuple[int, str]]:
    return [(one.line, one.message) for one in read_strategies(text.encode(), FILE)[1]]


def test_what_is_shipped_is_what_is_listed_and_every_one_can_be_made() -> None:
    config = load_config(ROOT, {})
    made, findings = make_strategies(config.strategies)

    assert findings == () and [str(one) for one in made] == ["event_breakout (shipped)", "scalp (shipped)"]
    assert {one.name for one in config.strategies} == set(SHIPPED) == {one.name for one in DEFAULT}


def test_the_entry_points_name_what_is_shipped() -> None:
    """What an installation knows and what a checkout falls back on must not drift apart."""
    lines = (ROOT / "pyproject.toml").read_text().split('"runbook_engine.strategies"]', 1)[1].splitlines()[1:]
    told = dict(line.replace('"', "").split(" = ") for line in lines[: lines.index("")])

    assert told == {name: f"{maker.__module__.removesuffix('.strategy')}:make" for name, maker in SHIPPED.items()}


@pytest.mark.parametrize(("text", "line", "said"), [
    ("version: 1\n", 1, "strategies"),
    ("version: 1\nstrategies:\n  - nmae: scalp\n", 3, "nmae"),
    ("version: 1\nstrategies:\n  - {name: scalp, parameters: {entry_bsp: 3}}\n", 3, "entry_bsp"),
    ("version: 1\nstrategies:\n  - {name: scalp, parameters: {hold: soon}}\n", 3, "soon"),
    ("version: 1\nstrategies:\n  - {name: event_breakout, parameters: {same_coins: 1h}}\n", 3, "same_coins"),
    ("version: 1\nstrategies:\n  - name: scalp\n  - name: scalp\n", 4, "twice"),
])
def test_a_mistake_is_told_with_its_line(text: str, line: int, said: str) -> None:
    told = wrong(text)

    assert told and told[0][0] == line and any(said in message for _, message in told), told


def test_no_file_and_no_strategies_are_two_things() -> None:
    assert read_strategies(None, FILE) == (DEFAULT, [])
    assert read_strategies(b"version: 1\nstrategies: []\n", FILE) == ((), [])


def test_an_unknown_name_is_told_with_the_nearest_and_nothing_is_half_made() -> None:
    wanted = (Chosen(name="scalp"), Chosen(name="event_brakeout", file=FILE, line=7, column=11))
    _, findings = make_strategies(wanted)

    told = "strategy-unknown: there is no strategy event_brakeout here"
    assert [str(one) for one in findings] == [f"{FILE}:7:11: {told}"]
    assert findings[0].fix == "did you mean event_breakout?"
    kept = kept_strategies((Chosen(name="scalp"), Chosen(name="gone")))
    assert [str(one) for one in kept] == ["scalp (shipped)", "gone (absent)"]


@pytest.mark.parametrize(("parameters", "said"), [
    ({"stop_bps": 5, "adverse_bps": 25}, "stop_bps must be larger than adverse_bps"),
    ({"target": 5}, "there is no parameter target; did you mean target_bps?"),
    ({"entry_bps": 0}, "entry_bps must be above zero"),
])
def test_parameters_that_make_no_sense_are_refused(parameters: dict[str, object], said: str) -> None:
    _, findings = make_strategies((Chosen(name="scalp", parameters=parameters, file=FILE, line=3),))

    assert [one.code for one in findings] == ["strategy-parameters"] and said in findings[0].message


BROKEN = {
    "raises_at_import": "raise RuntimeError('no key for the\\nsignal service')",
    "needs_another": "import a_package_nobody_has",
    "makes_nothing": "make = 7",
    "raises_when_made": "def make(section):\n    return {}['window']",
    "has_no_shape": "class S:\n    name = 'has_no_shape'\ndef make(section):\n    return S()",
    "event_breakout": "def make(section):\n    return None",
}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What a fresh Python in whose path stand broken packages says of each."""
    place = tmp_path_factory.mktemp("broken")
    for name, text in BROKEN.items():
        (place / f"plug_{name}.py").write_text(text, encoding="utf-8")
        about = place / f"plug_{name}-2.0.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: plug-{name}\nVersion: 2.0\n", encoding="utf-8")
        points = f"[runbook_engine.strategies]\n{name} = plug_{name}:make\n"
        (about / "entry_points.txt").write_text(points, encoding="utf-8")
    asked = dedent(f"""
        import json, sys
        from engine.runtime.strategies import make_strategies
        from engine.runtime.strategies_file import Chosen
        for name in {list(BROKEN)!r}:
            made, findings = make_strategies((Chosen(name=name, file="f", line=3),))
            print(json.dumps([name, len(made), [[one.code, one.message, one.fix] for one in findings]]))
    """)
    done = subprocess.run(
        [sys.executable, "-c", asked], capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(place)])},
    )
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    return {name: findings[0] for name, made, findings in found if made == 0 and len(findings) == 1}


@pytest.mark.parametrize(("name", "code", "said"), [
    ("raises_at_import", "strategy-import", "cannot be imported: RuntimeError: no key for the signal service"),
    ("needs_another", "strategy-import", "No module named 'a_package_nobody_has'"),
    ("makes_nothing", "strategy-import", "is a int, which makes nothing"),
    ("raises_when_made", "strategy-parameters", "cannot be made with these parameters: KeyError: 'window'"),
    ("has_no_shape", "strategy-shape", "has no begin"),
    ("event_breakout", "strategy-ambiguous", "event_breakout is in plug-event_breakout 2.0, the engine"),
])
def test_a_package_that_is_broken_is_told_and_never_half_started(
    told: dict[str, list[str]], name: str, code: str, said: str
) -> None:
    assert told[name][0] == code and said in told[name][1], told[name]
