"""What an editor is told: each file names its schema, the schema is there, and it accepts the file."""

from __future__ import annotations

import json
import re
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

ROOT = Path(__file__).resolve().parents[1]
SCHEMAS = sorted((ROOT / "schemas").glob("*.schema.json"))
EDITED = sorted(path for folder in ("rules", "conf", "examples") for path in (ROOT / folder).rglob("*.yaml"))
MODELINE = re.compile(r"# yaml-language-server: \$schema=(\S+)")
SETTINGS: dict[str, Any] = json.loads((ROOT / "docs" / "editor-settings.json").read_text(encoding="utf-8"))


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def schema_of(path: Path) -> Path:
    """Return the schema that the first line of a file names."""
    match = MODELINE.fullmatch(path.read_text(encoding="utf-8").splitlines()[0])
    assert match is not None, f"{name(path)}:1 names no schema"
    return (path.parent / match[1]).resolve()


def test_there_is_something_to_edit() -> None:
    assert {"conf/engine.yaml", "conf/flags.yaml", "conf/signals.yaml"} <= {name(path) for path in EDITED}
    assert sum(name(path).startswith("rules/") for path in EDITED) >= 7
    assert any(name(path).startswith("examples/") for path in EDITED)


@pytest.mark.parametrize("path", EDITED, ids=name)
def test_every_file_names_a_schema_that_is_there_and_accepts_it(path: Path) -> None:
    schema = schema_of(path)
    assert schema in SCHEMAS, f"{name(path)} names {schema}"

    errors = list(Draft202012Validator(json.loads(schema.read_bytes())).iter_errors(yaml.safe_load(path.read_bytes())))
    assert errors == []


@pytest.mark.parametrize("path", EDITED, ids=name)
def test_its_schema_refuses_a_key_that_there_is_not(path: Path) -> None:
    """A schema that accepted everything would accept the files too."""
    document = {**yaml.safe_load(path.read_bytes()), "no_such_key": 1}
    schema = json.loads(schema_of(path).read_bytes())

    assert not Draft202012Validator(schema).is_valid(document)


@pytest.mark.parametrize("path", SCHEMAS, ids=name)
def test_every_schema_is_one_and_explains_itself(path: Path) -> None:
    schema = json.loads(path.read_bytes())
    Draft202012Validator.check_schema(schema)

    assert schema["title"]
    silent = [key for key, value in schema.get("properties", {}).items() if not described(value, schema)]
    assert silent == [], "an editor has nothing to show for these"


def described(value: dict[str, Any], schema: dict[str, Any]) -> bool:
    """Whether a property says what it is, itself or where it points."""
    reference = value.get("$ref", "").removeprefix("#/$defs/")
    return bool(value.get("description") or schema.get("$defs", {}).get(reference, {}).get("description"))


def test_the_settings_agree_with_the_first_lines() -> None:
    """An editor that goes by the settings shows what one that goes by the files does."""
    wanted = SETTINGS["yaml.schemas"]
    assert {(ROOT / schema).resolve() for schema in wanted} == set(SCHEMAS)
    for path in EDITED:
        found = {
            (ROOT / schema).resolve()
            for schema, globs in wanted.items()
            if any(fnmatch(name(path), glob.replace("**/", "*")) for glob in globs)
        }
        assert found == {schema_of(path)}, name(path)


def test_the_page_shows_the_line_and_the_settings_that_are_shipped() -> None:
    page = (ROOT / "docs" / "editor.md").read_text(encoding="utf-8")

    assert (ROOT / "rules" / "guards" / "depeg.yaml").read_text(encoding="utf-8").splitlines()[0] in page
    assert "cp docs/editor-settings.json .vscode/settings.json" in page
    for schema, globs in SETTINGS["yaml.schemas"].items():
        if f'"{schema}" = ' in page:
            assert f'"{schema}" = {json.dumps(globs)}' in page
