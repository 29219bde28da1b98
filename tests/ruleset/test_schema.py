"""The schema says all that a schema can, and what it says stands at its place."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from engine.ruleset.diagnostics import Finding
from engine.ruleset.schema import SCHEMAS, check_schema, shipped_schema
from engine.ruleset.source import read_yaml
from engine.ruleset.validation import Schema
from tests.ruleset.rules_text import codes, findings

RULES = shipped_schema("rules.schema.json")


def check(text: str, schema: dict[str, Any]) -> list[Finding]:
    node, found = read_yaml(text.encode(), "f.yaml")
    assert node is not None
    check_schema(node, schema, found)
    return found


def _described(schema: Any, path: str = "") -> Iterator[str]:
    """Yield the path of each property without a description."""
    if isinstance(schema, list):
        for index, item in enumerate(schema):
            yield from _described(item, f"{path}/{index}")
    if not isinstance(schema, dict):
        return
    for name, about in schema.get("properties", {}).items():
        if "const" not in about and "enum" not in about and "$ref" not in about and "description" not in about:
            yield f"{path}/{name}"
    for key, below in schema.items():
        yield from _described(below, f"{path}/{key}")


def test_every_shipped_schema_is_one_and_describes_every_key() -> None:
    for path in sorted(SCHEMAS.glob("*.schema.json")):
        schema = json.loads(path.read_text(encoding="utf-8"))
        Draft202012Validator.check_schema(schema)
    assert not list(_described(RULES))


def test_every_key_that_has_no_place_in_a_kind_says_why() -> None:
    """A refusal without words would read `False schema does not allow`."""
    for case in RULES["$defs"]["rule"]["allOf"]:
        for about in (case["then"].get("properties", {}) | case.get("else", {}).get("properties", {})).values():
            assert "description" in about


def test_an_unknown_key_gets_the_nearest_that_is_not_there_yet() -> None:
    found = findings(summery="x")

    assert [(one.code, one.line, one.column) for one in found] == [("schema-unknown-key", 9, 5)]
    assert "summary" not in found[0].fix


def test_a_wrong_type_deep_inside_has_its_own_place() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "array", "items": {"type": "object", "properties": {
        "b": {"type": "integer"}}}}}}

    assert [(one.line, one.column) for one in check("a:\n  - b: 1\n  - b: x\n  - {b: z}\n", schema)] == [(3, 8), (4, 9)]


def test_a_value_that_was_questioned_already_is_not_questioned_again() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "boolean"}}}

    assert [one.code for one in check("a: yes\n", schema)] == ["yaml-boolean"]


def test_equal_items_are_found_without_comparing_all_pairs() -> None:
    """Mixed items do not sort; the library would compare fifty million pairs here."""
    schema = {"type": "object", "properties": {"a": {"type": "array", "uniqueItems": True}}}
    items = ", ".join(f"{n}, x{n}, [{n}]" for n in range(3000))

    assert not check(f"a: [{items}]\n", schema)
    assert [one.code for one in check(f"a: [{items}, [7]]\n", schema)] == ["schema-size"]


@pytest.mark.parametrize(
    "key", ["by", "scope", "for", "keep_firing_for", "clear_expr", "latch", "cooldown", "restrain", "ttl", "action"],
)
def test_an_entry_rule_has_no_lifecycle(key: str) -> None:
    values = {
        "by": "[venue]", "scope": "all", "for": "5m", "keep_firing_for": "5m", "clear_expr": '"spread_bps < 1"',
        "latch": "manual", "cooldown": "5m", "restrain": "{level: halted}", "ttl": "5m", "action": "{trim_pct: 5}",
    }

    assert codes(kind="entry", expr="spread_bps > 50", restrain=None) == []
    found = findings(kind="entry", expr="spread_bps > 50", **{"restrain": None, key: values[key]})
    assert "schema-misplaced" in [one.code for one in found]
    assert all("entry rule" in one.message for one in found if one.code == "schema-misplaced")


@pytest.mark.parametrize("kind", ["guard", "kill", "cutback", "mute"])
def test_a_rule_that_restrains_says_what(kind: str) -> None:
    assert "schema-missing-key" in codes(kind=kind, restrain=None)


def test_a_kill_is_latched_whatever_is_written() -> None:
    assert "schema-choice" in codes(kind="kill", restrain="{level: halted}", latch="none")


def test_a_watch_rule_only_tells() -> None:
    told = '{to: digest, text: "health {health_measured}"}'

    assert codes(kind="watch", restrain=None, notify=told) == []
    assert codes(kind="watch", restrain="{level: halted}", notify=told) == ["schema-misplaced"]
    assert codes(kind="watch", restrain=None) == ["schema-missing-key"]


@pytest.mark.parametrize("word", ["hold", "cutback", "ignore"])
def test_doubt_that_restrains_less_needs_a_reason(word: str) -> None:
    more = {"unknown_cutback": "{size_mult: 0.5}"} if word == "cutback" else {}

    assert "schema-missing-key" in codes(on_unknown=word, **more)
    assert codes(on_unknown=word, on_unknown_reason="the venue says so itself", **more) == ["lint-on-unknown"]


WORDS = st.sampled_from(["guard", "watch", "kill", "entry", "maker_gate", "restrict", "5m", "", "x" * 600, "A_B"])
VALUES = st.recursive(
    st.one_of(WORDS, st.booleans(), st.integers(-2, 3), st.floats(-1, 2), st.none()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(
        st.sampled_from([*RULES["$defs"]["restraint"]["properties"], *RULES["$defs"]["test"]["properties"], "zz"]),
        inner, max_size=4,
    )), max_leaves=8,
)
A_RULE = st.dictionaries(st.sampled_from([*RULES["$defs"]["rule"]["properties"], "zz"]), VALUES, max_size=8)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from(["version", "rules", "zz"]), st.one_of(st.lists(A_RULE, max_size=3), VALUES)))
def test_kept_validators_say_what_the_library_says(data: Any) -> None:
    def told(errors: Iterable[ValidationError]) -> list[str]:
        return sorted(
            repr((list(one.absolute_path), one.validator, one.validator_value, one.message)) for one in errors
        )

    assert told(Schema(RULES).errors(data)) == told(Draft202012Validator(RULES).iter_errors(data))
