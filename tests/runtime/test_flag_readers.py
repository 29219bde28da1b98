"""Who reads which flag, held to the source: the table cannot say what is not so, nor miss what is."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

from engine.runtime.config import load_config
from engine.runtime.flag_readers import GUARDS, READERS, read_by_rules
from tests.conftest import ROOT

TABLE = ROOT / "engine/runtime/flag_readers.py"
SETTERS = {
    "engine/cli/venue.py", "engine/runtime/preflight_flags.py", "engine/adapters/tape_demo_after.py",
    "engine/runtime/wiring_simulate.py",
}
"""Files that only say to a person what is set and what to set, or that play an operator who sets it."""
SIMULATED = "engine/runtime/simulate_"
"""How the names of files begin that draw such an operator, and judge what became of it."""
CONFIG = load_config(ROOT, {})


@cache
def named() -> dict[str, tuple[str, ...]]:
    """Return by flag the files in engine/ outside the table in which its name is a string, f-strings expanded."""
    patterns = {name: re.compile(re.escape(name)) for name in CONFIG.flag_specs}
    found: dict[str, list[str]] = {}
    for path in sorted((ROOT / "engine").rglob("*.py")):
        place = str(path.relative_to(ROOT))
        if path == TABLE or place in SETTERS or place.startswith(SIMULATED):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            for name in _names(node, patterns):
                found.setdefault(name, []).append(place)
    return {name: tuple(dict.fromkeys(places)) for name, places in found.items()}


def _names(node: ast.AST, flags: dict[str, re.Pattern[str]]) -> list[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value] if node.value in flags else []
    if isinstance(node, ast.JoinedStr):
        parts = [re.escape(str(part.value)) if isinstance(part, ast.Constant) else "[A-Z0-9]+" for part in node.values]
        whole = re.compile("".join(parts))
        # A text that only mentions a flag in a sentence names none; one made of letters and one number does.
        return [name for name in flags if whole.fullmatch(name)] if any("_" in part for part in parts) else []
    return []


def test_every_flag_that_the_engine_names_stands_in_the_table() -> None:
    missing = {name: places for name, places in named().items() if name not in READERS}
    assert not missing, f"add to READERS in engine/runtime/flag_readers.py: {missing}"


def test_every_flag_in_the_table_is_named_by_the_engine() -> None:
    told = {name for name in READERS if name not in named()}
    assert not told, f"the table says that the engine reads {sorted(told)}, and no file names them"
    assert set(GUARDS) <= set(READERS)


def test_every_flag_is_read_or_planned() -> None:
    """A number that somebody may turn in vain is worse than none."""
    assert CONFIG.rules is not None
    rules = read_by_rules(CONFIG.rules.rules)
    vain = [
        name for name, spec in CONFIG.flag_specs.items()
        if name not in rules and name not in READERS and not spec.planned
    ]
    assert not vain, f"neither a rule nor the engine reads {vain}"


def test_a_flag_whose_part_exists_is_not_planned() -> None:
    assert CONFIG.rules is not None
    rules = read_by_rules(CONFIG.rules.rules)
    stale = [
        name for name, spec in CONFIG.flag_specs.items()
        if spec.planned and (name in rules or name in READERS or name in named())
    ]
    assert not stale, f"take `planned` off {stale} in conf/flags.yaml"


def test_readers_are_told_by_rule() -> None:
    assert CONFIG.rules is not None
    assert "guard.warmup" in read_by_rules(CONFIG.rules.rules)["WARMUP_SEC"]


def test_the_scan_sees_names_that_are_put_together() -> None:
    flags = {name: re.compile(name) for name in ("A_TP1_PCT", "A_TP2_PCT", "A_SIZE_USD")}
    tree = ast.parse('[flags[f"A_TP{rung}_PCT"], flags["A_SIZE_USD"], f"{x} is on", "A_TP1_PCT is high"]')
    seen = sorted({name for node in ast.walk(tree) for name in _names(node, flags)})
    assert seen == ["A_SIZE_USD", "A_TP1_PCT", "A_TP2_PCT"]
    assert Path(TABLE).is_file()
