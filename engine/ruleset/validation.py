"""JSON Schema, by the library, at the speed of a file that somebody is waiting for.

The library makes a new validator for each value that it looks at. Here one is made for each
part of a schema and kept, and references are put in place once. What is valid, and what is
said of what is not, stays the library's.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend

_extend: Any = extend
_LIBRARY: Mapping[str, Any] = Draft202012Validator.VALIDATORS
_NAMES = {str: "string", dict: "object", list: "array", bool: "boolean", type(None): "null", int: "integer",
          float: "number"}
_TELLING = ("description", "examples", "title", "default", "x-fix", "x-missing")


class Schema:
    """A schema (Draft 2020-12) made ready. Its references lead to its own `$defs`, and none to where it stands."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._kept: dict[int, Any] = {}
        self._placed: dict[str, Any] = {}
        self._schema = _inlined(schema, schema, self._placed)
        made: Any = _extend(Draft202012Validator, {
            "properties": self._properties, "items": self._items, "allOf": self._all_of, "if": self._if,
            "anyOf": self._any_of, "additionalProperties": self._additional, "type": _type, "uniqueItems": _unique,
        })
        self._validator: Any = made(self._schema)

    def errors(self, instance: Any) -> Iterator[ValidationError]:
        """Yield the library's errors about `instance`, lazily: looking ends where the caller ends."""
        errors: Iterator[ValidationError] = self._validator.iter_errors(instance)
        return errors

    def _child(self, schema: Any) -> Any:
        """Return the validator of a part of the schema, made when it is first needed."""
        known = self._kept.get(id(schema))
        if known is None:
            known = self._kept[id(schema)] = self._validator.evolve(schema=schema)
        return known

    def _properties(
        self, _: Any, properties: Mapping[str, Any], instance: Any, __: Any
    ) -> Iterator[ValidationError]:
        if isinstance(instance, dict):
            for key, value in instance.items():
                if key in properties:
                    for error in self._child(properties[key]).iter_errors(value):
                        error.path.appendleft(key)
                        error.schema_path.appendleft(key)
                        yield error

    def _items(self, _: Any, items: Any, instance: Any, __: Any) -> Iterator[ValidationError]:
        if isinstance(instance, list):
            child = self._child(items)
            for index, item in enumerate(instance):
                for error in child.iter_errors(item):
                    error.path.appendleft(index)
                    yield error

    def _all_of(self, _: Any, parts: list[Any], instance: Any, __: Any) -> Iterator[ValidationError]:
        for index, part in enumerate(parts):
            for error in self._child(part).iter_errors(instance):
                error.schema_path.appendleft(index)
                yield error

    def _any_of(self, validator: Any, parts: list[Any], instance: Any, schema: Any) -> Iterator[ValidationError]:
        if not any(self._child(part).is_valid(instance) for part in parts):
            yield from _LIBRARY["anyOf"](validator, parts, instance, schema)

    def _additional(self, validator: Any, wanted: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
        if not isinstance(instance, dict):
            return
        known = schema.get("properties", {})
        if "patternProperties" in schema or wanted is False and not instance.keys() <= known.keys():
            yield from _LIBRARY["additionalProperties"](validator, wanted, instance, schema)
        elif isinstance(wanted, dict):
            child = self._child(wanted)
            for key, value in instance.items():
                if key not in known:
                    for error in child.iter_errors(value):
                        error.path.appendleft(key)
                        yield error

    def _if(self, _: Any, condition: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
        word = "then" if self._child(condition).is_valid(instance) else "else"
        if word in schema:
            for error in self._child(schema[word]).iter_errors(instance):
                error.schema_path.appendleft(word)
                yield error


def _inlined(part: Any, root: Mapping[str, Any], placed: dict[str, Any]) -> Any:
    """Return `part` with each reference replaced by what it leads to, which is one object wherever it is used."""
    if isinstance(part, list):
        return [_inlined(item, root, placed) for item in part]
    if not isinstance(part, Mapping):
        return part
    if isinstance(part.get("$ref"), str):
        where = part["$ref"]
        if where not in placed:
            placed[where] = _inlined(_at(root, where), root, placed)
        more = {key: _inlined(value, root, placed) for key, value in part.items() if key not in ("$ref", *_TELLING)}
        return {**more, "allOf": [placed[where], *more.get("allOf", [])]} if more else placed[where]
    return {key: _inlined(value, root, placed) for key, value in part.items() if key != "$defs"}


def _at(root: Mapping[str, Any], where: str) -> Any:
    found: Any = root
    for step in where.removeprefix("#/").split("/"):
        found = found[step]
    return found


def _type(validator: Any, wanted: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    name = _NAMES.get(type(instance))
    if name is None or not (name == wanted or isinstance(wanted, list) and name in wanted):
        yield from _LIBRARY["type"](validator, wanted, instance, schema)


def _unique(_: Any, wanted: bool, instance: Any, schema: Any) -> Iterator[ValidationError]:
    """The library's own check compares every pair where items do not sort: a file could make it take hours."""
    if wanted and isinstance(instance, list):
        spelled = {json.dumps(item, sort_keys=True) for item in instance}
        if len(spelled) < len(instance):
            yield ValidationError("has non-unique elements")
