"""JSON Schema over nodes: the schemas that editors use are the ones the engine checks with.

A schema may word its own refusals: where a subschema is `{"not": {}}` its description is the
message and its `x-fix` the fix.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from engine.ruleset.diagnostics import Finding
from engine.ruleset.nodes import Node
from engine.ruleset.scalars import quoted
from engine.ruleset.suggest import fix_for

SCHEMAS = Path(__file__).parents[2] / "schemas"
"""The schemas stand beside the program, not inside a package: editors point at them from the files they check."""

_TYPES = {
    "object": "a mapping", "array": "a list", "string": "text", "number": "a number", "integer": "a whole number",
    "boolean": "true or false", "null": "nothing",
}


@cache
def shipped_schema(name: str) -> Mapping[str, Any]:
    """Return a schema that comes with the engine, by its file name. It is part of the program, so it is read once."""
    found: Mapping[str, Any] = json.loads((SCHEMAS / name).read_text(encoding="utf-8"))
    return found


def check_schema(node: Node, schema: Mapping[str, Any], findings: list[Finding]) -> None:
    """Add a finding for each way in which `node` is not what `schema` (Draft 2020-12) wants, at its place."""
    seen: set[tuple[int, int, str]] = set()
    for error in Draft202012Validator(schema).iter_errors(node.plain()):
        for finding in _findings(node, error):
            key = (finding.line, finding.column, finding.message)
            if key not in seen:
                seen.add(key)
                findings.append(finding)


def _findings(root: Node, error: ValidationError) -> Iterator[Finding]:
    target, key = root, root
    for step in error.absolute_path:
        if isinstance(step, int):
            target = key = target.items[step]
        else:
            key, target = target.entries[step]
    if target.kind == "broken":
        return
    if error.validator == "additionalProperties":
        yield from _unknown_keys(target, error)
    elif error.validator == "propertyNames":
        name = str(error.instance)
        yield target.key(name).finding("schema-key", f"{quoted(name)} cannot be a key here", _fix(error.schema))
    elif error.validator == "required":
        yield from _missing(key if target.kind == "map" and key.kind == "str" else target, target, error)
    elif error.validator == "not" and error.validator_value == {}:
        yield key.finding("schema-misplaced", str(error.schema.get("description", "this has no place here")), _fix(error.schema))
    else:
        code, message, fix = _explain(target, error)
        yield target.finding(code, message, fix)


def _fix(schema: Any, otherwise: str = "remove it") -> str:
    return str(schema.get("x-fix", otherwise)) if isinstance(schema, Mapping) else otherwise


def _unknown_keys(target: Node, error: ValidationError) -> Iterator[Finding]:
    known = list(error.schema.get("properties", {}))
    for name, key, _ in target.pairs():
        if name not in known:
            unused = [one for one in known if one not in target.entries]
            yield key.finding("schema-unknown-key", f"there is no key {quoted(name)} here", fix_for(name, unused))


def _missing(at: Node, target: Node, error: ValidationError) -> Iterator[Finding]:
    for name in error.validator_value:
        if name not in target.entries and error.message.startswith(repr(name)):
            about = error.schema.get("properties", {}).get(name, {})
            summary = about.get("description", "") if isinstance(about, Mapping) else ""
            message = str(error.schema.get("x-missing") or f"the key {quoted(name)} is missing")
            fix = _fix(error.schema, f"add `{name}:`" + (f" ({summary.split('. ')[0].rstrip('.')})" if summary else ""))
            yield at.finding("schema-missing-key", message, fix)


def _explain(target: Node, error: ValidationError) -> tuple[str, str, str]:
    wanted, schema = error.validator_value, error.schema
    shown = _shown(target)
    about = str(schema.get("x-fix") or schema.get("description", "") or "see the schema") if isinstance(schema, Mapping) else ""
    if error.validator == "type":
        types = [wanted] if isinstance(wanted, str) else list(wanted)
        names = " or ".join(_TYPES.get(one, one) for one in types)
        fix = f"write {names}"
        if "string" in types and target.kind in ("int", "float", "bool"):
            fix = f'quote it: "{target.text}"'
        return "schema-type", f"{names} is wanted here, not {shown}", str(schema.get("x-fix") or fix)
    if error.validator in ("enum", "const"):
        choices = [wanted] if error.validator == "const" else list(wanted)
        words = [_word(one) for one in choices]
        return "schema-choice", f"{shown} is none of {', '.join(words)}", fix_for(target.text, words)
    if error.validator == "pattern":
        return "schema-pattern", f"{shown} is not written as it must be", about
    if error.validator in ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum"):
        words = {
            "minimum": "at least", "exclusiveMinimum": "more than", "maximum": "at most", "exclusiveMaximum": "less than",
        }[error.validator]
        return "schema-range", f"{shown} must be {words} {wanted:g}", f"write a number that is {words} {wanted:g}"
    return _explain_size(error, shown, about)


def _explain_size(error: ValidationError, shown: str, about: str) -> tuple[str, str, str]:
    wanted = error.validator_value
    if error.validator in ("minItems", "minProperties"):
        return "schema-size", f"at least {wanted} wanted here", f"add one: {about}"
    if error.validator in ("maxItems", "maxProperties"):
        return "schema-size", f"at most {wanted} allowed here", "remove some"
    if error.validator == "minLength":
        return "schema-size", "this is empty", about
    if error.validator == "maxLength":
        return "schema-size", f"{shown} is longer than {wanted} characters", "say it in fewer"
    if error.validator == "uniqueItems":
        return "schema-size", "one value stands here twice", "keep one of the two"
    return "schema-other", error.message[:200], about


def _word(choice: object) -> str:
    if isinstance(choice, bool):
        return "true" if choice else "false"
    return str(choice)


def _shown(node: Node) -> str:
    if node.kind in ("map", "seq"):
        return _TYPES["object" if node.kind == "map" else "array"]
    return quoted(node.text) if node.text else "nothing"
