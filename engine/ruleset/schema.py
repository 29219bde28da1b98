"""JSON Schema over nodes: the schemas that editors use are the ones the engine checks with.

A schema may word its own refusals: where a subschema is `{"not": {}}` its description is the
message and its `x-fix` the fix.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

from jsonschema.exceptions import ValidationError

from engine.ruleset.diagnostics import Finding
from engine.ruleset.nodes import Node
from engine.ruleset.scalars import quoted
from engine.ruleset.suggest import fix_for
from engine.ruleset.validation import Schema

SCHEMAS = Path(__file__).parents[2] / "schemas"
"""The schemas stand beside the program, not inside a package: editors point at them from the files they check."""

MOST_ERRORS = 300
"""What one file may be told of its form: more than three times what is listed, and then looking ends."""
_SHIPPED: dict[int, Schema] = {}
"""Those that `shipped_schema` keeps for good, by their identity."""
_TYPES = {
    "object": "a mapping", "array": "a list", "string": "text", "number": "a number", "integer": "a whole number",
    "boolean": "true or false", "null": "nothing",
}


@cache
def shipped_schema(name: str) -> Mapping[str, Any]:
    """Return a schema that comes with the engine, by its file name. It is part of the program, so it is read once."""
    found: Mapping[str, Any] = json.loads((SCHEMAS / name).read_text(encoding="utf-8"))
    _SHIPPED[id(found)] = Schema(found)
    return found


def check_schema(node: Node, schema: Mapping[str, Any], findings: list[Finding]) -> None:
    """Add a finding for each way in which `node` is not what `schema` (Draft 2020-12) wants, at its place."""
    seen: set[tuple[int, int, str]] = set()
    for error in islice(_ready(schema).errors(node.plain()), MOST_ERRORS):
        for finding in _findings(node, error):
            key = (finding.line, finding.column, finding.message)
            if key not in seen:
                seen.add(key)
                findings.append(finding)


def _ready(schema: Mapping[str, Any]) -> Schema:
    """Return the schema made ready; those that come with the engine are made so once."""
    known = _SHIPPED.get(id(schema))
    return known if known is not None else Schema(schema)


@dataclass(frozen=True, slots=True)
class _Refusal:
    """One error of jsonschema, without its unset fields."""

    word: str
    wanted: Any
    schema: Mapping[str, Any]
    text: str

    @property
    def about(self) -> str:
        return str(self.schema.get("x-fix") or self.schema.get("description") or "see the schema")


def _findings(root: Node, error: ValidationError) -> Iterator[Finding]:
    target, key = root, root
    for step in error.absolute_path:
        if isinstance(step, int):
            target = key = target.items[step]
        else:
            key, target = target.entries[step]
    if target.kind == "broken":
        return
    schema: Any = error.schema
    refusal = _Refusal(
        str(error.validator), error.validator_value, schema if isinstance(schema, Mapping) else {}, error.message,
    )
    if refusal.word == "additionalProperties" and refusal.wanted is False:
        yield from _unknown_keys(target, refusal)
    elif refusal.word in ("propertyNames", "pattern") and "propertyNames" in error.absolute_schema_path:
        name = str(error.instance)
        yield target.key(name).finding("schema-key", f"{quoted(name)} cannot be a key here", refusal.about)
    elif refusal.word == "required":
        yield from _missing(key if target.kind == "map" else target, target, refusal)
    elif refusal.word == "not" and refusal.wanted == {}:
        message = str(refusal.schema.get("description", "this has no place here"))
        yield key.finding("schema-misplaced", message, str(refusal.schema.get("x-fix", "remove it")))
    else:
        code, message, fix = _explain(target, refusal)
        yield target.finding(code, message, fix)


def _unknown_keys(target: Node, refusal: _Refusal) -> Iterator[Finding]:
    known = list(refusal.schema.get("properties", {}))
    for name, key, _ in target.pairs():
        if name not in known and key.kind == "str":
            unused = [one for one in known if one not in target.entries]
            yield key.finding("schema-unknown-key", f"there is no key {quoted(name)} here", fix_for(name, unused))


def _missing(at: Node, target: Node, refusal: _Refusal) -> Iterator[Finding]:
    """One error of jsonschema is one missing key; its message begins with the key's name."""
    for name in refusal.wanted:
        if name not in target.entries and refusal.text.startswith(repr(name)):
            about = refusal.schema.get("properties", {}).get(name, {})
            summary = str(about.get("description", "")) if isinstance(about, Mapping) else ""
            message = str(refusal.schema.get("x-missing") or f"the key {quoted(name)} is missing")
            told = f" ({summary.split('. ')[0].rstrip('.')})" if summary else ""
            yield at.finding("schema-missing-key", message, str(refusal.schema.get("x-fix") or f"add `{name}:`{told}"))


def _explain(target: Node, refusal: _Refusal) -> tuple[str, str, str]:
    wanted, shown = refusal.wanted, _shown(target)
    if refusal.word == "type":
        types = [wanted] if isinstance(wanted, str) else list(wanted)
        names = " or ".join(_TYPES.get(one, one) for one in types)
        fix = f"write {names}"
        if "string" in types and target.kind in ("int", "float", "bool"):
            fix = f'quote it: "{target.text}"'
        return "schema-type", f"{names} is wanted here, not {shown}", str(refusal.schema.get("x-fix") or fix)
    if refusal.word in ("enum", "const"):
        choices = [_word(one) for one in ([wanted] if refusal.word == "const" else wanted)]
        if len(choices) == 1:
            return "schema-choice", f"{shown} is not {choices[0]}", f"write {choices[0]}"
        return "schema-choice", f"{shown} is none of {', '.join(choices)}", fix_for(target.text, choices)
    if refusal.word == "pattern":
        return "schema-pattern", f"{shown} is not written as it must be", refusal.about
    bounds = {
        "minimum": "at least", "exclusiveMinimum": "more than", "maximum": "at most", "exclusiveMaximum": "less than",
    }
    if refusal.word in bounds:
        limit = f"{bounds[refusal.word]} {wanted:g}"
        return "schema-range", f"{shown} must be {limit}", f"write a number that is {limit}"
    return _explain_size(refusal, shown)


def _explain_size(refusal: _Refusal, shown: str) -> tuple[str, str, str]:
    word, wanted = refusal.word, refusal.wanted
    if word in ("minItems", "minProperties"):
        return "schema-size", f"at least {wanted} wanted here", f"add one: {refusal.about}"
    if word in ("maxItems", "maxProperties"):
        return "schema-size", f"at most {wanted} allowed here", "remove some"
    if word == "minLength":
        return "schema-size", "this is empty", refusal.about
    if word == "maxLength":
        return "schema-size", f"{shown} is longer than {wanted} characters", "say it in fewer"
    if word == "uniqueItems":
        return "schema-size", "one value stands here twice", "keep one of the two"
    if word == "anyOf":
        return "schema-choice", f"{shown} is none of what may stand here", refusal.about
    return "schema-other", refusal.text[:200], refusal.about


def _word(choice: object) -> str:
    if isinstance(choice, bool):
        return "true" if choice else "false"
    return str(choice)


def _shown(node: Node) -> str:
    if node.kind in ("map", "seq"):
        return _TYPES["object" if node.kind == "map" else "array"]
    return quoted(node.text) if node.text else "nothing"
