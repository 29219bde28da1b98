"""The laws of the house that no tool checks for us, read from the source itself."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ENGINE = ROOT / "engine"
PURE_ROOMS = ("core", "execution", "strategies", "risk", "rollout", "policy", "ruleset", "signals", "model")
IMPURE = {"asyncio", "logging", "os", "random", "socket", "threading", "time"}
CLOCKS = {"now", "utcnow", "today"}
DATES = {"datetime", "date", "datetime.datetime", "datetime.date"}
FILE_LINES, FUNCTION_LINES = 330, 64
"""About 300 and about 60: a line or two over is no reason to cut a thought in half."""
WORDS_FOR_NOTHING = {"manager", "helper", "helpers", "utils", "util", "base", "misc"}
TEXT_SUFFIXES = {".py", ".md", ".toml", ".yaml", ".yml", ".lock", ".json", ".txt", ".cfg", ".ini", ".env"}
_OUTSIDE = {".git", ".venv", "state", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis", "build", "dist"}


def sources(*rooms: str) -> list[Path]:
    folders = [ENGINE / room for room in rooms] if rooms else [ENGINE]
    return sorted(path for folder in folders for path in folder.rglob("*.py"))


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_bytes(), str(path))


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def imports(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "", node.lineno)


def texts() -> Iterator[Path]:
    for path in sorted(ROOT.rglob("*")):
        inside = path.relative_to(ROOT).parts
        if _OUTSIDE & set(inside) or any(part.endswith(".egg-info") for part in inside):
            continue
        if path.is_file() and (path.suffix in TEXT_SUFFIXES or path.name in ("Makefile", "run", "Dockerfile")):
            yield path


def test_from_core_down_nothing_can_reach_a_clock_a_thread_or_a_socket() -> None:
    """The import contract sees modules; this also sees `datetime.now` and `date.today`."""
    wrong: list[str] = []
    for path in sources(*PURE_ROOMS):
        for module, line in imports(path):
            if module.split(".")[0] in IMPURE:
                wrong.append(f"{name(path)}:{line}: imports {module}")
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Attribute) and node.attr in CLOCKS and ast.unparse(node.value) in DATES:
                wrong.append(f"{name(path)}:{node.lineno}: asks the time ({node.attr})")

    assert wrong == []


def test_only_the_loop_never_ends() -> None:
    """One endless loop is one place to stop, to measure and to understand."""
    found = [
        f"{name(path)}:{node.lineno}"
        for path in sources("core", "runtime")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.While) and isinstance(node.test, ast.Constant) and node.test.value
    ]

    assert [place.split(":")[0] for place in found] == ["engine/runtime/loop.py"], found


def test_adapters_are_strangers_to_each_other() -> None:
    """What `tape_*` files share is one outside thing; any other adapter knows only ports, exchange and model."""
    wrong: list[str] = []
    for path in sources("adapters"):
        family = path.stem.split("_")[0]
        for module, line in imports(path):
            words = module.split(".")
            if words[0] != "engine":
                continue
            room = words[1] if len(words) > 1 else ""
            stranger = room == "adapters" and len(words) > 2 and words[2].split("_")[0] != family
            if stranger or room not in ("adapters", "exchange", "ports", "model"):
                wrong.append(f"{name(path)}:{line}: imports {module}")

    assert wrong == []


def test_the_nouns_need_nothing_but_the_standard_library() -> None:
    """Who speaks the nouns must not have to install anything for it."""
    wrong = [
        f"{name(path)}:{line}: imports {module}"
        for path in sources("model")
        for module, line in imports(path)
        if module.split(".")[0] not in sys.stdlib_module_names and not module.startswith("engine.model")
    ]

    assert wrong == []


def test_only_the_wiring_names_an_adapter() -> None:
    """Whoever else did would have to change when an outside thing does."""
    wrong = [
        f"{name(path)}:{line}: imports {module}"
        for path in sources()
        if path.parent.name != "adapters" and not path.stem.startswith("wiring")
        for module, line in imports(path)
        if module.startswith("engine.adapters")
    ]

    assert wrong == []


def test_files_and_functions_stay_small_enough_to_read() -> None:
    wrong: list[str] = []
    for path in sources():
        lines = len(path.read_text().splitlines())
        if lines > FILE_LINES:
            wrong.append(f"{name(path)}: {lines} lines")
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > FUNCTION_LINES:
                    wrong.append(f"{name(path)}:{node.lineno}: {node.name} has {length} lines")

    assert wrong == []


def test_no_name_says_nothing() -> None:
    """A file called after nothing in particular collects everything."""
    wrong = [name(path) for path in sources() if WORDS_FOR_NOTHING & set(path.stem.split("_"))]

    assert wrong == []


_FORBIDDEN = (
    (re.compile(r"\bpython" r"hosted\.|\bpy" r"pi\.(?:org|python)|--(?:extra-)?index-url|--find-links"), "a registry"),
    (re.compile(r"(?<![\w.])/(?:root|home|work|opt|Users)/[\w.]"), "a path of one machine"),
    (re.compile(r"\b(?:TO" r"DO|FIX" r"ME|X" r"XX|HA" r"CK)\b"), "something left undone"),
    (re.compile(r"\bmock\.patch\b|\bfrom unittest import mock\b|\bimport unittest\.mock\b"), "a patched import"),
)


def test_nothing_names_a_machine_or_a_registry() -> None:
    wrong = [
        f"{name(path)}:{number}: {what}: {line.strip()[:80]}"
        for path in texts()
        if path != Path(__file__).resolve()
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), start=1)
        for pattern, what in _FORBIDDEN
        if pattern.search(line)
    ]

    assert wrong == []


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-live.lock", "requirements-dev.lock"])
def test_every_locked_package_has_a_hash(lock: str) -> None:
    entries = re.split(r"\n(?=\S)", (ROOT / lock).read_text().strip())

    assert [entry.splitlines()[0] for entry in entries if "--hash=sha256:" not in entry] == []


def test_the_two_locks_agree() -> None:
    """The tests must run what the engine runs."""
    def pins(lock: str) -> set[str]:
        return set(re.findall(r"^[\w.-]+==[^\s\\;]+", (ROOT / lock).read_text(), re.MULTILINE))

    assert pins("requirements.lock") <= pins("requirements-dev.lock")
    assert pins("requirements-live.lock") <= pins("requirements-dev.lock")
