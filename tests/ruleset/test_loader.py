"""Loading again reads little and says the same."""

from __future__ import annotations

import ast
import dataclasses
import random
from collections.abc import Mapping
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.model.flags import FlagSpec
from engine.ruleset.load import Loaded, load_rules
from engine.ruleset.loader import RuleLoader
from engine.signals.catalogue import Catalogue
from tests.ruleset.rules_text import file_of, rule
from tests.ruleset.world import ANCHORS, CATALOGUE, FLAGS

BROKEN = Path(__file__).parent / "broken"
PIECES = [path.read_bytes() for path in sorted(BROKEN.glob("*.yaml")) if path.stat().st_size < 3000]
GOOD = [
    file_of(rule(id=f"cutback.n{number}", expr=f"health_measured > {number}", ttl=f"{number + 1}m"))
    for number in range(2)
]


def told(loaded: Loaded) -> object:
    """Return all that is in `loaded`, so that two of them compare equal when they say the same."""
    return loaded.findings, None if loaded.rules is None else _plain(loaded.rules)


def _plain(value: object) -> object:
    if isinstance(value, ast.AST):
        return ast.dump(value, include_attributes=True)
    if dataclasses.is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def edit(files: dict[str, bytes], draw: random.Random) -> None:
    """Change one of `files` the way people do."""
    name = draw.choice(sorted(files)) if files else "a.yaml"
    data = files.get(name, b"")
    action = draw.choice(("add", "add", "remove", "replace", "cut", "swap", "rename", "touch", "good"))
    if action == "remove":
        files.pop(name, None)
    elif action == "rename" and files:
        files[f"{draw.choice('abcdef')}.yaml"] = files.pop(name)
    elif action == "cut":
        files[name] = data[:draw.randrange(len(data) + 1)]
    elif action == "swap":
        lines = data.split(b"\n")
        draw.shuffle(lines)
        files[name] = b"\n".join(lines)
    elif action == "touch":
        files[name] = data + b"# seen\n"
    else:
        target = f"{draw.choice('abcdef')}.yaml" if action in ("add", "good") else name
        files[target] = draw.choice(GOOD).encode() if action == "good" else draw.choice(PIECES)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_loading_again_is_loading(seed: int) -> None:
    draw = random.Random(seed)
    loader = RuleLoader()
    files: dict[str, bytes] = {"a.yaml": GOOD[0].encode()}
    flags: Mapping[str, FlagSpec] = FLAGS
    catalogue, anchors = CATALOGUE, ANCHORS
    for _ in range(draw.randint(3, 10)):
        for _ in range(draw.randint(1, 3)):
            edit(files, draw)
        if draw.random() < 0.15:
            flags = {name: flags[name] for name in flags if draw.random() < 0.9}
        if draw.random() < 0.15:
            catalogue = Catalogue(spec for spec in CATALOGUE.specs.values() if draw.random() < 0.9)
        if draw.random() < 0.15:
            anchors = frozenset(anchor for anchor in ANCHORS if draw.random() < 0.5)

        again = loader.load(files, catalogue, flags, anchors=anchors)

        assert told(again) == told(load_rules(files, catalogue, flags, anchors=anchors))


def test_only_what_changed_is_read() -> None:
    loader = RuleLoader()
    files = {f"{number}.yaml": file_of(rule(id=f"cutback.n{number}", ttl=f"{number + 1}m")).encode()
             for number in range(5)}

    def reads(flags: Mapping[str, FlagSpec] = FLAGS, anchors: frozenset[str] = ANCHORS) -> int:
        before = loader.reads
        assert loader.load(files, CATALOGUE, flags, anchors=anchors).rules is not None
        return loader.reads - before

    assert (reads(), reads()) == (5, 0)
    files["2.yaml"] += b"# looked at\n"
    assert reads() == 1
    files["7.yaml"] = files.pop("3.yaml")
    assert reads() == 1  # a name is part of every place in a finding
    lower = dataclasses.replace(FLAGS["DEPEG_THRESHOLD_PCT"], low=0.02)
    assert reads({**FLAGS, lower.name: lower}) == 5
    moved = dataclasses.replace(lower, line=99)
    assert reads({**FLAGS, lower.name: moved}) == 0  # where it is declared says nothing about rules
    assert reads({**FLAGS, lower.name: moved}, ANCHORS | {"more"}) == 5
